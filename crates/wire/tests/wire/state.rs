//! States as bytes.

use domain::{Partition, Timestamp, Topology, desk};
use wire::{Error, STATE_VERSION, decode_state, digest, encode_state};

use crate::samples::{Dice, steps};

const TOPOLOGY: Topology = Topology { conversation: 8, desk: 2, delivery: 4, contact: 1, workspace: 1 };

/// A partition that has taken facts, relays, policies and answers.
fn partition(seed: u64) -> Partition<desk::Decider> {
    let mut partition = Partition::new(TOPOLOGY);
    for step in steps(&mut Dice(seed)).iter().filter(|step| step.events.is_empty()) {
        partition.fold(Timestamp(1_000), step);
    }
    partition
}

#[test]
fn a_state_survives() {
    let partition = partition(1);
    let read =
        decode_state::<desk::Decider>(&encode_state(&partition)).expect("what was written can be read");
    assert_eq!(read, partition);
}

#[test]
fn equal_states_have_equal_digests_and_others_do_not() {
    let of = |seed| digest(&encode_state(&partition(seed)));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = encode_state(&partition(1));
    bytes[1] ^= 0xff;
    let refused = decode_state::<desk::Decider>(&bytes).map(|_| ());
    assert!(
        matches!(refused, Err(Error::StateVersion { found, known: STATE_VERSION }) if found != STATE_VERSION),
        "{refused:?}"
    );
}

#[test]
fn a_cut_or_lengthened_state_is_refused() {
    let mut bytes = encode_state(&partition(1));
    for length in 0..bytes.len() {
        assert!(decode_state::<desk::Decider>(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    bytes.push(0);
    assert!(matches!(decode_state::<desk::Decider>(&bytes), Err(Error::StateLength)));
}
