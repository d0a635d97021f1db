//! `tributary rebuild`.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use log::{LocalConfig, LocalLog, Log};
use projections::Store;

use crate::{args::Source, exit, layout, progress::Progress};

const EXAMPLES: &str = "\
Examples:
  tributary rebuild -c tributary.toml
  tributary rebuild --data data

Exit codes: 0 done, 1 failed (a server runs, a record cannot be read), 2 usage or configuration.";

/// Makes the read models anew from the log
///
/// Drops the timelines, contacts and other rows and projects the whole log again. It needs the data directory for
/// itself, so it refuses while a server runs. Interrupted, it is finished by the next server or another rebuild.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RebuildArgs {
    #[command(flatten)]
    source: Source,
}

pub async fn run(args: RebuildArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    let instead =
        "end the process that has the role `projections`, remove DATA/readmodel, and start it again";
    installation.must_be_local("rebuild", instead)?;
    let (_, topology) = installation.log()?;
    // Whoever may write the log is the server: while we hold its lock there is none.
    let log = LocalLog::open(&installation.layout.log(), &layout::topics(topology), LocalConfig::default())
        .context("could not have the data directory for ourselves")?;
    let shared: Arc<dyn Log> = Arc::new(log.clone());
    let store = Store::open(installation.layout.read_model())?;
    let progress = Progress::new("rebuilding");
    let mut records = 0;
    let rebuilt = projections::rebuild(shared, topology, &store, |at| {
        records = at.total;
        progress.at(at.done, at.total);
    })
    .await;
    drop(progress);
    log.close().await;
    rebuilt.context("could not rebuild the read models")?;
    exit::say(format_args!("rebuilt the read models from {records} records"));
    Ok(exit::DONE)
}
