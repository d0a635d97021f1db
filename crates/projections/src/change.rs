//! What of the log becomes rows: each aggregate's events that matter here, and everything that was set aside.

use std::ops::RangeInclusive;

use domain::{
    Cause, Intake, Origin, Peer, SetAside, Step, TenantId, Timestamp, contact, conversation, delivery, desk,
    workspace,
};
use wire::{Codec, Decision, Point};

use crate::Error;

/// What one partition's accepted decisions change, and the stretch of its log that says so.
pub(crate) struct Batch {
    pub(crate) peer: Peer,
    /// Where the stretch begins: the rows must end here.
    pub(crate) from: u64,
    /// Where it ends, and the next one begins.
    pub(crate) point: Point,
    pub(crate) changes: Vec<Change>,
}

pub(crate) struct Change {
    pub(crate) place: Place,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

pub(crate) enum What {
    Conversation(Box<conversation::Event>),
    Contact(contact::Event),
    SetAside { tenant: Option<TenantId>, input: SetAside },
}

/// Where in its partition's log something stands: the decision, and the number in it, counting events and inputs
/// set aside.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) peer: Peer,
    pub(crate) position: u64,
    pub(crate) index: u32,
}

impl Place {
    /// Of the 63 bits of a row's id, from the top: 1,024 partitions, 2^38 positions in each, 32,768 events in a
    /// decision (of 512 KiB).
    const PARTITIONS: RangeInclusive<u32> = 0..=(1 << 10) - 1;
    const POSITIONS: RangeInclusive<u64> = 0..=(1 << 38) - 1;
    const INDEXES: RangeInclusive<u32> = 0..=(1 << 15) - 1;

    /// The place as one number, ascending as the partition's log does. Unlike a count of rows it is the same after
    /// every rebuild, in whatever order the partitions are read.
    pub(crate) fn entry(self) -> Result<i64, Error> {
        let Place { peer, position, index } = self;
        if Place::PARTITIONS.contains(&peer.partition)
            && Place::POSITIONS.contains(&position)
            && Place::INDEXES.contains(&index)
        {
            Ok(i64::from(peer.partition) << 53 | (position as i64) << 15 | i64::from(index))
        } else {
            Err(Error::TooFar { peer, position, index })
        }
    }
}

/// An aggregate that is read here.
pub(crate) trait Source: Codec {
    /// What the event changes here, if anything.
    fn change(event: Self::Event) -> Option<What>;
}

impl Source for conversation::Decider {
    fn change(event: conversation::Event) -> Option<What> {
        use conversation::What::*;
        match event.what {
            // These are inner workings; what comes of them are other events.
            Redirected { .. }
            | ReceiptKept { .. }
            | Retired { .. }
            | Returned { .. }
            | TagsNoted { .. }
            | TokenShown { .. }
            | OthersNoted { .. }
            | AddressTold { .. }
            | AddressNoted { .. }
            | MarkedSpecial { .. }
            | ConsultAsked { .. }
            | ConsultFailed { .. }
            | JoinAsked { .. }
            | PartAsked { .. }
            | NotTaken { .. }
            | JoinRefused { .. }
            | TurnAsked { .. }
            | TurnAnswered { .. }
            | AwayAsked { .. }
            | WindowOpened { .. }
            | ReplyHeld { .. }
            | AssignmentRefused { .. }
            | Released { .. }
            | Withdrawn { .. } => None,
            CustomerSeen { .. }
            | Opened { .. }
            | Reopened { .. }
            | MessageReceived { .. }
            | Noted { .. }
            | AnsweredElsewhere { .. }
            | ThreadHeld { .. }
            | KnownAs { .. }
            | ReceiptNoted { .. }
            | UnreadableKept { .. }
            | OptedOut { .. }
            | OptedIn { .. }
            | Suppressed { .. }
            | SuppressionLifted { .. }
            | Entered { .. }
            | Tied { .. }
            | NotTied { .. }
            | BotEngaged { .. }
            | BotReplied { .. }
            | AwaySaid { .. }
            | AgentWanted { .. }
            | Assigned { .. }
            | Transferred { .. }
            | Reassigned { .. }
            | ConsultBegan { .. }
            | ConsultEnded { .. }
            | Remarked { .. }
            | Snoozed { .. }
            | Split { .. }
            | Joined { .. }
            | AddressJoined { .. }
            | AddressParted { .. }
            | TakenIn { .. }
            | TakenOut { .. }
            | Replied { .. }
            | HeldSent { .. }
            | DeliveryNoted { .. }
            | Closed { .. } => Some(What::Conversation(Box::new(event))),
        }
    }
}

impl Source for contact::Decider {
    fn change(event: contact::Event) -> Option<What> {
        // For the conversations, not for readers, who have the tags and the addresses themselves, and the conversations'
        // word of tokens.
        use contact::Event::{OthersTold, TagsTold, TokenTaken};
        let told = matches!(event, TagsTold { .. } | OthersTold { .. } | TokenTaken { .. });
        (!told).then(|| What::Contact(event))
    }
}

/// Of these only what they set aside is kept: the conversations' events tell the customer's story.
macro_rules! only_set_aside {
    ($($aggregate:ident),*) => {$(
        impl Source for $aggregate::Decider {
            fn change(_: $aggregate::Event) -> Option<What> {
                None
            }
        }
    )*};
}

only_set_aside!(desk, delivery, workspace);

/// Adds what the decision at `position` changes.
pub(crate) fn collect<A: Source>(
    decision: Decision<A>,
    position: u64,
    partition: u32,
    changes: &mut Vec<Change>,
) {
    let at = decision.decided_at;
    let mut place = Place { peer: Peer { kind: A::KIND, partition }, position, index: 0 };
    let mut add = |what: Option<What>| {
        changes.extend(what.map(|what| Change { place, at, what }));
        place.index = place.index.saturating_add(1);
    };
    for Step { cause, events, set_aside, .. } in decision.steps {
        events.into_iter().for_each(|recorded| add(A::change(recorded.event)));
        if let Some(input) = set_aside {
            let tenant = match &cause {
                Cause::PolicyInForce(policy) => Some(policy.tenant.clone()),
                _ => tenant::<A>(&input),
            };
            add(Some(What::SetAside { tenant, input }));
        }
    }
}

/// Whose input it was, if it can be read that far; in place of a timer its command was kept. A relay speaks for an aggregate, not for a tenant.
fn tenant<A: Source>(input: &SetAside) -> Option<TenantId> {
    match wire::decode_intake::<A>(&input.bytes) {
        Ok(Intake::Input { origin: Origin::Relay { .. }, .. } | Intake::Applied { .. }) | Err(_) => None,
        Ok(Intake::Input { tenant, .. }) => Some(tenant),
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    fn entry(partition: u32, position: u64, index: u32) -> Result<i64, Error> {
        Place { peer: Peer { kind: Kind::Conversation, partition }, position, index }.entry()
    }

    #[test]
    fn ids_ascend_with_the_log_and_end_before_they_could_meet() {
        let last = [(1 << 10) - 1, (1 << 38) - 1, (1 << 15) - 1];
        let places = [
            (0, 0, 0),
            (0, 0, last[2] as u32),
            (0, 1, 0),
            (0, last[1], last[2] as u32),
            (1, 0, 0),
            (last[0] as u32, last[1], last[2] as u32),
        ];
        let ids: Vec<_> = places.map(|(p, position, index)| entry(p, position, index).unwrap()).into();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert_eq!(ids.last(), Some(&i64::MAX));
        for (partition, position, index) in [(1 << 10, 0, 0), (0, 1 << 38, 0), (0, 0, 1 << 15)] {
            assert!(matches!(entry(partition, position, index), Err(Error::TooFar { .. })));
        }
    }
}
