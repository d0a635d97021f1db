//! What agents are offered and hold, as the desk's events tell it.

use std::collections::BTreeMap;

use wire::api::v1::event::Kind;

use super::{Evidence, Violations};

/// What each agent of the sample workspace may hold.
const CAPACITY: usize = 5;

impl Evidence {
    /// 4 and 5: each offer ends once, and nobody is offered more than fits.
    pub(super) fn offers(&self, violations: &mut Violations) {
        #[derive(PartialEq, Debug)]
        enum Is {
            Open,
            Held,
            Over,
        }
        let mut offers: BTreeMap<&str, (&str, Is)> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.id.starts_with("desk/")) {
            let (offer, agent, from, to) = match &event.kind {
                Some(Kind::OfferMade(made)) => (&made.offer, &made.agent, None, Is::Open),
                Some(Kind::OfferAccepted(step)) => (&step.offer, &step.agent, Some(Is::Open), Is::Held),
                Some(Kind::OfferDeclined(step) | Kind::OfferExpired(step)) => {
                    (&step.offer, &step.agent, Some(Is::Open), Is::Over)
                }
                Some(Kind::OfferWithdrawn(step)) => (&step.offer, &step.agent, Some(Is::Open), Is::Over),
                Some(Kind::AssignmentEnded(step)) => (&step.offer, &step.agent, Some(Is::Held), Is::Over),
                _ => continue,
            };
            let before = offers.insert(offer, (agent, to)).map(|(_, was)| was);
            if before != from {
                violations.push(format!("5: offer {offer} was {before:?} at {}", event.id));
            }
            let load = offers.values().filter(|(whose, is)| whose == agent && *is != Is::Over).count();
            if load > CAPACITY {
                violations.push(format!("4: {agent} has {load} of {CAPACITY} at {}", event.id));
            }
        }
    }
}
