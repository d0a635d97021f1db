//! Stories that failed once, told action by action: they outlive changes of how a seed becomes a plan.

use log::memory::Fault;

use super::{
    action::{Action, BotSays, Planned, Tells},
    run::run,
};

/// Each action with its number, and whether the town comes to rest before the next. The story is still the same one if
/// this still comes of it.
fn holds<const N: usize>(seed: u64, told: [(u32, Action, bool); N], comes_of_it: &str) {
    let plan = told.map(|(number, action, rests)| Planned { number, action, rests });
    let outcome = run(seed, &plan, None);
    assert_eq!(outcome.violation, None, "after action {:?}", outcome.at);
    assert!(outcome.tally.happened.contains_key(comes_of_it), "{:?}", outcome.tally);
}

const REST: bool = true;
const AT_ONCE: bool = false;

#[test]
fn nobody_is_blamed_for_a_failed_append_that_he_cannot_have_heard_of() {
    holds(
        50_870,
        [
            (39, Action::Garbles { peer: 3 }, REST),
            (40, Action::Stalls { place: 12 }, REST),
            (116, Action::Breaks { place: 12, fault: Fault::Doubled }, REST),
            (229, Action::Applies { policy: 1 }, AT_ONCE),
            (275, Action::Breaks { place: 4, fault: Fault::AckLost }, REST),
        ],
        "records that count nowhere",
    );
}

#[test]
fn a_blind_leader_makes_an_attempt_that_its_successor_asked_about() {
    let how = BotSays::SomethingAndHandsOver;
    holds(
        305_287,
        [
            (64, Action::Writes { customer: 3 }, REST),
            (69, Action::BotAnswers { which: 55, how, as_command: true }, REST),
            (84, Action::ProviderTells { which: 228, outcome: Tells::Later }, REST),
            (85, Action::GoesBlind { peer: 3, rival: false }, AT_ONCE),
            (97, Action::Passes { millis: 47_000 }, AT_ONCE),
            (125, Action::Starts { peer: 3, rival: true }, REST),
            (149, Action::ProviderTells { which: 715, outcome: Tells::Taken }, REST),
        ],
        "outcomes lost with a worker",
    );
}
