//! What is written down wrongly is refused with exit code 2, before anything is started or made.

use std::{fs, path::Path};

use super::*;

/// Serves with this configuration and expects a refusal; yields what was said.
fn refused(text: &str, more: &[&str]) -> String {
    let dir = folder(&[("t.toml", text)]);
    let file = path(&dir, "t.toml");
    let args: Vec<_> = ["serve", "-c", &file].into_iter().chain(more.iter().copied()).collect();
    let output = command(&args).current_dir(dir.path()).output().unwrap();
    expect(&output, 2);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was started");
    stderr(&output)
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest() {
    let said = refused("data = \"d\"\n\n[http]\nlisen = \"127.0.0.1:0\"\n", &[]);
    assert!(said.contains("t.toml:4: unknown key `lisen`; did you mean `listen`?"), "{said}");
}

#[test]
fn a_value_from_elsewhere_names_where() {
    let said = refused("", &["--set", "http.lisen=127.0.0.1:0"]);
    assert!(said.contains("--set http.lisen") && said.contains("did you mean `listen`?"), "{said}");
    let dir = folder(&[("t.toml", "")]);
    let mut serve = command(&["serve", "-c", &path(&dir, "t.toml")]);
    let output = serve.env("TRIBUTARY__GRPC__LISTEN", "everywhere").current_dir(dir.path()).output().unwrap();
    expect(&output, 2);
    assert!(stderr(&output).contains("TRIBUTARY__GRPC__LISTEN"), "{}", stderr(&output));
}

#[test]
fn a_log_is_local_or_on_kafka() {
    if cfg!(not(feature = "kafka")) {
        let said = refused("log = \"kafka://127.0.0.1:9092\"\n", &[]);
        assert!(said.contains("this build has no Kafka") && said.contains("--features kafka"), "{said}");
    }
    let dir = folder(&[("t.toml", "log = \"local\"\n")]);
    let output = run(&["topics", "check", "-c", &path(&dir, "t.toml")]);
    expect(&output, 2);
    assert!(stderr(&output).contains("has no topics"), "{}", stderr(&output));
    let said = refused("[kafka]\nsesion_seconds = 6\n", &[]);
    assert!(said.contains("t.toml:2") && said.contains("did you mean `session_seconds`?"), "{said}");
    let said = refused("log = \"pulsar://x\"\n", &[]);
    assert!(said.contains("t.toml:1") && said.contains("kafka://HOST:PORT"), "{said}");
}

#[test]
fn a_missing_file_and_wrong_arguments_are_said() {
    let output = run(&["serve", "-c", "/nowhere/t.toml"]);
    expect(&output, 2);
    assert!(stderr(&output).contains("/nowhere/t.toml"), "{}", stderr(&output));
    assert!(refused("", &["--roles", "router,cook"]).contains("cook"));
    assert!(refused("", &["--set", "data"]).contains("KEY=VALUE"));
}

#[test]
fn a_faulty_workspace_names_its_line() {
    let text = "tenant = \"acme\"\n\n[inboxes.mail]\nchannel = \"email\"\naddress = \"a@x.test\"\nqueue = \"a/none\"\n";
    let dir = folder(&[("w.toml", text), ("good.toml", include_str!("../../src/dev.toml"))]);
    let output = run(&["apply", "--check", &path(&dir, "w.toml")]);
    expect(&output, 2);
    assert!(
        stderr(&output).contains("w.toml:6: inboxes.mail.queue: there is no queue"),
        "{}",
        stderr(&output)
    );
    let output = run(&["apply", "--check", &path(&dir, "good.toml")]);
    expect(&output, 0);
    assert!(stdout(&output).contains("6 inboxes and 2 agents of dev"), "{}", stdout(&output));
}

#[test]
fn dev_refuses_to_be_reached_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    for flag in ["--http", "--smtp", "--lmtp", "--grpc", "--metrics", "--console"] {
        let output = command(&["dev", flag, "0.0.0.0:0"]).current_dir(dir.path()).output().unwrap();
        expect(&output, 2);
        assert!(stderr(&output).contains("loopback only"), "{}", stderr(&output));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_data_directory_that_is_not_there_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = path(&dir, "none");
    for args in [&["events"][..], &["verify"], &["rebuild"], &["contacts", "export"]] {
        let args: Vec<_> = args.iter().copied().chain(["--data", data.as_str()]).collect();
        let output = run(&args);
        expect(&output, 2);
        assert!(stderr(&output).contains("there is no log in"), "{}", stderr(&output));
    }
    assert!(!Path::new(&data).exists());
}

#[test]
fn doctor_names_what_is_wrong() {
    let text =
        "data = \"d\"\n[[tokens]]\ntoken = \"env:TRIBUTARY_TEST_UNSET\"\ntenant = \"acme\"\nname = \"ops\"\n";
    let dir = folder(&[("tributary.toml", text), ("wrong.toml", "dta = \"d\"\n")]);
    let doctor = |args: &[&str]| command(args).current_dir(dir.path()).output().unwrap();
    let output = doctor(&["doctor"]);
    expect(&output, 1);
    let said = stdout(&output);
    assert!(said.contains("fail  token ops") && said.contains("TRIBUTARY_TEST_UNSET"), "{said}");
    assert!(said.contains("there is none yet; the first start makes it"), "{said}");
    let output = doctor(&["doctor", "-c", "wrong.toml"]);
    expect(&output, 1);
    assert!(
        stdout(&output).contains("wrong.toml:1: unknown key `dta`; did you mean `data`?"),
        "{}",
        stdout(&output)
    );
    assert!(!dir.path().join("d").exists());
}

#[test]
fn traces_that_cannot_be_chosen_so_are_said_to_be() {
    let dir = folder(&[]);
    let told = |asked: &str| {
        stderr(&command(&["doctor", "--data", &path(&dir, "data")]).env("RUST_LOG", asked).output().unwrap())
    };
    assert!(told("runtime=loud=er").contains("RUST_LOG is not understood"), "{}", told("runtime=loud=er"));
    assert!(!told("info,runtime=debug").contains("RUST_LOG"));
}
