use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use vault::{Error, Opened, Vault};

use crate::{ITEM, Place, SECRET, everywhere, large, plain, subject};

#[tokio::test]
async fn after_an_erasure_nothing_opens_and_a_new_generation_begins() {
    for place in everywhere().await {
        let vault = place.open();
        let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
        let mut before = Vec::new();
        for text in [SECRET.to_vec(), large()] {
            before.push(vault.seal(&ann, &ITEM, &text).await.unwrap());
        }
        let bobs = vault.seal(&bob, &ITEM, &large()).await.unwrap();

        assert_eq!(vault.erase(&ann).await.unwrap(), 1);
        for sealed in &before {
            assert_eq!(vault.open_sealed(&ann, &ITEM, sealed).await.unwrap(), Opened::Erased);
        }
        let after = vault.seal(&ann, &ITEM, SECRET).await.unwrap();
        assert_eq!(Vault::generation(&after).unwrap(), 2);

        for vault in [vault, place.open()] {
            for sealed in &before {
                assert_eq!(vault.open_sealed(&ann, &ITEM, sealed).await.unwrap(), Opened::Erased);
            }
            assert_eq!(vault.open_sealed(&ann, &ITEM, &after).await.unwrap(), plain(SECRET));
            assert_eq!(vault.open_sealed(&bob, &ITEM, &bobs).await.unwrap(), plain(&large()));
        }
    }
}

#[tokio::test]
async fn an_erased_key_and_its_blobs_are_gone_from_the_folder() {
    let place = Place::new();
    let vault = place.open();
    let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
    for subject in [&ann, &bob] {
        vault.seal(subject, &ITEM, &large()).await.unwrap();
    }
    let wrapped = place.wrapped_key(&ann).await;
    let parts = || wrapped.chunks_exact(12);
    assert!(parts().all(|part| place.contains(part)), "before, it stands there");
    assert_eq!(place.blob_files().len(), 2);

    vault.erase(&ann).await.unwrap();
    assert!(!parts().any(|part| place.contains(part)), "not even a piece is left");
    assert!(!place.contains(SECRET));
    assert_eq!(place.blob_files().len(), 1, "Bob's is left");
    assert_eq!(fs::metadata(place.path().join("keys.sqlite-wal")).unwrap().len(), 0);
}

#[tokio::test]
async fn erasing_twice_or_for_nothing_does_no_harm() {
    for place in everywhere().await {
        let vault = place.open();
        let ann = subject(&vault, "ann");
        assert_eq!(vault.erase(&ann).await.unwrap(), 0, "there was nothing");
        let sealed = vault.seal(&ann, &ITEM, SECRET).await.unwrap();
        assert_eq!(vault.erase(&ann).await.unwrap(), 1);
        assert_eq!(vault.erase(&ann).await.unwrap(), 1);
        assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), Opened::Erased);
        let mut unknown = sealed;
        unknown[1] = 9;
        let result = vault.open_sealed(&ann, &ITEM, &unknown).await;
        assert!(matches!(result, Err(Error::NoKey { generation: 9 })), "{result:?}");
    }
}

#[tokio::test]
async fn another_process_notices_within_the_lease() {
    for place in everywhere().await {
        let lease = Duration::from_millis(300);
        let (here, there) = (place.open(), place.open_with_lease(lease));
        let ann = subject(&here, "ann");
        let sealed = there.seal(&ann, &ITEM, SECRET).await.unwrap();
        here.erase(&ann).await.unwrap();
        let after = here.seal(&ann, &ITEM, SECRET).await.unwrap();
        assert_eq!(
            there.open_sealed(&ann, &ITEM, &after).await.unwrap(),
            plain(SECRET),
            "a newer one it looks up at once"
        );

        let bob = subject(&here, "bob");
        let bobs = there.seal(&bob, &ITEM, SECRET).await.unwrap();
        here.erase(&bob).await.unwrap();
        tokio::time::sleep(lease).await;
        assert_eq!(there.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), Opened::Erased);
        assert_eq!(there.open_sealed(&bob, &ITEM, &bobs).await.unwrap(), Opened::Erased);
        let again = there.seal(&bob, &ITEM, SECRET).await.unwrap();
        assert_eq!(Vault::generation(&again).unwrap(), 2);
    }
}

/// Whoever seals while the party is being erased gets bytes that are readable or erased, never broken, and a blob
/// of an erased generation never stays behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealing_during_erasures_breaks_nothing() {
    for place in everywhere().await {
        let vault = place.open();
        let ann = subject(&vault, "ann");
        let done = Arc::new(AtomicBool::new(false));
        // The large one is long in the cipher, so that some erasures finish before its file appears.
        let writers: Vec<_> = [SECRET.to_vec(), large(), vec![b'x'; 8 << 20]]
            .into_iter()
            .map(|text| {
                let (vault, ann, done) = (vault.clone(), ann.clone(), done.clone());
                tokio::spawn(async move {
                    let mut sealed = Vec::new();
                    while !done.load(Relaxed) || sealed.is_empty() {
                        sealed.push(vault.seal(&ann, &ITEM, &text).await.unwrap());
                        tokio::task::yield_now().await;
                    }
                    sealed
                })
            })
            .collect();
        let mut erased = 0;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(3)).await;
            erased = vault.erase(&ann).await.unwrap();
        }
        done.store(true, Relaxed);
        let mut readable_blobs = 0;
        for writer in writers {
            for sealed in writer.await.unwrap() {
                let opened = vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap();
                assert_eq!(opened == Opened::Erased, Vault::generation(&sealed).unwrap() <= erased);
                readable_blobs +=
                    usize::from(opened != Opened::Erased && Vault::blob(&sealed).unwrap().is_some());
            }
        }
        assert!(erased > 1);
        assert_eq!(place.blob_files().len(), readable_blobs);
    }
}

#[tokio::test]
async fn an_erasure_is_not_reported_done_while_the_old_log_is_held_open() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann");
    let sealed = vault.seal(&ann, &ITEM, SECRET).await.unwrap();
    let reader = place.database();
    reader.execute_batch("BEGIN; SELECT count(*) FROM keys;").unwrap();
    let error = vault.erase(&ann).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert_eq!(
        vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(),
        Opened::Erased,
        "though nobody can read it"
    );

    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(vault.erase(&ann).await.unwrap(), 1);
    assert_eq!(fs::metadata(place.path().join("keys.sqlite-wal")).unwrap().len(), 0);
}
