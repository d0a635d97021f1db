//! Machines that answer machines: two inboxes of ours whose bots write to each other, or one and whatever answers every
//! mail, over a way on which every sign of an automatic answer is lost. However slow the way is, they fall silent.

use std::sync::Arc;

use proptest::prelude::*;

use super::{story::*, *};
use crate::conversation::{
    Automatic, BotAction, Command, Conversations, Correspondent, Decider, Event, Received, What,
};
use crate::{Aggregate, Channel, Context, Policies, TurnId};

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

/// One inbox, and what its customer got of it without a person.
struct Inbox {
    state: Conversations,
    policies: Policies,
    /// When each automatic message left.
    sent: Vec<i64>,
    messages: u128,
}

/// What the inbox does of itself, beside answering.
#[derive(Clone, Copy, Debug)]
enum Habit {
    Says,
    SaysAndCloses,
    HandsOver,
}

impl Inbox {
    fn new() -> Self {
        let mut policies = Policies::default();
        policies.put(Arc::new(policy(1, Some("greeter"), "support")));
        Inbox { state: Conversations::default(), policies, sent: Vec::new(), messages: 0 }
    }

    /// An automatic answer every so many minutes at most.
    fn answering_every(minutes: &str) -> Self {
        let mut of_mail = policy(1, Some("greeter"), "support");
        let settings = [("automatic_period_minutes".into(), minutes.into())];
        of_mail.inboxes.values_mut().for_each(|inbox| inbox.settings = settings.clone().into());
        let mut inbox = Inbox::new();
        inbox.policies.put(Arc::new(of_mail));
        inbox
    }

    fn hear(&mut self, at: i64, command: Command) -> Vec<Event> {
        let context = Context { now: seconds(at), policies: &self.policies, command: None };
        let events = Decider::decide(&self.state, &context, &command).unwrap();
        for event in &events {
            Decider::evolve(&mut self.state, seconds(at), event);
            if matches!(event.what, What::BotReplied { .. } | What::AwaySaid { .. }) {
                self.sent.push(at);
            }
        }
        events
    }

    fn next(&mut self) -> u128 {
        self.messages += 1;
        self.messages
    }

    /// Whether an answer left.
    fn gets_mail(&mut self, at: i64, habit: Habit) -> bool {
        let n = self.next();
        let from = Correspondent { channel: Channel::Email, ..correspondent(1) };
        let before = self.sent.len();
        let events = self.hear(at, Command::Receive(Box::new(Received { from, ..received(n) })));
        let asked = events.iter().find_map(|event| match event.what {
            What::TurnAsked { turn, .. } => Some(turn),
            _ => None,
        });
        if let Some(turn) = asked {
            self.answers(at, turn, habit);
        }
        self.closed_queue_speaks(at);
        self.sent.len() > before
    }

    fn answers(&mut self, at: i64, turn: TurnId, habit: Habit) {
        let mut actions = vec![say(self.next())];
        match habit {
            Habit::Says => {}
            Habit::SaysAndCloses => actions.push(BotAction::Close),
            Habit::HandsOver => actions.push(BotAction::HandOff { queue: None, special: None }),
        }
        self.hear(at, answer(turn, &actions));
    }

    /// If a queue owns the conversation, it is closed and would say so each time.
    fn closed_queue_speaks(&mut self, at: i64) {
        let Some(latest) = self.state.customer(party(1)).and_then(|customer| customer.latest.clone()) else {
            return;
        };
        let (conversation, owner_epoch) = (conversation(1, latest.number), latest.owner_epoch);
        let (queue, n) = (queue("support"), self.next());
        self.hear(at, Command::TellAway { conversation, owner_epoch, queue, until: None });
        let (message, body) = (message(n), sealed(1, n));
        self.hear(at, Command::AwayText { conversation, owner_epoch, message, body });
    }

    fn never_two_in_a_period(&self) {
        assert!(self.sent.windows(2).all(|two| two[1] - two[0] >= HOUR), "{:?}", self.sent);
    }
}

fn habit() -> impl Strategy<Value = Habit> {
    prop_oneof![Just(Habit::Says), Just(Habit::SaysAndCloses), Just(Habit::HandsOver)]
}

proptest! {
    #[test]
    fn two_inboxes_of_ours_fall_silent(
        ways in prop::collection::vec(1..400 * 24 * HOUR, 1..8), habits in prop::collection::vec(habit(), 2),
    ) {
        let mut inboxes = [Inbox::new(), Inbox::new()];
        let (mut at, mut turns) = (0, 0);
        // Somebody's mail starts it; each answer goes to the other side, by ways that take seconds or months.
        while at < 200 * YEAR && inboxes[turns % 2].gets_mail(at, habits[turns % 2]) {
            at += ways[turns % ways.len()];
            turns += 1;
        }
        prop_assert!(at < 200 * YEAR, "they write to each other still");
        for inbox in &inboxes {
            inbox.never_two_in_a_period();
            // A slow way may be as slow as the pauses for a while, which double.
            prop_assert!(inbox.sent.len() <= 16, "{:?}", inbox.sent);
        }
    }

    #[test]
    fn whatever_answers_every_mail_gets_ever_fewer(echoes in prop::collection::vec(1..2 * HOUR, 1..200), habit in habit()) {
        let mut inbox = Inbox::new();
        let mut at = 0;
        for wait in echoes.iter().cycle().take(5_000) {
            inbox.gets_mail(at, habit);
            at += wait;
        }
        inbox.never_two_in_a_period();
        let most = 2 + (at / HOUR + 1).ilog2() as usize;
        prop_assert!(inbox.sent.len() <= most, "{} in {} hours", inbox.sent.len(), at / HOUR);
    }
}

#[test]
fn a_person_who_answers_lets_the_bot_speak_again() {
    let mut inbox = Inbox::new();
    for at in [0, HOUR, 3 * HOUR] {
        assert!(inbox.gets_mail(at, Habit::Says));
    }
    let automatic = |inbox: &Inbox| inbox.state.customer(party(1)).unwrap().automatic();
    assert_eq!(automatic(&inbox), Some(Automatic { at: seconds(3 * HOUR), in_a_row: 3 }));
    let written = Event { tenant: tenant(), inbox: super::inbox(), what: replied(1, "ann", 99) };
    Decider::evolve(&mut inbox.state, seconds(3 * HOUR), &written);
    assert_eq!(automatic(&inbox), None);
}

/// Each that is held back is a person's from there on, so the next one begins anew.
#[test]
fn how_often_customers_get_automatic_answers_is_the_inboxs() {
    let answered = |mut inbox: Inbox, after: i64| {
        assert!(inbox.gets_mail(0, Habit::SaysAndCloses));
        inbox.gets_mail(after, Habit::SaysAndCloses)
    };
    for (minutes, seconds) in [("5", 300), ("240", 4 * HOUR), ("0", 60), ("no number", HOUR)] {
        assert!(!answered(Inbox::answering_every(minutes), seconds - 1), "{minutes}");
        assert!(answered(Inbox::answering_every(minutes), seconds), "{minutes}");
    }
    assert!(!answered(Inbox::new(), HOUR - 1) && answered(Inbox::new(), HOUR));
}
