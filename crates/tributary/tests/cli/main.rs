//! The built binary as a user meets it: what it prints, where, and with which exit code.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod backup;
mod beside_a_server;
mod configuration;
mod help;
mod keys_copy;
mod links;
mod log_copy;
mod normalize;
#[cfg(feature = "kafka")]
mod on_kafka;
mod process;
mod readers_gone;
#[cfg(feature = "kafka")]
mod serving;
mod stores;
mod supervision;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.args(args).stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("TRIBUTARY_TOKEN");
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Fails with what was said, so that a wrong code explains itself.
fn expect(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", stdout(output), stderr(output));
}

fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).display().to_string()
}
