//! A log moves, and everything that was made of it stays good.

use std::path::Path;

use super::{beside_a_server::Dev, *};

fn copy(from: &Path, to: &Path) -> Output {
    let place = |dir: &Path| format!("local:{}", dir.display());
    run(&["log", "copy", "--from", &place(from), "--to", &place(to)])
}

#[test]
fn a_log_that_moved_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (data, moved) = (dir.path().join("data"), dir.path().join("moved"));
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    dev.until(&["events"], "enqueued");
    let events = stdout(&dev.run(&["events"]));

    let output = copy(&data, &moved);
    expect(&output, 2);
    assert!(stderr(&output).contains("stop it first"), "{}", stderr(&output));
    dev.stop();
    let output = copy(&dir.path().join("nothing"), &moved);
    expect(&output, 2);
    assert!(stderr(&output).contains("there is no log in local:"), "{}", stderr(&output));
    assert!(!moved.exists());

    let output = copy(&data, &moved);
    expect(&output, 0);
    assert!(stdout(&output).contains("stand in local:"), "{}", stdout(&output));
    expect(&copy(&data, &moved), 0);

    // The new log takes the old one's place in the data directory: snapshots, read model and keys are of the old one.
    fs::remove_dir_all(data.join("log")).unwrap();
    fs::rename(moved.join("log"), data.join("log")).unwrap();
    let output = run(&["verify", "--data", data.to_str().unwrap()]);
    expect(&output, 0);
    assert!(stdout(&output).contains("no violations"), "{}", stdout(&output));
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    dev.post(r#"{"id":"2","from":"visitor-bob","text":"I want a person"}"#);
    dev.until(&["contacts", "export"], "visitor-bob");
    let now = stdout(&dev.run(&["events"]));
    assert!(events.lines().all(|line| now.contains(line)), "{now}");
    assert_eq!(now.matches("message_received").count(), 2, "the first is known: {now}");
    dev.stop();
}
