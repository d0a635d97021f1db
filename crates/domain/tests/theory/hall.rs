//! A hall of agents in virtual time, run by the desk's own rules: every decision is asked of them and folded by them.
//! Customers are served as soon as an agent is offered them; some give up before. Agents never leave.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use domain::{
    AgentId, Channel, ConversationId, DeskId, Millis, OfferId, Party, Policy, QueueId, Timestamp,
    desk::{Command, Event, Presence, Rehearsal},
    policy::{Agent, Capacity, Queue},
};

#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) priority: i32,
    pub(crate) per_second: f64,
    /// The mean time in seconds after which someone gives up; none where nobody does.
    pub(crate) patience: Option<f64>,
}

/// Someone who came.
pub(crate) struct Caller {
    pub(crate) line: usize,
    /// Seconds until an agent was offered the conversation; none for who gave up before.
    pub(crate) waited: Option<f64>,
}

pub(crate) struct Hall {
    desks: Rehearsal,
    now: Timestamp,
    dice: Dice,
    seconds: f64,
    coming: BinaryHeap<Reverse<(Timestamp, Next)>>,
    lines: Vec<Line>,
    /// Who has come: the line, when, and what became of it once that is known.
    callers: Vec<(usize, Timestamp, Option<Fate>)>,
}

enum Fate {
    Served { waited: f64 },
    GaveUp,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// Someone comes to the line.
    Comes(usize),
    GivesUp(usize),
    Finishes(OfferId),
    /// Agents are there as long as the hall is.
    StaysThere(AgentId),
}

const LEASE: Millis = Millis::seconds(300);

impl Hall {
    /// `agents` says which lines each one serves.
    pub(crate) fn new(lines: &[Line], seconds: f64, agents: &[Vec<usize>], seed: u64) -> Self {
        let mut hall = Hall {
            desks: Rehearsal::default(),
            now: Timestamp(0),
            dice: Dice(seed),
            seconds,
            coming: BinaryHeap::new(),
            lines: lines.to_vec(),
            callers: Vec::new(),
        };
        hall.desks.adopt(hall.now, Arc::new(policy(lines, agents)));
        (0..agents.len()).for_each(|n| hall.is_there(agent(n)));
        (0..lines.len()).for_each(|line| hall.next_comes(line));
        hall
    }

    /// Those who came first, once a beginning of as many as a tenth of them is over, and how long each waited.
    pub(crate) fn serve(mut self, count: usize) -> Vec<Caller> {
        let beginning = count / 10;
        while self.callers.iter().take(beginning + count).filter(|(.., fate)| fate.is_some()).count()
            < beginning + count
        {
            // Looked at now and then: it is a long list.
            for _ in 0..10_000 {
                self.step();
            }
        }
        let counted = self.callers.into_iter().skip(beginning).take(count);
        let caller = |(line, _, fate): (usize, Timestamp, Option<Fate>)| Caller {
            line,
            waited: match fate.expect("everyone counted was served, or gave up") {
                Fate::Served { waited } => Some(waited),
                Fate::GaveUp => None,
            },
        };
        counted.map(caller).collect()
    }

    /// What is next, happens: a timer of the desk, someone who comes, or someone who finishes.
    fn step(&mut self) {
        let next = self.coming.peek().map(|Reverse((at, _))| *at);
        if let Some(due) = self.desks.next_due().filter(|due| next.is_none_or(|next| *due < next)) {
            self.now = due;
            let events = self.desks.fire();
            return self.hear(events);
        }
        let Some(Reverse((at, next))) = self.coming.pop() else { return };
        self.now = at;
        match next {
            Next::Comes(line) => {
                self.next_comes(line);
                self.comes(line);
            }
            Next::GivesUp(caller) => self.gives_up(caller),
            Next::Finishes(assignment) => self.decide(&Command::Release { assignment }),
            Next::StaysThere(agent) => self.is_there(agent),
        }
    }

    fn next_comes(&mut self, line: usize) {
        let at = self.now + self.dice.exponential(1.0 / self.lines[line].per_second);
        self.coming.push(Reverse((at, Next::Comes(line))));
    }

    fn comes(&mut self, line: usize) {
        let number = self.callers.len();
        self.callers.push((line, self.now, None));
        if let Some(patience) = self.lines[line].patience {
            let at = self.now + self.dice.exponential(patience);
            self.coming.push(Reverse((at, Next::GivesUp(number))));
        }
        self.decide(&Command::Enqueue {
            conversation: conversation(number),
            owner_epoch: 1,
            channel: Channel::Generic,
            queue: queue(line),
            since: self.now,
            again: false,
            agent: None,
            agent_until: None,
            by_request: false,
            special: None,
        });
    }

    fn gives_up(&mut self, caller: usize) {
        let (.., fate) = &mut self.callers[caller];
        if fate.is_none() {
            *fate = Some(Fate::GaveUp);
            self.decide(&Command::Withdraw { conversation: conversation(caller), owner_epoch: 1 });
        }
    }

    fn is_there(&mut self, agent: AgentId) {
        let until = self.now + LEASE;
        let renewed = Timestamp(until.0 - 1);
        self.coming.push(Reverse((renewed, Next::StaysThere(agent.clone()))));
        self.decide(&Command::SetPresence { agent, presence: Presence::Available, until });
    }

    fn decide(&mut self, command: &Command) {
        let events = self.desks.tell(self.now, command).expect("every command is in order");
        self.hear(events);
    }

    fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Offered { conversation, .. } => self.is_served(conversation),
                // The conversation is there to be had.
                Event::AcceptedByRule { offer, .. } => {
                    let command = domain::desk::acceptance_by_rule(&offer);
                    self.decide(&Command::Confirm { offer, command });
                }
                Event::Accepted { offer, .. } => {
                    let at = self.now + self.dice.exponential(self.seconds);
                    self.coming.push(Reverse((at, Next::Finishes(offer))));
                }
                _ => {}
            }
        }
    }

    fn is_served(&mut self, conversation: ConversationId) {
        let (_, came, fate) = &mut self.callers[number(conversation)];
        assert!(fate.is_none(), "served twice, or after giving up");
        *fate = Some(Fate::Served { waited: (self.now - *came).0 as f64 / 1_000.0 });
    }
}

fn policy(lines: &[Line], agents: &[Vec<usize>]) -> Policy {
    let line = |line: &Line| Queue {
        priority: line.priority,
        offer_timeout: Millis::seconds(30),
        auto_accept: true,
        ..Queue::default()
    };
    let queues: BTreeMap<_, _> = lines.iter().enumerate().map(|(n, it)| (queue(n), line(it))).collect();
    let works = |lines: &Vec<usize>| Agent {
        queues: lines.iter().map(|line| queue(*line)).collect(),
        capacity: Capacity { total: 1, ..Capacity::default() },
        ..Agent::default()
    };
    Policy {
        tenant: desk().tenant,
        version: 1,
        inboxes: BTreeMap::new(),
        queues,
        agents: agents.iter().enumerate().map(|(n, lines)| (agent(n), works(lines))).collect(),
        bots: BTreeMap::new(),
        hours: BTreeMap::new(),
        links: Default::default(),
    }
}

fn desk() -> DeskId {
    "acme/hall".parse().expect("a desk")
}

fn queue(line: usize) -> QueueId {
    QueueId::new(desk(), &format!("line-{line}")).expect("a queue")
}

fn agent(n: usize) -> AgentId {
    AgentId::new(desk(), &format!("agent-{n}")).expect("an agent")
}

fn conversation(number: usize) -> ConversationId {
    ConversationId { party: Party((number as u128).to_be_bytes()), number: 1 }
}

fn number(conversation: ConversationId) -> usize {
    usize::try_from(u128::from_be_bytes(conversation.party.0)).expect("it was counted")
}

/// A seeded source of chance (splitmix64).
struct Dice(u64);

impl Dice {
    /// A time from the exponential distribution with this mean, in seconds; to the millisecond.
    fn exponential(&mut self, mean: f64) -> Millis {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        Millis((-mean * 1_000.0 * (1.0 - unit).ln()).round() as u64)
    }
}
