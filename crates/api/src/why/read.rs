//! Gathers a story from the logs of a running installation, as far as they can have to do with it.

use std::ops::ControlFlow;

use domain::{
    ConversationId, Kind, Millis, Peer, Route, TenantId, Timestamp,
    conversation::{self, What},
    desk,
};
use tonic::Status;
use wire::{Codec, Decision};

use crate::{
    follow::{Error, Follow, log_partition},
    server::Shared,
};

use super::Story;

/// Leaders' clocks differ by less, and what is left to do after a conversation is done by then.
const SLACK: Millis = Millis::hours(2);

/// The story of the tenant's conversation that began at this time.
pub(crate) async fn read(
    shared: &Shared,
    tenant: &TenantId,
    id: ConversationId,
    began: Timestamp,
) -> Result<Story, Status> {
    // Each reads a log from the disk: a few at a time are enough for people.
    let _turn = shared.stories.acquire().await.map_err(|_| Status::unavailable("the server is stopping"))?;
    let mut story = Story::of(id);
    let mut over = None;
    let home = shared.topology.peer(&Route::Party(id.party));
    let from = Timestamp(began.0.saturating_sub_unsigned(SLACK.0));
    hear::<conversation::Decider>(shared, home, from, |decision| {
        for event in decision.steps.iter().flat_map(|step| &step.events).map(|recorded| &recorded.event) {
            if event.tenant != *tenant || event.conversation() != Some(id) {
                continue;
            }
            story.hear(decision.decided_at, event);
            match &event.what {
                What::Closed { .. } => over = Some(decision.decided_at),
                What::Reopened { .. } => over = None,
                _ => {}
            }
        }
        ControlFlow::Continue(())
    })
    .await?;
    if !story.is_known() {
        return Ok(story);
    }
    for partition in 0..shared.topology.partitions(Kind::Desk) {
        let desk = Peer { kind: Kind::Desk, partition };
        hear::<desk::Decider>(shared, desk, from, |decision| {
            if over.is_some_and(|over| decision.decided_at > over + SLACK) {
                return ControlFlow::Break(());
            }
            for recorded in decision.steps.iter().flat_map(|step| &step.events) {
                story.hear_desk(decision.decided_at, &recorded.event);
            }
            ControlFlow::Continue(())
        })
        .await?;
    }
    Ok(story)
}

/// Every decision of a partition from some time on, or from before, until its end or until `each` has enough.
async fn hear<A: Codec>(
    shared: &Shared,
    peer: Peer,
    from: Timestamp,
    mut each: impl FnMut(&Decision<A>) -> ControlFlow<()> + Send,
) -> Result<(), Status> {
    let failed = |error: Error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a story could not be read");
        Status::unavailable("the log cannot be read for now: try again")
    };
    let end = shared.log.end(log_partition(peer)).await;
    let end = end.map_err(|source| failed(Error::Log { peer, source }))?;
    let mut point = shared.hub.point_before(peer, from);
    let mut follow = Follow::<A>::new(shared.log.clone(), peer.partition, point);
    while point.position < end {
        let batch = follow.batch().await.map_err(failed)?;
        point = batch.point;
        for accepted in &batch.decisions {
            if each(&accepted.decision).is_break() {
                return Ok(());
            }
        }
        // A log in memory never makes us wait; others want to run too.
        tokio::task::yield_now().await;
    }
    Ok(())
}
