//! Stores of snapshots and blobs, as a configuration names them.

use super::*;

fn doctor(dir: &tempfile::TempDir, config: &str) -> Output {
    let config = format!("data = {:?}\n{config}", path(dir, "data"));
    fs::write(dir.path().join("tributary.toml"), config).unwrap();
    run(&["doctor", "-c", &path(dir, "tributary.toml")])
}

#[test]
fn the_doctor_tries_the_stores_and_leaves_nothing_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshots, blobs) = (path(&dir, "snapshots"), path(&dir, "blobs"));
    fs::create_dir(&snapshots).unwrap();
    let config =
        format!("[snapshots]\nstore = \"file://{snapshots}\"\n[blobs]\nstore = \"file://{blobs}\"\n");
    let output = doctor(&dir, &config);
    expect(&output, 1);
    let said = stdout(&output);
    assert!(said.contains("can be written, read, listed and removed from"), "{said}");
    assert!(said.contains("mount it") && said.contains("503"), "the store of blobs is not there: {said}");
    assert!(!dir.path().join("blobs").exists(), "and is not made");

    fs::create_dir(&blobs).unwrap();
    let said = stdout(&doctor(&dir, &config));
    assert_eq!(said.matches("can be written, read, listed and removed from").count(), 2, "{said}");
    for store in [snapshots, blobs] {
        assert_eq!(fs::read_dir(store).unwrap().count(), 0);
    }
}

#[test]
fn a_store_that_is_none_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let output = doctor(&dir, "[blobs]\nstore = \"ftp://somewhere\"\n");
    expect(&output, 1);
    let said = stdout(&output);
    assert!(said.contains("tributary.toml:3") && said.contains("s3://BUCKET/PREFIX"), "{said}");
}
