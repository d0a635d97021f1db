//! The vault from outside, in a real folder; its keys there, and on a real PostgreSQL where this build knows it.
#![allow(clippy::unwrap_used)]

mod backup;
mod blobs;
mod copying;
mod erasing;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod sealing;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/server.rs"]
mod server;
#[cfg(feature = "postgres")]
mod server_faults;
mod shared;
mod store;
mod walk;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/wire.rs"]
mod wire;

use std::{future::Future, time::Duration};

use vault::{Error, Id, Opened, Subject, Vault};

use place::{Place, everywhere};

const ITEM: Id = [1; 16];

/// A marker that ciphertext will not contain by chance.
const SECRET: &[u8] = b"Ann Example lives at 12 Rosebud Lane";

fn subject(vault: &Vault, address: &str) -> Subject {
    Subject { tenant: "acme".into(), party: vault.party("acme", "email", address) }
}

fn plain(bytes: &[u8]) -> Opened {
    Opened::Plain(bytes.to_vec())
}

/// Large enough to become a blob, with the marker at its start and its end.
fn large() -> Vec<u8> {
    [SECRET, &vec![b'.'; vault::INLINE_MAX], SECRET].concat()
}

/// Asks again for as long as the answer is to come back later.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> T {
    loop {
        match ask().await {
            Ok(done) => return done,
            Err(error) if error.is_unavailable() => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}
