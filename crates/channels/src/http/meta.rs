//! Meta's webhooks: one app speaks of many Pages, accounts and numbers, and each entry says of which.
//!
//! On an inbox's own path only its own entries count; on the path that all share, each goes to the inbox whose it is. What is
//! nobody's here is counted, and nothing of it is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::request::Parts;
use log::clock;
use serde::Deserialize;

use super::door::HttpInbox;
use super::{Failure, Route};
use crate::messenger::{self, Kind, signature};
use crate::{Channel, Fact, FactKind, Malformed, metrics};

/// How far a platform's clock may be ahead of ours, in milliseconds, before it is counted.
const AHEAD: i64 = 60_000;

/// What one of Meta's inboxes must know to let a webhook in. An empty secret lets nobody in.
#[derive(Clone)]
pub struct MetaInbox {
    pub kind: Kind,
    /// More than one while the app's secret is being replaced.
    pub app_secrets: Arc<[String]>,
    pub verify_token: Arc<str>,
    /// The ids under which entries speak of it: a Page's, an account's, a number's.
    pub ids: Arc<[String]>,
    /// On its own path it takes the entries of any id: in a sandbox.
    pub any: bool,
}

impl MetaInbox {
    fn is_spoken_of(&self, fact: &Fact) -> bool {
        // WhatsApp tells of an account what is of none of its numbers.
        let of_account =
            self.kind == Kind::Whatsapp && matches!(fact.kind, FactKind::Unknown | FactKind::Notice);
        self.any || of_account || self.ids.contains(&fact.inbox)
    }

    pub(super) fn facts(&self, inbox: &str, head: &Parts, body: &[u8]) -> Result<Vec<Fact>, Failure> {
        let given = given(head);
        if !signature::valid(&self.app_secrets, given, body) {
            return Err(Failure::Unsigned(Route::Meta));
        }
        let mut facts = messenger::normalize(self.kind, None, body)?;
        let all = facts.len();
        if let Some(strange) = facts.iter().find(|fact| !self.is_spoken_of(fact)) {
            // It is signed by our app, so rather the setting is wrong than the webhook.
            tracing::warn!(inbox, id = %strange.inbox, expected = ?self.ids, "a webhook of Meta's speaks of another id than the inbox's `address`; what it says is not kept");
        }
        facts.retain(|fact| self.is_spoken_of(fact));
        metrics::nobodys(self.kind.channel().as_str(), all - facts.len());
        facts.iter_mut().for_each(|fact| inbox.clone_into(&mut fact.inbox));
        told(&facts);
        Ok(facts)
    }
}

/// The inboxes that share a path.
#[derive(Default)]
pub struct MetaInboxes {
    by_id: HashMap<(Channel, String), (String, MetaInbox)>,
    /// Each once.
    secrets: Vec<String>,
}

impl FromIterator<(String, HttpInbox)> for MetaInboxes {
    fn from_iter<T: IntoIterator<Item = (String, HttpInbox)>>(inboxes: T) -> Self {
        let mut all = MetaInboxes::default();
        for (name, inbox) in inboxes {
            let HttpInbox::Meta(inbox) = inbox else { continue };
            all.secrets.extend(inbox.app_secrets.iter().cloned());
            for id in inbox.ids.iter() {
                all.by_id.insert((inbox.kind.channel(), id.clone()), (name.clone(), inbox.clone()));
            }
        }
        all.secrets.sort_unstable();
        all.secrets.dedup();
        all
    }
}

#[derive(Deserialize)]
struct Envelope {
    object: Option<String>,
}

impl MetaInboxes {
    /// Any inbox's token will do: whoever knows it may register the path.
    pub(super) fn challenge(&self, query: &str) -> Option<String> {
        let mut inboxes = self.by_id.values();
        inboxes.find_map(|(_, inbox)| messenger::edge::challenge(query, &inbox.verify_token))
    }

    /// Everything of a body that is of an inbox here, and signed as that inbox requires: another app's secret opens none.
    pub(super) fn facts(&self, head: &Parts, body: &[u8]) -> Result<Sorted, Failure> {
        let given = given(head);
        let signed_by: Vec<&String> = self
            .secrets
            .iter()
            .filter(|secret| signature::valid(std::slice::from_ref(*secret), given, body))
            .collect();
        if signed_by.is_empty() {
            return Err(Failure::Unsigned(Route::Meta));
        }
        let envelope = serde_json::from_slice::<Envelope>(body);
        let envelope =
            envelope.map_err(|error| Malformed { what: "Meta webhook", reason: error.to_string() })?;
        let object = envelope.object.unwrap_or_default();
        let Some(kind) = Kind::of_object(&object) else {
            metrics::nobodys("none", 1);
            return Ok(Sorted { channel: None, facts: BTreeMap::new() });
        };
        let channel = kind.channel();
        let mut sorted = Sorted { channel: Some(channel), facts: BTreeMap::new() };
        let mut nobodys = 0;
        for mut fact in messenger::normalize(kind, None, body)? {
            let found = self.by_id.get(&(channel, std::mem::take(&mut fact.inbox)));
            let found =
                found.filter(|(_, inbox)| inbox.app_secrets.iter().any(|secret| signed_by.contains(&secret)));
            let Some((name, _)) = found else {
                nobodys += 1;
                continue;
            };
            fact.inbox.clone_from(name);
            sorted.facts.entry(name.clone()).or_default().push(fact);
        }
        metrics::nobodys(channel.as_str(), nobodys);
        sorted.facts.values().for_each(|facts| told(facts));
        Ok(sorted)
    }
}

/// The facts of one body, by their inboxes.
pub(super) struct Sorted {
    pub(super) channel: Option<Channel>,
    pub(super) facts: BTreeMap<String, Vec<Fact>>,
}

fn given(head: &Parts) -> &[u8] {
    head.headers.get(signature::HEADER).map_or(&[], |value| value.as_bytes())
}

/// Counts them, and warns of what the platform says to the business: nobody may look at a timeline of no customer.
fn told(facts: &[Fact]) {
    let now = clock::now();
    for fact in facts {
        metrics::fact(fact.channel.as_str(), fact.kind.as_str());
        let ahead = |at: Option<i64>| at.is_some_and(|at| at > now.saturating_add(AHEAD));
        if ahead(fact.sent_at) || ahead(fact.watermark) {
            metrics::fact(fact.channel.as_str(), "ahead");
        }
        if fact.kind == FactKind::Notice && fact.address.is_empty() {
            let (action, reason) = (fact.payload.as_deref(), fact.reason.as_deref());
            tracing::warn!(inbox = fact.inbox, action, reason, "the platform gives notice");
        }
    }
}
