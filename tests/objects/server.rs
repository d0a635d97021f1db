//! Where tests find a store that speaks S3: the one that `OBJECTS_URL` names (`s3://BUCKET/PREFIX`, with the usual
//! variables for the rest: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …), or a server of their own. Where none
//! can be had a test says so and does nothing, unless `REQUIRE_OBJECTS=1` makes that a failure.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "helpers of tests fail as tests do, and not each test needs all"
)]

use std::{
    hash::{BuildHasher as _, RandomState},
    path::Path,
    process::Command,
    sync::OnceLock,
};

use objects::{At, Credentials, S3, Store};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/objects/server.sh");
const BUCKET: &str = "s3://tributary";

/// A part of a bucket that is this test's alone.
pub(crate) fn store() -> Option<Store> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    match std::env::var("OBJECTS_URL") {
        Ok(url) => Some(open(&url, &S3::default())),
        Err(_) => SHARED.get_or_init(Server::up).as_ref().map(Server::store),
    }
}

/// A server of a test's own, to be held up. It ends with its test, however that ends.
pub(crate) struct Server {
    dir: TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn up() -> Option<Server> {
        let dir = TempDir::with_prefix("tributary-objects-").unwrap();
        match run(&["up", text(dir.path())]) {
            Ok(url) => Some(Server { dir, url }),
            Err(why) if std::env::var("REQUIRE_OBJECTS").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_OBJECTS=1, and there is no object store: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for no object store can be had (OBJECTS_URL names one): {why}");
                None
            }
        }
    }

    pub(crate) fn store(&self) -> Store {
        self.store_at(&self.url)
    }

    /// Reached by way of another address.
    pub(crate) fn store_at(&self, endpoint: &str) -> Store {
        open(BUCKET, &access(endpoint))
    }

    /// The same part of the bucket for all who name it.
    pub(crate) fn part_at(&self, part: &str, endpoint: &str) -> Store {
        Store::open(&format!("{BUCKET}/{part}").parse().unwrap(), &access(endpoint)).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        run(&["signal", text(self.dir.path()), signal]).expect("a server that runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Failing that, it ends with this process.
        let _ = run(&["down", text(self.dir.path()), "KILL"]);
    }
}

pub(crate) fn access(endpoint: &str) -> S3 {
    S3 {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".into()),
        credentials: Some(Credentials { key_id: "key".into(), secret: "secret".into() }),
    }
}

fn open(url: &str, s3: &S3) -> Store {
    // What others write there, now or before, is none of ours.
    let part = RandomState::new().hash_one("a part");
    let at: At = format!("{}/{part:016x}", url.trim_end_matches('/')).parse().unwrap();
    Store::open(&at, s3).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

fn run(arguments: &[&str]) -> Result<String, String> {
    let owner = std::process::id().to_string();
    let output = Command::new(SCRIPT).args(arguments).env("SERVER_OWNER", owner).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
