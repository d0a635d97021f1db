//! `tributary watch` and `tributary what-if`, beside a running `tributary dev`.

use std::io::{BufRead as _, BufReader};

use super::{beside_a_server::Dev, *};

const SAMPLE: &str = include_str!("../../src/dev.toml");

fn ask(dev: &Dev, args: &[&str], token: &str) -> Output {
    let all = ["watch"].iter().chain(args).copied().chain(["--addr", &dev.grpc]);
    command(&all.collect::<Vec<_>>()).env("TRIBUTARY_TOKEN", token).output().unwrap()
}

#[test]
fn a_supervisor_sees_who_waits_and_what_changes() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    dev.post(r#"{"id":"1","from":"ann","text":"I want a person"}"#);
    dev.until(&["events"], "enqueued");

    let data = dir.path().join("data").display().to_string();
    let mut watch = command(&["watch", "--json", "--every", "200ms", "--addr", &dev.grpc])
        .env("TRIBUTARY_TOKEN", "dev")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["whole"], true, "{first}");
    let of = |told: &Value| {
        told["queues"].as_array().unwrap().iter().find(|q| q["queue"] == "dev/support/general").cloned()
    };
    let mut seen = of(&first);
    while seen.as_ref().is_none_or(|queue| queue["waiting"] != 1) {
        seen = of(&next()).or(seen);
    }
    assert!(seen.unwrap()["longest_since"].is_string());
    dev.post(r#"{"id":"2","from":"bob","text":"I want a person"}"#);
    let changed = loop {
        if let Some(queue) = of(&next()) {
            break queue;
        }
    };
    assert_eq!(changed["windows"].as_array().unwrap().len(), 3);
    watch.kill().unwrap();
    watch.wait().unwrap();

    let output = ask(&dev, &["--once", "--desk", "support"], "dev");
    expect(&output, 0);
    let board = stdout(&output);
    let row = board.lines().find(|line| line.starts_with("dev/support/general")).unwrap();
    assert!(row.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap() >= 1, "{board}");
    assert!(!board.contains('\x1b'), "this is no terminal");
    for (args, token, code, said) in [
        (["--once", "--desk", "nowhere"], "dev", 1, "there is no desk dev/nowhere"),
        (["--once", "--every", "1s"], "dev-agent-1", 1, "supervises no desk"),
        (["--once", "--every", "1ms"], "dev", 1, "200 ms to 1 min"),
        (["--once", "--every", "soon"], "dev", 2, "not a length of time"),
    ] {
        let output = ask(&dev, &args, token);
        expect(&output, code);
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    dev.stop();

    // Nobody came, so nothing would have been otherwise; but it is told.
    let other = folder(&[("new.toml", SAMPLE), ("bad.toml", &SAMPLE.replace("capacity", "capazity"))]);
    let svg = path(&other, "out.svg");
    let output = run(&["what-if", "--data", &data, "--policy", &path(&other, "new.toml"), "--svg", &svg]);
    expect(&output, 0);
    let table = stdout(&output);
    let waiting = table.lines().find(|line| line.starts_with("waiting at the end")).unwrap();
    assert_eq!(waiting.split_whitespace().skip(4).collect::<Vec<_>>(), ["2", "2", "2"], "{table}");
    assert!(table.contains("never there, as nothing is recorded of them: dev/support/agent-1"), "{table}");
    assert!(fs::read_to_string(&svg).unwrap().ends_with("</svg>\n"));
    let output = run(&["what-if", "--data", &data, "--policy", &path(&other, "new.toml"), "--json"]);
    assert_eq!(json_lines(&output)[0]["actual"]["waiting_at_the_end"], 2);

    let refused = |args: &[&str], said: &str| {
        let output = run(&[&["what-if", "--data", &data][..], args].concat());
        expect(&output, 2);
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    };
    refused(&["--policy", &path(&other, "bad.toml")], "capazity");
    refused(&["--policy", &path(&other, "none.toml")], "could not read the policy");
    let new = path(&other, "new.toml");
    refused(
        &["--policy", &new, "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"],
        "before --to",
    );
    refused(&["--policy", &new, "--from", "2126-02-01T00:00:00Z"], "the log ends before --from");
    refused(&["--policy", &new, "--to", "2000-01-01T00:00:00Z"], "nothing to replay");
}
