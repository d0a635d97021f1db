//! No bytes, however broken, do more harm than an error.

use bytes::Bytes;
use domain::{contact, conversation, delivery, desk, workspace};
use proptest::prelude::*;
use wire::{
    Point, Reader, decode_content, decode_header, decode_intake, decode_mail_thread, decode_record,
    decode_state, encode_decision, encode_intake,
};

use crate::samples::{Dice, Sampled, decision, intakes};

fn read_as_everything<A: Sampled>(bytes: &Bytes) {
    let _ = decode_intake::<A>(bytes);
    let _ = decode_record::<A>(bytes);
    let _ = decode_state::<A>(bytes);
    let _ = Reader::<A>::new(Point::default()).read(0, bytes);
}

fn read_everyhow(bytes: &Bytes) {
    read_as_everything::<conversation::Decider>(bytes);
    read_as_everything::<desk::Decider>(bytes);
    read_as_everything::<delivery::Decider>(bytes);
    read_as_everything::<contact::Decider>(bytes);
    read_as_everything::<workspace::Decider>(bytes);
    let _ = decode_header(bytes);
    let _ = decode_content(bytes);
    let _ = decode_mail_thread(bytes);
    let _ = Point::decode(bytes);
}

/// Cuts the bytes off somewhere, or changes some of them.
fn damaged(whole: &Bytes, dice: &mut Dice) -> Bytes {
    let mut bytes = whole.to_vec();
    if dice.any() {
        bytes.truncate(dice.below(whole.len()));
    } else {
        for _ in 0..1 + dice.below(4) {
            let at = dice.below(whole.len());
            bytes[at] = dice.any();
        }
    }
    bytes.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn noise(bytes: Vec<u8>) {
        read_everyhow(&bytes.into());
    }

    #[test]
    fn damage(seed: u64) {
        let mut dice = Dice(seed);
        let intakes = intakes::<conversation::Decider>(&mut dice);
        let intake = &intakes[dice.below(intakes.len())];
        read_everyhow(&damaged(&encode_intake::<conversation::Decider>(intake), &mut dice));
        let decision = encode_decision(&decision::<desk::Decider>(&mut dice));
        read_everyhow(&damaged(&decision, &mut dice));
    }
}

/// A record names the aggregate it belongs to: another's command is not mistaken for one's own.
#[test]
fn foreign_commands_and_events() {
    let mut dice = Dice(1);
    for intake in intakes::<desk::Decider>(&mut dice) {
        let of_no_one = matches!(intake, domain::Intake::Applied { .. });
        let bytes = encode_intake::<desk::Decider>(&intake);
        assert_eq!(decode_intake::<contact::Decider>(&bytes).is_ok(), of_no_one);
    }
    let bytes = encode_decision(&decision::<desk::Decider>(&mut dice));
    assert!(decode_record::<desk::Decider>(&bytes).is_ok());
    assert!(decode_record::<delivery::Decider>(&bytes).is_err());
}
