//! The command line: which commands there are, and what several of them share. What a command alone takes stands with
//! the command.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{commands, observe::LogFormat};

const EXAMPLES: &str = "\
Examples:
  tributary dev                                   everything on loopback, with a sample workspace
  tributary serve -c tributary.toml               the real thing
  tributary apply -c tributary.toml workspace.toml
  tributary events --data data --follow           what happens, as it happens
  tributary doctor -c tributary.toml              what to fix before going live

Exit codes: 0 done, 1 failed, 2 the command line or the configuration is at fault.
RUST_LOG says which traces are written (RUST_LOG=debug, RUST_LOG=runtime=trace,info).";

/// An event-sourced omnichannel conversation router
///
/// Messenger, e-mail and SMS flow in; one durable log holds everything; every conversation has exactly one owner, a bot
/// or a person; timelines, contacts and subscriptions are read off the log.
#[derive(Parser)]
#[command(name = "tributary", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// How traces are written to standard error: text for people, json for whatever collects them
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    #[arg(hide_possible_values = true, display_order = 1_000)]
    pub log_format: LogFormat,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    Dev(DevArgs),
    Serve(commands::serve::ServeArgs),
    Topics(commands::topics::TopicsArgs),
    Apply(commands::apply::ApplyArgs),
    Links(commands::links::LinksArgs),
    Normalize(commands::normalize::NormalizeArgs),
    Events(commands::events::EventsArgs),
    Why(commands::why::WhyArgs),
    Watch(commands::watch::WatchArgs),
    WhatIf(commands::what_if::WhatIfArgs),
    Verify(commands::verify::VerifyArgs),
    Lag(commands::lag::LagArgs),
    Contacts(commands::contacts::ContactsArgs),
    SetAside(commands::set_aside::SetAsideArgs),
    Suppressed(commands::suppressed::SuppressedArgs),
    Backup(commands::backup::BackupArgs),
    Restore(commands::restore::RestoreArgs),
    Keys(commands::keys_copy::KeysArgs),
    Log(commands::log_copy::LogArgs),
    Rebuild(commands::rebuild::RebuildArgs),
    Doctor(commands::doctor::DoctorArgs),
}

impl Command {
    /// Whether this is a process that stays, and so tells what it does.
    pub fn runs_long(&self) -> bool {
        matches!(self, Command::Dev(_) | Command::Serve(_))
    }
}

const DEV_EXAMPLES: &str = "\
Examples:
  tributary dev
  tributary dev --data /tmp/try --http 127.0.0.1:18080 --grpc 127.0.0.1:17070

Stop with Ctrl-C; the next start goes on where this one ended.
Exit codes: 0 stopped, 1 failed, 2 usage.";

/// Runs everything on loopback, with a sample workspace, for trying things out
///
/// An embedded log, all roles, one inbox for each channel, a bot and two agents. Prints every address it serves and a
/// command to try for each channel. What would be sent is written to files under DIR/outbox instead. All secrets and
/// tokens are known to everybody, so it listens on loopback only.
#[derive(Args, Clone, Debug)]
#[command(after_help = DEV_EXAMPLES)]
pub struct DevArgs {
    /// Where everything is kept; created when missing
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
    /// Webhooks
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = loopback)]
    pub http: SocketAddr,
    /// Mail, by SMTP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2525", value_parser = loopback)]
    pub smtp: SocketAddr,
    /// Mail, by LMTP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2424", value_parser = loopback)]
    pub lmtp: SocketAddr,
    /// The API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070", value_parser = loopback)]
    pub grpc: SocketAddr,
    /// The web console; taken, but this version does not serve one yet
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    pub console: Option<SocketAddr>,
    /// Metrics and health
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090", value_parser = loopback)]
    pub metrics: SocketAddr,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an IP address and a port, as in 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("`dev` listens on loopback only, because its secrets are known to everybody; use 127.0.0.1 or [::1], or \
         `tributary serve` for the real thing"
        .to_owned())
}

/// Which installation a command is about.
#[derive(Args, Clone, Debug, Default)]
pub struct Source {
    /// The configuration of the process [default: tributary.toml where there is one, else --data data]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory alone, with the built-in configuration (as `tributary dev` makes it)
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub data: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dev_listens_on_loopback_alone() {
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:8080").is_ok());
        for refused in ["0.0.0.0:8080", "192.0.2.1:80", "[::]:8080"] {
            assert!(loopback(refused).unwrap_err().contains("loopback"), "{refused}");
        }
        assert!(loopback("localhost:8080").unwrap_err().contains("127.0.0.1:8080"));
    }
}
