use std::fs;

use vault::{Error, Opened, Vault, backup};

use crate::{ITEM, Place, large, plain, subject};

#[tokio::test]
async fn a_copy_opens_what_was_sealed_before_it_and_never_what_was_erased() {
    let (place, copy) = (Place::new(), Place::new());
    let vault = place.open();
    let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
    let anns = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let bobs = vault.seal(&bob, &ITEM, &large()).await.unwrap();
    vault.erase(&ann).await.unwrap();

    let contents = backup::back_up(place.path(), copy.path(), &|_, _| ()).unwrap();
    assert_eq!(contents, backup::Contents { parties: 2, blobs: 1 });
    let copied = copy.open();
    assert_eq!(copied.open_sealed(&bob, &ITEM, &bobs).await.unwrap(), plain(&large()));
    assert_eq!(copied.open_sealed(&ann, &ITEM, &anns).await.unwrap(), Opened::Erased);
    // The next generation of keys is counted on, so that no key is ever taken for an erased one.
    let again = copied.seal(&ann, &ITEM, b"again").await.unwrap();
    assert_eq!(Vault::generation(&again).unwrap(), 2);
}

#[tokio::test]
async fn a_key_store_that_is_cut_short_is_told() {
    let (place, copy) = (Place::new(), Place::new());
    let vault = place.open();
    for number in 0..500 {
        vault.seal(&subject(&vault, &number.to_string()), &ITEM, b"hello").await.unwrap();
    }
    let contents = backup::back_up(place.path(), copy.path(), &|_, _| ()).unwrap();
    assert_eq!(backup::look_over(copy.path()).unwrap(), contents);
    let file = copy.path().join("keys.sqlite");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(backup::look_over(copy.path()), Err(Error::Damaged { .. })));
}
