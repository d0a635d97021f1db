//! Where tests find PostgreSQL: the server that `POSTGRES_URL` names (a superuser's, reached without TLS), or one that
//! they start themselves. Where none can be had a test says so and does nothing, unless `REQUIRE_POSTGRES=1` makes that
//! a failure.

use std::{
    path::Path,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use vault::{KeyStore, Postgres};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/postgres/server.sh");

/// The URL of the server that tests share which do it no harm.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(String, Option<Server>)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| match std::env::var("POSTGRES_URL") {
        Ok(named) => Some((named, None)),
        Err(_) => Server::up(&[]).map(|server| (server.url.clone(), Some(server))),
    });
    found.as_ref().map(|(url, _)| url.as_str())
}

/// A server of a test's own, to be killed and started again. It ends with it, however it ends.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) dir: TempDir,
}

impl Server {
    /// With settings for the script.
    pub(crate) fn up(settings: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder for the server");
        match run(&["up", path(dir.path())], settings) {
            Ok(url) => Some(Server { url, dir }),
            Err(why) if std::env::var("REQUIRE_POSTGRES").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_POSTGRES=1, and no PostgreSQL can be had: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for no PostgreSQL can be had (POSTGRES_URL names one): {why}");
                None
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        let (_, rest) = self.url.rsplit_once(':').expect("a port");
        rest.split('/').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    pub(crate) fn signal(&self, signal: &str) {
        run(&["signal", path(self.dir.path()), signal], &[]).expect("a server that runs");
    }

    /// Starts it again, and waits until it serves.
    pub(crate) fn again(&self) {
        run(&["again", path(self.dir.path())], &[]).expect("a server that starts again");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Failing that, it ends with this process.
        let _ = run(&["down", path(self.dir.path()), "QUIT"], &[]);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new(SCRIPT);
    command.args(arguments).env("SERVER_OWNER", std::process::id().to_string());
    let output = command.envs(settings.iter().copied()).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A schema that no other test knows.
pub(crate) struct Database {
    /// The URL of the server it is on.
    pub(crate) server: String,
    /// Leads to the schema.
    pub(crate) url: String,
    /// Also the name of the sessions that vaults have here.
    pub(crate) schema: String,
}

impl Database {
    pub(crate) async fn new(server: &str) -> Database {
        static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("test_{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Relaxed));
        connect(server).await.batch_execute(&format!("CREATE SCHEMA {schema}")).await.expect("a schema");
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}&application_name={schema}");
        Database { server: server.to_owned(), url, schema }
    }

    pub(crate) fn keys(&self) -> KeyStore {
        KeyStore::Postgres(Box::new(Postgres::parse(&self.url).expect("a URL")))
    }

    pub(crate) async fn client(&self) -> Client {
        connect(&format!("{}&application_name=watcher", self.url)).await
    }

    /// Ends what vaults have open here, from the server's side.
    pub(crate) async fn end_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
        let ended = self.client().await.query(end, &[&self.schema]).await.expect("a superuser");
        assert!(!ended.is_empty(), "there was no session to end");
    }

    pub(crate) async fn number(&self, query: &str) -> u64 {
        let number: i64 = self.client().await.query_one(query, &[]).await.expect("an answer").get(0);
        number.try_into().expect("not below nothing")
    }
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a server that answers");
    tokio::spawn(connection);
    client
}
