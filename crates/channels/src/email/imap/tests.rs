//! Mailboxes as no good server gives them: a server of the tests' own that refuses, forgets and lies.

mod fake;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::delivery::{Command, Decider, MailboxMark};
use domain::{Kind, Lane, Route, Timestamp, Topology};
use log::{Limit, Log as _, MemoryLog, Topic};
use proptest::prelude::*;
use runtime::Post;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::fake::{Fake, Letter};
use super::batch::{Listed, batches, uid_set};
use super::place::folder_on_the_wire;
use super::*;
use crate::{Fact, FactKind, Intake, Outbound, Refused};

const TOPOLOGY: Topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

/// Keeps what it is given, or refuses the next so many.
#[derive(Default)]
struct Kept {
    facts: Mutex<Vec<Fact>>,
    refuses: AtomicUsize,
}

#[async_trait]
impl Intake for Kept {
    async fn accept(&self, _: &str, facts: Vec<Fact>, _: Option<Bytes>) -> Result<(), Refused> {
        let refuses =
            self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match refuses {
            Ok(_) => Err(Refused::Unavailable("no log".into())),
            Err(_) => {
                self.facts.lock().unwrap().extend(facts);
                Ok(())
            }
        }
    }
}

struct World {
    server: Fake,
    kept: Arc<Kept>,
    log: MemoryLog,
    pulls: Pulls,
    stop: CancellationToken,
}

impl World {
    /// Reads the mailbox of a server with these letters.
    async fn reading(
        letters: Vec<Letter>,
        start: &str,
        mark: Option<MailboxMark>,
        change: impl FnOnce(&Fake),
    ) -> World {
        World::within(limits(), letters, start, mark, change).await
    }

    async fn within(
        limits: Limits,
        letters: Vec<Letter>,
        start: &str,
        mark: Option<MailboxMark>,
        change: impl FnOnce(&Fake),
    ) -> World {
        let server = Fake::start(letters).await;
        change(&server);
        let log = MemoryLog::new(&[(Topic(Kind::Delivery.intake_topic()), 1)]);
        let (kept, stop) = (Arc::new(Kept::default()), CancellationToken::new());
        let pulls = Pulls::default();
        let settings = settings(&[("imap", &server.address), ("imap_start", start)]);
        let place = Place::read(&settings).unwrap().unwrap();
        let mailbox = Mailbox { place, access: Access::Password("secret".into()), roots: None };
        let mailboxes =
            Mailboxes::from([("inbox".parse().unwrap(), ("acme".parse().unwrap(), Arc::new(mailbox)))]);
        let post = Post { log: Arc::new(log.clone()), topology: TOPOLOGY };
        let outbound = Outbound::new(Duration::from_secs(1)).unwrap();
        let mailboxes = watch::Sender::new(mailboxes);
        let known = mailboxes.subscribe();
        tokio::spawn(pulls.clone().run(post, kept.clone(), outbound, known, limits, stop.clone()));
        let world = World { server, kept, log, pulls, stop };
        world.lead(mark);
        world
    }

    /// The mailbox is ours to read from now on, for as long as the test lasts.
    fn lead(&self, mark: Option<MailboxMark>) {
        let lane = Lane { inbox: "inbox".parse().unwrap(), number: 0 };
        let marks: BTreeMap<_, _> = mark.map(|mark| ("inbox".parse().unwrap(), mark)).into_iter().collect();
        std::mem::forget(self.pulls.lead(TOPOLOGY.peer(&Route::Lane(lane)), marks));
    }

    fn facts(&self) -> Vec<Fact> {
        self.kept.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn come(&self, count: usize) -> Vec<Fact> {
        for _ in 0..1_000 {
            if self.facts().len() >= count {
                return self.facts();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of {count} came", self.facts().len());
    }

    async fn marks(&self) -> Vec<MailboxMark> {
        let topic = Topic(Kind::Delivery.intake_topic()).partition(0);
        let records =
            self.log.read(topic, 0, Limit { records: usize::MAX, bytes: usize::MAX }).await.unwrap();
        let mark = |bytes: &Bytes| match wire::decode_intake::<Decider>(bytes).unwrap() {
            domain::Intake::Input { command: Command::MarkMailbox { mark, .. }, .. } => mark,
            other => panic!("{other:?}"),
        };
        records.iter().map(|record| mark(&record.bytes)).collect()
    }

    async fn marked(&self, through: u32) {
        for _ in 0..1_000 {
            if self.marks().await.last().is_some_and(|mark| mark.through >= through) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never marked through {through}: {:?}", self.marks().await);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn limits() -> Limits {
    Limits {
        max_message: 10_000,
        batch_bytes: 20_000,
        batch_messages: 16,
        poll: Duration::from_millis(20),
        idle: Duration::from_millis(200),
        pause: (Duration::from_millis(10), Duration::from_millis(40)),
        ..Limits::default()
    }
}

fn settings(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual = [
        ("imap", "mail.test"),
        ("imap_tls", "none"),
        ("imap_user", "support"),
        ("imap_password", "secret:it"),
    ];
    usual.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn letters(uids: impl IntoIterator<Item = u32>) -> Vec<Letter> {
    uids.into_iter().map(Letter::new).collect()
}

fn subjects(facts: &[Fact]) -> Vec<String> {
    let mut subjects: Vec<String> =
        facts.iter().filter_map(|fact| fact.mail.as_ref()?.subject.clone()).collect();
    subjects.sort();
    subjects.dedup();
    subjects
}

#[tokio::test]
async fn what_the_server_will_not_give_is_noted_and_the_rest_is_read() {
    let mut all = letters([3, 4, 5, 9, 12]);
    all[1].is_withheld = true;
    all[2].is_gone = true;
    all[3].body = format!("{}\r\n", "x".repeat(20_000));
    let world = World::reading(all, "all", None, |_| {}).await;
    let facts = world.come(4).await;
    world.marked(12).await;
    let kinds: Vec<_> = facts.iter().map(|fact| fact.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == FactKind::Unknown).count(), 2, "{facts:?}");
    let reasons: Vec<_> = facts.iter().filter_map(|fact| fact.reason.clone()).collect();
    assert!(reasons.iter().any(|why| why.contains("does not give this message: no luck")), "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("larger than 0 MB")), "{reasons:?}");
    assert_eq!(
        subjects(&facts),
        ["letter 12", "letter 3", "letter 4", "letter 9"],
        "what is known of them is told"
    );
    assert!(facts.iter().all(|fact| fact.kind != FactKind::Unknown || fact.text.is_none()));
}

#[tokio::test]
async fn what_is_not_kept_is_read_again_and_no_mark_is_beyond_it() {
    let world = World::reading(letters(1..=200), "all", None, |_| {}).await;
    world.kept.refuses.store(3, Ordering::SeqCst);
    let facts = world.come(200).await;
    world.marked(200).await;
    assert_eq!(subjects(&facts).len(), 200);
    assert!(world.marks().await.is_sorted_by_key(|mark| mark.through));
    assert!(world.marks().await.len() > 200 / 16, "it is told on the way how far it came");
}

#[tokio::test]
async fn reading_goes_on_where_it_ended_and_hears_of_more() {
    for has_idle in [true, false] {
        let known = MailboxMark {
            mailbox: "support/INBOX".into(),
            validity: 7,
            through: 150,
            since: Timestamp(0),
            sifted_through: 0,
        };
        let world =
            World::reading(letters(1..=200), "new", Some(known), |server| server.set_idle(has_idle)).await;
        assert_eq!(subjects(&world.come(50).await).len(), 50, "idle: {has_idle}");
        world.marked(200).await;
        world.server.put(Letter::new(300));
        assert!(subjects(&world.come(51).await).contains(&"letter 300".to_owned()));
        world.marked(300).await;
        assert_eq!(world.facts().len(), 51);
        assert!(world.server.bodies_of(150) == 0 && world.server.bodies_of(151) == 1);
    }
}

/// The server tells of it once, and not again while it waits.
#[tokio::test]
async fn what_comes_as_the_waiting_begins_is_read_at_once() {
    let patient = Limits { idle: Duration::from_secs(3_600), ..limits() };
    let world = World::within(patient, letters([1]), "all", None, |server| {
        server.put_as_waiting_begins(Letter::new(2));
    })
    .await;
    assert_eq!(subjects(&world.come(2).await), ["letter 1", "letter 2"]);
}

#[tokio::test]
async fn of_what_was_there_only_what_is_wanted_is_read_and_later_all() {
    let mut all = letters([1, 2, 3]);
    all[1].date = "01-Jan-2020 00:00:00 +0000".into();
    let world = World::reading(all, "2026-01-01", None, |_| {}).await;
    assert_eq!(subjects(&world.come(2).await), ["letter 1", "letter 3"]);
    // Somebody moves an old one here.
    let mut old = Letter::new(4);
    old.date = "01-Jan-2020 00:00:00 +0000".into();
    world.server.put(old);
    assert_eq!(subjects(&world.come(3).await), ["letter 1", "letter 3", "letter 4"]);
}

#[tokio::test]
async fn who_has_not_the_lead_any_more_reads_nothing() {
    let world = World::reading(letters([1]), "all", None, |_| {}).await;
    world.come(1).await;
    world.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.server.put(Letter::new(2));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.facts().len(), 1);
    assert_eq!(world.server.open_connections(), 0);
}

#[test]
fn settings_that_cannot_be_are_told_by_name() {
    let place = |more: &[(&str, &str)]| Place::read(&settings(more));
    let of = |more: &[(&str, &str)]| place(more).unwrap_err().key;
    assert_eq!(Place::read(&BTreeMap::new()), Ok(None));
    let usual = place(&[]).unwrap().unwrap();
    assert_eq!((usual.host.as_str(), usual.port, usual.folder.as_str()), ("mail.test", 143, "INBOX"));
    assert_eq!(usual.start, Start::New);
    assert_eq!(place(&[("imap_tls", "tls")]).unwrap().unwrap().port, 993);
    assert_eq!(
        place(&[("imap_start", "2026-11-22")]).unwrap().unwrap().start,
        Start::From(Timestamp(1_795_305_600_000))
    );
    assert_eq!(of(&[("imap", "mail.test:imap")]), "imap");
    assert_eq!(of(&[("imap_tls", "ssl")]), "imap_tls");
    assert_eq!(of(&[("imap_start", "yesterday")]), "imap_start");
    assert_eq!(of(&[("imap_folder", "a\r\nb")]), "imap_folder");
    assert_eq!(of(&[("imap_token_url", "https://login.test/token")]), "imap_client_id");
    let mut without = settings(&[]);
    without.remove("imap_user");
    assert_eq!(Place::read(&without).unwrap_err().key, "imap_user");
}

/// RFC 3501 section 5.1.3 has the last of these.
#[test]
fn folders_are_named_as_the_protocol_has_it() {
    assert_eq!(folder_on_the_wire("INBOX/Anfragen"), "INBOX/Anfragen");
    assert_eq!(folder_on_the_wire("Entwürfe"), "Entw&APw-rfe");
    assert_eq!(folder_on_the_wire("R&D"), "R&-D");
    assert_eq!(folder_on_the_wire("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
}

proptest! {
    #[test]
    fn batches_are_all_messages_in_order_and_none_is_too_much(sizes in proptest::collection::vec(0usize..15_000, 0..60)) {
        let listed: Vec<Listed> =
            sizes.iter().enumerate().map(|(at, size)| Listed { uid: at as u32, size: *size, arrived: None }).collect();
        let limits = limits();
        let batches = batches(&listed, &limits);
        prop_assert_eq!(batches.concat(), listed);
        for batch in batches {
            let bytes: usize = batch.iter().map(|message| message.size).sum();
            prop_assert!(batch.len() == 1 || bytes <= limits.batch_bytes && batch.len() <= limits.batch_messages);
            prop_assert!(batch.len() == 1 || batch.iter().all(|message| message.size <= limits.max_message));
        }
    }

    #[test]
    fn a_set_names_exactly_its_messages(uids in proptest::collection::btree_set(1u32..200, 1..40)) {
        let set = uid_set(uids.iter().copied());
        let mut named = Vec::new();
        for part in set.split(',') {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            named.extend(first.parse::<u32>().unwrap()..=last.parse().unwrap());
        }
        prop_assert_eq!(named, uids.into_iter().collect::<Vec<_>>());
    }
}
