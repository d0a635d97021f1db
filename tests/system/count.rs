//! The independent count: everything that can be seen from outside, and what must hold of it. The numbers are those
//! of the design's invariants.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use wire::api::v1::{
    self as pb,
    event::{self, Kind},
    get_timeline_request::Of,
};

use crate::{
    clients::Api,
    outbox::{self, Attempt, Sent},
};

/// How the sample bot's messages begin.
pub(crate) const GREETING: &str = "Welcome!";
pub(crate) const HAND_OFF: &str = "One moment";

/// What each agent of the sample workspace may hold.
const CAPACITY: usize = 5;

/// All that can be seen of a run.
pub(crate) struct Evidence {
    pub(crate) events: Vec<pb::Event>,
    /// By party.
    pub(crate) timelines: BTreeMap<String, Vec<pb::TimelineEntry>>,
    pub(crate) contacts: Vec<pb::Contact>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) attempts: Vec<Attempt>,
}

type Violations = Vec<String>;

impl Evidence {
    pub(crate) async fn gather(admin: &Api, data: &Path) -> Evidence {
        let events = admin.events_after("").await.expect("the events can be read");
        let parties: BTreeSet<String> =
            events.iter().map(|event| event.party.clone()).filter(|party| !party.is_empty()).collect();
        let mut timelines = BTreeMap::new();
        for party in parties {
            let timeline = admin.timeline(Of::Party(party.clone())).await.expect("a timeline can be read");
            timelines.insert(party, timeline);
        }
        let contacts = admin.all_contacts().await.expect("the contacts can be read");
        Evidence { events, timelines, contacts, sent: outbox::sent(data), attempts: outbox::attempts(data) }
    }

    /// Nothing is on its way any more.
    pub(crate) fn is_settled(&self) -> bool {
        let count = |fits: fn(&Kind) -> bool| {
            self.events.iter().filter(|event| event.kind.as_ref().is_some_and(fits)).count()
        };
        let said = count(|kind| matches!(kind, Kind::BotReplied(_) | Kind::Replied(_)));
        let received = count(|kind| matches!(kind, Kind::MessageReceived(_)));
        let entries = self.timelines.values().flatten().filter(|entry| !entry.message.is_empty()).count();
        let contacts: usize = self.contacts.iter().map(|contact| contact.addresses.len()).sum();
        self.open_turns().is_empty()
            && said == count(|kind| matches!(kind, Kind::DeliveryNoted(_)))
            && entries >= said + received
            && contacts == count(|kind| matches!(kind, Kind::CustomerSeen(_)))
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
        let mut violations = Violations::new();
        self.owners(&mut violations);
        self.offers(&mut violations);
        self.effects(&mut violations);
        self.greetings(&mut violations);
        self.projections(&mut violations);
        violations
    }

    /// 1 and 2: what providers were told is taken stands in the timelines, each message once.
    pub(crate) fn received(&self, taken: &BTreeSet<String>) -> Violations {
        let texts = self.texts("message_received");
        let lost = taken.iter().filter(|text| !texts.contains_key(text.as_str()));
        let lost = lost.map(|text| format!("1: {text:?} was taken and is in no timeline"));
        let doubled = texts.iter().filter(|(_, times)| **times > 1);
        lost.chain(doubled.map(|(text, times)| format!("2: {text:?} has {times} entries"))).collect()
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

    /// 3 and 15: one owner at every event, each change by the rules; who speaks, owns.
    fn owners(&self, violations: &mut Violations) {
        let mut conversations: BTreeMap<&str, Story> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.id.starts_with("conversation/")) {
            if event.conversation.is_empty() {
                continue;
            }
            let story = conversations.entry(&event.conversation).or_default();
            if let Some(kind) = &event.kind
                && let Err(wrong) = story.goes_on(kind)
            {
                violations.push(format!("3: {} at {}: {wrong}; {:?}", event.conversation, event.id, story.owner));
            }
        }
        let ownerless = conversations.iter().filter(|(_, story)| story.open && story.owner.is_none());
        violations.extend(ownerless.map(|(id, _)| format!("3: {id} is open and nobody's")));
    }

    /// 4 and 5: each offer ends once, and nobody is offered more than fits.
    fn offers(&self, violations: &mut Violations) {
        #[derive(PartialEq, Debug)]
        enum Is {
            Open,
            Held,
            Over,
        }
        let mut offers: BTreeMap<&str, (&str, Is)> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.id.starts_with("desk/")) {
            let (offer, agent, from, to) = match &event.kind {
                Some(Kind::OfferMade(made)) => (&made.offer, &made.agent, None, Is::Open),
                Some(Kind::OfferAccepted(step)) => (&step.offer, &step.agent, Some(Is::Open), Is::Held),
                Some(Kind::OfferDeclined(step) | Kind::OfferExpired(step)) => {
                    (&step.offer, &step.agent, Some(Is::Open), Is::Over)
                }
                Some(Kind::OfferWithdrawn(step)) => (&step.offer, &step.agent, Some(Is::Open), Is::Over),
                Some(Kind::AssignmentEnded(step)) => (&step.offer, &step.agent, Some(Is::Held), Is::Over),
                _ => continue,
            };
            let before = offers.insert(offer, (agent, to)).map(|(_, was)| was);
            if before != from {
                violations.push(format!("5: offer {offer} was {before:?} at {}", event.id));
            }
            let load = offers.values().filter(|(whose, is)| whose == agent && *is != Is::Over).count();
            if load > CAPACITY {
                violations.push(format!("4: {agent} has {load} of {CAPACITY} at {}", event.id));
            }
        }
    }

    /// 11: one attempt a message unless its outcome is recorded as unknown; and what was said, was sent.
    fn effects(&self, violations: &mut Violations) {
        let mut unknown = BTreeSet::new();
        let mut said = BTreeSet::new();
        for event in &self.events {
            match &event.kind {
                Some(Kind::BotReplied(event::BotReplied { message, .. }))
                | Some(Kind::Replied(event::Replied { message, .. })) => {
                    if !said.insert(message.as_str()) {
                        violations.push(format!("11: message {message} is said twice"));
                    }
                }
                Some(Kind::DeliveryNoted(noted)) if noted.status() == pb::DeliveryStatus::Unknown => {
                    unknown.insert(noted.message.as_str());
                }
                _ => {}
            }
        }
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
        let messages = ["message_received", "bot_replied", "replied"];
        for entry in self.timelines.values().flatten().filter(|it| messages.contains(&it.kind.as_str())) {
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
            violations.push(format!("{} customers were seen, {} addresses are owned", seen.len(), owned.len()));
        }
    }
}

/// One conversation, as its events tell it.
#[derive(Default)]
struct Story<'a> {
    open: bool,
    owner: Option<Owner<'a>>,
    epoch: u32,
}

#[derive(PartialEq, Debug)]
enum Owner<'a> {
    Bot,
    Queue,
    Agent(&'a str, &'a str),
}

impl<'a> Story<'a> {
    fn goes_on(&mut self, kind: &'a Kind) -> Result<(), &'static str> {
        let right = |fits: bool, wrong: &'static str| if fits { Ok(()) } else { Err(wrong) };
        match kind {
            Kind::Opened(_) | Kind::Reopened(()) => {
                right(!self.open, "it begins while it goes on")?;
                self.open = true;
            }
            Kind::BotEngaged(engaged) => {
                right(self.open && self.owner.is_none(), "a bot takes what is someone's")?;
                self.owns(Owner::Bot, engaged.owner_epoch)?;
            }
            Kind::AgentWanted(wanted) => {
                let fits = self.open && matches!(self.owner, None | Some(Owner::Bot));
                right(fits, "a queue takes what an agent or a queue holds")?;
                self.owns(Owner::Queue, wanted.owner_epoch)?;
            }
            Kind::Assigned(assigned) => {
                right(self.owner == Some(Owner::Queue), "an agent takes what does not wait")?;
                self.owns(Owner::Agent(&assigned.agent, &assigned.assignment), assigned.owner_epoch)?;
            }
            Kind::Released(released) => {
                let fits = matches!(self.owner, Some(Owner::Agent(_, held)) if held == released.assignment);
                right(fits, "an agent lets go what it does not hold")?;
                self.owner = None;
            }
            Kind::Withdrawn(_) => {
                right(self.owner == Some(Owner::Queue), "a queue lets go what it does not hold")?;
                self.owner = None;
            }
            Kind::Closed(_) => {
                right(self.open, "it ends twice")?;
                right(!matches!(self.owner, Some(Owner::Agent(..))), "it ends in an agent's hands")?;
                (self.open, self.owner) = (false, None);
            }
            Kind::BotReplied(_) => right(self.owner == Some(Owner::Bot), "15: a bot speaks that does not own")?,
            Kind::Replied(replied) => {
                let fits = matches!(self.owner, Some(Owner::Agent(agent, _)) if agent == replied.agent);
                right(fits, "an agent speaks that does not own")?;
            }
            Kind::MessageReceived(_) => {
                right(self.open && self.owner.is_some(), "a message comes to nobody")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn owns(&mut self, owner: Owner<'a>, epoch: u32) -> Result<(), &'static str> {
        let follows = epoch == self.epoch + 1;
        (self.owner, self.epoch) = (Some(owner), epoch);
        if follows { Ok(()) } else { Err("the ownership epoch does not follow") }
    }
}

/// 8 and 10: how what a subscriber handled differs from what there is: a gap, a repetition, something made up, or
/// another order within a conversation.
pub(crate) fn differences(handled: &[pb::Event], all: &[pb::Event]) -> Violations {
    let by_id = |events: &[pb::Event]| -> BTreeMap<String, pb::Event> {
        events.iter().map(|event| (event.id.clone(), bare(event))).collect()
    };
    let (had, is) = (by_id(handled), by_id(all));
    let mut differences = Violations::new();
    if had.len() != handled.len() {
        differences.push(format!("10: {} events came again", handled.len() - had.len()));
    }
    for (id, event) in &is {
        match had.get(id) {
            None => differences.push(format!("10: {id} is missing: {event:?}")),
            Some(other) if other != event => differences.push(format!("8: {id} was {other:?}, is {event:?}")),
            Some(_) => {}
        }
    }
    let made_up = had.iter().filter(|(id, _)| !is.contains_key(*id));
    differences.extend(made_up.map(|(id, event)| format!("8: {id} is in the log no more: {event:?}")));
    let (had, is) = (by_conversation(handled), by_conversation(all));
    for (conversation, order) in &is {
        if had.get(conversation).is_some_and(|other| other != order) {
            differences.push(format!("10: {conversation:?} came in another order"));
        }
    }
    differences
}

/// Without its cursor, which may be written in more than one way.
fn bare(event: &pb::Event) -> pb::Event {
    pb::Event { cursor: String::new(), ..event.clone() }
}

/// The ids of each conversation's events, in order, for each log they stand in.
fn by_conversation(events: &[pb::Event]) -> BTreeMap<(String, &str), Vec<&str>> {
    let mut order: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for event in events {
        let aggregate = event.id.split('/').next().unwrap_or_default().to_owned();
        order.entry((aggregate, event.conversation.as_str())).or_default().push(&event.id);
    }
    // Events of no conversation have no order across partitions.
    order.retain(|(_, conversation), _| !conversation.is_empty());
    order
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
