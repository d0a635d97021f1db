use std::fs;

use vault::{Error, Vault};

use crate::{ITEM, Place, large, plain, subject};

/// Beyond the time of any file written in this test.
const FUTURE: i64 = i64::MAX / 2;

#[tokio::test]
async fn a_damaged_or_missing_blob_is_named() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann");
    let sealed = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let id = Vault::blob(&sealed).unwrap().unwrap();
    let file = place.blob_files().pop().unwrap();
    assert!(file.to_str().unwrap().contains(&id.to_string()));

    let content = fs::read(&file).unwrap();
    let mut flipped = content.clone();
    flipped[content.len() / 2] ^= 1;
    for damaged in [&flipped[..], &content[..content.len() - 1], &content[..10], &[]] {
        fs::write(&file, damaged).unwrap();
        let error = vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap_err();
        assert!(matches!(error, Error::BlobNotAuthentic(blob) if blob == id), "{error}");
    }
    fs::remove_file(&file).unwrap();
    let error = vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap_err();
    assert!(matches!(error, Error::BlobMissing(blob) if blob == id), "{error}");
    fs::write(&file, &content).unwrap();
    assert_eq!(vault.open_sealed(&ann, &ITEM, &sealed).await.unwrap(), plain(&large()));
}

#[tokio::test]
async fn one_blob_does_not_pass_for_another() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann");
    let one = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let [first_file] = &place.blob_files()[..] else { panic!("one file") };
    let two = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let second_file = place.blob_files().into_iter().find(|file| file != first_file).unwrap();
    fs::copy(second_file, first_file).unwrap();
    assert!(vault.open_sealed(&ann, &ITEM, &one).await.is_err());
    assert!(vault.open_sealed(&ann, &ITEM, &two).await.is_ok());
}

#[tokio::test]
async fn a_sweep_takes_orphans_and_leftovers_and_nothing_else() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann");
    let kept = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let id = Vault::blob(&kept).unwrap().unwrap();
    let orphan = vault.seal(&ann, &ITEM, &large()).await.unwrap();
    let file = place.blob_files().pop().unwrap();
    fs::write(file.with_extension("part"), "left by a crash").unwrap();
    fs::write(file.with_file_name("README"), "not ours").unwrap();

    assert_eq!(vault.sweep_blobs(0, |_| false).await.unwrap(), 0, "all are younger");
    assert_eq!(vault.sweep_blobs(FUTURE, move |blob| *blob == id).await.unwrap(), 2);
    assert_eq!(vault.open_sealed(&ann, &ITEM, &kept).await.unwrap(), plain(&large()));
    assert!(matches!(vault.open_sealed(&ann, &ITEM, &orphan).await, Err(Error::BlobMissing(_))));
    assert_eq!(place.blob_files().len(), 2, "the kept one and what is not ours");
}

#[tokio::test]
async fn a_blob_that_cannot_be_written_is_a_matter_of_later() {
    let place = Place::new();
    let vault = place.open();
    let ann = subject(&vault, "ann");
    let away = place.path().join("away");
    fs::rename(place.path().join("blobs"), &away).unwrap();
    let error = vault.seal(&ann, &ITEM, &large()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(vault.seal(&ann, &ITEM, b"short").await.is_ok());
    fs::rename(&away, place.path().join("blobs")).unwrap();
    assert!(vault.seal(&ann, &ITEM, &large()).await.is_ok());
    assert_eq!(place.blob_files().len(), 1);
}
