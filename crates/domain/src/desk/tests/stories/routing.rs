//! What a queue's policy changes: who can take from it, who goes first, whom the desk asks, and what happens to who
//! gets nobody.

use super::*;
use crate::{
    desk::{Considered, OverflowBecause, Why, acceptance_by_rule},
    policy::{Ageing, Needs, Overflow, Relaxation, Selection},
};

/// The usual team under another policy.
pub(super) fn under(change: impl FnOnce(&mut Policy)) -> Story {
    let mut policy = Policy::clone(&usual());
    policy.version = 2;
    change(&mut policy);
    given([]).under(Arc::new(policy))
}

pub(super) fn support(policy: &mut Policy) -> &mut Queue {
    policy.queues.get_mut(&queue("support")).expect("the team has it")
}

pub(super) fn of<'a>(policy: &'a mut Policy, name: &str) -> &'a mut Agent {
    policy.agents.get_mut(&agent(name)).expect("the team has one")
}

pub(super) fn billing(level: u8) -> Needs {
    Needs { skills: [("billing".parse().unwrap(), level)].into(), languages: [].into() }
}

pub(super) fn look_at(second: i64) -> Event {
    Event::LookSet { queue: queue("support"), at: seconds(second) }
}

fn knowing_billing(policy: &mut Policy, levels: &[(&str, u8)]) {
    for (name, level) in levels {
        of(policy, name).skills = billing(*level).skills;
    }
}

#[test]
fn what_is_needed_is_relaxed_by_waiting() {
    under(|policy| {
        knowing_billing(policy, &[("ann", 1)]);
        support(policy).needs = billing(3);
        support(policy).relaxations = vec![
            Relaxation { after: Millis::seconds(30), needs: billing(1) },
            Relaxation { after: Millis::seconds(60), needs: Needs::default() },
        ];
        of(policy, "ann").capacity.total = 1;
    })
    .and([present("ann", Available), present("bob", Available)])
    .when(enqueue(1, "support"))
    .then([enqueued(1, "support"), look_at(30)])
    .at(10)
    .when(enqueue_since(2, 10))
    // The desk looks before that one changes anyway.
    .then([waits(2, "support", Sms, 10, false, None)])
    .when_time_comes()
    .then([offered(1, 1, "support", "ann", 30), look_at(40)])
    // Ann has no room any more, and Bob knows nothing of billing.
    .when_time_comes()
    .then([look_at(70)])
    .when_time_comes()
    .then([
        expired(1, 1, "ann"),
        offered(2, 1, "support", "bob", 60),
        offered(3, 2, "support", "ann", 60),
    ]);
}

pub(super) fn enqueue_since(n: u8, second: i64) -> Command {
    let mut command = enqueue(n, "support");
    if let Command::Enqueue { since, .. } = &mut command {
        *since = seconds(second);
    }
    command
}

#[test]
fn a_language_is_needed_like_a_skill() {
    under(|policy| {
        support(policy).needs.languages = ["de".parse().unwrap()].into();
        of(policy, "bob").languages = ["de".parse().unwrap(), "en".parse().unwrap()].into();
    })
    .and([present("ann", Available)])
    .at(1)
    .and([present("bob", Available)])
    .when(enqueue(1, "support"))
    .then([enqueued(1, "support"), offered(1, 1, "support", "bob", 1)]);
}

#[test]
fn waiting_counts_for_as_much_as_ageing_says() {
    let ageing = |most| Some(Ageing { every: Millis::seconds(10), most });
    let after = |most| {
        under(|policy| support(policy).ageing = ageing(most))
            .and([enqueued(1, "support"), waits(2, "sales", Sms, 0, false, None)])
            .at(110)
            .when(set_presence("ann", Available, 200))
    };
    // Eleven points against the ten of sales; five are not enough.
    let (both, first) = (present("ann", Available), |n, from| offered(1, n, from, "ann", 110));
    after(11).then([both.clone(), first(1, "support"), offered(2, 2, "sales", "ann", 110)]);
    after(5).then([both, first(2, "sales"), offered(2, 1, "support", "ann", 110)]);
}

#[test]
fn each_selection_asks_another() {
    let asked = |selection| {
        let (_, events) = under(|policy| {
            knowing_billing(policy, &[("ann", 1), ("bob", 2), ("cid", 3)]);
            support(policy).needs = billing(1);
            support(policy).selection = selection;
            policy.agents.values_mut().for_each(|agent| agent.capacity.total = 5);
        })
        // Bob has been idle longest; Ann holds the least of the two others; Cid was asked first.
        .and([present("cid", Available), enqueued(1, "support"), offered(1, 1, "support", "cid", 0)])
        .at(1)
        .and([present("bob", Available), enqueued(2, "support"), offered(2, 2, "support", "bob", 1)])
        .at(2)
        .and([present("ann", Available), enqueued(3, "support"), offered(3, 3, "support", "ann", 2)])
        .at(3)
        .and([declined(3, 3, "ann"), enqueued(4, "support"), offered(4, 4, "support", "cid", 3)])
        .when(enqueue(5, "support"))
        .follow();
        events.iter().find_map(|event| match event {
            Event::Offered { conversation: id, agent, .. } if *id == conversation(5) => {
                Some(agent.name.to_string())
            }
            _ => None,
        })
    };
    assert_eq!(asked(Selection::LongestIdle).as_deref(), Some("bob"));
    assert_eq!(asked(Selection::LeastLoaded).as_deref(), Some("ann"));
    assert_eq!(asked(Selection::MostSkilled).as_deref(), Some("cid"));
    assert_eq!(asked(Selection::RoundRobin).as_deref(), Some("bob"));
}

#[test]
fn a_heavy_channel_takes_more_of_the_capacity() {
    under(|policy| {
        of(policy, "ann").capacity.total = 3;
        of(policy, "ann").capacity.weights = [(Sms, 2)].into();
    })
    .and([present("ann", Available)])
    .when(enqueue(1, "sales"))
    .then([waits(1, "sales", Sms, 0, false, None), offered(1, 1, "sales", "ann", 0)])
    .when(enqueue(2, "sales"))
    .then([waits(2, "sales", Sms, 0, false, None)]);
}

fn overflowing(n: u8, because: OverflowBecause) -> Event {
    Event::Overflowing {
        conversation: conversation(n),
        owner_epoch: 1,
        queue: queue("support"),
        to: queue("sales"),
        since: seconds(0),
        because,
    }
}

fn overflow(after: Option<u64>, refusals: Option<u32>) -> Option<Overflow> {
    Some(Overflow { to: queue("sales"), after: after.map(Millis::seconds), refusals })
}

#[test]
fn who_waits_too_long_goes_on_to_another_queue() {
    under(|policy| support(policy).overflow = overflow(Some(60), None))
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), look_at(60)])
        .when_time_comes()
        .then([overflowing(1, OverflowBecause::Waited)])
        // Nobody here is asked any more.
        .when(set_presence("bob", Available, 200))
        .then([present("bob", Available)]);
}

#[test]
fn who_is_refused_too_often_goes_on_to_another_queue() {
    under(|policy| support(policy).overflow = overflow(None, Some(2)))
        .and([present("ann", Available), present("bob", Available), enqueued(1, "support")])
        .and([offered(1, 1, "support", "ann", 0)])
        .when(decline("ann", 1))
        .then([declined(1, 1, "ann"), offered(2, 1, "support", "bob", 0)])
        .when(decline("bob", 2))
        .then([declined(2, 1, "bob"), overflowing(1, OverflowBecause::Refused)]);
}

#[test]
fn who_could_never_get_anyone_is_not_left_to_wait() {
    let hopeless = |policy: &mut Policy| support(policy).needs = billing(1);
    let strands = stranded(1, "support", StrandedBecause::NoAgent);
    under(hopeless).when(enqueue(1, "support")).then([enqueued(1, "support"), strands.clone()]);
    under(|policy| {
        hopeless(policy);
        support(policy).overflow = overflow(Some(60), None);
    })
    .when(enqueue(1, "support"))
    .then([enqueued(1, "support"), overflowing(1, OverflowBecause::NoAgent)]);
    // A policy that takes the last one away says so of who waits already.
    let mut policy = Policy::clone(&usual());
    policy.version = 3;
    hopeless(&mut policy);
    given([enqueued(1, "support"), enqueued(2, "support")])
        .under(Arc::new(policy))
        .when(Command::PolicyChanged { tenant: tenant() })
        .then([strands]);
}

#[test]
fn one_agent_is_waited_for_as_long_as_the_grace_says() {
    let enqueue = Command::Enqueue {
        conversation: conversation(1),
        owner_epoch: 1,
        channel: Sms,
        queue: queue("support"),
        since: seconds(0),
        again: false,
        agent: Some(agent("ann")),
        agent_until: Some(seconds(20)),
        by_request: false,
        special: None,
    };
    let mut enqueued = waits(1, "support", Sms, 0, false, Some("ann"));
    if let Event::Enqueued { agent_until, .. } = &mut enqueued {
        *agent_until = Some(seconds(20));
    }
    under(|policy| of(policy, "ann").capacity.total = 0)
        .and([present("ann", Available), present("bob", Available)])
        .when(enqueue.clone())
        .then([enqueued.clone()])
        .when_time_comes()
        .then([no_longer_wanted(1, "ann", PreferenceEnded::GraceOver), offered(1, 1, "support", "bob", 20)]);
    // Who is not there is not waited for at all.
    given([present("bob", Available)]).when(enqueue).then([
        enqueued,
        no_longer_wanted(1, "ann", PreferenceEnded::AgentGone),
        offered(1, 1, "support", "bob", 0),
    ]);
}

#[test]
fn a_queue_may_accept_for_the_agent() {
    let by_rule = Event::AcceptedByRule {
        offer: offer(1),
        conversation: conversation(1),
        owner_epoch: 1,
        agent: agent("bob"),
    };
    let command = acceptance_by_rule(&offer(1));
    under(|policy| support(policy).auto_accept = true)
        .and([present("bob", Available)])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "bob", 0), by_rule])
        // There is nothing left to answer.
        .when(Command::Confirm { offer: offer(1), command })
        .then([Event::Accepted {
            offer: offer(1),
            conversation: conversation(1),
            agent: agent("bob"),
            command,
        }])
        .when(decline("bob", 1))
        .then_rejected(Code::OfferEnded);
}

#[test]
fn what_is_left_to_do_takes_room_until_it_is_done_or_the_time_is_over() {
    let began = Event::WrapUpBegan {
        assignment: offer(1),
        agent: agent("bob"),
        conversation: conversation(1),
        until: seconds(15),
    };
    let assigned = || {
        under(|policy| support(policy).wrap_up = Some(Millis::seconds(15)))
            .and([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)])
            .and([accept_requested(1, 1, "bob"), accepted(1, 1, "bob")])
    };
    let wrapping_up = || {
        assigned()
            .when(Command::Release { assignment: offer(1) })
            .then([began.clone()])
            .when(enqueue(2, "support"))
            .then([enqueued(2, "support")])
    };
    let finish = |name: &str| Command::FinishWrapUp { agent: agent(name), assignment: offer(1) };
    wrapping_up()
        .at(5)
        .when(finish("bob"))
        .then([ended(1, 1, "bob"), offered(2, 2, "support", "bob", 5)])
        .when(finish("bob"))
        .then_rejected(Code::OfferEnded);
    wrapping_up().when_time_comes().then([ended(1, 1, "bob"), offered(2, 2, "support", "bob", 15)]);
    wrapping_up().when(finish("ann")).then_rejected(Code::NotOwner);
    wrapping_up().when(set_presence("bob", Offline, 0)).then([
        Event::PresenceSet { agent: agent("bob"), presence: Offline, until: seconds(0) },
        ended(1, 1, "bob"),
    ]);
    // What is put away is not over: it takes no room.
    assigned()
        .when(Command::PutAway { assignment: offer(1) })
        .then([ended(1, 1, "bob")])
        .when(Command::PutAway { assignment: offer(1) })
        .then([]);
}

#[test]
fn an_offer_and_a_wait_tell_why() {
    let (story, events) = under(|policy| {
        knowing_billing(policy, &[("bob", 2), ("cid", 1)]);
        support(policy).needs = billing(1);
        of(policy, "bob").capacity.total = 1;
    })
    .and([present("ann", Available), present("bob", Available), enqueued(1, "support")])
    .at(7)
    .when(Command::TimerFired(crate::desk::TimerId::Rested(conversation(1))))
    .follow();
    let why = |waited, considered| Why {
        policy: 2,
        selection: Selection::LongestIdle,
        stage: 0,
        waited: Millis::seconds(waited),
        wanted: false,
        considered,
    };
    // Ann lacks the skill, and Cid is not there.
    let seen = Considered { free: 1, unable: 1, offline: 1, ..Considered::default() };
    let [Event::Offered { why: reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*reason, Some(why(7, seen)));
    let (_, events) = story.when(enqueue(2, "support")).follow();
    let [_, Event::Waits { why: reason, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(*reason, why(7, Considered { full: 1, unable: 1, offline: 1, ..Considered::default() }));
}

fn sent_away(name: &str, expired: u32) -> Event {
    Event::SentAway { agent: agent(name), expired }
}

/// Only Ann is there, who answers nothing.
fn with_ann_silent(expired: u32) -> Story {
    let story = under(|policy| support(policy).away_after_expired = Some(expired));
    story
        .and([Event::PresenceSet { agent: agent("ann"), presence: Available, until: seconds(900) }])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "ann", 0)])
}

#[test]
fn who_lets_offers_expire_in_a_row_is_away() {
    with_ann_silent(2)
        .when_time_comes()
        .then([expired(1, 1, "ann")])
        // It has rested, and there is nobody else.
        .when_time_comes()
        .then([offered(2, 1, "support", "ann", 60)])
        .when_time_comes()
        .then([expired(2, 1, "ann"), sent_away("ann", 2)])
        .when_time_comes()
        .then([])
        // Her word brings her back.
        .at(150)
        .when(set_presence("ann", Available, 400))
        .then([
            Event::PresenceSet { agent: agent("ann"), presence: Available, until: seconds(400) },
            offered(3, 1, "support", "ann", 150),
        ])
        .when_time_comes()
        .then([expired(3, 1, "ann")]);
}

#[test]
fn who_answers_now_and_then_stays() {
    with_ann_silent(2)
        .when_time_comes()
        .then([expired(1, 1, "ann")])
        .when_time_comes()
        .then([offered(2, 1, "support", "ann", 60)])
        .when(decline("ann", 2))
        .then([declined(2, 1, "ann")])
        .when_time_comes()
        .then([offered(3, 1, "support", "ann", 90)])
        .when_time_comes()
        .then([expired(3, 1, "ann")]);
}

#[test]
fn a_renewed_lease_is_no_word() {
    let story = with_ann_silent(1).when_time_comes().then([expired(1, 1, "ann"), sent_away("ann", 1)]);
    let renewed = Context { now: seconds(40), policies: &story.policies, command: None };
    let renewal = set_presence("ann", Available, 300);
    let events = Decider::decide(&story.desks, &renewed, &renewal).unwrap();
    let still_away = Event::PresenceSet { agent: agent("ann"), presence: Away, until: seconds(300) };
    assert_eq!(events, [still_away]);
}
