//! What cannot be handled: kept for an operator, and used up.

use bytes::Bytes;
use domain::{Answer, Batch, Cause, Code, Intake, Origin, Taken};

use crate::notes::*;

#[test]
fn a_refusal_that_nobody_waits_for_is_left_to_be_set_aside() {
    let mut story = Story::new();
    let source = at_conversations(1);
    for intake in [
        fact(1, Command::Refuse),
        relayed(source, 1, Command::Refuse),
        input(Origin::Report, Command::Refuse),
    ] {
        let before = story.partition.clone();
        assert_eq!(story.take(&intake), Taken::Refused(refusal()));
        assert_eq!(story.partition, before, "it is not used up before it is set aside");
        let step =
            story.partition.set_aside(origin_of(&intake), Bytes::from_static(b"sealed"), "refused".into());
        story.fold(&step);
    }
    assert_eq!(story.take(&fact(1, Command::Refuse)), Taken::Again);
    assert_eq!(story.take(&relayed(source, 1, Command::Refuse)), Taken::Again);
}

/// Nobody can tell the inbox of what was set aside, so it is taken for one whose facts are remembered for ever.
#[test]
fn a_fact_that_was_set_aside_is_remembered_for_ever() {
    let mut story = Story::new();
    let (mut left, mut lasting): (Vec<Batch>, Vec<Batch>) = (Vec::new(), Vec::new());
    for n in 0..20_000 {
        let origin = Some(Origin::Fact(wide_fact(n)));
        let step = story.partition.set_aside(origin, Bytes::from_static(b"sealed"), "unreadable".into());
        story.fold(&step);
        let departed = story.partition.take_departed();
        left.extend(departed.facts);
        lasting.extend(departed.lasting_facts);
    }
    assert_eq!(left, []);
    assert!(lasting.iter().any(|batch| batch.contains(&wide_fact(0))));
}

#[test]
fn what_is_set_aside_is_used_up() {
    let mut story = Story::new();
    let source = at_conversations(1);
    let bytes = Bytes::from_static(b"sealed");
    let poison =
        [fact(1, Command::Note(1)), asked(1, 1, Command::Note(1)), relayed(source, 1, Command::Note(1))];
    for intake in &poison {
        let step = story.partition.set_aside(origin_of(intake), bytes.clone(), "broken".into());
        let kept = step.set_aside.as_ref().unwrap();
        assert_eq!((&kept.bytes, &kept.reason[..]), (&bytes, "broken"));
        assert_eq!(step.events, []);
        story.fold(&step);
    }
    assert_eq!(story.take(&poison[0]), Taken::Again);
    let [Answer { result: Err(rejection), .. }] = &story.step(&poison[1]).answers[..] else {
        panic!("a command set aside has no answer");
    };
    assert_eq!(rejection.code, Code::Internal);
    assert_eq!(story.take(&poison[2]), Taken::Again);
    story.step(&relayed(source, 2, Command::Note(2)));
    assert_eq!(story.notes(), [2]);
}

#[test]
fn unreadable_bytes_are_kept_and_nothing_else_follows() {
    let mut story = Story::new();
    let before = story.partition.clone();
    let step = story.partition.set_aside(None, Bytes::from_static(b"\xff"), "not a record".into());
    assert_eq!((&step.cause, &step.answers[..]), (&Cause::Unreadable, &[][..]));
    story.fold(&step);
    assert_eq!(story.partition.state(), before.state());
    story.step(&fact(1, Command::Note(1)));
}

fn origin_of(intake: &Intake<Command>) -> Option<Origin> {
    match intake {
        Intake::Input { origin, .. } => Some(*origin),
        Intake::Applied { .. } => None,
    }
}

#[test]
fn what_was_set_aside_is_out_of_turn_when_it_comes_again() {
    let mut story = Story::new();
    let source = at_conversations(1);
    for intake in
        [fact(1, Command::Note(1)), asked(1, 1, Command::Note(1)), relayed(source, 1, Command::Note(1))]
    {
        let origin = origin_of(&intake).unwrap();
        assert!(!story.partition.is_out_of_turn(origin));
        let step =
            story.partition.set_aside(Some(origin), Bytes::from_static(b"sealed"), "unreadable".into());
        story.fold(&step);
        assert!(story.partition.is_out_of_turn(origin));
    }
    assert!(story.partition.is_out_of_turn(Origin::Relay { source, number: 3 }), "ahead of its predecessor");
}
