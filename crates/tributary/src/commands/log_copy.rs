//! `tributary log copy`: a log moves from one kind of installation to another.

use std::{
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    str::FromStr,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use log::copy::{Progress as Copied, copy};

use crate::{
    args::Source,
    config::{Config, LogAt, Partitions},
    exit::{self, Unusable},
    layout::{self, Layout, every_topic},
    opened,
    progress::Progress,
};

const EXAMPLES: &str = "\
Examples:
  tributary log copy --from local:data --to kafka://k1:9092,k2:9092
  tributary log copy --from kafka://k1:9092 --to local:data-2 -c tributary.toml

To grow from the embedded log to Kafka: stop the server, make the topics (`tributary topics create`, with the partition
counts that the log has), copy, write log = \"kafka://…\" into the configuration, and start. The rest of the data
directory stays as it is: keys, timelines, snapshots and cursors go on from where they were.

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Works with the log as a whole
#[derive(Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(CopyArgs),
}

/// Copies a log to another place, with every record where it was
///
/// From the embedded log to Kafka, or back. Both must have the same partition counts, and nobody may write to either
/// meanwhile. Afterwards both are read and every record is compared. A copy that was interrupted goes on when it is
/// started again. Positions stay, so cursors, snapshots and read models stay good.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct CopyArgs {
    /// local:DIR, a data directory, or kafka://HOST:PORT,…
    #[arg(long, value_name = "LOG")]
    from: Place,
    /// The same; what is there must be empty, or a part of such a copy
    #[arg(long, value_name = "LOG")]
    to: Place,
    /// Whose `kafka` section says how to reach a cluster [default: tributary.toml where there is one]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Debug)]
enum Place {
    Local(PathBuf),
    Kafka(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.strip_prefix("local:"), text.strip_prefix("kafka://")) {
            (Some(dir), _) if !dir.is_empty() => Ok(Place::Local(dir.into())),
            (_, Some(brokers)) if !brokers.is_empty() => Ok(Place::Kafka(brokers.to_owned())),
            _ => Err("write local:DIR or kafka://HOST:PORT".into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(dir) => write!(f, "local:{}", dir.display()),
            Place::Kafka(brokers) => write!(f, "kafka://{brokers}"),
        }
    }
}

impl Place {
    /// The configuration of an installation whose log is here.
    fn installation(&self, base: &Config) -> (Config, Layout) {
        let (data, log) = match self {
            Place::Local(dir) => (dir.clone(), LogAt::Local),
            Place::Kafka(brokers) => (base.data.clone(), LogAt::Kafka(brokers.clone())),
        };
        let layout = Layout::new(&data);
        (Config { data, log, ..base.clone() }, layout)
    }

    /// As far as it can be told, nobody writes there.
    fn must_be_quiet(&self, layout: &Layout) -> anyhow::Result<()> {
        match self {
            Place::Local(_) => match layout.writer()? {
                Some(writer) => Err(Unusable(format!("{writer} writes {self}: stop it first")).into()),
                None => Ok(()),
            },
            // Whoever writes there is found out in the end.
            Place::Kafka(_) => Ok(()),
        }
    }
}

pub async fn run(args: LogArgs) -> anyhow::Result<u8> {
    let Command::Copy(CopyArgs { from, to, config }) = args.command;
    if from == to {
        return Err(Unusable("that is one log, twice".into()).into());
    }
    let base = Source { config, data: None }.config()?;
    let (source, source_layout) = from.installation(&base);
    let (target, target_layout) = to.installation(&base);
    opened::check(&source)?;
    opened::check(&target)?;
    if source.log == LogAt::Local && !source_layout.has_log() {
        return Err(Unusable(format!("there is no log in {from}")).into());
    }
    from.must_be_quiet(&source_layout)?;
    to.must_be_quiet(&target_layout)?;

    let source = opened::open_to_read(&source, &source_layout)?;
    let topology = layout::topology(&*source).context("the log lacks a topic")?;
    let target =
        opened::open(&Config { partitions: Partitions::of(topology), ..target }, &target_layout).await?;
    let records = {
        let copying = Progress::new("copying");
        let comparing = Progress::new("comparing");
        let told = |at: Copied| match at {
            Copied::Copying { done, total } => copying.at(done, total),
            Copied::Comparing { done, total } => comparing.at(done, total),
        };
        copy(&source, &target.log(), &every_topic(), &told).await
    };
    target.close().await;
    let records = records.with_context(|| format!("could not copy {from} to {to}"))?;
    writeln!(io::stdout(), "{records} records of {from} stand in {to} where they stood, each compared")
        .map_err(exit::writing)?;
    Ok(exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in ["local:data", "local:/var/lib/x", "kafka://a:1,b:2"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "data", "local:", "kafka://", "http://x"] {
            assert!(text.parse::<Place>().unwrap_err().contains("local:DIR"), "{text}");
        }
    }
}
