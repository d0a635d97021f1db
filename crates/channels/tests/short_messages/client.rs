//! The channel under test, with an intake that remembers.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use channels::{Fact, Intake, Outgoing, Profile, Refused, smpp};
use tokio_util::sync::CancellationToken;

/// Facts that were accepted, unless it cannot take any.
#[derive(Default)]
pub(crate) struct Kept {
    facts: Mutex<Vec<Fact>>,
    pub(crate) refusing: std::sync::atomic::AtomicBool,
    /// Taken before each acceptance.
    pub(crate) gate: tokio::sync::Mutex<()>,
}

#[async_trait]
impl Intake for Kept {
    async fn accept(&self, _: &str, facts: Vec<Fact>, _: Option<Bytes>) -> Result<(), Refused> {
        let _open = self.gate.lock().await;
        if self.refusing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Refused::Unavailable("the test says so".into()));
        }
        self.facts.lock().unwrap().extend(facts);
        Ok(())
    }
}

impl Kept {
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap().clone()
    }

    /// Kind, address and text or reason of each.
    pub(crate) fn told(&self) -> Vec<(String, String, String)> {
        let told = |fact: Fact| {
            let text = fact.text.or(fact.reason).or(fact.external_id).unwrap_or_default();
            (fact.kind.as_str().to_owned(), fact.address, text)
        };
        self.facts().into_iter().map(told).collect()
    }
}

/// Settings of an inbox at this message centre.
pub(crate) fn config(at: SocketAddr, settings: &[(&str, &str)]) -> smpp::Config {
    let mut all = BTreeMap::from([
        ("smpp".to_owned(), at.to_string()),
        ("system_id".to_owned(), "acme".to_owned()),
        ("window".to_owned(), "64".to_owned()),
    ]);
    all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    smpp::Config::read("+15550100", "US".parse().ok(), "secret".to_owned(), &all).unwrap()
}

pub(crate) fn start(config: smpp::Config, kept: &Arc<Kept>) -> smpp::Smpp {
    let intake: Arc<dyn Intake> = kept.clone();
    smpp::Smpp::start("sms", config, Profile::default(), intake, &CancellationToken::new()).unwrap()
}

pub(crate) fn outgoing(key: &str, to: &str, text: &str) -> Outgoing {
    Outgoing {
        key: key.to_owned(),
        to: to.to_owned(),
        text: text.to_owned(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 0,
        by_person: true,
        thread: None,
        chat: channels::Chat::default(),
    }
}

/// Waits for what comes in its own time; a test that hangs here says what it waited for.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), waited).await.is_ok(), "in vain: {what}");
}
