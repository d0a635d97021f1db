//! Relays: numbered as they leave, applied in order, kept until they are confirmed.

use domain::{Intake, Kind, Step, Taken};
use proptest::prelude::*;

use crate::notes::*;

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
    let relays: Vec<_> = outbox.relays().map(|(_, relay)| relay).collect();
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
