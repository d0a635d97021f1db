//! Dovecot keeps the mail, and we read it.

use std::{collections::BTreeSet, fs, time::Duration};

use channels::email::imap::Limits;

use crate::{
    lmtp::send,
    server::Server,
    world::{World, eventually},
};

const TO: &str = "support@dovecot.test";

/// Nothing comes by asking again: what comes, comes because the server told.
fn limits() -> Limits {
    Limits {
        idle: Duration::from_secs(3600),
        pause: (Duration::from_millis(50), Duration::from_secs(1)),
        ..Limits::default()
    }
}

fn pull(world: &World, server: &Server, service: &str, tls: &str, start: &str, password: &str) {
    let (host, port) = server.at(service);
    let imap = format!("{}:{port}", if tls == "none" { &host } else { "localhost" });
    let settings =
        [("imap", imap.as_str()), ("imap_tls", tls), ("imap_user", "support"), ("imap_start", start)];
    world.pull(server, "pulled", &settings, password);
}

async fn marked(world: &World, inbox: &str) {
    for _ in 0..2_000 {
        if !world.marks(inbox).await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    panic!("waited in vain for the first mark of {inbox}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_of_a_mailbox_comes_once_though_dovecot_postfix_and_we_are_killed() {
    let Some(server) = Server::up(1) else { return };
    let world = World::new();
    let mut subjects = BTreeSet::new();
    // What was there before is not read.
    send(&server, TO, 900..902, &mut BTreeSet::new());
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    pull(&world, &server, "imaps", "tls", "new", "secret");
    let ours = world.start(None, limits());
    marked(&world, "pulled").await;
    send(&server, TO, 0..10, &mut subjects);
    world.each_once("pulled", &subjects).await;

    server.kill("dovecot");
    send(&server, TO, 10..15, &mut subjects);
    server.again("dovecot");
    send(&server, TO, 15..20, &mut subjects);
    server.kill("postfix");
    server.again("postfix");
    ours.kill().await;
    send(&server, TO, 20..30, &mut subjects);
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    let ours = world.start(None, limits());
    send(&server, TO, 30..35, &mut subjects);
    world.each_once("pulled", &subjects).await;
    assert_eq!(world.in_the_log().await, subjects.len());
    let marks = world.marks("pulled").await;
    assert!(marks.iter().is_sorted_by_key(|mark| mark.through), "{marks:?}");
    for entry in fs::read_dir(server.maildir("support").join("cur")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.split_once(":2,").is_some_and(|(_, flags)| flags.contains(['S', 'T', 'R'])),
            "{name} was touched"
        );
    }
    ours.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_counts_anew_costs_and_doubles_nothing() {
    let Some(server) = Server::up(1) else { return };
    let world = World::new();
    let mut subjects = BTreeSet::new();
    send(&server, TO, 900..902, &mut BTreeSet::new());
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    // Dates of mail are whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    pull(&world, &server, "imap", "starttls", "new", "secret");
    let ours = world.start(None, limits());
    marked(&world, "pulled").await;
    send(&server, TO, 0..10, &mut subjects);
    world.each_once("pulled", &subjects).await;
    let before = world.marks("pulled").await.pop().unwrap();

    ours.kill().await;
    send(&server, TO, 10..15, &mut subjects);
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    server.kill("dovecot");
    let maildir = server.maildir("support");
    for entry in fs::read_dir(&maildir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    server.again("dovecot");
    let ours = world.start(None, limits());
    send(&server, TO, 15..20, &mut subjects);
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    world.each_once("pulled", &subjects).await;
    let after = world.marks("pulled").await.pop().unwrap();
    assert_ne!(after.validity, before.validity, "the server counts anew");
    assert_eq!(after.since, before.since);
    assert_eq!(world.in_the_log().await, subjects.len());
    ours.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_and_a_right_one_at_once() {
    let Some(server) = Server::up(1) else { return };
    let world = World::new();
    let mut subjects = BTreeSet::new();
    send(&server, TO, 0..3, &mut subjects);
    eventually("an empty queue", || server.has_delivered().then_some(())).await;
    pull(&world, &server, "imap", "none", "all", "wrong");
    let ours = world.start(None, limits());
    let failed = || server.log("dovecot").matches("auth failed").count();
    // Dovecot holds back its answer for a moment; then there is time for many more.
    eventually("the refusal", || (failed() > 0).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(failed(), 1, "{}", server.log("dovecot"));
    pull(&world, &server, "imap", "none", "all", "secret");
    world.each_once("pulled", &subjects).await;
    ours.end().await;
}
