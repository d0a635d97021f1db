//! What one partition tells another: densely numbered as it leaves, applied as it was meant.

use std::collections::BTreeMap;

use domain::{
    ConversationId, Kind, MessageId, OfferId, Peer, Relay, Step, contact, conversation, delivery, desk,
};
use wire::Codec;

use super::{Found, Invariant};
use crate::town::TOPOLOGY;

/// Of each source to each target, in order from the first.
#[derive(Default)]
pub(crate) struct Relays(BTreeMap<(Peer, Peer), Vec<Relay>>);

/// What a relay is about, and what an event of its target is: the parts that can be compared.
#[derive(PartialEq, Debug)]
enum About {
    Conversation(ConversationId),
    Message(MessageId),
    Offer(OfferId),
}

impl Relays {
    pub(crate) fn sent(&self, source: Peer, target: Peer) -> u64 {
        self.0.get(&(source, target)).map_or(0, |relays| relays.len() as u64)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Peer, Peer, u64)> + use<'_> {
        self.0.iter().map(|((source, target), relays)| (*source, *target, relays.len() as u64))
    }

    /// A step of `source` stands in its log.
    pub(crate) fn leave<A: Codec>(&mut self, source: Peer, step: &Step<A>, found: &mut Found) {
        for recorded in &step.events {
            let meant = A::relay(&recorded.event).map(|(route, relay)| (TOPOLOGY.peer(&route), relay));
            let (Some((target, relay)), Some((to, number))) = (meant, recorded.relay) else { continue };
            let relays = self.0.entry((source, target)).or_default();
            found.require(
                to == target && number == relays.len() as u64 + 1,
                Invariant::InOrderWithoutGaps,
                format_args!("{source}: relay {number} to {to} is recorded out of order"),
            );
            relays.push(relay);
        }
    }

    /// A step of `target` applies the relay of that number.
    pub(crate) fn applies<A: Codec>(
        &self,
        source: Peer,
        target: Peer,
        number: u64,
        step: &Step<A>,
        found: &mut Found,
    ) {
        let sent = self.0.get(&(source, target)).and_then(|relays| relays.get(number as usize - 1));
        let Some(relay) = sent else {
            return found.add(
                Invariant::InOrderWithoutGaps,
                format_args!("{target} applies relay {number} of {source}, which sent no such"),
            );
        };
        let Some(about) = about(relay) else { return };
        let told = step.events.iter().find_map(|recorded| told(A::KIND, &recorded.event, &about));
        found.require(
            told.is_none_or(|told| told == about),
            Invariant::InOrderWithoutGaps,
            format_args!(
                "{target} applies something else as relay {number} of {source}: it is about {about:?}"
            ),
        );
    }
}

fn about(relay: &Relay) -> Option<About> {
    Some(match relay {
        Relay::Desk(desk::Command::Enqueue { conversation, .. }) => About::Conversation(*conversation),
        Relay::Desk(desk::Command::Confirm { offer, .. } | desk::Command::Refuse { offer, .. }) => {
            About::Offer(offer.clone())
        }
        Relay::Delivery(delivery::Command::Deliver { message, .. })
        | Relay::Conversation(conversation::Command::Progress { message, .. }) => About::Message(*message),
        Relay::Conversation(conversation::Command::Assign { offer, .. }) => About::Offer(offer.clone()),
        Relay::Contact(contact::Command::See { .. }) => return None,
        _ => return None,
    })
}

/// What an event says of the same sort of thing. The first such event of a step is the relay's own doing.
fn told<E: std::any::Any>(kind: Kind, event: &E, about: &About) -> Option<About> {
    let event: &dyn std::any::Any = event;
    match (kind, about) {
        (Kind::Desk, About::Conversation(_)) => match event.downcast_ref()? {
            desk::Event::Enqueued { conversation, .. } => Some(About::Conversation(*conversation)),
            _ => None,
        },
        (Kind::Desk, About::Offer(_)) => match event.downcast_ref()? {
            desk::Event::Accepted { offer, .. } | desk::Event::Withdrawn { offer, .. } => {
                Some(About::Offer(offer.clone()))
            }
            _ => None,
        },
        (Kind::Delivery, About::Message(_)) => match event.downcast_ref()? {
            delivery::Event::Queued { message, .. } => Some(About::Message(*message)),
            _ => None,
        },
        (Kind::Conversation, _) => match &event.downcast_ref::<conversation::Event>()?.what {
            conversation::What::DeliveryNoted { message, .. } => Some(About::Message(*message)),
            conversation::What::Assigned { assignment: offer, .. }
            | conversation::What::AssignmentRefused { offer, .. } => Some(About::Offer(offer.clone())),
            _ => None,
        },
        _ => None,
    }
}
