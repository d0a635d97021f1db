//! Three real brokers, through the project's own script: every partition on all of them, two of which must have a record
//! before it counts.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

pub(crate) const COUNT: u16 = 3;

/// Ended with their owner, and by the script should this process end without a word.
pub(crate) struct Brokers {
    folder: TempDir,
    /// How clients reach them directly: `HOST:PORT,…`.
    pub(crate) addresses: String,
    /// The first port of the listeners behind proxies; the proxies' own ports begin [`COUNT`] further on.
    pub(crate) through: u16,
}

impl Brokers {
    /// None where this machine cannot have any.
    pub(crate) fn start() -> Option<Brokers> {
        let folder = TempDir::with_prefix("tributary-brokers-").unwrap();
        let mut brokers = Brokers { folder, addresses: String::new(), through: free_ports(2 * COUNT) };
        let started = brokers.script(&["up"], &[&COUNT.to_string()]);
        if started.status.success() {
            brokers.addresses = String::from_utf8_lossy(&started.stdout).trim().to_owned();
            return Some(brokers);
        }
        let why = String::from_utf8_lossy(&started.stderr);
        let is_required = std::env::var("REQUIRE_KAFKA").is_ok_and(|value| value == "1");
        assert!(!is_required, "REQUIRE_KAFKA=1, and there are no brokers: {why}");
        eprintln!("SKIPPED: the fault suite needs three brokers of its own, and could not start them: {why}");
        None
    }

    /// How a client reaches them through the proxies.
    pub(crate) fn proxied(&self) -> String {
        let proxies = (self.through + COUNT..).take(COUNT.into());
        proxies.map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    /// A broker by its number, from 1.
    pub(crate) fn kill(&self, number: u16) {
        assert!(self.signal(number, "KILL"), "broker {number} does not run");
    }

    fn signal(&self, number: u16, signal: &str) -> bool {
        self.script(&["signal"], &[&number.to_string(), signal]).status.success()
    }

    /// No file of this broker may grow any more, as if its disk were full. It ends by that, as Kafka does when it has no
    /// place left to write to.
    pub(crate) fn fill_disk(&self, number: u16) {
        let pid = self.pid(number);
        let limited = Command::new("prlimit").args(["--pid", &pid, "--fsize=1024"]).status();
        assert!(limited.is_ok_and(|status| status.success()), "prlimit sets a limit to the files of {pid}");
    }

    pub(crate) fn runs(&self, number: u16) -> bool {
        self.signal(number, "0")
    }

    /// Starts it again, with what it had.
    pub(crate) async fn again(&self, number: u16) {
        let script = self.command(&["again"], &[&number.to_string()]);
        let started = tokio::task::spawn_blocking(move || {
            let mut script = script;
            script.output().unwrap()
        })
        .await
        .unwrap();
        assert!(
            started.status.success(),
            "broker {number} starts again: {}",
            String::from_utf8_lossy(&started.stderr)
        );
    }

    fn pid(&self, number: u16) -> String {
        let pid = std::fs::read_to_string(self.folder.path().join(number.to_string()).join("pid"));
        pid.expect("a broker has a process").trim().to_owned()
    }

    fn script(&self, before: &[&str], after: &[&str]) -> Output {
        self.command(before, after).output().expect("bash runs the script")
    }

    /// The script, with the folder between its command and the rest.
    fn command(&self, before: &[&str], after: &[&str]) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/kafka/broker.sh");
        let mut command = Command::new("bash");
        command.arg(script).args(before).arg(self.folder.path()).args(after);
        command.env("BROKER_OWNER", std::process::id().to_string());
        command.env("BROKER_THROUGH", self.through.to_string());
        command
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.script(&["down"], &["KILL"]);
    }
}

/// The first of so many free ports in a row, where no client is given one for itself.
fn free_ports(count: u16) -> u16 {
    let starts = (0..400).map(|step| 11_000 + (std::process::id() as u16 % 400 + step) % 400 * 20);
    let free = |first: &u16| {
        (*first..first + count).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    };
    starts.into_iter().find(free).expect("there are free ports")
}
