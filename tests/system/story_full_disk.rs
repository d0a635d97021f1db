//! A full disk: no edge says that it took what is not on disk, and with room all goes on, without anybody's help.

use std::{collections::BTreeSet, path::Path, process::Command, time::Duration};

use serde_json::json;

use crate::{
    clients::{Answer, Api, Channel, Message, Providers, http},
    count::Evidence,
    process::{Addresses, Binary, Place, command},
};

#[path = "../../crates/log/tests/local_faults/small_disk.rs"]
mod small_disk;

use small_disk::SmallDisk;

/// Deliveries at most until a disk without room refuses one: what is free in written files is used up first.
const DELIVERIES: usize = 2_000;

/// A delivery that is large enough to need room, and not for its key alone.
fn message(channel: Channel, name: &str, number: usize) -> Message {
    let text = format!("{name} {number} {}", "and so on and on ".repeat(1_000));
    // A provider's text ends where it ends.
    Message::new(
        channel,
        format!("{}-{number}@example.org", name.replace(' ', "-")),
        &channel.customer(number % 5),
        text.trim_end(),
    )
}

/// Every edge, until it refuses. Yields what was refused.
async fn fill(providers: &Providers, taken: &mut BTreeSet<String>, name: &str) -> Vec<Message> {
    let mut refused = Vec::new();
    for channel in Channel::ALL {
        for number in 0.. {
            assert!(number < DELIVERIES, "{channel:?} never refuses");
            let message = message(channel, &format!("{name} {channel:?}"), number);
            match (channel, providers.deliver(&message).await) {
                (_, Answer::Taken) => {
                    taken.insert(message.text);
                }
                // Come again later: 503 over HTTP, a reply of the 4xx kind by SMTP.
                (Channel::Email, Answer::Refused(400..500, _)) | (_, Answer::Refused(503, _)) => {
                    refused.push(message);
                    break;
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    refused
}

/// A webhook's 503 says when to come again. What is folded back meanwhile may have made room for some more.
async fn tells_when_to_come_again(at: Addresses, number: usize) {
    let url = format!("http://{}/webhooks/generic/generic", at.http);
    for more in 0..DELIVERIES {
        let body = json!({"id": format!("late-{number}-{more}"), "from": "late", "text": "so it goes ".repeat(1_000)});
        let answer =
            http().post(&url).header("authorization", "Bearer dev").json(&body).send().await.unwrap();
        if answer.status() == 200 {
            continue;
        }
        assert_eq!(answer.status(), 503);
        let seconds: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds} s");
        return;
    }
    panic!("nothing is refused");
}

/// Customers write, room goes and comes back some times, and then everything is counted.
async fn survives(data: &Path, mut squeeze: impl FnMut(&Binary), mut release: impl FnMut(&Binary)) {
    let binary = Binary::start(data, Addresses::any()).await;
    let (providers, admin) = (Providers::new(binary.at), Api::new(binary.at, "dev"));
    let mut taken = BTreeSet::new();
    for channel in Channel::ALL {
        let message = message(channel, &format!("before {channel:?}"), 0);
        providers.deliver_until_taken(&message).await;
        taken.insert(message.text);
    }
    for round in 0..3 {
        squeeze(&binary);
        let refused = fill(&providers, &mut taken, &format!("round {round}")).await;
        tells_when_to_come_again(binary.at, round).await;
        release(&binary);
        for message in refused {
            // Providers come again; nobody restarts anything.
            let again =
                tokio::time::timeout(Duration::from_secs(30), providers.deliver_until_taken(&message));
            again
                .await
                .unwrap_or_else(|_| panic!("{:?} is still refused:{}", message.channel, binary.tail()));
            taken.insert(message.text);
        }
    }
    let evidence = Evidence::settled(&admin, data, &taken).await;
    let mut violations = evidence.violations();
    violations.extend(evidence.received(&taken));
    assert!(violations.is_empty(), "{violations:#?}{}", binary.tail());
    binary.stop().await;
    command(&["verify", "--data", data.to_str().unwrap()], b"").await.well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_at_the_edge_and_recovers() {
    let Some(disk) = SmallDisk::of_mib(128) else { return };
    survives(&disk.dir(), |_| disk.fill(200_000), |_| disk.make_room()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_size_limit_refuses_at_the_edge_and_recovers() {
    if Command::new("prlimit").output().is_err() {
        return eprintln!("SKIPPED, nothing was tested: there is no prlimit to set limits with");
    }
    let limit = |binary: &Binary, bytes: &str| {
        let (id, limit) = (binary.id().to_string(), format!("--fsize={bytes}:"));
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    };
    let place = Place::new();
    let wal = place.data().join("log/log.sqlite-wal");
    let squeeze = |binary: &Binary| limit(binary, &(wal.metadata().unwrap().len() + 300_000).to_string());
    survives(&place.data(), squeeze, |binary| limit(binary, "unlimited")).await;
}
