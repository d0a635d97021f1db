//! Reservations and the room for them.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Cause, Channel, CommandId, ConversationId, Millis, Party, Policy, Timestamp,
    desk::{Decider, Event, WithdrawnBecause, acceptance_by_rule},
};

use super::{NONE, broken, conversation::offer};
use crate::{hand::Hand, world::*};

/// A party's conversation, for each offer another.
fn conversation(number: u8) -> ConversationId {
    conversation_of(Party([number; 16]))
}

fn with(total: u32, sms: Option<u32>) -> Cause<Decider> {
    let mut policy: Policy = policy(1, Millis::seconds(60), total);
    let per_channel: BTreeMap<_, _> = sms.map(|most| (Channel::Sms, most)).into_iter().collect();
    policy.agents.values_mut().for_each(|agent| agent.capacity.per_channel = per_channel.clone());
    Cause::PolicyInForce(Arc::new(policy))
}

fn offered(number: u8) -> Event {
    Event::Offered {
        offer: offer(number.into()),
        conversation: conversation(number),
        owner_epoch: 2,
        agent: ann(),
        queue: queue(),
        channel: Channel::Sms,
        expires_at: Timestamp(31_000),
        why: None,
    }
}

fn accepting(number: u8) -> Event {
    Event::AcceptRequested {
        offer: offer(number.into()),
        conversation: conversation(number),
        owner_epoch: 2,
        agent: ann(),
        command: CommandId([number; 16]),
    }
}

fn accepted(number: u8) -> Event {
    Event::Accepted {
        offer: offer(number.into()),
        conversation: conversation(number),
        agent: ann(),
        command: CommandId([number; 16]),
    }
}

fn expired(number: u8) -> Event {
    Event::Expired { offer: offer(number.into()), conversation: conversation(number), agent: ann() }
}

fn withdrawn(number: u8) -> Event {
    Event::Withdrawn {
        offer: offer(number.into()),
        conversation: conversation(number),
        agent: ann(),
        because: WithdrawnBecause::ConversationGone,
        command: None,
    }
}

fn ended(number: u8) -> Event {
    Event::AssignmentEnded {
        assignment: offer(number.into()),
        agent: ann(),
        conversation: conversation(number),
    }
}

fn at_desk(policy: Cause<Decider>, events: Vec<Event>) -> Hand<Decider> {
    Hand::new(0).then(policy, vec![]).then(Cause::Report, events)
}

#[tokio::test]
async fn no_offer_exceeds_the_capacity_in_force() {
    assert_eq!(broken(at_desk(with(2, None), vec![offered(1), offered(2)])).await, NONE);
    assert_eq!(broken(at_desk(with(1, None), vec![offered(1), expired(1), offered(2)])).await, NONE);
    assert_eq!(broken(at_desk(with(1, None), vec![offered(1), offered(2)])).await, [4]);
    assert_eq!(broken(at_desk(with(9, Some(1)), vec![offered(1), offered(2)])).await, [4]);
    let held = vec![offered(1), accepting(1), accepted(1), offered(2)];
    assert_eq!(broken(at_desk(with(1, None), held)).await, [4], "assignments count like offers");

    let lowered = || at_desk(with(2, None), vec![offered(1), offered(2)]).then(with(1, None), vec![]);
    assert_eq!(broken(lowered()).await, NONE, "what was held before may stay");
    assert_eq!(broken(lowered().then(Cause::Report, vec![expired(1), offered(3)])).await, [4]);
    assert_eq!(broken(Hand::<Decider>::new(0).then(Cause::Report, vec![offered(1)])).await, [4]);
}

#[tokio::test]
async fn a_heavy_channel_counts_for_what_it_weighs() {
    let heavy = |total| {
        let Cause::PolicyInForce(policy) = with(total, None) else { unreachable!("it is a policy") };
        let mut policy = Policy::clone(&policy);
        policy.agents.values_mut().for_each(|agent| agent.capacity.weights = [(Channel::Sms, 2)].into());
        Cause::PolicyInForce(Arc::new(policy))
    };
    assert_eq!(broken(at_desk(heavy(4), vec![offered(1), offered(2)])).await, NONE);
    assert_eq!(broken(at_desk(heavy(3), vec![offered(1), offered(2)])).await, [4]);
}

fn by_rule(number: u8) -> Event {
    let (offer, agent) = (offer(number.into()), ann());
    Event::AcceptedByRule { offer, conversation: conversation(number), owner_epoch: 2, agent }
}

fn confirmed_by_rule(number: u8) -> Event {
    let offer = offer(number.into());
    let (agent, command) = (ann(), acceptance_by_rule(&offer));
    Event::Accepted { offer, conversation: conversation(number), agent, command }
}

fn wrapping_up(number: u8) -> Event {
    let (assignment, agent) = (offer(number.into()), ann());
    Event::WrapUpBegan { assignment, agent, conversation: conversation(number), until: Timestamp(9) }
}

#[tokio::test]
async fn what_is_left_to_do_takes_room_and_ends_once() {
    let over = || vec![offered(1), by_rule(1), confirmed_by_rule(1), wrapping_up(1)];
    let with_more = |more: Vec<Event>| at_desk(with(1, None), [over(), more].concat());
    assert_eq!(broken(with_more(vec![ended(1), offered(2)])).await, NONE);
    assert_eq!(broken(with_more(vec![offered(2)])).await, [4]);
    assert_eq!(broken(with_more(vec![wrapping_up(1)])).await, [5]);
    assert_eq!(broken(with_more(vec![withdrawn(1)])).await, [5]);
    assert_eq!(broken(at_desk(with(1, None), vec![offered(1), wrapping_up(1)])).await, [5]);
    assert_eq!(broken(at_desk(with(1, None), vec![offered(1), by_rule(1), accepted(1)])).await, [5]);
}

#[tokio::test]
async fn a_reservation_ends_once() {
    let whole = vec![offered(1), accepting(1), accepted(1), ended(1), offered(2), withdrawn(2)];
    assert_eq!(broken(at_desk(with(2, None), whole)).await, NONE);
    for events in [
        vec![offered(1), expired(1), expired(1)],
        vec![offered(1), withdrawn(1), expired(1)],
        vec![offered(1), accepting(1), expired(1)],
        vec![offered(1), accepting(1), accepted(1), withdrawn(1)],
        vec![offered(1), accepting(1), accepted(1), ended(1), ended(1)],
        vec![offered(1), accepted(1)],
        vec![expired(1)],
        vec![offered(1), expired(1), offered(1)],
    ] {
        assert_eq!(broken(at_desk(with(9, None), events.clone())).await, [5], "{events:?}");
    }
}
