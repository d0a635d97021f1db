//! A fleet with its people, and one fault after the other: load, the fault, rest, and the count.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    brokers::Brokers,
    check::{self, Judged},
    clients::{Api, Channel, Follower, Providers},
    count::{self, Evidence},
    faults::Fault,
    fleet::Fleet,
    outbox,
    people::{self, Random, Said},
    topics,
    wires::Wires,
};

/// Between messages of one line of customers, in milliseconds. Three brokers on two cores are no place for more.
const PAUSES: (u64, u64) = (60, 200);
/// How long customers and agents may take to come to an end.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Scene<'a> {
    pub(crate) brokers: &'a Brokers,
    pub(crate) wires: &'a Wires,
    pub(crate) fleet: Fleet,
    pub(crate) prefix: String,
    pub(crate) random: Random,
    admin: Api,
    follower: Follower,
    taken: Arc<Mutex<BTreeSet<String>>>,
    said: Arc<Mutex<Said>>,
    /// Lines of customers so far, so that no two write the same.
    lines: usize,
}

/// What one cycle showed.
pub(crate) struct Outcome {
    /// Whom it hit, and for how long.
    pub(crate) details: String,
    pub(crate) violations: Vec<String>,
    /// The longest time between two decisions about one partition's conversations, in milliseconds.
    pub(crate) recovery: Option<i64>,
    /// Records written meanwhile that count nowhere.
    pub(crate) ignored: usize,
}

impl<'a> Scene<'a> {
    pub(crate) async fn set(brokers: &'a Brokers, wires: &'a Wires, prefix: &str, seed: u64) -> Scene<'a> {
        let fleet = Fleet::start(brokers, prefix).await;
        let admin = fleet.api("dev");
        Scene {
            brokers,
            wires,
            prefix: prefix.to_owned(),
            random: Random::new(seed),
            follower: Follower::start(admin.clone()),
            admin,
            fleet,
            taken: Arc::default(),
            said: Arc::default(),
            lines: 0,
        }
    }

    /// One cycle of a fault, under load from beginning to end.
    pub(crate) async fn endure(&mut self, fault: Fault, before: &Judged) -> (Outcome, Judged) {
        let (writing, working) = (CancellationToken::new(), CancellationToken::new());
        let (mut customers, mut agents) = (self.customers(&writing), self.agents(&working));
        let moment = self.random.between(1_500, 3_000);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let from = log::clock::now();
        eprintln!("… {}", fault.name());
        let details = fault.strike(self).await;
        let to = log::clock::now();
        tokio::time::sleep(Duration::from_millis(1_500)).await;

        writing.cancel();
        let mut violations = self.ended("customers", &mut customers).await;
        working.cancel();
        violations.extend(self.ended("agents", &mut agents).await);
        violations.extend(self.fleet.ended());
        let judged = self.count(&mut violations).await;
        let (recovery, ignored) = (judged.longest_gap(from, to), judged.ignored() - before.ignored());
        (Outcome { details, violations, recovery, ignored }, judged)
    }

    /// Everything that can be told of this scene, from its beginning, once it has come to rest.
    async fn count(&mut self, violations: &mut Vec<String>) -> Judged {
        let taken = self.taken.lock().unwrap().clone();
        let data = self.fleet.data();
        let evidence = Evidence::settled(&self.admin, &data, &taken).await;
        violations.extend(evidence.violations());
        violations.extend(evidence.received(&taken));
        {
            let said = self.said.lock().unwrap();
            violations.extend(evidence.replies(&said.accepted, &said.rejected));
        }
        let (record, all) = self.follower.record_and_all(&self.admin).await;
        violations.extend(count::differences(&record, &all));

        let (brokers, prefix) = (self.brokers.addresses.clone(), self.prefix.clone());
        let judging = move || check::judge(&topics::read_at_rest(&brokers, &prefix), log::clock::now());
        let mut judged = tokio::task::spawn_blocking(judging).await.expect("the topics can be judged");
        violations.append(&mut judged.violations);
        // What was told after the topics were read stands in them no further; so it is asked for first.
        violations.extend(judged.outside(&all, &outbox::attempts(&data)));
        violations.extend(self.fleet.verify().await);
        if judged.received() < taken.len() {
            violations.push(format!(
                "1: {} messages were taken, {} received",
                taken.len(),
                judged.received()
            ));
        }
        judged
    }

    fn customers(&mut self, writing: &CancellationToken) -> JoinSet<()> {
        let mut customers = JoinSet::new();
        for channel in Channel::ALL {
            let (line, random) = (self.lines, Random::new(self.random.next()));
            self.lines += 1;
            let providers = Providers::new(self.fleet.edge(line));
            let (taken, stop) = (self.taken.clone(), writing.clone());
            customers.spawn(people::write((channel, line), PAUSES, providers, random, taken, stop));
        }
        customers
    }

    fn agents(&mut self, working: &CancellationToken) -> JoinSet<()> {
        let mut agents = JoinSet::new();
        for name in ["agent-1", "agent-2"] {
            let (api, random) = (self.fleet.api(&format!("dev-{name}")), Random::new(self.random.next()));
            agents.spawn(people::work(name, api, random, self.said.clone(), working.clone()));
        }
        agents
    }

    /// Waits for people to come to an end; what is wrong if they do not.
    async fn ended(&self, who: &str, people: &mut JoinSet<()>) -> Vec<String> {
        let all = async {
            while let Some(task) = people.join_next().await {
                task.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, all).await {
            Ok(()) => Vec::new(),
            Err(_) => {
                people.abort_all();
                vec![format!("1: the {who} wait in vain; said last:{}", self.fleet.tails())]
            }
        }
    }
}
