//! Samples of every domain value, every variant of every choice among them: a variant or field added to the domain
//! does not compile until it is sampled too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use domain::{
    AgentId, BotId, Cause, CommandId, ContactId, ContentHash, DeskId, Epoch, FactId, HoursId, InboxId,
    Intake, LanguageId, LinkId, MessageId, Millis, Origin, Party, Peer, Policy, QueueId, Recorded, Rejection,
    SkillId, Step, Tags, TenantId, Timer, Timestamp, TokenId, contact, conversation, delivery, desk, policy,
    workspace,
};
use wire::{Codec, Decision};

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
    TokenId: |dice| TokenId(dice.any());
    Epoch: |dice| Epoch(dice.any());
    TenantId: |dice| dice.name().parse().expect("a name");
    InboxId: |dice| dice.name().parse().expect("a name");
    BotId: |dice| dice.name().parse().expect("a name");
    LinkId: |dice| dice.name().parse().expect("a name");
    SkillId: |dice| dice.name().parse().expect("a name");
    LanguageId: |dice| dice.name().parse().expect("a name");
    HoursId: |dice| dice.name().parse().expect("a name");
    policy::Country: |dice| ["DE", "US", "JP"][dice.below(3)].parse().expect("a country");
    DeskId: |dice| DeskId::new(dice.any(), &dice.name()).expect("a name");
    QueueId: |dice| QueueId::new(dice.any(), &dice.name()).expect("a name");
    AgentId: |dice| AgentId::new(dice.any(), &dice.name()).expect("a name");
    Tags: |dice| Tags::from(dice.any::<Vec<u64>>());
    Result<(), Rejection>: |dice| if dice.any() { Ok(()) } else { Err(dice.any()) };
    (Peer, u64): |dice| (dice.any(), dice.any());
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice) -> Self {
        dice.any::<bool>().then(|| dice.any())
    }
}

impl Sample for Arc<AgentId> {
    fn sample(dice: &mut Dice) -> Self {
        Arc::new(dice.any())
    }
}

impl Sample for Arc<policy::Special> {
    fn sample(dice: &mut Dice) -> Self {
        Arc::new(dice.any())
    }
}

impl Sample for Arc<QueueId> {
    fn sample(dice: &mut Dice) -> Self {
        Arc::new(dice.any())
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

// Behind the macros that it is made by.
mod values;

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
