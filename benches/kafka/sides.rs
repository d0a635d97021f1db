//! The two sides as processes: the peer in its virtual machine, and the router as it is installed.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use domain::Kind;
use log::clock;
use tempfile::TempDir;

use super::{
    PARTITIONS,
    cluster::Cluster,
    output::{Decisions, Output, Steps},
    shared::{
        Outcome,
        process::{SILENT, binary, processor_time},
        report::folder,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESSES: [&str; 3] = ["grpc", "metrics", "http"];

/// Something that routes, over the topics that begin with `prefix`.
pub(crate) trait Side {
    fn name(&self) -> &'static str;

    /// Where its decisions go.
    fn decisions(&self, prefix: &str) -> String;

    /// What must be done once, while the intake is empty.
    fn install(&self, cluster: &Cluster, prefix: &str) -> Outcome<()>;

    /// Makes what it writes to, new.
    fn prepare(&self, cluster: &Cluster, prefix: &str) -> Outcome<()>;

    /// Starts it on a fresh state.
    fn start(&self, cluster: &Cluster, prefix: &str) -> Outcome<Running>;

    /// How to read what it wrote; `filled` says how many inputs are in each partition.
    fn output(&self, filled: &[u64]) -> Box<dyn Output>;

    /// What its output counts in: inputs, or the messages that are in them.
    fn counts_inputs(&self) -> bool;
}

/// A process, ended when dropped.
pub(crate) struct Running {
    child: Child,
    said: PathBuf,
    folder: TempDir,
}

impl Running {
    fn start(command: &mut Command, folder: TempDir) -> Outcome<Running> {
        let said = folder.path().join("said.txt");
        let child = command.stdin(Stdio::null()).stderr(File::create(&said)?).spawn()?;
        Ok(Running { child, said, folder })
    }

    pub(crate) fn processor_time(&self) -> Outcome<f64> {
        processor_time(self.child.id())
    }

    /// The highest so far, in MiB.
    pub(crate) fn peak_memory(&self) -> Outcome<f64> {
        self.status("VmHWM:")
    }

    /// What it takes now, in MiB.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = value.and_then(|value| value.trim().strip_suffix(" kB"));
        let kib: f64 = kib.ok_or_else(|| format!("no {name}"))?.trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// What it complained about, at its end.
    pub(crate) fn said(&self) -> String {
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn still_runs(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("it ended with {status}:\n{}", self.said()).into()),
        }
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) -> Outcome<TempDir> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(format!("it does not stop:\n{}", self.said()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let empty = tempfile::tempdir_in(folder())?;
        Ok(std::mem::replace(&mut self.folder, empty))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Kafka Streams application of benches/streams.
pub(crate) struct Peer {
    built: PathBuf,
}

impl Peer {
    /// Builds it with Maven.
    pub(crate) fn build() -> Outcome<Peer> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = Command::new("mvn")
            .args(["-q", "-B", "-DskipTests", "-f"])
            .arg(root.join("benches/streams/pom.xml"))
            .arg("package")
            .status();
        match built.map_err(|error| format!("Maven (mvn) is needed to build the peer: {error}"))?.success() {
            true => Ok(Peer { built: root.join("target/streams") }),
            false => Err("the peer was not built".into()),
        }
    }
}

impl Side for Peer {
    fn name(&self) -> &'static str {
        "Kafka Streams"
    }

    fn decisions(&self, prefix: &str) -> String {
        format!("{prefix}peer.decisions")
    }

    fn install(&self, _: &Cluster, _: &str) -> Outcome<()> {
        Ok(())
    }

    fn prepare(&self, cluster: &Cluster, prefix: &str) -> Outcome<()> {
        // Its changelogs, too.
        cluster.remove(&[&format!("{prefix}peer")])?;
        let topics =
            ["decisions", "contacts", "desks"].map(|name| (format!("{prefix}peer.{name}"), PARTITIONS));
        cluster.create(&topics)
    }

    fn start(&self, cluster: &Cluster, prefix: &str) -> Outcome<Running> {
        let folder = tempfile::tempdir_in(folder())?;
        let java = std::env::var("JAVA_HOME").map_or("java".into(), |home| format!("{home}/bin/java"));
        let topic = |name: &str| format!("{prefix}peer.{name}");
        let mut command = Command::new(java);
        let options = std::env::var("TRIBUTARY_BENCH_JVM").unwrap_or_else(|_| JVM.into());
        // By another name each time: under the same it would go on where it was.
        let application = format!("{prefix}peer.{}", clock::now());
        command
            .args(options.split(' '))
            .arg("-cp")
            .arg(format!("{0}/peer.jar:{0}/lib/*", self.built.display()))
            .arg("peer.Main")
            .args([&cluster.brokers, &application])
            .arg(folder.path().join("state"))
            .args([format!("{prefix}conversation.in"), topic("decisions"), topic("contacts"), topic("desks")])
            .stdout(Stdio::piped());
        let mut running = Running::start(&mut command, folder)?;
        let said = running.child.stdout.take().ok_or("no standard output")?;
        match BufReader::new(said).lines().next() {
            Some(Ok(line)) if line == "running" => Ok(running),
            _ => Err(format!("the peer does not start:\n{}", running.said()).into()),
        }
    }

    fn output(&self, _: &[u64]) -> Box<dyn Output> {
        Box::new(Steps)
    }

    fn counts_inputs(&self) -> bool {
        false
    }
}

/// What the virtual machine is told; benches/streams/README.md says why.
const JVM: &str = "-Xms384m -Xmx384m -XX:+UseParallelGC";

/// `tributary serve --roles router`.
pub(crate) struct Router;

impl Router {
    fn config(cluster: &Cluster, prefix: &str, folder: &Path) -> Outcome<String> {
        let mut config = format!(
            "data = \"{}\"\nlog = \"kafka://{}\"\nkafka.prefix = \"{prefix}\"\npartitions.conversation = {PARTITIONS}\n",
            folder.join("data").display(),
            cluster.brokers,
        );
        for listener in ADDRESSES {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            config += &format!("{listener}.listen = \"{free}\"\n");
        }
        config += "[[tokens]]\ntoken = \"text:admin\"\ntenant = \"acme\"\nname = \"admin\"\nadmin = true\n";
        Ok(config)
    }

    fn command(folder: &Path, name: &str) -> Command {
        let mut command = Command::new(binary());
        command.arg(name).arg("-c").arg(folder.join("tributary.toml"));
        command.env("TRIBUTARY_TOKEN", "admin").env("RUST_LOG", "warn").stdout(Stdio::null());
        command
    }

    fn serve(cluster: &Cluster, prefix: &str, roles: &str) -> Outcome<Running> {
        let folder = tempfile::tempdir_in(folder())?;
        std::fs::write(
            folder.path().join("tributary.toml"),
            Router::config(cluster, prefix, folder.path())?,
        )?;
        let mut command = Router::command(folder.path(), "serve");
        Running::start(command.args(["--roles", roles]), folder)
    }
}

impl Side for Router {
    fn name(&self) -> &'static str {
        "Tributary"
    }

    fn decisions(&self, prefix: &str) -> String {
        format!("{prefix}{}", Kind::Conversation.log_topic())
    }

    /// The workspace comes into force; it stays.
    fn install(&self, cluster: &Cluster, prefix: &str) -> Outcome<()> {
        let workspace = [Kind::Workspace.intake_topic(), Kind::Workspace.log_topic()];
        let workspace = workspace.map(|name| (format!("{prefix}{name}"), 1));
        cluster.remove(&[&workspace[0].0, &workspace[1].0])?;
        cluster.create(&workspace)?;
        self.prepare(cluster, prefix)?;
        let mut all = Router::serve(cluster, prefix, "router,api")?;
        let workspace = all.folder.path().join("workspace.toml");
        std::fs::write(&workspace, SILENT)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = Router::command(all.folder.path(), "apply").arg(&workspace).output()?;
            if said.status.success() {
                return all.stop().map(drop);
            }
            all.still_runs()?;
            if Instant::now() > deadline {
                return Err(format!("`apply` failed: {}", String::from_utf8_lossy(&said.stderr)).into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn prepare(&self, cluster: &Cluster, prefix: &str) -> Outcome<()> {
        let both = |kind: Kind| [kind.intake_topic(), kind.log_topic()];
        let topics =
            [Kind::Conversation, Kind::Desk, Kind::Delivery, Kind::Contact].into_iter().flat_map(both);
        let kept = Kind::Conversation.intake_topic();
        let topics = topics.filter(|name| *name != kept);
        let topics: Vec<_> = topics.map(|name| (format!("{prefix}{name}"), partitions(name))).collect();
        cluster.remove(&topics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        cluster.create(&topics)
    }

    fn start(&self, cluster: &Cluster, prefix: &str) -> Outcome<Running> {
        Router::serve(cluster, prefix, "router")
    }

    fn output(&self, filled: &[u64]) -> Box<dyn Output> {
        Box::new(Decisions::new(filled))
    }

    fn counts_inputs(&self) -> bool {
        true
    }
}

/// As the binary has them unless it is told otherwise.
fn partitions(topic: &str) -> u32 {
    match topic.split('.').next() {
        Some("desk" | "contact") => 2,
        _ => PARTITIONS,
    }
}
