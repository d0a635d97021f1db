//! Mails find their conversations, and agents mend what was put together wrongly.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{story::*, *};
use crate::conversation::{
    Answers, CloseReason, Closer, Command, Conversations, Decider, Event, HandOffReason, Marks, Progress,
    Received, Stage, What,
};
use crate::{Aggregate, Code, Context, Policies, Rejection};

/// A mailbox without a bot, its customer, and Ann, who takes whatever waits.
struct Mailbox {
    state: Conversations,
    policies: Policies,
    now: i64,
    offers: u64,
    history: Vec<(Timestamp, Event)>,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A mail of the first customer's, by which others may know it, of a subject.
fn mail(n: u128, topic: u64) -> Received {
    let from = Correspondent { channel: Channel::Email, ..correspondent(1) };
    let marks = Some(Marks { id: Some(n as u64), topic });
    Received { from, marks, ..received(n) }
}

fn answering(received: Received, mails: &[u128]) -> Received {
    let mails = mails.iter().map(|n| *n as u64).collect();
    Received { answers: Answers { mails, ours: Vec::new() }, ..received }
}

fn answering_ours(received: Received, ours: u128) -> Received {
    Received { answers: Answers { mails: Vec::new(), ours: vec![message(ours)] }, ..received }
}

fn unproven(received: Received) -> Received {
    Received { authenticated: false, ..received }
}

impl Mailbox {
    fn new() -> Self {
        let mut policies = Policies::default();
        let mut of_mail = policy(1, None, "support");
        of_mail.inboxes.values_mut().for_each(|inbox| inbox.channel = Channel::Email);
        policies.put(std::sync::Arc::new(of_mail));
        Mailbox { state: Conversations::default(), policies, now: 0, offers: 0, history: Vec::new() }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
    }

    fn ask(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        let context = Context { now: seconds(self.now), policies: &self.policies, command: None };
        let events = Decider::decide(&self.state, &context, &command)?;
        events.iter().for_each(|event| self.happens(event.clone()));
        Ok(events)
    }

    fn happens(&mut self, event: Event) {
        Decider::evolve(&mut self.state, seconds(self.now), &event);
        self.history.push((seconds(self.now), event));
    }

    /// The number of the conversation that a mail comes to.
    fn receive(&mut self, received: Received) -> u32 {
        let events = self.ask(Command::Receive(Box::new(received))).unwrap();
        let number = |event: &Event| match &event.what {
            What::MessageReceived { conversation, .. } => Some(conversation.number),
            _ => None,
        };
        events.iter().find_map(number).expect("a mail comes to a conversation")
    }

    /// Ann takes what waits.
    fn ann_takes(&mut self, number: u32) {
        let (_, found) = self.state.conversation(id(number)).unwrap();
        let owner_epoch = found.owner_epoch;
        self.offers += 1;
        let (offer, command) = (offer(self.offers), command_id(1));
        let assign =
            Command::Assign { conversation: id(number), owner_epoch, offer, agent: agent("ann"), command };
        self.ask(assign).unwrap();
    }

    fn ann_has(&mut self, number: u32) -> OfferId {
        let held = |mailbox: &Mailbox| {
            let (_, found) = mailbox.state.conversation(id(number)).unwrap();
            match found.owner() {
                Some(crate::conversation::Owner::Agent { assignment, .. }) => Some((**assignment).clone()),
                _ => None,
            }
        };
        if held(self).is_none() {
            self.ann_takes(number);
        }
        held(self).unwrap()
    }

    fn ann_closes(&mut self, number: u32) {
        let assignment = self.ann_has(number);
        let assignment = Some(assignment);
        self.ask(Command::Close { conversation: id(number), agent: agent("ann"), assignment }).unwrap();
    }

    fn ann_writes(&mut self, number: u32, n: u128) {
        let (assignment, body) = (self.ann_has(number), sealed(1, n));
        let (conversation, agent, message) = (id(number), agent("ann"), message(n));
        self.ask(Command::Reply { conversation, agent, assignment, message, body, by: None }).unwrap();
        let progress = Progress::Sent { provider_id: n.to_string().into() };
        self.ask(Command::Progress { conversation, message, progress }).unwrap();
    }

    fn split(&mut self, number: u32, n: u128) -> Result<Vec<Event>, Rejection> {
        let assignment = self.ann_has(number);
        let (conversation, agent) = (id(number), agent("ann"));
        self.ask(Command::Split { conversation, agent, assignment, message: message(n) })
    }

    fn join(&mut self, number: u32, other: ConversationId) -> Result<Vec<Event>, Rejection> {
        let assignment = self.ann_has(number);
        let (conversation, agent) = (id(number), agent("ann"));
        self.ask(Command::Join { conversation, agent, assignment, other, same_person: false })
    }

    fn is_open(&self, number: u32) -> bool {
        self.state.conversation(id(number)).is_some_and(|(_, found)| found.owner().is_some())
    }

    fn leaves_and_returns(&mut self) -> bool {
        let of_acme = |what| Event { tenant: tenant(), inbox: inbox(), what };
        let retired = of_acme(What::Retired { party: party(1) });
        let Some((_, returned)) = Decider::tombstone(&self.state, &retired) else { return false };
        self.happens(retired);
        self.happens(returned);
        true
    }
}

fn code(result: Result<Vec<Event>, Rejection>) -> Code {
    result.unwrap_err().code
}

#[test]
fn two_matters_of_one_sender_are_two_conversations() {
    let mut mailbox = Mailbox::new();
    assert_eq!(mailbox.receive(mail(1, 10)), 1);
    assert_eq!(mailbox.receive(mail(2, 20)), 2);
    assert!(mailbox.is_open(1) && mailbox.is_open(2));
    assert_eq!(mailbox.receive(mail(3, 10)), 1, "of the same subject, not long after");
    assert_eq!(mailbox.receive(answering(mail(4, 30), &[2])), 2, "another subject, but an answer");
    mailbox.pass(14 * DAY + 1);
    assert_eq!(mailbox.receive(mail(5, 10)), 3, "the same subject, long after");
    assert_eq!(mailbox.receive(answering(mail(6, 10), &[99, 1])), 1, "who answers may take long");
}

#[test]
fn how_long_a_subject_counts_is_the_inboxs_to_say() {
    let mut mailbox = Mailbox::new();
    let mut policy = policy(2, None, "support");
    let inbox = policy.inboxes.get_mut(&inbox()).unwrap();
    (inbox.channel, inbox.settings) = (Channel::Email, [("same_subject_days".into(), "2".into())].into());
    mailbox.policies.put(std::sync::Arc::new(policy));
    mailbox.receive(mail(1, 10));
    mailbox.pass(2 * DAY);
    assert_eq!(mailbox.receive(mail(2, 10)), 1);
    mailbox.pass(2 * DAY + 1);
    assert_eq!(mailbox.receive(mail(3, 10)), 2);
}

#[test]
fn who_may_be_anyone_joins_only_what_a_mail_names() {
    let mut mailbox = Mailbox::new();
    assert_eq!(mailbox.receive(unproven(mail(1, 10))), 1);
    assert_eq!(mailbox.receive(unproven(mail(2, 10))), 2, "the same subject proves nothing");
    assert_eq!(mailbox.receive(unproven(answering(mail(3, 10), &[1]))), 1);
    mailbox.ann_writes(2, 50);
    let placed = Received { placed: Some(id(2)), ..unproven(mail(4, 10)) };
    assert_eq!(mailbox.receive(placed), 2, "a reference of ours");
    assert_eq!(mailbox.receive(unproven(answering_ours(mail(5, 10), 50))), 2);
}

#[test]
fn an_answer_opens_again_what_was_closed_years_ago_and_a_subject_does_not() {
    let mut mailbox = Mailbox::new();
    mailbox.receive(mail(1, 10));
    mailbox.ann_closes(1);
    mailbox.pass(REOPENS.0 as i64 / 1_000 + 1);
    assert_eq!(mailbox.receive(mail(2, 10)), 2);
    mailbox.ann_closes(2);
    assert!(mailbox.leaves_and_returns());
    mailbox.pass(3 * 365 * DAY);
    assert_eq!(mailbox.receive(answering(mail(3, 10), &[1])), 1);
    assert!(mailbox.is_open(1) && !mailbox.is_open(2));
    let placed = Received { placed: Some(id(2)), ..mail(4, 40) };
    assert_eq!(mailbox.receive(placed), 2);
    let forgotten = Received { placed: Some(id(9)), ..mail(5, 50) };
    assert_eq!(mailbox.receive(forgotten), 3, "nothing is known of that one any more");
}

#[test]
fn mail_that_nobody_vouches_for_goes_on_from_where_it_is_known_again() {
    let mut mailbox = Mailbox::new();
    let home = Received { home: Some(party(7)), placed: Some(id(4)), ..unproven(mail(1, 10)) };
    let on = Received { home: None, ..home.clone() };
    let events = mailbox.ask(Command::Receive(Box::new(home))).unwrap();
    let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
    assert_eq!(whats, [What::Redirected { to: party(1), received: Box::new(on) }]);
}

#[test]
fn other_channels_have_one_conversation_at_a_time() {
    let marked = |n| {
        let marks = Some(Marks { id: Some(n), topic: n });
        Command::Receive(Box::new(Received { marks, ..received(n.into()) }))
    };
    let events = waiting().when(marked(2)).events();
    assert!(matches!(&events[..], [Event { what: What::MessageReceived { conversation, .. }, .. }]
        if conversation.number == 1));
}

#[test]
fn what_is_split_off_is_a_conversation_of_its_own_and_later_mail_follows_it() {
    let mut mailbox = Mailbox::new();
    for n in 1..=3 {
        mailbox.pass(60);
        assert_eq!(mailbox.receive(mail(n, 10)), 1);
        mailbox.ann_writes(1, 100 + n);
    }
    let events = mailbox.split(1, 2).unwrap();
    let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
    let [
        What::Opened { conversation, .. },
        What::Split { into, message: from, .. },
        What::AgentWanted { agent: wanted, by_request, reason, .. },
    ] = &whats[..]
    else {
        panic!("{whats:?}")
    };
    assert_eq!((*conversation, *into, *from), (id(2), id(2), message(2)));
    assert_eq!((wanted, by_request, *reason), (&Some(agent("ann")), &true, HandOffReason::Split));
    assert!(mailbox.is_open(1) && mailbox.is_open(2));
    mailbox.ann_takes(2);
    mailbox.ann_writes(2, 200);
    for (received, number, why) in [
        (answering(mail(10, 70), &[1]), 1, "of what stayed"),
        (answering(mail(11, 71), &[3]), 2, "of what was moved"),
        (answering_ours(mail(12, 72), 101), 1, "of ours that stayed"),
        (answering_ours(mail(13, 73), 103), 2, "of ours that was moved"),
        (
            Received { placed: Some(id(1)), ..answering_ours(mail(14, 74), 102) },
            2,
            "whatever its reference says",
        ),
    ] {
        assert_eq!(mailbox.receive(received), number, "an answer to one {why}");
    }
}

#[test]
fn not_everything_can_be_split_off() {
    let mut mailbox = Mailbox::new();
    mailbox.receive(mail(1, 10));
    mailbox.receive(mail(2, 10));
    assert_eq!(code(mailbox.split(1, 1)), Code::Invalid, "nothing would stay");
    assert_eq!(code(mailbox.split(1, 9)), Code::NotFound, "it is none of the customer's here");
    let by_bob = |mailbox: &mut Mailbox, assignment| {
        let (conversation, message) = (id(1), message(2));
        mailbox.ask(Command::Split { conversation, agent: agent("bob"), assignment, message })
    };
    let held = mailbox.ann_has(1);
    assert_eq!(code(by_bob(&mut mailbox, held)), Code::NotOwner);
    with_ann()
        .when(Command::Split {
            conversation: id(1),
            agent: agent("ann"),
            assignment: offer(1),
            message: message(1),
        })
        .then_rejected(Code::NotFound);
}

#[test]
fn what_is_joined_stands_in_one_conversation_and_later_mail_follows_it() {
    let mut mailbox = Mailbox::new();
    mailbox.receive(mail(1, 10));
    mailbox.pass(60);
    mailbox.receive(mail(2, 20));
    mailbox.ann_writes(2, 102);
    mailbox.receive(mail(3, 30));
    let held = mailbox.ann_has(2);
    let events = mailbox.join(1, id(2)).unwrap();
    let whats: Vec<What> = events.into_iter().map(|event| event.what).collect();
    let (ann, by) = (agent("ann"), Closer::Agent(agent("ann")));
    assert_eq!(
        whats,
        [
            What::Released { conversation: id(2), assignment: held },
            What::Closed { conversation: id(2), by, reason: CloseReason::Joined },
            What::Joined { conversation: id(1), other: id(2), by: ann },
        ]
    );
    assert!(!mailbox.is_open(2));
    assert_eq!(mailbox.receive(answering(mail(4, 40), &[2])), 1);
    assert_eq!(mailbox.receive(Received { placed: Some(id(2)), ..mail(5, 50) }), 1, "a reference of before");
    assert_eq!(mailbox.receive(answering_ours(mail(6, 60), 102)), 1);
    assert_eq!(mailbox.receive(mail(7, 30)), 3, "the third is what it was");
    // What waits can be joined, too, and what was joined goes on with it, whatever is joined next.
    mailbox.join(3, id(1)).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(mailbox.receive(Received { placed: Some(id(2)), ..mail(8, 80) }), 3);
}

#[test]
fn not_everything_can_be_joined() {
    let mut mailbox = Mailbox::new();
    for n in 1..=3 {
        mailbox.receive(mail(n, n as u64));
    }
    assert_eq!(code(mailbox.join(1, id(1))), Code::Invalid, "with itself");
    assert_eq!(code(mailbox.join(1, id(7))), Code::NotFound);
    assert_eq!(code(mailbox.join(1, conversation(2, 1))), Code::Invalid, "of another address");
    mailbox.offers += 1;
    let taken = offer(mailbox.offers);
    let (conversation, command) = (id(2), command_id(1));
    mailbox
        .ask(Command::Assign { conversation, owner_epoch: 1, offer: taken, agent: agent("bob"), command })
        .unwrap();
    assert_eq!(code(mailbox.join(1, id(2))), Code::NotOwner, "Bob has it");
    mailbox.join(1, id(3)).unwrap();
    assert_eq!(code(mailbox.join(1, id(3))), Code::Invalid, "it was joined before");
}

#[test]
fn who_floods_fills_no_memory() {
    let mut mailbox = Mailbox::new();
    for n in 1..=200 {
        mailbox.receive(unproven(mail(n, n as u64)));
    }
    let customer = mailbox.state.customer(party(1)).unwrap();
    assert!(customer.conversations().count() <= 80, "{}", customer.conversations().count());
    assert!(customer.conversations().all(|one| one.owner().is_some()), "nothing open is forgotten");
    let out = Command::OptOut { from: Correspondent { channel: Channel::Email, ..correspondent(1) } };
    mailbox.ask(out).unwrap();
    let customer = mailbox.state.customer(party(1)).unwrap();
    assert!(customer.conversations().all(|one| one.owner().is_none()), "nobody waits any more");
}

#[derive(Clone, Debug)]
enum Act {
    /// A mail of a subject, which answers one that came so many before, or one of ours.
    Mail {
        topic: u64,
        answers: Option<usize>,
        ours: Option<usize>,
        proven: bool,
    },
    Writes(u32),
    Closes(u32),
    Split(u32, usize),
    Join(u32, u32),
    Leaves,
    Passes(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let number = || 1..6_u32;
    prop_oneof![
        6 => (0..3_u64, prop::option::of(0..8_usize), prop::option::weighted(0.3, 0..8_usize), any::<bool>())
            .prop_map(|(topic, answers, ours, proven)| Act::Mail { topic, answers, ours, proven }),
        2 => number().prop_map(Act::Writes),
        2 => number().prop_map(Act::Closes),
        2 => (number(), 0..8_usize).prop_map(|(number, back)| Act::Split(number, back)),
        2 => (number(), number()).prop_map(|(number, other)| Act::Join(number, other)),
        1 => Just(Act::Leaves),
        2 => prop_oneof![Just(60), Just(2 * HOUR), Just(20 * DAY)].prop_map(Act::Passes),
    ]
}

proptest! {
    /// A book of where each message stands, kept from the events alone, says where an answer to it comes.
    #[test]
    fn answers_come_where_what_they_answer_stands(acts in prop::collection::vec(act(), 1..60)) {
        let mut mailbox = Mailbox::new();
        let (mut mails, mut ours): (Vec<u128>, Vec<u128>) = (Vec::new(), Vec::new());
        let mut book: BTreeMap<u128, u32> = BTreeMap::new();
        let mut next = 0_u128;
        for act in acts {
            next += 1;
            mailbox.pass(1);
            let before = mailbox.history.len();
            let exists = |mailbox: &Mailbox, number| mailbox.is_open(number);
            match act {
                Act::Mail { topic, answers, ours: of_ours, proven } => {
                    let nth = |list: &[u128], back: Option<usize>| back.and_then(|back| list.iter().rev().nth(back).copied());
                    let (answered, of_ours) = (nth(&mails, answers), nth(&ours, of_ours));
                    let answers = Answers {
                        mails: answered.into_iter().map(|n| n as u64).collect(),
                        ours: of_ours.into_iter().map(message).collect(),
                    };
                    let received = Received { answers, authenticated: proven, ..mail(next, topic) };
                    let number = mailbox.receive(received);
                    let expected = of_ours.or(answered).map(|n| book[&n]);
                    match expected {
                        Some(expected) => prop_assert_eq!(number, expected),
                        None if !proven => prop_assert!(
                            book.values().all(|other| *other != number),
                            "{number} is joined without a word"
                        ),
                        None => {}
                    }
                    mails.push(next);
                    book.insert(next, number);
                }
                Act::Writes(number) if exists(&mailbox, number) => {
                    mailbox.ann_writes(number, next);
                    ours.push(next);
                    // As many as are remembered.
                    if ours.len() > 12 {
                        ours.remove(0);
                    }
                    book.insert(next, number);
                }
                Act::Closes(number) if exists(&mailbox, number) => mailbox.ann_closes(number),
                Act::Split(number, back) if exists(&mailbox, number) => {
                    if let Some(from) = mails.iter().rev().nth(back).copied() {
                        let split = mailbox.split(number, from);
                        let is_first = book.iter().find(|(n, at)| **at == number && mails.contains(n)).map(|(n, _)| *n) == Some(from);
                        if let Ok(events) = split {
                            prop_assert!(book[&from] == number && !is_first);
                            let into = events[0].conversation().unwrap().number;
                            book.iter_mut().filter(|(n, at)| **n >= from && **at == number).for_each(|(_, at)| *at = into);
                        }
                    }
                }
                Act::Join(number, other) if exists(&mailbox, number) => {
                    if mailbox.join(number, id(other)).is_ok() {
                        book.values_mut().filter(|at| **at == other).for_each(|at| *at = number);
                    }
                }
                Act::Leaves => {
                    mailbox.leaves_and_returns();
                }
                Act::Passes(seconds) => mailbox.pass(seconds),
                Act::Writes(_) | Act::Closes(_) | Act::Split(..) | Act::Join(..) => {}
            }
            // As many as are remembered of each conversation.
            mails.retain(|n| mails_known(&mailbox).contains(n));
            for (_, event) in &mailbox.history[before..] {
                prop_assert_eq!(event.party(), party(1));
            }
            for conversation in mailbox.state.customers().flat_map(|(_, customer)| customer.conversations()) {
                let is_open = matches!(conversation.stage, Stage::Open(_));
                prop_assert_eq!(is_open, conversation.owner().is_some());
            }
        }
        let mut replayed = Conversations::default();
        mailbox.history.iter().for_each(|(at, event)| Decider::evolve(&mut replayed, *at, event));
        prop_assert_eq!(replayed, mailbox.state);
    }
}

fn mails_known(mailbox: &Mailbox) -> Vec<u128> {
    let conversations = mailbox.state.customers().flat_map(|(_, customer)| customer.conversations());
    let mails = conversations.filter_map(|one| one.mails.as_ref()).flat_map(|mails| &mails.received);
    mails.map(|mail| u128::from_be_bytes(mail.message.0)).collect()
}
