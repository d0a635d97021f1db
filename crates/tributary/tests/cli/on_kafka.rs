//! An installation that outgrows one machine: its log moves to a cluster, goes on there, and comes back.

use std::{net::TcpListener, path::Path};

use super::{
    beside_a_server::Dev,
    serving::{Serving, until},
    *,
};

#[path = "../../../../tests/kafka/brokers.rs"]
mod brokers;

use brokers::Brokers;

/// How a configuration names the cluster. Where the program has TLS, the brokers want it, and a name and a password.
struct Cluster {
    /// They end with this.
    _brokers: Brokers,
    place: String,
    settings: String,
}

const PASSWORD: &str = "correct horse";

impl Cluster {
    fn up(dir: &Path) -> Option<Cluster> {
        if !cfg!(feature = "kafka-tls") {
            let brokers = Brokers::up(1)?;
            let place = format!("kafka://{}", brokers.addresses);
            return Some(Cluster { _brokers: brokers, place, settings: String::new() });
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let login = [("BROKER_LOGIN", &*port.to_string()), ("BROKER_PASSWORD", PASSWORD)];
        let brokers = Brokers::up_with(1, &login)?;
        fs::write(dir.join("kafka.password"), PASSWORD).unwrap();
        let settings = format!(
            "[kafka.client]\n\"security.protocol\" = \"sasl_ssl\"\n\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\
             \"sasl.username\" = \"tributary\"\n\"sasl.password\" = \"file:{}\"\n\"ssl.ca.location\" = \"{}\"\n",
            dir.join("kafka.password").display(),
            brokers.dir.path().join("brokers.pem").display(),
        );
        Some(Cluster { _brokers: brokers, place: format!("kafka://127.0.0.1:{port}"), settings })
    }
}

#[test]
fn a_log_moves_to_a_cluster_goes_on_there_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::up(dir.path()) else { return };
    let (data, back) = (dir.path().join("data"), dir.path().join("back"));
    let local = |dir: &Path| format!("local:{}", dir.display());
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    dev.until(&["events"], "enqueued");
    dev.until(&["contacts", "export"], "visitor-ann");
    dev.stop();
    let before = stdout(&run(&["events", "--data", data.to_str().unwrap()]));

    let config = dir.path().join("tributary.toml");
    let so_far = format!("data = {data:?}\nlog = {:?}\n{}", cluster.place, cluster.settings);
    let configured = |settings: &str| fs::write(&config, format!("{so_far}{settings}")).unwrap();
    let with = |args: &[&str]| run(&[args, &["-c", config.to_str().unwrap()]].concat());
    let copy = |from: &str, to: &str| with(&["log", "copy", "--from", from, "--to", to]);

    // Where no log can be, or not this one, nothing is copied.
    configured("[kafka]\nprefix = \"other.\"\n[partitions]\nconversation = 3\n");
    let output = copy(&local(&data), &cluster.place);
    expect(&output, 1);
    assert!(stderr(&output).contains("topics create"), "{}", stderr(&output));
    expect(&with(&["topics", "create"]), 0);
    let output = copy(&local(&data), &cluster.place);
    expect(&output, 1);
    let why = stderr(&output);
    assert!(why.contains("other.conversation.in") && why.contains('3') && why.contains('4'), "{why}");

    configured("");
    expect(&with(&["topics", "create"]), 0);
    for _ in 0..2 {
        let output = copy(&local(&data), &cluster.place);
        expect(&output, 0);
        assert!(stdout(&output).contains("stand in kafka://"), "{}", stdout(&output));
    }
    fs::rename(data.join("log"), dir.path().join("old")).unwrap();

    let serving = Serving::start(&config, &so_far);
    let name = config.to_str().unwrap();
    serving.post(r#"{"id":"1","from":"visitor-ann","text":"I want a person"}"#);
    serving.post(r#"{"id":"2","from":"visitor-bob","text":"I want a person"}"#);
    until(&["contacts", "export", "-c", name], "visitor-bob");
    until(&["lag", "-c", name], "conversation");
    serving.stop();
    let output = with(&["verify"]);
    expect(&output, 0);
    assert!(stdout(&output).contains("no violations"), "{}", stdout(&output));
    let there = stdout(&with(&["events"]));
    let lost: Vec<_> = before.lines().filter(|line| !there.contains(line)).collect();
    assert!(lost.is_empty(), "{lost:#?}\nof\n{there}");
    assert_eq!(there.matches("message_received").count(), 2, "the first is known: {there}");

    // And home again, with what came meanwhile.
    expect(&copy(&cluster.place, &local(&back)), 0);
    fs::rename(back.join("log"), data.join("log")).unwrap();
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"2","from":"visitor-bob","text":"I want a person"}"#);
    dev.post(r#"{"id":"3","from":"visitor-cid","text":"I want a person"}"#);
    let exported = dev.until(&["contacts", "export"], "visitor-cid");
    assert!(exported.contains("visitor-ann") && exported.contains("visitor-bob"), "{exported}");
    let home = stdout(&dev.run(&["events"]));
    assert_eq!(home.matches("message_received").count(), 3, "{home}");
    dev.stop();
    let output = run(&["verify", "--data", data.to_str().unwrap()]);
    expect(&output, 0);
    assert!(stdout(&output).contains("no violations"), "{}", stdout(&output));
}

#[cfg(feature = "kafka-tls")]
#[test]
fn who_may_not_come_in_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::up(dir.path()) else { return };
    let asked = |settings: &str| {
        let config = dir.path().join("tributary.toml");
        fs::write(&config, format!("log = {:?}\n{settings}", cluster.place)).unwrap();
        let output = run(&["topics", "check", "-c", config.to_str().unwrap()]);
        expect(&output, 1);
        stderr(&output).to_lowercase()
    };
    let wrong = cluster.settings.replace("kafka.password", "wrong.password");
    fs::write(dir.path().join("wrong.password"), "guessed").unwrap();
    assert!(asked(&wrong).contains("authentication"), "{}", asked(&wrong));
    let unknown: String = cluster
        .settings
        .lines()
        .filter(|line| !line.contains("ssl.ca"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(asked(&unknown).contains("certificate"), "{}", asked(&unknown));
}
