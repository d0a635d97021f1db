use std::fs;

use bytes::Bytes;
use objects::{At, Error, Store};

use super::{
    server::{self, Server, access},
    suite::{keeps_its_promises, large, names},
    wire::Wire,
};

#[tokio::test]
async fn a_bucket_keeps_its_promises() {
    let Some(store) = server::store() else { return };
    keeps_its_promises(&store).await;
}

#[tokio::test]
async fn a_probe_names_what_is_wrong() {
    let Some(server) = Server::up() else { return };
    let told = |error: Error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    let missing: At = "s3://not-there".parse().unwrap();
    let missing = Store::open(&missing, &access(&server.url)).unwrap();
    let refused = told(missing.probe("p").await.unwrap_err());
    assert!(refused.contains("could not write p in the store s3://not-there: "), "{refused}");
    assert!(refused.contains("NoSuchBucket"), "{refused}");
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_nothing_under_its_name() {
    let Some(server) = Server::up() else { return };
    let wire = Wire::to(&server.url).await;
    let store = server.store_at(&wire.url);
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("large");
    fs::write(&from, large()).unwrap();
    // In its only part, in the first of two, and in the second.
    for (name, budget) in [("short", 300_000), ("first", 5 << 20), ("second", (16 << 20) + 900)] {
        wire.cut_after(budget);
        let written = match name {
            "short" => store.put(name, Bytes::from(vec![7; 1 << 20])).await,
            name => store.put_file(name, &from).await,
        };
        assert!(written.is_err() && wire.is_cut(), "{name}");
        wire.mend();
        assert!(store.get(name).await.unwrap().is_none(), "{name}");
        assert!(names(&store, "").await.is_empty(), "{name}");
    }
    store.put_file("second", &from).await.unwrap();
    assert!(store.get("second").await.unwrap().unwrap() == large());
}

#[tokio::test]
async fn a_server_that_is_away_or_says_nothing_is_told_in_time_and_is_there_again_afterwards() {
    let Some(server) = Server::up() else { return };
    let store = server.store();
    store.put("a", Bytes::from_static(b"kept")).await.unwrap();
    let wire = Wire::to(&server.url).await;
    let cut = server.store_at(&wire.url);
    cut.put("a", Bytes::from_static(b"kept")).await.unwrap();
    wire.cut_after(0);
    assert!(matches!(cut.get("a").await, Err(Error::Failed { operation: "read", .. })));
    wire.mend();
    assert_eq!(cut.get("a").await.unwrap().unwrap(), "kept");

    server.signal("STOP");
    let (read, written, listed) =
        tokio::join!(store.get("a"), store.put("b", Bytes::from_static(b"perhaps")), store.list(""));
    server.signal("CONT");
    for error in [read.unwrap_err(), written.unwrap_err(), listed.unwrap_err()] {
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("no answer within"), "{error}: {source}");
    }
    assert_eq!(store.get("a").await.unwrap().unwrap(), "kept");
}
