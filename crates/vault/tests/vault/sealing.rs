use vault::{Error, INLINE_MAX, Opened, Subject, Vault};

use crate::{ITEM, Place, SECRET, plain, subject};

#[tokio::test]
async fn what_was_sealed_opens_whatever_its_size() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann@example.test");
    for size in [0, 1, 200, INLINE_MAX, INLINE_MAX + 1, 1 << 20] {
        let text = vec![b'x'; size];
        let sealed = vault.seal(&ann, &ITEM, &text).await.unwrap();
        assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(&text), "{size} bytes");
        assert_eq!(sealed.len(), if size > INLINE_MAX { 21 } else { size + 45 });
        assert_eq!(Vault::generation(&sealed).unwrap(), 1);
        assert_eq!(Vault::blob(&sealed).unwrap().is_some(), size > INLINE_MAX);
        assert_ne!(sealed, vault.seal(&ann, &ITEM, &text).await.unwrap(), "sealing again gives other bytes");
    }
}

#[tokio::test]
async fn sealed_bytes_open_only_where_they_belong() {
    let place = Place::new();
    let vault = place.open();
    let (ann, bob) = (subject(&vault, "ann@example.test"), subject(&vault, "bob@example.test"));
    let ann_elsewhere = Subject { tenant: "other".into(), ..ann.clone() };
    for text in [SECRET.to_vec(), crate::large()] {
        let sealed = vault.seal(&ann, &ITEM, &text).await.unwrap();
        let elsewhere = vault.open_sealed(&ann, &[2; 16], &sealed).await;
        match elsewhere.unwrap_err() {
            Error::NotAuthentic | Error::BlobNotAuthentic(_) => {}
            other => panic!("another item: {other}"),
        }
    }

    let sealed = vault.seal(&ann, &ITEM, SECRET).await.unwrap();
    for other in [&bob, &ann_elsewhere] {
        let unknown = vault.open_sealed(other, &ITEM, &sealed).await;
        assert!(matches!(unknown, Err(Error::NoKey { generation: 1 })), "{unknown:?}");
        vault.seal(other, &ITEM, b"now they have a key, too").await.unwrap();
        let refused = vault.open_sealed(other, &ITEM, &sealed).await;
        assert!(matches!(refused, Err(Error::NotAuthentic)), "{refused:?}");
    }
    assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(SECRET));
}

#[tokio::test]
async fn no_changed_byte_goes_unnoticed() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann@example.test");
    for text in [SECRET.to_vec(), crate::large()] {
        let sealed = vault.seal(&ann, &ITEM, &text).await.unwrap();
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 0x10;
            assert!(vault.open_sealed(&ann, &ITEM, &forged).await.is_err(), "byte {at}");
        }
        for cut in 0..sealed.len() {
            assert!(vault.open_sealed(&ann, &ITEM, &sealed[..cut]).await.is_err(), "cut to {cut}");
        }
    }
}

#[tokio::test]
async fn nothing_on_disk_shows_what_was_sealed_or_whose_it_is() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann@example.test");
    for text in [SECRET.to_vec(), crate::large()] {
        let sealed = vault.seal(&ann, &ITEM, &text).await.unwrap();
        assert!(!sealed.windows(SECRET.len()).any(|part| part == SECRET));
    }
    assert!(!place.contains(SECRET));
    assert!(!place.contains(b"ann@example.test"));
    assert!(place.contains(&ann.party), "the search does find what is there");
    let opened = Opened::Plain(SECRET.to_vec());
    assert_eq!(format!("{opened:?}"), format!("Plain({} bytes)", SECRET.len()));
}
