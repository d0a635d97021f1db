//! Whatever happens, in whatever order, the conversations keep their invariants (DESIGN §8: 3, 7, 8, 9, 15). They are
//! checked by name in [`World`], after every step and at every event.

use proptest::prelude::*;

use super::{
    story::{note, received},
    world::{World, elsewhere},
    *,
};
use crate::conversation::{
    BotAction, Command, Conversations, Decider, Event, NoteKind, Owner, ReceiptKind, Received, ReplyBy,
    TimerId, Transfer, What, Window,
};
use crate::{
    Aggregate, Code,
    policy::{Callback, Needs, Special, Sticky, Vip, WhenClosed},
};

const CUSTOMERS: u8 = 4;
const AGENTS: [&str; 6] = ["ann", "bob", "cid", "dee", "eve", "sue"];

/// What the ledger may say of a customer.
const TAGS: [&[&str]; 4] = [&[], &["old"], &["gold", "new"], &["old", "gold"]];

/// So urgent, and for someone who knows about taxes.
fn taxing(priority: u32, level: u8) -> Box<Special> {
    let skills = (level > 0).then(|| ("tax".parse().unwrap(), level)).into_iter().collect();
    Box::new(Special { priority, needs: Needs { skills, ..Needs::default() } })
}

/// A policy in short.
#[derive(Clone, Debug)]
struct Plan {
    greeter: Option<bool>,
    waits_in: usize,
    inbox_is_gone: bool,
    queue_is_gone: bool,
    /// Queues wait for the agent who knows the customer.
    sticky: bool,
    /// Queues put customers with a tag before others.
    has_vips: bool,
    /// Queues answer by mail who writes while they are closed.
    calls_back: bool,
}

impl Plan {
    fn policy(&self, version: u64) -> Policy {
        let greeter = self.greeter.map(|other| if other { "other" } else { "greeter" });
        let mut policy = policy(version, greeter, ["sales", "support", "care"][self.waits_in]);
        if self.inbox_is_gone {
            policy.inboxes.clear();
        }
        if self.queue_is_gone {
            policy.queues.remove(&queue(if self.waits_in == 0 { "support" } else { "sales" }));
        }
        if self.sticky {
            let sticky = Sticky { within: Millis::seconds(2_000), grace: Millis::seconds(20) };
            policy.queues.values_mut().for_each(|queue| queue.sticky = Some(sticky));
        }
        if self.has_vips {
            let vip = |tag: &str, priority| Vip { tag: tag.into(), priority };
            policy.queues.values_mut().for_each(|queue| queue.vip = vec![vip("old", 1), vip("gold", 9)]);
        }
        if self.calls_back {
            let (promise, say) = ("We write to you.".into(), None);
            let callback = Callback { inbox: elsewhere(0).inbox, promise, say };
            let queues = policy.queues.values_mut();
            queues.for_each(|queue| queue.when_closed = Some(WhenClosed::Callback(callback.clone())));
        }
        // Ann and Dee know about taxes, for what conversations need beyond their queues.
        for name in ["ann", "dee"] {
            let agent = policy.agents.get_mut(&agent(name)).expect("one of the team");
            agent.skills.insert("tax".parse().unwrap(), 2);
        }
        policy
    }
}

/// Who answers a turn.
#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    WhoWasAsked,
    AnotherBot,
    AnotherTenant,
}

#[derive(Clone, Debug)]
enum Action {
    Receive {
        customer: u8,
        placed: Option<u8>,
        thread: bool,
    },
    Note {
        customer: u8,
        by_customer: bool,
    },
    /// Another application takes the customer's thread, or gives it back.
    Thread {
        customer: u8,
        elsewhere: bool,
    },
    /// The business answers, but not from here.
    Echo {
        customer: u8,
    },
    /// Of a message of ours, whether it is known to have been sent or not.
    Receipt {
        message: usize,
        kind: ReceiptKind,
    },
    /// Of messages that someone else sent to the customer.
    StrangeReceipt {
        customer: u8,
        kind: ReceiptKind,
        message: u8,
    },
    /// Of everything until now.
    Watermark {
        customer: u8,
        kind: ReceiptKind,
    },
    Opt {
        customer: u8,
        out: bool,
    },
    Answer {
        turn: usize,
        by: By,
        says: usize,
        end: Option<BotAction>,
        says_more: bool,
    },
    Deliver {
        which: usize,
        works: bool,
    },
    Accept {
        waiting: usize,
    },
    Reply {
        assignment: usize,
        by: Option<usize>,
    },
    Transfer {
        assignment: usize,
        to: Transfer,
    },
    /// Of the customer's latest conversation.
    Reassign {
        customer: u8,
        by: usize,
        /// What was seen is so, or is not any more.
        seen: Option<bool>,
        to: Transfer,
    },
    Snooze {
        assignment: usize,
        seconds: u64,
    },
    /// Whoever ever had one of a customer's wants it back.
    Wake {
        assignment: usize,
    },
    /// Or is done with it after all.
    CloseAway {
        assignment: usize,
    },
    /// The ledger has news of a customer.
    Tags {
        customer: u8,
        tags: usize,
    },
    /// Which other addresses are the same contact's.
    Others {
        customer: u8,
        others: Vec<u8>,
    },
    /// One of them says what it is.
    SaysAddress {
        customer: u8,
        other: u8,
        writable: bool,
    },
    Consult {
        assignment: usize,
        whom: Transfer,
    },
    AnswerConsult {
        which: usize,
        someone: bool,
    },
    ConsultGone {
        which: usize,
    },
    /// By any agent, of a conversation that someone had.
    EndConsult {
        assignment: usize,
        by: usize,
    },
    Remark {
        assignment: usize,
        by: usize,
    },
    /// An administrator does what a supervisor may.
    Override {
        customer: u8,
        seen: Option<bool>,
        to: Transfer,
    },
    Close {
        assignment: usize,
    },
    GiveBack {
        assignment: usize,
    },
    /// The desk sends on who waits, or who waited a while ago.
    Overflow {
        waiting: usize,
        to: QueueId,
    },
    /// The desk finds the queue closed of who waits, or waited a while ago, for so long.
    TellAway {
        waiting: usize,
        seconds: Option<u64>,
    },
    AwayText {
        waiting: usize,
    },
    /// Relays about what never was.
    Nonsense {
        customer: u8,
    },
    Pass {
        seconds: u64,
    },
    Wait {
        seconds: u64,
    },
    Adopt(Plan),
    Retire {
        seconds: u64,
    },
}

fn plan() -> impl Strategy<Value = Plan> {
    let rarely = || prop::bool::weighted(0.15);
    let greeter = prop::option::weighted(0.7, any::<bool>());
    let does = (any::<bool>(), any::<bool>(), any::<bool>());
    (greeter, 0..3_usize, rarely(), rarely(), does).prop_map(
        |(greeter, waits_in, inbox_is_gone, queue_is_gone, (sticky, has_vips, calls_back))| Plan {
            greeter,
            waits_in,
            inbox_is_gone,
            queue_is_gone,
            sticky,
            has_vips,
            calls_back,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let customer = || 0..CUSTOMERS;
    let end = prop_oneof![
        2 => Just(None),
        2 => (prop::option::of(0..3_usize), prop::option::of((0..3_u32, 0..4_u8))).prop_map(|(n, special)| {
            let queue = n.map(|n| queue(["sales", "care", "nowhere"][n]));
            Some(BotAction::HandOff { queue, special: special.map(|(points, level)| taxing(points, level)) })
        }),
        1 => Just(Some(BotAction::Close)),
    ];
    let by =
        prop_oneof![18 => Just(By::WhoWasAsked), 1 => Just(By::AnotherBot), 1 => Just(By::AnotherTenant)];
    let to = || {
        prop_oneof![
            2 => (0..4_usize)
                .prop_map(|n| Transfer::Queue(queue(["sales", "support", "care", "nowhere"][n]))),
            2 => (0..AGENTS.len()).prop_map(|n| Transfer::Agent(agent(AGENTS[n]))),
            1 => (0..3_usize).prop_map(|n| Transfer::Desk(desk(["team", "night", "nowhere"][n]))),
        ]
    };
    let by_supervisor = || prop_oneof![6 => Just(AGENTS.len() - 1), 1 => 0..AGENTS.len()];
    let kind = || prop::sample::select(vec![ReceiptKind::Failed, ReceiptKind::Delivered, ReceiptKind::Read]);
    let any_of = any::<usize>;
    prop_oneof![
        10 => (customer(), prop::option::weighted(0.1, customer()), any::<bool>())
            .prop_map(|(customer, placed, thread)| Action::Receive { customer, placed, thread }),
        1 => (customer(), any::<bool>())
            .prop_map(|(customer, by_customer)| Action::Note { customer, by_customer }),
        3 => (customer(), any::<bool>())
            .prop_map(|(customer, elsewhere)| Action::Thread { customer, elsewhere }),
        2 => customer().prop_map(|customer| Action::Echo { customer }),
        5 => (any_of(), kind()).prop_map(|(message, kind)| Action::Receipt { message, kind }),
        1 => (customer(), kind(), 0..12_u8)
            .prop_map(|(customer, kind, message)| Action::StrangeReceipt { customer, kind, message }),
        1 => (customer(), kind()).prop_map(|(customer, kind)| Action::Watermark { customer, kind }),
        2 => (customer(), prop::bool::weighted(0.5)).prop_map(|(customer, out)| Action::Opt { customer, out }),
        8 => (any_of(), by, 0..3_usize, end, prop::bool::weighted(0.05))
            .prop_map(|(turn, by, says, end, says_more)| Action::Answer { turn, by, says, end, says_more }),
        10 => (any_of(), prop::bool::weighted(0.8)).prop_map(|(which, works)| Action::Deliver { which, works }),
        7 => any_of().prop_map(|waiting| Action::Accept { waiting }),
        5 => (any_of(), prop::option::weighted(0.1, 0..AGENTS.len()))
            .prop_map(|(assignment, by)| Action::Reply { assignment, by }),
        3 => (any_of(), to()).prop_map(|(assignment, to)| Action::Transfer { assignment, to }),
        3 => (customer(), by_supervisor(), prop::option::of(prop::bool::weighted(0.7)), to())
            .prop_map(|(customer, by, seen, to)| Action::Reassign { customer, by, seen, to }),
        3 => (any_of(), 0..4_000_u64)
            .prop_map(|(assignment, seconds)| Action::Snooze { assignment, seconds }),
        2 => any_of().prop_map(|assignment| Action::Wake { assignment }),
        1 => any_of().prop_map(|assignment| Action::CloseAway { assignment }),
        3 => (customer(), 0..TAGS.len()).prop_map(|(customer, tags)| Action::Tags { customer, tags }),
        3 => (customer(), prop::sample::subsequence(vec![0_u8, 1, 2], 0..4))
            .prop_map(|(customer, others)| Action::Others { customer, others }),
        4 => (customer(), 0..3_u8, prop::bool::weighted(0.8))
            .prop_map(|(customer, other, writable)| Action::SaysAddress { customer, other, writable }),
        5 => (any_of(), to()).prop_map(|(assignment, whom)| Action::Consult { assignment, whom }),
        4 => (any_of(), prop::bool::weighted(0.8))
            .prop_map(|(which, someone)| Action::AnswerConsult { which, someone }),
        1 => any_of().prop_map(|which| Action::ConsultGone { which }),
        1 => (any_of(), 0..AGENTS.len()).prop_map(|(assignment, by)| Action::EndConsult { assignment, by }),
        3 => (any_of(), 0..AGENTS.len()).prop_map(|(assignment, by)| Action::Remark { assignment, by }),
        1 => (customer(), prop::option::of(prop::bool::weighted(0.7)), to())
            .prop_map(|(customer, seen, to)| Action::Override { customer, seen, to }),
        3 => any_of().prop_map(|assignment| Action::Close { assignment }),
        2 => any_of().prop_map(|assignment| Action::GiveBack { assignment }),
        2 => (any_of(), 0..3_usize).prop_map(|(waiting, n)| {
            Action::Overflow { waiting, to: queue(["sales", "support", "care"][n]) }
        }),
        3 => (any_of(), prop::option::of(0..600_u64))
            .prop_map(|(waiting, seconds)| Action::TellAway { waiting, seconds }),
        3 => any_of().prop_map(|waiting| Action::AwayText { waiting }),
        1 => customer().prop_map(|customer| Action::Nonsense { customer }),
        1 => (0..60_u64).prop_map(|seconds| Action::Pass { seconds }),
        2 => (0..5_000_u64).prop_map(|seconds| Action::Wait { seconds }),
        1 => plan().prop_map(Action::Adopt),
        3 => (0..4_000_u64).prop_map(|seconds| Action::Retire { seconds }),
    ]
}

/// One of them, the latest more often than others: the rest is mostly stale.
fn pick<T: Clone>(all: &[T], which: usize) -> Option<T> {
    let back = if which.is_multiple_of(3) {
        which / 3 % all.len().max(1)
    } else {
        which / 3 % all.len().clamp(1, 4)
    };
    all.iter().rev().nth(back).cloned()
}

fn act(world: &mut World, version: u64, action: &Action) {
    match action {
        Action::Receive { customer, placed, thread } => {
            let message = world.new_message();
            world.fact(Command::Receive(Box::new(Received {
                from: correspondent(*customer),
                message,
                content: sealed(*customer, 1),
                thread: thread.then(|| sealed(*customer, 2)),
                placed: placed.map(|other| conversation(other, 1)),
                window: (*customer % 2 == 1).then(|| Window {
                    until: world.now() + Millis::seconds(60),
                    person_until: world.now() + Millis::seconds(600),
                }),
                ..received(1)
            })));
        }
        Action::Note { customer, by_customer } => {
            let kind = if *by_customer { NoteKind::Referral } else { NoteKind::Bounce };
            let (from, message, at) = (correspondent(*customer), world.new_message(), world.now());
            world.fact(note(from, kind, message, None, at, None));
        }
        Action::Thread { customer, elsewhere } => {
            let (from, at) = (correspondent(*customer), world.now());
            world.fact(Command::HoldThread { from, elsewhere: *elsewhere, app: None, note: None, at });
        }
        Action::Echo { customer } => {
            let (from, message, at) = (correspondent(*customer), world.new_message(), world.now());
            world.fact(note(from, NoteKind::Echo, message, None, at, None));
        }
        Action::Receipt { message, kind } => {
            if let Some((party, message)) = pick(&world.written, *message) {
                world.receipt(party, message.to_string().into(), *kind);
            }
        }
        Action::StrangeReceipt { customer, kind, message } => {
            world.receipt(party(*customer), format!("strange-{message}").into(), *kind);
        }
        Action::Watermark { customer, kind } => {
            let (party, kind, at) = (party(*customer), *kind, world.now());
            let watermark = Some(at);
            world.fact(Command::Receipt {
                party,
                kind,
                provider_id: None,
                watermark,
                at,
                reason: None,
                pricing: None,
            });
        }
        Action::Opt { customer, out } => {
            let from = correspondent(*customer);
            world.fact(if *out { Command::OptOut { from } } else { Command::OptIn { from } });
        }
        Action::Answer { turn, by, says, end, says_more } => {
            let Some((turn, asked)) = pick(&world.turns, *turn) else { return };
            let mut actions: Vec<_> = (0..*says).map(|_| say(world, turn.conversation)).collect();
            actions.extend(end.clone());
            if *says_more {
                actions.push(say(world, turn.conversation));
            }
            let (tenant, bot) = match by {
                By::WhoWasAsked => (tenant(), asked),
                By::AnotherBot => (tenant(), bot("stranger")),
                By::AnotherTenant => ("globex".parse().unwrap(), asked),
            };
            let refused = world.command(Command::BotAnswer { turn, tenant, bot, actions });
            assert!(*by == By::WhoWasAsked || refused.is_some(), "a bot answered another's turn: {turn}");
            assert!(*by != By::AnotherTenant || refused == Some(Code::NotFound), "{refused:?}");
        }
        Action::Deliver { which, works } => world.deliver(*which, *works),
        Action::Accept { waiting } => {
            if let Some(waiting) = pick(&world.at_desks, *waiting) {
                world.accept(waiting);
            }
        }
        Action::Reply { assignment, by } => {
            let Some((conversation, owner, assignment)) = pick(&world.assignments, *assignment) else {
                return;
            };
            let agent = by.map_or(owner, |by| agent(AGENTS[by]));
            let message = world.new_message();
            let body = Sealed { subject: conversation.party, bytes: vec![3].into() };
            world.command(Command::Reply {
                conversation,
                agent,
                assignment,
                message,
                body,
                by: Some(ReplyBy::Hold),
            });
        }
        Action::Transfer { assignment, to } => {
            if let Some((conversation, agent, assignment)) = pick(&world.assignments, *assignment) {
                world.command(Command::Transfer {
                    conversation,
                    agent,
                    assignment,
                    to: to.clone(),
                    note: None,
                });
            }
        }
        Action::Reassign { customer, by, seen, to } => {
            let Some((conversation, now, desk_now)) = world.latest(*customer) else { return };
            let owner_epoch = seen.map(|is_so| if is_so { now } else { now + 1 });
            let (by, to) = (agent(AGENTS[*by]), to.clone());
            let may = by == agent("sue") && desk_now.is_none_or(|owner| owner == desk("team"));
            let note = None;
            let refused = world.command(Command::Reassign { conversation, by, owner_epoch, to, note });
            assert!(may || refused.is_some(), "{conversation} is not theirs to give");
            assert!(*seen != Some(false) || refused.is_some(), "{conversation} is not as it was seen");
        }
        Action::Snooze { assignment, seconds } => {
            if let Some((conversation, agent, assignment)) = pick(&world.assignments, *assignment) {
                let until = world.now() + Millis::seconds(*seconds);
                world.command(Command::Snooze { conversation, agent, assignment, until });
            }
        }
        Action::Wake { assignment } => {
            if let Some((conversation, agent, _)) = pick(&world.assignments, *assignment) {
                let is_theirs = world.put_away_by(conversation) == Some(&agent);
                let refused = world.command(Command::Wake { conversation, agent });
                assert_eq!(refused.is_none(), is_theirs, "{conversation} comes back to whoever put it away");
            }
        }
        Action::CloseAway { assignment } => {
            if let Some((conversation, agent, _)) = pick(&world.assignments, *assignment) {
                let is_theirs = world.put_away_by(conversation) == Some(&agent);
                let refused = world.command(Command::Close { conversation, agent, assignment: None });
                assert_eq!(refused.is_none(), is_theirs, "{conversation} is closed by whoever put it away");
            }
        }
        Action::Tags { customer, tags } => world.note_tags(*customer, TAGS[*tags]),
        Action::Others { customer, others } => world.note_others(*customer, others),
        Action::SaysAddress { customer, other, writable } => {
            world.note_address(*customer, *other, *writable);
        }
        Action::Consult { assignment, whom } => {
            if let Some((conversation, agent, assignment)) = pick(&world.assignments, *assignment) {
                let (whom, note) = (whom.clone(), None);
                world.consult(Command::Consult { conversation, agent, assignment, whom, note });
            }
        }
        Action::AnswerConsult { which, someone } => world.answer_consult(*which, *someone),
        Action::ConsultGone { which } => {
            if let Some(asked) = pick(&world.consulted, *which) {
                world.consult_gone(asked);
            }
        }
        Action::EndConsult { assignment, by } => {
            if let Some((conversation, ..)) = pick(&world.assignments, *assignment) {
                world.command(Command::EndConsult { conversation, agent: agent(AGENTS[*by]) });
            }
        }
        Action::Remark { assignment, by } => {
            if let Some((conversation, ..)) = pick(&world.assignments, *assignment) {
                let (agent, message) = (agent(AGENTS[*by]), world.new_message());
                let body = Sealed { subject: conversation.party, bytes: vec![5].into() };
                world.command(Command::Remark { conversation, agent, message, body });
            }
        }
        Action::Override { customer, seen, to } => {
            let Some((conversation, now, _)) = world.latest(*customer) else { return };
            let owner_epoch = seen.map(|is_so| if is_so { now } else { now + 1 });
            let (tenant, to, note) = (tenant(), to.clone(), None);
            let refused = world.command(Command::Override { conversation, tenant, owner_epoch, to, note });
            assert!(*seen != Some(false) || refused.is_some(), "{conversation} is not as it was seen");
        }
        Action::Close { assignment } => {
            if let Some((conversation, agent, assignment)) = pick(&world.assignments, *assignment) {
                world.command(Command::Close { conversation, agent, assignment: Some(assignment) });
            }
        }
        Action::GiveBack { assignment } => {
            if let Some((conversation, _, assignment)) = pick(&world.assignments, *assignment) {
                world.give_back(conversation, assignment);
            }
        }
        Action::Overflow { waiting, to } => {
            if let Some(waiting) = pick(&world.at_desks, *waiting) {
                world.overflow(waiting, to.clone());
            }
        }
        Action::TellAway { waiting, seconds } => {
            if let Some(waiting) = pick(&world.at_desks, *waiting) {
                let until = seconds.map(|seconds| world.now() + Millis::seconds(seconds));
                world.tell_away(waiting, until);
            }
        }
        Action::AwayText { waiting } => {
            if let Some(waiting) = pick(&world.at_desks, *waiting) {
                world.away_text(waiting);
            }
        }
        Action::Nonsense { customer } => {
            let conversation = conversation(*customer, 99);
            world.relay(World::stranger(), Command::GiveBack { conversation, assignment: offer(99) });
        }
        Action::Pass { seconds } => world.pass(Millis::seconds(*seconds)),
        Action::Wait { seconds } => {
            world.pass(Millis::seconds(*seconds));
            world.fire_all();
        }
        Action::Adopt(plan) => world.adopt(plan.policy(version)),
        Action::Retire { seconds } => world.retire(Millis::seconds(*seconds)),
    }
}

fn say(world: &mut World, id: ConversationId) -> BotAction {
    BotAction::Say { message: world.new_message(), body: Sealed { subject: id.party, bytes: vec![4].into() } }
}

/// What happened to a business until everything had come to rest, or not yet.
fn live(first: &Plan, actions: &[Action], retires: bool) -> World {
    let mut world = World::new(first.policy(1), retires);
    for (number, action) in (2..).zip(actions) {
        act(&mut world, number, action);
    }
    world
}

proptest! {
    #[test]
    fn conversations_keep_their_invariants(first in plan(), actions in prop::collection::vec(action(), 1..150)) {
        live(&first, &actions, true).wind_up();
    }

    /// But for leaving and coming back, everything happens as if nobody ever left.
    #[test]
    fn leaving_memory_changes_nothing_else(first in plan(), actions in prop::collection::vec(action(), 1..150)) {
        let of = |retires| live(&first, &actions, retires).history();
        let is_else = |(_, event): &(Timestamp, Event)| {
            !matches!(event.what, What::Retired { .. } | What::Returned { .. })
        };
        prop_assert_eq!(of(true).into_iter().filter(is_else).collect::<Vec<_>>(), of(false));
    }

    /// Folding never fails, whatever of a history is read, and in whatever order.
    #[test]
    fn every_stored_event_applies(
        first in plan(),
        actions in prop::collection::vec(action(), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let history = live(&first, &actions, true).history();
        // A reject would end a long run of them.
        if history.is_empty() {
            return Ok(());
        }
        let mut state = Conversations::default();
        for index in order {
            let (at, event) = index.get(&history);
            Decider::evolve(&mut state, *at, event);
            // What there is hangs together: every turn has the timer by which it is found.
            let latest = state.customers().filter_map(|(_, customer)| customer.latest.as_ref()?.owner());
            let turns = latest.filter(|owner| matches!(owner, Owner::Bot { turn: Some(_), .. })).count();
            prop_assert_eq!(state.open_turns().count(), turns);
            for (party, customer) in state.customers() {
                let Some(latest) = &customer.latest else { continue };
                let id = ConversationId { party, number: latest.number };
                let sleeps = matches!(latest.owner(), Some(Owner::Snoozed { .. }));
                prop_assert!(!sleeps || state.timers.due(&TimerId::Snoozed(id)).is_some());
            }
        }
    }
}
