//! SMPP's rates, with a message centre of this process: messages sent over one bind with a window of 64, beside npm's `smpp` and
//! PyPI's `smpplib` as clients of the same message centre in the same round, and messages delivered over one bind, each
//! durable in a log on disk before it is answered.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench reports on standard output, and may fail"
)]

#[path = "../tests/short_messages/client.rs"]
mod client;
#[path = "../tests/short_messages/smsc.rs"]
mod smsc;

use std::{path::Path, process::Command, sync::Arc, time::Instant};

use channels::{
    Intake, LogIntake, Outcome, Profile, Sender as _,
    smpp::{
        Smpp,
        pdu::{Number, Short},
    },
};
use domain::{Channel, Kind, Policies, Topology};
use futures::{StreamExt as _, stream};
use log::{LocalConfig, LocalLog, Topic};
use runtime::Post;
use tokio_util::sync::CancellationToken;
use vault::{MasterKey, Vault};

use client::{Kept, config, outgoing, start, until};
use smsc::{Smsc, taking};

const ROUNDS: usize = 3;
const WINDOW: usize = 64;
const SENT: usize = 60_000;
const DELIVERED: usize = 60_000;
const TOPOLOGY: Topology = Topology { conversation: 4, desk: 1, delivery: 1, contact: 1, workspace: 1 };

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(bench());
}

async fn bench() {
    let (mut rates, mut to_npm, mut to_smpplib, mut delivered) = (vec![], vec![], vec![], vec![]);
    for round in 0..=ROUNDS {
        let smsc = Smsc::start_keeping(taking(), false).await;
        let ours = submit(&smsc).await;
        let npm = peer("node", "client.js", smsc.address.port(), 20_000).await;
        let smpplib = peer("python", "client.py", smsc.address.port(), 5_000).await;
        let inward = deliver().await;
        println!(
            "# round {round}: sent {ours:.0}/s, npm {npm:.0}/s, smpplib {smpplib:.0}/s; delivered {inward:.0}/s"
        );
        if round > 0 {
            rates.push(ours);
            to_npm.push(ours / npm);
            to_smpplib.push(ours / smpplib);
            delivered.push(inward);
        }
    }
    figure("smpp.submit.rate", rates, "messages/s", 20_000.0);
    figure("smpp.submit.smpplib_ratio", to_smpplib, "of PyPI's smpplib", 5.0);
    figure("smpp.submit.npm_ratio", to_npm, "of npm's smpp", 1.0);
    figure("smpp.deliver.rate", delivered, "messages/s", 15_000.0);
}

async fn submit(smsc: &Smsc) -> f64 {
    let kept: Arc<Kept> = Arc::default();
    let smpp = &start(config(smsc.address, &[]), &kept);
    until("it is bound", || smpp.binds() == 1).await;
    let began = Instant::now();
    let sending = stream::iter(0..SENT).map(|number| async move {
        let sent = smpp
            .send(&outgoing("key", "+4915112345678", &format!("Your parcel {number} is on its way.")))
            .await;
        assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    });
    sending.buffer_unordered(2 * WINDOW).collect::<Vec<()>>().await;
    SENT as f64 / began.elapsed().as_secs_f64()
}

/// Messages a second of another's client, with the same window.
async fn peer(program: &'static str, script: &str, port: u16, count: usize) -> f64 {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");
    let fetched = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut command = match program {
        "node" => {
            let home = fetched(Command::new(format!("{tests}/npm.sh")).args(["smpp", "smpp@0.6.0-rc.4"]));
            let mut command = Command::new("node");
            command.env("NODE_PATH", format!("{home}/node_modules"));
            command
        }
        _ => {
            let mut fetch = Command::new(format!("{tests}/python.sh"));
            Command::new(format!("{}/bin/python", fetched(fetch.args(["smpp", "smpplib==2.2.4"]))))
        }
    };
    command.arg(format!("{tests}/smpp/{script}")).args([
        port.to_string(),
        count.to_string(),
        WINDOW.to_string(),
    ]);
    // The message centre it talks to is in this process, and must go on.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

async fn deliver() -> f64 {
    let dir = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")).unwrap();
    let smsc = &Smsc::start_keeping(taking(), false).await;
    let intake: Arc<dyn Intake> = Arc::new(intake(dir.path()));
    let stop = CancellationToken::new();
    let smpp = Smpp::start("sms", config(smsc.address, &[]), Profile::default(), intake, &stop).unwrap();
    until("it is bound", || smpp.binds() == 1).await;
    let run = |from: usize, to: usize| async move {
        let delivering = stream::iter(from..to).map(|number| async move {
            assert_eq!(smsc.deliver(short(number)).await, Some(0));
        });
        delivering.buffer_unordered(WINDOW).collect::<Vec<()>>().await;
    };
    // Every customer has written before.
    run(0, 1_000).await;
    let began = Instant::now();
    run(1_000, 1_000 + DELIVERED).await;
    DELIVERED as f64 / began.elapsed().as_secs_f64()
}

fn short(number: usize) -> Short {
    let from = format!("49151{:08}", number % 1_000);
    Short {
        source: Number { ton: 1, npi: 1, digits: from.into() },
        destination: Number { ton: 1, npi: 1, digits: "15550100".into() },
        text: format!("Where is my parcel {number}?").into(),
        ..Short::default()
    }
}

fn intake(dir: &Path) -> LogIntake {
    let topics = [
        (Topic(Kind::Conversation.intake_topic()), TOPOLOGY.conversation),
        (Topic(Kind::Conversation.log_topic()), TOPOLOGY.conversation),
    ];
    let log = LocalLog::open(&dir.join("log"), &topics, LocalConfig::default()).unwrap();
    let vault = Vault::open(vault::Config::new(dir, MasterKey::from_bytes([7; 32]))).unwrap();
    let queue: domain::QueueId = "acme/support/general".parse().unwrap();
    let inbox = domain::policy::Inbox {
        channel: Channel::Sms,
        address: "+15550100".into(),
        bot: None,
        queue: queue.clone(),
        reopen_within: domain::Millis::hours(24),
        sandbox: false,
        settings: Default::default(),
    };
    let policy = domain::Policy {
        tenant: "acme".parse().unwrap(),
        version: 1,
        inboxes: [("sms".parse().unwrap(), inbox)].into(),
        queues: [(queue, domain::policy::Queue::default())].into(),
        agents: [].into(),
        bots: [].into(),
        hours: [].into(),
        links: [].into(),
    };
    let mut known = Policies::default();
    known.put(Arc::new(policy));
    let (publish, policies) = tokio::sync::watch::channel(known);
    // Known for as long as this runs.
    std::mem::forget(publish);
    LogIntake {
        post: Post { log: Arc::new(log), topology: TOPOLOGY },
        vault,
        policies,
        verifier: channels::email::Verifier::offline(),
    }
}

fn figure(name: &str, mut rounds: Vec<f64>, unit: &str, reach: f64) {
    rounds.sort_by(f64::total_cmp);
    let (least, median, most) = (rounds[0], rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    println!("# {name}: {least:.1} to {most:.1}, {} rounds after a warm-up", rounds.len());
    let verdict = if median >= reach { "ok" } else { "short" };
    println!("figure {name} {median:.1} {unit} reach {reach:.0} {verdict}");
}
