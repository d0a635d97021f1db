//! What the examples share: connecting with a token, and how what comes back reads in a terminal.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use wire::api::v1 as pb;

/// A connection that carries a token with every call.
pub(crate) type Connection = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) async fn connect(server: &str, token: &str) -> anyhow::Result<Connection> {
    let bearer = format!("Bearer {token}")
        .parse()
        .map_err(|_| anyhow!("the token has characters no header may have"))?;
    let endpoint = Endpoint::from_shared(server.to_owned())
        .with_context(|| format!("{server:?} is not an address like http://127.0.0.1:7070"))?
        .connect_timeout(Duration::from_secs(5));
    let channel = endpoint.connect().await.with_context(|| {
        format!("nobody answers at {server}; is `cargo run --release -- dev` running in another terminal?")
    })?;
    Ok(InterceptedService::new(channel, Bearer(bearer)))
}

/// Prints a line. When nobody reads any more (`| head`) the program ends, before it does anything about the line.
pub(crate) fn print(line: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        std::process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// `println!` that does not panic when nobody reads.
macro_rules! say {
    ($($line:tt)*) => { crate::shared::print(format_args!($($line)*)) };
}
pub(crate) use say;

/// A line on standard error, if somebody reads it.
pub(crate) fn note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// How an example ends: with an error's line on standard error, if there was one.
pub(crate) fn exit(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    note(format_args!("error: {}", line(&error)));
    ExitCode::FAILURE
}

/// What went wrong and what was behind it.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let (what, cause) = (error.to_string(), error.root_cause().to_string());
    if cause == what { what } else { format!("{what} ({cause})") }
}

/// A status in words, with what a user of these examples can do about it.
pub(crate) fn refused(status: &Status) -> anyhow::Error {
    let hint = match status.code() {
        tonic::Code::Unauthenticated => "; `dev` knows the tokens dev, dev-agent-1 and dev-agent-2",
        tonic::Code::Unavailable => "; did the server stop?",
        _ => "",
    };
    anyhow!("{:?}: {}{hint}", status.code(), status.message())
}

/// What someone wrote, on one line.
pub(crate) fn text(body: Option<&pb::Body>) -> String {
    use pb::body::State;
    match body.and_then(|body| body.state.as_ref()) {
        Some(State::Content(content)) => {
            let files = content.attachments.iter().map(|file| {
                format!(" [{}: {}]", file.kind, file.url.as_deref().or(file.name.as_deref()).unwrap_or("?"))
            });
            let buttons = content.quick_replies.iter().map(|reply| format!(" ({reply})"));
            content.text.replace('\n', " / ") + &files.chain(buttons).collect::<String>()
        }
        Some(State::Withheld(())) => "(withheld)".into(),
        Some(State::Erased(())) => "(erased)".into(),
        Some(State::Unreadable(())) => "(unreadable)".into(),
        None => String::new(),
    }
}

/// `14:03:07`, in UTC.
macro_rules! clock {
    ($at:expr) => {
        $at.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok())
            .map_or_else(|| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
    };
}
pub(crate) use clock;
