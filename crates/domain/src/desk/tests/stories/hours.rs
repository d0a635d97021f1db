//! Queues open and close: who waits outside of the hours waits on, is told, or goes elsewhere.

use super::{
    routing::{billing, look_at, of, support, under},
    *,
};
use crate::{
    Relay, Route,
    conversation::Command as ToConversation,
    desk::OverflowBecause,
    policy::{Hours, Needs, OpenSpan, Relaxation, WhenClosed},
};

/// Support is open in some minutes of the first day, which is a Thursday.
fn open_in(minutes: &[(u16, u16)], change: impl FnOnce(&mut Policy)) -> Story {
    under(|policy| {
        let open = minutes.iter().map(|(from, to)| OpenSpan { weekday: 4, from: *from, to: *to }).collect();
        policy
            .hours
            .insert("office".parse().unwrap(), Hours { time_zone: "UTC".into(), open, holidays: vec![] });
        support(policy).hours = Some("office".parse().unwrap());
        change(policy);
    })
}

fn closed(n: u8, until: i64) -> Event {
    Event::QueueClosed {
        conversation: conversation(n),
        owner_epoch: 1,
        queue: queue("support"),
        until: Some(seconds(until)),
        say: false,
    }
}

const NEXT_WEEK: i64 = 7 * 24 * 3_600;

#[test]
fn who_comes_outside_of_the_hours_is_offered_when_the_queue_opens() {
    open_in(&[(1, 3)], |_| {})
        .and([present("ann", Available)])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), closed(1, 60), look_at(60)])
        .at(59)
        .when(set_presence("bob", Available, 200))
        .then([present("bob", Available)])
        .when_time_comes()
        .then([offered(1, 1, "support", "ann", 60)]);
}

#[test]
fn who_waits_as_the_queue_closes_waits_on_and_is_told_once_a_time() {
    open_in(&[(1, 3), (5, 6)], |_| {})
        .at(100)
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), look_at(180)])
        .when_time_comes()
        .then([closed(1, 300), look_at(300)])
        .at(200)
        .when(Command::Recover)
        .then([])
        .when_time_comes()
        .then([look_at(360)])
        .when_time_comes()
        .then([closed(1, NEXT_WEEK + 60), look_at(NEXT_WEEK + 60)]);
}

#[test]
fn an_offer_made_in_time_runs_on() {
    open_in(&[(0, 1)], |_| {})
        .at(40)
        .and([present("ann", Available)])
        .when(enqueue(1, "support"))
        .then([enqueued(1, "support"), offered(1, 1, "support", "ann", 40)])
        .at(65)
        .when(decline("ann", 1))
        .then([declined(1, 1, "ann"), closed(1, NEXT_WEEK), look_at(NEXT_WEEK)]);
}

#[test]
fn a_closed_queue_sends_on_at_once() {
    let story = open_in(&[(1, 3)], |policy| {
        support(policy).when_closed = Some(WhenClosed::Overflow(queue("sales")));
    });
    story.and([present("ann", Available)]).when(enqueue(1, "support")).then([
        enqueued(1, "support"),
        Event::Overflowing {
            conversation: conversation(1),
            owner_epoch: 1,
            queue: queue("support"),
            to: queue("sales"),
            since: seconds(0),
            because: OverflowBecause::Closed,
        },
    ]);
}

#[test]
fn where_something_is_to_be_said_the_conversation_is_asked_to() {
    let (_, events) = open_in(&[(1, 3)], |policy| {
        support(policy).when_closed = Some(WhenClosed::Say("Back at {time}.".into()));
    })
    .when(enqueue(1, "support"))
    .follow();
    let expected = ToConversation::TellAway {
        conversation: conversation(1),
        owner_epoch: 1,
        queue: queue("support"),
        until: Some(seconds(60)),
    };
    let relays: Vec<_> = events.iter().filter_map(Decider::relay).collect();
    assert_eq!(relays, [(Route::Party(conversation(1).party), Relay::Conversation(expected))]);
}

#[test]
fn waiting_counts_from_when_the_queue_opens() {
    open_in(&[(1, 10)], |policy| {
        support(policy).needs = billing(1);
        support(policy).relaxations =
            vec![Relaxation { after: Millis::seconds(30), needs: Needs::default() }];
        of(policy, "cid").skills = billing(1).skills;
    })
    .and([Event::PresenceSet { agent: agent("ann"), presence: Available, until: seconds(900) }])
    .when(enqueue(1, "support"))
    .then([enqueued(1, "support"), closed(1, 60), look_at(60)])
    .when_time_comes()
    .then([look_at(90)])
    .when_time_comes()
    .then([offered(1, 1, "support", "ann", 90)]);
}

#[test]
fn who_is_wanted_in_person_is_not_bound_to_hours() {
    let mut command = enqueue(1, "support");
    if let Command::Enqueue { agent: wanted, .. } = &mut command {
        *wanted = Some(agent("bob"));
    }
    open_in(&[(1, 3)], |_| {})
        .and([present("bob", Available)])
        .when(command)
        .then([waits(1, "support", Sms, 0, false, Some("bob")), offered(1, 1, "support", "bob", 0)])
        .at(10)
        .when(decline("bob", 1))
        // Anyone would do now, at a time when nobody is asked.
        .then([declined(1, 1, "bob"), closed(1, 60), look_at(60)]);
}

/// The looks at two queues are due at once, and that at sales fires first.
#[test]
fn queues_that_open_together_are_served_in_their_order() {
    open_in(&[(1, 3)], |policy| {
        let sales = policy.queues.get_mut(&queue("sales")).unwrap();
        sales.hours = Some("office".parse().unwrap());
        support(policy).priority = 20;
        of(policy, "ann").capacity.total = 1;
    })
    .and([waits(1, "sales", Sms, 0, false, None), waits(2, "support", Sms, 0, false, None)])
    .and([present("ann", Available)])
    .when(Command::Recover)
    .then([
        Event::QueueClosed {
            conversation: conversation(1),
            owner_epoch: 1,
            queue: queue("sales"),
            until: Some(seconds(60)),
            say: false,
        },
        Event::LookSet { queue: queue("sales"), at: seconds(60) },
        closed(2, 60),
        look_at(60),
    ])
    .when_time_comes()
    .then([offered(1, 2, "support", "ann", 60), Event::LookSet { queue: queue("sales"), at: seconds(180) }]);
}

#[test]
fn nobody_waits_for_ever_by_a_zone_that_is_not_known() {
    open_in(&[(1, 3)], |policy| {
        policy.hours.values_mut().for_each(|hours| hours.time_zone = "Mars/Olympus".into());
    })
    .and([present("ann", Available)])
    .when(enqueue(1, "support"))
    .then([enqueued(1, "support"), offered(1, 1, "support", "ann", 0)]);
}
