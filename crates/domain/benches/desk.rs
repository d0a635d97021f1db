//! What an assignment decision of one desk costs, and what it remembers: 200 skills, 200 queues, 100,000 waiting, and
//! 100, 1,000 and 10,000 agents in the same 100 classes, so that the curve tells by what the cost grows; then 10,000
//! agents no two of whom can do the same.
//!
//! A decision is what a worker does for an input without reading or writing: the rules, and the fold of what they gave.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    AgentId, Aggregate, Channel, CommandId, Context, ConversationId, DeskId, Millis, OfferId, Party,
    Policies, Policy, QueueId, Timestamp,
    desk::{Command, Decider, Desks, Event, Presence},
    policy::{Ageing, Agent, Capacity, Needs, Queue, Relaxation},
};

const SKILLS: usize = 200;
const WAITING: usize = 100_000;
const ROUNDS: usize = 3;
const CYCLES: usize = 30_000;

fn main() {
    // Figures of a build without optimization mean nothing: a test run only tries whether it runs.
    let trial = cfg!(debug_assertions) || std::env::args().any(|argument| argument == "--test");
    let (waiting, cycles) = if trial { (500, 200) } else { (WAITING, CYCLES) };
    let sizes: &[usize] = if trial { &[100] } else { &[100, 1_000, 10_000] };
    println!(
        "# {SKILLS} skills, {SKILLS} queues, {waiting} waiting; agents in 100 classes, each serving 10 queues"
    );
    let mut last = None;
    for agents in sizes {
        last = Some(measure(*agents, 100, waiting, cycles));
    }
    let Some(figures) = last.filter(|_| !trial) else { return };
    figure("desk.decision.p99", figures.p99, "us", 50.0, figures.p99 <= 50.0);
    figure("desk.decisions.rate", figures.rate, "per_second", 1e5, figures.rate >= 1e5);
    println!("# memory is of the desk's state with its index, timers included, without the policy document");
    figure("desk.memory.agent", figures.per_agent, "bytes", 1_024.0, figures.per_agent <= 1_024.0);
    figure("desk.memory.waiting", figures.per_waiting, "bytes", 300.0, figures.per_waiting <= 300.0);
    println!("# 10,000 agents in 10,000 classes:");
    measure(10_000, 10_000, waiting, cycles);
}

fn figure(name: &str, value: f64, unit: &str, reach: f64, ok: bool) {
    println!("figure {name} {value:.2} {unit} reach {reach} {}", if ok { "ok" } else { "short" });
}

struct Figures {
    p99: f64,
    rate: f64,
    per_agent: f64,
    per_waiting: f64,
}

fn measure(agents: usize, classes: usize, waiting: usize, cycles: usize) -> Figures {
    let mut desk = Business::new(agents, classes);
    let before = resident();
    desk.everyone_comes(agents);
    let mut idle: Vec<Duration> = (0..agents).map(|_| desk.enqueue()).collect();
    idle.sort();
    desk.answer_all();
    // Each holds a conversation.
    let with_agents = resident();
    for _ in 0..waiting {
        desk.enqueue();
    }
    let with_waiting = resident();
    let (mut p50s, mut p99s, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (mut took, mut decisions, begun) = (Vec::with_capacity(cycles), 0, Instant::now());
        for _ in 0..cycles {
            took.push(desk.next_one_is_served());
            decisions += 4;
        }
        let all = begun.elapsed();
        took.sort();
        if round > 0 {
            p50s.push(micros(percentile(&took, 50)));
            p99s.push(micros(percentile(&took, 99)));
            rates.push(f64::from(decisions) / all.as_secs_f64());
        }
    }
    p50s.sort_by(f64::total_cmp);
    p99s.sort_by(f64::total_cmp);
    rates.sort_by(f64::total_cmp);
    let per = |bytes: f64, count: usize| bytes / count as f64;
    println!(
        "# {agents:>6} agents, {classes:>6} classes: an agent freed gets the next: p50 {:.1} us, p99 {:.1} us ({:.1} to {:.1}); \
         a newcomer gets a free agent: p50 {:.1} us, p99 {:.1} us; {:.0} decisions a second ({:.0} to {:.0})",
        p50s[ROUNDS / 2],
        p99s[ROUNDS / 2],
        p99s[0],
        p99s[ROUNDS - 1],
        micros(percentile(&idle, 50)),
        micros(percentile(&idle, 99)),
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1],
    );
    Figures {
        p99: p99s[ROUNDS / 2].max(micros(percentile(&idle, 99))),
        rate: rates[ROUNDS / 2],
        per_agent: per(with_agents - before, agents),
        per_waiting: per(with_waiting - with_agents, waiting),
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Bytes of memory in use, as the system counts them; 0 where it does not tell.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4_096.0
}

/// One desk, its clock, and the conversations around it.
struct Business {
    desks: Desks,
    policies: Policies,
    now: Timestamp,
    conversations: u64,
    commands: u128,
    offered: VecDeque<(OfferId, AgentId)>,
    assigned: VecDeque<OfferId>,
    dice: u64,
}

impl Business {
    fn new(agents: usize, classes: usize) -> Self {
        let mut policies = Policies::default();
        policies.put(Arc::new(policy(agents, classes)));
        Business {
            desks: Desks::default(),
            policies,
            now: Timestamp(1_000),
            conversations: 0,
            commands: 0,
            offered: VecDeque::new(),
            assigned: VecDeque::new(),
            dice: 7,
        }
    }

    /// Decides and folds; how long that took.
    fn decide(&mut self, command: &Command) -> Duration {
        self.commands += 1;
        let id = CommandId(self.commands.to_be_bytes());
        let begun = Instant::now();
        let context = Context { now: self.now, policies: &self.policies, command: Some(id) };
        let events = Decider::decide(&self.desks, &context, command).expect("every command is in order");
        for event in &events {
            Decider::evolve(&mut self.desks, self.now, event);
        }
        let took = begun.elapsed();
        for event in events {
            match event {
                Event::Offered { offer, agent, .. } => self.offered.push_back((offer, agent)),
                Event::AcceptRequested { offer, command, .. } => {
                    self.decide(&Command::Confirm { offer: offer.clone(), command });
                    self.assigned.push_back(offer);
                }
                _ => {}
            }
        }
        took
    }

    fn everyone_comes(&mut self, agents: usize) {
        for n in 0..agents {
            self.now = self.now + Millis(1);
            let until = self.now + Millis::seconds(300);
            self.decide(&Command::SetPresence { agent: agent(n), presence: Presence::Available, until });
        }
    }

    /// One more customer; what is over 200 queues and three channels is spread by chance.
    fn enqueue(&mut self) -> Duration {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (n, chance) = (self.conversations, (self.dice >> 33) as usize);
        self.conversations += 1;
        self.now = self.now + Millis(1);
        let mut party = [0; 16];
        party[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        self.decide(&Command::Enqueue {
            conversation: ConversationId { party: Party(party), number: 1 },
            owner_epoch: 1,
            channel: [Channel::Email, Channel::Sms, Channel::Messenger][chance / SKILLS % 3],
            queue: queue(chance % SKILLS),
            since: self.now,
            again: false,
            agent: None,
            agent_until: None,
            by_request: false,
            special: None,
        })
    }

    fn answer_all(&mut self) {
        while let Some((offer, agent)) = self.offered.pop_front() {
            self.decide(&Command::Accept { agent, offer });
        }
    }

    /// Someone finishes, gets the next, accepts, and someone new comes: four decisions. How long the first took.
    fn next_one_is_served(&mut self) -> Duration {
        let assignment = self.assigned.pop_front().expect("everyone is busy");
        self.now = self.now + Millis(1);
        let took = self.decide(&Command::Release { assignment });
        self.answer_all();
        self.enqueue();
        self.answer_all();
        took
    }
}

fn desk() -> DeskId {
    "acme/team".parse().expect("a desk")
}

fn queue(n: usize) -> QueueId {
    QueueId::new(desk(), &format!("queue-{n}")).expect("a queue")
}

fn agent(n: usize) -> AgentId {
    AgentId::new(desk(), &format!("agent-{n}")).expect("an agent")
}

fn skill(n: usize) -> domain::SkillId {
    format!("skill-{n}").parse().expect("a skill")
}

/// Each queue needs a skill of its own, at a level that falls by waiting; each class of agents serves ten queues.
fn policy(agents: usize, classes: usize) -> Policy {
    let needs = |n: usize, level: u8| Needs { skills: [(skill(n), level)].into(), ..Needs::default() };
    let line = |n: usize| Queue {
        priority: i32::try_from(n % 5).unwrap_or_default(),
        ageing: Some(Ageing { every: Millis::seconds(10), most: 20 }),
        offer_timeout: Millis::seconds(30),
        needs: needs(n, 3),
        relaxations: vec![
            Relaxation { after: Millis::seconds(30), needs: needs(n, 2) },
            Relaxation { after: Millis::seconds(60), needs: needs(n, 1) },
        ],
        ..Queue::default()
    };
    let person = |n: usize| {
        let class = n % classes;
        let served = |k: usize| (class * 2 + k * 17) % SKILLS;
        let level = |k: usize| u8::try_from((class / SKILLS + k) % 3 + 3).unwrap_or(3);
        let mut skills: BTreeMap<_, _> = (0..10).map(|k| (skill(served(k)), level(k))).collect();
        // What tells one class from another with the same queues.
        skills.insert(format!("class-{class}").parse().expect("a skill"), 1);
        Agent {
            queues: (0..10).map(|k| queue(served(k))).collect(),
            capacity: Capacity { total: 1, ..Capacity::default() },
            skills,
            ..Agent::default()
        }
    };
    Policy {
        tenant: desk().tenant,
        version: 1,
        inboxes: BTreeMap::new(),
        queues: (0..SKILLS).map(|n| (queue(n), line(n))).collect(),
        agents: (0..agents).map(|n| (agent(n), person(n))).collect(),
        bots: BTreeMap::new(),
        hours: BTreeMap::new(),
        links: Default::default(),
    }
}
