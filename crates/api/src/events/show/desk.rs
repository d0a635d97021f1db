//! What happened at a desk, as callers see it. Nothing there is personal.

use domain::desk::{
    self, Event, LeftQueue, OverflowBecause, Presence, StrandedBecause, Why, WithdrawnBecause,
};
use wire::api::v1::{
    self as pb,
    event::{self, Kind},
};

use crate::convert::{channel, duration, policy::selection_message, time};

pub(super) fn show(event: &Event) -> Option<Kind> {
    use Event::*;
    let step = |offer: &domain::OfferId, agent: &domain::AgentId| event::OfferStep {
        offer: offer.to_string(),
        agent: agent.to_string(),
    };
    Some(match event {
        // The conversations tell of them, and know more.
        ConsultBegan { .. } | ConsultFailed { .. } | ConsultEnded { .. } => return None,
        LookSet { .. } | WorkDeferred { .. } => return None,
        Enqueued { queue, channel: on, priority, since, again, agent, special, .. } => {
            Kind::Enqueued(event::Enqueued {
                queue: queue.to_string(),
                channel: channel(*on).into(),
                priority: *priority,
                since: time(*since),
                again: *again,
                agent: agent.as_ref().map(ToString::to_string).unwrap_or_default(),
                special: special.as_deref().map(super::special),
            })
        }
        Dequeued { queue, because, .. } => Kind::Dequeued(event::Dequeued {
            queue: queue.to_string(),
            assigned: *because == LeftQueue::Assigned,
        }),
        PresenceSet { agent, presence: set, until } => Kind::PresenceSet(event::PresenceSet {
            agent: agent.to_string(),
            presence: presence(*set).into(),
            until: time(*until),
        }),
        SentAway { agent, expired } => {
            Kind::SentAway(event::SentAway { agent: agent.to_string(), expired: *expired })
        }
        LeaseLapsed { agent } => Kind::LeaseLapsed(event::LeaseLapsed { agent: agent.to_string() }),
        Offered { offer, agent, queue, channel: on, expires_at, why: reason, .. } => {
            Kind::OfferMade(event::OfferMade {
                offer: offer.to_string(),
                agent: agent.to_string(),
                queue: queue.to_string(),
                channel: channel(*on).into(),
                expires_at: time(*expires_at),
                why: reason.as_ref().map(why),
            })
        }
        AcceptedByRule { offer, agent, .. } => Kind::OfferAcceptedByRule(step(offer, agent)),
        WrapUpBegan { assignment, agent, until, .. } => Kind::WrapUpBegan(event::WrapUpBegan {
            assignment: assignment.to_string(),
            agent: agent.to_string(),
            until: time(*until),
        }),
        Waits { queue, why: reason, .. } => {
            Kind::Waits(event::Waits { queue: queue.to_string(), why: Some(why(reason)) })
        }
        Stranded { queue, because, .. } => Kind::Stranded(event::Stranded {
            queue: queue.to_string(),
            because: match because {
                StrandedBecause::NoQueue => "no_queue",
                StrandedBecause::NoAgent => "no_agent",
            }
            .to_owned(),
        }),
        PreferenceEnded { queue, agent, because, .. } => Kind::PreferenceEnded(event::PreferenceEnded {
            queue: queue.to_string(),
            agent: agent.to_string(),
            because: match because {
                desk::PreferenceEnded::AgentGone => "agent_gone",
                desk::PreferenceEnded::GraceOver => "grace_over",
            }
            .to_owned(),
        }),
        Overflowing { queue, to, because, .. } => Kind::Overflowing(event::Overflowing {
            queue: queue.to_string(),
            to: to.to_string(),
            because: match because {
                OverflowBecause::Waited => "waited",
                OverflowBecause::Refused => "refused",
                OverflowBecause::NoAgent => "no_agent",
                OverflowBecause::Closed => "closed",
            }
            .to_owned(),
        }),
        QueueClosed { queue, until, .. } => {
            Kind::QueueClosed(event::QueueClosed { queue: queue.to_string(), until: until.and_then(time) })
        }
        AcceptRequested { offer, agent, .. } => Kind::AcceptRequested(step(offer, agent)),
        Accepted { offer, agent, .. } => Kind::OfferAccepted(step(offer, agent)),
        Declined { offer, agent, .. } => Kind::OfferDeclined(step(offer, agent)),
        Expired { offer, agent, .. } => Kind::OfferExpired(step(offer, agent)),
        Withdrawn { offer, agent, because, .. } => Kind::OfferWithdrawn(event::OfferWithdrawn {
            offer: offer.to_string(),
            agent: agent.to_string(),
            because: match because {
                WithdrawnBecause::ConversationGone => "conversation_gone",
                WithdrawnBecause::AgentGone => "agent_gone",
                WithdrawnBecause::PolicyChanged => "policy_changed",
            }
            .to_owned(),
        }),
        AssignmentEnded { assignment, agent, .. } => Kind::AssignmentEnded(step(assignment, agent)),
        GivingBack { assignment, agent, .. } => Kind::GivingBack(step(assignment, agent)),
    })
}

fn why(why: &Why) -> event::Why {
    let desk::Considered { free, refused, full, away, offline, unable } = why.considered;
    event::Why {
        policy_version: why.policy,
        selection: selection_message(why.selection).into(),
        stage: why.stage,
        waited: duration(why.waited),
        wanted: why.wanted,
        free,
        refused,
        full,
        away,
        offline,
        unable,
    }
}

fn presence(presence: Presence) -> pb::Presence {
    match presence {
        Presence::Available => pb::Presence::Available,
        Presence::Away => pb::Presence::Away,
        Presence::Offline => pb::Presence::Offline,
    }
}
