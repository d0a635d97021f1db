//! One worker of conversations on the embedded log, its intake filled beforehand: how fast it decides, folds and
//! routes, and what an open conversation costs it in memory.
//!
//! A customer's message is routed once it was read from the intake, decided, read back and its effects were performed
//! (the turn put to the bot, the relay to the contacts sent). The reference is the log's own rate for the same inputs as
//! edges append them: 64 appenders, each of which waits for its own record to be durable. Beside it stands what the log
//! does when nobody waits: the worker's decisions once more, four in flight.
//!
//! Snapshots are written beside a leader. How long it pauses for them is told by the log's own stamps on its decisions,
//! while a million conversations are opened: the longest time between two of them, syncs of the disk included.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    BotId, Channel, ConversationId, FactId, Intake, Kind, MessageId, Millis, Origin, Partition, Party, Peer,
    Policies, Policy, QueueId, Sealed, TenantId, Timestamp, Topology, TurnId,
    conversation::{self, BotAction, Correspondent, Decider, MessageKind, Progress, Received, What},
    policy::{Bot, BotKind, Inbox, Queue},
};
use log::{LocalConfig, LocalLog, Log, Topic, clock};
use runtime::{Clock, Effects, Readiness, Retention, Setup, Snapshots, Standing, Worker};
use shared::{
    Outcome,
    report::{Rounds, folder, machine, seconds},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
/// Messages a second of the bench's length, so that a run takes about that long.
const PER_SECOND: usize = 50_000;
/// One in so many messages is the first of a new party; the others go to conversations that are open.
const NEW_EVERY: usize = 5;
/// Open at the end of the run that snapshots are taken in.
const MANY: usize = 1_000_000;
const APPENDERS: usize = 64;
/// As many decisions as a worker has.
const IN_FLIGHT: usize = 4;
/// As long as a short text and its address are once sealed.
const SEALED_TEXT: usize = 150;
const SEALED_ADDRESS: usize = 60;
const TOPOLOGY: Topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
/// Where nobody leads, so that the decisions can be appended once more.
const AGAIN: Peer = Peer { kind: Kind::Delivery, partition: 0 };
const CONVERSATIONS: Peer = Peer { kind: Kind::Conversation, partition: 0 };

fn main() -> Outcome<()> {
    machine()?;
    // First, while nothing was freed that could be used again.
    let (bytes, retained) = remember()?;
    println!("{retained} open conversations in the worker's state, {bytes:.0} bytes each");
    let mut memory = Rounds::default();
    memory.add(bytes);
    let count = seconds(10) as usize * PER_SECOND;
    let (mut routed, mut ratio, mut opened) = (Rounds::default(), Rounds::default(), Rounds::default());
    let (mut folded, mut both) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let run = runtime.block_on(route(count, NEW_EVERY, false))?;
        println!(
            "{count} messages, one in {NEW_EVERY} of a new party: the log took them at {:.0}/s; the worker routed {:.0}/s and \
             performed {} effects; the log took its decisions alone at {:.0}/s; folded from zero: {:.0} events/s, by two at \
             once {:.0}",
            run.filled, run.routed, run.effects, run.appended, run.folded, run.folded_by_two,
        );
        routed.add(run.routed);
        ratio.add(run.routed / run.filled);
        folded.add(run.folded);
        both.add(run.folded_by_two / run.folded);
        let run = runtime.block_on(route(count / 2, 1, false))?;
        println!("each of a new party: the worker opened and routed {:.0}/s", run.routed);
        opened.add(run.routed);
    }
    let mut paused = Rounds::default();
    for _ in 0..ROUNDS {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let run = runtime.block_on(route(MANY, 1, true))?;
        println!(
            "{MANY} conversations opened at {:.0}/s, with snapshots beside: no more than {} ms between two decisions",
            run.routed, run.pause
        );
        paused.add(run.pause);
    }
    let mut decided = Rounds::default();
    for _ in 0..ROUNDS {
        decided.add(decide());
    }
    opened.spread("worker.opened.rate", "conversations/s");
    routed.at_least("worker.routed.rate", "messages/s", 60_000.0);
    ratio.at_least("worker.routed.ratio", "of_the_log", 0.5);
    folded.at_least("worker.fold.rate", "events/s", 500_000.0);
    both.spread("worker.fold.two_cores, as a ratio to one", "");
    decided.at_least("worker.decide.rate", "messages/s", 1_000_000.0);
    paused.at_most("worker.pause_ms", "ms", 50.0);
    memory.at_most("worker.conversation_bytes", "bytes", 600.0);
    Ok(())
}

struct Run {
    /// Messages a second: into the intake, and as decisions without deciding.
    filled: f64,
    appended: f64,
    routed: f64,
    effects: usize,
    folded: f64,
    folded_by_two: f64,
    /// The longest time between two decisions while inputs waited, in milliseconds.
    pause: f64,
}

/// Counts what it is asked to do, as a bot's and a sender's client would begin with.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Effects<Decider> for Counting {
    fn perform(&self, _: &Partition<Decider>, _: Timestamp, event: &conversation::Event) {
        if let What::TurnAsked { .. } = event.what {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn resume(&self, _: &Partition<Decider>) {}
}

async fn route(count: usize, new_every: usize, snapshots: bool) -> Outcome<Run> {
    let dir = tempfile::tempdir_in(folder())?;
    let kept_in = tempfile::tempdir_in(folder())?;
    let topics: Vec<_> = Kind::ALL
        .iter()
        .flat_map(|kind| [kind.intake_topic(), kind.log_topic()])
        .map(|name| (Topic(name), 1))
        .collect();
    let log =
        LocalLog::open(dir.path(), &topics, LocalConfig { queue_bytes: 64 << 20, ..LocalConfig::default() })?;
    let shared: Arc<dyn Log> = Arc::new(log.clone());
    let intake = runtime::intake(CONVERSATIONS);

    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut appenders = JoinSet::new();
    for _ in 0..APPENDERS {
        let (log, next) = (log.clone(), next.clone());
        appenders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<(), log::Error>(());
                }
                log.append(intake, vec![encoded(number, new_every)]).await?;
            }
        });
    }
    while let Some(ended) = appenders.join_next().await {
        ended??;
    }
    let filled = count as f64 / began.elapsed().as_secs_f64();

    let effects = Arc::new(Counting::default());
    let setup = Setup {
        log: shared.clone(),
        topology: TOPOLOGY,
        name: "bench".into(),
        effects: effects.clone(),
        policies: watch::Sender::new(policies()).subscribe(),
        snapshots: snapshots.then(|| Snapshots::new(kept_in.path())),
        readiness: Arc::new(Readiness::default()),
        clock: Clock::default(),
        retention: Retention::default(),
        retire_after: Millis::hours(1),
        standbys: 0,
    };
    let cancel = CancellationToken::new();
    let began = Instant::now();
    let worker = tokio::spawn(Worker::<Decider>::new(Arc::new(setup), 0).run(cancel.clone()));
    // Each message asks the bot something, or is kept for when it has answered: the first of each party is put to it.
    let turns = count.div_ceil(new_every);
    let deadline = Instant::now() + Duration::from_secs(240);
    let decisions = runtime::log_of(CONVERSATIONS);
    let mut standing = Standing::<Decider>::new(0, TOPOLOGY);
    while effects.0.load(Ordering::Relaxed) < turns {
        if Instant::now() > deadline {
            return Err(
                format!("only {} of {turns} turns were put", effects.0.load(Ordering::Relaxed)).into()
            );
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let routed = count as f64 / began.elapsed().as_secs_f64();
    cancel.cancel();
    worker.await?;

    // The whole log again, from zero, by one reader and then by two at once.
    let end = log.end(decisions).await?;
    let mut records = Vec::new();
    let mut at = log.start(decisions).await?;
    while at < end {
        let more = log.read(decisions, at, log::Limit::default()).await?;
        at = more.last().map_or(end, |last| last.position + 1);
        records.extend(more);
    }
    let pauses = records.windows(2).map(|pair| pair[1].appended_at - pair[0].appended_at);
    let pause = pauses.max().unwrap_or_default() as f64;
    let began = Instant::now();
    let mut appends = VecDeque::new();
    for record in &records {
        appends.push_back(log.append(runtime::log_of(AGAIN), vec![record.bytes.clone()]));
        if appends.len() >= IN_FLIGHT
            && let Some(append) = appends.pop_front()
        {
            append.await?;
        }
    }
    for append in appends {
        append.await?;
    }
    let appended = count as f64 / began.elapsed().as_secs_f64();
    let events = |records: &[log::Record]| -> Outcome<usize> {
        let mut standing = Standing::<Decider>::new(0, TOPOLOGY);
        let mut events = 0;
        for record in records {
            if let wire::Verdict::Accepted(decision) = standing.fold(record)? {
                events += decision.steps.iter().map(|step| step.events.len()).sum::<usize>();
            }
        }
        Ok(events)
    };
    let began = Instant::now();
    let number = events(&records)?;
    let folded = number as f64 / began.elapsed().as_secs_f64();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| events(&records).is_ok());
        events(&records).is_ok() && other.join().unwrap_or(false)
    });
    let folded_by_two = 2.0 * number as f64 / began.elapsed().as_secs_f64();
    let mut tail = standing.tail(shared);
    standing.catch_up(&mut tail).await?;
    if standing.intake_through != count as u64 {
        return Err(format!("{} of {count} inputs stand in the decisions", standing.intake_through).into());
    }
    log.close().await;
    Ok(Run { pause, filled, appended, routed, effects: turns, folded, folded_by_two })
}

/// Messages into open conversations, decided and folded, a second: no log, no encoding.
fn decide() -> f64 {
    let parties = 1_000;
    let (mut partition, mut now) = opened(parties, false);
    let count = 400_000;
    let inputs: Vec<_> = (0..count).map(|number| message(parties + number, number % parties)).collect();
    let began = Instant::now();
    for input in &inputs {
        now.0 += 1;
        if let domain::Taken::Step(step) = partition.take(now, input) {
            partition.fold(now, &step);
        }
        // A leader hands it to the archive.
        drop(partition.take_departed());
    }
    inputs.len() as f64 / began.elapsed().as_secs_f64()
}

/// What memory grows by with each open conversation that the bot has answered, in bytes, all told.
fn remember() -> Outcome<(f64, usize)> {
    let count = 1_000_000;
    let before = resident()?;
    let (partition, _) = opened(count, true);
    let after = resident()?;
    let open = partition.state().customers().filter(|(_, customer)| customer.latest.is_some()).count();
    Ok(((after - before) / count as f64, open))
}

fn resident() -> Outcome<f64> {
    let pages: f64 = std::fs::read_to_string("/proc/self/statm")?
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .ok_or("no resident size")?;
    Ok(pages * 4096.0)
}

/// A state in which each party has an open conversation, as a worker that read its inputs has it: with the bot's answer
/// sent, or waiting for it.
fn opened(parties: usize, answered: bool) -> (Partition<Decider>, Timestamp) {
    let mut partition = Partition::new(TOPOLOGY);
    let mut now = Timestamp(clock::now());
    for policy in policies().all() {
        if let Some(step) = partition.adopt(now, policy.clone()) {
            partition.fold(now, &step);
        }
    }
    for number in 0..parties {
        now.0 += i64::from(number % 100 == 0);
        let party = Party(sixteen(number, 1));
        let answers = if answered { answer(party) } else { Vec::new() };
        let inputs = std::iter::once(encoded(number, 1)).chain(answers);
        for input in inputs.filter_map(|bytes| wire::decode_intake::<Decider>(&bytes).ok()) {
            if let domain::Taken::Step(step) = partition.take(now, &input) {
                partition.fold(now, &step);
            }
        }
        // The contacts answer at once here, or the outbox would hold the relays of all parties.
        let last =
            partition.outboxes().filter_map(|(to, outbox)| Some((to, outbox.unapplied().next_back()?)));
        for (by, through) in last.collect::<Vec<_>>() {
            if let domain::Taken::Step(step) = partition.take(now, &Intake::Applied { by, through }) {
                partition.fold(now, &step);
            }
        }
        drop(partition.take_departed());
    }
    (partition, now)
}

/// The bot answers the first turn, and the provider takes what it says.
fn answer(party: Party) -> Vec<Bytes> {
    let conversation = ConversationId { party, number: 1 };
    let turn = TurnId { conversation, owner_epoch: 1, number: 1 };
    let message = MessageId(sixteen(1, party.0[0]));
    let say = BotAction::Say { message, body: sealed(party, SEALED_TEXT) };
    let progress = Progress::Sent { provider_id: format!("provider-{party}").into() };
    let commands = [
        conversation::Command::BotAnswer { turn, tenant: tenant(), bot: name("greeter"), actions: vec![say] },
        conversation::Command::Progress { conversation, message, progress },
    ];
    let input = |command| Intake::Input {
        origin: Origin::Report,
        at: Timestamp(clock::now()),
        tenant: tenant(),
        policy_version: 1,
        command,
    };
    commands.map(|command| wire::encode_intake::<Decider>(&input(command))).into()
}

fn encoded(number: usize, new_every: usize) -> Bytes {
    let party = if number.is_multiple_of(new_every) {
        number / new_every
    } else {
        // Any that came before.
        number.wrapping_mul(7919) % (number / new_every + 1)
    };
    wire::encode_intake::<Decider>(&message(number, party))
}

fn message(number: usize, party: usize) -> Intake<conversation::Command> {
    let party = Party(sixteen(party, 1));
    let id = sixteen(number, 2);
    Intake::Input {
        origin: Origin::Fact(FactId(id)),
        at: Timestamp(clock::now()),
        tenant: tenant(),
        policy_version: 1,
        command: conversation::Command::Receive(Box::new(Received {
            from: Correspondent {
                tenant: tenant(),
                inbox: name("sms"),
                channel: Channel::Sms,
                party,
                address: sealed(party, SEALED_ADDRESS),
            },
            kind: MessageKind::Message,
            message: MessageId(id),
            content: sealed(party, SEALED_TEXT),
            sent_at: Timestamp(clock::now()),
            authenticated: true,
            thread: None,
            placed: None,
            people_only: false,
            reply_to: None,
            referral: None,
            window: None,
            home: None,
            marks: None,
            answers: conversation::Answers::default(),
            entry: None,
        })),
    }
}

/// Spread as a keyed hash is.
fn sixteen(number: usize, salt: u8) -> [u8; 16] {
    let hash = blake3::hash(&[&number.to_le_bytes()[..], &[salt]].concat());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

fn sealed(subject: Party, length: usize) -> Sealed {
    Sealed { subject, bytes: vec![7; length].into() }
}

fn tenant() -> TenantId {
    name("acme")
}

fn name<T: std::str::FromStr<Err = domain::BadId>>(text: &str) -> T {
    text.parse().unwrap_or_else(|bad| panic!("{bad}"))
}

fn policies() -> Policies {
    let queue: QueueId = name("acme/support/general");
    let bot: BotId = name("greeter");
    let inbox = Inbox {
        channel: Channel::Sms,
        address: "+15550100".into(),
        bot: Some(bot.clone()),
        queue: queue.clone(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: BTreeMap::new(),
    };
    let mut policies = Policies::default();
    policies.put(Arc::new(Policy {
        tenant: tenant(),
        version: 1,
        inboxes: BTreeMap::from([(name("sms"), inbox)]),
        queues: BTreeMap::from([(queue, Queue { offer_timeout: Millis::seconds(30), ..Queue::default() })]),
        agents: BTreeMap::new(),
        bots: BTreeMap::from([(bot, Bot { answer_within: Millis::hours(24), kind: BotKind::Stream })]),
        hours: BTreeMap::new(),
        links: Default::default(),
    }));
    policies
}
