//! Blobs whose record never came, told from those that are named: wherever that is, and however long ago.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use bytes::Bytes;
use channels::Orphans;
use domain::{Kind, Timestamp, Topology};
use log::{Log as _, MemoryLog, Topic, clock};
use tempfile::TempDir;
use vault::{MasterKey, Opened, Subject, Vault};

const TOPOLOGY: Topology = Topology { conversation: 2, desk: 1, delivery: 1, contact: 1, workspace: 1 };
const DAY: i64 = 24 * 60 * 60 * 1000;

struct World {
    log: MemoryLog,
    vault: Vault,
    dir: TempDir,
    sealed: u8,
}

impl World {
    fn new() -> Self {
        let topics: Vec<_> = Kind::ALL
            .into_iter()
            .flat_map(|kind| {
                [kind.intake_topic(), kind.log_topic()].map(|topic| (Topic(topic), TOPOLOGY.partitions(kind)))
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(vault::Config::new(dir.path(), MasterKey::from_bytes([7; 32]))).unwrap();
        World { log: MemoryLog::new(&topics), vault, dir, sealed: 0 }
    }

    fn orphans(&self) -> Orphans {
        Orphans::new(Arc::new(self.log.clone()), TOPOLOGY, self.vault.clone())
    }

    fn subject(&self) -> Subject {
        Subject { tenant: "acme".into(), party: [1; 16] }
    }

    /// Something large, sealed as it is before its record is appended.
    async fn seal(&mut self) -> (u8, Vec<u8>) {
        self.sealed += 1;
        let item = self.sealed;
        (item, self.vault.seal(&self.subject(), &[item; 16], &vec![item; 100_000]).await.unwrap())
    }

    /// A record of that kind in which the sealed bytes stand somewhere.
    async fn name(&self, topic: &'static str, partition: u32, sealed: &[u8]) {
        let record = Bytes::from([&[2, 0, 2, 9][..], sealed, b"and more"].concat());
        self.log.append(Topic(topic).partition(partition), vec![record]).await.unwrap();
    }

    async fn opens(&self, (item, sealed): &(u8, Vec<u8>)) -> bool {
        let opened = self.vault.open_sealed(&self.subject(), &[*item; 16], sealed).await;
        matches!(opened, Ok(Opened::Plain(plain)) if plain == vec![*item; 100_000])
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let folders = std::fs::read_dir(self.dir.path().join("blobs")).unwrap();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }
}

fn in_days(days: i64) -> Timestamp {
    Timestamp(clock::now() + days * DAY)
}

#[tokio::test]
async fn only_what_no_record_names_goes_and_only_after_days() {
    let mut world = World::new();
    let places = Kind::ALL.into_iter().flat_map(|kind| {
        let topics = [kind.intake_topic(), kind.log_topic()];
        topics.into_iter().flat_map(move |topic| (0..TOPOLOGY.partitions(kind)).map(move |n| (topic, n)))
    });
    let mut named = Vec::new();
    for (topic, partition) in places {
        let sealed = world.seal().await;
        world.name(topic, partition, &sealed.1).await;
        named.push(sealed);
    }
    // Its process was killed before the append.
    let orphan = world.seal().await;

    let mut orphans = world.orphans();
    assert_eq!(orphans.sweep(in_days(0)).await.unwrap(), 0);
    assert_eq!(orphans.sweep(in_days(6)).await.unwrap(), 0, "its record may be on its way");
    assert!(world.opens(&orphan).await);
    assert_eq!(orphans.sweep(in_days(8)).await.unwrap(), 1);
    assert!(!world.opens(&orphan).await);
    for sealed in &named {
        assert!(world.opens(sealed).await, "{}", sealed.0);
    }
    // By the next process, which reads it all again.
    assert_eq!(world.orphans().sweep(in_days(300)).await.unwrap(), 0);
    assert_eq!(world.files().len(), named.len());
}

/// Looks, seals, kills and appends in any order, with what was decided taken out of the intake: nothing that is named is
/// ever removed, and what is not goes in the end.
#[tokio::test]
async fn whatever_comes_between_a_blob_and_its_record() {
    let intake = Kind::Conversation.intake_topic();
    let decisions = Kind::Conversation.log_topic();
    for seed in 0..20_u64 {
        let mut state = seed;
        let mut roll = |sides: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        let mut world = World::new();
        let mut orphans = world.orphans();
        let (mut waiting, mut named, mut lost): (Vec<_>, Vec<_>, usize) = Default::default();
        for _ in 0..40 {
            match roll(8) {
                0 | 1 => waiting.push(world.seal().await),
                2 | 3 => {
                    if let Some(sealed) = waiting.pop() {
                        world.name(intake, roll(2) as u32, &sealed.1).await;
                        named.push(sealed);
                    }
                }
                4 => lost += usize::from(waiting.pop().is_some()),
                5 => {
                    // All of an intake is decided, and trimmed.
                    let number = roll(2) as u32;
                    let partition = Topic(intake).partition(number);
                    let (start, end) =
                        (world.log.start(partition).await.unwrap(), world.log.end(partition).await.unwrap());
                    for record in world.log.read(partition, start, log::Limit::default()).await.unwrap() {
                        world.name(decisions, number, &record.bytes).await;
                    }
                    world.log.trim(partition, end).await.unwrap();
                }
                6 => orphans = world.orphans(),
                // Whatever waits for its record is young.
                _ => assert_eq!(orphans.sweep(in_days(roll(7) as i64)).await.unwrap(), 0, "seed {seed}"),
            }
        }
        lost += waiting.len();
        assert_eq!(orphans.sweep(in_days(30)).await.unwrap(), lost as u64, "seed {seed}");
        for sealed in &named {
            assert!(world.opens(sealed).await, "seed {seed}");
        }
    }
}
