//! `tributary verify`.

use std::io::Write as _;

use anyhow::Context as _;
use clap::Args;

use crate::{args::Source, exit, progress::Progress, stores};

const EXAMPLES: &str = "\
Examples:
  tributary verify -c tributary.toml
  tributary verify --data data

Exit codes: 0 no violations, 1 violations or a log that cannot be read, 2 usage or configuration.";

/// Folds the whole log and checks every invariant
///
/// Reads the log from its beginning to where it ends now, also beside a running server: one owner of every
/// conversation, no fact and no send twice, capacity, relays and intake without gaps, timers, and the digests of the
/// snapshots, those in the store among them. Prints a table of what was read and every violation; shows its progress on
/// standard error.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    #[command(flatten)]
    source: Source,
}

pub async fn run(args: VerifyArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    let (log, topology) = installation.log()?;
    let snapshots = stores::snapshots(&installation.config, &installation.layout)?;
    let progress = Progress::new("verifying");
    let report = runtime::verify::verify(log, topology, Some(snapshots), &|at: runtime::verify::Progress| {
        progress.at(at.records_done, at.records_total);
    })
    .await;
    drop(progress);
    let report = report.context("could not verify the log")?;
    write!(std::io::stdout(), "{report}").map_err(exit::writing)?;
    Ok(if report.violations_found == 0 { exit::DONE } else { exit::FAILED })
}
