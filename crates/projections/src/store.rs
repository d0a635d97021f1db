//! The store: one connection that writes, a few that read, all off the threads that serve everyone.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{ContactId, ConversationId, Party, Peer, TenantId};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;
use wire::Point;

use crate::{
    ContactRow, ConversationRow, Entry, Error, SetAside, SetAsideId, SetAsideRow, TimelineOf, change::Batch,
    sql,
};

/// Connections that read at the same time; more queries wait.
const READERS: usize = 4;

/// The read models of one installation, in `readmodel.sqlite`. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// Connections for reading that nobody uses just now.
    idle: Mutex<Vec<Connection>>,
    readers: Semaphore,
}

impl Store {
    /// Opens the store in this folder, or creates it. Rows of an older version are dropped: they come back by
    /// projecting. Blocks for some file work.
    pub fn open(dir: impl AsRef<Path>) -> Result<Store, Error> {
        let path = dir.as_ref().join("readmodel.sqlite");
        std::fs::create_dir_all(dir.as_ref())
            .map_err(|source| Error::Open { path: path.clone(), source: source.into() })?;
        let writer = Mutex::new(sql::open(&path)?);
        Ok(Store(Arc::new(Inner { path, writer, idle: Mutex::default(), readers: Semaphore::new(READERS) })))
    }

    /// A page of a timeline, oldest first: ordered by time and then by id, so in the order of the log within a
    /// party. `after` is the id of the last entry of the page before; [`Error::NoEntry`] if there is no such entry.
    /// The end is reached when a page is empty.
    pub async fn timeline(
        &self,
        tenant: &TenantId,
        of: &TimelineOf,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let (tenant, of) = (tenant.clone(), *of);
        self.read("read a timeline of", move |db| match sql::timeline(db, &tenant, of, after, limit) {
            Ok(Some(entries)) => Ok(entries),
            Ok(None) => Err(Error::NoEntry { id: after.unwrap_or_default() }),
            Err(source) => Err(Error::sql("read a timeline of")(source)),
        })
        .await
    }

    pub async fn conversation(
        &self,
        tenant: &TenantId,
        id: ConversationId,
    ) -> Result<Option<ConversationRow>, Error> {
        let conversations = self.conversations_of_party(tenant, id.party).await?;
        Ok(conversations.into_iter().find(|conversation| conversation.id == id))
    }

    /// All conversations of a party, oldest first.
    pub async fn conversations_of_party(
        &self,
        tenant: &TenantId,
        party: Party,
    ) -> Result<Vec<ConversationRow>, Error> {
        let tenant = tenant.clone();
        self.query("read conversations of", move |db| sql::conversations(db, &tenant, party)).await
    }

    /// A page of the contacts, in the order of their ids.
    pub async fn contacts(
        &self,
        tenant: &TenantId,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Vec<ContactRow>, Error> {
        let tenant = tenant.clone();
        self.query("read contacts of", move |db| sql::contacts(db, &tenant, after, limit)).await
    }

    pub async fn contact(&self, tenant: &TenantId, id: ContactId) -> Result<Option<ContactRow>, Error> {
        let tenant = tenant.clone();
        self.query("read a contact of", move |db| sql::contact(db, &tenant, id)).await
    }

    /// A page of what was set aside, in the order of the ids: of one tenant, or of all (for whoever runs the
    /// installation), which includes inputs that do not tell their tenant.
    pub async fn set_aside(
        &self,
        tenant: Option<&TenantId>,
        after: Option<SetAsideId>,
        limit: usize,
    ) -> Result<Vec<SetAsideRow>, Error> {
        let tenant = tenant.cloned();
        self.query("read what was set aside in", move |db| sql::set_aside(db, tenant.as_ref(), after, limit))
            .await
    }

    /// One of them, whole.
    pub async fn set_aside_input(
        &self,
        tenant: Option<&TenantId>,
        id: SetAsideId,
    ) -> Result<Option<SetAside>, Error> {
        let tenant = tenant.cloned();
        self.query("read what was set aside in", move |db| sql::set_aside_input(db, tenant.as_ref(), id))
            .await
    }

    /// How far each partition's log is in the rows. One that is missing has not begun.
    pub async fn positions(&self) -> Result<Vec<(Peer, Point)>, Error> {
        let points = self.query("read the positions of", sql::points).await?;
        let decode = |(peer, bytes): (Peer, Vec<u8>)| match Point::decode(&bytes) {
            Ok(point) => Ok((peer, point)),
            Err(source) => Err(Error::Point { peer, source }),
        };
        points.into_iter().map(decode).collect()
    }

    /// Writes the batches and the points behind them, all or nothing.
    pub(crate) async fn apply(&self, batches: Vec<Batch>) -> Result<(), Error> {
        self.write("write to", move |db| batches.iter().try_for_each(|batch| sql::apply(db, batch))).await
    }

    /// Drops every row and position.
    pub(crate) async fn clear(&self) -> Result<(), Error> {
        self.write("clear", |db| sql::create(db).map_err(Error::sql("clear"))).await
    }

    async fn write(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let inner = self.0.clone();
        let work = move || {
            let mut db = lock(&inner.writer);
            let tx = db
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(Error::sql(operation))?;
            work(&tx)?;
            tx.commit().map_err(Error::sql(operation))
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::Task)?
    }

    async fn query<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.read(operation, move |db| query(db).map_err(Error::sql(operation))).await
    }

    /// Asks within one transaction, so that several queries see the same rows.
    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        // It is never closed, so the permit is always there.
        let _permit = self.0.readers.acquire().await.ok();
        let inner = self.0.clone();
        let work = move || {
            let idle = lock(&inner.idle).pop();
            let db = match idle {
                Some(db) => db,
                None => sql::open_to_read(&inner.path).map_err(Error::sql(operation))?,
            };
            let found = work(&*db.unchecked_transaction().map_err(Error::sql(operation))?);
            lock(&inner.idle).push(db);
            found
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::Task)?
    }
}

/// A transaction that a panic cuts short is rolled back, so the connections stay usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    fn batch(partition: u32, from: u64, to: u64) -> Batch {
        let peer = Peer { kind: Kind::Conversation, partition };
        Batch { peer, from, point: Point { position: to, ..Point::default() }, changes: Vec::new() }
    }

    #[tokio::test]
    async fn a_batch_that_does_not_begin_where_the_rows_end_is_refused_with_all_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.apply(vec![batch(0, 0, 5), batch(1, 0, 3)]).await.unwrap();
        let before = store.positions().await.unwrap();
        for from in [0, 4, 6] {
            let refused = store.apply(vec![batch(1, 3, 9), batch(0, from, 9)]).await;
            assert!(
                matches!(refused, Err(Error::OutOfStep { stored: 5, read, .. }) if read == from),
                "{refused:?}"
            );
            assert_eq!(store.positions().await.unwrap(), before);
        }
        store.apply(vec![batch(1, 3, 9), batch(0, 5, 9)]).await.unwrap();
    }
}
