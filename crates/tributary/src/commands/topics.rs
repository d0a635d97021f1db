//! `tributary topics`.

use clap::{Args, Subcommand};

use crate::{args::Source, config::LogAt, exit::Unusable};

const EXAMPLES: &str = "\
Examples:
  tributary topics create -c tributary.toml
  tributary topics check -c tributary.toml

Exit codes: 0 done, or all as it must be; 1 failed, or not; 2 usage or configuration.";

/// Makes the topics of a log on Kafka, or holds them against what they must be
///
/// Two for each aggregate, with the partitions that the configuration says, which are fixed for ever then. Nothing else
/// makes a topic: a server that misses one says so and ends. The embedded log needs none of this.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TopicsArgs {
    #[command(subcommand)]
    command: Topics,
}

#[derive(Subcommand)]
enum Topics {
    Create(CreateArgs),
    Check(CheckArgs),
}

/// Makes the topics that are missing, and leaves the others as they are
#[derive(Args)]
struct CreateArgs {
    #[command(flatten)]
    source: Source,
}

/// Says what about the topics is not as it must be, and changes nothing
#[derive(Args)]
struct CheckArgs {
    #[command(flatten)]
    source: Source,
}

pub async fn run(args: TopicsArgs) -> anyhow::Result<u8> {
    let (source, making) = match args.command {
        Topics::Create(args) => (args.source, true),
        Topics::Check(args) => (args.source, false),
    };
    let config = source.config()?;
    match &config.log {
        LogAt::Local => {
            Err(Unusable("log = \"local\": the embedded log has no topics to make".into()).into())
        }
        #[cfg(feature = "kafka")]
        LogAt::Kafka(brokers) => of_cluster(&config, brokers, making).await,
        #[cfg(not(feature = "kafka"))]
        LogAt::Kafka(brokers) => {
            let _ = making;
            Err(crate::opened::without_kafka(brokers).into())
        }
    }
}

#[cfg(feature = "kafka")]
async fn of_cluster(config: &crate::config::Config, brokers: &str, making: bool) -> anyhow::Result<u8> {
    use std::io::{self, Write as _};

    use anyhow::Context as _;
    use log_kafka::topics::{self, Made};

    use crate::{exit, opened::kafka};

    let (settings, wanted) = (kafka::settings(config, brokers)?, kafka::wanted(config));
    let mut out = io::stdout();
    if making {
        let made = topics::create(&settings, &wanted).await;
        let made = made.with_context(|| format!("could not make topics at kafka://{brokers}"))?;
        for (wanted, made) in wanted.iter().zip(made) {
            let (prefix, topic, partitions) = (&settings.prefix, wanted.topic, wanted.partitions);
            let line = match made {
                Made::New => format!("{prefix}{topic}: made, with {partitions} partitions"),
                Made::There => format!("{prefix}{topic}: there already"),
            };
            writeln!(out, "{line}").map_err(exit::writing)?;
        }
    }
    let findings = topics::check(&settings, &wanted).await;
    let findings = findings.with_context(|| format!("could not check the topics at kafka://{brokers}"))?;
    for finding in &findings {
        writeln!(out, "{finding}").map_err(exit::writing)?;
    }
    if findings.is_empty() {
        writeln!(out, "all {} topics are as they must be", wanted.len()).map_err(exit::writing)?;
        return Ok(exit::DONE);
    }
    Ok(exit::FAILED)
}
