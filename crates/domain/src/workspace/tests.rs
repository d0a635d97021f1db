use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Aggregate, Channel, Code, Context, Millis, Policies, Policy, Rejection, Timestamp,
    policy::{
        Agent, Bot, BotKind, Capacity, Day, Flow, Holiday, Hours, Inbox, OpenSpan, Queue, Vip, WhenClosed,
    },
};

use super::{Command, Decider, Event, Workspaces, check};

/// A small business: one inbox of each kind of owner, a queue, an agent, a bot, and when people are there.
fn sample(tenant: &str) -> Policy {
    let queue = format!("{tenant}/support/general").parse().unwrap();
    let queues = BTreeMap::from([(
        queue,
        Queue { priority: 0, offer_timeout: Millis::seconds(30), ..Queue::default() },
    )]);
    let agent = Agent {
        queues: queues.keys().cloned().collect(),
        capacity: Capacity {
            total: 3,
            per_channel: BTreeMap::from([(Channel::Sms, 2)]),
            ..Capacity::default()
        },
        ..Agent::default()
    };
    let flow = Flow { hours: Some("office".parse().unwrap()), ..Flow::default() };
    let bot = Bot { answer_within: Millis::seconds(10), kind: BotKind::BuiltIn(flow) };
    let open = vec![span(1, 540, 720), span(1, 720, 1020), span(2, 540, 1440)];
    Policy {
        tenant: tenant.parse().unwrap(),
        version: 0,
        inboxes: BTreeMap::from([(format!("{tenant}-email").parse().unwrap(), inbox(tenant))]),
        queues,
        agents: BTreeMap::from([(format!("{tenant}/support/ann").parse().unwrap(), agent)]),
        bots: BTreeMap::from([("greeter".parse().unwrap(), bot)]),
        hours: BTreeMap::from([(
            "office".parse().unwrap(),
            Hours { time_zone: "Europe/Berlin".into(), open, holidays: vec![] },
        )]),
        links: BTreeMap::new(),
    }
}

fn inbox(tenant: &str) -> Inbox {
    Inbox {
        channel: Channel::Email,
        address: format!("support@{tenant}.test"),
        bot: Some("greeter".parse().unwrap()),
        queue: format!("{tenant}/support/general").parse().unwrap(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: BTreeMap::new(),
    }
}

fn span(weekday: u8, from: u16, to: u16) -> OpenSpan {
    OpenSpan { weekday, from, to }
}

#[derive(Default)]
struct Story(Workspaces);

impl Story {
    fn apply(&mut self, policy: Policy) -> Result<Vec<Event>, Rejection> {
        let policies = Policies::default();
        let context = Context { now: Timestamp(1), policies: &policies, command: None };
        let events = Decider::decide(&self.0, &context, &Command::Apply(Arc::new(policy)))?;
        for event in &events {
            Decider::evolve(&mut self.0, context.now, event);
        }
        Ok(events)
    }

    fn version(&self, tenant: &str) -> u64 {
        self.0.in_force().version(&tenant.parse().unwrap())
    }
}

#[test]
fn each_new_document_is_the_next_version() {
    let mut story = Story::default();

    let first = sample("acme");
    let expected = Policy { version: 1, ..first.clone() };
    assert_eq!(story.apply(first.clone()), Ok(vec![Event::PolicyApplied(Arc::new(expected))]));

    let mut second = first;
    second.inboxes.clear();
    // Whatever version a document names, it becomes the next one.
    second.version = 77;
    story.apply(second.clone()).unwrap();

    assert_eq!(story.version("acme"), 2);
    let in_force = story.0.in_force().of(&"acme".parse().unwrap()).unwrap();
    assert_eq!(**in_force, Policy { version: 2, ..second });
}

#[test]
fn the_document_in_force_again_is_no_event() {
    let mut story = Story::default();
    story.apply(sample("acme")).unwrap();
    for version in [0, 1, 9] {
        assert_eq!(story.apply(Policy { version, ..sample("acme") }), Ok(Vec::new()));
    }
    assert_eq!(story.version("acme"), 1);
}

#[test]
fn tenants_have_versions_of_their_own_and_share_the_names_of_inboxes() {
    let mut story = Story::default();
    story.apply(sample("acme")).unwrap();
    story.apply(sample("globex")).unwrap();
    assert_eq!((story.version("acme"), story.version("globex")), (1, 1));

    let mut greedy = sample("globex");
    greedy.inboxes.insert("acme-email".parse().unwrap(), inbox("globex"));
    let rejection = story.apply(greedy.clone()).unwrap_err();
    assert_eq!(rejection.code, Code::Invalid);
    assert_eq!(rejection.detail, "inboxes.acme-email: this name is taken by another tenant");

    // Given up by the one, the name is free for the other.
    story.apply(Policy { inboxes: BTreeMap::new(), ..sample("acme") }).unwrap();
    story.apply(greedy).unwrap();
    assert_eq!((story.version("acme"), story.version("globex")), (2, 2));
}

#[test]
fn a_mailbox_is_one_that_customers_can_answer_to() {
    let mut policy = sample("acme");
    policy.inboxes.values_mut().next().unwrap().channel = Channel::Email;
    for (address, problems) in
        [("help@acme.test", 0), ("No-Reply@acme.test", 1), ("do_not_reply+x@acme.test", 1)]
    {
        policy.inboxes.values_mut().next().unwrap().address = address.into();
        assert_eq!(check(&policy).len(), problems, "{address}: {:?}", check(&policy));
    }
}

#[test]
fn a_mailbox_is_one_tenants() {
    let mut story = Story::default();
    story.apply(sample("acme")).unwrap();

    let mut greedy = sample("globex");
    greedy.inboxes.values_mut().for_each(|inbox| inbox.address = "Support@Acme.test".into());
    let rejection = story.apply(greedy.clone()).unwrap_err();
    assert_eq!(rejection.detail, "inboxes.globex-email.address: this address is taken by another tenant");

    // A number is only what we send from: whose it is, the provider knows.
    greedy.inboxes.values_mut().for_each(|inbox| inbox.channel = Channel::Sms);
    story.apply(greedy).unwrap();
}

#[test]
fn a_refusal_names_every_problem_and_changes_nothing() {
    let mut story = Story::default();
    let mut policy = sample("acme");
    policy.bots.clear();
    policy.queues.clear();
    let rejection = story.apply(policy).unwrap_err();
    assert_eq!(rejection.code, Code::Invalid);
    assert_eq!(
        rejection.detail,
        "inboxes.acme-email.queue: there is no queue acme/support/general; \
         inboxes.acme-email.bot: there is no bot greeter; \
         agents.acme/support/ann.queues: there is no queue acme/support/general; \
         hours.office: no queue and no bot goes by these hours"
    );
    assert_eq!(story.0, Workspaces::default());
}

#[test]
fn a_refusal_stays_short() {
    let mut policy = sample("acme");
    for number in 0..30 {
        let broken = Inbox { bot: Some("nobody".parse().unwrap()), ..inbox("acme") };
        policy.inboxes.insert(format!("n{number}").parse().unwrap(), broken);
    }
    let rejection = Story::default().apply(policy).unwrap_err();
    assert_eq!(rejection.detail.matches("there is no bot nobody").count(), 20);
    assert!(rejection.detail.ends_with("; and 10 more"), "{rejection}");
}

/// What `check` says of the sample once it is broken this way.
fn problems_of(broken: impl FnOnce(&mut Policy)) -> Vec<String> {
    let mut policy = sample("acme");
    broken(&mut policy);
    check(&policy).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_document_has_no_problems() {
    assert_eq!(problems_of(|_| {}), Vec::<String>::new());
}

#[test]
fn everything_belongs_to_the_documents_tenant() {
    let problems = problems_of(|policy| {
        let other = sample("globex");
        policy.queues.extend(other.queues);
        policy.agents.extend(other.agents);
    });
    assert_eq!(
        problems,
        [
            "queues.globex/support/general: this is not a queue of tenant acme",
            "agents.globex/support/ann: this is not an agent of tenant acme",
        ]
    );
}

#[test]
fn a_desk_has_one_default_queue_and_is_there_to_be_supervised() {
    let with = |queues: &[(&str, bool)], supervises: &str| {
        let mut policy = sample("acme");
        for (name, default) in queues {
            let queue = Queue { offer_timeout: Millis::seconds(30), default: *default, ..Queue::default() };
            policy.queues.insert(name.parse().unwrap(), queue);
            let agent = policy.agents.values_mut().next().unwrap();
            agent.queues.insert(name.parse().unwrap());
        }
        policy.agents.values_mut().for_each(|agent| agent.supervises = [supervises.parse().unwrap()].into());
        let problems = check(&policy).iter().map(ToString::to_string).collect::<Vec<_>>();
        let default = policy.default_queue(&"acme/support".parse().unwrap()).map(ToString::to_string);
        (problems, default)
    };
    let queue = |name: &str| Some(format!("acme/support/{name}"));
    assert_eq!(with(&[], "acme/support"), (vec![], queue("general")));
    assert_eq!(with(&[("acme/support/vip", false)], "acme/support"), (vec![], None));
    assert_eq!(with(&[("acme/support/vip", true)], "acme/support"), (vec![], queue("vip")));
    let (problems, _) = with(&[("acme/support/sales", true), ("acme/support/vip", true)], "acme/nowhere");
    assert_eq!(
        problems,
        [
            "queues.acme/support/vip.default: queue acme/support/sales is the default of desk acme/support already",
            "agents.acme/support/ann.supervises: there is no desk acme/nowhere",
        ]
    );
}

#[test]
fn an_agent_serves_queues_of_the_home_desk() {
    let problems = problems_of(|policy| {
        let elsewhere: crate::QueueId = "acme/sales/leads".parse().unwrap();
        policy.queues.insert(
            elsewhere.clone(),
            Queue { priority: 0, offer_timeout: Millis::hours(1), ..Queue::default() },
        );
        policy.agents.values_mut().for_each(|agent| agent.queues.extend([elsewhere.clone()]));
    });
    assert_eq!(
        problems,
        [
            "agents.acme/support/ann.queues: queue acme/sales/leads is not at the agent's home desk acme/support"
        ]
    );
}

#[test]
fn a_tag_that_goes_first_can_be_had_and_gives_something() {
    let with = |vips: &[(&str, u32)]| {
        let vips: Vec<_> =
            vips.iter().map(|(tag, priority)| Vip { tag: (*tag).into(), priority: *priority }).collect();
        problems_of(move |policy| policy.queues.values_mut().for_each(|queue| queue.vip = vips.clone()))
    };
    assert_eq!(with(&[("gold", 9), ("vip", 5)]), Vec::<String>::new());
    let at = "queues.acme/support/general.vip";
    assert_eq!(with(&[("vip", 5), ("", 1)]), [format!("{at}[1].tag: a tag has 1 to 64 bytes, not 0")]);
    assert_eq!(with(&[("two\nlines", 5)]), [format!("{at}[0].tag: a tag has no control characters")]);
    assert_eq!(with(&[("vip", 0)]), [format!("{at}[0].priority: gives no points: must be at least 1")]);
    assert_eq!(with(&[("vip", 5), ("vip", 6)]), [format!("{at}[1].tag: the tag \"vip\" is named twice")]);
}

#[test]
fn numbers_keep_within_their_ranges() {
    let with_timeout = |millis| {
        problems_of(move |policy| policy.queues.values_mut().for_each(|q| q.offer_timeout = Millis(millis)))
    };
    let with_answer = |millis| {
        problems_of(move |policy| policy.bots.values_mut().for_each(|b| b.answer_within = Millis(millis)))
    };
    for good in [1_000, 600_000] {
        assert!(with_timeout(good).is_empty() && with_answer(good).is_empty());
    }
    assert!(with_timeout(3_600_000).is_empty());
    for bad in [0, 999, 3_600_001] {
        let expected = "queues.acme/support/general.offer_timeout: must be between 1 second and 1 hour";
        assert_eq!(with_timeout(bad), [expected]);
    }
    for bad in [0, 999, 600_001] {
        assert_eq!(with_answer(bad), ["bots.greeter.answer_within: must be between 1 second and 10 minutes"]);
    }
    let idle = problems_of(|policy| policy.agents.values_mut().for_each(|agent| agent.capacity.total = 0));
    assert_eq!(idle, ["agents.acme/support/ann.capacity.total: must be at least 1"]);
}

#[test]
fn a_flow_names_hours_that_exist() {
    let problems = problems_of(|policy| policy.hours.clear());
    assert_eq!(problems, ["bots.greeter.flow.hours: there are no opening hours office"]);
}

#[test]
fn hours_are_spans_of_a_weekday_in_a_time_zone() {
    let with = |open: &[OpenSpan]| {
        problems_of(|policy| policy.hours.values_mut().for_each(|hours| hours.open = open.to_vec()))
    };
    assert!(with(&[]).is_empty());
    assert!(with(&[span(7, 0, 1440), span(6, 0, 1440)]).is_empty());
    assert_eq!(
        with(&[span(0, 1, 2), span(8, 1, 2)]),
        [
            "hours.office.open[0].weekday: must be 1 (Monday) to 7 (Sunday), not 0",
            "hours.office.open[1].weekday: must be 1 (Monday) to 7 (Sunday), not 8",
        ]
    );
    for bad in [span(1, 60, 60), span(1, 61, 60), span(1, 0, 1441)] {
        assert_eq!(with(&[bad]), ["hours.office.open[0]: must begin before it ends, and end by midnight"]);
    }
    // In whatever order they are written, and one within the other.
    assert_eq!(
        with(&[span(1, 600, 900), span(2, 0, 60), span(1, 540, 601)]),
        ["hours.office.open[0]: overlaps open[2]"]
    );
    assert_eq!(with(&[span(1, 0, 900), span(1, 10, 20)]), ["hours.office.open[1]: overlaps open[0]"]);

    let nowhere = problems_of(|policy| policy.hours.values_mut().for_each(|h| h.time_zone = " ".into()));
    assert_eq!(nowhere, ["hours.office.time_zone: \" \" is not an IANA time zone"]);
}

#[test]
fn holidays_are_days_that_there_are() {
    let with = |first: (Option<u16>, u8, u8), last: (Option<u16>, u8, u8), from, to| {
        let day = |(year, month, day)| Day { year, month, day };
        let holiday = Holiday { first: day(first), last: day(last), from, to };
        problems_of(|policy| policy.hours.values_mut().for_each(|hours| hours.holidays = vec![holiday]))
    };
    let at = |what: &str| vec![format!("hours.office.holidays[0]: {what}")];
    let (eve, new_year, leap) = ((None, 12, 24), (None, 1, 1), (Some(2026), 2, 29));
    assert_eq!(with(eve, new_year, 0, 1440), Vec::<String>::new(), "over the turn of the year");
    assert_eq!(with(leap, leap, 0, 1440), at("there is no day 2026-02-29"));
    assert_eq!(with((None, 2, 30), (None, 2, 30), 0, 1440), at("there is no day 02-30"));
    assert_eq!(with((Some(2026), 3, 2), (Some(2026), 3, 1), 0, 1440), at("ends before it begins"));
    assert_eq!(
        with((Some(2026), 3, 2), eve, 0, 1440),
        at("both its first and its last day name a year, or neither does")
    );
    assert_eq!(with(eve, eve, 720, 720), at("must begin before it ends, and end by midnight"));
    assert_eq!(with(eve, eve, 720, 1441), at("must begin before it ends, and end by midnight"));
}

#[test]
fn hours_are_there_to_be_gone_by() {
    let unused = problems_of(|policy| policy.bots.clear());
    assert!(
        unused.contains(&"hours.office: no queue and no bot goes by these hours".to_owned()),
        "{unused:?}"
    );
}

fn when_closed(change: impl Fn(&mut Queue)) -> Vec<String> {
    problems_of(|policy| policy.queues.values_mut().for_each(&change))
}

#[test]
fn a_queue_goes_by_hours_that_open() {
    let at = |what: &str| vec![format!("queues.acme/support/general.{what}")];
    let office = || Some("office".parse().unwrap());
    let say = |text: &str| Some(WhenClosed::Say(text.into()));
    assert_eq!(when_closed(|queue| queue.hours = office()), Vec::<String>::new());
    let nowhere = when_closed(|queue| queue.hours = Some("nights".parse().unwrap()));
    assert_eq!(nowhere, at("hours: there are no hours nights"));
    assert_eq!(
        when_closed(|queue| queue.when_closed = say("Closed.")),
        at("when_closed: without `hours` this queue never closes")
    );
    let said = |text: &str| when_closed(|queue| (queue.hours, queue.when_closed) = (office(), say(text)));
    assert_eq!(said("Back {date} at {time}."), Vec::<String>::new());
    assert_eq!(said(" "), at("when_closed.say: says nothing"));
    assert_eq!(
        said("Back {day}."),
        at("when_closed.say: {day} stands for nothing; there are {date} and {time}, of when it opens")
    );
    let never = problems_of(|policy| {
        policy.hours.values_mut().for_each(|hours| hours.open.clear());
        policy.queues.values_mut().for_each(|queue| queue.hours = office());
    });
    assert_eq!(never, at("hours: hours office are never open: whoever waits would wait for ever"));
}

#[test]
fn nobody_goes_round_for_ever_at_night() {
    let overflow = |to: &str| {
        when_closed(|queue| {
            queue.hours = Some("office".parse().unwrap());
            queue.when_closed = Some(WhenClosed::Overflow(to.parse().unwrap()));
        })
    };
    assert_eq!(
        overflow("acme/night/care"),
        ["queues.acme/support/general.when_closed.overflow: there is no queue acme/night/care"]
    );
    assert_eq!(
        overflow("acme/support/general"),
        [
            "queues.acme/support/general.when_closed.overflow: leads back here: whoever waits would go round for ever"
        ]
    );
}
