//! What every partition promises, whatever its aggregate.

mod notes;
mod relays;
mod set_aside;
mod timers;

use domain::{
    Answer, Batch, Cause, Code, ContentHash, FactId, Intake, Millis, Origin, Question, Recorded, Taken,
    Timestamp,
};

use notes::*;

#[test]
fn the_same_fact_twice_is_one() {
    let mut story = Story::new();
    let step = story.step(&fact(1, Command::Note(1)));
    assert_eq!(step.events, [Recorded { event: Event::Noted(1), relay: None }]);
    assert_eq!(step.answers, [], "nobody waits for a fact's answer");
    assert_eq!(story.take(&fact(1, Command::Note(1))), Taken::Again);
    story.step(&fact(2, Command::Tell(vec![])));
    assert_eq!(story.take(&fact(2, Command::Note(1))), Taken::Again, "a fact without events was taken too");
    assert_eq!(story.notes(), [1]);
}

#[test]
fn asking_changes_nothing() {
    let mut story = Story::new();
    story.step(&fact(1, Command::Remind { timer: 1, due: story.now }));
    let before = story.partition.clone();
    story.partition.take(story.now, &fact(2, Command::Note(1)));
    story.partition.fire(story.now).unwrap();
    story.partition.adopt(story.now, policy(1)).unwrap();
    assert_eq!(story.partition, before);
}

#[test]
fn facts_that_make_room_for_newer_ones_are_handed_over() {
    let mut story = Story::new();
    let (mut left, mut lasting): (Vec<Batch>, Vec<Batch>) = (Vec::new(), Vec::new());
    const MANY: u128 = 40_000;
    for n in 0..MANY {
        // Of every fourth a redelivery is recognized for ever.
        let note = if n % 4 == 0 { LASTING } else { 1 };
        story.pass(Millis(1));
        story.step(&input(Origin::Fact(wide_fact(n)), Command::Note(note)));
        let departed = story.partition.take_departed();
        assert_eq!(departed.parties, []);
        left.extend(departed.facts);
        lasting.extend(departed.lasting_facts);
    }
    assert!(left.len() > 1 && !lasting.is_empty(), "{} and {}", left.len(), lasting.len());
    let mut in_memory = 0;
    for n in 0..MANY {
        let id = wide_fact(n);
        let again = input(Origin::Fact(id), Command::Note(1));
        let departed = [&left, &lasting].map(|batches| batches.iter().any(|batch| batch.contains(&id)));
        match story.partition.take(story.now, &again) {
            Taken::Again => {
                in_memory += 1;
                assert_eq!(departed, [false, false], "{n} is here and there");
                assert_eq!(story.partition.question(&again).fact, None, "{n} is known");
            }
            Taken::Step(_) => {
                assert_eq!(departed, [n % 4 != 0, n % 4 == 0], "{n} is nowhere, or on the wrong side");
                assert_eq!(story.partition.question(&again).fact, Some(id));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(in_memory < MANY as usize / 2, "most have left: {in_memory}");
    let mut last = Timestamp(0);
    for Batch { newest, ids } in left {
        assert!(ids.is_sorted() && newest > last, "batches leave oldest first");
        last = newest;
    }
}

#[test]
fn what_leaves_stays_at_hand_until_it_is_taken() {
    let mut story = Story::new();
    for n in 0..20_000 {
        story.step(&input(Origin::Fact(wide_fact(n)), Command::Note(1)));
    }
    for n in 0..20_000 {
        assert_eq!(story.take(&input(Origin::Fact(wide_fact(n)), Command::Note(1))), Taken::Again);
    }
    let departed = story.partition.take_departed();
    assert!(departed.has_fact(&wide_fact(0)) && !departed.has_fact(&wide_fact(19_999)));
    assert!(story.partition.take_departed().is_empty());
    let first = input(Origin::Fact(wide_fact(0)), Command::Note(1));
    assert_eq!(story.partition.question(&first).fact, Some(wide_fact(0)));
}

#[test]
fn nothing_is_asked_about_an_input_out_of_turn() {
    let mut story = Story::new();
    let source = at_conversations(1);
    for intake in
        [fact(1, Command::Note(1)), asked(1, 1, Command::Note(1)), relayed(source, 1, Command::Note(1))]
    {
        story.step(&intake);
        assert_eq!(story.partition.question(&intake), Question::default());
    }
    assert_eq!(story.partition.question(&relayed(source, 3, Command::Note(1))), Question::default());
    assert_eq!(story.partition.question(&fact(2, Command::Note(1))).fact, Some(FactId([2; 16])));
}

#[test]
fn a_repeated_command_gets_the_same_answer_and_changes_nothing() {
    let mut story = Story::new();
    assert_eq!(story.ask(1, 1, Command::Note(1)), [answer(1, 1, Ok(()))]);
    assert_eq!(story.ask(2, 2, Command::Refuse), [answer(2, 2, Err(refusal()))]);
    for _ in 0..2 {
        assert_eq!(story.ask(1, 1, Command::Note(1)), [answer(1, 1, Ok(()))]);
        assert_eq!(story.ask(2, 2, Command::Note(1)), [answer(2, 2, Err(refusal()))]);
    }
    assert_eq!(story.notes(), [1]);
}

#[test]
fn a_command_id_with_another_content_is_a_conflict() {
    let mut story = Story::new();
    story.ask(1, 1, Command::Note(1));
    let [Answer { command, content, result: Err(rejection) }] = &story.ask(1, 2, Command::Note(2))[..] else {
        panic!("the second content was accepted");
    };
    assert_eq!((*command, *content), (command_id(1), ContentHash([2; 16])));
    assert_eq!(rejection.code, Code::Conflict);
    assert_eq!(story.ask(1, 1, Command::Note(1)), [answer(1, 1, Ok(()))], "the first one's answer stays");
    assert_eq!(story.notes(), [1]);
}

#[test]
fn answers_are_remembered_for_six_hours() {
    let mut story = Story::new();
    story.ask(1, 1, Command::Note(1));
    story.pass(Millis::hours(6));
    story.ask(1, 1, Command::Note(1));
    assert_eq!(story.notes(), [1]);

    // Asking again does not make it any younger.
    story.pass(Millis(1));
    story.ask(2, 2, Command::Note(2));
    story.ask(1, 1, Command::Note(1));
    assert_eq!(story.notes(), [1, 2, 1]);
}

#[test]
fn a_repetition_that_waited_until_its_answer_was_forgotten_changes_nothing() {
    let mut story = Story::new();
    story.ask(1, 1, Command::Note(1));
    let mut repeated = asked(1, 1, Command::Note(1));
    let Intake::Input { at, .. } = &mut repeated else { unreachable!() };
    *at = story.now;
    story.pass(Millis(Millis::hours(6).0 + 1));
    story.ask(2, 2, Command::Note(2));
    let [Answer { result: Err(rejection), .. }] = &story.step(&repeated).answers[..] else {
        panic!("it was carried out again");
    };
    assert_eq!(rejection.code, Code::Stale);
    assert_eq!(story.notes(), [1, 2]);
}

#[test]
fn a_pending_command_is_answered_once_it_is_settled() {
    for result in [Ok(()), Err(refusal())] {
        let mut story = Story::new();
        assert_eq!(story.ask(1, 7, Command::Ask), []);
        assert_eq!(story.partition.pending(), [command_id(1)].into());
        assert_eq!(story.take(&asked(1, 7, Command::Ask)), Taken::Pending);

        let settle =
            |source| relayed(at_conversations(source), 1, Command::Settle(command_id(1), result.clone()));
        assert_eq!(story.step(&settle(0)).answers, [answer(1, 7, result.clone())]);
        assert_eq!(story.partition.pending(), [].into());
        assert_eq!(story.step(&settle(1)).answers, [], "it is settled once");
        assert_eq!(story.ask(1, 7, Command::Ask), [answer(1, 7, result.clone())]);
    }
}

#[test]
fn a_newer_policy_is_adopted_and_decided_under() {
    let mut story = Story::new();
    let step = story.partition.adopt(story.now, policy(2)).unwrap();
    story.fold(&step);
    assert_eq!(story.notes(), [2], "the decision saw the policy that caused it");
    assert_eq!(story.partition.policies().version(&"acme".parse().unwrap()), 2);
    for version in [1, 2] {
        assert_eq!(story.partition.adopt(story.now, policy(version)), None);
    }
    assert!(story.partition.adopt(story.now, policy(3)).is_some());
}

#[test]
fn recovery_is_a_step_only_if_something_follows() {
    let mut story = Story::new();
    assert_eq!(story.partition.recover(story.now), None);
    story.step(&fact(1, Command::Note(1)));
    let step = story.partition.recover(story.now).unwrap();
    assert_eq!((&step.cause, step.events.len()), (&Cause::Recovered, 1));
}

#[test]
fn decisions_never_go_back_in_time() {
    let mut story = Story::new();
    let late = story.now;
    story.step(&fact(1, Command::Note(1)));
    story.now = Timestamp(5);
    story.step(&fact(2, Command::Note(2)));
    assert_eq!(story.partition.decided_at(), late);
}

#[test]
fn a_conflict_leaves_the_pending_command_pending() {
    let mut story = Story::new();
    story.ask(1, 7, Command::Ask);
    let conflict = story.ask(1, 8, Command::Ask);
    assert!(
        matches!(&conflict[..], [Answer { result: Err(rejection), .. }] if rejection.code == Code::Conflict)
    );
    assert_eq!(story.take(&asked(1, 7, Command::Ask)), Taken::Pending);
    let settle = relayed(at_conversations(0), 1, Command::Settle(command_id(1), Ok(())));
    assert_eq!(story.step(&settle).answers, [answer(1, 7, Ok(()))]);
    assert_eq!(story.ask(1, 7, Command::Ask), [answer(1, 7, Ok(()))]);
}
