//! A transaction over the whole key store: to open it, to make it, to copy it.

use std::{sync::Arc, time::Duration};

use tokio::runtime::{self, Runtime};

use super::{
    Misread, generation,
    line::Line,
    session::{ANSWER, Connected, Failure, ROOT, Session, within},
    settings::Postgres,
};
use crate::{
    Error, Subject,
    keys::store::{self, FORMAT, Row, Store},
};

/// While keys are copied, for each statement.
const COPYING: Duration = Duration::from_secs(600);

/// In rows.
const PAGE: i64 = 10_000;

/// Whoever makes or opens the key store of a schema holds this lock; the number is one of our own.
const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(738124095, hashtext(current_schema()))";

/// An erasure leaves the row's old version behind, which a vacuum clears away: as soon as there is any, one is due. The
/// room left in each page keeps the new version beside the old one, so that the index need not be looked through for it.
const TABLES: &str = "
    CREATE TABLE tributary_key_store (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        format integer NOT NULL,
        root bytea NOT NULL
    );
    CREATE TABLE tributary_keys (
        tenant text COLLATE \"C\" NOT NULL,
        party bytea NOT NULL,
        generation bigint NOT NULL,
        wrapped bytea,
        PRIMARY KEY (tenant, party)
    ) WITH (fillfactor = 90, autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)";

pub(crate) struct Whole {
    postgres: Postgres,
    connected: Connected,
    wrapped_root: Vec<u8>,
    patience: Duration,
    runtime: Runtime,
}

impl Whole {
    pub(crate) fn begin(postgres: &Postgres) -> Result<Whole, Error> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::unavailable("start what talks to the key store"))?;
        let connected = runtime.block_on(async {
            let connected = Connected::to(postgres).await?;
            within(ANSWER, connected.client.batch_execute(LOCK)).await?;
            Ok(connected)
        });
        match connected {
            Ok(connected) => {
                let postgres = postgres.clone();
                Ok(Whole { postgres, connected, wrapped_root: Vec::new(), patience: ANSWER, runtime })
            }
            Err(failure) => {
                // It may still look a name up.
                runtime.shutdown_background();
                Err(failed(postgres, failure))
            }
        }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        let done = self.runtime.block_on(within(self.patience, work));
        done.map_err(|failure| failed(&self.postgres, failure))
    }

    fn read<T>(&self, read: Result<T, Misread>) -> Result<T, Error> {
        let place = || self.postgres.to_string();
        read.map_err(|source| Error::Open { place: place(), source: Arc::new(source) })
    }
}

impl store::Whole for Whole {
    fn root(&mut self) -> Result<Option<(u32, Vec<u8>)>, Error> {
        let client = &self.connected.client;
        let is_there = "SELECT to_regclass('tributary_key_store') IS NOT NULL";
        let is_there = self.wait(client.query_one(is_there, &[]))?;
        if !self.read(is_there.try_get(0).map_err(Misread::from))? {
            return Ok(None);
        }
        let row = self.wait(client.query_one(ROOT, &[]))?;
        let root = || -> Result<(i32, Vec<u8>), Misread> { Ok((row.try_get(0)?, row.try_get(1)?)) };
        let (format, wrapped) = self.read(root())?;
        let format = self.read(generation(format.into()))?;
        self.wrapped_root.clone_from(&wrapped);
        Ok(Some((format, wrapped)))
    }

    fn create(&mut self, wrapped_root: &[u8]) -> Result<(), Error> {
        let client = &self.connected.client;
        self.wait(client.batch_execute(TABLES))?;
        let put = "INSERT INTO tributary_key_store (format, root) VALUES ($1, $2)";
        self.wait(client.execute(put, &[&i32::try_from(FORMAT).unwrap_or(i32::MAX), &wrapped_root]))?;
        self.wrapped_root = wrapped_root.to_owned();
        Ok(())
    }

    fn hold_still(&mut self) -> Result<(), Error> {
        self.wait(self.connected.client.batch_execute("LOCK TABLE tributary_keys IN SHARE MODE"))?;
        let patience = format!("SET LOCAL statement_timeout = {}", COPYING.as_millis());
        self.wait(self.connected.client.batch_execute(&patience))?;
        self.patience = COPYING + ANSWER;
        Ok(())
    }

    fn count(&mut self) -> Result<u64, Error> {
        let row = self.wait(self.connected.client.query_one("SELECT count(*) FROM tributary_keys", &[]))?;
        let count: Result<i64, _> = row.try_get(0).map_err(Misread::from);
        Ok(self.read(count)?.unsigned_abs())
    }

    fn page(&mut self, after: Option<&Subject>) -> Result<Vec<(Subject, Row)>, Error> {
        let (tenant, party) = after.map_or(("", &[][..]), |subject| (&*subject.tenant, &subject.party[..]));
        let page =
            "SELECT tenant, party, generation, wrapped FROM tributary_keys WHERE (tenant, party) > ($1, $2)
                    ORDER BY tenant, party LIMIT $3";
        let rows = self.wait(self.connected.client.query(page, &[&tenant, &party, &PAGE]))?;
        let read = |row: &tokio_postgres::Row| -> Result<_, Misread> {
            let (tenant, party): (&str, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
            let subject =
                Subject { tenant: tenant.into(), party: party.try_into().map_err(|_| Misread::Party)? };
            Ok((subject, Row { generation: generation(row.try_get(2)?)?, wrapped: row.try_get(3)? }))
        };
        self.read(rows.iter().map(read).collect())
    }

    fn put(&mut self, rows: &[(Subject, Row)]) -> Result<(), Error> {
        let tenants: Vec<&str> = rows.iter().map(|(subject, _)| &*subject.tenant).collect();
        let parties: Vec<&[u8]> = rows.iter().map(|(subject, _)| &subject.party[..]).collect();
        let generations: Vec<i64> = rows.iter().map(|(_, row)| row.generation.into()).collect();
        let wrapped: Vec<Option<&[u8]>> = rows.iter().map(|(_, row)| row.wrapped.as_deref()).collect();
        let put = "INSERT INTO tributary_keys (tenant, party, generation, wrapped)
                   SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[])";
        self.wait(self.connected.client.execute(put, &[&tenants, &parties, &generations, &wrapped]))?;
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Box<dyn Store>, Error> {
        self.wait(self.connected.client.batch_execute("COMMIT"))?;
        let Whole { postgres, connected, wrapped_root, runtime, .. } = *self;
        let session = runtime.block_on(Session::begin(connected, &wrapped_root));
        let session = session.map_err(|failure| failed(&postgres, failure))?;
        Ok(Box::new(Line::new(postgres, wrapped_root, session, runtime)))
    }
}

fn failed(postgres: &Postgres, failure: Failure) -> Error {
    Error::Open { place: postgres.to_string(), source: Arc::new(failure) }
}
