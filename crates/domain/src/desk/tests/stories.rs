//! What a desk does, told by example.

mod hours;
mod routing;
mod special;

use super::story::*;
use super::*;
use crate::desk::{Command, Decider, Event, PreferenceEnded, Presence, StrandedBecause, WithdrawnBecause};
use crate::{Aggregate, Code, Context};

use Channel::{Email, Sms};
use Presence::{Available, Away, Offline};

#[test]
fn whoever_is_there_is_offered_a_new_conversation_at_once() {
    given([present("bob", Available)])
        .at(5)
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "bob", 5)]);
}

#[test]
fn a_conversation_waits_until_someone_comes() {
    given([])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support")])
        .when(set_presence("bob", Available, 200))
        .then([present("bob", Available), offered(1, 1, "support", "bob", 0)]);
}

#[test]
fn who_is_away_or_does_not_serve_the_queue_is_offered_nothing() {
    given([present("ann", Away), present("bob", Available)])
        .when(enqueue(1, "sales"))
        .then([enqueued(1, "sales")]);
}

#[test]
fn the_longest_idle_is_asked_first() {
    given([present("ann", Available)])
        .at(1)
        .and([present("bob", Available)])
        .at(2)
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "ann", 2)])
        .when(enqueue(2, "support"))
        .then([enqueued(2, "support"), offered(2, 2, "support", "bob", 2)]);
}

#[test]
fn renewing_the_lease_is_no_return_from_idleness() {
    given([present("ann", Available)])
        .at(1)
        .and([present("bob", Available)])
        .at(2)
        .when(set_presence("ann", Available, 201))
        .then([Event::PresenceSet { agent: agent("ann"), presence: Available, until: seconds(201) }])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "ann", 2)]);
}

#[test]
fn who_finished_last_is_asked_last() {
    given([present("ann", Available), present("bob", Available)])
        .at(1)
        .and([enqueued(1, "support"), offered(1, 1, "support", "ann", 1), accept_requested(1, 1, "ann")])
        .at(2)
        .and([enqueued(2, "support"), offered(2, 2, "support", "bob", 2), accept_requested(2, 2, "bob")])
        .and([accepted(1, 1, "ann"), accepted(2, 2, "bob")])
        .at(3)
        .and([ended(2, 2, "bob")])
        .at(4)
        .and([ended(1, 1, "ann")])
        .when(enqueue(3, "support"))
        .then([enqueued(3, "support"), offered(3, 3, "support", "bob", 4)]);
}

#[test]
fn the_order_is_priority_then_who_was_here_before_then_the_longest_waiting() {
    given([
        waits(1, "support", Sms, 1, false, None),
        waits(2, "support", Sms, 0, false, None),
        waits(3, "support", Sms, 5, true, None),
        waits(4, "sales", Sms, 9, false, None),
    ])
    .under(team(4, 0, 0))
    .at(10)
    .when(set_presence("ann", Available, 200))
    .then([
        present("ann", Available),
        offered(1, 4, "sales", "ann", 10),
        offered(2, 3, "support", "ann", 10),
        offered(3, 2, "support", "ann", 10),
        offered(4, 1, "support", "ann", 10),
    ]);
}

#[test]
fn offers_of_one_decision_count_against_each_other() {
    given([enqueued(1, "support"), enqueued(2, "support"), enqueued(3, "support")])
        .when(set_presence("ann", Available, 200))
        .then([
            present("ann", Available),
            offered(1, 1, "support", "ann", 0),
            offered(2, 2, "support", "ann", 0),
        ]);
}

#[test]
fn a_full_channel_does_not_hold_up_the_others() {
    let email = |number, n| match offered(number, n, "support", "ann", 0) {
        Event::Offered { offer, conversation, owner_epoch, agent, queue, expires_at, .. } => Event::Offered {
            offer,
            conversation,
            owner_epoch,
            agent,
            queue,
            expires_at,
            channel: Email,
            why: None,
        },
        other => other,
    };
    given([
        waits(1, "support", Email, 0, false, None),
        waits(2, "support", Email, 0, false, None),
        enqueued(3, "support"),
    ])
    .when(set_presence("ann", Available, 200))
    .then([present("ann", Available), email(1, 1), offered(2, 3, "support", "ann", 0)]);
}

#[test]
fn what_one_declines_the_next_is_offered() {
    given([present("ann", Available), present("bob", Available), enqueued(1, "support")])
        .and([offered(1, 1, "support", "ann", 0)])
        .when(decline("ann", 1))
        .then([declined(1, 1, "ann"), offered(2, 1, "support", "bob", 0)]);
}

#[test]
fn what_everyone_refused_rests_and_is_offered_again() {
    given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)])
        .at(10)
        .when(decline("bob", 1))
        .then([declined(1, 1, "bob")])
        .at(20)
        .when(set_presence("bob", Available, 210))
        .then([Event::PresenceSet { agent: agent("bob"), presence: Available, until: seconds(210) }])
        .when_time_comes()
        .then([offered(2, 1, "support", "bob", 40)])
        .when_time_comes()
        .then([expired(2, 1, "bob")])
        .when_time_comes()
        .then([offered(3, 1, "support", "bob", 100)]);
}

#[test]
fn who_is_new_gets_what_others_refused_without_a_rest() {
    given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)])
        .and([declined(1, 1, "bob")])
        .when(set_presence("ann", Available, 200))
        .then([present("ann", Available), offered(2, 1, "support", "ann", 0)]);
}

#[test]
fn an_acceptance_is_the_conversations_to_confirm() {
    given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)])
        .when(accept("bob", 1))
        .then([accept_requested(1, 1, "bob")])
        .when(confirm(1))
        .then([accepted(1, 1, "bob")])
        .when(confirm(1))
        .then([])
        .at(50)
        .when(enqueue(2, "support"))
        .then([enqueued(2, "support")])
        .when(Command::Release { assignment: offer(1) })
        .then([ended(1, 1, "bob"), offered(2, 2, "support", "bob", 50)])
        .when(Command::Release { assignment: offer(1) })
        .then([]);
}

#[test]
fn an_acceptance_that_comes_too_late_frees_the_agent() {
    given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)])
        .and([accept_requested(1, 1, "bob"), enqueued(2, "support")])
        .when(refuse(1))
        .then([
            Event::Withdrawn {
                offer: offer(1),
                conversation: conversation(1),
                agent: agent("bob"),
                because: WithdrawnBecause::ConversationGone,
                command: Some(command_id(7)),
            },
            dequeued(1, "support"),
            offered(2, 2, "support", "bob", 0),
        ])
        .when(refuse(1))
        .then([]);
}

#[test]
fn an_offer_is_answered_by_its_agent_and_once() {
    let open =
        || given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)]);
    open().when(accept("ann", 1)).then_rejected(Code::NotOwner);
    open().when(decline("ann", 1)).then_rejected(Code::NotOwner);
    open().when(accept("bob", 2)).then_rejected(Code::NotFound);
    open().when(accept("bob", 0)).then_rejected(Code::NotFound);
    let pending = || open().and([accept_requested(1, 1, "bob")]);
    pending().when(accept("bob", 1)).then_rejected(Code::Stale);
    pending().when(decline("bob", 1)).then_rejected(Code::Stale);
    pending().and([accepted(1, 1, "bob")]).when(accept("bob", 1)).then_rejected(Code::OfferEnded);
    open().and([expired(1, 1, "bob")]).when(accept("bob", 1)).then_rejected(Code::OfferEnded);
}

#[test]
fn an_acceptance_needs_a_command_to_be_answered_by() {
    let story =
        given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)]);
    let context = Context { now: story.now, policies: &story.policies, command: None };
    let outcome = Decider::decide(&story.desks, &context, &accept("bob", 1));
    assert_eq!(outcome.expect_err("there is no command id").code, Code::Invalid);
}

#[test]
fn an_agent_whose_lease_lapses_gives_everything_back() {
    given([present("ann", Available), enqueued(1, "support"), offered(1, 1, "support", "ann", 0)])
        .under(team(3, 1, 0))
        .and([accept_requested(1, 1, "ann"), accepted(1, 1, "ann")])
        .and([enqueued(2, "support"), offered(2, 2, "support", "ann", 0), accept_requested(2, 2, "ann")])
        .at(180)
        .and([enqueued(3, "support"), offered(3, 3, "support", "ann", 180)])
        .when_time_comes()
        .then([
            Event::LeaseLapsed { agent: agent("ann") },
            withdrawn(3, 3, "ann", WithdrawnBecause::AgentGone),
            giving_back(1, 1, "ann"),
        ])
        // What was being accepted is given back as soon as it is the agent's.
        .when(confirm(2))
        .then([accepted(2, 2, "ann"), giving_back(2, 2, "ann")])
        .when(Command::Release { assignment: offer(1) })
        .then([ended(1, 1, "ann")]);
}

#[test]
fn who_leaves_makes_room_for_who_stays() {
    given([present("ann", Available), enqueued(1, "support"), offered(1, 1, "support", "ann", 0)])
        .and([present("bob", Available)])
        .when(set_presence("ann", Offline, 0))
        .then([
            Event::PresenceSet { agent: agent("ann"), presence: Offline, until: seconds(0) },
            withdrawn(1, 1, "ann", WithdrawnBecause::AgentGone),
            offered(2, 1, "support", "bob", 0),
        ]);
}

#[test]
fn a_conversation_that_goes_takes_its_offer_along() {
    let withdraw = |owner_epoch| Command::Withdraw { conversation: conversation(1), owner_epoch };
    let open = || {
        given([present("bob", Available), enqueued(1, "support"), enqueued(2, "support")])
            .and([offered(1, 1, "support", "bob", 0)])
    };
    open().when(withdraw(2)).then([]);
    open().when(withdraw(1)).then([
        withdrawn(1, 1, "bob", WithdrawnBecause::ConversationGone),
        dequeued(1, "support"),
        offered(2, 2, "support", "bob", 0),
    ]);
    // What is being accepted is for the conversation to refuse.
    open().and([accept_requested(1, 1, "bob")]).when(withdraw(1)).then([dequeued(1, "support")]);
}

#[test]
fn a_conversation_waits_for_the_agent_it_wants_as_long_as_that_agent_is_there() {
    let enqueue = Command::Enqueue {
        conversation: conversation(1),
        owner_epoch: 1,
        channel: Sms,
        queue: queue("support"),
        since: seconds(0),
        again: false,
        agent: Some(agent("ann")),
        agent_until: None,
        by_request: false,
        special: None,
    };
    let wanted = waits(1, "support", Sms, 0, false, Some("ann"));
    given([present("bob", Available), present("ann", Away)])
        .when(enqueue.clone())
        .then([wanted.clone()])
        .when(set_presence("ann", Offline, 0))
        .then([
            Event::PresenceSet { agent: agent("ann"), presence: Offline, until: seconds(0) },
            no_longer_wanted(1, "ann", PreferenceEnded::AgentGone),
            offered(1, 1, "support", "bob", 0),
        ]);
    given([present("bob", Available), present("ann", Available)])
        .when(enqueue)
        .then([wanted, offered(1, 1, "support", "ann", 0)])
        // Who refuses is not insisted on.
        .when(decline("ann", 1))
        .then([declined(1, 1, "ann"), offered(2, 1, "support", "bob", 0)]);
}

#[test]
fn who_asked_for_a_conversation_is_not_asked_about_it() {
    let asks = Command::Enqueue {
        conversation: conversation(1),
        owner_epoch: 1,
        channel: Sms,
        queue: queue("support"),
        since: seconds(0),
        again: false,
        agent: Some(agent("bob")),
        agent_until: Some(seconds(20)),
        by_request: true,
        special: None,
    };
    let mut asked = waits(1, "support", Sms, 0, false, Some("bob"));
    if let Event::Enqueued { agent_until, by_request, .. } = &mut asked {
        (*agent_until, *by_request) = (Some(seconds(20)), true);
    }
    let accepted_at_once = |number| Event::AcceptedByRule {
        offer: offer(number),
        conversation: conversation(1),
        owner_epoch: 1,
        agent: agent("bob"),
    };
    given([present("ann", Available), present("bob", Available)]).when(asks.clone()).then([
        asked.clone(),
        offered(1, 1, "support", "bob", 0),
        accepted_at_once(1),
    ]);
    // There is no room until there is some.
    let full = || {
        given([present("bob", Available), enqueued(2, "support"), offered(1, 2, "support", "bob", 0)])
            .when(asks.clone())
            .then([asked.clone()])
    };
    full().at(10).when(decline("bob", 1)).then([
        declined(1, 2, "bob"),
        offered(2, 1, "support", "bob", 10),
        accepted_at_once(2),
    ]);
    // After a while anyone will do, and is asked; so is who had asked.
    full()
        .and([present("ann", Available)])
        .when_time_comes()
        .then([no_longer_wanted(1, "bob", PreferenceEnded::GraceOver), offered(2, 1, "support", "ann", 20)]);
}

#[test]
fn a_smaller_capacity_withdraws_the_newest_offers_and_leaves_assignments() {
    let given_three = || {
        given([
            present("ann", Available),
            enqueued(1, "support"),
            enqueued(2, "support"),
            enqueued(3, "support"),
        ])
        .under(team(3, 1, 0))
        .and([offered(1, 1, "support", "ann", 0), offered(2, 2, "support", "ann", 0)])
        .and([
            offered(3, 3, "support", "ann", 0),
            accept_requested(1, 1, "ann"),
            accepted(1, 1, "ann"),
        ])
    };
    let changed = || Command::PolicyChanged { tenant: tenant() };
    given_three()
        .under(team(2, 1, 0))
        .when(changed())
        .then([withdrawn(3, 3, "ann", WithdrawnBecause::PolicyChanged)])
        .when(enqueue(4, "support"))
        .then([enqueued(4, "support")]);
    given_three().under(team(0, 1, 0)).when(changed()).then([
        withdrawn(3, 3, "ann", WithdrawnBecause::PolicyChanged),
        withdrawn(2, 2, "ann", WithdrawnBecause::PolicyChanged),
    ]);
}

#[test]
fn a_new_policy_may_bring_pairs_together() {
    given([present("cid", Available), enqueued(1, "support")])
        .under(team(0, 0, 1))
        .when(Command::PolicyChanged { tenant: tenant() })
        .then([offered(1, 1, "support", "cid", 0)]);
}

#[test]
fn a_queue_that_the_policy_does_not_know_loses_nobody() {
    let billing = queue("billing");
    let known = policy(2, &[(billing.clone(), 3)], &[(agent("bob"), serving(&[billing], 1, &[]))]);
    given([present("bob", Available)])
        .when(enqueue(1, "billing"))
        .then([waits(1, "billing", Sms, 0, false, None), stranded(1, "billing", StrandedBecause::NoQueue)])
        .under(known)
        .when(Command::PolicyChanged { tenant: tenant() })
        .then([offered(1, 1, "billing", "bob", 0)]);
}

#[test]
fn presence_is_a_lease_of_a_known_agent() {
    given([]).when(set_presence("zoe", Available, 60)).then_rejected(Code::NotFound);
    given([]).at(60).when(set_presence("bob", Available, 60)).then_rejected(Code::Invalid);
    given([]).when(set_presence("bob", Offline, 60)).then([]);
    given([present("bob", Available)]).when(set_presence("bob", Available, 200)).then([]);
    // Five minutes at most.
    given([]).when(set_presence("bob", Away, 9_000)).then([Event::PresenceSet {
        agent: agent("bob"),
        presence: Away,
        until: seconds(300),
    }]);
}

#[test]
fn who_waits_anew_elsewhere_waits_no_longer_where_it_was() {
    let elsewhere = QueueId::new(desk("night"), "care").unwrap();
    let moves = |owner_epoch| Command::Enqueue {
        conversation: conversation(1),
        owner_epoch,
        channel: Sms,
        queue: elsewhere.clone(),
        since: seconds(0),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    };
    let waiting = || {
        given([present("bob", Available), enqueued(1, "support"), enqueued(2, "support")])
            .and([offered(1, 1, "support", "bob", 0)])
    };
    waiting().when(moves(1)).then([]);
    waiting().when(moves(2)).then([
        withdrawn(1, 1, "bob", WithdrawnBecause::ConversationGone),
        dequeued(1, "support"),
        offered(2, 2, "support", "bob", 0),
        Event::Enqueued {
            conversation: conversation(1),
            owner_epoch: 2,
            channel: Sms,
            queue: elsewhere.clone(),
            priority: 0,
            since: seconds(0),
            again: false,
            agent: None,
            agent_until: None,
            by_request: false,
            special: None,
        },
        Event::Stranded {
            conversation: conversation(1),
            queue: elsewhere.clone(),
            because: StrandedBecause::NoQueue,
        },
    ]);
}

#[test]
fn what_one_decision_cannot_hold_the_next_ones_do() {
    let mut story = given([]).under(team(250, 0, 0));
    for n in 0..=254 {
        story = story.and([enqueued(n, "support")]);
    }
    let deferred = Event::WorkDeferred { desk: desk("team") };
    let load = |story: &Story| story.desks.agent(&agent("ann")).map(|ann| ann.load.total());

    let (story, events) = story.when(set_presence("ann", Available, 200)).follow();
    assert_eq!((events.len(), events.last()), (201, Some(&deferred)));
    let (story, events) = story.when_time_comes().follow();
    assert_eq!((events.len(), load(&story)), (51, Some(250)));

    // And back: two decisions, one after the other.
    let (story, events) = story.when(set_presence("ann", Offline, 0)).follow();
    assert_eq!((events.len(), events.last()), (201, Some(&deferred)));
    let (story, events) = story.when_time_comes().follow();
    // Each that comes back is told why it waits.
    assert_eq!((events.len(), load(&story)), (102, Some(0)));
    assert_eq!(story.desks.waiting_in(&queue("support")).len(), 255);
    assert!(story.desks.timers.is_empty(), "nothing is left to do");
}
