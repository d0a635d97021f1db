//! Where the programs are. Where they cannot be had a test says so and does nothing, unless `REQUIRE_MAIL_PEERS=1` makes that a
//! failure.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail_out");

fn python() -> Option<&'static PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let fetch = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python.sh");
        let peers = ["mail-peers", "aiosmtpd==1.4.6", "dkimpy[ed25519]==1.1.8"];
        let fetched = Command::new(script).args(peers).output().map_err(|error| error.to_string());
        let fetched = fetched.and_then(|output| match output.status.success() {
            true => Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("bin/python")),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        });
        match fetched {
            Ok(python) => Some(python),
            Err(why) if std::env::var("REQUIRE_MAIL_PEERS").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_MAIL_PEERS=1, and there are no peers for mail: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for the peers for mail cannot be had: {why}");
                None
            }
        }
    };
    PYTHON.get_or_init(fetch).as_ref()
}

/// What they read in these mails, in order. `records` is what the DNS says.
pub(crate) fn read(mails: &[Vec<u8>], records: &Value) -> Option<Vec<Value>> {
    let python = python()?;
    let dir = TempDir::with_prefix("tributary-mail-").unwrap();
    for (at, mail) in mails.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{at:05}.eml")), mail).unwrap();
    }
    let file = dir.path().join("records.json");
    std::fs::write(&file, records.to_string()).unwrap();
    let output =
        Command::new(python).arg(format!("{HERE}/read.py")).arg(dir.path()).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), mails.len());
    Some(read)
}

/// A relay of a test's own. It ends with its test, however that ends.
pub(crate) struct Relay {
    dir: TempDir,
    pub(crate) port: u16,
    child: Child,
    _open: ChildStdin,
}

impl Relay {
    pub(crate) fn up() -> Option<Relay> {
        let python = python()?;
        let dir = TempDir::with_prefix("tributary-mail-").unwrap();
        let mut child = Command::new(python)
            .arg(format!("{HERE}/relay.py"))
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let open = child.stdin.take().unwrap();
        Some(Relay { dir, port: port.trim().parse().unwrap(), child, _open: open })
    }

    /// What it took, in order.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
