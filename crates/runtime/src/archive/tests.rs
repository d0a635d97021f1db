//! An archive against a map that does the same: whatever is put, written, merged, forgotten, reopened or damaged.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Batch, Departed, FACTS_KEPT, FactId, Millis, Timestamp, conversation::Decider};

use super::{
    segment::{Segment, Span},
    shelf::Shelf,
    *,
};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn key(&mut self, of: u64) -> Key {
        key(self.roll(of))
    }

    fn value(&mut self) -> Vec<u8> {
        let length = if self.roll(10) == 0 { 9_000 } else { self.roll(200) };
        vec![self.roll(256) as u8; length as usize]
    }
}

fn key(n: u64) -> Key {
    u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

const NOW: Timestamp = Timestamp(1_000);

fn found(shelf: &Shelf, key: &Key) -> Option<Vec<u8>> {
    shelf.find(key).expect("nothing is damaged").map(|(_, value)| value)
}

#[test]
fn a_shelf_finds_what_was_put_last() {
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let root = tempfile::tempdir().unwrap();
        let (mut shelf, mut model) = (Shelf::new(None), BTreeMap::new());
        for round in 0..12 {
            for _ in 0..dice.roll(400) {
                let (key, value) = (dice.key(700), dice.value());
                shelf.put(NOW, key, value.clone());
                model.insert(key, value);
            }
            let dir = root.path().join(round.to_string());
            match dice.roll(3) {
                0 => {}
                1 => shelf.settle(&dir, NOW).unwrap(),
                _ => {
                    shelf.settle(&dir, NOW).unwrap();
                    let before = shelf.tally();
                    shelf = Shelf::decode(&mut &shelf.encode()[..], &dir, None).unwrap();
                    assert_eq!(shelf.tally(), before);
                    shelf.check().expect("nothing is damaged");
                }
            }
            for n in 0..800 {
                assert_eq!(found(&shelf, &key(n)).as_ref(), model.get(&key(n)), "seed {seed}, round {round}");
            }
        }
    }
}

#[test]
fn segments_are_few_and_the_folders_before_are_not_needed() {
    let root = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new(None);
    let mut before = None;
    for n in 0..200_u64 {
        (0..5).for_each(|part| shelf.put(NOW, key(n * 5 + part), vec![7]));
        let dir = root.path().join(n.to_string());
        shelf.settle(&dir, NOW).unwrap();
        if let Some(before) = before.replace(dir) {
            std::fs::remove_dir_all(before).unwrap();
        }
    }
    let dir = before.unwrap();
    assert!(std::fs::read_dir(&dir).unwrap().count() < 20);
    let shelf = Shelf::decode(&mut &shelf.encode()[..], &dir, None).unwrap();
    assert!((0..1_000).all(|n| found(&shelf, &key(n)) == Some(vec![7])));
}

#[test]
fn a_segment_moves_on_though_its_folder_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| root.path().join(name));
    let mut shelf = Shelf::new(None);
    shelf.put(NOW, key(1), vec![1]);
    shelf.settle(&first, NOW).unwrap();
    std::fs::remove_dir_all(first).unwrap();
    shelf.settle(&second, NOW).unwrap();
    let shelf = Shelf::decode(&mut &shelf.encode()[..], &second, None).unwrap();
    assert_eq!(found(&shelf, &key(1)), Some(vec![1]));
}

#[test]
fn what_is_kept_for_a_time_is_forgotten_after_it_and_not_before() {
    let root = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new(Some(FACTS_KEPT));
    let (shift, shifts) = (Millis::hours(8), FACTS_KEPT.0 / Millis::hours(8).0);
    let (mut now, all) = (NOW, shifts * 6);
    for n in 0..all {
        shelf.put_keys(now, vec![key(n)]);
        shelf.settle(root.path(), now).unwrap();
        let oldest = n.saturating_sub(shifts - 1);
        assert!(
            found(&shelf, &key(oldest)).is_some(),
            "in shift {n}, the fact of shift {oldest} is forgotten"
        );
        now = now + shift;
    }
    let gone = (0..all).take_while(|n| found(&shelf, &key(*n)).is_none()).count() as u64;
    assert!(gone > shifts * 9 / 2, "of {all} shifts' only {gone} are forgotten");
    let bytes = shelf.encode();
    let shelf = Shelf::decode(&mut &bytes[..], root.path(), Some(FACTS_KEPT)).unwrap();
    assert_eq!(shelf.tally().count, all, "it still says what ever was");
}

#[test]
fn keys_are_found_however_often_they_were_put() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let root = tempfile::tempdir().unwrap();
        let (mut shelf, mut model) = (Shelf::new(None), BTreeSet::new());
        for round in 0..8 {
            for _ in 0..dice.roll(6) {
                let mut keys: Vec<Key> = (0..dice.roll(90)).map(|_| dice.key(500)).collect();
                keys.sort();
                model.extend(keys.iter().copied());
                shelf.put_keys(NOW, keys);
            }
            if dice.roll(2) == 0 {
                let dir = root.path().join(round.to_string());
                shelf.settle(&dir, NOW).unwrap();
                // What it says of itself fits what is in its files.
                shelf = Shelf::decode(&mut &shelf.encode()[..], &dir, None).unwrap();
            }
            for n in 0..600 {
                assert_eq!(
                    found(&shelf, &key(n)).is_some(),
                    model.contains(&key(n)),
                    "seed {seed}, round {round}"
                );
            }
        }
    }
}

#[test]
fn a_damaged_segment_never_answers_wrongly() {
    let root = tempfile::tempdir().unwrap();
    let entries: BTreeMap<Key, Vec<u8>> =
        (0..160).map(|n| (key(n), vec![n as u8; n as usize % 40])).collect();
    let iter = || entries.iter().map(|(key, value)| Ok((*key, value.clone())));
    let segment = Segment::write(root.path(), 160, Span::at(NOW), iter()).unwrap();
    let path = std::fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&path).unwrap();
    let ask = |name| -> io::Result<()> {
        let segment = Segment::open(root.path(), name)?;
        for n in (0..200).step_by(9) {
            assert_eq!(segment.get(&key(n))?.as_ref(), entries.get(&key(n)), "it answers wrongly");
        }
        segment.check()
    };
    ask(segment.name).unwrap();
    for place in 8..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        std::fs::write(&path, bytes).unwrap();
        assert!(ask(segment.name).is_err(), "the damage at {place} is not found");
    }
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(ask(segment.name).is_err(), "cut to {length} bytes");
    }
}

/// As a leader's archive, lent to its scribe: each snapshot is of what was put before, while more is put.
#[test]
fn what_was_lent_comes_back_settled_whatever_came_meanwhile() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let root = tempfile::tempdir().unwrap();
        let mut ours = Shelf::new(None);
        let mut model = BTreeMap::new();
        for round in 0..10 {
            put_some(&mut ours, &mut model, &mut dice);
            let before = model.clone();
            let mut lent = ours.lend();
            put_some(&mut ours, &mut model, &mut dice);
            assert!(holds(&lent, &before), "what comes meanwhile is not in it");
            // Some are never written: what they should hold is in the next.
            if dice.roll(3) == 0 {
                continue;
            }
            let dir = root.path().join(round.to_string());
            lent.settle(&dir, NOW).unwrap();
            assert!(holds(&Shelf::decode(&mut &lent.encode()[..], &dir, None).unwrap(), &before));
            put_some(&mut ours, &mut model, &mut dice);
            let tally = ours.tally();
            ours.take_back(&mut lent);
            assert_eq!(ours.tally(), tally, "seed {seed}, round {round}");
            assert!(holds(&ours, &model), "seed {seed}, round {round}");
        }
        // The last is its own.
        let dir = root.path().join("last");
        ours.settle(&dir, NOW).unwrap();
        let last = Shelf::decode(&mut &ours.encode()[..], &dir, None).unwrap();
        assert!(holds(&last, &model));
        last.check().expect("nothing is damaged");
    }
}

fn put_some(shelf: &mut Shelf, model: &mut BTreeMap<Key, Vec<u8>>, dice: &mut Dice) {
    for _ in 0..dice.roll(60) {
        let (key, value) = (dice.key(300), dice.value());
        shelf.put(NOW, key, value.clone());
        model.insert(key, value);
    }
}

fn holds(shelf: &Shelf, model: &BTreeMap<Key, Vec<u8>>) -> bool {
    (0..400).all(|n| found(shelf, &key(n)).as_ref() == model.get(&key(n)))
}

#[test]
fn what_is_put_together_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::default();
    for round in 0..20 {
        archive.keep(departed(round * 100, 100));
        archive.settle(root.path(), NOW).unwrap();
    }
    std::fs::write(root.path().join("7-7.partial"), b"cut short").unwrap();
    let files = || std::fs::read_dir(root.path()).unwrap().count();
    let named = archive.facts.names().count();
    assert!(files() > named + 1, "some were put together");
    archive.tidy(root.path()).unwrap();
    assert_eq!(files(), named);
    let read = Archive::decode(&archive.encode(), root.path()).unwrap();
    assert!((0..2_000).all(|n| read.has_fact(FactId(key(n))).unwrap()));
}

#[test]
fn what_is_damaged_is_named_when_it_is_put_together_with_other_things() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Archive::default();
    archive.keep(departed(0, 1_000));
    archive.settle(root.path(), NOW).unwrap();
    let path = std::fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    archive.keep(departed(1_000, 1_000));
    let Err(Unsettled::Unreadable(unreadable)) = archive.settle(root.path(), NOW) else {
        panic!("a segment is damaged")
    };
    assert_eq!(path.file_stem().unwrap().to_str().unwrap(), Error::from(unreadable).segment);
    assert!(archive.has_fact(FactId(key(1_500))).unwrap(), "what is whole is still found");
}

#[test]
fn a_disk_that_takes_nothing_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = root.path().join("a file");
    std::fs::write(&nowhere, b"not a folder").unwrap();
    let mut archive = Archive::default();
    for from in (0..10_000).step_by(1_000) {
        archive.keep(departed(from, 1_000));
        assert!(archive.settle(&nowhere, NOW).is_err());
    }
    let has_all =
        |archive: &Archive| (0..10_000).step_by(11).all(|n| archive.has_fact(FactId(key(n))).unwrap());
    assert!(has_all(&archive));
    let there = root.path().join("there");
    archive.settle(&there, NOW).unwrap();
    assert!(has_all(&archive) && has_all(&Archive::decode(&archive.encode(), &there).unwrap()));
}

fn departed(from: u64, count: u64) -> Departed<Decider> {
    let mut ids: Vec<_> = (from..from + count).map(|n| FactId(key(n))).collect();
    ids.sort();
    Departed { facts: vec![Batch { newest: NOW, ids }], ..Departed::default() }
}

#[test]
fn equal_contents_come_to_the_same_in_whatever_files_they_lie() {
    let root = tempfile::tempdir().unwrap();
    let batch = |from: u64| departed(from, 100);
    let (mut settled, mut fresh, mut counting) =
        (Archive::default(), Archive::default(), Archive::counting());
    for from in [0, 100, 200] {
        settled.keep(batch(from));
        settled.settle(root.path(), NOW).unwrap();
        fresh.keep(batch(from));
        counting.keep(batch(from));
    }
    assert_eq!((settled.summary(), counting.summary()), (fresh.summary(), fresh.summary()));
    fresh.keep(batch(300));
    assert_ne!(settled.summary(), fresh.summary());
}
