//! What every store promises.

use std::{collections::BTreeSet, fs};

use bytes::Bytes;
use objects::Store;

/// Longer than what one request carries.
pub(crate) const LARGE: usize = (16 << 20) + 7;

pub(crate) async fn names(store: &Store, folder: &str) -> BTreeSet<String> {
    store.list(folder).await.unwrap().into_iter().map(|object| object.name).collect()
}

pub(crate) fn large() -> Vec<u8> {
    (0..LARGE).map(|i| (i * 31 % 251) as u8).collect()
}

/// The store is empty.
pub(crate) async fn keeps_its_promises(store: &Store) {
    let files = tempfile::tempdir().unwrap();
    let (from, to) = (files.path().join("from"), files.path().join("to"));

    // What is not there.
    assert_eq!(store.get("a/b").await.unwrap(), None);
    assert_eq!(store.get_start("a/b", 10).await.unwrap(), None);
    assert!(!store.get_file("a/b", &to).await.unwrap());
    store.remove("a/b").await.unwrap();
    assert!(names(store, "").await.is_empty() && names(store, "a").await.is_empty());

    // What is written is there, whole, under its name; and another in its place.
    for content in [&b"first"[..], b"", b"the second is longer"] {
        store.put("a/b", Bytes::copy_from_slice(content)).await.unwrap();
        assert_eq!(store.get("a/b").await.unwrap().unwrap(), content);
    }
    assert_eq!(store.get_start("a/b", 3).await.unwrap().unwrap(), "the");
    assert_eq!(store.get_start("a/b", 1_000).await.unwrap().unwrap(), "the second is longer");

    // Files of any size, those that go in parts among them.
    for content in [&b""[..], b"short", &large()] {
        fs::write(&from, content).unwrap();
        store.put_file("files/one", &from).await.unwrap();
        assert!(store.get_file("files/one", &to).await.unwrap());
        assert!(fs::read(&to).unwrap() == content, "{} bytes", content.len());
    }
    assert!(store.get("files/one").await.unwrap().unwrap() == large());

    // A listing is of a folder and those below it, and not of one whose name only begins alike.
    for name in ["a/c/d", "ab/x", "top"] {
        store.put(name, Bytes::from_static(b"x")).await.unwrap();
    }
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(store, "").await, named(&["a/b", "a/c/d", "ab/x", "files/one", "top"]));
    assert_eq!(names(store, "a").await, named(&["a/b", "a/c/d"]));
    assert_eq!(names(store, "a/c").await, named(&["a/c/d"]));
    let listed = store.list("files").await.unwrap().remove(0);
    assert_eq!(listed.bytes, LARGE as u64);
    let top = store.list("").await.unwrap().into_iter().find(|object| object.name == "top").unwrap();
    assert!(top.written_at >= listed.written_at, "{top:?} came after {listed:?}");

    // What is removed is gone, and nothing else.
    store.remove("a/b").await.unwrap();
    assert_eq!(store.get("a/b").await.unwrap(), None);
    assert_eq!(names(store, "a").await, named(&["a/c/d"]));

    // More than one page of a listing.
    let mut writing = tokio::task::JoinSet::new();
    for lane in 0..20 {
        let store = store.clone();
        writing.spawn(async move {
            for number in 0..60 {
                store.put(&format!("many/{lane}/{number}"), Bytes::from_static(b"x")).await.unwrap();
            }
        });
    }
    writing.join_all().await;
    assert_eq!(names(store, "many").await.len(), 1_200);

    // A probe leaves nothing behind.
    let before = names(store, "").await;
    store.probe("probe-1").await.unwrap();
    store.probe("in/a/folder").await.unwrap();
    assert_eq!(names(store, "").await, before);
    assert_eq!(store.tidy(0).await.unwrap(), 0);
}
