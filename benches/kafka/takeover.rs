//! What it costs that a router dies: three of them share the partitions of one broker, under a steady load, and one after
//! the other is killed (`kill -9`) and started again.
//!
//! Who leads and when it decided is read from the log itself, by the times that the broker stamps; when the group noticed
//! is when its coordinator no longer lists the dead member, which is asked every few milliseconds. **Takeover** counts from
//! there to the first decision of another, for every partition that the dead one led; the whole **gap** from its last
//! decision. Partitions that nobody took over are watched, too: the longest time between two of their decisions while
//! the others move, beside the longest in the same time before.
//!
//! `TRIBUTARY_BENCH_KILLS` is how many, ten unless it says otherwise, `TRIBUTARY_BENCH_STANDBYS` how many stand by for a
//! partition.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]
#![allow(clippy::print_stderr, reason = "progress goes beside the report")]

#[allow(dead_code, reason = "the other bench of this folder uses the rest")]
mod cluster;
#[allow(dead_code, reason = "the other bench of this folder uses the rest")]
mod inputs;
#[path = "../shared/mod.rs"]
mod shared;

use std::{
    collections::BTreeMap,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{Kind, Topology, conversation::Decider};
use log::clock;
use rdkafka::{Message as _, consumer::BaseConsumer};
use tempfile::TempDir;
use wire::{Header, Judgement, Point, Reader};

use cluster::Cluster;
use inputs::{Filler, Series};
use shared::{
    Outcome,
    load::get,
    process::{SILENT, binary},
    report::{Rounds, folder, machine, number, percentile},
};

const PARTITIONS: u32 = 12;
const TOPOLOGY: Topology =
    Topology { conversation: PARTITIONS, desk: 2, delivery: 4, contact: 2, workspace: 1 };
const PREFIX: &str = "bench-takeover.";
const ROUTERS: usize = 3;
/// The shortest that brokers allow by default.
const SESSION: Duration = Duration::from_secs(6);
/// Messages a second, over all partitions.
const PACE: f64 = 600.0;
const PATIENCE: Duration = Duration::from_secs(60);
/// How long all is left alone: to be warm, and for a look at the steady state.
const CALM: i64 = 6_000;
/// How long the move of partitions is watched, from when the group noticed, in milliseconds.
const MOVING: i64 = 5_000;

fn main() -> Outcome<()> {
    machine()?;
    let kills = number("TRIBUTARY_BENCH_KILLS", 10);
    let standbys = number("TRIBUTARY_BENCH_STANDBYS", 1);
    let cluster = Cluster::start()?;
    cluster.remove(&[PREFIX])?;
    let mut routers = (0..ROUTERS).map(|_| Router::new(&cluster, standbys)).collect::<Outcome<Vec<_>>>()?;
    routers[0].command("topics", &["create"])?;
    routers[0].install()?;
    let decisions = Decisions::follow(&cluster)?;
    let series =
        Series { number: 1, messages: PACE as usize * 60 * (kills + 2), each: 10, redelivered: false };
    let filler =
        Filler::new(&cluster.brokers, &format!("{PREFIX}{}", Kind::Conversation.intake_topic()), "0")?;
    // It ends with this process.
    std::thread::spawn(move || filler.pace(series, Instant::now(), PACE));
    for router in &mut routers {
        router.start("router")?;
    }
    for router in &mut routers {
        router.until_ready()?;
    }
    println!(
        "{ROUTERS} routers over {PARTITIONS} partitions on {}, {PACE} messages/s, a session of {} s, {standbys} standing by",
        cluster.told(),
        SESSION.as_secs(),
    );
    let mut all = Vec::new();
    for kill in 0..kills {
        std::thread::sleep(Duration::from_millis(CALM as u64 + 1_000));
        let kill = takeover(&cluster, &decisions, &mut routers, kill % ROUTERS)?;
        println!("{}", kill.told());
        all.push(kill);
    }
    report(&all);
    drop(routers);
    cluster.remove(&[PREFIX])
}

/// What one death showed, in milliseconds: of each partition that was taken over, and of those that were not.
struct Kill {
    /// From when the group noticed to the first decision of another.
    takeovers: Vec<f64>,
    /// From the last decision before to the first after.
    gaps: Vec<f64>,
    /// The longest times between two decisions about partitions that stayed: before, and while others moved.
    steady: f64,
    meanwhile: f64,
}

fn takeover(
    cluster: &Cluster,
    decisions: &Decisions,
    routers: &mut [Router],
    victim: usize,
) -> Outcome<Kill> {
    let before = decisions.leaders();
    let dead = routers[victim].kill()?;
    let killed = clock::now();
    let noticed = noticed(cluster)?;
    let led = |leaders: &BTreeMap<u32, String>| -> Vec<u32> {
        let led = leaders.iter().filter(|(_, leader)| leader.ends_with(&format!("-{dead}")));
        led.map(|(partition, _)| *partition).collect()
    };
    let moved = led(&before);
    let deadline = Instant::now() + PATIENCE;
    while !moved.iter().all(|partition| decisions.next(*partition, killed, &dead).is_some()) {
        if Instant::now() > deadline {
            return Err(format!("{:?} are not taken over", led(&decisions.leaders())).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(MOVING as u64));
    let mut kill = Kill { takeovers: Vec::new(), gaps: Vec::new(), steady: 0.0, meanwhile: 0.0 };
    for partition in &moved {
        let (last, first) = decisions.next(*partition, killed, &dead).ok_or("nobody decides any more")?;
        kill.takeovers.push((first - noticed) as f64);
        kill.gaps.push((first - last) as f64);
    }
    let after = decisions.leaders();
    for partition in (0..PARTITIONS).filter(|partition| before.get(partition) == after.get(partition)) {
        let longest = |from| decisions.longest(partition, from, from + MOVING);
        kill.steady = kill.steady.max(longest(killed - MOVING));
        kill.meanwhile = kill.meanwhile.max(longest(noticed - 500));
    }
    routers[victim].start("router")?;
    routers[victim].until_ready()?;
    Ok(kill)
}

/// When the group no longer has all its members, in milliseconds since the epoch.
fn noticed(cluster: &Cluster) -> Outcome<i64> {
    let group = format!("{PREFIX}workers.{}", Kind::Conversation.intake_topic());
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let groups = cluster.client().fetch_group_list(Some(&group), PATIENCE)?;
        let seen = clock::now();
        if groups.groups().iter().any(|group| group.state() != "Stable" || group.members().len() < ROUTERS) {
            return Ok(seen);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err("the group does not notice".into())
}

impl Kill {
    fn told(&self) -> String {
        let longest = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        format!(
            "{} partitions taken over: the last {:.0} ms after the group noticed, a gap of {:.0} ms; the others waited \
             {:.0} ms at most, before it {:.0} ms",
            self.takeovers.len(),
            longest(&self.takeovers),
            longest(&self.gaps),
            self.meanwhile,
            self.steady,
        )
    }
}

fn report(all: &[Kill]) {
    let sorted = |of: fn(&Kill) -> &Vec<f64>| {
        let mut values: Vec<f64> = all.iter().flat_map(|kill| of(kill).iter().copied()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (takeovers, gaps) = (sorted(|kill| &kill.takeovers), sorted(|kill| &kill.gaps));
    println!("| | p50 | p90 | p99 | longest |\n|---|---:|---:|---:|---:|");
    for (name, values) in [("after the group noticed", &takeovers), ("the whole gap", &gaps)] {
        let [p50, p90, p99, longest] = [50, 90, 99, 100].map(|percent| percentile(values, percent));
        println!("| {name} | {p50:.0} ms | {p90:.0} ms | {p99:.0} ms | {longest:.0} ms |");
    }
    figure("kafka.takeover.p99_ms", percentile(&takeovers, 99), "ms", 500.0);
    let beyond = percentile(&gaps, 100) - SESSION.as_secs_f64() * 1e3;
    figure("kafka.takeover.beyond_session_ms", beyond, "ms", 1_000.0);
    let mut ratios = Rounds::default();
    all.iter().for_each(|kill| ratios.add(kill.meanwhile / kill.steady));
    ratios.at_most("kafka.unmoved.gap", "of_the_steady_one", 1.2);
}

fn figure(name: &str, value: f64, unit: &str, target: f64) {
    let verdict = if value <= target { "ok" } else { "short" };
    println!("figure {name} {value:.0} {unit} reach {target:.0} {verdict}");
}

/// The accepted decisions of each partition, as they come: by whom, and when the broker took them.
struct Decisions(Arc<Mutex<BTreeMap<u32, Decided>>>);

#[derive(Default)]
struct Decided {
    leader: String,
    all: Vec<(i64, String)>,
}

impl Decisions {
    fn follow(cluster: &Cluster) -> Outcome<Decisions> {
        let consumer = cluster.read(&format!("{PREFIX}{}", Kind::Conversation.log_topic()), PARTITIONS)?;
        let decisions = Decisions(Arc::default());
        let all = decisions.0.clone();
        // It ends with this process.
        std::thread::spawn(move || read(&consumer, &all));
        Ok(decisions)
    }

    fn leaders(&self) -> BTreeMap<u32, String> {
        let all = locked(&self.0);
        all.iter().map(|(partition, decided)| (*partition, decided.leader.clone())).collect()
    }

    /// The last decision of the dead one, and the first of another behind it.
    fn next(&self, partition: u32, killed: i64, dead: &str) -> Option<(i64, i64)> {
        let all = locked(&self.0);
        let decided = &all.get(&partition)?.all;
        let by_dead = |leader: &str| leader.ends_with(&format!("-{dead}"));
        let last = decided.iter().rposition(|(_, leader)| by_dead(leader))?;
        let (first, _) = decided.get(last + 1).filter(|(at, _)| *at >= killed)?;
        Some((decided[last].0, *first))
    }

    /// The longest time without a decision, in milliseconds.
    fn longest(&self, partition: u32, from: i64, to: i64) -> f64 {
        let all = locked(&self.0);
        let times = all.get(&partition).into_iter().flat_map(|decided| &decided.all).map(|(at, _)| *at);
        let times: Vec<i64> = times.filter(|at| (from..to).contains(at)).collect();
        times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(to - from) as f64
    }
}

fn locked(all: &Mutex<BTreeMap<u32, Decided>>) -> MutexGuard<'_, BTreeMap<u32, Decided>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(consumer: &BaseConsumer, all: &Mutex<BTreeMap<u32, Decided>>) {
    let mut readers: BTreeMap<i32, Reader<Decider>> = BTreeMap::new();
    loop {
        let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let reader = readers.entry(record.partition()).or_insert_with(|| Reader::new(Point::default()));
        let bytes = Bytes::copy_from_slice(record.payload().unwrap_or_default());
        let judged = reader.judge(u64::try_from(record.offset()).unwrap_or(0), &bytes);
        let mut all = locked(all);
        let decided = all.entry(u32::try_from(record.partition()).unwrap_or(0)).or_default();
        match judged {
            Ok(Judgement::Accepted(Header::Announce(announce))) => decided.leader = announce.leader,
            Ok(Judgement::Accepted(Header::Decision { .. })) => {
                let at = record.timestamp().to_millis().unwrap_or(0);
                decided.all.push((at, decided.leader.clone()));
            }
            Ok(Judgement::Ignored(_)) => {}
            Err(error) => eprintln!("a record of partition {} is none: {error}", record.partition()),
        }
    }
}

/// A process with the role `router`, on data of its own. Killed when dropped.
struct Router {
    folder: TempDir,
    metrics: SocketAddr,
    grpc: SocketAddr,
    child: Option<Child>,
}

impl Router {
    fn new(cluster: &Cluster, standbys: usize) -> Outcome<Router> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let router =
            Router { folder: tempfile::tempdir_in(folder())?, metrics: free()?, grpc: free()?, child: None };
        let config = format!(
            "data = \"{}\"\nlog = \"kafka://{}\"\nmetrics.listen = \"{}\"\ngrpc.listen = \"{}\"\n\
             partitions.conversation = {PARTITIONS}\n[kafka]\nprefix = \"{PREFIX}\"\nsession_seconds = {}\n\
             standbys = {standbys}\n\
             [[tokens]]\ntoken = \"text:admin\"\ntenant = \"acme\"\nname = \"admin\"\nadmin = true\n",
            router.folder.path().join("data").display(),
            cluster.brokers,
            router.metrics,
            router.grpc,
            SESSION.as_secs(),
        );
        std::fs::write(router.folder.path().join("tributary.toml"), config)?;
        std::fs::write(router.folder.path().join("workspace.toml"), SILENT)?;
        Ok(router)
    }

    fn tributary(folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).arg("-c").arg(folder.join("tributary.toml"));
        command.env("TRIBUTARY_TOKEN", "admin").env("RUST_LOG", "info").stdin(Stdio::null());
        command
    }

    /// A command that must succeed.
    fn command(&self, name: &str, words: &[&str]) -> Outcome<()> {
        let output = Router::tributary(self.folder.path(), &[&[name], words].concat()).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    /// The workspace comes into force; it stays.
    fn install(&mut self) -> Outcome<()> {
        self.start("router,api")?;
        self.until_ready()?;
        let workspace = self.folder.path().join("workspace.toml");
        self.command("apply", &[workspace.to_str().ok_or("a readable path")?])?;
        let mut child = self.child.take().ok_or("it was started")?;
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        child.wait()?;
        Ok(())
    }

    fn start(&mut self, roles: &str) -> Outcome<()> {
        let said = File::options().create(true).append(true).open(self.folder.path().join("said.txt"))?;
        let mut command = Router::tributary(self.folder.path(), &["serve"]);
        self.child = Some(command.args(["--roles", roles]).stdout(Stdio::null()).stderr(said).spawn()?);
        Ok(())
    }

    fn until_ready(&mut self) -> Outcome<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let deadline = Instant::now() + PATIENCE;
        while runtime.block_on(get(self.metrics, "/ready")).is_err() {
            let child = self.child.as_mut().ok_or("it was started")?;
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(self.folder.path().join("said.txt"))?;
                return Err(format!("a router does not get ready: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// `kill -9`; the number it had.
    fn kill(&mut self) -> Outcome<String> {
        let mut child = self.child.take().ok_or("it runs")?;
        child.kill()?;
        child.wait()?;
        Ok(child.id().to_string())
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended; then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
