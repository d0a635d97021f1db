//! `Events.Subscribe`: the accepted decisions of a tenant, as events with cursors.
//!
//! Every subscription reads the logs for itself: [`feed`] merges the partitions, [`filter`] says what is wanted,
//! [`show`] makes the public events, and the loop here keeps the cursor and the order of what is sent.

use domain::Peer;
use tokio::time::{Duration, Instant};
use tonic::{Request, Response, Status};
use wire::api::v1::{self as pb, events_server, subscribe_response::Item};

use crate::{
    auth::principal,
    content::Opener,
    convert,
    cursor::{Cursor, Place},
    metrics,
    outlet::{Outflow, Outlet},
    server::Shared,
};

mod feed;
mod filter;
mod show;

use feed::{Decided, Feed};
use filter::Filter;

/// A cursor is sent at least this often while the log moves.
const CHECKPOINT: Duration = Duration::from_secs(5);
/// … and after this many events that did not match.
const PASSED_OVER: u32 = 10_000;

pub(crate) struct Events(pub(crate) Shared);

#[tonic::async_trait]
impl events_server::Events for Events {
    type SubscribeStream = Outflow<pb::SubscribeResponse>;

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let principal = principal(&request)?;
        let request = request.into_inner();
        let filter = Filter::new(principal.tenant.clone(), request.filter.unwrap_or_default())?;
        let shared = &self.0;
        let cursor = match request.cursor.as_str() {
            "" if request.start_at == pb::StartAt::End as i32 => end(shared, &filter).await?,
            "" => Cursor::default(),
            text => Cursor::read(text, &shared.vault, &principal.tenant)?,
        };
        let opener = Opener {
            vault: shared.vault.clone(),
            tenant: principal.tenant.clone(),
            shown: principal.sees_pii(request.include_pii)?,
        };
        let heartbeat = shared.heartbeat;
        let shared = shared.clone();
        let stream = self.0.streams.open("events", move |outlet| async move {
            let feed = Feed::open(&shared, &filter, &cursor).await?;
            let now = Instant::now();
            let subscription =
                Subscription { shared, filter, opener, outlet, cursor, told: now, sent: now, unsaid: 0 };
            subscription.run(feed, heartbeat).await
        });
        Ok(Response::new(stream))
    }
}

/// The cursor behind everything that is in the logs now.
async fn end(shared: &Shared, filter: &Filter) -> Result<Cursor, Status> {
    let mut cursor = Cursor::default();
    for peer in filter.peers(&shared.topology) {
        shared.hub.caught_up(peer).await?;
        cursor.set(peer, Place { point: shared.hub.point(peer), passed: 0 });
    }
    Ok(cursor)
}

struct Subscription {
    shared: Shared,
    filter: Filter,
    opener: Opener,
    outlet: Outlet<pb::SubscribeResponse>,
    cursor: Cursor,
    /// When the client was last told a cursor.
    told: Instant,
    /// When the client was last sent anything.
    sent: Instant,
    /// Events passed over since the client was told a cursor.
    unsaid: u32,
}

impl Subscription {
    async fn run(mut self, mut feed: Feed, heartbeat: Duration) -> Result<(), Status> {
        let mut caught_up = false;
        loop {
            if !caught_up && feed.caught_up() {
                caught_up = true;
                let cursor = self.cursor();
                self.send(Item::CaughtUp(pb::CaughtUp { cursor })).await?;
                self.told();
            }
            let silence = if self.unsaid > 0 { self.told + CHECKPOINT } else { self.sent + heartbeat };
            let batch = tokio::select! {
                batch = feed.next() => batch,
                () = tokio::time::sleep_until(silence) => {
                    if self.unsaid > 0 {
                        self.checkpoint().await?;
                    } else {
                        let at = convert::time(domain::Timestamp(log::clock::now()));
                        self.send(Item::Heartbeat(pb::Heartbeat { at })).await?;
                    }
                    continue;
                }
            };
            let batch = batch.ok_or_else(|| Status::unavailable("the logs have ended: connect again"))??;
            let nothing_decided = batch.decided.is_empty();
            for decided in batch.decided {
                self.decided(batch.peer, decided).await?;
            }
            // What was sent of the next decision still counts where there is none among what was read.
            let place = self.cursor.place(batch.peer);
            let passed = place.filter(|_| nothing_decided).map_or(0, |place| place.passed);
            let behind = Place { point: batch.point, passed };
            if place != Some(behind) {
                self.cursor.set(batch.peer, behind);
                self.unsaid += 1;
            }
            if self.unsaid >= PASSED_OVER || (self.unsaid > 0 && self.told.elapsed() >= CHECKPOINT) {
                self.checkpoint().await?;
            }
        }
    }

    /// Sends what matches of one decision, from where the cursor stands within it.
    async fn decided(&mut self, peer: Peer, decided: Decided) -> Result<(), Status> {
        let passed = self.cursor.place(peer).map_or(0, |place| place.passed);
        let last = decided.events.len().saturating_sub(1);
        for (index, event) in decided.events.iter().enumerate().skip(passed as usize) {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            match index == last {
                true => self.cursor.set(peer, Place { point: decided.after, passed: 0 }),
                false => self.cursor.pass(peer, number.saturating_add(1)),
            }
            let kind = match self.filter.admits(event) {
                true => show::kind(&self.opener, event).await?,
                false => None,
            };
            if kind.is_none() {
                self.unsaid += 1;
                continue;
            }
            let event = pb::Event {
                cursor: self.cursor(),
                id: format!("{}/{}/{}/{index}", peer.kind, peer.partition, decided.position),
                at: convert::time(decided.at),
                conversation: event.conversation().map(|id| id.to_string()).unwrap_or_default(),
                party: event.party().map(|party| party.to_string()).unwrap_or_default(),
                inbox: event.inbox().map(|inbox| inbox.to_string()).unwrap_or_default(),
                kind,
            };
            self.send(Item::Event(event)).await?;
            self.told();
            metrics::event_sent();
        }
        if decided.events.is_empty() {
            self.cursor.set(peer, Place { point: decided.after, passed: 0 });
            self.unsaid += 1;
        }
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<(), Status> {
        let cursor = self.cursor();
        self.send(Item::Checkpoint(pb::Checkpoint { cursor })).await?;
        self.told();
        Ok(())
    }

    async fn send(&mut self, item: Item) -> Result<(), Status> {
        self.outlet.send(pb::SubscribeResponse { item: Some(item) }).await?;
        self.sent = Instant::now();
        Ok(())
    }

    fn told(&mut self) {
        self.told = Instant::now();
        self.unsaid = 0;
    }

    fn cursor(&self) -> String {
        self.cursor.write(&self.shared.vault, &self.opener.tenant)
    }
}
