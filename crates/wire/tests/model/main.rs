//! A model check of the announcement protocol: every order of events within bounds, not some of them.
//!
//! ```text
//!   claims ──announce, decide──▶ air ──land, land twice, never──▶ log ──the real rule──▶ readers, claims
//! ```
//!
//! Each announcement is a *claim*: one life of one worker, from its fold to its end. All claims may live at once, each
//! believing what it likes, so the model needs no processes: a zombie is a claim that was not told. What is appended
//! goes into the *air*. From there it lands at any time and in any order, perhaps twice, perhaps never: more than a log
//! may do to a leader (see `log::Log`). Nothing makes a claim take its next step, and one that takes none is a crash, a
//! failed append, a lost or late acknowledgement: after each of these a worker forgets all, and begins another claim.
//!
//! Which records count is asked of [`wire::Reader`], over encoded records. The leaders follow `runtime`'s worker.
//! What must hold is said in `properties.rs` without either of them; `planted.rs` breaks one thing at a time and
//! expects that to show.

mod claim;
mod planted;
mod properties;
mod rule;
mod world;

use stateright::{Checker, HasDiscoveries, Model};

use crate::world::Protocol;

/// Explores all that may happen within the bounds, and prints how much that was.
fn holds(protocol: Protocol) {
    let checker = protocol.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    eprintln!(
        "{:?}: {} states, {} transitions, {} steps deep",
        checker.model(),
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

#[test]
fn two_leaders_with_long_pipelines() {
    holds(Protocol { claims: 2, decisions: 3, in_flight: 3, copies: 0, planted: None });
}

#[test]
fn two_leaders_and_a_copy_of_anything() {
    holds(Protocol { claims: 2, decisions: 2, in_flight: 2, copies: 1, planted: None });
}

#[test]
fn three_leaders_and_a_copy_of_anything() {
    holds(Protocol { claims: 3, decisions: 1, in_flight: 1, copies: 1, planted: None });
}

#[test]
fn four_leaders() {
    holds(Protocol { claims: 4, decisions: 1, in_flight: 1, copies: 0, planted: None });
}
