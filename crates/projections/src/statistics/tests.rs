//! The figures of a small desk, told as stories; and that neither the order in which partitions are read nor a restart
//! changes any of them.

use domain::{
    AgentId, Channel, CommandId, ConversationId, DeskId, Millis, OfferId, Party, QueueId, Timestamp,
    conversation::{CloseReason, Closer, Event, HandOffReason, What},
    desk::{Event as Desk, Presence, WithdrawnBecause},
    policy::{Agent, Hours, Queue},
};

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// In the middle of a day, an hour and a minute.
const NOON: i64 = 1_000 * 24 * HOUR + 12 * HOUR + 30_500;
const LEASE: Millis = Millis::seconds(30);

fn desk() -> DeskId {
    "acme/desk".parse().unwrap()
}

fn queue(name: &str) -> QueueId {
    QueueId::new(desk(), name).unwrap()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(desk(), name).unwrap()
}

fn conversation(n: u8) -> ConversationId {
    ConversationId { party: Party([n; 16]), number: 1 }
}

fn offer(number: u64) -> OfferId {
    OfferId { desk: desk(), number }
}

/// `service` promises an answer within a minute, `other` promises nothing.
fn policy() -> Policy {
    let promising = Queue { answer_within: Some(Millis(MINUTE as u64)), ..Queue::default() };
    Policy {
        tenant: "acme".parse().unwrap(),
        version: 1,
        inboxes: Default::default(),
        queues: [(queue("service"), promising), (queue("other"), Queue::default())].into(),
        agents: Default::default(),
        bots: Default::default(),
        hours: Default::default(),
        links: Default::default(),
    }
}

/// A desk and its conversations, watched.
#[derive(Default)]
struct Floor(Statistics);

impl Floor {
    fn new() -> Floor {
        let mut floor = Floor::default();
        floor.0.policy(0, &policy());
        floor
    }

    fn said(&mut self, at: i64, what: What) -> &mut Self {
        let event = Event { tenant: "acme".parse().unwrap(), inbox: "chat".parse().unwrap(), what };
        self.0.conversation(0, Timestamp(NOON + at), &event);
        self
    }

    fn wanted(&mut self, at: i64, n: u8, name: &str, since: i64) -> &mut Self {
        self.said(
            at,
            What::AgentWanted {
                conversation: conversation(n),
                channel: Channel::Sms,
                queue: queue(name),
                owner_epoch: 1,
                reason: HandOffReason::NoBot,
                since: Timestamp(NOON + since),
                again: false,
                agent: None,
                agent_until: None,
                by_request: false,
                special: None,
            },
        )
    }

    fn assigned(&mut self, at: i64, n: u8, name: &str) -> &mut Self {
        self.said(
            at,
            What::Assigned {
                conversation: conversation(n),
                agent: agent(name),
                assignment: offer(n.into()),
                owner_epoch: 2,
                command: CommandId([n; 16]),
            },
        )
    }

    /// The customer wants nothing more while nobody has the conversation.
    fn gives_up(&mut self, at: i64, n: u8, name: &str) -> &mut Self {
        let (conversation, queue, by) = (conversation(n), queue(name), Closer::Customer);
        self.said(at, What::Withdrawn { conversation, queue, owner_epoch: 1 });
        self.said(at, What::Closed { conversation, by, reason: CloseReason::OptedOut })
    }

    fn desk(&mut self, at: i64, event: Desk) -> &mut Self {
        self.0.desk(Timestamp(NOON + at), &event);
        self
    }

    fn is(&mut self, at: i64, name: &str, presence: Presence) -> &mut Self {
        let until = Timestamp(NOON + at) + LEASE;
        self.desk(at, Desk::PresenceSet { agent: agent(name), presence, until })
    }

    fn offered(&mut self, at: i64, n: u8, name: &str) -> &mut Self {
        self.desk(
            at,
            Desk::Offered {
                offer: offer(n.into()),
                conversation: conversation(n),
                owner_epoch: 1,
                agent: agent(name),
                queue: queue("service"),
                channel: Channel::Sms,
                expires_at: Timestamp(NOON + at + 20_000),
                why: None,
            },
        )
    }

    fn accepted(&mut self, at: i64, n: u8, name: &str) -> &mut Self {
        let (offer, command) = (offer(n.into()), CommandId([n; 16]));
        self.desk(at, Desk::Accepted { offer, conversation: conversation(n), agent: agent(name), command })
    }

    fn ended(&mut self, at: i64, n: u8, name: &str) -> &mut Self {
        let assignment = offer(n.into());
        self.desk(at, Desk::AssignmentEnded { assignment, agent: agent(name), conversation: conversation(n) })
    }

    fn queue(&self, at: i64, name: &str) -> QueueNow {
        let now = self.0.look(&desk(), Some(&policy()), Timestamp(NOON + at));
        now.queues.into_iter().find(|found| found.queue == queue(name)).expect("the queue is shown")
    }

    fn agent(&self, at: i64, name: &str) -> Option<AgentNow> {
        let now = self.0.look(&desk(), Some(&policy()), Timestamp(NOON + at));
        now.agents.into_iter().find(|found| found.agent == agent(name))
    }
}

#[test]
fn who_waits_is_counted_and_the_longest_wait_goes_by_the_customer() {
    let mut floor = Floor::new();
    // The second one came here by an overflow and had waited before.
    floor.wanted(0, 1, "service", 0).wanted(10_000, 2, "service", -30_000);
    let now = floor.queue(20_000, "service");
    assert_eq!((now.waiting, now.longest_since, now.late), (2, Some(Timestamp(NOON - 30_000)), 0));
    assert_eq!(now.service_level(0), None, "nobody was answered, nobody waits too long");
    let later = floor.queue(30_001, "service");
    assert_eq!((later.late, later.service_level(0)), (1, Some(0.0)));
    assert_eq!(floor.queue(0, "other").waiting, 0, "a queue of the policy is shown though nobody is there");
}

#[test]
fn the_service_level_holds_against_the_queue_who_waits_too_long() {
    let mut floor = Floor::new();
    for n in 1..=5 {
        floor.wanted(0, n, "service", 0);
    }
    floor.assigned(60_000, 1, "ann").assigned(60_001, 2, "ann");
    floor.gives_up(20_000, 3, "service").gives_up(70_000, 4, "service");
    let now = floor.queue(80_000, "service");
    let tally = now.over[0];
    assert_eq!((tally.came, tally.answered, tally.abandoned, now.waiting), (5, 2, 2, 1));
    // One in time; one late, one gone too late, and one who still waits. Who left early counts neither way.
    assert_eq!(now.service_level(0), Some(0.25));
    assert_eq!(tally.speed_of_answer(), Some(Millis(60_000)));

    floor.wanted(0, 6, "other", 0).assigned(500_000, 6, "ann");
    let other = floor.queue(500_000, "other");
    assert_eq!((other.over[0].answered, other.service_level(0)), (1, None), "nothing was promised");
}

#[test]
fn a_policy_changes_the_promise_for_those_who_come_after_it() {
    let mut floor = Floor::new();
    floor.wanted(0, 1, "service", 0);
    let mut other = policy();
    other.queues.insert(queue("service"), Queue::default());
    floor.0.policy(0, &other);
    floor.wanted(0, 2, "service", 0).assigned(1_000, 1, "ann").assigned(1_000, 2, "ann");
    assert_eq!(floor.queue(2_000, "service").over[0].judged, 1);
}

#[test]
fn a_transfer_is_the_queues_and_the_agents_and_waits_anew() {
    let mut floor = Floor::new();
    floor.wanted(0, 1, "service", 0).assigned(5_000, 1, "ann");
    floor.said(20_000, What::Released { conversation: conversation(1), assignment: offer(1) });
    let by = agent("ann");
    floor.said(20_000, What::Transferred { conversation: conversation(1), by, note: None });
    floor.wanted(20_000, 1, "other", 20_000);
    let (service, other) = (floor.queue(25_000, "service"), floor.queue(25_000, "other"));
    assert_eq!((service.over[0].transferred, service.over[0].went_on, service.waiting), (1, 0, 0));
    assert_eq!((other.over[0].came, other.waiting), (1, 1));
    assert_eq!(floor.agent(25_000, "ann").unwrap().over[0].transferred, 1);
}

#[test]
fn an_overflow_goes_on_and_is_no_abandonment() {
    let mut floor = Floor::new();
    floor.wanted(0, 1, "service", 0);
    let (conversation, queue) = (conversation(1), queue("service"));
    floor.said(90_000, What::Withdrawn { conversation, queue, owner_epoch: 1 });
    floor.wanted(90_000, 1, "other", 0);
    let tally = floor.queue(90_000, "service").over[0];
    assert_eq!((tally.went_on, tally.abandoned, tally.judged, tally.in_time), (1, 0, 1, 0));
    assert_eq!(floor.queue(90_000, "other").longest_since, Some(Timestamp(NOON)));
}

#[test]
fn who_goes_back_to_a_bot_waits_no_more() {
    let mut floor = Floor::new();
    let (conversation, queue) = (conversation(1), queue("service"));
    floor.wanted(0, 1, "service", 0);
    floor.said(5, What::BotEngaged { conversation, bot: "welcome".parse().unwrap(), owner_epoch: 2, queue });
    let now = floor.queue(10, "service");
    assert_eq!((now.waiting, now.over[0].went_on, now.over[0].abandoned), (0, 1, 0));
}

#[test]
fn an_agent_writes_for_the_first_time_once() {
    let mut floor = Floor::new();
    floor.wanted(0, 1, "service", -1_000).assigned(5_000, 1, "ann");
    let sealed = || domain::Sealed { subject: Party([1; 16]), bytes: Default::default() };
    for at in [9_000, 30_000] {
        let outgoing = domain::conversation::Outgoing {
            tenant: "acme".parse().unwrap(),
            inbox: "chat".parse().unwrap(),
            channel: Channel::Sms,
            to: sealed(),
            body: sealed(),
            thread: None,
            not_before: None,
            by_person: true,
            signed: None,
            window: None,
        };
        let (conversation, message) = (conversation(1), domain::MessageId([at as u8; 16]));
        floor.said(at, What::Replied { conversation, agent: agent("ann"), message, outgoing });
    }
    let tally = floor.queue(60_000, "service").over[0];
    assert_eq!((tally.replied, tally.first_reply()), (1, Some(Millis(10_000))));
}

#[test]
fn time_is_spent_available_and_busy_from_the_acceptance_to_the_end_of_what_is_left_to_do() {
    let mut floor = Floor::new();
    floor.is(0, "ann", Presence::Available).offered(10_000, 1, "ann");
    assert_eq!(floor.queue(10_000, "service").taken.offers, 1);
    floor.accepted(20_000, 1, "ann");
    let until = Timestamp(NOON + 60_000);
    let (assignment, conversation) = (offer(1), conversation(1));
    floor.desk(50_000, Desk::WrapUpBegan { assignment, agent: agent("ann"), conversation, until });
    let now = floor.agent(55_000, "ann").unwrap();
    assert_eq!(now.holds, AgentHolds { wrap_ups: 1, ..AgentHolds::default() });
    // What was not measured yet counts too.
    assert_eq!((now.over[0].available, now.over[0].busy), (55_000, 35_000));
    floor.ended(60_000, 1, "ann").is(100_000, "ann", Presence::Away);
    let now = floor.agent(200_000, "ann").unwrap();
    assert_eq!((now.over[0].available, now.over[0].busy), (100_000, 40_000));
    assert_eq!(now.over[0].occupancy(), Some(0.4));
    assert_eq!(now.over[0].handling_time(), Some(Millis(40_000)));
    assert_eq!((now.presence, now.since), (Presence::Away, Some(Timestamp(NOON + 100_000))));
    assert_eq!(floor.queue(200_000, "service").taken, QueueTaken::default());
}

#[test]
fn who_refuses_is_counted_and_who_is_spared_is_not() {
    let mut floor = Floor::new();
    floor.is(0, "ann", Presence::Available);
    floor.offered(1, 1, "ann").offered(1, 2, "ann").offered(1, 3, "ann");
    floor.desk(2, Desk::Declined { offer: offer(1), conversation: conversation(1), agent: agent("ann") });
    floor.desk(3, Desk::Expired { offer: offer(2), conversation: conversation(2), agent: agent("ann") });
    floor.desk(
        4,
        Desk::Withdrawn {
            offer: offer(3),
            conversation: conversation(3),
            agent: agent("ann"),
            because: WithdrawnBecause::ConversationGone,
            command: None,
        },
    );
    let now = floor.agent(5, "ann").unwrap();
    assert_eq!((now.over[0].declined, now.over[0].expired), (1, 1));
    assert_eq!((now.holds, now.over[0].busy), (AgentHolds::default(), 0));
    assert_eq!(floor.queue(5, "service").over[0].declined, 1);
}

#[test]
fn windows_forget_and_nobody_is_shown_for_ever() {
    let mut floor = Floor::new();
    floor.is(0, "ann", Presence::Available).wanted(0, 1, "service", 0).assigned(1_000, 1, "ann");
    floor.desk(10_000, Desk::LeaseLapsed { agent: agent("ann") });
    let answered =
        |at| WINDOWS.len() - floor.queue(at, "service").over.iter().filter(|t| t.answered == 0).count();
    assert_eq!([10_000, 14 * MINUTE, 17 * MINUTE, 62 * MINUTE, 12 * HOUR].map(answered), [3, 3, 2, 1, 0]);
    assert!(floor.agent(11 * HOUR, "ann").is_some() && floor.agent(12 * HOUR, "ann").is_none());
}

#[test]
fn a_long_span_fills_every_window_and_no_more_memory() {
    let mut floor = Floor::new();
    floor.is(0, "ann", Presence::Available).is(100 * HOUR, "ann", Presence::Away);
    let now = floor.agent(100 * HOUR, "ann").unwrap();
    for (window, tally) in WINDOWS.iter().zip(now.over) {
        // To the minute; today began sixteen hours ago.
        let (span, grain) = match window {
            Window::Last(span) => (span.0, MINUTE as u64),
            Window::Today => ((16 * HOUR + 30_500) as u64, 0),
        };
        assert!((span..=span + grain).contains(&tally.available), "{window:?}: {tally:?}");
    }
    for minute in 0..10_000 {
        floor.is(200 * HOUR + minute * MINUTE, "ann", Presence::Available);
    }
    let len = floor.0.len();
    assert!(len < 30, "{len}");
    // A partition that is read late: too late to be counted anywhere.
    for minute in 0..100 {
        floor.wanted(minute * MINUTE, 1, "service", 0).assigned(minute * MINUTE, 1, "ann");
    }
    let windows = |at| floor.queue(at, "service").over.map(|tally| tally.answered);
    assert_eq!(windows(200 * HOUR), [0, 0, 0]);
    // Asked as of then, all that came later would be counted too.
    let ann = floor.agent(0, "ann").unwrap();
    assert!(ann.over.iter().all(|tally| tally.answered == 0));
}

/// A day begins at midnight where the queue is; where clocks are put back it has 25 hours.
#[test]
fn today_is_today_where_the_queue_is() {
    let mut policy = policy();
    let hours = |zone: &str| Hours { time_zone: zone.into(), ..Hours::default() };
    policy.hours.insert("office".parse().unwrap(), hours("Europe/Berlin"));
    policy.hours.insert("overseas".parse().unwrap(), hours("Asia/Kathmandu"));
    policy.queues.get_mut(&queue("other")).unwrap().hours = Some("overseas".parse().unwrap());
    let mut ann = Agent::default();
    ann.queues.insert(queue("other"));
    policy.agents.insert(agent("ann"), ann);

    // 2026-10-25 begins at 22:00 of the day before in Berlin, and at 18:15 in Kathmandu.
    let berlin = 1_792_879_200_000;
    let kathmandu = berlin - 3 * HOUR - 45 * MINUTE;
    let mut statistics = Statistics::default();
    statistics.policy(0, &policy);
    let mut floor = Floor(statistics);
    for (n, at) in [kathmandu - 1, kathmandu, berlin - 1, berlin].into_iter().enumerate() {
        let (at, n) = (at - NOON, u8::try_from(n).unwrap());
        for (n, name) in [(2 * n, "service"), (2 * n + 1, "other")] {
            floor.wanted(at, n, name, at).assigned(at, n, "ann");
        }
    }
    let look = |at: i64| {
        let now = floor.0.look(&desk(), Some(&policy), Timestamp(at));
        let queue = |name| now.queues.iter().find(|found| found.queue == queue(name)).unwrap();
        // Of an agent who is away, and did nothing lately, nothing is told.
        let of_ann = now.agents.first().map_or(0, |ann| ann.over[2].answered);
        (queue("service").over[2].answered, queue("other").over[2].answered, of_ann)
    };
    assert_eq!(look(berlin), (1, 3, 6), "an agent's day is that of the agent's first queue");
    assert_eq!(look(berlin + 25 * HOUR - 1), (1, 0, 0));
    let end = floor.0.look(&desk(), Some(&policy), Timestamp(berlin + 25 * HOUR));
    let of_service = end.queues.iter().find(|found| found.queue == queue("service")).unwrap();
    assert_eq!((of_service.over[2].answered, of_service.midnight), (0, Timestamp(berlin + 25 * HOUR)));
}

/// A partition that is read late still counts where it belongs, and what is older than all windows is dropped.
#[test]
fn the_order_of_partitions_does_not_matter() {
    /// What a partition tells next.
    type Told = Box<dyn Fn(&mut Floor)>;
    let mut course: Vec<(i64, Told)> = Vec::new();
    for n in 1..=40_u8 {
        let at = i64::from(n) * 97_000;
        let name = ["ann", "bob", "cem"][usize::from(n % 3)];
        course.push((0, Box::new(move |floor| _ = floor.wanted(at, n, "service", at))));
        course.push((0, Box::new(move |floor| _ = floor.assigned(at + 70_000, n, name))));
        course.push((1, Box::new(move |floor| _ = floor.is(at, name, Presence::Available))));
        course.push((1, Box::new(move |floor| _ = floor.offered(at + 1, n, name))));
        course.push((1, Box::new(move |floor| _ = floor.accepted(at + 70_000, n, name))));
        course.push((1, Box::new(move |floor| _ = floor.ended(at + 90_000, n, name))));
    }
    let told = |order: &mut dyn FnMut(usize) -> bool| {
        let mut lines: [Vec<_>; 2] = [0, 1].map(|line| {
            course.iter().filter(|(of, _)| *of == line).map(|(_, told)| told).collect::<Vec<_>>()
        });
        lines.iter_mut().for_each(|line| line.reverse());
        let mut floor = Floor::new();
        for step in 0.. {
            let line = usize::from(order(step));
            let Some(next) = lines[line].pop().or_else(|| lines[1 - line].pop()) else { break };
            next(&mut floor);
        }
        floor.0
    };
    let one_by_one = told(&mut |step| step % 2 == 0);
    assert_eq!(one_by_one.look(&desk(), None, Timestamp(NOON + 2 * HOUR)).queues[0].over[2].answered, 40);
    assert_eq!(told(&mut |_| false), one_by_one, "conversations first");
    assert_eq!(told(&mut |_| true), one_by_one, "desks first");
    assert_eq!(told(&mut |step| step.count_ones() % 3 == 0), one_by_one);
}

#[test]
fn what_is_kept_goes_on_as_it_was() {
    let mut floor = Floor::new();
    floor.wanted(0, 1, "service", 0).is(0, "ann", Presence::Available).offered(5, 1, "ann");
    let bytes = postcard::to_allocvec(&floor.0).unwrap();
    let mut kept = Floor(postcard::from_bytes(&bytes).unwrap());
    assert_eq!(kept.0, floor.0);
    for floor in [&mut floor, &mut kept] {
        floor.accepted(10, 1, "ann").assigned(11, 1, "ann").ended(20_000, 1, "ann");
    }
    assert_eq!(kept.0, floor.0);
    assert_eq!(kept.queue(30_000, "service").over[0].answered, 1);
}
