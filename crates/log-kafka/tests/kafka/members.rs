//! A group shares out partitions, and notices who goes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use log::{Log, Membership, Share, Topic};
use log_kafka::{KafkaConfig, KafkaLog};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio::{sync::watch, time::timeout};

use crate::brokers::{self, fresh_topic, log_with};

const PARTITIONS: u32 = 6;

/// Who is next in line is looked up a moment after the group has settled.
const QUIET: Duration = Duration::from_secs(2);

/// Tells this program, started again by its own test, to be the member that is killed, and where.
const VICTIM: &str = "TRIBUTARY_KAFKA_VICTIM";

type Given = watch::Receiver<Share>;

async fn is(given: &mut Given, what: &str, wanted: impl FnMut(&Share) -> bool) -> Share {
    let given = timeout(Duration::from_secs(60), given.wait_for(wanted)).await;
    given.unwrap_or_else(|_| panic!("{what}: not within a minute")).expect("a member").clone()
}

async fn has(given: &mut Given, what: &str, mut wanted: impl FnMut(&Vec<u32>) -> bool) -> Vec<u32> {
    is(given, what, |share| share.membership == Membership::Member && wanted(&share.led)).await.led
}

fn every() -> Vec<u32> {
    (0..PARTITIONS).collect()
}

fn all(given: &Vec<u32>) -> bool {
    *given == every()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_and_one_that_leaves_is_replaced_at_once() {
    let Some(addresses) = brokers::shared() else { return };
    // So long that nobody is given up for being silent.
    let config = KafkaConfig { session_timeout: Duration::from_secs(300), ..KafkaConfig::new(addresses) };
    let topic = fresh_topic();
    let (one, other) = (log_with(&config, topic, PARTITIONS).await, brokers::open(&config, topic).await);
    let mut first = one.join("group", topic, 1).await.expect("join");
    has(&mut first, "a lone member has all", all).await;
    let mut second = other.join("group", topic, 1).await.expect("join");
    let half = PARTITIONS as usize / 2;
    let mine = has(&mut first, "the first has half", |given| given.len() == half).await;
    let theirs = has(&mut second, "the second has half", |given| given.len() == half).await;
    assert_eq!(every(), sorted(&mine, &theirs), "nothing is led twice, and nothing by nobody");
    // Another group has nothing to do with it.
    let mut apart = other.join("another", topic, 1).await.expect("join");
    has(&mut apart, "a lone member of another group has all", all).await;

    drop(second);
    has(&mut first, "who stays has all again", all).await;
    let mut third = other.join("group", topic, 1).await.expect("join");
    has(&mut third, "who comes again has half again", |given| given.len() == half).await;
    other.close().await;
    assert_eq!(members(&config, topic), 1, "who has closed has left already: its process may end now");
    has(&mut first, "a log that closes leaves its groups", all).await;
}

/// How many members the group has, by the brokers.
fn members(config: &KafkaConfig, topic: Topic) -> usize {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &config.brokers).create().expect("a client");
    let name = format!("{}group.{topic}", config.prefix);
    let groups = client.fetch_group_list(Some(&name), Duration::from_secs(10)).expect("the groups");
    groups.groups().iter().map(|group| group.members().len()).sum()
}

fn sorted(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut both = [one, other].concat();
    both.sort_unstable();
    both
}

/// The members of a group, each with a log of its own.
struct Crew {
    config: KafkaConfig,
    topic: Topic,
    all: Vec<(KafkaLog, Given)>,
}

impl Crew {
    async fn hire(&mut self) {
        let log = brokers::open(&self.config, self.topic).await;
        let given = log.join("group", self.topic, 1).await.expect("join");
        self.all.push((log, given));
    }

    /// Everything is led by one, each as much as the others, and followed by one other, if there is one; and so it stays.
    async fn settles(&mut self) {
        let every: Vec<u32> = (0..self.partitions()).collect();
        let (followed, count) = (if self.all.len() > 1 { every.clone() } else { Vec::new() }, self.all.len());
        let (least, most) = (every.len() / count, every.len().div_ceil(count));
        let of = |shares: &[Share], part: fn(&Share) -> &Vec<u32>| {
            let mut all: Vec<u32> = shares.iter().flat_map(part).copied().collect();
            all.sort_unstable();
            all
        };
        let is_settled = |shares: &[Share]| {
            let apart =
                shares.iter().all(|share| share.next.iter().all(|number| !share.led.contains(number)));
            let fair = shares.iter().all(|share| (least..=most).contains(&share.led.len()));
            apart && fair && of(shares, |it| &it.led) == every && of(shares, |it| &it.next) == followed
        };
        let settled = async {
            let mut before = Vec::new();
            loop {
                let shares: Vec<Share> = self.all.iter().map(|(_, given)| given.borrow().clone()).collect();
                if is_settled(&shares) && shares == before {
                    return;
                }
                before = shares;
                tokio::time::sleep(QUIET).await;
            }
        };
        timeout(Duration::from_secs(60), settled).await.expect("each partition is led, and has one in line");
    }

    fn partitions(&self) -> u32 {
        self.all[0].0.partitions(self.topic).expect("partitions")
    }
}

/// Whoever is next in line is whom the group gives the partition to.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_are_next_in_line_follow_a_member_that_goes() {
    let Some(addresses) = brokers::shared() else { return };
    let (config, topic) = (KafkaConfig::new(addresses), fresh_topic());
    log_with(&config, topic, 11).await.close().await;
    let mut crew = Crew { config, topic, all: Vec::new() };
    for _ in 0..4 {
        crew.hire().await;
    }
    crew.settles().await;
    for leaves in [2, 0, 1] {
        let (log, given) = crew.all.remove(leaves);
        let gone = given.borrow().led.clone();
        let expected: Vec<Vec<u32>> = crew
            .all
            .iter()
            .map(|(_, given)| {
                let Share { led, next, .. } = given.borrow().clone();
                let follows = next.into_iter().filter(|number| gone.contains(number)).collect::<Vec<_>>();
                sorted(&led, &follows)
            })
            .collect();
        log.close().await;
        crew.settles().await;
        let now: Vec<Vec<u32>> = crew.all.iter().map(|(_, given)| given.borrow().led.clone()).collect();
        assert_eq!(now, expected, "after {gone:?} were given back");
    }
}

/// Nobody else has been given what it had: there is nobody, and nothing to ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_group_is_out_of_reach_is_adrift_until_it_is_there_again() {
    let Some(brokers) = brokers::Brokers::up(1) else { return };
    let (config, topic) = (member(&brokers.addresses), fresh_topic());
    let log = log_with(&config, topic, PARTITIONS).await;
    let mut mine = log.join("group", topic, 1).await.expect("join");
    has(&mut mine, "a lone member has all", all).await;
    brokers.signal(1, "STOP");
    let adrift = is(&mut mine, "adrift", |share| share.membership == Membership::Adrift).await;
    assert_eq!(adrift.led, every(), "what it had is not taken from it");
    brokers.signal(1, "CONT");
    has(&mut mine, "the group gives it again", all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_killed_is_given_up_after_its_session() {
    if let Ok(place) = std::env::var(VICTIM) {
        return stay_until_killed(&place).await;
    }
    let Some(addresses) = brokers::shared() else { return };
    let config = member(addresses);
    let topic = fresh_topic();
    let log = log_with(&config, topic, PARTITIONS).await;
    let mut mine = log.join("group", topic, 1).await.expect("join");
    has(&mut mine, "a lone member has all", all).await;
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "members::a_member_that_is_killed_is_given_up_after_its_session", "--nocapture"])
        .env(VICTIM, format!("{addresses} {topic}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the victim");
    let mut output = BufReader::new(victim.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let theirs = output.find_map(|line| Some(line.split_once("mine ")?.1.to_owned())).expect("it joins");
    let theirs: Vec<u32> = theirs.split(' ').map(|number| number.parse().expect("a number")).collect();
    let left = has(&mut mine, "two share", |given| given.len() + theirs.len() == PARTITIONS as usize).await;
    assert_eq!(every(), sorted(&left, &theirs));
    victim.kill().expect("kill -9");
    victim.wait().expect("the end of the victim");
    has(&mut mine, "who is left has all", all).await;
}

/// With the shortest session that brokers allow by default.
fn member(addresses: &str) -> KafkaConfig {
    KafkaConfig { session_timeout: Duration::from_secs(6), ..KafkaConfig::new(addresses) }
}

async fn stay_until_killed(place: &str) {
    let (addresses, topic) = place.split_once(' ').expect("where to go");
    let topic = Topic(Box::leak(topic.to_owned().into_boxed_str()));
    let log = brokers::open(&member(addresses), topic).await;
    let mut mine = log.join("group", topic, 1).await.expect("join");
    let mine = has(&mut mine, "a half", |given| given.len() == PARTITIONS as usize / 2).await;
    let mine: Vec<_> = mine.iter().map(u32::to_string).collect();
    writeln!(std::io::stdout(), "mine {}", mine.join(" ")).expect("say so");
    std::future::pending::<()>().await;
}
