//! States as bytes.

use std::io;

use domain::{
    Cause, ConversationId, Millis, Partition, Party, Step, Timestamp, Topology,
    conversation::{self, What},
    desk,
};
use wire::{Error, STATE_VERSION, decode_state, digest, digest_of_state, encode_state, write_state};

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

/// Customers with open and closed conversations, turns, threads, letters and names, and so many facts that some have
/// left.
#[test]
fn a_state_of_conversations_survives() {
    let mut partition = Partition::<conversation::Decider>::new(TOPOLOGY);
    let mut at = Timestamp(0);
    for seed in 0..40 {
        let mut dice = Dice(seed);
        for mut step in steps::<conversation::Decider>(&mut dice) {
            let party = Party([u8::try_from(seed % 5).expect("it is small"); 16]);
            step.events.iter_mut().for_each(|recorded| of_party(&mut recorded.event, party));
            step.events.retain(|recorded| !matches!(recorded.event.what, What::Retired { .. }));
            at = at + Millis(1);
            partition.fold(at, &step);
        }
    }
    for _ in 0..20_000 {
        let cause = Cause::Fact(Dice(u64::try_from(at.0).expect("it is positive")).any());
        at = at + Millis(1);
        partition.fold(at, &Step { cause, events: vec![], answers: vec![], set_aside: None });
    }
    assert!(!partition.take_departed().facts.is_empty());
    let open = |partition: &Partition<conversation::Decider>| {
        partition.state().customers().filter(|(_, customer)| customer.latest.is_some()).count()
    };
    assert!(open(&partition) > 0);
    let bytes = encode_state(&partition);
    let read = decode_state::<conversation::Decider>(&bytes).expect("what was written can be read");
    assert_eq!(read, partition);
    assert_eq!(encode_state(&read), bytes);
    let mut written = Vec::new();
    let passed = write_state(&partition, &mut written).expect("a list takes everything");
    assert!(written == bytes, "what is written as it comes is something else");
    assert_eq!([passed, digest_of_state(&partition)], [digest(&bytes); 2]);
}

/// Takes so many bytes, then is full.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        if taken == 0 { Err(io::Error::other("full to the brim")) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn why_a_state_could_not_be_written_is_told() {
    let partition = partition(1);
    let length = encode_state(&partition).len();
    assert!(write_state(&partition, Full(length)).is_ok());
    for room in [0, 1, length / 2, length - 1] {
        let refused = write_state(&partition, Full(room)).expect_err("it does not fit");
        assert_eq!(refused.to_string(), "full to the brim", "with room for {room} of {length}");
    }
}

/// The samples are about anyone; here they are about the same few.
fn of_party(event: &mut conversation::Event, party: Party) {
    let id = ConversationId { party, number: 1 };
    match &mut event.what {
        What::CustomerSeen { from, .. } => from.party = party,
        What::Returned { party: of, .. }
        | What::OptedOut { party: of }
        | What::ReceiptKept { party: of, .. } => *of = party,
        What::TurnAsked { turn, .. } => turn.conversation = id,
        What::Opened { conversation, .. }
        | What::MessageReceived { conversation, .. }
        | What::BotEngaged { conversation, .. }
        | What::AgentWanted { conversation, .. }
        | What::Assigned { conversation, .. }
        | What::DeliveryNoted { conversation, .. }
        | What::ReceiptNoted { conversation, .. } => *conversation = id,
        _ => {}
    }
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
