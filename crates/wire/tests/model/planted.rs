//! One thing broken at a time. Each must be found: a model that cannot fail proves nothing.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    properties::{
        BUILT_ON_TRUTH, LEADERS_KNOW, NEVER_STUCK, NO_HOLES, NOT_RASH, NOTHING_STALE, ONE_PLACE_ONE_DECISION,
        READERS_AGREE,
    },
    world::Protocol,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Planted {
    // In the rule.
    IgnoresFollows,
    AcceptsAnyEpoch,
    AcceptsAnySequence,
    // In what is stored.
    StoresOnlyThePosition,
    SnapshotsAhead,
    // In the leader.
    LeadsUnaccepted,
    KeepsTheStateFromBeforeItsAnnouncement,
    ActsBeforeTheReadBack,
    StaysWhenDeposed,
    NumbersAgainAfterDoubt,
    KeepsItsStateInDoubt,
}

impl Planted {
    /// In doubt, where one should do nothing more.
    pub(crate) fn goes_on(self) -> bool {
        matches!(self, Planted::NumbersAgainAfterDoubt | Planted::KeepsItsStateInDoubt)
    }
}

/// The planted mistake is found, as a violation of each of these properties.
fn breaks(planted: Planted, properties: &[&'static str]) {
    let protocol = Protocol { claims: 3, decisions: 2, in_flight: 2, copies: 1, planted: Some(planted) };
    let wanted = BTreeSet::from_iter(properties.iter().copied());
    let checker = protocol.checker().finish_when(HasDiscoveries::AllOf(wanted)).spawn_bfs().join();
    for property in properties {
        let story = checker.assert_any_discovery(property).into_actions();
        eprintln!("{planted:?}: not so that {property}:");
        story.iter().for_each(|action| eprintln!("    {action:?}"));
    }
    eprintln!("found within {} states", checker.unique_state_count());
}

#[test]
fn a_rule_that_ignores_what_an_announcement_follows() {
    breaks(Planted::IgnoresFollows, &[ONE_PLACE_ONE_DECISION, NOTHING_STALE]);
}

#[test]
fn a_rule_that_accepts_any_epoch() {
    breaks(Planted::AcceptsAnyEpoch, &[NOTHING_STALE, BUILT_ON_TRUTH]);
}

#[test]
fn a_rule_that_accepts_any_sequence() {
    breaks(Planted::AcceptsAnySequence, &[NO_HOLES, ONE_PLACE_ONE_DECISION, BUILT_ON_TRUTH]);
}

#[test]
fn a_reader_that_starts_at_a_bare_position() {
    breaks(Planted::StoresOnlyThePosition, &[READERS_AGREE, LEADERS_KNOW, NEVER_STUCK]);
}

#[test]
fn a_snapshot_taken_with_decisions_in_flight() {
    breaks(Planted::SnapshotsAhead, &[LEADERS_KNOW, BUILT_ON_TRUTH]);
}

#[test]
fn a_leader_that_does_not_ask_whether_it_was_accepted() {
    breaks(Planted::LeadsUnaccepted, &[NOT_RASH]);
}

#[test]
fn a_leader_that_does_not_fold_to_its_announcement() {
    breaks(Planted::KeepsTheStateFromBeforeItsAnnouncement, &[LEADERS_KNOW, BUILT_ON_TRUTH]);
}

#[test]
fn a_leader_that_acts_before_the_read_back() {
    breaks(Planted::ActsBeforeTheReadBack, &[NOT_RASH]);
}

#[test]
fn a_leader_that_stays_when_it_is_deposed() {
    breaks(Planted::StaysWhenDeposed, &[NOT_RASH]);
}

#[test]
fn a_leader_that_gives_a_number_again_after_an_unknown_outcome() {
    breaks(Planted::NumbersAgainAfterDoubt, &[NOT_RASH, BUILT_ON_TRUTH]);
}

#[test]
fn a_leader_that_keeps_its_state_after_an_unknown_outcome() {
    breaks(Planted::KeepsItsStateInDoubt, &[BUILT_ON_TRUTH]);
}
