//! What agents were told, and the log, counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wire::api::v1::{self as pb, desk_message::Assigned};

/// What agents were told.
#[derive(Default)]
pub(super) struct Seen {
    /// By conversation and by where it was decided: under which assignment something was said or done.
    pub(super) acts: BTreeMap<String, BTreeMap<u64, String>>,
    /// To whom each assignment was told.
    pub(super) holders: BTreeMap<String, BTreeSet<(usize, String)>>,
    pub(super) violations: Vec<String>,
    pub(super) assigned: usize,
    pub(super) refused: usize,
    pub(super) dropped: usize,
    /// From having no room to the next offer, once there was some.
    pub(super) freed: Vec<Duration>,
}

impl Seen {
    pub(super) fn is_told(&mut self, agent: usize, held: &Assigned) {
        self.assigned += 1;
        let holder = (agent, held.conversation.clone());
        self.holders.entry(held.assignment.clone()).or_default().insert(holder);
    }

    /// Whoever acts under an assignment owns the conversation there and then: assignments follow one another and never
    /// come back.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations = self.violations.clone();
        for (assignment, holders) in self.holders.iter().filter(|(_, holders)| holders.len() > 1) {
            violations.push(format!("assignment {assignment} was told as {holders:?}"));
        }
        for (conversation, acts) in &self.acts {
            let mut order: Vec<&String> = acts.values().collect();
            order.dedup();
            if order.iter().collect::<BTreeSet<_>>().len() != order.len() {
                violations.push(format!("two agents acted in turn in {conversation}: {acts:?}"));
            }
        }
        violations
    }

    pub(super) fn tell(&self, written: usize) {
        let mut freed = self.freed.clone();
        freed.sort();
        let at = |percent: usize| freed.get((freed.len() * percent / 100).min(freed.len().saturating_sub(1)));
        eprintln!(
            "{written} conversations, {} assigned, {} offers refused, {} streams dropped; freed to next offer: \
             p50 {:?}, p99 {:?} of {}",
            self.assigned,
            self.refused,
            self.dropped,
            at(50).copied().unwrap_or_default(),
            at(99).copied().unwrap_or_default(),
            freed.len()
        );
    }
}

/// The same from the log: each conversation is at most one agent's, from `assigned` to `released`.
pub(super) fn owners(events: &[pb::Event]) -> Vec<String> {
    use pb::event::Kind;
    let mut held: BTreeMap<&str, &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for event in events.iter().filter(|event| event.id.starts_with("conversation/")) {
        match &event.kind {
            Some(Kind::Assigned(assigned)) => {
                if let Some(other) = held.insert(&event.conversation, &assigned.assignment) {
                    violations.push(format!("{} is given away while {other} holds it", event.conversation));
                }
            }
            Some(Kind::Released(released))
                if held.remove(event.conversation.as_str()) != Some(&released.assignment) =>
            {
                violations.push(format!("{} is let go by who does not hold it", event.conversation));
            }
            _ => {}
        }
    }
    violations
}

#[test]
fn whoever_acts_out_of_turn_is_found() {
    let held = |assignment: &str| Assigned {
        assignment: assignment.into(),
        conversation: "one".into(),
        ..Assigned::default()
    };
    let acted = |order: &[&str]| {
        let acts = order.iter().enumerate().map(|(at, assignment)| (at as u64, (*assignment).to_owned()));
        let acts = BTreeMap::from([("one".to_owned(), acts.collect())]);
        Seen { acts, ..Seen::default() }.violations().len()
    };
    assert_eq!([acted(&["a", "a", "b"]), acted(&["a", "b", "a"])], [0, 1]);

    let mut seen = Seen::default();
    seen.is_told(1, &held("a"));
    seen.is_told(1, &held("a"));
    assert!(seen.violations().is_empty(), "told again on another stream");
    seen.is_told(2, &held("a"));
    assert_eq!(seen.violations().len(), 1);

    let event = |kind| pb::Event {
        id: "conversation/0/1".into(),
        conversation: "one".into(),
        kind: Some(kind),
        ..pb::Event::default()
    };
    let assigned = |assignment: &str| {
        event(pb::event::Kind::Assigned(pb::event::Assigned {
            assignment: assignment.into(),
            ..Default::default()
        }))
    };
    let released = |assignment: &str| {
        event(pb::event::Kind::Released(pb::event::Released { assignment: assignment.into() }))
    };
    assert!(owners(&[assigned("a"), released("a"), assigned("b")]).is_empty());
    assert_eq!(owners(&[assigned("a"), assigned("b")]).len(), 1);
    assert_eq!(owners(&[assigned("a"), released("b")]).len(), 1);
}
