//! What of a partition is in memory: facts make room for newer ones, who is quiet is retired, who is needed comes back.

use crate::{
    Aggregate, Cause, Departed, FactId, Intake, Millis, Origin, Question, Recorded, Step, Timestamp,
};

use super::Partition;

/// Parties retired in one step.
pub const MOST_RETIRED: usize = 256;

impl<A: Aggregate> Partition<A> {
    /// Whether memory knows the fact; if not, it may have known it once.
    pub(super) fn knows(&self, id: FactId) -> bool {
        // A decision may be long: what departs in it stays at hand until it is taken.
        self.facts.contains(&id) || self.lasting_facts.contains(&id) || self.departed.has_fact(&id)
    }

    /// What has to be asked of what departed before this input is taken. Whoever finds the fact there does not take
    /// the input; whoever finds the party there brings it back first.
    pub fn question(&self, intake: &Intake<A::Command>) -> Question {
        let Intake::Input { origin, command, .. } = intake else { return Question::default() };
        if self.is_out_of_turn(*origin) {
            return Question::default();
        }
        let fact = match origin {
            Origin::Fact(id) => Some(*id),
            _ => None,
        };
        Question { fact, party: A::unknown_party(&self.state, command) }
    }

    /// The step that brings a party back, by the event that was kept when it was retired.
    pub fn bring_back(&self, tombstone: A::Event) -> Step<A> {
        let mut step = Step::new(Cause::Memory);
        step.events.push(Recorded { event: tombstone, relay: None });
        step
    }

    /// The step that retires parties for whom nothing has been under way for this long; none if there are none. There
    /// may be more of them than fit in one step.
    pub fn retire(&self, now: Timestamp, quiet_for: Millis) -> Option<Step<A>> {
        let events = A::retire(&self.state, now, quiet_for, MOST_RETIRED);
        let mut step = Step::new(Cause::Memory);
        step.events = events.into_iter().map(|event| Recorded { event, relay: None }).collect();
        (!step.events.is_empty()).then_some(step)
    }

    /// What has left memory since this was asked last. Every fold of the same steps gives the same.
    pub fn take_departed(&mut self) -> Departed<A> {
        std::mem::take(&mut self.departed)
    }

    pub(super) fn remember(&mut self, fact: FactId, at: Timestamp, step: &Step<A>) {
        // What a fact leads to all happens in one inbox. Of what is set aside nobody can tell the inbox, and it is rare.
        let lasts = step.set_aside.is_some()
            || step.events.first().is_some_and(|recorded| A::lasts(&self.policies, &recorded.event));
        let (facts, departed) = match lasts {
            true => (&mut self.lasting_facts, &mut self.departed.lasting_facts),
            false => (&mut self.facts, &mut self.departed.facts),
        };
        departed.extend(facts.put(fact, at));
    }
}
