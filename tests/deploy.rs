//! Whether what stands in `deploy/` speaks of this program: its configurations are read by the program itself, and the
//! commands and keys that the container, the compose file and the systemd unit name are held against it.
//!
//! The formats of those files are for their linters: see `deploy/lint.sh`.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// The program, with none of this environment's own settings.
fn tributary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.current_dir(folder).env_clear();
    command
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

/// What `doctor` says of a configuration with these settings laid over it; no broker is asked.
fn examined(folder: &Path, config: &Path, settings: &BTreeMap<String, String>) -> String {
    let mut doctor = tributary(folder);
    doctor.args(["doctor", "-c"]).arg(config).envs(settings).env("TRIBUTARY__LOG", "local");
    said(&doctor.output().unwrap())
}

/// The settings of the form `TRIBUTARY__KEY=VALUE` that a file names.
fn settings(text: &str) -> BTreeMap<String, String> {
    let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let named = words.filter_map(|word| {
        let word = word.strip_prefix("Environment=").unwrap_or(word);
        word.split_once('=').filter(|(name, _)| name.starts_with("TRIBUTARY__"))
    });
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The arguments behind `before`, written as a JSON list, of each line that has some.
fn commands(text: &str, before: &str) -> Vec<Vec<String>> {
    let lists = text.lines().filter_map(|line| line.trim().strip_prefix(before));
    lists.map(|list| serde_json::from_str(list).unwrap_or_else(|error| panic!("{list}: {error}"))).collect()
}

/// Whether there is such a command with such options; it is not carried out.
fn is_understood(arguments: &[String]) -> Result<(), String> {
    let output = tributary(Path::new("/")).args(arguments).arg("--help").output().unwrap();
    if output.status.success() { Ok(()) } else { Err(format!("{arguments:?}: {}", said(&output))) }
}

#[test]
fn each_configuration_is_valid_where_its_secrets_are() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(deploy("secrets.sh")).arg(folder.path().join("secrets")).status().unwrap();
    assert!(made.success());
    let cluster = examined(folder.path(), &deploy("cluster.toml"), &BTreeMap::new());
    for good in ["cluster.toml is valid", "ok    token operations", "ok    key store"] {
        assert!(cluster.contains(good), "{good:?} is not in {cluster}");
    }
    let page = text("../docs/operating-kafka.md");
    let shown = folder.path().join("shown.toml");
    fs::write(&shown, page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()).unwrap();
    let shown = examined(folder.path(), &shown, &BTreeMap::new());
    assert!(shown.contains("shown.toml is valid"), "{shown}");
    // Its secrets are where only a container has them.
    let compose = examined(folder.path(), &deploy("tributary.toml"), &BTreeMap::new());
    assert!(compose.contains("tributary.toml is valid"), "{compose}");
}

#[test]
fn the_workspace_is_valid_and_names_secrets_that_there_are() {
    let file = deploy("workspace.toml");
    let checked = tributary(Path::new("/")).args(["apply", "--check"]).arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));

    let workspace = text("workspace.toml");
    let named: Vec<_> =
        workspace.split("\"secret:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!named.is_empty());
    for config in ["cluster.toml", "tributary.toml"] {
        let known: toml::Table = text(config).parse().unwrap();
        for name in &named {
            assert!(known["secrets"]["sample"].get(name).is_some(), "{config} has no secret {name}");
        }
    }
}

#[test]
fn settings_in_the_environment_have_keys_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "").unwrap();
    for (file, count) in [("Dockerfile", 6), ("tributary.service", 1)] {
        let settings = settings(&text(file));
        assert_eq!(settings.len(), count, "{file}: {settings:?}");
        let examined = examined(folder.path(), &empty, &settings);
        assert!(examined.contains("empty.toml is valid"), "{file}: {examined}");
    }
    let misspelt = BTreeMap::from([("TRIBUTARY__HTTP__LISEN".to_owned(), "127.0.0.1:0".to_owned())]);
    assert!(!examined(folder.path(), &empty, &misspelt).contains("is valid"));
}

#[test]
fn commands_are_such_as_there_are() {
    let unit = text("tributary.service");
    let started = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/tributary "));
    let mut all = commands(&text("compose.yaml"), "command: ");
    assert_eq!(all.len(), text("compose.yaml").matches("command:").count());
    all.extend(commands(&text("Dockerfile"), "CMD "));
    all.push(started.expect("the unit starts tributary").split(' ').map(str::to_owned).collect());
    assert_eq!(all.len(), 8);
    for arguments in &all {
        is_understood(arguments).unwrap();
    }
    assert!(is_understood(&["serve".into(), "--roles".into(), "cook".into()]).is_err());
}

#[test]
fn the_image_is_built_by_the_compiler_that_tests_ran_with() {
    let pinned: toml::Table = text("../rust-toolchain.toml").parse().unwrap();
    let version = pinned["toolchain"]["channel"].as_str().unwrap();
    assert!(text("Dockerfile").contains(&format!("\nFROM rust:{version}-")), "it is not by Rust {version}");
}

#[test]
fn a_container_knows_whether_it_is_alive() {
    let asked = |port: u16| {
        Command::new(deploy("live.sh"))
            .env("TRIBUTARY__METRICS__LISTEN", format!("0.0.0.0:{port}"))
            .output()
            .unwrap()
    };
    for (status, alive) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answered = thread::spawn(move || {
            let (mut caller, _) = listener.accept().unwrap();
            let mut asked = [0; 64];
            let read = caller.read(&mut asked).unwrap();
            assert!(asked[..read].starts_with(b"GET /live "));
            caller.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
        });
        assert_eq!(asked(port).status.success(), alive, "{status}");
        answered.join().unwrap();
        assert!(!asked(port).status.success(), "nobody listens there any more");
    }
}
