//! What the commands do, one module each. A command that only reads opens the data directory beside a running server.

// Processes.
pub mod serve;
pub mod topics;

// What the business is, and what an operator looks after: asked of a running process.
pub mod apply;
pub mod links;
mod remote;
pub mod set_aside;
pub mod suppressed;
pub mod watch;

// What is in the data directory.
pub mod backup;
pub mod contacts;
mod decisions;
pub mod doctor;
pub mod events;
mod installation;
pub mod keys_copy;
pub mod lag;
pub mod log_copy;
pub mod rebuild;
pub mod restore;
pub mod verify;
pub mod what_if;
pub mod why;

// No installation needed.
pub mod normalize;

use anyhow::Context as _;

use crate::{args::Command, dev, exit, observe, signals};

/// Runs the command to its end. Yields the exit code.
pub fn run(command: Command) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("could not start the threads of the process")?;
    runtime.block_on(async {
        signals::survive_file_size_limits()?;
        match command {
            Command::Dev(args) => {
                observe::record()?;
                dev::run(args, signals::stop()?).await.map(|()| exit::DONE)
            }
            Command::Serve(args) => serve::run(args).await,
            Command::Topics(args) => topics::run(args).await,
            Command::Apply(args) => apply::run(args).await,
            Command::Links(args) => links::run(args).await,
            Command::Normalize(args) => normalize::run(&args),
            Command::Events(args) => events::run(args).await,
            Command::Why(args) => why::run(args).await,
            Command::Watch(args) => watch::run(args).await,
            Command::WhatIf(args) => what_if::run(args).await,
            Command::Verify(args) => verify::run(args).await,
            Command::Lag(args) => lag::run(args).await,
            Command::Contacts(args) => contacts::run(args).await,
            Command::SetAside(args) => set_aside::run(args).await,
            Command::Suppressed(args) => suppressed::run(args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Restore(args) => restore::run(args).await,
            Command::Keys(args) => keys_copy::run(args).await,
            Command::Log(args) => log_copy::run(args).await,
            Command::Rebuild(args) => rebuild::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
        }
    })
}
