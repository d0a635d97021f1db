//! The policies in force, as every worker and edge of this process sees them.

use std::sync::Arc;

use domain::{Policies, Topology, workspace};
use log::Log;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Error, Standing};

/// Follows the workspaces' decisions. What is there now is folded before this returns.
pub async fn follow(
    log: Arc<dyn Log>,
    topology: Topology,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) -> Result<watch::Receiver<Policies>, Error> {
    let (publish, policies) = watch::channel(Policies::default());
    for number in 0..topology.workspace {
        let mut standing = Standing::<workspace::Decider>::new(number, topology);
        let mut tail = standing.tail(log.clone());
        standing.catch_up(&mut tail).await?;
        tell(&publish, &standing);
        let (publish, cancel) = (publish.clone(), cancel.clone());
        tasks.spawn(async move {
            loop {
                let records = tokio::select! {
                    () = cancel.cancelled() => return,
                    records = tail.batch() => records.map_err(|source| standing.failed("follow policies", source)),
                };
                let folded = records
                    .and_then(|records| records.iter().try_for_each(|record| standing.fold(record).map(drop)));
                if let Err(error) = folded {
                    tracing::error!(error = &error as &dyn std::error::Error, "policies are no longer followed");
                    return;
                }
                tell(&publish, &standing);
            }
        });
    }
    Ok(policies)
}

fn tell(publish: &watch::Sender<Policies>, standing: &Standing<workspace::Decider>) {
    publish.send_if_modified(|known| {
        let in_force = standing.partition.state().in_force();
        let newer: Vec<_> =
            in_force.all().filter(|policy| policy.version > known.version(&policy.tenant)).cloned().collect();
        let any = !newer.is_empty();
        newer.into_iter().for_each(|policy| known.put(policy));
        any
    });
}
