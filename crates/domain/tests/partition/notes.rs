//! An aggregate that keeps a list of notes, and the leader of a partition of it.

use std::sync::Arc;

use domain::{
    Aggregate, Answer, Code, CommandId, ContentHash, Context, ConversationId, FactId, Intake, Kind,
    MessageId, Millis, Origin, Partition, Party, Peer, Policies, Policy, Rejection, Relay, Route, Settles,
    Step, Taken, TenantId, Timers, Timestamp, Topology,
    conversation::{self, Progress},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Notes {}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pad {
    notes: Vec<u32>,
    timers: Timers<u8>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    Note(u32),
    /// Refused.
    Refuse,
    /// Tells each of these parties something, all in one step.
    Tell(Vec<Party>),
    /// Answered only by `Settle`.
    Ask,
    Settle(CommandId, Result<(), Rejection>),
    Remind {
        timer: u8,
        due: Timestamp,
    },
    /// The timer fired. Timer 0 sets itself again.
    Reminded(u8),
    PolicyChanged,
    Recover,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Event {
    Noted(u32),
    Told(Party),
    Asked(CommandId),
    Settled(CommandId, Result<(), Rejection>),
    Reminding { timer: u8, due: Timestamp },
}

impl Aggregate for Notes {
    const KIND: Kind = Kind::Desk;

    type State = Pad;
    type Command = Command;
    type Event = Event;
    type TimerId = u8;

    fn decide(state: &Pad, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        Ok(match command {
            Command::Note(note) => vec![Event::Noted(*note)],
            Command::Refuse => return Err(refusal()),
            Command::Tell(parties) => parties.iter().map(|party| Event::Told(*party)).collect(),
            Command::Ask => context.command.map(Event::Asked).into_iter().collect(),
            Command::Settle(id, result) => vec![Event::Settled(*id, result.clone())],
            Command::Remind { timer, due } => vec![Event::Reminding { timer: *timer, due: *due }],
            Command::Reminded(0) => {
                vec![Event::Noted(0), Event::Reminding { timer: 0, due: context.now + Millis::seconds(1) }]
            }
            Command::Reminded(timer) => vec![Event::Noted(u32::from(*timer))],
            Command::PolicyChanged => {
                let versions = context.policies.all().map(|policy| policy.version);
                versions.filter_map(|version| Some(Event::Noted(u32::try_from(version).ok()?))).collect()
            }
            Command::Recover => state.notes.iter().map(|note| Event::Noted(*note)).collect(),
        })
    }

    fn evolve(state: &mut Pad, _at: Timestamp, event: &Event) {
        match event {
            Event::Noted(note) => state.notes.push(*note),
            Event::Reminding { timer, due } => state.timers.set(*timer, *due),
            Event::Told(_) | Event::Asked(_) | Event::Settled(..) => {}
        }
    }

    fn timers(state: &Pad) -> &Timers<u8> {
        &state.timers
    }

    fn timers_mut(state: &mut Pad) -> &mut Timers<u8> {
        &mut state.timers
    }

    fn fired(timer: u8) -> Command {
        Command::Reminded(timer)
    }

    fn policy_changed(_tenant: &TenantId) -> Option<Command> {
        Some(Command::PolicyChanged)
    }

    fn recovered() -> Option<Command> {
        Some(Command::Recover)
    }

    fn lasts(_policies: &Policies, event: &Event) -> bool {
        *event == Event::Noted(LASTING)
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        match event {
            Event::Told(party) => Some((Route::Party(*party), word_to(*party))),
            _ => None,
        }
    }

    fn settles(event: &Event) -> Option<Settles> {
        match event {
            Event::Asked(id) => Some(Settles::Pending(*id)),
            Event::Settled(id, result) => Some(Settles::Now(*id, result.clone())),
            _ => None,
        }
    }
}

/// A fact that led to this note is remembered for ever.
pub(crate) const LASTING: u32 = 4_000_000_000;

/// One of many.
pub(crate) fn wide_fact(n: u128) -> FactId {
    FactId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
}

pub(crate) fn refusal() -> Rejection {
    Rejection::new(Code::Invalid, "no")
}

pub(crate) fn word_to(party: Party) -> Relay {
    let conversation = ConversationId { party, number: 1 };
    let message = MessageId::default();
    Relay::Conversation(conversation::Command::Progress {
        conversation,
        message,
        progress: Progress::Unknown,
    })
}

/// A party whose conversations are led by this partition.
pub(crate) fn party_at(partition: u8) -> Party {
    let mut bytes = [0; 16];
    bytes[7] = partition;
    Party(bytes)
}

pub(crate) fn peer(kind: Kind, partition: u32) -> Peer {
    Peer { kind, partition }
}

pub(crate) fn at_conversations(partition: u32) -> Peer {
    peer(Kind::Conversation, partition)
}

/// Takes, fires and folds as a leader does.
pub(crate) struct Story {
    pub(crate) partition: Partition<Notes>,
    pub(crate) now: Timestamp,
}

impl Story {
    pub(crate) fn new() -> Self {
        let topology = Topology { conversation: 4, desk: 1, delivery: 1, contact: 1, workspace: 1 };
        Story { partition: Partition::new(topology), now: Timestamp(1_000_000) }
    }

    pub(crate) fn fold(&mut self, step: &Step<Notes>) {
        self.partition.fold(self.now, step);
    }

    /// Takes the record, and folds the step if there is one.
    pub(crate) fn take(&mut self, intake: &Intake<Command>) -> Taken<Notes> {
        let taken = self.partition.take(self.now, intake);
        if let Taken::Step(step) = &taken {
            self.fold(step);
        }
        taken
    }

    pub(crate) fn step(&mut self, intake: &Intake<Command>) -> Step<Notes> {
        match self.take(intake) {
            Taken::Step(step) => step,
            other => panic!("{intake:?} gave {other:?}"),
        }
    }

    pub(crate) fn ask(&mut self, id: u8, content: u8, command: Command) -> Vec<Answer> {
        let mut asked = asked(id, content, command);
        if let Intake::Input { at, .. } = &mut asked {
            *at = self.now;
        }
        self.step(&asked).answers
    }

    pub(crate) fn fire(&mut self) -> Option<Step<Notes>> {
        let step = self.partition.fire(self.now)?;
        self.fold(&step);
        Some(step)
    }

    pub(crate) fn pass(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    pub(crate) fn notes(&self) -> &[u32] {
        &self.partition.state().notes
    }

    /// The numbers of the relays to this peer that it has not confirmed.
    pub(crate) fn unapplied(&self, of: Peer) -> Vec<u64> {
        let outboxes = self.partition.outboxes().filter(|(peer, _)| *peer == of);
        outboxes.flat_map(|(_, outbox)| outbox.unapplied()).collect()
    }
}

pub(crate) fn input(origin: Origin, command: Command) -> Intake<Command> {
    let tenant = "acme".parse().expect("a tenant's name");
    Intake::Input { origin, at: Timestamp(1), tenant, policy_version: 0, command }
}

pub(crate) fn fact(id: u8, command: Command) -> Intake<Command> {
    input(Origin::Fact(FactId([id; 16])), command)
}

pub(crate) fn command_id(id: u8) -> CommandId {
    CommandId([id; 16])
}

pub(crate) fn asked(id: u8, content: u8, command: Command) -> Intake<Command> {
    input(Origin::Command { id: command_id(id), content: ContentHash([content; 16]) }, command)
}

pub(crate) fn relayed(source: Peer, number: u64, command: Command) -> Intake<Command> {
    input(Origin::Relay { source, number }, command)
}

pub(crate) fn answer(id: u8, content: u8, result: Result<(), Rejection>) -> Answer {
    Answer { command: command_id(id), content: ContentHash([content; 16]), result }
}

pub(crate) fn policy(version: u64) -> Arc<Policy> {
    Arc::new(Policy {
        tenant: "acme".parse().expect("a tenant's name"),
        version,
        inboxes: Default::default(),
        queues: Default::default(),
        agents: Default::default(),
        bots: Default::default(),
        hours: Default::default(),
        links: Default::default(),
    })
}
