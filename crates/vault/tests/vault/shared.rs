//! Blobs in a store that several machines reach: each has a folder of its own, and the key store in common.

use std::{fs, path::Path, time::Duration};

use objects::Store;
use tempfile::TempDir;
use vault::{Config, Error, KeyStore, MasterKey, Opened, Vault};

use crate::{ITEM, SECRET, large, plain, subject};

/// Beyond the time of anything written in this test.
const FUTURE: i64 = i64::MAX / 2;

/// A folder, and a bucket where one can be had.
fn stores() -> Vec<(Store, Option<TempDir>)> {
    let dir = tempfile::tempdir().unwrap();
    let folder = (Store::folder(dir.path()), Some(dir));
    #[cfg(feature = "s3")]
    let bucket = crate::server::store().map(|store| (store, None));
    #[cfg(not(feature = "s3"))]
    let bucket = None;
    std::iter::once(folder).chain(bucket).collect()
}

/// A vault on a machine of its own.
fn machine(dir: &TempDir, keys: &Path, store: &Store) -> Vault {
    let config = Config {
        keys: KeyStore::Sqlite(keys.join("keys.sqlite")),
        blobs: Some(store.clone()),
        lease: Duration::ZERO,
        ..Config::new(dir.path(), MasterKey::from_bytes([42; 32]))
    };
    Vault::open(config).unwrap()
}

async fn count(store: &Store) -> usize {
    store.list("").await.unwrap().len()
}

#[tokio::test]
async fn what_one_machine_seals_another_opens_sweeps_and_erases() {
    for (store, _dir) in stores() {
        let [keys, here, there] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let (one, two) = (machine(&here, keys.path(), &store), machine(&there, keys.path(), &store));
        let (ann, bob) = (subject(&one, "ann"), subject(&one, "bob"));
        let sealed = one.seal(&ann, &ITEM, &large()).await.unwrap();
        let of_bob = two.seal(&bob, &ITEM, &large()).await.unwrap();
        assert_eq!(two.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(&large()));
        assert!(!here.path().join("blobs").exists() && !there.path().join("blobs").exists());
        for object in store.list("").await.unwrap() {
            let content = store.get(&object.name).await.unwrap().unwrap();
            assert!(content.windows(SECRET.len()).all(|part| part != SECRET), "{}", object.name);
        }

        let orphan = one.seal(&ann, &ITEM, &large()).await.unwrap();
        assert_eq!(two.blobs().await.unwrap().len(), 3);
        let kept = [&sealed, &of_bob].map(|sealed| Vault::blob(sealed).unwrap().unwrap());
        assert_eq!(two.sweep_blobs(0, |_| false).await.unwrap(), 0, "all are younger");
        assert_eq!(two.sweep_blobs(FUTURE, move |blob| kept.contains(blob)).await.unwrap(), 1);
        assert!(matches!(one.open_sealed(&ann, &ITEM, &orphan).await, Err(Error::BlobMissing(_))));

        two.erase(&ann).await.unwrap();
        assert_eq!(one.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), Opened::Erased);
        assert_eq!(one.open_sealed(&bob, &ITEM, &of_bob).await.unwrap(), plain(&large()));
        assert_eq!(count(&store).await, 1, "Bob's is left");
    }
}

/// Whether what must not be lost is told to come back later, and what needs no store goes on.
async fn is_away(vault: &Vault, sealed: &[u8]) {
    let ann = subject(vault, "ann");
    let refused = vault.seal(&ann, &ITEM, &large()).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    let refused = vault.open_sealed(&ann, &ITEM, sealed).await.unwrap_err();
    assert!(refused.is_unavailable(), "that it is missing would be a lie: {refused}");
    let refused = vault.sweep_blobs(FUTURE, |_| false).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    let short = vault.seal(&ann, &ITEM, b"short").await.unwrap();
    assert_eq!(vault.open_sealed(&ann, &ITEM, &short).await.unwrap(), plain(b"short"));
}

#[tokio::test]
async fn a_folder_that_is_away_is_a_matter_of_later() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("mount"), dir.path().join("away"));
    fs::create_dir(&root).unwrap();
    let store = Store::folder(&root);
    let here = tempfile::tempdir().unwrap();
    let vault = machine(&here, here.path(), &store);
    let ann = subject(&vault, "ann");
    let sealed = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    fs::rename(&root, &away).unwrap();
    is_away(&vault, &sealed).await;
    fs::rename(&away, &root).unwrap();
    assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(&large()));
    vault.seal(&ann, &ITEM, &large()).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn a_bucket_that_is_away_is_a_matter_of_later() {
    let Some(server) = crate::server::Server::up() else { return };
    let wire = crate::wire::Wire::to(&server.url).await;
    let store = server.store_at(&wire.url);
    let here = tempfile::tempdir().unwrap();
    let vault = machine(&here, here.path(), &store);
    let ann = subject(&vault, "ann");
    let sealed = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    wire.cut_after(0);
    is_away(&vault, &sealed).await;
    wire.mend();
    assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(&large()));
    // Cut in the middle of a blob: nothing refers to it, and nothing of it is there.
    wire.cut_after(40_000);
    assert!(vault.seal(&ann, &ITEM, &large()).await.unwrap_err().is_unavailable());
    wire.mend();
    assert_eq!(count(&store).await, 1);
    vault.erase(&ann).await.unwrap();
    assert_eq!(count(&store).await, 0);
}
