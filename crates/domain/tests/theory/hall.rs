//! A hall of agents in virtual time, run by the desk's own rules: every decision is asked of them and folded by them.
//! Customers are served as soon as an agent is offered them, and agents never leave.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use domain::{
    AgentId, Aggregate, Channel, CommandId, Context, ConversationId, DeskId, Millis, OfferId, Party,
    Policies, Policy, QueueId, Timestamp,
    desk::{Command, Decider, Desks, Event, Presence, TimerId},
    policy::{Agent, Capacity, Queue},
};

pub(crate) struct Line {
    pub(crate) priority: i32,
    pub(crate) per_second: f64,
}

/// Someone who was served.
pub(crate) struct Caller {
    pub(crate) line: usize,
    /// Seconds until an agent was offered the conversation.
    pub(crate) waited: f64,
}

pub(crate) struct Hall {
    desks: Desks,
    policies: Policies,
    now: Timestamp,
    dice: Dice,
    seconds: f64,
    coming: BinaryHeap<Reverse<(Timestamp, Next)>>,
    lines: Vec<f64>,
    commands: u128,
    /// Who has come: the line, when, and how long they waited once that is known.
    callers: Vec<(usize, Timestamp, Option<f64>)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// Someone comes to the line.
    Comes(usize),
    Finishes(OfferId),
}

const LEASE: Millis = Millis::seconds(300);

impl Hall {
    pub(crate) fn new(lines: &[Line], seconds: f64, agents: u32, seed: u64) -> Self {
        let mut policies = Policies::default();
        policies.put(Arc::new(policy(lines, agents)));
        let mut hall = Hall {
            desks: Desks::default(),
            policies,
            now: Timestamp(0),
            dice: Dice(seed),
            seconds,
            coming: BinaryHeap::new(),
            lines: lines.iter().map(|line| line.per_second).collect(),
            commands: 0,
            callers: Vec::new(),
        };
        (0..agents).for_each(|n| hall.is_there(agent(n)));
        (0..lines.len()).for_each(|line| hall.next_comes(line));
        hall
    }

    /// Those who came first, once a beginning of as many as a tenth of them is over, and how long each waited.
    pub(crate) fn serve(mut self, count: usize) -> Vec<Caller> {
        let beginning = count / 10;
        while self.callers.iter().take(beginning + count).filter(|(.., waited)| waited.is_some()).count()
            < beginning + count
        {
            // Looked at now and then: it is a long list.
            for _ in 0..10_000 {
                self.step();
            }
        }
        let counted = self.callers.into_iter().skip(beginning).take(count);
        let caller = |(line, _, waited): (usize, Timestamp, Option<f64>)| Caller {
            line,
            waited: waited.expect("everyone counted was served"),
        };
        counted.map(caller).collect()
    }

    /// What is next, happens: a timer of the desk, someone who comes, or someone who finishes.
    fn step(&mut self) {
        let next = self.coming.peek().map(|Reverse((at, _))| *at);
        let timer =
            Decider::timers(&self.desks).first().filter(|timer| next.is_none_or(|next| timer.due < next));
        if let Some(timer) = timer {
            self.now = timer.due;
            Decider::timers_mut(&mut self.desks).take(&timer);
            match timer.id {
                // Agents are there as long as the hall is.
                TimerId::Lease(agent) => self.is_there(agent),
                other => self.decide(&Decider::fired(other)),
            }
            return;
        }
        let Some(Reverse((at, next))) = self.coming.pop() else { return };
        self.now = at;
        match next {
            Next::Comes(line) => {
                self.next_comes(line);
                self.comes(line);
            }
            Next::Finishes(assignment) => self.decide(&Command::Release { assignment }),
        }
    }

    fn next_comes(&mut self, line: usize) {
        let at = self.now + self.dice.exponential(1.0 / self.lines[line]);
        self.coming.push(Reverse((at, Next::Comes(line))));
    }

    fn comes(&mut self, line: usize) {
        let number = self.callers.len();
        self.callers.push((line, self.now, None));
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
        });
    }

    fn is_there(&mut self, agent: AgentId) {
        let until = self.now + LEASE;
        self.decide(&Command::SetPresence { agent, presence: Presence::Available, until });
    }

    fn decide(&mut self, command: &Command) {
        self.commands += 1;
        let id = CommandId(self.commands.to_be_bytes());
        let context = Context { now: self.now, policies: &self.policies, command: Some(id) };
        let events = Decider::decide(&self.desks, &context, command).expect("every command is in order");
        for event in &events {
            Decider::evolve(&mut self.desks, self.now, event);
        }
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
        let (_, came, waited) = &mut self.callers[number(conversation)];
        assert!(waited.is_none(), "served twice");
        *waited = Some((self.now - *came).0 as f64 / 1_000.0);
    }
}

fn policy(lines: &[Line], agents: u32) -> Policy {
    let line = |line: &Line| Queue {
        priority: line.priority,
        offer_timeout: Millis::seconds(30),
        auto_accept: true,
        ..Queue::default()
    };
    let queues: BTreeMap<_, _> = lines.iter().enumerate().map(|(n, it)| (queue(n), line(it))).collect();
    let works = Agent {
        queues: queues.keys().cloned().collect(),
        capacity: Capacity { total: 1, ..Capacity::default() },
        ..Agent::default()
    };
    Policy {
        tenant: desk().tenant,
        version: 1,
        inboxes: BTreeMap::new(),
        queues,
        agents: (0..agents).map(|n| (agent(n), works.clone())).collect(),
        bots: BTreeMap::new(),
        hours: BTreeMap::new(),
    }
}

fn desk() -> DeskId {
    "acme/hall".parse().expect("a desk")
}

fn queue(line: usize) -> QueueId {
    QueueId::new(desk(), &format!("line-{line}")).expect("a queue")
}

fn agent(n: u32) -> AgentId {
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
