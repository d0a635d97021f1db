//! Samples of every domain value, every variant of every choice among them: a variant or field added to the domain
//! does not compile until it is sampled too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use domain::{
    AgentId, Answer, Attachment, BotId, Cause, Channel, Code, CommandId, ContactId, Content, ContentHash,
    ConversationId, DeskId, Epoch, FactId, HoursId, InboxId, Intake, Kind, MailThread, MessageId, Millis,
    OfferId, Origin, Party, Peer, Policy, QueueId, Recorded, Rejection, Sealed, SetAside, Step, TenantId,
    Timer, Timestamp, TurnId, contact, conversation, delivery, desk, policy, workspace,
};
use wire::{Announce, Codec, Decision, Point};

/// A seeded source of numbers (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("below n")
    }

    pub(crate) fn any<T: Sample>(&mut self) -> T {
        T::sample(self)
    }

    fn name(&mut self) -> String {
        const LETTERS: &[u8] = b"abcXYZ019-_.";
        (0..1 + self.below(12)).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect()
    }
}

pub(crate) trait Sample: Sized {
    fn sample(dice: &mut Dice) -> Self;
}

/// A choice: one sample of each of its variants.
pub(crate) trait Every: Sized {
    fn every(dice: &mut Dice) -> Vec<Self>;
}

/// An aggregate's own types.
pub(crate) trait Sampled: Codec + Clone + PartialEq + std::fmt::Debug {
    fn commands(dice: &mut Dice) -> Vec<Self::Command>;
    fn events(dice: &mut Dice) -> Vec<Self::Event>;
    fn timer_ids(dice: &mut Dice) -> Vec<Self::TimerId>;
}

macro_rules! sample {
    ($($type:ty: |$dice:ident| $value:expr;)*) => {$(
        impl Sample for $type {
            fn sample($dice: &mut Dice) -> Self {
                $value
            }
        }
    )*};
}

macro_rules! structs {
    ($($type:path { $($field:ident),* $(,)? })*) => {$(
        const _: () = {
            use $type as Type;

            impl Sample for Type {
                fn sample(dice: &mut Dice) -> Self {
                    Type { $($field: dice.any()),* }
                }
            }
        };
    )*};
}

macro_rules! choices {
    ($($type:path { $($variant:ident $({ $($field:ident),* })? $(($value:ident))?),* $(,)? })*) => {$(
        const _: () = {
            use $type as Type;

            impl Every for Type {
                #[allow(unused_variables, reason = "some choices carry nothing")]
                fn every(dice: &mut Dice) -> Vec<Self> {
                    // Exhaustive, so that no variant is forgotten.
                    let _: fn(&Type) = |value| match value { $(Type::$variant { .. } => {})* };
                    vec![$(Type::$variant $({ $($field: dice.any()),* })? $(({ let $value = dice.any(); $value }))?),*]
                }
            }

            impl Sample for Type {
                fn sample(dice: &mut Dice) -> Self {
                    let mut every = Type::every(dice);
                    every.swap_remove(dice.below(every.len()))
                }
            }
        };
    )*};
}

sample! {
    bool: |dice| dice.roll() & 1 == 1;
    u8: |dice| dice.roll().to_le_bytes()[0];
    u16: |dice| u16::from(dice.any::<u8>()) * 257;
    u32: |dice| u32::try_from(dice.roll() >> 32 >> dice.below(32)).expect("32 bits");
    u64: |dice| dice.roll() >> dice.below(64);
    i32: |dice| i32::from_le_bytes(dice.any::<u32>().to_le_bytes());
    Timestamp: |dice| Timestamp(i64::from_le_bytes(dice.roll().to_le_bytes()) >> dice.below(64));
    Millis: |dice| Millis(dice.any());
    String: |dice| (0..dice.below(20)).map(|_| ['a', 'ß', '—', '🙂', '\0', '\n'][dice.below(6)]).collect();
    Arc<str>: |dice| dice.any::<String>().into();
    Bytes: |dice| (0..dice.below(200)).map(|_| dice.any::<u8>()).collect::<Vec<u8>>().into();
    [u8; 16]: |dice| u128::from_le_bytes(std::array::from_fn(|_| dice.any())).to_be_bytes();
    Party: |dice| Party(dice.any());
    FactId: |dice| FactId(dice.any());
    CommandId: |dice| CommandId(dice.any());
    ContentHash: |dice| ContentHash(dice.any());
    MessageId: |dice| MessageId(dice.any());
    ContactId: |dice| ContactId(dice.any());
    Epoch: |dice| Epoch(dice.any());
    TenantId: |dice| dice.name().parse().expect("a name");
    InboxId: |dice| dice.name().parse().expect("a name");
    BotId: |dice| dice.name().parse().expect("a name");
    HoursId: |dice| dice.name().parse().expect("a name");
    DeskId: |dice| DeskId::new(dice.any(), &dice.name()).expect("a name");
    QueueId: |dice| QueueId::new(dice.any(), &dice.name()).expect("a name");
    AgentId: |dice| AgentId::new(dice.any(), &dice.name()).expect("a name");
    Result<(), Rejection>: |dice| if dice.any() { Ok(()) } else { Err(dice.any()) };
    (Peer, u64): |dice| (dice.any(), dice.any());
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice) -> Self {
        dice.any::<bool>().then(|| dice.any())
    }
}

impl<T: Sample> Sample for Box<T> {
    fn sample(dice: &mut Dice) -> Self {
        Box::new(dice.any())
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| dice.any()).collect()
    }
}

impl<T: Sample + Ord> Sample for BTreeSet<T> {
    fn sample(dice: &mut Dice) -> Self {
        dice.any::<Vec<T>>().into_iter().collect()
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn sample(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| (dice.any(), dice.any())).collect()
    }
}

impl Sample for Arc<Policy> {
    fn sample(dice: &mut Dice) -> Self {
        Arc::new(dice.any())
    }
}

structs! {
    Peer { kind, partition }
    ConversationId { party, number }
    TurnId { conversation, owner_epoch, number }
    OfferId { desk, number }
    Sealed { subject, bytes }
    Rejection { code, detail }
    Answer { command, content, result }
    SetAside { bytes, reason }
    Content { text, payload, attachments, quick_replies, subject, body, raw }
    Attachment { kind, url, content_type, name }
    MailThread { subject, message_id, references }
    Announce { epoch, follows, leader, version, at }
    Point { position, epoch, seq }
    conversation::Correspondent { tenant, inbox, channel, party, address }
    conversation::Received { from, kind, message, content, sent_at, authenticated, thread, placed }
    conversation::Event { tenant, inbox, what }
    conversation::Outgoing { tenant, inbox, channel, to, body, thread, by_person }
    conversation::ThreadOf { message, thread }
    conversation::Tombstone { channel, address, opted_out, latest, sent, early }
    conversation::ClosedConversation { number, owner_epoch, turns, closed_at, thread }
    conversation::Sent { provider, conversation, message, at, receipt }
    conversation::Early { provider_id, kind, at, reason }
    Policy { tenant, version, inboxes, queues, agents, bots, hours }
    policy::Inbox { channel, address, bot, queue, reopen_within, sandbox, settings }
    policy::Queue { priority, offer_timeout }
    policy::Agent { queues, capacity }
    policy::Capacity { total, per_channel }
    policy::Bot { answer_within, kind }
    policy::Flow { greeting, quick_replies, answers, person_words, hand_off_text, hours, away_text }
    policy::KeywordAnswer { words, text }
    policy::Hours { time_zone, open }
    policy::OpenSpan { weekday, from, to }
}

choices! {
    Kind { Conversation, Desk, Delivery, Contact, Workspace }
    Channel { Messenger, Instagram, Whatsapp, Email, Sms, Generic }
    Code {
        NotFound, NotOwner, Stale, Closed, OptedOut, OfferEnded, NotPresent, Invalid, Conflict, Forbidden, Internal,
    }
    Origin { Fact(id), Command { id, content }, Relay { source, number }, Report }

    conversation::Command {
        Receive(received),
        Note { from, kind, message, content, at },
        Receipt { party, kind, provider_id, watermark, at, reason },
        OptOut { from },
        OptIn { from },
        Unreadable { from, message, content, reason, at },
        BotAnswer { turn, tenant, bot, actions },
        Reply { conversation, agent, assignment, message, body },
        Transfer { conversation, agent, assignment, to, note },
        Close { conversation, agent, assignment },
        Assign { conversation, owner_epoch, offer, agent, command },
        GiveBack { conversation, assignment },
        Progress { conversation, message, progress },
        TimerFired(timer),
    }
    conversation::BotAction { Say { message, body }, HandOff { queue }, Close }
    conversation::Transfer { Queue(queue), Agent(agent) }
    conversation::Progress { Sent { provider_id }, Failed { code, reason }, Unknown }
    conversation::MessageKind { Message, Postback }
    conversation::NoteKind {
        Referral, Optin, Echo, Reaction, Handover, Link, Bounce, AutoReply, Complaint, Unknown,
    }
    conversation::ReceiptKind { Delivered, Read, Failed }
    conversation::TimerId { BotSilent(conversation) }
    conversation::What {
        CustomerSeen { from, at },
        Opened { conversation, policy_version },
        Reopened { conversation },
        MessageReceived { conversation, message, kind, content, thread, sent_at, authenticated },
        Noted { party, kind, message, content, at },
        ReceiptNoted { conversation, kind, message, at, reason },
        ReceiptKept { party, provider_id, kind, at, reason },
        Redirected { to, received },
        UnreadableKept { party, message, content, reason, at },
        OptedOut { party },
        OptedIn { party },
        Retired { party },
        Returned { party, tombstone },
        BotEngaged { conversation, bot, owner_epoch, queue },
        TurnAsked { turn, bot, content, message, answer_by },
        TurnAnswered { turn },
        BotReplied { conversation, message, outgoing },
        AgentWanted { conversation, channel, queue, owner_epoch, reason, since, again, agent },
        Assigned { conversation, agent, assignment, owner_epoch, command },
        AssignmentRefused { conversation, offer, command },
        Released { conversation, assignment },
        Withdrawn { conversation, queue, owner_epoch },
        Transferred { conversation, by, note },
        Replied { conversation, agent, message, outgoing },
        DeliveryNoted { conversation, message, progress },
        Closed { conversation, by, reason },
    }
    conversation::HandOffReason { NoBot, BotHandedOff, BotSilent, Transferred, AgentGone }
    conversation::Closer { Bot(bot), Agent(agent), Customer }
    conversation::CloseReason { Done, OptedOut }

    desk::Command {
        Enqueue { conversation, owner_epoch, channel, queue, since, again, agent },
        Withdraw { conversation, owner_epoch },
        Confirm { offer, command },
        Refuse { offer, command },
        Release { assignment },
        SetPresence { agent, presence, until },
        Accept { agent, offer },
        Decline { agent, offer },
        PolicyChanged { tenant },
        TimerFired(timer),
    }
    desk::Presence { Available, Away, Offline }
    desk::TimerId { Lease(agent), Offer(offer), Rested(conversation), Deferred(desk) }
    desk::Event {
        Enqueued { conversation, owner_epoch, channel, queue, priority, since, again, agent },
        Dequeued { conversation, queue, because },
        PresenceSet { agent, presence, until },
        LeaseLapsed { agent },
        Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at },
        AcceptRequested { offer, conversation, owner_epoch, agent, command },
        Accepted { offer, conversation, agent, command },
        Declined { offer, conversation, agent },
        Expired { offer, conversation, agent },
        Withdrawn { offer, conversation, agent, because, command },
        AssignmentEnded { assignment, agent, conversation },
        GivingBack { assignment, agent, conversation },
        WorkDeferred { desk },
    }
    desk::LeftQueue { Assigned, Withdrawn }
    desk::WithdrawnBecause { ConversationGone, AgentGone, PolicyChanged }

    delivery::Command {
        Deliver { conversation, message, outgoing },
        Report { message, attempt, outcome },
        Recover,
        TimerFired(timer),
    }
    delivery::Outcome {
        Sent { provider_id },
        Retry { code, reason, after },
        Refused { code, reason },
        Unknown { reason, resend },
    }
    delivery::TimerId { Retry(message) }
    delivery::Event {
        Queued { conversation, message, outgoing },
        SendStarted { message, attempt },
        Sent { conversation, message, attempt, provider_id },
        RetryScheduled { message, attempt, due, code, reason },
        Failed { conversation, message, attempt, code, reason },
        OutcomeLost { message, attempt },
        OutcomeUnknown { conversation, message, attempt, reason },
    }

    contact::Command {
        See { from, at },
        Link { tenant, contact, party },
        Tag { tenant, contact, tag },
        Untag { tenant, contact, tag },
    }
    contact::Event {
        Created { contact, from, at },
        Linked { tenant, contact, party, was },
        Tagged { tenant, contact, tag },
        Untagged { tenant, contact, tag },
    }

    workspace::Command { Apply(policy) }
    workspace::Event { PolicyApplied(policy) }
    policy::BotKind { BuiltIn(flow), Stream }
}

/// One sample for each variant within: an event's own, and of what it carries.
impl Every for conversation::Event {
    fn every(dice: &mut Dice) -> Vec<Self> {
        let whats = conversation::What::every(dice);
        whats.into_iter().map(|what| conversation::Event { what, ..dice.any() }).collect()
    }
}

macro_rules! sampled {
    ($($aggregate:ident: |$dice:ident| $timers:expr;)*) => {$(
        impl Sampled for $aggregate::Decider {
            fn commands(dice: &mut Dice) -> Vec<Self::Command> {
                Every::every(dice)
            }

            fn events(dice: &mut Dice) -> Vec<Self::Event> {
                Every::every(dice)
            }

            fn timer_ids($dice: &mut Dice) -> Vec<Self::TimerId> {
                $timers
            }
        }
    )*};
}

sampled! {
    conversation: |dice| Every::every(dice);
    desk: |dice| Every::every(dice);
    delivery: |dice| Every::every(dice);
    contact: |_dice| Vec::new();
    workspace: |_dice| Vec::new();
}

/// Every command from every origin, and a confirmation.
pub(crate) fn intakes<A: Sampled>(dice: &mut Dice) -> Vec<Intake<A::Command>> {
    let mut intakes = vec![Intake::Applied { by: dice.any(), through: dice.any() }];
    for command in A::commands(dice) {
        for origin in Origin::every(dice) {
            let (at, tenant, policy_version) = (dice.any(), dice.any(), dice.any());
            intakes.push(Intake::Input { origin, at, tenant, policy_version, command: command.clone() });
        }
    }
    intakes
}

fn causes<A: Sampled>(dice: &mut Dice) -> Vec<Cause<A>> {
    // Exhaustive, so that no cause is forgotten.
    let _: fn(&Cause<A>) = |cause| match cause {
        Cause::Fact(_)
        | Cause::Command { .. }
        | Cause::Relay { .. }
        | Cause::Report
        | Cause::Applied { .. } => {}
        Cause::Timer(_) | Cause::PolicyInForce(_) | Cause::Recovered | Cause::Memory | Cause::Unreadable => {}
    };
    let mut causes = vec![
        Cause::Fact(dice.any()),
        Cause::Command { id: dice.any(), content: dice.any() },
        Cause::Relay { source: dice.any(), number: dice.any() },
        Cause::Report,
        Cause::Applied { by: dice.any(), through: dice.any() },
        Cause::PolicyInForce(dice.any()),
        Cause::Recovered,
        Cause::Memory,
        Cause::Unreadable,
    ];
    for id in A::timer_ids(dice) {
        causes.push(Cause::Timer(Timer { due: dice.any(), id, generation: dice.any() }));
    }
    causes
}

/// A step of each cause, with nothing else in it, and a step with every event.
pub(crate) fn steps<A: Sampled>(dice: &mut Dice) -> Vec<Step<A>> {
    let mut steps: Vec<Step<A>> = causes(dice)
        .into_iter()
        .map(|cause| Step { cause, events: Vec::new(), answers: dice.any(), set_aside: dice.any() })
        .collect();
    let events = A::events(dice).into_iter().map(|event| Recorded { event, relay: dice.any() }).collect();
    steps.push(Step { cause: Cause::Report, events, answers: Vec::new(), set_aside: None });
    steps
}

pub(crate) fn decision<A: Sampled>(dice: &mut Dice) -> Decision<A> {
    Decision {
        epoch: dice.any(),
        seq: dice.any(),
        intake_through: dice.any(),
        decided_at: dice.any(),
        steps: steps(dice),
    }
}
