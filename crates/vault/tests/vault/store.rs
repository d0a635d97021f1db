use std::fs;

use vault::{Config, Error, MasterKey, Opened, Vault};

use crate::{ITEM, Place, SECRET, everywhere, patiently, plain, subject};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everyone_who_seals_first_gets_the_same_key() {
    for place in everywhere().await {
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
        assert_eq!(place.parties().await, 10);
    }
}

#[tokio::test]
async fn a_key_stands_in_the_store_when_seal_returns() {
    for place in everywhere().await {
        let vault = place.open();
        for n in 1..=50 {
            vault.seal(&subject(&vault, &n.to_string()), &ITEM, SECRET).await.unwrap();
            assert_eq!(place.parties().await, n);
        }
    }
}

#[tokio::test]
async fn reopening_changes_nothing() {
    for place in everywhere().await {
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
        assert_ne!(ids(&place.another().await.open()), before, "another installation has other ids");
    }
}

#[tokio::test]
async fn a_wrong_master_key_is_refused_at_once_and_harms_nothing() {
    for place in everywhere().await {
        drop(place.open());
        let wrong = Config { master: MasterKey::from_bytes([43; 32]), ..place.config() };
        let message = match Vault::open(wrong) {
            Err(error @ Error::WrongMasterKey { .. }) => error.to_string(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it opened"),
        };
        assert!(message.contains(&place.keys().to_string()), "{message}");
        place.open();
    }
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    for place in everywhere().await {
        drop(place.open());
        place.set_format(2).await;
        assert!(matches!(Vault::open(place.config()), Err(Error::Newer { found: 2, known: 1, .. })));
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_made_only_on_request() {
    for place in everywhere().await {
        for _ in 0..2 {
            let looked = Vault::open(Config { create: false, ..place.config() });
            assert!(
                matches!(looked, Err(Error::NoStore { place: told }) if told == place.keys().to_string())
            );
        }
        drop(place.open());
        Vault::open(Config { create: false, ..place.config() }).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_processes_that_make_the_store_all_have_the_same_root_secret() {
    for place in everywhere().await {
        let opening = (0..8).map(|_| {
            let config = place.config();
            tokio::task::spawn_blocking(move || Vault::open(config).unwrap().content(b"x"))
        });
        let opening: Vec<_> = opening.collect();
        let mut ids = std::collections::BTreeSet::new();
        for opened in opening {
            ids.insert(opened.await.unwrap());
        }
        assert_eq!(ids.len(), 1);
    }
}

#[test]
fn files_it_cannot_read_are_refused_by_name() {
    let garbage = Place::new();
    fs::write(garbage.path().join("keys.sqlite"), "not a database ".repeat(1000)).unwrap();
    assert!(matches!(Vault::open(garbage.config()), Err(Error::Open { .. })));

    let no_folder = Place::new();
    fs::write(no_folder.path().join("file"), "").unwrap();
    let config = Config::new(no_folder.path().join("file/vault"), MasterKey::from_bytes([0; 32]));
    assert!(matches!(Vault::open(config), Err(Error::Open { .. })));
}

/// Two processes see the same new customers at the same time, each in its own order, and some of them are erased
/// meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_race_for_the_same_new_parties_and_each_has_one_key() {
    const PARTIES: usize = 1_500;
    for place in everywhere().await {
        let vaults = [place.open(), place.open()];
        let subjects: Vec<_> = (0..PARTIES).map(|n| subject(&vaults[0], &n.to_string())).collect();
        let mut sealing = Vec::new();
        for (at, vault) in vaults.iter().enumerate() {
            for n in 0..PARTIES {
                // One from the front, the other from the back, with a stride so that they meet everywhere.
                let n = if at == 0 { n } else { (PARTIES - 1 - n) * 7 % PARTIES };
                let (vault, subject) = (vault.clone(), subjects[n].clone());
                sealing.push(tokio::spawn(async move {
                    if n % 50 == at {
                        // On SQLite the other process may be in the way.
                        patiently(|| vault.erase(&subject)).await;
                    }
                    (n, vault.seal(&subject, &ITEM, SECRET).await.unwrap())
                }));
            }
        }
        let (mut erased, another) = (0, place.open());
        for task in sealing {
            let (n, sealed) = task.await.unwrap();
            match another.open_sealed(&subjects[n], &ITEM, &sealed).await.unwrap() {
                Opened::Erased => erased += 1,
                opened => assert_eq!(opened, plain(SECRET)),
            }
        }
        assert!(erased <= 2 * PARTIES / 50, "{erased}");
        assert_eq!(place.parties().await, PARTIES as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_down_known_parties_go_on_and_new_ones_are_told_to_come_back() {
    for place in everywhere().await {
        let vault = place.open();
        let (known, new) = (subject(&vault, "known"), subject(&vault, "new"));
        vault.seal(&known, &ITEM, SECRET).await.unwrap();

        let held = place.hold().await;
        let waiting = tokio::spawn({
            let (vault, new) = (vault.clone(), new.clone());
            async move { vault.seal(&new, &ITEM, SECRET).await }
        });
        let sealed = vault.seal(&known, &ITEM, SECRET).await.unwrap();
        assert_eq!(vault.open_sealed(&known, &ITEM, &sealed).await.unwrap(), plain(SECRET));
        let refused = waiting.await.unwrap().unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        assert!(vault.erase(&known).await.unwrap_err().is_unavailable());

        held.release().await;
        let sealed = patiently(|| vault.seal(&new, &ITEM, SECRET)).await;
        assert_eq!(Vault::generation(&sealed).unwrap(), 1, "the failed attempt left nothing");
        assert_eq!(vault.open_sealed(&new, &ITEM, &sealed).await.unwrap(), plain(SECRET));
    }
}

#[tokio::test]
async fn a_damaged_key_fails_its_own_party_alone() {
    for place in everywhere().await {
        let vault = place.open();
        let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
        vault.seal(&ann, &ITEM, SECRET).await.unwrap();
        vault.seal(&bob, &ITEM, SECRET).await.unwrap();
        // Ann's key in Bob's row must not pass for Bob's: a wrapped key is bound to its row.
        place.put_wrapped_key(&bob, &place.wrapped_key(&ann).await).await;

        let reopened = place.open();
        let (anns, bobs) =
            tokio::join!(reopened.seal(&ann, &ITEM, SECRET), reopened.seal(&bob, &ITEM, SECRET));
        assert!(anns.is_ok());
        assert!(matches!(bobs, Err(Error::KeyDamaged { generation: 1 })), "{bobs:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_cache_serves_any_number_of_parties() {
    for place in everywhere().await {
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
}
