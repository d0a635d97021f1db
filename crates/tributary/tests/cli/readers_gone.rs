//! Whoever reads what is printed may stop (`| head -1`): that is no failure, and no reason to panic.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
};

use super::{beside_a_server::Dev, *};

/// Reads so many lines of what the program prints, and then closes its standard output. Yields what it said of that.
fn read_and_leave(mut program: Command, lines: usize) -> (Option<i32>, String) {
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..lines {
        out.read_line(&mut String::new()).unwrap();
    }
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

/// An example, where this build made them.
fn example(name: &str) -> Option<PathBuf> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_tributary")).with_file_name("examples").join(name);
    if !program.exists() {
        eprintln!(
            "SKIPPED, the example {name} was not tested: it is not built; `cargo test` without `--test` builds it"
        );
        return None;
    }
    Some(program)
}

#[test]
fn commands_and_examples_end_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    for number in 0..50 {
        dev.post(&format!(r#"{{"id":"{number}","from":"visitor-{number}","text":"I want a person"}}"#));
    }
    let data = path(&dir, "data");
    dev.until(&["contacts", "export"], "visitor-49");
    let lines: [(&[&str], usize); 6] = [
        (&["events"], 1),
        (&["events", "--follow"], 1),
        (&["events", "--json"], 0),
        (&["verify"], 0),
        (&["contacts", "export"], 1),
        (&["doctor"], 0),
    ];
    for (args, lines) in lines {
        let (code, said) = read_and_leave(command(&[args, &["--data", &data]].concat()), lines);
        assert!(!said.contains("panicked") && code == Some(0), "{args:?} ends with {code:?}: {said}");
    }
    let addr = format!("http://{}", dev.grpc);
    for (name, args) in [("subscribe", vec!["--all", "--cursor"]), ("timeline", vec![])] {
        let Some(program) = example(name) else { continue };
        let mut program = Command::new(program);
        program.args(["--addr", &addr]).args(&args);
        let cursor = path(&dir, "cursor");
        if name == "subscribe" {
            program.arg(&cursor);
        }
        let (code, said) = read_and_leave(program, 1);
        assert!(!said.contains("panicked") && code == Some(0), "{name} ends with {code:?}: {said}");
    }
}

#[test]
fn a_server_outlives_whoever_read_its_welcome() {
    let dir = tempfile::tempdir().unwrap();
    let any = "127.0.0.1:0";
    let data = path(&dir, "data");
    let mut dev = command(&["dev", "--data", &data, "--http", any, "--smtp", any, "--lmtp", any]);
    dev.args(["--grpc", any, "--metrics", any]).env("RUST_LOG", "info");
    let mut child = dev.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let begun = std::time::Instant::now();
    while !stdout(&run(&["events", "--data", &data])).contains("policy_applied") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended");
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "nothing happens");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "it stops in order");
}
