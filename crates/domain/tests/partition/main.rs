//! What every partition promises, whatever its aggregate.

mod notes;

use bytes::Bytes;
use domain::{
    Answer, Batch, Cause, Code, ContentHash, FactId, Intake, Kind, Millis, Origin, Question, Recorded, Step,
    Taken, Timestamp,
};
use proptest::prelude::*;

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
fn relays_are_numbered_densely_for_each_target() {
    let mut story = Story::new();
    let tell = |targets: &[u8]| Command::Tell(targets.iter().map(|partition| party_at(*partition)).collect());
    let numbers = |step: Step<Notes>| -> Vec<(u32, u64)> {
        step.events.iter().filter_map(|recorded| recorded.relay).map(|(to, n)| (to.partition, n)).collect()
    };
    // Partition 5 of 4 is partition 1.
    let first = story.step(&fact(1, tell(&[1, 2, 1, 5])));
    assert_eq!(numbers(first), [(1, 1), (2, 1), (1, 2), (1, 3)]);
    assert_eq!(numbers(story.step(&fact(2, Command::Note(1)))), []);
    let second = story.step(&fact(3, tell(&[3, 2, 1])));
    assert_eq!(numbers(second), [(3, 1), (2, 2), (1, 4)]);

    assert_eq!(story.unapplied(at_conversations(1)), [1, 2, 3, 4]);
    assert_eq!(story.unapplied(at_conversations(2)), [1, 2]);
    let (_, outbox) = story.partition.outboxes().next().unwrap();
    let relays: Vec<_> = outbox.unapplied().map(|(_, relay)| relay.clone()).collect();
    assert_eq!(relays, [1, 1, 5, 1].map(|partition| word_to(party_at(partition))));
}

#[test]
fn confirmation_is_cumulative_and_numbers_go_on() {
    let mut story = Story::new();
    let by = at_conversations(1);
    assert_eq!(story.take(&Intake::Applied { by, through: 1 }), Taken::Again, "nothing was sent yet");
    story.step(&fact(1, Command::Tell(vec![party_at(1); 5])));

    story.step(&Intake::Applied { by, through: 3 });
    assert_eq!(story.unapplied(by), [4, 5]);
    assert_eq!(story.take(&Intake::Applied { by, through: 3 }), Taken::Again);
    assert_eq!(story.take(&Intake::Applied { by, through: 2 }), Taken::Again);
    assert_eq!(story.take(&Intake::Applied { by: at_conversations(2), through: 9 }), Taken::Again);

    story.step(&Intake::Applied { by, through: 5 });
    assert_eq!(story.unapplied(by), []);
    story.step(&fact(2, Command::Tell(vec![party_at(1)])));
    assert_eq!(story.unapplied(by), [6]);
}

#[test]
fn of_each_source_exactly_the_next_relay_is_applied() {
    let mut story = Story::new();
    let (one, other) = (at_conversations(1), peer(Kind::Delivery, 1));
    assert_eq!(story.take(&relayed(one, 2, Command::Note(12))), Taken::Early);
    story.step(&relayed(one, 1, Command::Note(11)));
    assert_eq!(story.take(&relayed(one, 1, Command::Note(11))), Taken::Again);
    assert_eq!(story.take(&relayed(one, 3, Command::Note(13))), Taken::Early);
    story.step(&relayed(other, 1, Command::Note(21)));
    story.step(&relayed(one, 2, Command::Tell(vec![])));
    assert_eq!(
        story.take(&relayed(one, 2, Command::Note(12))),
        Taken::Again,
        "one without events was applied too"
    );
    assert_eq!((story.partition.applied(one), story.partition.applied(other)), (2, 1));
    assert_eq!(story.partition.applied(peer(Kind::Contact, 0)), 0);
    assert_eq!(story.notes(), [11, 21]);
}

proptest! {
    /// However often and in whatever order relays arrive, each is applied once and in order.
    #[test]
    fn relays_are_applied_once_and_in_order(arrivals in prop::collection::vec((0..3u32, 1..12u64), 0..200)) {
        let mut story = Story::new();
        for (source, number) in arrivals {
            let note = u32::try_from(number).unwrap();
            story.take(&relayed(at_conversations(source), number, Command::Note(source * 100 + note)));
        }
        for source in 0..3 {
            let of_source = story.notes().iter().filter(|note| **note / 100 == source);
            let applied: Vec<u32> = of_source.map(|note| note % 100).collect();
            prop_assert_eq!(&applied, &(1..=u32::try_from(applied.len()).unwrap()).collect::<Vec<_>>());
            prop_assert_eq!(story.partition.applied(at_conversations(source)), applied.len() as u64);
        }
    }
}

#[test]
fn a_timer_fires_once_when_it_is_due() {
    let mut story = Story::new();
    let due = story.now + Millis(10);
    story.step(&fact(1, Command::Remind { timer: 5, due }));
    assert_eq!(story.partition.next_due(), Some(due));
    story.pass(Millis(9));
    assert_eq!(story.fire(), None);
    story.pass(Millis(1));
    assert!(matches!(story.fire().unwrap().cause, Cause::Timer(timer) if timer.id == 5 && timer.due == due));
    assert_eq!(story.fire(), None);
    assert_eq!(story.partition.next_due(), None);
    assert_eq!(story.notes(), [5]);
}

#[test]
fn a_timer_set_again_fires_at_its_new_time_only() {
    let mut story = Story::new();
    let (soon, later) = (story.now + Millis(10), story.now + Millis(20));
    story.step(&fact(1, Command::Remind { timer: 5, due: soon }));
    let old = story.partition.fire(soon).unwrap();
    story.step(&fact(2, Command::Remind { timer: 5, due: later }));
    story.now = soon;
    assert_eq!(story.fire(), None);

    // The firing of the earlier setting, however late it is read, does not use up the later one.
    story.fold(&old);
    story.now = later;
    assert!(story.fire().is_some());
    assert_eq!(story.fire(), None);
}

#[test]
fn timers_fire_in_the_order_of_their_times_and_may_set_themselves_again() {
    let mut story = Story::new();
    for (timer, after) in [(0, 20), (7, 30), (8, 10)] {
        let due = story.now + Millis(after);
        story.step(&fact(timer, Command::Remind { timer, due }));
    }
    story.pass(Millis(100));
    while story.fire().is_some() {}
    assert_eq!(story.notes(), [8, 0, 7]);

    story.pass(Millis::seconds(1));
    while story.fire().is_some() {}
    assert_eq!(story.notes(), [8, 0, 7, 0]);
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
