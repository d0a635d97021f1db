//! Stories of one lane. Parties and messages are numbered; `Story` decides, folds, and keeps what happened.

mod mail;
mod order;

use bytes::Bytes;

use crate::{
    Aggregate, Channel, Context, ConversationId, MessageId, Millis, Party, Policies, Relay, Route, Sealed,
    Timestamp,
    conversation::{self, Outgoing},
};

use super::{Command, Decider, Deliveries, Event, MailboxMark, Outcome, Stage};

struct Story {
    state: Deliveries,
    now: Timestamp,
}

impl Story {
    fn new() -> Self {
        Story { state: Deliveries::default(), now: Timestamp(1_000_000) }
    }

    /// Decides and folds.
    fn when(&mut self, command: Command) -> Vec<Event> {
        let policies = Policies::default();
        let context = Context { now: self.now, policies: &policies, command: None };
        let events = Decider::decide(&self.state, &context, &command).unwrap();
        for event in &events {
            Decider::evolve(&mut self.state, self.now, event);
        }
        events
    }

    fn deliver(&mut self, party: u8, message: u8) -> Vec<Event> {
        self.when(Command::Deliver {
            conversation: conversation(party),
            message: id(message),
            outgoing: outgoing(party),
        })
    }

    fn report(&mut self, message: u8, attempt: u32, outcome: Outcome) -> Vec<Event> {
        self.when(Command::Report { message: id(message), attempt, outcome })
    }

    /// Lets time pass, firing what is due on the way.
    fn pass(&mut self, span: Millis) -> Vec<Event> {
        let until = self.now + span;
        let mut events = Vec::new();
        while let Some(timer) = Decider::timers(&self.state).first().filter(|timer| timer.due <= until) {
            self.now = self.now.max(timer.due);
            Decider::timers_mut(&mut self.state).take(&timer);
            events.extend(self.when(Decider::fired(timer.id)));
        }
        self.now = until;
        events
    }

    /// The time until the one message that waits is tried again.
    fn wait(&self) -> Millis {
        Decider::timers(&self.state).first().unwrap().due - self.now
    }

    fn stage(&self, message: u8) -> Option<Stage> {
        self.state.get(id(message)).map(|delivery| delivery.stage)
    }

    fn under_way(&self) -> Vec<MessageId> {
        self.state.under_way().map(|(message, _)| message).collect()
    }
}

/// The last bytes are zero: such a message waits without any spread.
fn id(message: u8) -> MessageId {
    let mut bytes = [0; 16];
    bytes[0] = message;
    MessageId(bytes)
}

fn conversation(party: u8) -> ConversationId {
    ConversationId { party: Party([party; 16]), number: 1 }
}

fn outgoing(party: u8) -> Outgoing {
    let sealed = || Sealed { subject: Party([party; 16]), bytes: Bytes::from_static(b"sealed") };
    Outgoing {
        tenant: "acme".parse().unwrap(),
        inbox: "sms".parse().unwrap(),
        channel: Channel::Sms,
        to: sealed(),
        body: sealed(),
        thread: None,
        by_person: false,
        signed: None,
        window: None,
    }
}

fn sent() -> Outcome {
    Outcome::Sent { provider_id: "p".into() }
}

fn retry(after: Option<Millis>) -> Outcome {
    Outcome::Retry { code: "busy".into(), reason: "try later".into(), after }
}

fn refused() -> Outcome {
    Outcome::Refused { code: "blocked".into(), reason: "no such number".into(), dead: false }
}

fn unknown(resend: bool) -> Outcome {
    Outcome::Unknown { reason: "connection lost".into(), resend }
}

fn queued(party: u8, message: u8) -> Event {
    Event::Queued { conversation: conversation(party), message: id(message), outgoing: outgoing(party) }
}

fn started(message: u8, attempt: u32) -> Event {
    Event::SendStarted { message: id(message), attempt }
}

fn was_sent(party: u8, message: u8, attempt: u32) -> Event {
    Event::Sent { conversation: conversation(party), message: id(message), attempt, provider_id: "p".into() }
}

fn nothing() -> Vec<Event> {
    Vec::new()
}

#[test]
fn a_message_is_sent_and_forgotten() {
    let mut story = Story::new();
    assert_eq!(story.deliver(1, 1), [queued(1, 1), started(1, 1)]);
    assert_eq!(story.deliver(1, 1), nothing(), "the same message is delivered once");
    assert_eq!(*story.state.get(id(1)).unwrap().outgoing, outgoing(1));
    assert_eq!(story.under_way(), [id(1)]);

    assert_eq!(story.report(1, 1, sent()), [was_sent(1, 1, 1)]);
    assert_eq!(story.state, Deliveries::default());
    assert_eq!(story.report(1, 1, sent()), nothing());
}

/// That an address is dead is for its own conversations, and says nothing of the one that the message is from.
#[test]
fn another_address_of_the_contact_is_dead_by_itself() {
    let mut story = Story::new();
    let dead = || Outcome::Refused { code: "550".into(), reason: "nobody".into(), dead: true };
    let failed = |message, code: &str, dead| Event::Failed {
        conversation: conversation(1),
        message: id(message),
        attempt: 1,
        code: code.into(),
        reason: "nobody".into(),
        dead,
    };
    story.deliver(1, 1);
    assert_eq!(story.report(1, 1, dead()), [failed(1, "550", true)]);
    let to_another = Command::Deliver {
        conversation: conversation(1),
        message: id(2),
        outgoing: Outgoing { to: outgoing(9).to, ..outgoing(1) },
    };
    story.when(to_another);
    let (tenant, party) = (outgoing(1).tenant, Party([9; 16]));
    let told = Event::AddressDead { tenant: tenant.clone(), party };
    assert_eq!(story.report(2, 1, dead()), [failed(2, "elsewhere: 550", false), told.clone()]);
    let cause = conversation::Suppression::DeadAddress;
    let suppress = conversation::Command::Suppress { tenant, party, cause };
    assert_eq!(Decider::relay(&told), Some((Route::Party(party), Relay::Conversation(suppress))));
}

#[test]
fn one_message_of_a_party_at_a_time_and_parties_apart() {
    let mut story = Story::new();
    story.deliver(1, 1);
    assert_eq!(story.deliver(1, 2), [queued(1, 2)]);
    assert_eq!(story.deliver(1, 3), [queued(1, 3)]);
    assert_eq!(story.deliver(2, 4), [queued(2, 4), started(4, 1)]);
    assert_eq!(story.under_way(), [id(1), id(4)]);
    assert_eq!(story.report(2, 1, sent()), nothing(), "it was not started");

    assert_eq!(story.report(1, 1, sent()), [was_sent(1, 1, 1), started(2, 1)]);
    let failed = Event::Failed {
        conversation: conversation(1),
        message: id(2),
        attempt: 1,
        code: "blocked".into(),
        reason: "no such number".into(),
        dead: false,
    };
    assert_eq!(story.report(2, 1, refused()), [failed, started(3, 1)]);
    let nobody_knows = Event::OutcomeUnknown {
        conversation: conversation(1),
        message: id(3),
        attempt: 1,
        reason: "connection lost".into(),
    };
    assert_eq!(story.report(3, 1, unknown(false)), [nobody_knows]);
    assert_eq!(story.under_way(), [id(4)]);
}

#[test]
fn a_retry_holds_its_party_up_and_no_other() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.deliver(1, 2);
    let due = story.now + Millis::seconds(1);
    let scheduled = Event::RetryScheduled {
        message: id(1),
        attempt: 1,
        due,
        code: "busy".into(),
        reason: "try later".into(),
        not_made: false,
    };
    assert_eq!(story.report(1, 1, retry(None)), [scheduled]);
    assert_eq!(story.stage(1), Some(Stage::Waiting { due }));
    assert_eq!(story.under_way(), []);
    assert_eq!(story.deliver(2, 3), [queued(2, 3), started(3, 1)]);

    assert_eq!(story.pass(Millis(999)), nothing());
    assert_eq!(story.pass(Millis(1)), [started(1, 2)]);
    assert_eq!(story.report(1, 1, sent()), nothing(), "the first attempt is no longer the one that runs");
    assert_eq!(story.report(1, 2, sent()), [was_sent(1, 1, 2), started(2, 1)]);
}

#[test]
fn waits_double_and_end_with_giving_up() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.deliver(1, 2);
    let mut waits = Vec::new();
    for attempt in 1..10 {
        assert!(matches!(story.report(1, attempt, retry(None))[..], [Event::RetryScheduled { .. }]));
        waits.push(story.wait().0 / 1_000);
        assert_eq!(story.pass(story.wait()), [started(1, attempt + 1)]);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256]);
    let gave_up = Event::Failed {
        conversation: conversation(1),
        message: id(1),
        attempt: 10,
        code: "gave_up".into(),
        reason: "no success in 10 attempts; the last attempt: busy: try later".into(),
        dead: false,
    };
    assert_eq!(story.report(1, 10, retry(None)), [gave_up, started(2, 1)]);
}

#[test]
fn the_spread_of_waits_comes_from_the_message() {
    let message = MessageId([0xff; 16]);
    let mut story = Story::new();
    story.when(Command::Deliver { conversation: conversation(1), message, outgoing: outgoing(1) });
    for attempt in 1..10 {
        story.when(Command::Report { message, attempt, outcome: retry(None) });
        let doubled = 1_000 << (attempt - 1);
        let wait = story.wait().0;
        assert!((doubled * 6 / 5..=doubled * 5 / 4).contains(&wait) || wait == 300_000, "{attempt}: {wait}");
        story.pass(Millis(wait));
    }
}

#[test]
fn the_providers_wish_counts_when_it_is_longer_and_within_reason() {
    for (wish, wait) in [
        (Millis::seconds(0), Millis::seconds(1)),
        (Millis(500), Millis::seconds(1)),
        (Millis::seconds(90), Millis::seconds(90)),
        (Millis(u64::MAX), Millis::hours(24)),
    ] {
        let mut story = Story::new();
        story.deliver(1, 1);
        story.report(1, 1, retry(Some(wish)));
        assert_eq!(story.wait(), wait, "{wish:?}");
    }
}

#[test]
fn an_unknown_outcome_is_tried_again_where_that_is_harmless() {
    let mut story = Story::new();
    story.deliver(1, 1);
    let scheduled = Event::RetryScheduled {
        message: id(1),
        attempt: 1,
        due: story.now + Millis::seconds(1),
        code: "unknown".into(),
        reason: "connection lost".into(),
        not_made: false,
    };
    assert_eq!(story.report(1, 1, unknown(true)), [scheduled]);
    for attempt in 2..10 {
        assert_eq!(story.pass(story.wait()), [started(1, attempt)]);
        story.report(1, attempt, unknown(true));
    }
    story.pass(story.wait());
    let events = story.report(1, 10, unknown(true));
    assert!(
        matches!(events[..], [Event::OutcomeUnknown { attempt: 10, .. }]),
        "it may have arrived: {events:?}"
    );
}

#[test]
fn a_new_leader_asks_what_became_of_each_attempt_and_so_does_the_next() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.deliver(1, 2);
    story.deliver(2, 3);
    story.deliver(3, 4);
    story.report(4, 1, retry(None));
    let lost = |message, attempt| Event::OutcomeLost { message: id(message), attempt };
    for _ in 0..2 {
        assert_eq!(story.when(Command::Recover), [lost(1, 1), lost(3, 1)]);
        assert_eq!(story.stage(1), Some(Stage::Lost));
        assert_eq!(story.under_way(), [id(1), id(3)], "a lost attempt still holds its party up");
    }
    assert_eq!(story.deliver(1, 5), [queued(1, 5)]);

    // The first was sent after all; the other was never made, and is made at once.
    assert_eq!(story.report(1, 1, sent()), [was_sent(1, 1, 1), started(2, 1)]);
    let not_sent =
        Outcome::Retry { code: "not_sent".into(), reason: "never made".into(), after: Some(Millis(0)) };
    let scheduled = Event::RetryScheduled {
        message: id(3),
        attempt: 1,
        due: story.now,
        code: "not_sent".into(),
        reason: "never made".into(),
        not_made: false,
    };
    assert_eq!(story.report(3, 1, not_sent), [scheduled, started(3, 2)]);
    assert_eq!(story.pass(Millis(999)), nothing(), "the retry's timer went with the attempt");
    assert_eq!(story.pass(Millis(1)), [started(4, 2)]);
}

#[test]
fn nothing_under_way_is_nothing_to_recover() {
    let mut story = Story::new();
    assert_eq!(story.when(Command::Recover), nothing());
    story.deliver(1, 1);
    story.report(1, 1, retry(None));
    assert_eq!(story.when(Command::Recover), nothing());
}

#[test]
fn a_deposed_senders_success_ends_the_wait() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.deliver(1, 2);
    story.when(Command::Recover);
    story.report(1, 1, unknown(true));
    for outcome in [retry(None), refused(), unknown(false)] {
        assert_eq!(story.report(1, 1, outcome), nothing(), "that it did not succeed is no news");
    }
    assert_eq!(story.report(1, 2, sent()), nothing(), "there was no second attempt");
    assert_eq!(story.report(1, 1, sent()), [was_sent(1, 1, 1), started(2, 1)]);
    assert_eq!(story.pass(Millis::hours(1)), nothing());
}

#[test]
fn a_lost_attempt_with_an_outcome_that_nobody_knows_is_not_made_again() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.when(Command::Recover);
    assert!(matches!(story.report(1, 1, unknown(false))[..], [Event::OutcomeUnknown { attempt: 1, .. }]));
    assert_eq!(story.state, Deliveries::default());
    assert_eq!(story.report(1, 1, sent()), nothing());
}

#[test]
fn a_mailbox_mark_moves_forward_and_another_count_is_another_mark() {
    let mark = |validity, through| MailboxMark {
        mailbox: "support/INBOX".into(),
        validity,
        through,
        since: Timestamp(5),
        sifted_through: 9,
    };
    let inbox: crate::InboxId = "email".parse().unwrap();
    let mut story = Story::new();
    let mut tell = |mark: MailboxMark| {
        let events = story.when(Command::MarkMailbox { inbox: inbox.clone(), mark: mark.clone() });
        assert!(
            events
                .iter()
                .all(|event| *event == Event::MailboxMarked { inbox: inbox.clone(), mark: mark.clone() })
        );
        (events.len(), story.state.mark(&inbox).unwrap().through)
    };
    assert_eq!(tell(mark(1, 10)), (1, 10));
    assert_eq!(tell(mark(1, 20)), (1, 20));
    assert_eq!(tell(mark(1, 20)), (0, 20));
    assert_eq!(tell(mark(1, 15)), (0, 20), "a deposed leader was slow to say so");
    assert_eq!(tell(mark(2, 3)), (1, 3));
    assert_eq!(tell(MailboxMark { mailbox: "sales/INBOX".into(), ..mark(2, 1) }), (1, 1));
    assert_eq!(story.pass(Millis::hours(1)), nothing());
}
