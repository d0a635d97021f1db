//! Whatever is written is read back the same.

use bytes::Bytes;
use domain::{Intake, Origin, Peer, Relay, contact, conversation, delivery, desk, workspace};
use proptest::prelude::*;
use wire::{
    Announce, Header, Point, Record, decode_content, decode_header, decode_intake, decode_mail_thread,
    decode_record, encode_announce, encode_content, encode_decision, encode_intake, encode_mail_thread,
    encode_relay,
};

use crate::samples::{Dice, Sampled, decision, intakes};

fn intake_survives<A: Sampled>(seed: u64) {
    for intake in intakes::<A>(&mut Dice(seed)) {
        let read = decode_intake::<A>(&encode_intake::<A>(&intake)).expect("what was written can be read");
        assert_eq!(read, intake);
    }
}

fn decision_survives<A: Sampled>(seed: u64) {
    let decision = decision::<A>(&mut Dice(seed));
    let bytes = encode_decision(&decision);
    let header = Header::Decision {
        epoch: decision.epoch,
        seq: decision.seq,
        intake_through: decision.intake_through,
        decided_at: decision.decided_at,
    };
    assert_eq!(decode_header(&bytes).expect("its header can be read"), header);
    let read = decode_record::<A>(&bytes).expect("what was written can be read");
    assert_eq!(read, Record::Decision(decision));
}

/// A relay reads as an input of its target, and says whose it is.
fn relay_arrives<A: Sampled>(seed: u64, wrap: fn(A::Command) -> Relay) {
    let mut dice = Dice(seed);
    for sent in A::commands(&mut dice) {
        let (peer, number, sent_at): (Peer, u64, _) = (dice.any(), dice.any(), dice.any());
        let bytes = encode_relay(peer, number, sent_at, &wrap(sent.clone()));
        match decode_intake::<A>(&bytes).expect("the target can read it") {
            Intake::Input { origin, at, command, policy_version, .. } => {
                assert_eq!(origin, Origin::Relay { source: peer, number });
                assert_eq!((at, command, policy_version), (sent_at, sent, 0));
            }
            other => panic!("{other:?} is no relay"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_command(seed: u64) {
        intake_survives::<conversation::Decider>(seed);
        intake_survives::<desk::Decider>(seed);
        intake_survives::<delivery::Decider>(seed);
        intake_survives::<contact::Decider>(seed);
        intake_survives::<workspace::Decider>(seed);
    }

    #[test]
    fn every_event_and_cause(seed: u64) {
        decision_survives::<conversation::Decider>(seed);
        decision_survives::<desk::Decider>(seed);
        decision_survives::<delivery::Decider>(seed);
        decision_survives::<contact::Decider>(seed);
        decision_survives::<workspace::Decider>(seed);
    }

    #[test]
    fn every_relay(seed: u64) {
        relay_arrives::<conversation::Decider>(seed, Relay::Conversation);
        relay_arrives::<desk::Decider>(seed, Relay::Desk);
        relay_arrives::<delivery::Decider>(seed, Relay::Delivery);
        relay_arrives::<contact::Decider>(seed, Relay::Contact);
    }

    #[test]
    fn announcements_and_points(seed: u64) {
        let mut dice = Dice(seed);
        let announce: Announce = dice.any();
        let bytes = encode_announce(&announce);
        prop_assert_eq!(decode_header(&bytes).unwrap(), Header::Announce(announce.clone()));
        prop_assert_eq!(decode_record::<desk::Decider>(&bytes).unwrap(), Record::Announce(announce));

        let point: Point = dice.any();
        prop_assert_eq!(Point::decode(&point.encode()).unwrap(), point);
    }

    #[test]
    fn plaintexts(seed: u64) {
        let mut dice = Dice(seed);
        let content = dice.any();
        prop_assert_eq!(decode_content(&encode_content(&content)).unwrap(), content);
        let thread = dice.any();
        prop_assert_eq!(decode_mail_thread(&encode_mail_thread(&thread)).unwrap(), thread);
    }
}

/// What is sealed is not copied when a record is read: it lies within the record's own memory.
#[test]
fn sealed_bytes_are_shared() {
    let sealed = Bytes::from_static(&[7; 1000]);
    let subject = Dice(1).any();
    let command = conversation::Command::Unreadable {
        from: Dice(2).any(),
        message: Dice(3).any(),
        content: domain::Sealed { subject, bytes: sealed },
        reason: "no".into(),
        at: Dice(4).any(),
    };
    let relay = encode_relay(Dice(5).any(), 1, Dice(6).any(), &Relay::Conversation(command));
    let Ok(Intake::Input { command: conversation::Command::Unreadable { content, .. }, .. }) =
        decode_intake::<conversation::Decider>(&relay)
    else {
        panic!("the relay reads as what it was")
    };
    assert!(relay.as_ptr_range().contains(&content.bytes.as_ptr()));
}
