//! Those whom the workers' effects reach: a bot that is asked, and a provider that carries messages out.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use domain::{
    ConversationId, MessageId, Millis, Partition, Party, Timestamp,
    conversation::{self, What},
    delivery::{self, Event, Outcome},
};
use runtime::Effects;

use super::{action::Tells, door::Watch, oracle::Invariant};

/// Is asked. What it says, and when, is for the plan.
pub(crate) struct Bot(pub(crate) Arc<Watch>);

impl Effects<conversation::Decider> for Bot {
    fn perform(&self, _: &Partition<conversation::Decider>, _: Timestamp, event: &conversation::Event) {
        if let What::TurnAsked { turn, .. } = event.what {
            self.0.oracle.lock().unwrap().asks(turn);
        }
    }
}

/// Takes messages and remembers them, whichever worker they came from.
pub(crate) struct Provider {
    pub(crate) watch: Arc<Watch>,
    pub(crate) book: Arc<Mutex<Outgoing>>,
}

#[derive(Default)]
pub(crate) struct Outgoing {
    /// Attempts and questions that wait for a word from us.
    open: Vec<Open>,
    made: HashSet<(MessageId, u32)>,
    /// What was taken, and whether taking it again would reach the customer only once.
    taken: HashMap<MessageId, bool>,
    party: HashMap<MessageId, Party>,
}

#[derive(Clone, Copy)]
struct Open {
    message: MessageId,
    attempt: u32,
    /// Not an attempt: the sender asks what became of it.
    asked: bool,
}

impl Effects<delivery::Decider> for Provider {
    fn perform(&self, partition: &Partition<delivery::Decider>, _: Timestamp, event: &Event) {
        let (message, attempt, asked) = match event {
            Event::Queued { conversation: ConversationId { party, .. }, message, .. } => {
                self.book.lock().unwrap().party.insert(*message, *party);
                return;
            }
            Event::SendStarted { message, attempt } => (*message, *attempt, false),
            Event::OutcomeLost { message, attempt } => (*message, *attempt, true),
            _ => return,
        };
        let mut oracle = self.watch.oracle.lock().unwrap();
        oracle.attempts(message, attempt);
        let mut book = self.book.lock().unwrap();
        if let Some(delivery) = partition.state().get(message) {
            book.party.insert(message, delivery.conversation.party);
        }
        oracle.require(
            asked || book.made.insert((message, attempt)),
            Invariant::EffectsAfterTheReadBack,
            format_args!("attempt {attempt} of message {message} is made a second time"),
        );
        book.open.push(Open { message, attempt, asked });
    }
}

impl Outgoing {
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// The word about one of the open attempts: to be reported, with the party it is about.
    pub(crate) fn tell(
        &mut self,
        which: u32,
        tells: Tells,
        watch: &Watch,
    ) -> Option<(Party, delivery::Command)> {
        let at = (which as usize).checked_rem(self.open.len())?;
        let Open { message, attempt, asked } = self.open.remove(at);
        let party = *self.party.get(&message)?;
        let outcome = if asked { self.look_up(message, attempt) } else { self.send(message, tells, watch) };
        Some((party, delivery::Command::Report { message, attempt, outcome }))
    }

    fn send(&mut self, message: MessageId, tells: Tells, watch: &Watch) -> Outcome {
        let (code, reason): (Arc<str>, Arc<str>) = ("told".into(), "so it was planned".into());
        let deduplicates = deduplicates(message);
        let takes = matches!(tells, Tells::Taken | Tells::Nothing { taken: true });
        if takes {
            let harmless = self.taken.insert(message, deduplicates).is_none_or(|deduplicates| deduplicates);
            watch.oracle.lock().unwrap().require(
                harmless,
                Invariant::EffectsAfterTheReadBack,
                format_args!("message {message} reaches the customer twice"),
            );
        }
        match tells {
            Tells::Taken => Outcome::Sent { provider_id: message.to_string().into() },
            Tells::Later => Outcome::Retry { code, reason, after: None },
            Tells::Refused => Outcome::Refused { code, reason, dead: false },
            Tells::Nothing { .. } => Outcome::Unknown { reason, resend: deduplicates },
        }
    }

    fn look_up(&self, message: MessageId, attempt: u32) -> Outcome {
        let reason: Arc<str> = "asked".into();
        let deduplicates = deduplicates(message);
        if self.taken.contains_key(&message) {
            Outcome::Sent { provider_id: message.to_string().into() }
        } else if deduplicates && !self.made.contains(&(message, attempt)) {
            Outcome::Retry { code: "not_sent".into(), reason, after: Some(Millis(0)) }
        } else {
            // It came to us and may still be taken; or it comes yet, from a leader that is blind. Who would take it
            // twice cannot promise that it was never sent.
            Outcome::Unknown { reason, resend: deduplicates }
        }
    }
}

/// Whether the same message taken twice reaches the customer once. Some providers are so, some are not.
fn deduplicates(message: MessageId) -> bool {
    message.0[4].is_multiple_of(2)
}
