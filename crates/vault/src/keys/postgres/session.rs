//! One connection to the server, found fit for keys, and what is asked over it.

use std::{error::Error as StdError, future::Future, time::Duration};

use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row, Statement, error::SqlState, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::Postgres;

/// For a connection, whatever the number of hosts and addresses to try.
const CONNECT: Duration = Duration::from_secs(8);

/// For a statement on the server.
pub(super) const STATEMENT: Duration = Duration::from_secs(5);

/// For its answer.
pub(super) const ANSWER: Duration = Duration::from_secs(6);

const FIND: &str = "
    SELECT asked.n, keys.generation, keys.wrapped
    FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS asked (tenant, party, n)
    JOIN tributary_keys AS keys ON keys.tenant = asked.tenant AND keys.party = asked.party";

const ISSUE: &str = "
    INSERT INTO tributary_keys AS keys (tenant, party, generation, wrapped)
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[])
    ON CONFLICT (tenant, party)
    DO UPDATE SET generation = excluded.generation, wrapped = excluded.wrapped
    WHERE keys.wrapped IS NULL AND keys.generation = excluded.generation - 1
    RETURNING tenant, party";

/// Rows are locked in the order in which [`ISSUE`] comes to them.
const ERASE: &str = "
    WITH doomed AS (
        SELECT keys.tenant, keys.party, keys.generation
        FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS asked (tenant, party, generation)
        JOIN tributary_keys AS keys ON keys.tenant = asked.tenant AND keys.party = asked.party
            AND keys.generation = asked.generation
        WHERE keys.wrapped IS NOT NULL
        ORDER BY keys.tenant, keys.party
        FOR UPDATE OF keys
    )
    UPDATE tributary_keys AS keys SET wrapped = NULL FROM doomed
    WHERE keys.tenant = doomed.tenant AND keys.party = doomed.party AND keys.generation = doomed.generation";

pub(super) const ROOT: &str = "SELECT format, root FROM tributary_key_store";

/// What kept a session from doing its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the server did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    #[error(transparent)]
    Server(#[from] tokio_postgres::Error),
    #[error("this is not the key store that was opened: its root secret is another one")]
    OtherStore,
    #[error(
        "the server runs with fsync = off, so that it may lose keys that it said it had: set fsync = on in its \
         postgresql.conf and restart it"
    )]
    NoFsync,
    #[error(
        "sessions of {user} have synchronous_commit = off, so that keys may be lost that the server said it had: \
         ALTER ROLE {user} SET synchronous_commit = on, or have it on in postgresql.conf"
    )]
    NoSynchronousCommit { user: String },
}

impl Failure {
    /// Asking once more, on a new session, would only take as long again.
    pub(super) fn is_slow(&self) -> bool {
        match self {
            Failure::Silent(_) => true,
            Failure::Server(error) => {
                matches!(error.code(), Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE))
            }
            _ => false,
        }
    }

    /// In one line, with its causes.
    pub(super) fn told(&self) -> String {
        let causes = std::iter::successors(self.source(), |cause| (**cause).source());
        causes.fold(self.to_string(), |told, cause| format!("{told}: {cause}"))
    }
}

/// Waits for the server, but not for ever.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Failure::Silent(patience)),
    }
}

/// A connection that is alive as long as this is.
pub(super) struct Connected {
    pub(super) client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connected {
    /// Connects, and looks whether the server keeps what it acknowledges.
    pub(super) async fn to(postgres: &Postgres) -> Result<Connected, Failure> {
        let Postgres { config, tls } = postgres;
        let (client, driver) = match tls {
            None => {
                let (client, connection) = within(CONNECT, config.connect(tokio_postgres::NoTls)).await?;
                (client, tokio::spawn(drive(connection)))
            }
            Some(tls) => {
                let tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
                let (client, connection) = within(CONNECT, config.connect(tls)).await?;
                (client, tokio::spawn(drive(connection)))
            }
        };
        let connected = Connected { client, driver };
        connected.set_up().await?;
        Ok(connected)
    }

    async fn set_up(&self) -> Result<(), Failure> {
        // The plan that is best for an empty table would be kept while it grows.
        let settings = format!(
            "SET statement_timeout = {}; SET plan_cache_mode = force_custom_plan; \
             SET default_transaction_isolation = 'read committed'",
            STATEMENT.as_millis()
        );
        within(ANSWER, self.client.batch_execute(&settings)).await?;
        let asked = "SELECT current_setting('fsync'), current_setting('synchronous_commit'),
                     current_setting('autovacuum'), current_user::text";
        let row = within(ANSWER, self.client.query_one(asked, &[])).await?;
        let (fsync, commit): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let (vacuum, user): (&str, String) = (row.try_get(2)?, row.try_get(3)?);
        if vacuum == "off" {
            tracing::warn!(
                "the server has autovacuum = off: destroyed keys stay in tributary_keys until a VACUUM"
            );
        }
        match (fsync, commit) {
            ("on", "off") => Err(Failure::NoSynchronousCommit { user }),
            ("on", _) => Ok(()),
            _ => Err(Failure::NoFsync),
        }
    }
}

async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Whoever waits for an answer is told as well.
    if let Err(error) = connection.await {
        tracing::debug!(error = &error as &dyn StdError, "a connection to the key store has ended");
    }
}

/// A connection to the key store that was opened, ready to be asked.
pub(super) struct Session {
    connected: Connected,
    pub(super) find: Statement,
    pub(super) issue: Statement,
    pub(super) erase: Statement,
}

impl Session {
    pub(super) async fn begin(connected: Connected, wrapped_root: &[u8]) -> Result<Session, Failure> {
        let client = &connected.client;
        // The same URL may lead to another store one day: one restored, or made anew after a failover.
        let root = within(ANSWER, client.query_one(ROOT, &[])).await?;
        if root.try_get::<_, &[u8]>(1)? != wrapped_root {
            return Err(Failure::OtherStore);
        }
        let prepared =
            async { tokio::try_join!(client.prepare(FIND), client.prepare(ISSUE), client.prepare(ERASE)) };
        let (find, issue, erase) = within(ANSWER, prepared).await?;
        Ok(Session { connected, find, issue, erase })
    }

    pub(super) fn is_over(&self) -> bool {
        self.connected.client.is_closed()
    }

    pub(super) async fn query(
        &self,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.connected.client.query(statement, values).await
    }
}
