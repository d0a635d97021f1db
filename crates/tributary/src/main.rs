//! The command line of Tributary: what is asked for is parsed, traced and run to its exit code.

#![allow(unreachable_pub, reason = "a binary has no outside: `pub` says what a module offers to the others")]

mod args;
mod commands;
mod config;
mod dev;
mod exit;
mod key_store;
mod layout;
mod mail;
mod meta;
mod observe;
mod opened;
mod progress;
mod serve;
mod signals;
mod stores;

use std::process::ExitCode;

use clap::Parser as _;

/// A message makes and drops hundreds of small values on several threads; this costs half of what the system's does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    observe::trace(cli.log_format, cli.command.runs_long());
    exit::report(commands::run(cli.command))
}
