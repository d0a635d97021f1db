//! The real binary: installed in a folder of its own, started with the roles a bench asks for, and stopped.

use std::{
    ffi::OsString,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vault::{MasterKey, Vault};

use super::{Outcome, load::get, report::folder, webhooks::PUBLIC_URL};

const PATIENCE: Duration = Duration::from_secs(30);
/// What the kernel counts a process's time in, a second.
const TICKS: f64 = 100.0;

/// The workspace that `tributary dev` begins with.
pub(crate) const SAMPLE: &str = include_str!("../../crates/tributary/src/dev.toml");

/// One Messenger inbox whose bot greets each new party; `PLATFORM` is where messages are sent to.
pub(crate) const GREETED: &str = r#"
tenant = "dev"

[inboxes.messenger]
channel = "messenger"
address = "1"
bot = "welcome"
queue = "support/general"

[inboxes.messenger.settings]
app_secret = "secret:dev"
verify_token = "secret:dev"
access_token = "secret:dev"
base_url = "http://PLATFORM"

[bots.welcome]
kind = "built_in"
greeting = "Welcome! Tell us what you need, or say \"I want a person\"."
quick_replies = ["I want a person"]
person_words = ["person"]
answers = [{ words = ["opening hours"], text = "We are here around the clock." }]

[queues."support/general"]

[agents."support/reserve"]
queues = ["support/general"]
capacity = 1
"#;

/// One SMS inbox whose bot is someone's own, so that nothing answers.
pub(crate) const SILENT: &str = r#"
tenant = "acme"

[inboxes.sms]
channel = "sms"
address = "+15550100"
bot = "greeter"
queue = "support/general"
sandbox = true

[bots.greeter]
kind = "stream"
answer_within = "10m"

[queues."support/general"]

[agents."support/reserve"]
queues = ["support/general"]
capacity = 1
"#;

/// The binary to measure; the environment may name another build of it, to compare the two.
pub(crate) fn binary() -> OsString {
    std::env::var_os("TRIBUTARY_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_tributary").into())
}

/// An installation with a workspace in force; gone when dropped.
pub(crate) struct Installation {
    folder: TempDir,
    pub(crate) at: Addresses,
}

#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

impl Installation {
    /// Puts the workspace in force by running every role for a moment. Each of `agents` (`DESK/NAME`) may log in with
    /// its name as its token.
    pub(crate) async fn new(workspace: &str, agents: &[String]) -> Outcome<Installation> {
        let at = Addresses { http: free()?, grpc: free()?, metrics: free()? };
        let installation = Installation { folder: tempfile::tempdir_in(folder())?, at };
        let mut config = format!(
            "data = \"{}\"\npublic_url = \"{PUBLIC_URL}\"\nhttp.listen = \"{}\"\nsmtp.listen = \"{}\"\nlmtp.listen = \"{}\"\n\
             grpc.listen = \"{}\"\nmetrics.listen = \"{}\"\n",
            installation.data().display(),
            at.http,
            free()?,
            free()?,
            at.grpc,
            at.metrics,
        );
        let token = |token: &str, role: &str| {
            format!("[[tokens]]\ntoken = \"text:{token}\"\ntenant = \"dev\"\nname = \"{token}\"\n{role}\n")
        };
        config += "secrets.dev.dev = \"text:dev\"\n";
        config += &token("admin", "admin = true");
        for agent in agents {
            config += &token(agent, &format!("agent = \"{agent}\""));
        }
        std::fs::write(installation.path("tributary.toml"), config)?;
        std::fs::write(installation.path("workspace.toml"), workspace)?;
        let server = installation.start(&[]).await?;
        installation.apply()?;
        server.stop().await?;
        Ok(installation)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(binary());
        command.arg(name).arg("-c").arg(self.path("tributary.toml"));
        command.env("TRIBUTARY_TOKEN", "admin").env("RUST_LOG", "warn").stdin(Stdio::null());
        command
    }

    fn apply(&self) -> Outcome<()> {
        let said = self.command("apply").arg(self.path("workspace.toml")).output()?;
        match said.status.success() {
            true => Ok(()),
            false => Err(format!("`apply` failed: {}", String::from_utf8_lossy(&said.stderr)).into()),
        }
    }

    /// Starts the process; all roles where none is named. Yields once it is ready.
    pub(crate) async fn start(&self, roles: &[&str]) -> Outcome<Server> {
        let said = self.path("said.txt");
        let mut command = self.command("serve");
        if !roles.is_empty() {
            command.arg("--roles").arg(roles.join(","));
        }
        let child = command.stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
        let mut server = Server { child, at: self.at, said };
        let began = Instant::now();
        while get(self.at.metrics, "/ready").await.is_err() {
            if server.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                return Err(format!("it does not get ready: {}", server.said()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Its vault, for the hashes that name what is in the log.
    pub(crate) fn vault(&self) -> Outcome<Vault> {
        let keys = self.data().join("keys");
        let master = MasterKey::read(&keys.join("master.key"))?;
        Ok(Vault::open(vault::Config::new(keys, master))?)
    }
}

/// A free address. It could be taken before the process takes it, which then says so.
fn free() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The running binary. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    at: Addresses,
    said: PathBuf,
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it complained about.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// The metric's value for each value of its label `aggregate`.
    pub(crate) async fn by_aggregate(&self, metric: &str) -> Outcome<Vec<(String, f64)>> {
        let page = get(self.at.metrics, "/metrics").await?;
        let values = page.lines().filter_map(|line| {
            let rest = line.strip_prefix(metric)?.strip_prefix("{aggregate=\"")?;
            let (aggregate, value) = rest.split_once("\"} ")?;
            Some((aggregate.to_owned(), value.parse().ok()?))
        });
        Ok(values.collect())
    }

    /// Peak resident memory so far, in MiB.
    pub(crate) fn peak_memory(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).ok_or("no VmHWM")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let asked = Command::new("kill").args(["-TERM", &self.id().to_string()]).status()?;
        let began = Instant::now();
        while asked.success() && began.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("it ended with {status}: {}", self.said()).into()),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Err(format!("it does not stop: {}", self.said()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time that a process has used, in seconds.
pub(crate) fn processor_time(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name stands in parentheses and may hold anything; user and system time are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(") ").ok_or("a strange /proc/PID/stat")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).ok_or("no user time")? + ticks(12).ok_or("no system time")?) / TICKS)
}

/// What our own load costs beside what it loads, since the measure was begun.
pub(crate) struct Effort {
    of: [u32; 2],
    began: [f64; 2],
}

impl Effort {
    pub(crate) fn of(server: u32) -> Outcome<Effort> {
        let of = [server, std::process::id()];
        Ok(Effort { of, began: [processor_time(of[0])?, processor_time(of[1])?] })
    }

    /// Processor time a webhook, in microseconds.
    pub(crate) fn told(&self, webhooks: usize) -> Outcome<String> {
        let each = |at: usize| -> Outcome<f64> {
            Ok((processor_time(self.of[at])? - self.began[at]) * 1e6 / webhooks as f64)
        };
        Ok(format!("processor time a webhook: {:.0} us, of the load {:.0} us", each(0)?, each(1)?))
    }
}
