use std::fs;

use vault::{Config, Error, MasterKey, Vault};

use crate::{ITEM, Place, SECRET, plain, subject};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everyone_who_seals_first_gets_the_same_key() {
    let place = Place::new();
    // Two vaults on one store stand for two processes.
    let vaults = [place.open(), place.open()];
    let mut sealing = Vec::new();
    for n in 0..400 {
        let vault = vaults[n % 2].clone();
        let subject = subject(&vault, &format!("{}@example.test", n % 10));
        sealing.push(tokio::spawn(async move {
            let sealed = vault.seal(&subject, &ITEM, SECRET).await.unwrap();
            (subject, sealed)
        }));
    }
    for task in sealing {
        let (subject, sealed) = task.await.unwrap();
        for vault in &vaults {
            assert_eq!(vault.open_sealed(&subject, &ITEM, &sealed).await.unwrap(), plain(SECRET));
        }
    }
    let rows: u32 = place.database().query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 10);
}

#[tokio::test]
async fn a_key_stands_in_the_store_when_seal_returns() {
    let place = Place::new();
    let vault = place.open();
    let other_process = place.database();
    for n in 1..=50 {
        vault.seal(&subject(&vault, &n.to_string()), &ITEM, SECRET).await.unwrap();
        let rows: u32 = other_process.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, n);
    }
}

#[tokio::test]
async fn reopening_changes_nothing() {
    let place = Place::new();
    let first = place.open();
    let ann = subject(&first, "ann@example.test");
    let sealed = first.seal(&ann, &ITEM, SECRET).await.unwrap();
    let ids = |vault: &Vault| {
        (vault.party("acme", "email", "x"), vault.fact("email", "message", b"x"), vault.content(b"x"))
    };
    let (before, reference) = (ids(&first), first.reference("reply", b"conversation"));
    drop(first);

    let again = place.open();
    assert_eq!(again.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(SECRET));
    assert_eq!(ids(&again), before);
    assert_eq!(again.read_reference("reply", &reference).unwrap(), b"conversation");
    assert_ne!(ids(&Place::new().open()), before, "another installation has other ids");
}

#[test]
fn a_wrong_master_key_is_refused_at_once_and_harms_nothing() {
    let place = Place::new();
    drop(place.open());
    let wrong = Config::new(place.path(), MasterKey::from_bytes([43; 32]));
    let message = match Vault::open(wrong) {
        Err(error @ Error::WrongMasterKey { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    };
    assert!(message.contains("keys.sqlite"), "{message}");
    place.open();
}

#[test]
fn stores_it_cannot_read_are_refused_by_name() {
    let newer = Place::new();
    drop(newer.open());
    newer.database().pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(Vault::open(newer.config()), Err(Error::Newer { found: 2, known: 1, .. })));

    let garbage = Place::new();
    fs::write(garbage.path().join("keys.sqlite"), "not a database ".repeat(1000)).unwrap();
    assert!(matches!(Vault::open(garbage.config()), Err(Error::Open { .. })));

    let no_folder = Place::new();
    fs::write(no_folder.path().join("file"), "").unwrap();
    let config = Config::new(no_folder.path().join("file/vault"), MasterKey::from_bytes([0; 32]));
    assert!(matches!(Vault::open(config), Err(Error::Open { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_down_known_parties_go_on_and_new_ones_are_told_to_come_back() {
    let place = Place::new();
    let vault = place.open();
    let (known, new) = (subject(&vault, "known"), subject(&vault, "new"));
    vault.seal(&known, &ITEM, SECRET).await.unwrap();

    let other_process = place.database();
    other_process.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = tokio::spawn({
        let (vault, new) = (vault.clone(), new.clone());
        async move { vault.seal(&new, &ITEM, SECRET).await }
    });
    let sealed = vault.seal(&known, &ITEM, SECRET).await.unwrap();
    assert_eq!(vault.open_sealed(&known, &ITEM, &sealed).await.unwrap(), plain(SECRET));
    let refused = waiting.await.unwrap().unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    assert!(vault.erase(&known).await.unwrap_err().is_unavailable());

    other_process.execute_batch("ROLLBACK").unwrap();
    let sealed = vault.seal(&new, &ITEM, SECRET).await.unwrap();
    assert_eq!(Vault::generation(&sealed).unwrap(), 1, "the failed attempt left nothing");
    assert_eq!(vault.open_sealed(&new, &ITEM, &sealed).await.unwrap(), plain(SECRET));
}

#[tokio::test]
async fn a_damaged_key_fails_its_own_party_alone() {
    let place = Place::new();
    let vault = place.open();
    let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
    vault.seal(&ann, &ITEM, SECRET).await.unwrap();
    vault.seal(&bob, &ITEM, SECRET).await.unwrap();
    // Ann's key in Bob's row must not pass for Bob's: a wrapped key is bound to its row.
    let swap = "UPDATE keys SET wrapped = (SELECT wrapped FROM keys WHERE party = ?1) WHERE party = ?2";
    assert_eq!(place.database().execute(swap, [ann.party, bob.party]).unwrap(), 1);

    let reopened = place.open();
    let (anns, bobs) = tokio::join!(reopened.seal(&ann, &ITEM, SECRET), reopened.seal(&bob, &ITEM, SECRET));
    assert!(anns.is_ok());
    assert!(matches!(bobs, Err(Error::KeyDamaged { generation: 1 })), "{bobs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_cache_serves_any_number_of_parties() {
    let place = Place::new();
    let vault = Vault::open(Config { cached_keys: 32, ..place.config() }).unwrap();
    let parties: Vec<_> = (0..2_000).map(|n| subject(&vault, &n.to_string())).collect();
    let mut sealing = Vec::new();
    for party in parties.clone() {
        let vault = vault.clone();
        sealing.push(tokio::spawn(async move { vault.seal(&party, &ITEM, SECRET).await.unwrap() }));
    }
    for (party, task) in parties.iter().zip(sealing) {
        let sealed = task.await.unwrap();
        assert_eq!(vault.open_sealed(party, &ITEM, &sealed).await.unwrap(), plain(SECRET));
    }
}
