//! Kafka brokers of a test's own, through the project's own script. Where none can be had a test says so and does nothing,
//! unless `REQUIRE_KAFKA=1` makes that a failure.

#![allow(dead_code, reason = "not each test needs all")]

use std::{path::Path, process::Command};

use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kafka/broker.sh");

/// Brokers of a test's own, to be killed and started again. They end with it, however it ends.
pub(crate) struct Brokers {
    pub(crate) addresses: String,
    pub(crate) dir: TempDir,
}

impl Brokers {
    pub(crate) fn up(count: usize) -> Option<Self> {
        Brokers::up_with(count, &[])
    }

    /// With settings of the script's own.
    pub(crate) fn up_with(count: usize, settings: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder for the brokers");
        match run(&["up", path(dir.path()), &count.to_string()], settings) {
            Ok(addresses) => Some(Brokers { addresses, dir }),
            Err(why) if std::env::var("REQUIRE_KAFKA").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_KAFKA=1, and no broker can be had: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for no Kafka broker can be had (KAFKA_BROKERS names one): {why}");
                None
            }
        }
    }

    /// Sends a signal to one of them, counted from 1.
    pub(crate) fn signal(&self, number: usize, signal: &str) {
        run(&["signal", path(self.dir.path()), &number.to_string(), signal], &[])
            .expect("a broker that runs");
    }

    /// Ends them as an operator would.
    pub(crate) fn end_cleanly(&mut self) {
        run(&["down", path(self.dir.path())], &[]).expect("brokers that end");
    }

    /// Starts one of them again, and waits until it serves.
    pub(crate) fn again(&self, number: usize) {
        run(&["again", path(self.dir.path()), &number.to_string()], &[]).expect("a broker that starts again");
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        // Failing that, they end with this process.
        let _ = run(&["down", path(self.dir.path()), "KILL"], &[]);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Result<String, String> {
    let owner = std::process::id().to_string();
    let mut script = Command::new(SCRIPT);
    script.args(arguments).env("BROKER_OWNER", owner).envs(settings.iter().copied());
    let output = script.output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
