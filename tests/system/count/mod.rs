//! The independent count: everything that can be seen from outside, and what must hold of it. The numbers are those
//! of the design's invariants.

mod offers;
mod order;
mod owners;
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use wire::api::v1::{self as pb, event::Kind, get_timeline_request::Of};

use crate::{
    clients::Api,
    outbox::{self, Attempt, Sent},
};

pub(crate) use order::differences;

/// How the sample bot's messages begin.
pub(crate) const GREETING: &str = "Welcome!";
pub(crate) const HAND_OFF: &str = "One moment";

/// All that can be seen of a run.
#[derive(Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) events: Vec<pb::Event>,
    /// By party.
    pub(crate) timelines: BTreeMap<String, Vec<pb::TimelineEntry>>,
    pub(crate) contacts: Vec<pb::Contact>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) attempts: Vec<Attempt>,
}

type Violations = Vec<String>;

const PATIENCE: Duration = Duration::from_secs(40);

impl Evidence {
    pub(crate) async fn gather(admin: &Api, data: &Path) -> Result<Evidence, tonic::Status> {
        let events = admin.events_after("").await?;
        let parties: BTreeSet<String> =
            events.iter().map(|event| event.party.clone()).filter(|party| !party.is_empty()).collect();
        let mut timelines = BTreeMap::new();
        for party in parties {
            let timeline = admin.timeline(Of::Party(party.clone())).await?;
            timelines.insert(party, timeline);
        }
        let contacts = admin.all_contacts().await?;
        let (sent, attempts) = (outbox::sent(data), outbox::attempts(data));
        Ok(Evidence { events, timelines, contacts, sent, attempts })
    }

    /// Gathers until nothing is on its way any more and all that was taken is there, or as it is after a while. What
    /// cannot be read for now is read again.
    pub(crate) async fn settled(admin: &Api, data: &Path, taken: &BTreeSet<String>) -> Evidence {
        let began = Instant::now();
        loop {
            let is_late = began.elapsed() > PATIENCE;
            match Evidence::gather(admin, data).await {
                Ok(evidence) => {
                    let is_settled = evidence.on_the_way().is_none() && evidence.lost(taken).next().is_none();
                    if is_settled || is_late {
                        return evidence;
                    }
                }
                Err(status) => assert!(!is_late, "what there is cannot be read: {status}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What was not answered, sent or shown yet.
    fn on_the_way(&self) -> Option<String> {
        let count = |fits: fn(&Kind) -> bool| {
            self.events.iter().filter(|event| event.kind.as_ref().is_some_and(fits)).count()
        };
        let said = count(|kind| matches!(kind, Kind::BotReplied(_) | Kind::Replied(_)));
        let messages = said + count(|kind| matches!(kind, Kind::MessageReceived(_)));
        let delivered = count(|kind| matches!(kind, Kind::DeliveryNoted(_)));
        let shown = self.messages_shown().count();
        let customers = count(|kind| matches!(kind, Kind::CustomerSeen(_)));
        let owned: usize = self.contacts.iter().map(|contact| contact.addresses.len()).sum();
        let turns = self.open_turns().len();
        let is_settled = turns == 0 && said == delivered && messages == shown && customers == owned;
        (!is_settled).then(|| {
            format!(
                "{turns} turns are open, {delivered} of {said} messages delivered, {shown} of {messages} shown, \
                 {owned} of {customers} customers owned"
            )
        })
    }

    fn messages_shown(&self) -> impl Iterator<Item = &pb::TimelineEntry> {
        let is_message = |kind: &str| matches!(kind, "message_received" | "bot_replied" | "replied");
        self.timelines.values().flatten().filter(move |entry| is_message(&entry.kind))
    }

    fn open_turns(&self) -> BTreeSet<&str> {
        let mut open = BTreeSet::new();
        for event in &self.events {
            match &event.kind {
                Some(Kind::TurnAsked(asked)) => {
                    open.insert(asked.turn.as_str());
                }
                Some(Kind::TurnAnswered(answered)) => {
                    open.remove(answered.turn.as_str());
                }
                // The conversation went to someone else without an answer.
                Some(Kind::AgentWanted(_) | Kind::Closed(_)) => {
                    open.retain(|turn| !turn.starts_with(&format!("{}.", event.conversation)));
                }
                _ => {}
            }
        }
        open
    }

    /// What must hold of every run that has settled.
    pub(crate) fn violations(&self) -> Violations {
        let on_the_way = self.on_the_way().map(|what| format!("not settled: {what}"));
        let mut violations: Violations = on_the_way.into_iter().collect();
        self.owners(&mut violations);
        self.offers(&mut violations);
        self.effects(&mut violations);
        self.greetings(&mut violations);
        self.projections(&mut violations);
        violations
    }

    /// 1 and 2: what providers were told is taken stands in the timelines, each message once.
    pub(crate) fn received(&self, taken: &BTreeSet<String>) -> Violations {
        let lost = self.lost(taken).map(|text| format!("1: {text:?} was taken and is in no timeline"));
        let doubled = self.texts("message_received").into_iter().filter(|(_, times)| *times > 1);
        lost.chain(doubled.map(|(text, times)| format!("2: {text:?} has {times} entries"))).collect()
    }

    fn lost<'a>(&self, taken: &'a BTreeSet<String>) -> impl Iterator<Item = &'a String> {
        let texts = self.texts("message_received");
        taken.iter().filter(move |text| !texts.contains_key(text.as_str()))
    }

    /// What agents were told is accepted was said once, what was rejected was not.
    pub(crate) fn replies(&self, accepted: &BTreeSet<String>, rejected: &BTreeSet<String>) -> Violations {
        let said = self.texts("replied");
        let mut violations = Violations::new();
        for text in accepted {
            let times = said.get(text.as_str()).copied().unwrap_or_default();
            let sent = self.sent.iter().filter(|sent| sent.text == *text).count();
            if (times, sent) != (1, 1) {
                violations.push(format!("reply {text:?}: {times} entries, {sent} messages sent"));
            }
        }
        let unsaid = rejected.iter().filter(|text| said.contains_key(text.as_str()));
        violations.extend(unsaid.map(|text| format!("reply {text:?} was rejected and is said all the same")));
        violations
    }

    /// How often each text stands in all timelines, in entries of this kind.
    fn texts(&self, kind: &str) -> BTreeMap<&str, usize> {
        let mut texts = BTreeMap::new();
        for entry in self.timelines.values().flatten().filter(|entry| entry.kind == kind) {
            *texts.entry(text(&entry.body).unwrap_or("(no text)").trim()).or_default() += 1;
        }
        texts
    }

    /// 11: one attempt a message unless its outcome is recorded as unknown; and what was said, was sent.
    fn effects(&self, violations: &mut Violations) {
        let ours = |event: &&pb::Event| matches!(event.kind, Some(Kind::BotReplied(_) | Kind::Replied(_)));
        let messages: Vec<&str> = self.events.iter().filter(ours).filter_map(message).collect();
        let said: BTreeSet<&str> = messages.iter().copied().collect();
        if said.len() != messages.len() {
            violations.push(format!("11: {} messages were said again", messages.len() - said.len()));
        }
        let noted = self.events.iter().filter_map(|event| match &event.kind {
            Some(Kind::DeliveryNoted(noted)) => Some(noted),
            _ => None,
        });
        let unknown: BTreeSet<&str> = noted
            .filter(|noted| noted.status() == pb::DeliveryStatus::Unknown)
            .map(|noted| noted.message.as_str())
            .collect();
        let mut attempts: BTreeMap<&str, usize> = BTreeMap::new();
        for attempt in &self.attempts {
            *attempts.entry(&attempt.idempotency_key).or_default() += 1;
        }
        for (key, times) in attempts {
            if times > 1 && !unknown.contains(key) {
                violations.push(format!("11: {key} was attempted {times} times"));
            }
            if !said.contains(key) {
                violations.push(format!("11: {key} was sent and nobody said it"));
            }
        }
        let sent: BTreeSet<&str> = self.sent.iter().map(|sent| sent.key.as_str()).collect();
        let unsent = said.iter().filter(|key| !sent.contains(*key) && !unknown.contains(*key));
        violations.extend(unsent.map(|key| format!("11: {key} was said and never sent")));
    }

    /// Each conversation that began with small talk was greeted, once.
    fn greetings(&self, violations: &mut Violations) {
        let mut conversations: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &self.events {
            match &event.kind {
                Some(Kind::Opened(_)) => {
                    conversations.insert(&event.conversation, 0);
                }
                Some(Kind::BotReplied(replied)) => {
                    let greets = text(&replied.body).is_some_and(|text| text.starts_with(GREETING));
                    *conversations.entry(&event.conversation).or_default() += usize::from(greets);
                }
                _ => {}
            }
        }
        let wrong = conversations.iter().filter(|(_, greetings)| **greetings != 1);
        violations.extend(wrong.map(|(id, greetings)| format!("{id} was greeted {greetings} times")));
        let sent = self.sent.iter().filter(|sent| sent.text.starts_with(GREETING)).count();
        if sent != conversations.len() {
            violations.push(format!("{sent} greetings were sent for {} conversations", conversations.len()));
        }
    }

    /// The read models tell what the log tells: each message once, each customer once.
    fn projections(&self, violations: &mut Violations) {
        let in_log: BTreeSet<&str> = self.events.iter().filter_map(message).collect();
        let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.messages_shown() {
            *entries.entry(&entry.message).or_default() += 1;
        }
        for message in &in_log {
            if entries.get(message) != Some(&1) {
                violations.push(format!("2: {message} has {:?} entries", entries.get(message)));
            }
        }
        if entries.len() != in_log.len() {
            violations.push(format!("{} messages in timelines, {} in the log", entries.len(), in_log.len()));
        }
        let seen = |event: &pb::Event| match event.kind {
            Some(Kind::CustomerSeen(_)) => Some(event.party.clone()),
            _ => None,
        };
        let seen: Vec<String> = self.events.iter().filter_map(seen).collect();
        let mut owned: Vec<String> = self
            .contacts
            .iter()
            .flat_map(|contact| contact.addresses.iter().map(|address| address.party.clone()))
            .collect();
        owned.sort();
        let once: BTreeSet<&String> = seen.iter().collect();
        if once.len() != seen.len() || !owned.iter().eq(once.iter().copied()) {
            violations.push(format!(
                "{} customers were seen, {} addresses are owned",
                seen.len(),
                owned.len()
            ));
        }
    }
}

/// The message that an event brings into a timeline.
fn message(event: &pb::Event) -> Option<&str> {
    match event.kind.as_ref()? {
        Kind::MessageReceived(received) => Some(&received.message),
        Kind::BotReplied(replied) => Some(&replied.message),
        Kind::Replied(replied) => Some(&replied.message),
        _ => None,
    }
}

/// The text of a body that can be read.
pub(crate) fn text(body: &Option<pb::Body>) -> Option<&str> {
    match body.as_ref()?.state.as_ref()? {
        pb::body::State::Content(content) => Some(&content.text),
        _ => None,
    }
}

/// An address that can be read.
pub(crate) fn address(address: &Option<pb::Address>) -> Option<&str> {
    match address.as_ref()?.state.as_ref()? {
        pb::address::State::Address(address) => Some(address),
        _ => None,
    }
}
