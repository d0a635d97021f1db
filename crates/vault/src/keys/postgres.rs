//! The key store on a PostgreSQL server, for any number of machines.
//!
//! ```text
//! keeper ──▶ Line ──▶ Session ──▶ server        find, issue, erase: one statement each, for all that waits
//!             │ a failed one is left; after a pause that grows, the next is made
//! ```
//!
//! Each statement is a transaction of its own, and durable when it has answered: a session on a server that does not
//! flush what it acknowledges is refused ([`session`]). Asking the same again does no harm, nor that a server does later
//! what was given up: so what an idle session failed at is asked once more on a new one, and every wait is bounded.
//!
//! What PostgreSQL leaves of a destroyed key: the row's old version, until a vacuum, for which the table's settings ask
//! within a minute or so; and the write-ahead log, for as long as the operator keeps it. `docs/operating-kafka.md` says
//! so, and what to do about it.

mod line;
mod session;
mod settings;
mod whole;

use std::collections::HashSet;

pub use settings::Postgres;
pub(crate) use whole::Whole;

use super::store::{NewKey, Row, Store};
use crate::{Error, Subject};
use line::Line;
use session::Session;

impl Store for Line {
    fn find(&mut self, subjects: &[Subject]) -> Result<Vec<Option<Row>>, Error> {
        let tenants: Vec<&str> = subjects.iter().map(|subject| &*subject.tenant).collect();
        let parties: Vec<&[u8]> = subjects.iter().map(|subject| &subject.party[..]).collect();
        let rows = self.ask("read keys", async |session: &Session| {
            session.query(&session.find, &[&tenants, &parties]).await
        })?;
        let mut found: Vec<_> = subjects.iter().map(|_| None).collect();
        for row in rows {
            let read = || -> Result<_, Misread> {
                let row_of = Row { generation: generation(row.try_get(1)?)?, wrapped: row.try_get(2)? };
                Ok((place(row.try_get(0)?, subjects.len())?, row_of))
            };
            let (at, row) = read().map_err(Error::unavailable("read keys"))?;
            found[at] = Some(row);
        }
        Ok(found)
    }

    fn issue(&mut self, keys: &[NewKey]) -> Result<Vec<bool>, Error> {
        let tenants: Vec<&str> = keys.iter().map(|key| &*key.subject.tenant).collect();
        let parties: Vec<&[u8]> = keys.iter().map(|key| &key.subject.party[..]).collect();
        let generations: Vec<i64> = keys.iter().map(|key| key.generation.into()).collect();
        let wrapped: Vec<&[u8]> = keys.iter().map(|key| &key.wrapped[..]).collect();
        let rows = self.ask("store new keys", async |session: &Session| {
            session.query(&session.issue, &[&tenants, &parties, &generations, &wrapped]).await
        })?;
        let standing = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let standing: Result<HashSet<(&str, &[u8])>, Misread> = standing.collect();
        let standing = standing.map_err(Error::unavailable("store new keys"))?;
        Ok(tenants.into_iter().zip(parties).map(|key| standing.contains(&key)).collect())
    }

    fn erase(&mut self, doomed: &[(Subject, u32)]) -> Result<(), Error> {
        let tenants: Vec<&str> = doomed.iter().map(|(subject, _)| &*subject.tenant).collect();
        let parties: Vec<&[u8]> = doomed.iter().map(|(subject, _)| &subject.party[..]).collect();
        let generations: Vec<i64> = doomed.iter().map(|(_, generation)| i64::from(*generation)).collect();
        let erased = self.ask("destroy keys", async |session: &Session| {
            session.query(&session.erase, &[&tenants, &parties, &generations]).await
        });
        erased.map(drop)
    }
}

/// A row that is not what we wrote.
#[derive(Debug, thiserror::Error)]
enum Misread {
    #[error("a row of the key store cannot be read")]
    Column(#[from] tokio_postgres::Error),
    #[error("a row of the key store holds a number that we never wrote")]
    Number,
    #[error("a row of the key store names no party")]
    Party,
}

fn generation(stored: i64) -> Result<u32, Misread> {
    stored.try_into().map_err(|_| Misread::Number)
}

/// Rows name subjects by their place in the question, from 1.
fn place(stored: i64, among: usize) -> Result<usize, Misread> {
    let place = usize::try_from(stored).ok().and_then(|place| place.checked_sub(1));
    place.filter(|place| *place < among).ok_or(Misread::Number)
}
