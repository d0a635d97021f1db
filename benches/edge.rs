//! Signed webhooks of Messenger and of Twilio made durable: 64 connections, unique ids, one in five from a new party, the
//! channels role alone, full sync. Messenger's reference is a bare axum handler in a process of its own, under the same load,
//! which reads the body, checks the signature and answers 200. Then Messenger's batches of a thousand items, one after the
//! other.
//!
//! After every round each acknowledged webhook is looked up in `conversation.in`; a figure counts only if none is
//! missing.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use domain::{FactId, Kind, Origin};
use log::{LocalLog, Log as _, Tail, Topic};
use shared::{
    Outcome,
    load::{CONNECTIONS, Loaded, Pace, load},
    process::{Effort, Installation, SAMPLE},
    report::{Rounds, machine, percentile, seconds},
    webhooks::{Webhooks, is_signed},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ROUNDS: usize = 3;
/// What is prepared for a round. The reference is faster: it ends when all are used up.
const MOST_A_SECOND: u64 = 40_000;
/// Tells this program to be the reference.
const REFERENCE: &str = "TRIBUTARY_BENCH_REFERENCE";
/// A disk that was just written to a lot is slow for a while.
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    if std::env::var_os(REFERENCE).is_some() {
        return tokio::runtime::Runtime::new()?.block_on(be_the_reference());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Outcome<()> {
    machine()?;
    let during = Duration::from_secs(seconds(10));
    println!("{CONNECTIONS} connections, {during:?} a round, one in five webhooks from a new party");
    let (mut rates, mut p99s, mut ratios) = (Rounds::default(), Rounds::default(), Rounds::default());
    let mut batch_ms = Rounds::default();
    let (mut twilio_rates, mut twilio_p99s) = (Rounds::default(), Rounds::default());
    for round in 0..=ROUNDS {
        let count = (during.as_secs() * MOST_A_SECOND) as usize;
        let webhooks = Arc::new(Webhooks::prepare(&format!("{round}"), count, 5, "Where is my parcel?"));
        let warm_up = if round == 0 { " (warm-up, not counted)" } else { "" };

        let reference = Reference::start()?;
        let effort = Effort::of(reference.0.id())?;
        let bare = load(reference.1, &webhooks, Pace::Full(during / 2)).await?;
        println!("bare axum: {}; {}{warm_up}", bare.told(), effort.told(bare.acknowledged.len())?);
        drop(reference);

        let (ours, batches) =
            made_durable("Messenger webhooks", &webhooks, during, warm_up, Some(round)).await?;
        let webhooks = Arc::new(Webhooks::twilio(&format!("{round}"), count, 5, "Where is my parcel?"));
        let (by_twilio, _) = made_durable("Twilio webhooks", &webhooks, during, warm_up, None).await?;
        if round > 0 {
            rates.add(ours.rate());
            p99s.add(percentile(&ours.waits(), 99));
            ratios.add(ours.rate() / bare.rate());
            batch_ms.add(batches);
            twilio_rates.add(by_twilio.rate());
            twilio_p99s.add(percentile(&by_twilio.waits(), 99));
        }
    }
    ratios.spread("Messenger's rate, as a ratio to the bare axum handler in the same round", "of bare");
    rates.at_least("webhook.messenger.rate", "webhooks/s", 20_000.0);
    p99s.at_most("webhook.messenger.p99_ms", "ms", 15.0);
    batch_ms.at_most("webhook.messenger.batch_ms", "ms", 60.0);
    twilio_rates.at_least("webhook.twilio.rate", "webhooks/s", 20_000.0);
    twilio_p99s.at_most("webhook.twilio.p99_ms", "ms", 15.0);
    Ok(())
}

/// A round of them at an installation of its own: none that was acknowledged may be missing afterwards.
async fn made_durable(
    what: &str,
    webhooks: &Arc<Webhooks>,
    during: Duration,
    warm_up: &str,
    batches_of: Option<usize>,
) -> Outcome<(Loaded, f64)> {
    let installation = Installation::new(SAMPLE, &[]).await?;
    let server = installation.start(&["channels"]).await?;
    let effort = Effort::of(server.id())?;
    let ours = load(installation.at.http, webhooks, Pace::Full(during)).await?;
    let memory = server.peak_memory()?;
    println!(
        "{what} made durable: {}; {}; peak memory {memory:.0} MiB{warm_up}",
        ours.told(),
        effort.told(ours.acknowledged.len())?
    );
    let batches = match batches_of {
        Some(round) => {
            let batches = batches(installation.at.http, round).await?;
            println!("batches of 1,000 items over 1,000 new parties: {batches:.1} ms each{warm_up}");
            batches
        }
        None => 0.0,
    };
    server.stop().await?;
    let missing = missing(&installation, webhooks, &ours).await?;
    if missing > 0 {
        return Err(format!("{missing} acknowledged webhooks are not in the log").into());
    }
    println!("all {} acknowledged webhooks are in conversation.in", ours.acknowledged.len());
    drop(installation);
    tokio::time::sleep(PAUSE).await;
    Ok((ours, batches))
}

/// The median of some batches' milliseconds, one after the other, from its first byte to its answer.
async fn batches(http: SocketAddr, round: usize) -> Outcome<f64> {
    const BATCHES: usize = 11;
    let webhooks = Webhooks::batches(&format!("{round}"), BATCHES);
    let mut stream = TcpStream::connect(http).await?;
    stream.set_nodelay(true)?;
    let mut waits = Rounds::default();
    for number in 0..webhooks.len() {
        let began = Instant::now();
        stream.write_all(webhooks.request(number)).await?;
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"EVENT_RECEIVED") {
            let read = stream.read(&mut piece).await?;
            answer.extend_from_slice(&piece[..read]);
            if read == 0 || !answer.starts_with(b"HTTP/1.1 200") {
                return Err(format!("a batch is answered {}", answer.escape_ascii()).into());
            }
        }
        waits.add(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(waits.median())
}

/// How many acknowledged webhooks the log does not have.
async fn missing(installation: &Installation, webhooks: &Webhooks, loaded: &Loaded) -> Outcome<usize> {
    let topic = Topic(Kind::Conversation.intake_topic());
    let log = LocalLog::open_read_only(&installation.data().join("log"), &[topic])?;
    let mut found: HashSet<FactId> = HashSet::new();
    for number in 0..log.partitions(topic)? {
        let mut tail = Tail::new(Arc::new(log.clone()), topic.partition(number), 0);
        loop {
            let records = tail.ready().await?;
            if records.is_empty() {
                break;
            }
            found.extend(records.iter().filter_map(|record| match wire::decode_origin(&record.bytes) {
                Some(Origin::Fact(id)) => Some(id),
                _ => None,
            }));
        }
    }
    let vault = installation.vault()?;
    let mut missing = 0;
    for one in &loaded.acknowledged {
        missing += usize::from(!found.contains(&webhooks.fact(&vault, one.number)?));
    }
    Ok(missing)
}

/// The bare handler's process, and where it listens.
struct Reference(Child, SocketAddr);

impl Reference {
    fn start() -> Outcome<Reference> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.env(REFERENCE, "1").stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let said = child.stdout.take().ok_or("no output")?;
        let mut reference = Reference(child, ([127, 0, 0, 1], 0).into());
        BufReader::new(said).read_line(&mut line)?;
        reference.1 = line.trim().parse()?;
        Ok(reference)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn be_the_reference() -> Outcome<()> {
    let receive = |headers: HeaderMap, body: Bytes| async move {
        let given = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
        match is_signed(given.unwrap_or_default(), &body) {
            true => (StatusCode::OK, "EVENT_RECEIVED"),
            false => (StatusCode::UNAUTHORIZED, ""),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/webhooks/meta/{inbox}", post(receive))).await?;
    Ok(())
}
