//! The partitions a subscription reads, merged: each in its own order, whoever has something first.

use std::{collections::BTreeMap, pin::Pin};

use domain::{Kind, Peer, Timestamp, contact, conversation, desk, workspace};
use futures::{
    StreamExt,
    stream::{SelectAll, Stream, try_unfold},
};
use tonic::Status;
use wire::{Codec, Point};

use crate::{
    cursor::Cursor,
    follow::{Error, Follow, log_partition},
    server::Shared,
};

use super::Filter;

/// An event of any aggregate.
pub(super) enum AnyEvent {
    Conversation(conversation::Event),
    Desk(desk::Event),
    Contact(contact::Event),
    Workspace(workspace::Event),
}

/// What one partition had.
pub(super) struct Batch {
    pub(super) peer: Peer,
    pub(super) decided: Vec<Decided>,
    /// The point behind everything that was read.
    pub(super) point: Point,
}

/// One accepted decision.
pub(super) struct Decided {
    pub(super) position: u64,
    /// The point behind it.
    pub(super) after: Point,
    pub(super) at: Timestamp,
    pub(super) events: Vec<AnyEvent>,
}

type Batches = Pin<Box<dyn Stream<Item = Result<Batch, Error>> + Send>>;

pub(super) struct Feed {
    batches: SelectAll<Batches>,
    /// Partitions not yet read to where they ended when the subscription began.
    behind: BTreeMap<Peer, u64>,
}

impl Feed {
    pub(super) async fn open(shared: &Shared, filter: &Filter, cursor: &Cursor) -> Result<Feed, Status> {
        let mut feed = Feed { batches: SelectAll::new(), behind: BTreeMap::new() };
        for peer in filter.peers(&shared.topology) {
            let from = cursor.place(peer).map_or_else(Point::default, |place| place.point);
            let end = shared.log.end(log_partition(peer)).await;
            let end = end.map_err(|source| failed(&Error::Log { peer, source }))?;
            if from.position < end {
                feed.behind.insert(peer, end);
            }
            feed.batches.push(match peer.kind {
                Kind::Conversation => batches::<conversation::Decider>(shared, peer, from),
                Kind::Desk => batches::<desk::Decider>(shared, peer, from),
                // No source is the deliveries.
                Kind::Delivery => continue,
                Kind::Contact => batches::<contact::Decider>(shared, peer, from),
                Kind::Workspace => batches::<workspace::Decider>(shared, peer, from),
            });
        }
        Ok(feed)
    }

    /// What came next in some partition; none once nothing can come. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<Batch, Status>> {
        let batch = self.batches.next().await?;
        if let Ok(batch) = &batch
            && self.behind.get(&batch.peer).is_some_and(|end| batch.point.position >= *end)
        {
            self.behind.remove(&batch.peer);
        }
        Some(batch.map_err(|error| failed(&error)))
    }

    /// Everything that was in the logs when this was opened has been yielded.
    pub(super) fn caught_up(&self) -> bool {
        self.behind.is_empty()
    }
}

fn batches<A>(shared: &Shared, peer: Peer, from: Point) -> Batches
where
    A: Codec,
    A::Event: Into<AnyEvent>,
{
    let follow = Follow::<A>::new(shared.log.clone(), peer.partition, from);
    Box::pin(try_unfold(follow, move |mut follow| async move {
        let batch = follow.batch().await?;
        let decided = batch.decisions.into_iter().map(|accepted| {
            let recorded = accepted.decision.steps.into_iter().flat_map(|step| step.events);
            Decided {
                position: accepted.position,
                after: accepted.after,
                at: accepted.decision.decided_at,
                events: recorded.map(|recorded| recorded.event.into()).collect(),
            }
        });
        Ok(Some((Batch { peer, decided: decided.collect(), point: batch.point }, follow)))
    }))
}

fn failed(error: &Error) -> Status {
    tracing::warn!(error = error as &dyn std::error::Error, "a subscription ends");
    match error {
        Error::Log { source: log::Error::Trimmed { .. }, .. } => Status::out_of_range(
            "the log no longer keeps what comes behind this cursor: begin without one, at the beginning or the end",
        ),
        Error::Log { .. } => {
            Status::unavailable("the log cannot be read for now: resume from your last cursor")
        }
        Error::Wire { .. } | Error::Task(_) => {
            Status::internal("this server cannot understand the log: it must be upgraded")
        }
    }
}

macro_rules! any_event {
    ($($aggregate:ident, $variant:ident;)*) => {$(
        impl From<$aggregate::Event> for AnyEvent {
            fn from(event: $aggregate::Event) -> AnyEvent {
                AnyEvent::$variant(event)
            }
        }
    )*};
}

any_event! {
    conversation, Conversation;
    desk, Desk;
    contact, Contact;
    workspace, Workspace;
}
