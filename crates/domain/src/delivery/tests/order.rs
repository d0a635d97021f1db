//! Whatever happens in whatever order, a lane keeps its promises.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    Deliver {
        party: u8,
        message: u8,
    },
    /// About the message's last attempt, or so many before it.
    Report {
        message: u8,
        ago: u32,
        outcome: Outcome,
    },
    Recover,
    Pass(Millis),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let outcome = prop_oneof![
        3 => Just(sent()),
        3 => prop::option::of((0..400_000u64).prop_map(Millis)).prop_map(retry),
        1 => Just(retry(Some(Millis(0)))),
        1 => Just(refused()),
        2 => any::<bool>().prop_map(unknown),
    ];
    let action = prop_oneof![
        // A message belongs to one party.
        4 => (0..24u8).prop_map(|message| Action::Deliver { party: message % 3, message }),
        8 => (0..24u8, prop_oneof![4 => Just(0), 1 => 1..3u32], outcome)
            .prop_map(|(message, ago, outcome)| Action::Report { message, ago, outcome }),
        1 => Just(Action::Recover),
        2 => (0..600_000u64).prop_map(|span| Action::Pass(Millis(span))),
    ];
    prop::collection::vec(action, 0..200)
}

/// Watches the events and knows nothing of the state: what anyone reading the log may rely on.
#[derive(Default)]
struct Observer {
    /// Each party's messages that have not ended, in the order they were queued.
    lines: BTreeMap<Party, VecDeque<MessageId>>,
    attempts: BTreeMap<MessageId, u32>,
    under_way: BTreeSet<MessageId>,
}

impl Observer {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Queued { conversation, message, .. } => {
                let line = self.lines.entry(conversation.party).or_default();
                assert!(!line.contains(message), "queued twice");
                line.push_back(*message);
                self.attempts.insert(*message, 0);
            }
            Event::SendStarted { message, attempt } => {
                let first_in_line = |line: &VecDeque<MessageId>| line.front() == Some(message);
                assert!(self.lines.values().any(first_in_line), "out of order, or two of a party at a time");
                assert!(self.under_way.insert(*message), "started while it was under way");
                let last = self.attempts.get_mut(message).unwrap();
                assert_eq!(*attempt, *last + 1);
                assert!(*attempt <= 10);
                *last = *attempt;
            }
            Event::OutcomeLost { message, attempt } => {
                assert!(self.under_way.contains(message));
                assert_eq!(self.attempts[message], *attempt);
            }
            Event::RetryScheduled { message, attempt, .. } => {
                assert!(self.under_way.remove(message));
                assert_eq!(self.attempts[message], *attempt);
            }
            Event::Sent { conversation, message, .. }
            | Event::Failed { conversation, message, .. }
            | Event::OutcomeUnknown { conversation, message, .. } => {
                self.under_way.remove(message);
                let line = self.lines.get_mut(&conversation.party).unwrap();
                assert_eq!(line.pop_front(), Some(*message), "ended twice, or out of order");
            }
            Event::AddressDead { .. } => unreachable!("nobody is written to elsewhere here"),
            Event::MailboxMarked { .. } => unreachable!("nobody tells of a mailbox here"),
        }
    }

    /// What is said by the state is what was seen.
    fn agrees_with(&self, state: &Deliveries) {
        let under_way: BTreeSet<_> = state.under_way().map(|(message, _)| message).collect();
        assert_eq!(under_way, self.under_way);
        for message in self.lines.values().flatten() {
            assert_eq!(state.get(*message).unwrap().attempt, self.attempts[message]);
        }
        // A line does not stand still: its first message is under way or has its time.
        for first in self.lines.values().filter_map(|line| line.front()) {
            let delivery = state.get(*first).unwrap();
            assert!(delivery.is_under_way() || matches!(delivery.stage, Stage::Waiting { .. }));
        }
    }
}

impl Story {
    fn act(&mut self, action: Action) -> Vec<Event> {
        match action {
            Action::Deliver { party, message } => self.deliver(party, message),
            Action::Report { message, ago, outcome } => {
                let attempt = self.state.get(id(message)).map_or(1, |delivery| delivery.attempt);
                self.report(message, attempt.saturating_sub(ago), outcome)
            }
            Action::Recover => self.when(Command::Recover),
            Action::Pass(span) => self.pass(span),
        }
    }

    /// Everything still on its way is sent.
    fn finish(&mut self) -> Vec<Event> {
        let mut events = self.pass(Millis::hours(25));
        while let Some((message, attempt)) = {
            let first = self.state.under_way().next();
            first.map(|(message, delivery)| (message, delivery.attempt))
        } {
            events.extend(self.when(Command::Report { message, attempt, outcome: sent() }));
        }
        events
    }
}

proptest! {
    #[test]
    fn a_lane_keeps_its_promises(actions in actions()) {
        let (mut story, mut observer) = (Story::new(), Observer::default());
        for action in actions {
            story.act(action).iter().for_each(|event| observer.see(event));
            observer.agrees_with(&story.state);
        }
        story.finish().iter().for_each(|event| observer.see(event));
        prop_assert!(observer.lines.values().all(VecDeque::is_empty), "every line comes to its end");
        for message in 0..24 {
            prop_assert!(story.state.get(id(message)).is_none(), "what has ended is forgotten");
        }
        prop_assert!(Decider::timers(&story.state).is_empty());
    }

    /// Every stored event applies, even to a state that has not seen what went before it.
    #[test]
    fn evolving_is_total(actions in actions(), kept in prop::collection::vec(any::<bool>(), 1..50)) {
        let mut story = Story::new();
        let events: Vec<Event> = actions.into_iter().flat_map(|action| story.act(action)).collect();
        let mut state = Deliveries::default();
        for (event, _) in events.iter().zip(kept.iter().cycle()).filter(|(_, kept)| **kept) {
            Decider::evolve(&mut state, Timestamp(0), event);
        }
        prop_assert!(state.under_way().all(|(message, _)| state.get(message).is_some()));
    }
}
