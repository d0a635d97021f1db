//! Where tests find mail servers that others wrote: Postfix, Dovecot and swaks, by `server.sh`. Where they cannot be had or
//! cannot run, a test says so and does nothing, unless `REQUIRE_MAIL=1` makes that a failure.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not each test needs all"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/mail/server.sh");

/// Two servers of a test's own. They end with it, however it ends.
pub(crate) struct Server {
    dir: TempDir,
    where_: String,
}

impl Server {
    /// Mail for tributary.test goes by LMTP to `ours`, a port of this machine.
    pub(crate) fn up(ours: u16) -> Option<Server> {
        let dir = TempDir::with_prefix("tributary-mail-").unwrap();
        match run(&["up", text(dir.path()), &ours.to_string()]) {
            Ok(where_) => Some(Server { dir, where_ }),
            Err(why) if std::env::var("REQUIRE_MAIL").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_MAIL=1, and there are no mail servers: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for no mail servers can be had: {why}");
                None
            }
        }
    }

    /// Where a service is, such as `smtp` or `imap`: a host and its port.
    pub(crate) fn at(&self, service: &str) -> (String, u16) {
        let (host, port) = self.named(service).rsplit_once(':').unwrap();
        (host.to_owned(), port.parse().unwrap())
    }

    /// Hands a mail to Postfix by swaks; false where Postfix did not take it.
    pub(crate) fn swaks(&self, from: &str, to: &str, more: &[&str]) -> bool {
        let mut command = Command::new(self.named("swaks"));
        command.args(["--server", self.named("smtp"), "--from", from, "--to", to, "--timeout", "20"]);
        command.args(more).output().unwrap().status.success()
    }

    /// Kills `postfix` or `dovecot`, in the middle of whatever it does.
    pub(crate) fn kill(&self, name: &str) {
        run(&["down", text(self.dir.path()), name, "KILL"]).expect("a server that runs");
    }

    pub(crate) fn again(&self, name: &str) {
        run(&["again", text(self.dir.path()), name]).expect("a server that starts");
    }

    /// More lines of Postfix's main.cf.
    pub(crate) fn set(&self, lines: &[&str]) {
        run(&[&["set", text(self.dir.path())], lines].concat()).expect("Postfix takes them");
    }

    /// What Postfix has not delivered yet.
    pub(crate) fn queue(&self) -> Vec<String> {
        let queue = run(&["queue", text(self.dir.path())]).expect("Postfix tells");
        queue.lines().map(str::to_owned).collect()
    }

    /// Where Dovecot keeps a user's mail.
    pub(crate) fn maildir(&self, user: &str) -> PathBuf {
        self.dir.path().join("dovecot/mail").join(user)
    }

    /// Whom Dovecot's TLS is vouched for by, in PEM form.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("dovecot/cert.pem")).unwrap()
    }

    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name).join("log")).unwrap_or_default()
    }

    fn named(&self, name: &str) -> &str {
        let found = self.where_.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.expect("the script tells")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Failing that, they end with this process.
        let _ = run(&["down", text(self.dir.path())]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

fn run(arguments: &[&str]) -> Result<String, String> {
    let owner = std::process::id().to_string();
    let output = Command::new(SCRIPT).args(arguments).env("SERVER_OWNER", owner).output();
    let Output { status, stdout, stderr } = output.map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
}
