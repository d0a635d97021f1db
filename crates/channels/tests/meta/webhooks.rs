//! What the fake tells, as whoever subscribed to a Page hears it: late, twice, backwards, and no more once nobody answers.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use channels::{
    Fact, FactKind,
    messenger::{Kind, normalize, signature},
};
use tokio::net::TcpListener;

use crate::fake::{Fake, Manner, Plays, Settings, client};

/// Whoever subscribed: it checks the signature and keeps what it understands.
struct Subscriber {
    url: String,
    heard: Arc<Heard>,
}

struct Heard {
    kind: Kind,
    secret: String,
    answers: AtomicU16,
    facts: Mutex<Vec<Fact>>,
}

impl Subscriber {
    async fn start(kind: Kind, secret: &str) -> Subscriber {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let heard = Arc::new(Heard {
            kind,
            secret: secret.to_owned(),
            answers: AtomicU16::new(200),
            facts: Mutex::default(),
        });
        let router = Router::new().route("/", post(hear)).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Subscriber { url, heard }
    }

    fn answers(&self, status: u16) {
        self.heard.answers.store(status, Ordering::SeqCst);
    }

    /// Each fact once, in any order, by kind and text.
    fn facts(&self) -> Vec<String> {
        let facts = self.heard.facts.lock().unwrap();
        let mut told: Vec<_> = facts
            .iter()
            .map(|fact| {
                let id = fact.external_id.as_deref().unwrap_or_default();
                let of = fact.echo_of.as_deref().unwrap_or_default();
                format!(
                    "{} {} {id} {} {of}",
                    fact.kind.as_str(),
                    fact.address,
                    fact.text.as_deref().unwrap_or_default()
                )
            })
            .collect();
        told.sort();
        told.dedup();
        told
    }
}

async fn hear(State(heard): State<Arc<Heard>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = headers.get(signature::HEADER).map(|value| value.as_bytes()).unwrap_or_default();
    if !signature::valid(std::slice::from_ref(&heard.secret), header, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let status = StatusCode::from_u16(heard.answers.load(Ordering::SeqCst)).unwrap();
    if status.is_success() {
        heard.facts.lock().unwrap().extend(normalize(heard.kind, Some("page"), &body).unwrap());
    }
    status
}

/// A message of ours; anything else in an echo is another application's.
const KEY: &str = "00000000000000000000000000000001";

#[tokio::test]
async fn twice_and_backwards_the_same_is_heard() {
    for (plays, kind) in [
        (Plays::Messenger, Kind::Messenger),
        (Plays::Instagram, Kind::Instagram),
        (Plays::Whatsapp, Kind::Whatsapp),
    ] {
        let mut told = Vec::new();
        for manner in [
            Manner::default(),
            Manner { twice: true, backwards: true, batch: 1 },
            Manner { twice: true, backwards: false, batch: 2 },
        ] {
            let settings = Settings::of(plays);
            let fake = Fake::start(settings.clone()).await;
            fake.writes("ada", "Hello");
            fake.comes_by_ad("bob", "I saw that", "4711");
            let sent = crate::sending::sender(&fake, &settings, Default::default());
            crate::sending::is_sent(
                &channels::Sender::send(&sent, &crate::sending::text(KEY, "ada", "Hi")).await,
            );
            fake.reads("ada");
            let subscriber = Subscriber::start(kind, &settings.app_secret).await;
            let statuses = fake.deliver(&subscriber.url, manner).await;
            assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 200), "{statuses:?}");
            assert_eq!(fake.waiting(), 0);
            let facts = subscriber.facts();
            let count = |kind: FactKind| facts.iter().filter(|fact| fact.starts_with(kind.as_str())).count();
            let told_of = [FactKind::Message, FactKind::Echo, FactKind::Delivery, FactKind::Read].map(count);
            assert_eq!(told_of, [2, 1, 1, 1], "{facts:#?}");
            assert!(facts.iter().any(|fact| fact.starts_with("echo") && fact.ends_with(KEY)), "{facts:#?}");
            told.push(facts);
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_told_no_more_until_subscribed_again() {
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    let subscriber = Subscriber::start(Kind::Messenger, &settings.app_secret).await;
    subscriber.answers(503);
    fake.writes("ada", "Hello");
    for _ in 0..5 {
        assert_eq!(fake.deliver(&subscriber.url, Manner::default()).await, [503]);
    }
    assert!(!fake.is_subscribed());
    subscriber.answers(200);
    assert!(fake.deliver(&subscriber.url, Manner::default()).await.is_empty());
    // Somebody acts.
    let client = client();
    let proof = fake.proof();
    let url =
        format!("{}/v23.0/me/subscribed_apps?appsecret_proof={proof}&subscribed_fields=messages", fake.url);
    let answer = client.post(url).bearer_auth(&settings.token).send().await.unwrap();
    assert!(answer.status().is_success());
    assert_eq!(fake.deliver(&subscriber.url, Manner::default()).await, [200]);
    assert_eq!(subscriber.facts(), ["message ada m_in_1 Hello "]);
}
