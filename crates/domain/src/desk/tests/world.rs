//! The world around a desk partition: the conversations it serves, the clock, and a book kept beside it from its
//! events alone, by which every step is checked.

mod checks;
pub(super) mod hours;

use std::collections::VecDeque;

use super::*;
use crate::{
    ContentHash, Intake, Kind, Origin, Partition, Peer, Step, Taken, Topology,
    conversation::Transfer,
    desk::{Command, Decider, Desks, Presence},
    policy::Special,
};

/// A conversation, as it knows itself.
struct Known {
    owner_epoch: u32,
    channel: Channel,
    /// What it has beyond others, wherever it waits.
    special: Option<Arc<Special>>,
    owner: Owner,
}

#[derive(Clone, PartialEq, Debug)]
enum Owner {
    Nobody,
    Desk(QueueId),
    Agent(OfferId, QueueId),
}

/// Someone asked in to a conversation, as that knows it.
#[derive(Clone, PartialEq, Debug)]
struct AskedIn {
    conversation: ConversationId,
    desk: DeskId,
    agent: Option<AgentId>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Open,
    Accepting,
    Assigned,
    WrapUp,
}

impl Known {
    fn waits(
        &mut self,
        conversation: ConversationId,
        queue: QueueId,
        since: Timestamp,
        again: bool,
        agent: Option<(AgentId, Option<Timestamp>)>,
    ) -> Command {
        self.owner_epoch += 1;
        self.owner = Owner::Desk(queue.clone());
        let (owner_epoch, channel) = (self.owner_epoch, self.channel);
        let (agent, agent_until) = agent.map_or((None, None), |(agent, until)| (Some(agent), until));
        Command::Enqueue {
            conversation,
            owner_epoch,
            channel,
            queue,
            since,
            again,
            agent,
            agent_until,
            by_request: false,
            special: self.special.clone(),
        }
    }
}

/// A reservation, as its events told of it.
#[derive(Clone, Debug)]
struct Entry {
    agent: AgentId,
    channel: Channel,
    stage: Stage,
}

/// What the desk asks of a conversation.
enum Asked {
    Assign { conversation: ConversationId, owner_epoch: u32, offer: OfferId, command: CommandId },
    GiveBack { conversation: ConversationId, assignment: OfferId },
    Overflow { conversation: ConversationId, owner_epoch: u32, to: QueueId, since: Timestamp },
    Consulted { consult: CommandId, agent: Option<AgentId> },
    ConsultGone { consult: CommandId },
}

pub(super) struct World {
    partition: Partition<Decider>,
    steps: Vec<(Timestamp, Step<Decider>)>,
    now: Timestamp,
    policy: Arc<Policy>,
    conversations: BTreeMap<ConversationId, Known>,
    /// On their way, in order.
    to_desk: VecDeque<Command>,
    to_conversations: VecDeque<Asked>,
    relays_taken: u64,
    commands_given: u128,
    answered: BTreeSet<CommandId>,
    book: BTreeMap<u64, Entry>,
    offers_seen: u64,
    generations_fired: BTreeSet<u64>,
    /// Offers that each agent let expire since answering one, or coming.
    expired: BTreeMap<AgentId, u32>,
    /// Away for that, until they say otherwise.
    sent_away: BTreeSet<AgentId>,
    /// Whose operators were told that nobody could ever take them, under the policy in force.
    stranded: BTreeSet<(QueueId, Channel, Option<Arc<Special>>)>,
    /// Those of the policy in force.
    hours: hours::Hours,
    /// Who was asked in, as the conversations know it, and as the desks said.
    asked_in: BTreeMap<CommandId, AskedIn>,
    looking_on: BTreeMap<CommandId, AgentId>,
    asked_in_ever: u128,
}

impl World {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        let topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
        let mut world = World {
            partition: Partition::new(topology),
            steps: Vec::new(),
            now: seconds(0),
            policy: policy.clone(),
            conversations: BTreeMap::new(),
            to_desk: VecDeque::new(),
            to_conversations: VecDeque::new(),
            relays_taken: 0,
            commands_given: 0,
            answered: BTreeSet::new(),
            book: BTreeMap::new(),
            offers_seen: 0,
            generations_fired: BTreeSet::new(),
            expired: BTreeMap::new(),
            sent_away: BTreeSet::new(),
            stranded: BTreeSet::new(),
            hours: hours::Hours::default(),
            asked_in: BTreeMap::new(),
            looking_on: BTreeMap::new(),
            asked_in_ever: 0,
        };
        world.adopt(policy);
        world
    }

    pub(super) fn desks(&self) -> &Desks {
        self.partition.state()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    // What may happen.

    pub(super) fn adopt(&mut self, policy: Arc<Policy>) {
        let step = self.partition.adopt(self.now, policy.clone()).expect("each policy is newer");
        self.hours = hours::Hours::of(&policy);
        self.policy = policy;
        self.stranded.clear();
        self.absorb(step);
    }

    /// A new leader looks at what earlier ones left.
    pub(super) fn recover(&mut self) {
        if let Some(step) = self.partition.recover(self.now) {
            self.absorb(step);
        }
    }

    /// Time passes without anything being noticed.
    pub(super) fn pass(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    pub(super) fn fire_all(&mut self) {
        for round in 0.. {
            let Some(step) = self.partition.fire(self.now) else { return };
            assert!(round < 1_000, "timers fire in a hot loop");
            self.absorb(step);
        }
    }

    /// The conversation comes to wait, or waits for something else than before, unless an agent has it.
    pub(super) fn want_agent(
        &mut self,
        id: ConversationId,
        channel: Channel,
        queue: QueueId,
        agent: Option<(AgentId, Option<Timestamp>)>,
        special: Option<Special>,
    ) {
        let special = special.map(Arc::new);
        let new = Known { owner_epoch: 0, channel, special, owner: Owner::Nobody };
        let known = self.conversations.entry(id).or_insert(new);
        if !matches!(known.owner, Owner::Agent(..)) {
            self.to_desk.push_back(known.waits(id, queue, self.now, false, agent));
        }
    }

    /// The conversation is given to someone, whoever has it; perhaps to who asks for it.
    pub(super) fn reassign(
        &mut self,
        conversation: ConversationId,
        queue: QueueId,
        agent: Option<(AgentId, Option<Timestamp>)>,
        requested: bool,
    ) {
        let Some(known) = self.conversations.get_mut(&conversation) else { return };
        let (leaves, again) = match known.owner.clone() {
            Owner::Nobody => return,
            Owner::Desk(_) => (Command::Withdraw { conversation, owner_epoch: known.owner_epoch }, false),
            Owner::Agent(assignment, _) => (Command::Release { assignment }, true),
        };
        let mut waits = known.waits(conversation, queue, self.now, again, agent);
        if let Command::Enqueue { by_request, .. } = &mut waits {
            *by_request = requested;
        }
        self.to_desk.extend([leaves, waits]);
    }

    /// Its agent puts the conversation away.
    pub(super) fn put_away(&mut self, conversation: ConversationId) {
        if let Some(known) = self.conversations.get_mut(&conversation)
            && let Owner::Agent(assignment, _) = known.owner.clone()
        {
            known.owner = Owner::Nobody;
            self.to_desk.push_back(Command::PutAway { assignment });
        }
    }

    /// The conversation's agent asks someone in.
    pub(super) fn consult(&mut self, conversation: ConversationId, whom: Transfer) {
        let Some(Owner::Agent(assignment, _)) =
            self.conversations.get(&conversation).map(|known| known.owner.clone())
        else {
            return;
        };
        let Some(by) = self.book.get(&assignment.number).map(|entry| entry.agent.clone()) else { return };
        self.asked_in_ever += 1;
        let consult = command_id(u128::MAX / 2 + self.asked_in_ever);
        let asked_in = AskedIn { conversation, desk: whom.desk().clone(), agent: None };
        self.asked_in.insert(consult, asked_in);
        self.to_desk.push_back(Command::Consult { conversation, consult, by, whom });
    }

    /// It has had enough of the first who was asked in.
    pub(super) fn end_consult(&mut self) {
        if let Some((consult, AskedIn { desk, .. })) = self.asked_in.pop_first() {
            self.to_desk.push_back(Command::EndConsult { desk, consult });
        }
    }

    /// The conversation is closed, whoever has it.
    pub(super) fn close(&mut self, conversation: ConversationId) {
        let Some(known) = self.conversations.get_mut(&conversation) else { return };
        let owner_epoch = known.owner_epoch;
        match std::mem::replace(&mut known.owner, Owner::Nobody) {
            Owner::Nobody => {}
            Owner::Desk(_) => self.to_desk.push_back(Command::Withdraw { conversation, owner_epoch }),
            Owner::Agent(assignment, _) => self.to_desk.push_back(Command::Release { assignment }),
        }
    }

    /// The desk gets the next message from the conversations.
    pub(super) fn deliver(&mut self) {
        if let Some(command) = self.to_desk.pop_front() {
            self.relay(command);
        }
    }

    /// The desk gets this message, whether or not it makes sense.
    pub(super) fn relay(&mut self, command: Command) {
        self.relays_taken += 1;
        let source = Peer { kind: Kind::Conversation, partition: 0 };
        self.take(Origin::Relay { source, number: self.relays_taken }, command);
    }

    /// The next conversation answers what the desk asked.
    pub(super) fn answer(&mut self) {
        match self.to_conversations.pop_front() {
            None => {}
            Some(Asked::Assign { conversation, owner_epoch, offer, command }) => {
                let known = self.conversations.get_mut(&conversation).expect("the desk knows it from us");
                self.to_desk.push_back(match known.owner.clone() {
                    Owner::Desk(queue) if known.owner_epoch == owner_epoch => {
                        known.owner_epoch += 1;
                        known.owner = Owner::Agent(offer.clone(), queue);
                        Command::Confirm { offer, command }
                    }
                    _ => Command::Refuse { offer, command },
                });
            }
            Some(Asked::GiveBack { conversation, assignment }) => {
                let known = self.conversations.get_mut(&conversation).expect("the desk knows it from us");
                let Owner::Agent(held, queue) = known.owner.clone() else { return };
                if held == assignment {
                    self.to_desk.push_back(Command::Release { assignment });
                    self.to_desk.push_back(known.waits(conversation, queue, self.now, true, None));
                }
            }
            Some(Asked::Overflow { conversation, owner_epoch, to, since }) => {
                let known = self.conversations.get_mut(&conversation).expect("the desk knows it from us");
                if matches!(known.owner, Owner::Desk(_)) && known.owner_epoch == owner_epoch {
                    self.to_desk.push_back(Command::Withdraw { conversation, owner_epoch });
                    self.to_desk.push_back(known.waits(conversation, to, since, false, None));
                }
            }
            Some(Asked::Consulted { consult, agent: None }) => {
                self.asked_in.remove(&consult);
            }
            Some(Asked::Consulted { consult, agent: Some(agent) }) => {
                // Otherwise the desk was told meanwhile that it is over.
                if let Some(asked_in) = self.asked_in.get_mut(&consult) {
                    assert_eq!(asked_in.agent.replace(agent), None, "someone is asked in once");
                }
            }
            Some(Asked::ConsultGone { consult }) => {
                self.asked_in.remove(&consult);
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.commands_given += 1;
        let id = command_id(self.commands_given);
        self.take(Origin::Command { id, content: ContentHash::default() }, command);
        let pending = self.partition.pending().contains(&id);
        assert!(pending != self.answered.contains(&id), "a command is answered, or waits for its answer");
    }

    /// A lease is renewed without a word from the agent. An agent whom the policy does not know has no client.
    pub(super) fn renew(&mut self, agent: &AgentId, presence: Presence, span: Millis) {
        if !self.policy.agents.contains_key(agent) {
            return;
        }
        let was_sent_away = self.sent_away.contains(agent);
        let (agent, until) = (agent.clone(), self.now + span);
        self.take(Origin::Report, Command::SetPresence { agent: agent.clone(), presence, until });
        let is_away = self.desks().agent(&agent).is_some_and(|agent| agent.presence == Presence::Away);
        assert!(is_away || !was_sent_away, "{agent} was sent away, and is back without a word");
    }

    /// Everyone goes home, every question is answered: what must end has ended.
    pub(super) fn wind_up(mut self) {
        while !self.asked_in.is_empty() {
            self.end_consult();
        }
        for _ in 0..8 {
            self.pass(Millis::seconds(600));
            self.fire_all();
            while !self.to_desk.is_empty() || !self.to_conversations.is_empty() {
                self.answer();
                self.deliver();
            }
        }
        assert_eq!(self.looking_on, BTreeMap::new(), "agents who look on for ever");
        assert!(self.desks().all().all(|(_, desk)| desk.consults().count() == 0));
        assert!(self.book.is_empty(), "reservations that never end: {:?}", self.book);
        assert_eq!(self.partition.pending(), BTreeSet::new(), "commands that are never answered");
        self.only_hours_are_waited_for();
        self.replay_equals_live();
        self.evolve_is_total();
    }

    fn take(&mut self, origin: Origin, command: Command) {
        let intake = Intake::Input { origin, at: self.now, tenant: tenant(), policy_version: 0, command };
        match self.partition.take(self.now, &intake) {
            Taken::Step(step) => self.absorb(step),
            other => panic!("every input is new: {other:?}"),
        }
    }
}
