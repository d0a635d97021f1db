//! The commands that look at a data directory or ask a process, beside a running `tributary dev`.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use lettre::{SmtpTransport, Transport as _, address::Envelope};

use super::{process::Running, *};

const PATIENCE: Duration = Duration::from_secs(20);

/// `tributary dev` on free ports; killed when dropped.
pub(crate) struct Dev {
    running: Running,
    data: PathBuf,
    http: String,
    smtp: String,
    pub(crate) grpc: String,
}

impl Dev {
    pub(crate) fn start(data: &Path) -> Dev {
        let any = "127.0.0.1:0";
        let data_text = data.display().to_string();
        let mut dev = command(&["dev", "--data", &data_text, "--http", any, "--smtp", any, "--lmtp", any]);
        let dev = dev.args(["--grpc", any, "--metrics", any]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = dev.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut address = |after: &str| loop {
            let mut line = String::new();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "dev ended before it said {after:?}");
            if let Some(address) = line.trim().strip_prefix(after) {
                break address.trim().split(' ').next().unwrap().to_owned();
            }
        };
        let http = address("HTTP webhooks").replace("http://", "");
        let smtp = address("SMTP");
        let grpc = address("gRPC");
        // Read on, so that the process never waits for us; ends with the process.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Dev { running: Running::new(child), data: data.to_owned(), http, smtp, grpc }
    }

    /// Posts a message until it is taken.
    pub(crate) fn post(&self, body: &str) {
        process::until_taken(PATIENCE, || {
            process::post(TcpStream::connect(&self.http).unwrap(), body).unwrap()
        });
    }

    /// Hands a mail over as a mail server would: again until it is taken, too.
    pub(crate) fn mail(&self, from: &str, raw: &str) {
        let (host, port) = self.smtp.rsplit_once(':').unwrap();
        let server = SmtpTransport::builder_dangerous(host).port(port.parse().unwrap()).build();
        let to = "support@example.test".parse().unwrap();
        let envelope = Envelope::new(Some(from.parse().unwrap()), vec![to]).unwrap();
        let begun = Instant::now();
        while let Err(refused) = server.send_raw(&envelope, raw.as_bytes()) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{refused}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let data = self.data.display().to_string();
        run(&[args, &["--data", &data]].concat())
    }

    /// Runs the command until it prints what is awaited.
    pub(crate) fn until(&self, args: &[&str], awaited: &str) -> String {
        let data = self.data.display().to_string();
        process::until(PATIENCE, &[args, &["--data", &data]].concat(), awaited)
    }

    /// Asks the API, with this token.
    fn ask(&self, args: &[&str], token: &str) -> Output {
        command(args).args(["--addr", &self.grpc]).env("TRIBUTARY_TOKEN", token).output().unwrap()
    }

    pub(crate) fn stop(self) {
        self.running.stop();
    }
}

#[test]
fn the_log_is_read_checked_and_exported_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    dev.post(r#"{"id":"1","from":"ann@secret","text":"I want a person"}"#);
    let events = dev.until(&["events"], "enqueued");
    for what in ["policy_applied", "customer_seen", "message_received", "bot_replied", "agent_wanted"] {
        assert!(events.contains(what), "no {what} in\n{events}");
    }
    assert!(events.contains("content=(sealed, "), "{events}");
    assert!(!events.contains("ann@secret") && !events.contains("I want"), "{events}");
    let times: Vec<_> = events.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(times.is_sorted(), "{events}");

    let output = dev.run(&["verify"]);
    expect(&output, 0);
    assert!(stdout(&output).contains("no violations"), "{}", stdout(&output));

    let lag = dev.until(&["lag", "--json"], r#""behind":0"#);
    let rows: Vec<Value> = lag.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_role = |role: &str| rows.iter().filter(|row| row["role"] == role).collect::<Vec<_>>();
    let process = format!("-{}", dev.running.id());
    for row in [of_role("router"), of_role("channels")].concat() {
        assert!(row["leader"].as_str().unwrap().ends_with(&process) && row["epoch"].is_string(), "{row}");
    }
    assert_eq!(of_role("projections").len(), rows.len() / 2, "{lag}");
    assert!(stdout(&dev.run(&["lag", "--aggregate", "desk"])).contains("router       desk[0]"));

    let csv = dev.until(&["contacts", "export"], "ann@secret");
    assert!(csv.starts_with("tenant,contact,") && csv.lines().count() == 2, "{csv}");
    let output = dev.run(&["contacts", "export", "--format", "jsonl", "--tenant", "dev"]);
    assert_eq!(json_lines(&output)[0]["addresses"][0]["address"], "ann@secret");
    expect(&dev.run(&["contacts", "export", "--tenant", "none"]), 2);

    let doctor = stdout(&dev.run(&["doctor"]));
    assert!(doctor.contains(&format!("process {} writes it", dev.running.id())), "{doctor}");
    assert!(
        doctor.contains("it opens with the master key") && doctor.contains("inbox messenger"),
        "{doctor}"
    );

    let output = dev.run(&["rebuild"]);
    expect(&output, 1);
    assert!(stderr(&output).contains("writes this log"), "{}", stderr(&output));
    let data = dev.data.display().to_string();
    dev.stop();

    let output = run(&["rebuild", "--data", &data]);
    expect(&output, 0);
    assert_eq!(stdout(&run(&["contacts", "export", "--data", &data])), csv, "the same rows");
}

#[test]
fn the_place_of_a_line_is_a_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    dev.post(r#"{"id":"1","from":"ann","text":"I want a person"}"#);
    dev.until(&["events"], "agent_wanted");
    let lines = json_lines(&dev.run(&["events", "--json", "--aggregate", "conversation"]));
    let wanted = lines.iter().find(|line| line["what"] == "agent_wanted").unwrap();
    let from = json_lines(&dev.run(&["events", "--json", "--from", wanted["cursor"].as_str().unwrap()]));
    assert!(from.contains(wanted));
    let here = |line: &Value| line["aggregate"] == "conversation" && line["partition"] == wanted["partition"];
    assert!(from.iter().all(|line| here(line) && line["position"].as_u64() >= wanted["position"].as_u64()));

    let output = dev.run(&["events", "--from", "end", "--cursors"]);
    expect(&output, 0);
    assert!(output.stdout.is_empty(), "{}", stdout(&output));
    assert!(stderr(&output).contains("go on with --from 'conversation[0]@"), "{}", stderr(&output));
    expect(&dev.run(&["events", "--from", "yesterday"]), 2);
}

#[test]
fn what_happens_is_followed_as_it_happens() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    let data = dev.data.display().to_string();
    let mut follow =
        command(&["events", "--follow", "--data", &data]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("policy_applied")));
    dev.post(r#"{"id":"1","from":"ann","text":"Hello"}"#);
    assert!(lines.any(|line| line.contains("message_received")));
    assert!(lines.any(|line| line.contains("delivery_noted")));
    assert!(Command::new("kill").arg(follow.id().to_string()).status().unwrap().success());
    assert!(follow.wait().unwrap().success());
}

#[test]
fn a_running_process_is_asked_over_its_api() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    let sample = include_str!("../../src/dev.toml");
    let files = folder(&[("w.toml", sample), ("more.toml", &sample.replace("capacity = 5", "capacity = 6"))]);
    let (same, more) = (path(&files, "w.toml"), path(&files, "more.toml"));
    dev.until(&["events"], "policy_applied");

    let output = dev.ask(&["apply", &same], "dev");
    expect(&output, 0);
    assert!(stdout(&output).starts_with("nothing changed\nversion 1 "), "{}", stdout(&output));
    for _ in 0..2 {
        let output = dev.ask(&["apply", &more], "dev");
        expect(&output, 0);
        assert!(
            stdout(&output).ends_with("version 2 of the workspace of dev is in force\n"),
            "{}",
            stdout(&output)
        );
    }
    let text = stdout(&dev.ask(&["apply", &same], "dev"));
    assert!(text.starts_with("changed  agent dev/support/agent-1\n") && text.contains("version 3"), "{text}");

    let output = dev.ask(&["apply", &same], "wrong");
    expect(&output, 1);
    assert!(stderr(&output).contains("refused"), "{}", stderr(&output));
    let output = run(&["apply", "--addr", &dev.grpc, &same]);
    expect(&output, 2);
    assert!(stderr(&output).contains("TRIBUTARY_TOKEN"), "{}", stderr(&output));

    let output = dev.ask(&["set-aside", "list"], "dev");
    expect(&output, 0);
    assert!(stderr(&output).contains("nothing is set aside"), "{}", stderr(&output));
    expect(&dev.ask(&["set-aside", "replay", "conversation-0-1-0"], "dev"), 1);
    let output = dev.ask(&["set-aside", "show", "conversation-0-1-0"], "dev");
    expect(&output, 1);
    assert!(stderr(&output).contains("set-aside list"), "{}", stderr(&output));
}

#[test]
fn a_mail_that_cannot_be_understood_is_kept_whole_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let dev = Dev::start(&dir.path().join("data"));
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(100);
    dev.mail("ann@x.test", &format!("From: ann@x.test\r\nSubject: A \x1briddle\r\n{nested}hello\r\n"));
    dev.until(&["events"], "unreadable_kept");

    let begun = Instant::now();
    let listed = loop {
        let output = dev.ask(&["set-aside", "list"], "dev");
        expect(&output, 0);
        if !output.stdout.is_empty() {
            break stdout(&output);
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing is listed");
        thread::sleep(Duration::from_millis(50));
    };
    assert!(listed.starts_with("conversation-") && listed.lines().count() == 1, "{listed}");
    assert!(listed.contains("it nests too deeply"), "{listed}");
    let id = listed.split(' ').next().unwrap();

    let show = |args: &[&str]| {
        let output = dev.ask(&[&["set-aside", "show", id], args].concat(), "dev");
        expect(&output, 0);
        stdout(&output)
    };
    let told = show(&[]);
    for line in ["inbox    email\n", "reason   it nests too deeply\n", "(withheld; --pii shows it)\n"] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    assert!(!told.contains("ann@x.test") && !told.contains("riddle"), "{told}");
    let told = show(&["--pii"]);
    assert!(told.contains(">        From: ann@x.test\n>        Subject: A  riddle\n"), "{told}");

    for _ in 0..2 {
        let output = dev.ask(&["set-aside", "replay", id], "dev");
        expect(&output, 1);
        let said = stderr(&output);
        assert!(said.contains("refused: it still cannot be read: it nests too deeply"), "{said}");
    }
    let events = stdout(&dev.run(&["events"]));
    assert_eq!(events.matches("unreadable_kept").count(), 1, "{events}");
    assert!(!events.contains("message_received"), "{events}");
}
