//! Measures, added up.

use domain::Millis;
use serde::{Deserialize, Serialize};

use super::measure::{Measure, Promise};

/// Counters that are added up field by field.
macro_rules! tally {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl std::ops::AddAssign<&$name> for $name {
            fn add_assign(&mut self, other: &$name) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
            }
        }
    };
}

tally! {
    /// What was measured at a queue.
    QueueTally {
        came: u32,
        answered: u32,
        /// Waits that were held against the queue's promise.
        judged: u32,
        /// Of those, the answered in time.
        in_time: u32,
        abandoned: u32,
        went_on: u32,
        transferred: u32,
        declined: u32,
        expired: u32,
        /// How long the answered had waited, in all, in milliseconds.
        waited: u64,
        /// Conversations in which an agent wrote for the first time.
        replied: u32,
        /// How long after the customer had begun to wait, in all, in milliseconds.
        replied_after: u64,
        handled: u32,
        /// How long agents had them, in all, in milliseconds.
        handling: u64,
    }
}

tally! {
    /// What was measured of an agent.
    AgentTally {
        answered: u32,
        transferred: u32,
        declined: u32,
        expired: u32,
        handled: u32,
        /// How long the agent had them, in all, in milliseconds.
        handling: u64,
        /// In milliseconds.
        available: u64,
        /// Of that, holding a conversation or finishing one.
        busy: u64,
    }
}

impl QueueTally {
    /// Those answered in time, of all who were answered or waited too long; `late`: so many more wait too long now. Who
    /// gave up earlier, or went on earlier, counts neither way.
    pub fn service_level(&self, late: u32) -> Option<f64> {
        let judged = self.judged.saturating_add(late);
        (judged > 0).then(|| f64::from(self.in_time) / f64::from(judged))
    }

    /// The average speed of answer: how long the answered had waited.
    pub fn speed_of_answer(&self) -> Option<Millis> {
        mean(self.waited, self.answered)
    }

    /// How long it took on average until a person wrote.
    pub fn first_reply(&self) -> Option<Millis> {
        mean(self.replied_after, self.replied)
    }

    pub fn handling_time(&self) -> Option<Millis> {
        mean(self.handling, self.handled)
    }

    pub fn note(&mut self, measure: &Measure) {
        match measure {
            Measure::Came { .. } => self.came += 1,
            Measure::Answered { waited, promise, .. } => {
                self.answered += 1;
                self.waited = self.waited.saturating_add(waited.0);
                self.judged += u32::from(*promise != Promise::None);
                self.in_time += u32::from(*promise == Promise::Kept);
            }
            Measure::Replied { after, .. } => {
                self.replied += 1;
                self.replied_after = self.replied_after.saturating_add(after.0);
            }
            Measure::Abandoned { promise, .. } => {
                self.abandoned += 1;
                self.judged += u32::from(*promise == Promise::Broken);
            }
            Measure::WentOn { promise, .. } => {
                self.went_on += 1;
                self.judged += u32::from(*promise == Promise::Broken);
            }
            Measure::Transferred { .. } => self.transferred += 1,
            Measure::Declined { .. } => self.declined += 1,
            Measure::Expired { .. } => self.expired += 1,
            Measure::Handled { took, .. } => {
                self.handled += 1;
                self.handling = self.handling.saturating_add(took.0);
            }
            Measure::Spent { .. } => {}
        }
    }
}

impl AgentTally {
    /// The share of available time that the agent held something.
    pub fn occupancy(&self) -> Option<f64> {
        (self.available > 0).then(|| self.busy as f64 / self.available as f64)
    }

    pub fn handling_time(&self) -> Option<Millis> {
        mean(self.handling, self.handled)
    }

    /// All but the time spent, which belongs to more than one moment: see [`AgentTally::spend`].
    pub fn note(&mut self, measure: &Measure) {
        match measure {
            Measure::Answered { .. } => self.answered += 1,
            Measure::Transferred { .. } => self.transferred += 1,
            Measure::Declined { .. } => self.declined += 1,
            Measure::Expired { .. } => self.expired += 1,
            Measure::Handled { took, .. } => {
                self.handled += 1;
                self.handling = self.handling.saturating_add(took.0);
            }
            Measure::Came { .. }
            | Measure::Replied { .. }
            | Measure::Abandoned { .. }
            | Measure::WentOn { .. }
            | Measure::Spent { .. } => {}
        }
    }

    /// The agent was available for so long.
    pub fn spend(&mut self, span: Millis, busy: bool) {
        self.available = self.available.saturating_add(span.0);
        if busy {
            self.busy = self.busy.saturating_add(span.0);
        }
    }
}

fn mean(sum: u64, count: u32) -> Option<Millis> {
    sum.checked_div(u64::from(count)).map(Millis)
}
