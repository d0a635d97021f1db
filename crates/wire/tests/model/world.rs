//! All that may happen: the log, what is on its way there, and everyone who claims to lead.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

use stateright::{Model, Property};

use crate::{
    claim::Claim,
    planted::Planted,
    properties,
    rule::{Decided, Record, Standing},
};

/// The protocol within bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// Announcements ever made, so also lives of workers, and one more than the crashes.
    pub(crate) claims: u8,
    /// By each leader.
    pub(crate) decisions: u64,
    /// Decisions of one leader not read back yet.
    pub(crate) in_flight: usize,
    /// Records that land once more than they were appended.
    pub(crate) copies: u8,
    pub(crate) planted: Option<Planted>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct World {
    pub(crate) log: Vec<Landed>,
    /// Appended, and not in the log, or not for the last time. Being lost is staying here.
    pub(crate) air: BTreeSet<Record>,
    /// By epoch.
    pub(crate) claims: Vec<Claim>,
    pub(crate) copies: u8,
    /// Performed while the log had not accepted it.
    pub(crate) rash: Vec<Decided>,
}

/// A record in the log, and what a reader from the beginning makes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Landed {
    pub(crate) record: Record,
    pub(crate) counts: bool,
    pub(crate) behind: Standing,
}

/// The rest follows from the records up to here.
impl Hash for Landed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.record.hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Someone folds the log, from its beginning or from this leader's snapshot, and announces the next epoch.
    Announce {
        snapshot_of: Option<u8>,
    },
    /// The announcement is acknowledged.
    Hear(u8),
    Decide(u8),
    ReadBack(u8),
    /// An unknown outcome, after which a planted leader goes on in its own way.
    GoOn(u8),
    Land(Record),
    LandACopy(Record),
}

impl World {
    /// The fold of the whole log, from the beginning.
    pub(crate) fn truth(&self) -> Standing {
        self.log.last().map(|landed| landed.behind).unwrap_or_default()
    }

    /// What leaders may leave behind, each at its place.
    pub(crate) fn snapshots(&self, planted: Option<Planted>) -> impl Iterator<Item = (u8, Standing)> {
        let leaders = self.claims.iter().filter_map(|claim| match claim {
            Claim::Leading(leader) => Some(leader),
            _ => None,
        });
        leaders.filter_map(move |leader| Some((leader.epoch, leader.snapshot(planted)?)))
    }

    /// Where a reader from the beginning stands before the record at this index.
    pub(crate) fn truth_at(&self, index: usize) -> Option<Standing> {
        match index.checked_sub(1) {
            None => Some(Standing::default()),
            Some(before) => self.log.get(before).map(|landed| landed.behind),
        }
    }

    /// Folds the rest of the log.
    pub(crate) fn fold(&self, mut from: Standing, planted: Option<Planted>) -> Standing {
        let read = usize::try_from(from.point.position).expect("a position within the model");
        for landed in &self.log[read..] {
            from.read(landed.record, planted);
        }
        from
    }

    fn land(&mut self, record: Record, planted: Option<Planted>) {
        let mut behind = self.truth();
        let counts = behind.read(record, planted);
        self.log.push(Landed { record, counts, behind });
        self.claims.iter_mut().for_each(|claim| claim.read_along(record, planted));
    }

    fn has(&self, epoch: u8) -> bool {
        self.log.iter().any(|it| matches!(it.record, Record::Announce { epoch: of, .. } if of == epoch))
    }

    fn announce(&mut self, standing: Standing) {
        let epoch = u8::try_from(self.claims.len()).expect("few claims");
        self.air.insert(Record::Announce { epoch, follows: standing.ruling() });
        self.claims.push(Claim::Announced(standing));
    }

    fn perform(&mut self, decisions: impl IntoIterator<Item = Decided>) {
        for decided in decisions {
            let is_it = |it: &Landed| matches!(it.record, Record::Decision { it, .. } if it == decided);
            if !self.log.iter().any(|it| it.counts && is_it(it)) {
                self.rash.push(decided);
            }
        }
    }
}

impl Protocol {
    fn actions_of(&self, world: &World, epoch: u8, claim: &Claim, actions: &mut Vec<Action>) {
        match claim {
            Claim::Announced(_) => {
                if world.has(epoch) {
                    actions.push(Action::Hear(epoch));
                }
            }
            Claim::Leading(leader) => {
                if leader.seq < self.decisions && leader.in_flight.len() < self.in_flight {
                    actions.push(Action::Decide(epoch));
                }
                if leader.standing.point.position < world.truth().point.position {
                    actions.push(Action::ReadBack(epoch));
                }
                if self.planted.is_some_and(Planted::goes_on) && !leader.in_flight.is_empty() {
                    actions.push(Action::GoOn(epoch));
                }
            }
            Claim::Over => {}
        }
    }

    fn go_on(&self, world: &mut World, epoch: u8) {
        let another = world.claims.len() < usize::from(self.claims);
        let Claim::Leading(leader) = &mut world.claims[usize::from(epoch)] else { return };
        if self.planted == Some(Planted::NumbersAgainAfterDoubt) {
            leader.take_back();
        } else if another {
            let last = leader.ahead();
            world.announce(Standing { last, ..world.truth() });
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World { copies: self.copies, ..World::default() }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.claims.len() < usize::from(self.claims) {
            let snapshots = world.snapshots(self.planted).map(|(of, _)| Some(of));
            actions.extend(
                [None].into_iter().chain(snapshots).map(|snapshot_of| Action::Announce { snapshot_of }),
            );
        }
        for (epoch, claim) in (0..).zip(&world.claims) {
            self.actions_of(world, epoch, claim, actions);
        }
        for record in &world.air {
            actions.push(Action::Land(*record));
            if world.copies > 0 {
                actions.push(Action::LandACopy(*record));
            }
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        let planted = self.planted;
        match action {
            Action::Announce { snapshot_of } => {
                let snapshot = last.snapshots(planted).find(|(of, _)| snapshot_of == Some(*of));
                let from = snapshot.map(|(_, standing)| standing).unwrap_or_default();
                world.announce(last.fold(from, planted));
            }
            Action::Hear(epoch) => world.claims[usize::from(epoch)].hear(epoch, planted),
            Action::Decide(epoch) => {
                if let Claim::Leading(leader) = &mut world.claims[usize::from(epoch)] {
                    let record = leader.decide();
                    world.air.insert(record);
                    if planted == Some(Planted::ActsBeforeTheReadBack) {
                        let it = leader.in_flight.back().copied();
                        world.perform(it);
                    }
                }
            }
            Action::ReadBack(epoch) => {
                let performed = world.claims[usize::from(epoch)].read_back(&last.log, planted);
                world.perform(performed);
            }
            Action::GoOn(epoch) => self.go_on(&mut world, epoch),
            Action::Land(record) => {
                world.air.remove(&record);
                world.land(record, planted);
            }
            Action::LandACopy(record) => {
                world.copies -= 1;
                world.land(record, planted);
            }
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
