//! Where customers say that they want no more mail that is not an answer (RFC 8058): mail programs post here at their
//! users' click, and whoever follows the address by hand is asked first, since machines follow addresses too.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::{Refused, Unsubscribe};

/// Longer than any that we make.
const LONGEST: usize = 256;
/// What is posted says nothing that the address does not.
const MOST_POSTED: usize = 4 * 1024;

/// To be merged into the edge's routes.
pub fn unsubscribe(door: Arc<dyn Unsubscribe>) -> Router {
    Router::new()
        .route("/unsubscribe/{reference}", get(ask).post(done))
        .layer(DefaultBodyLimit::max(MOST_POSTED))
        .with_state(door)
}

async fn ask(State(door): State<Arc<dyn Unsubscribe>>, Path(reference): Path<String>) -> Response {
    match known(&*door, &reference) {
        false => unknown(),
        true => page(
            StatusCode::OK,
            "Do you want no more mail from us, but for answers to your own?",
            "<form method=\"post\"><input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
             <button>Unsubscribe</button></form>",
        ),
    }
}

async fn done(
    State(door): State<Arc<dyn Unsubscribe>>,
    Path(reference): Path<String>,
    _posted: axum::body::Bytes,
) -> Response {
    if !known(&*door, &reference) {
        return unknown();
    }
    match door.unsubscribe(&reference).await {
        Ok(()) => {
            page(StatusCode::OK, "You are unsubscribed.", "<p>Answers to your own mail still reach you.</p>")
        }
        Err(Refused::UnknownInbox(_)) => unknown(),
        Err(Refused::Unavailable(cause)) => {
            tracing::warn!(cause, "a customer could not unsubscribe: it cannot be stored now");
            let asked = "This could not be stored just now.";
            let mut answer =
                page(StatusCode::SERVICE_UNAVAILABLE, asked, "<p>Please try again in a minute.</p>");
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
            answer
        }
    }
}

fn known(door: &dyn Unsubscribe, reference: &str) -> bool {
    reference.len() <= LONGEST && door.inbox_of(reference).is_some()
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "This address is not one of ours, or no longer.", "")
}

fn page(status: StatusCode, says: &str, form: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Unsubscribe</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body><p>{says}</p>{form}</body></html>\n"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[derive(Default)]
    struct Door {
        down: bool,
        gone: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Unsubscribe for Door {
        fn inbox_of(&self, reference: &str) -> Option<String> {
            reference.starts_with("ours").then(|| "support".to_owned())
        }

        async fn unsubscribe(&self, reference: &str) -> Result<(), Refused> {
            if self.down {
                return Err(Refused::Unavailable("the log is away".into()));
            }
            self.gone.lock().unwrap().push(reference.to_owned());
            Ok(())
        }
    }

    async fn serve(door: Arc<Door>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, unsubscribe(door)).await });
        at
    }

    /// The status, and all that was answered.
    async fn call(at: SocketAddr, method: &str, reference: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let posted = "List-Unsubscribe=One-Click";
        let request = format!(
            "{method} /unsubscribe/{reference} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{posted}",
            posted.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    #[tokio::test]
    async fn one_click_is_enough_and_only_looking_is_not() {
        let door = Arc::new(Door::default());
        let at = serve(door.clone()).await;
        let (status, page) = call(at, "GET", "ours1").await;
        assert!(status == 200 && page.contains("<form method=\"post\">"), "{page}");
        assert!(door.gone.lock().unwrap().is_empty());
        assert_eq!(call(at, "POST", "ours1").await.0, 200);
        assert_eq!(*door.gone.lock().unwrap(), ["ours1"]);
    }

    #[tokio::test]
    async fn what_is_not_ours_or_cannot_be_stored_is_told() {
        let at = serve(Arc::new(Door { down: true, ..Door::default() })).await;
        for reference in ["theirs".to_owned(), format!("ours{}", "x".repeat(LONGEST))] {
            assert_eq!(call(at, "POST", &reference).await.0, 404);
        }
        let (status, answer) = call(at, "POST", "ours1").await;
        assert!(status == 503 && answer.contains("retry-after: 60"), "{answer}");
    }
}
