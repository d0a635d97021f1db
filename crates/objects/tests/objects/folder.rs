use std::fs;

use bytes::Bytes;
use objects::Store;

use super::suite::{keeps_its_promises, names};

#[tokio::test]
async fn a_folder_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    keeps_its_promises(&Store::folder(dir.path())).await;
}

/// As where a mount is missing for a while.
#[tokio::test]
async fn a_folder_that_is_away_is_not_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("mount"), dir.path().join("away"));
    fs::create_dir(&root).unwrap();
    let store = Store::folder(&root);
    store.put("a/b", Bytes::from_static(b"here")).await.unwrap();
    fs::rename(&root, &away).unwrap();

    let refused = store.put("a/c", Bytes::from_static(b"there")).await.unwrap_err().to_string();
    assert!(refused.contains("could not write a/c"), "{refused}");
    assert!(store.list("").await.is_err(), "that nothing is there would be a lie");
    assert!(store.get("a/b").await.is_err() && store.get_start("a/b", 1).await.is_err());
    assert!(store.get_file("a/b", &dir.path().join("to")).await.is_err());
    assert!(store.remove("a/b").await.is_err() && store.probe("p").await.is_err());
    assert!(!root.exists());

    fs::rename(&away, &root).unwrap();
    assert_eq!(store.get("a/b").await.unwrap().unwrap(), "here");
}

#[tokio::test]
async fn what_was_never_finished_is_not_there_and_goes_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path());
    store.put("a/b", Bytes::from_static(b"whole")).await.unwrap();
    fs::write(dir.path().join("a/c.0123456789abcdef.part"), b"ha").unwrap();
    assert_eq!(names(&store, "").await.len(), 1);
    assert_eq!(store.tidy(0).await.unwrap(), 0, "its writer may be at work");
    assert_eq!(store.tidy(i64::MAX).await.unwrap(), 1);
    assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
    assert_eq!(store.get("a/b").await.unwrap().unwrap(), "whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_write_the_same_name_each_writes_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u8 {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..20 {
                store.put("same", Bytes::from(vec![writer; 100_000])).await.unwrap();
                let found = store.get("same").await.unwrap().unwrap();
                assert!(found.len() == 100_000 && found.iter().all(|byte| *byte == found[0]));
            }
        });
    }
    writers.join_all().await;
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
