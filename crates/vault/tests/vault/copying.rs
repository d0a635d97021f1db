//! Key stores move from one kind of database to another, and back.

use std::cell::Cell;

use vault::{Config, Error, MasterKey, Opened, Vault, copy_keys};

use crate::{ITEM, Place, SECRET, everywhere, plain, subject};

fn copy(from: &Place, to: &Place) -> Result<u64, Error> {
    copy_with(from, to, 42)
}

fn copy_with(from: &Place, to: &Place, master: u8) -> Result<u64, Error> {
    // What waits for a server must not do so on a thread that serves others.
    let (from, to, master) = (from.keys(), to.keys(), MasterKey::from_bytes([master; 32]));
    tokio::task::block_in_place(|| copy_keys(&from, &to, &master, &|_, _| ()))
}

/// Every way from one kind of place to another.
async fn ways() -> Vec<(Place, Place)> {
    let mut ways = Vec::new();
    for from in everywhere().await {
        for to in everywhere().await {
            ways.push((from.another().await, to));
        }
    }
    ways
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_the_same_store_and_goes_on_from_there() {
    for (from, to) in ways().await {
        let vault = from.open();
        let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
        let anns = vault.seal(&ann, &ITEM, SECRET).await.unwrap();
        vault.erase(&ann).await.unwrap();
        let bobs = [vault.seal(&bob, &ITEM, SECRET).await.unwrap(), {
            vault.erase(&bob).await.unwrap();
            vault.seal(&bob, &ITEM, SECRET).await.unwrap()
        }];
        let other_tenant = vault::Subject { tenant: "zebra".into(), ..ann.clone() };
        let others = vault.seal(&other_tenant, &ITEM, SECRET).await.unwrap();

        assert_eq!(copy(&from, &to).unwrap(), 3);
        let copied = to.open();
        assert_eq!(copied.party("acme", "email", "x"), vault.party("acme", "email", "x"));
        assert_eq!(copied.open_sealed(&ann, &ITEM, &anns).await.unwrap(), Opened::Erased);
        assert_eq!(copied.open_sealed(&bob, &ITEM, &bobs[0]).await.unwrap(), Opened::Erased);
        assert_eq!(copied.open_sealed(&bob, &ITEM, &bobs[1]).await.unwrap(), plain(SECRET));
        assert_eq!(copied.open_sealed(&other_tenant, &ITEM, &others).await.unwrap(), plain(SECRET));
        let again = copied.seal(&ann, &ITEM, SECRET).await.unwrap();
        assert_eq!(Vault::generation(&again).unwrap(), 2);
        assert_eq!(from.parties().await, 3, "where it came from is as it was");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_keys_are_copied_page_by_page() {
    const PARTIES: u64 = 12_000;
    for (from, to) in ways().await {
        let vault = from.open();
        let sealing = (0..PARTIES).map(|n| {
            let (vault, subject) = (vault.clone(), subject(&vault, &n.to_string()));
            tokio::spawn(
                async move { vault.seal(&subject, &ITEM, SECRET).await.map(|sealed| (subject, sealed)) },
            )
        });
        let sealing: Vec<_> = sealing.collect();
        let mut sealed = Vec::new();
        for task in sealing {
            sealed.push(task.await.unwrap().unwrap());
        }
        let (keys, into, master) = (from.keys(), to.keys(), MasterKey::from_bytes([42; 32]));
        let (told, last) = (Cell::new(0), Cell::new(0));
        let progress = |done, total| {
            assert!(done > last.get() && total == PARTIES, "{done} of {total}");
            last.set(done);
            told.set(told.get() + 1);
        };
        let copied = tokio::task::block_in_place(|| copy_keys(&keys, &into, &master, &progress));
        assert_eq!((copied.unwrap(), last.get()), (PARTIES, PARTIES));
        assert!(told.get() > 1);
        let copied = to.open();
        for (subject, sealed) in sealed.iter().step_by(97) {
            assert_eq!(copied.open_sealed(subject, &ITEM, sealed).await.unwrap(), plain(SECRET));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_copied_over_what_is_there_or_from_what_is_not() {
    for (from, to) in ways().await {
        let nothing = copy(&from, &to).unwrap_err();
        assert!(matches!(nothing, Error::NoStore { .. }), "{nothing}");

        let vault = from.open();
        vault.seal(&subject(&vault, "ann"), &ITEM, SECRET).await.unwrap();
        let wrong = copy_with(&from, &to, 43).unwrap_err();
        assert!(matches!(wrong, Error::WrongMasterKey { .. }), "{wrong}");
        let still_nothing = Vault::open(Config { create: false, ..to.config() });
        assert!(matches!(still_nothing, Err(Error::NoStore { .. })), "a copy that failed left something");

        let other = to.another().await;
        drop(other.open());
        let refused = copy(&from, &other).unwrap_err();
        assert!(matches!(refused, Error::OtherRoot { .. }), "{refused}");
        assert_eq!(other.parties().await, 0);

        assert_eq!(copy(&from, &to).unwrap(), 1);
        let refused = copy(&from, &to).unwrap_err();
        assert!(matches!(refused, Error::NotEmpty { parties: 1, .. }), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_meanwhile_is_told_to_come_back() {
    for (from, to) in ways().await {
        let vault = from.open();
        for n in 0..10 {
            vault.seal(&subject(&vault, &n.to_string()), &ITEM, SECRET).await.unwrap();
        }
        let (keys, into, master) = (from.keys(), to.keys(), MasterKey::from_bytes([42; 32]));
        let (new, runtime) = (subject(&vault, "new"), tokio::runtime::Handle::current());
        let refused = Cell::new(false);
        let late = |_, _| {
            let sealed = runtime.block_on(vault.seal(&new, &ITEM, SECRET));
            refused.set(sealed.is_err_and(|error| error.is_unavailable()));
        };
        let copied = tokio::task::block_in_place(|| copy_keys(&keys, &into, &master, &late));
        assert_eq!(copied.unwrap(), 10);
        assert!(refused.get());
    }
}
