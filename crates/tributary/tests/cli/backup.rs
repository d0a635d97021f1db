//! A backup is taken beside a running server, and another data directory goes on from it.

use std::path::Path;

use super::{beside_a_server::Dev, *};

/// Longer than what is sealed into a record: a blob.
fn long_mail() -> String {
    let story = "It was a long day, and I want a person to hear of it.\r\n".repeat(2_000);
    format!(
        "From: ann@x.test\r\nTo: support@example.test\r\nSubject: Long\r\nMessage-ID: <1@x.test>\r\n\r\n{story}"
    )
}

fn restore(backup: &Path, data: &Path) -> Output {
    run(&["restore", "--data", data.to_str().unwrap(), backup.to_str().unwrap()])
}

fn copy_of(folder: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(folder).arg(to).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_backup_of_a_running_server_is_restored_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, data) = (dir.path().join("backup"), dir.path().join("data"));
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    dev.mail("ann@x.test", &long_mail());
    dev.until(&["contacts", "export"], "ann@x.test");

    let output = dev.run(&["backup", backup.to_str().unwrap()]);
    expect(&output, 0);
    let said = stdout(&output);
    assert!(said.starts_with("backed up ") && said.contains("2 parties and 1 blobs"), "{said}");
    assert!(said.contains("the master key is in it"), "{said}");
    assert!(!dir.path().join("backup.part").exists());
    let output = dev.run(&["backup", backup.to_str().unwrap()]);
    expect(&output, 2);
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
    // Afterwards somebody else writes, whom the backup does not know.
    dev.post(r#"{"id":"2","from":"visitor-bob","text":"I want a person"}"#);
    dev.until(&["contacts", "export"], "visitor-bob");

    let output = restore(&backup, &data);
    expect(&output, 2);
    assert!(stderr(&output).contains("is not empty"), "{}", stderr(&output));
    dev.stop();

    let data = dir.path().join("again");
    let output = restore(&backup, &data);
    expect(&output, 0);
    let said = stdout(&output);
    for what in ["restored ", "the master key opens the keys", "tributary verify", "is not in it"] {
        assert!(said.contains(what), "no {what:?} in {said}");
    }
    let output = run(&["verify", "--data", data.to_str().unwrap()]);
    expect(&output, 0);
    let dev = Dev::start(&data);
    let contacts = dev.until(&["contacts", "export"], "ann@x.test");
    assert!(contacts.contains("visitor-ann") && !contacts.contains("visitor-bob"), "{contacts}");
    // A provider delivers again what came after, and what came before is known.
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    dev.post(r#"{"id":"2","from":"visitor-bob","text":"I want a person"}"#);
    dev.until(&["contacts", "export"], "visitor-bob");
    let events = stdout(&dev.run(&["events"]));
    assert_eq!(events.matches("message_received").count(), 3, "{events}");
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (backup, data) = (dir.path().join("backup"), dir.path().join("data"));
    let dev = Dev::start(&dir.path().join("original"));
    dev.mail("ann@x.test", &long_mail());
    dev.until(&["contacts", "export"], "ann@x.test");
    expect(&dev.run(&["backup", backup.to_str().unwrap()]), 0);
    dev.stop();
    // A master key that the configuration keeps elsewhere is not taken along, whatever lies beside the keys.
    let original = dir.path().join("original");
    fs::copy(original.join("keys/master.key"), dir.path().join("elsewhere")).unwrap();
    let config = format!("data = {original:?}\n[vault]\nmaster_key = \"file:{}\"\n", path(&dir, "elsewhere"));
    fs::write(dir.path().join("tributary.toml"), config).unwrap();
    let output = run(&["backup", "-c", &path(&dir, "tributary.toml"), &path(&dir, "without")]);
    expect(&output, 0);
    assert!(stdout(&output).contains("is not in it"), "{}", stdout(&output));
    assert!(!dir.path().join("without/keys/master.key").exists());

    let harmed = |name: &str, harm: &dyn Fn(&Path), code, why: &str| {
        let copy = dir.path().join(name);
        copy_of(&backup, &copy);
        harm(&copy);
        let output = restore(&copy, &data);
        expect(&output, code);
        assert!(stderr(&output).contains(why), "{name}: {}", stderr(&output));
        assert!(!data.exists() || fs::read_dir(&data).unwrap().next().is_none(), "{name}: something is left");
    };
    let flip = |file: &Path, at: usize| {
        let mut bytes = fs::read(file).unwrap();
        let at = bytes.len() - at;
        bytes[at] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    harmed("no manifest", &|at| fs::remove_file(at.join("backup.toml")).unwrap(), 2, "is no backup");
    let newer = |at: &Path| fs::write(at.join("backup.toml"), "format = 7").unwrap();
    harmed("newer", &newer, 2, "its format is 7");
    let half = |at: &Path| {
        let log = fs::OpenOptions::new().write(true).open(at.join("log/log.sqlite")).unwrap();
        log.set_len(log.metadata().unwrap().len() / 2).unwrap();
    };
    harmed("half a log", &half, 1, "nothing was restored");
    let record = |at: &Path| {
        let database = rusqlite::Connection::open(at.join("log/log.sqlite")).unwrap();
        let mut statement = database.prepare("SELECT id FROM partitions WHERE topic LIKE '%.log'").unwrap();
        let ids: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for id in ids {
            database.execute(&format!("UPDATE blocks_{id} SET crc = crc + 1"), []).unwrap();
        }
    };
    harmed("a changed record", &record, 1, "checksum");
    harmed("changed keys", &|at| flip(&at.join("keys/keys.sqlite"), 4_000), 1, "the key store is not");
    let blobless = |at: &Path| fs::remove_dir_all(at.join("keys/blobs")).unwrap();
    harmed("no blobs", &blobless, 1, "is not whole");

    // The master key may be elsewhere, and must be the right one.
    let keyless = dir.path().join("keyless");
    copy_of(&backup, &keyless);
    fs::remove_file(keyless.join("keys/master.key")).unwrap();
    let output = restore(&keyless, &data);
    expect(&output, 0);
    assert!(stdout(&output).contains("the master key is not here yet"), "{}", stdout(&output));
    let other = dir.path().join("other");
    fs::write(keyless.join("keys/master.key"), "07".repeat(32)).unwrap();
    let output = restore(&keyless, &other);
    expect(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("not the master key") && said.contains("everything is in place"), "{said}");
    assert!(other.join("log/log.sqlite").exists());
}

#[test]
fn a_backup_needs_something_to_copy_and_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let (none, to) = (path(&dir, "none"), path(&dir, "to"));
    let output = run(&["backup", "--data", &none, &to]);
    expect(&output, 2);
    assert!(stderr(&output).contains("there is no log"), "{}", stderr(&output));
    assert!(!dir.path().join("to").exists() && !dir.path().join("none").exists());

    let dev = Dev::start(&dir.path().join("data"));
    fs::create_dir(dir.path().join("to.part")).unwrap();
    let output = dev.run(&["backup", &to]);
    expect(&output, 2);
    assert!(stderr(&output).contains("was interrupted"), "{}", stderr(&output));
    let output = dev.run(&["backup", &path(&dir, "no/where")]);
    expect(&output, 1);
    assert!(stderr(&output).contains("could not make the folder"), "{}", stderr(&output));
}
