//! A group shares out partitions, and notices who goes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use log::{Log, Topic};
use log_kafka::KafkaConfig;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio::{sync::watch, time::timeout};

use crate::brokers::{self, fresh_topic, log_with};

const PARTITIONS: u32 = 6;

/// Tells this program, started again by its own test, to be the member that is killed, and where.
const VICTIM: &str = "TRIBUTARY_KAFKA_VICTIM";

type Given = watch::Receiver<Vec<u32>>;

async fn has(given: &mut Given, what: &str, wanted: impl FnMut(&Vec<u32>) -> bool) -> Vec<u32> {
    let given = timeout(Duration::from_secs(60), given.wait_for(wanted)).await;
    given.unwrap_or_else(|_| panic!("{what}: not within a minute")).expect("a member").clone()
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
    let mut first = one.join("group", topic).await.expect("join");
    has(&mut first, "a lone member has all", all).await;
    let mut second = other.join("group", topic).await.expect("join");
    let half = PARTITIONS as usize / 2;
    let mine = has(&mut first, "the first has half", |given| given.len() == half).await;
    let theirs = has(&mut second, "the second has half", |given| given.len() == half).await;
    assert_eq!(every(), sorted(&mine, &theirs), "nothing is led twice, and nothing by nobody");
    // Another group has nothing to do with it.
    let mut apart = other.join("another", topic).await.expect("join");
    has(&mut apart, "a lone member of another group has all", all).await;

    drop(second);
    has(&mut first, "who stays has all again", all).await;
    let mut third = other.join("group", topic).await.expect("join");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_killed_is_given_up_after_its_session() {
    if let Ok(place) = std::env::var(VICTIM) {
        return stay_until_killed(&place).await;
    }
    let Some(addresses) = brokers::shared() else { return };
    let config = member(addresses);
    let topic = fresh_topic();
    let log = log_with(&config, topic, PARTITIONS).await;
    let mut mine = log.join("group", topic).await.expect("join");
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
    let mut mine = log.join("group", topic).await.expect("join");
    let mine = has(&mut mine, "a half", |given| given.len() == PARTITIONS as usize / 2).await;
    let mine: Vec<_> = mine.iter().map(u32::to_string).collect();
    writeln!(std::io::stdout(), "mine {}", mine.join(" ")).expect("say so");
    std::future::pending::<()>().await;
}
