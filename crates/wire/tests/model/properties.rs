//! What must hold in every state, said over the log and the claims alone, and what must come to pass in some.

use stateright::Property;

use crate::{
    claim::Claim,
    rule::{Decided, Record, Standing},
    world::{Landed, Protocol, World},
};

pub(crate) const ONE_PLACE_ONE_DECISION: &str = "no two records that count have the same place in history";
pub(crate) const NOTHING_STALE: &str = "no record of a stale epoch counts";
pub(crate) const NO_HOLES: &str = "nothing follows a lost record in its epoch";
pub(crate) const BUILT_ON_TRUTH: &str = "each decision that counts was made on exactly what counts before it";
pub(crate) const NOT_RASH: &str = "leaders act only on what was accepted";
pub(crate) const LEADERS_KNOW: &str = "claims and snapshots hold what the log accepted up to their point";
pub(crate) const READERS_AGREE: &str = "readers agree, whichever stored point they start from";
pub(crate) const NEVER_STUCK: &str = "whoever announces next and is not disturbed, rules and decides";

/// A closure per property; naming the model here spares each of them its types.
type Must = Property<Protocol>;

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Must::always(ONE_PLACE_ONE_DECISION, |_, world| one_place_one_decision(&world.log)),
        Must::always(NOTHING_STALE, |_, world| nothing_stale(&world.log)),
        Must::always(NO_HOLES, |_, world| no_holes(&world.log)),
        Must::always(BUILT_ON_TRUTH, |_, world| built_on_truth(&world.log)),
        Must::always(NOT_RASH, |_, world| world.rash.is_empty()),
        Must::always(LEADERS_KNOW, |protocol, world| leaders_know(world) && snapshots_know(protocol, world)),
        Must::always(READERS_AGREE, readers_agree),
        Must::always(NEVER_STUCK, never_stuck),
        // Without these the others would say little.
        Must::sometimes("two believe they lead", |_, world| {
            world.claims.iter().filter(|claim| matches!(claim, Claim::Leading(_))).count() >= 2
        }),
        Must::sometimes("a deposed leader's decision lands", |_, world| {
            decisions(&world.log, false).any(|it| world.log.iter().any(|landed| ruled(landed, it.epoch)))
                && world.truth().ruling() > Some(0)
        }),
        Must::sometimes("an announcement lands twice", |protocol, world| {
            protocol.copies == 0
                || (0..world.log.len()).any(|at| {
                    let again = world.log[at].record;
                    matches!(again, Record::Announce { .. })
                        && world.log[..at].iter().any(|landed| landed.record == again)
                })
        }),
        Must::sometimes("an announcement comes too late", |_, world| {
            world.log.iter().any(|landed| matches!(landed.record, Record::Announce { .. }) && !landed.counts)
        }),
        Must::sometimes("an epoch comes and goes without its leader ever knowing", |_, world| {
            (0..).zip(&world.claims).any(|(epoch, claim)| {
                matches!(claim, Claim::Announced(_))
                    && world.log.iter().any(|landed| ruled(landed, epoch))
                    && world.truth().ruling() != Some(epoch)
            })
        }),
        Must::sometimes("every epoch decides all it may, and all of it counts", |protocol, world| {
            u64::try_from(decisions(&world.log, true).count())
                == Ok(u64::from(protocol.claims) * protocol.decisions)
        }),
    ]
}

fn decisions(log: &[Landed], counting: bool) -> impl Iterator<Item = Decided> {
    log.iter().filter(move |landed| landed.counts == counting).filter_map(|landed| match landed.record {
        Record::Decision { it, .. } => Some(it),
        Record::Announce { .. } => None,
    })
}

fn ruled(landed: &Landed, by: u8) -> bool {
    landed.counts && matches!(landed.record, Record::Announce { epoch, .. } if epoch == by)
}

/// The place of a decision is its epoch and number, that of an announcement its epoch.
fn one_place_one_decision(log: &[Landed]) -> bool {
    let place = |landed: &Landed| match landed.record {
        Record::Announce { epoch, .. } => (epoch, 0),
        Record::Decision { it, .. } => (it.epoch, it.seq),
    };
    let counting: Vec<_> = log.iter().filter(|landed| landed.counts).map(place).collect();
    (1..counting.len()).all(|at| !counting[..at].contains(&counting[at]))
}

fn nothing_stale(log: &[Landed]) -> bool {
    let mut ruling = None;
    log.iter().filter(|landed| landed.counts).all(|landed| match landed.record {
        Record::Announce { epoch, follows } => ruling.replace(epoch) == follows,
        Record::Decision { it, .. } => ruling == Some(it.epoch),
    })
}

fn no_holes(log: &[Landed]) -> bool {
    decisions(log, true).enumerate().all(|(at, it)| {
        let before = decisions(log, true).take(at).filter(|earlier| earlier.epoch == it.epoch).count();
        usize::try_from(it.seq) == Ok(before + 1)
    })
}

fn built_on_truth(log: &[Landed]) -> bool {
    let mut last = None;
    log.iter().filter(|landed| landed.counts).all(|landed| match landed.record {
        Record::Announce { .. } => true,
        Record::Decision { it, on } => last.replace(it) == on,
    })
}

fn leaders_know(world: &World) -> bool {
    let claimed = world.claims.iter().filter_map(|claim| match claim {
        Claim::Announced(standing) => Some(*standing),
        Claim::Leading(leader) => Some(leader.standing),
        Claim::Over => None,
    });
    claimed.into_iter().all(|standing| is_true(world, standing))
}

fn snapshots_know(protocol: &Protocol, world: &World) -> bool {
    world.snapshots(protocol.planted).all(|(_, snapshot)| is_true(world, snapshot))
}

fn is_true(world: &World, standing: Standing) -> bool {
    usize::try_from(standing.point.position).is_ok_and(|at| world.truth_at(at) == Some(standing))
}

/// Whoever stored its point before the last record judges that record as a reader from the beginning does, and stands
/// where that one stands. That readers who started earlier agreed up to there, was checked when the log ended there.
fn readers_agree(protocol: &Protocol, world: &World) -> bool {
    let Some((last, before)) = world.log.split_last() else { return true };
    let mut reader = before.last().map(|landed| landed.behind).unwrap_or_default().stored(protocol.planted);
    reader.read(last.record, protocol.planted) == last.counts && reader == last.behind
}

/// The way out of every state: its steps are taken here and now, whatever is in the air.
fn never_stuck(protocol: &Protocol, world: &World) -> bool {
    let epoch = protocol.claims;
    let it = Decided { epoch, seq: 1, draft: 0 };
    let leads_from = |snapshot| {
        let mut next = world.fold(snapshot, protocol.planted);
        let announced = Record::Announce { epoch, follows: next.ruling() };
        let decided = Record::Decision { it, on: next.last };
        let mut log = world.truth();
        let mut accept = |record| next.read(record, protocol.planted) && log.read(record, protocol.planted);
        accept(announced) && accept(decided)
    };
    leads_from(world.truth()) && world.snapshots(protocol.planted).all(|(_, snapshot)| leads_from(snapshot))
}
