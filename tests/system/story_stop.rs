//! Stopping, and what a second process on the same data is told.

use std::time::Duration;

use crate::{
    clients::{Answer, Api, Channel, Message, Providers},
    count::Evidence,
    process::{Addresses, Binary, Place, command},
};

/// What SIGTERM finds in full flow ends in order and in time, with nothing lost, whoever does not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_full_flow_loses_nothing() {
    let place = Place::new();
    let binary = Binary::start(&place.data(), Addresses::any()).await;
    let (providers, admin) = (Providers::new(binary.at), Api::new(binary.at, "dev"));
    // It subscribes and never reads.
    let stalled = admin.subscribe("").await.unwrap();

    let mut customers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (channel, providers) = (Channel::ALL[number % 4], providers.clone());
        customers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let name = format!("{}x{}", number, taken.len());
                let from = channel.customer(number);
                let message =
                    Message::new(channel, format!("{name}@example.org"), &from, format!("hello {name}"));
                match providers.deliver(&message).await {
                    Answer::Taken => taken.push(message.text),
                    // It has stopped.
                    Answer::Refused(503 | 421 | 451, _) | Answer::Silence(_) => return taken,
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (took, tail) = binary.stop().await;
    assert!(took < Duration::from_secs(8), "stopping took {took:?}:{tail}");
    drop(stalled);
    let taken = tokio::time::timeout(Duration::from_secs(20), customers.join_all()).await;
    let taken: std::collections::BTreeSet<String> =
        taken.expect("senders end").into_iter().flatten().collect();
    assert!(taken.len() > 8, "something flowed");

    let binary = Binary::start(&place.data(), Addresses::any()).await;
    let evidence = Evidence::settled(&Api::new(binary.at, "dev"), &place.data(), &taken).await;
    let mut violations = evidence.violations();
    violations.extend(evidence.received(&taken));
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_data_says_that_it_is_in_use() {
    let place = Place::new();
    let mut binary = Binary::start(&place.data(), Addresses::any()).await;
    let data = place.data();
    let any = "127.0.0.1:0";
    let second = command(
        &[
            "dev",
            "--data",
            data.to_str().unwrap(),
            "--http",
            any,
            "--smtp",
            any,
            "--lmtp",
            any,
            "--grpc",
            any,
            "--metrics",
            any,
        ],
        b"",
    )
    .await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("in use"), "it says why: {second:?}");

    // The first one never noticed.
    let (providers, message) =
        (Providers::new(binary.at), Message::new(Channel::Generic, "1", "visitor-1", "Hello"));
    assert_eq!(providers.deliver(&message).await, Answer::Taken);
    binary
        .until("an answer of the first process", async |_| {
            (crate::outbox::sent(&data).len() == 1).then_some(())
        })
        .await;
}
