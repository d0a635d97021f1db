//! People are assigned, answer, give away, and go.

use super::super::{story::*, *};
use crate::conversation::{CloseReason, Closer, Command, HandOffReason, Transfer, What};
use crate::{Code, Policy, policy::Sticky};

use HandOffReason::{AgentGone, BotSilent, Overflowed, Transferred};

fn refused(number: u32, n: u64) -> What {
    What::AssignmentRefused { conversation: id(number), offer: offer(n), command: command_id(7) }
}

fn closed() -> What {
    What::Closed { conversation: id(1), by: Closer::Agent(agent("ann")), reason: CloseReason::Done }
}

fn given_away() -> What {
    What::Transferred { conversation: id(1), by: agent("ann"), note: Some(sealed(1, 99)) }
}

fn wanted_from(name: &str, waits_in: &str, owner_epoch: u32) -> What {
    What::AgentWanted {
        conversation: id(1),
        channel: Channel::Sms,
        queue: queue(waits_in),
        owner_epoch,
        reason: Transferred,
        since: seconds(0),
        again: false,
        agent: Some(agent(name)),
        agent_until: None,
        by_request: false,
        special: None,
    }
}

#[test]
fn whoever_accepts_in_time_gets_the_conversation() {
    waiting().when(assign(1, 1, "ann", 1)).then([assigned(1, 2, "ann", 1)]);
}

#[test]
fn whoever_accepts_late_is_refused() {
    // Someone else was faster.
    with_ann().when(assign(1, 1, "bob", 2)).then([refused(1, 2)]);
    with_ann().when(assign(1, 2, "bob", 2)).then([refused(1, 2)]);
    // It went away and came back to the queue.
    with_ann()
        .and([released(1, 1), wanted(1, 3, "support", AgentGone, 0)])
        .when(assign(1, 1, "bob", 2))
        .then([refused(1, 2)])
        .when(assign(1, 3, "bob", 3))
        .then([assigned(1, 4, "bob", 3)]);
    // A bot has it.
    bot_is_asked().when(assign(1, 1, "ann", 1)).then([refused(1, 1)]);
    // It is closed, and the customer's next one has begun.
    let over = || with_ann().and([released(1, 1), closed()]);
    over().when(assign(1, 1, "bob", 2)).then([refused(1, 2)]);
    over()
        .and([opened(2), wanted(2, 1, "support", HandOffReason::NoBot, 0)])
        .when(assign(1, 1, "bob", 2))
        .then([refused(1, 2)])
        .when(assign(2, 1, "bob", 3))
        .then([assigned(2, 2, "bob", 3)]);
}

#[test]
fn who_got_nobody_in_one_queue_waits_on_in_another() {
    let overflow = |owner_epoch| Command::Overflow {
        conversation: id(1),
        owner_epoch,
        to: queue("care"),
        since: seconds(0),
    };
    waiting()
        .at(60)
        .when(overflow(1))
        // Since then, and not since now, the customer has been waiting.
        .then([withdrawn(1), wanted(1, 2, "care", HandOffReason::Overflowed, 0)])
        // The same again comes too late, as does an acceptance in the queue before.
        .when(overflow(1))
        .then([])
        .when(assign(1, 1, "ann", 1))
        .then([refused(1, 1)]);
    with_ann().when(overflow(1)).then([]);
}

fn withdrawn(owner_epoch: u32) -> What {
    What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch }
}

/// A queue that waits 20 s for whoever had the customer in the last ten minutes.
fn sticky(greeter: Option<&str>) -> Policy {
    let mut policy = policy(2, greeter, "support");
    let sticky = Sticky { within: Millis::seconds(600), grace: Millis::seconds(20) };
    policy.queues.values_mut().for_each(|queue| queue.sticky = Some(sticky));
    policy
}

fn wanted_again(number: u32, owner_epoch: u32, reason: HandOffReason, at: i64) -> What {
    What::AgentWanted {
        conversation: id(number),
        channel: Channel::Sms,
        queue: queue("support"),
        owner_epoch,
        reason,
        since: seconds(at),
        again: false,
        agent: Some(agent("ann")),
        agent_until: Some(seconds(at + 20)),
        by_request: false,
        special: None,
    }
}

#[test]
fn who_writes_again_soon_goes_back_to_the_same_agent_past_the_bot() {
    let over = || with_ann().at(10).and([released(1, 1), closed()]);
    let reopened = || What::Reopened { conversation: id(1) };
    over().under(sticky(Some("greeter"))).at(400).when(receive(2)).then([
        reopened(),
        wanted_again(1, 3, HandOffReason::Returned, 400),
        message_received(1, 2),
    ]);
    over().under(sticky(None)).at(400).when(receive(2)).then([
        reopened(),
        wanted_again(1, 3, HandOffReason::NoBot, 400),
        message_received(1, 2),
    ]);
    // Ten minutes later nobody in particular is wanted, and the bot greets.
    let late = over().under(sticky(Some("greeter"))).at(611).when(receive(2)).events();
    assert!(late.iter().any(|event| matches!(event.what, What::BotEngaged { .. })), "{late:?}");
    // Who works there no more is not wanted.
    let mut without_ann = sticky(None);
    without_ann.agents.remove(&agent("ann"));
    over().under(without_ann).at(400).when(receive(2)).then([
        reopened(),
        wanted(1, 3, "support", HandOffReason::NoBot, 400),
        message_received(1, 2),
    ]);
}

#[test]
fn what_is_reopened_goes_back_to_the_desk_that_had_it() {
    let held = OfferId { desk: desk("night"), number: 1 };
    let by_dee =
        || What::Closed { conversation: id(1), by: Closer::Agent(agent("dee")), reason: CloseReason::Done };
    let over = || {
        waiting()
            .and([wanted(1, 2, "care", Overflowed, 0), assigned_at_night(1, 3, "dee", 1)])
            .at(10)
            .and([What::Released { conversation: id(1), assignment: held.clone() }, by_dee()])
    };
    let dees = |owner_epoch, at| What::AgentWanted {
        conversation: id(1),
        channel: Channel::Sms,
        queue: queue("care"),
        owner_epoch,
        reason: HandOffReason::Returned,
        since: seconds(at),
        again: false,
        agent: Some(agent("dee")),
        agent_until: Some(seconds(at + 20)),
        by_request: false,
        special: None,
    };
    let reopened = || What::Reopened { conversation: id(1) };
    over().under(sticky(Some("greeter"))).at(400).when(receive(2)).then([
        reopened(),
        dees(4, 400),
        message_received(1, 2),
    ]);
    // Its queue does not wait for whom it knows, or is gone; the inbox's does, but Dee works elsewhere.
    let mut forgetful = sticky(None);
    forgetful.queues.get_mut(&queue("care")).unwrap().sticky = None;
    let mut gone = sticky(None);
    gone.queues.remove(&queue("care"));
    for policy in [forgetful, gone] {
        over().under(policy).at(400).when(receive(2)).then([
            reopened(),
            wanted(1, 4, "support", HandOffReason::NoBot, 400),
            message_received(1, 2),
        ]);
    }
    // Another conversation is another matter: it begins at its inbox's.
    let later = 11 + REOPENS.0 as i64 / 1_000;
    let mut long = sticky(None);
    let sticky = Sticky { within: Millis::hours(24), grace: Millis::seconds(20) };
    long.queues.values_mut().for_each(|queue| queue.sticky = Some(sticky));
    let began = What::Opened { conversation: id(2), policy_version: 2 };
    over().under(long).at(later).when(receive(2)).then([
        began,
        wanted(2, 1, "support", HandOffReason::NoBot, later),
        message_received(2, 2),
    ]);
}

#[test]
fn only_its_agent_under_its_assignment_can_do_anything_with_it() {
    with_ann()
        .when(reply(1, "ann", 1, 2))
        .then([replied(1, "ann", 2)])
        .when(reply(1, "ann", 1, 3))
        .then([replied(1, "ann", 3)]);
    for (name, assignment) in [("bob", 1), ("ann", 2)] {
        with_ann()
            .when(reply(1, name, assignment, 2))
            .then_rejected(Code::NotOwner)
            .when(close(1, name, assignment))
            .then_rejected(Code::NotOwner)
            .when(Command::Transfer {
                conversation: id(1),
                agent: agent(name),
                assignment: offer(assignment),
                to: Transfer::Queue(queue("sales")),
                note: None,
            })
            .then_rejected(Code::NotOwner);
    }
    waiting().when(reply(1, "ann", 1, 2)).then_rejected(Code::NotOwner);
    bot_is_asked().when(close(1, "ann", 1)).then_rejected(Code::NotOwner);
}

#[test]
fn another_tenants_agent_finds_nothing() {
    let globex = DeskId::new("globex".parse().unwrap(), "team").unwrap();
    let (ann, assignment) =
        (AgentId::new(globex.clone(), "ann").unwrap(), OfferId { desk: globex, number: 1 });
    let close = Command::Close { conversation: id(1), agent: ann, assignment: Some(assignment) };
    with_ann().when(close.clone()).then_rejected(Code::NotFound);
    with_ann().and([released(1, 1), closed()]).when(close).then_rejected(Code::NotFound);
}

#[test]
fn nothing_can_be_done_with_a_closed_conversation() {
    with_ann()
        .when(close(1, "ann", 1))
        .then([released(1, 1), closed()])
        .when(close(1, "ann", 1))
        .then_rejected(Code::Closed)
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::Closed)
        .when(transfer(Transfer::Queue(queue("sales"))))
        .then_rejected(Code::Closed)
        .when(give_back(1, 1))
        .then([]);
}

#[test]
fn an_agent_transfers_to_a_queue() {
    with_ann()
        .at(8)
        .when(transfer(Transfer::Queue(queue("care"))))
        .then([released(1, 1), given_away(), wanted(1, 3, "care", Transferred, 8)])
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::NotOwner);
}

#[test]
fn an_agent_transfers_to_an_agent() {
    let to = |name| transfer(Transfer::Agent(agent(name)));
    // Bob serves the queue it came from; Dee only another; Cid none, but at the same desk; Eve none either, at a desk
    // with one queue.
    for (name, waits_in) in [("bob", "support"), ("dee", "care"), ("cid", "support"), ("eve", "care")] {
        with_ann().when(to(name)).then([released(1, 1), given_away(), wanted_from(name, waits_in, 3)]);
    }
    // From the night there is no telling who at the team should take it in Cid's place.
    let of_dee = |to| Command::Transfer {
        conversation: id(1),
        agent: agent("dee"),
        assignment: OfferId { desk: desk("night"), number: 1 },
        to: Transfer::Agent(agent(to)),
        note: None,
    };
    let with_dee = || waiting().and([wanted(1, 2, "care", Overflowed, 0), assigned_at_night(1, 3, "dee", 1)]);
    with_dee().when(of_dee("cid")).then_rejected(Code::Invalid);
    with_dee().under(with_default("support")).when(of_dee("cid")).then([
        What::Released { conversation: id(1), assignment: OfferId { desk: desk("night"), number: 1 } },
        What::Transferred { conversation: id(1), by: agent("dee"), note: None },
        wanted_from("cid", "support", 4),
    ]);
}

/// One of the team's two queues is its default.
fn with_default(name: &str) -> Policy {
    let mut policy = policy(2, None, "support");
    policy.queues.get_mut(&queue(name)).unwrap().default = true;
    policy
}

#[test]
fn an_agent_transfers_to_a_desk() {
    let to = |name| transfer(Transfer::Desk(desk(name)));
    let waits = |name| [released(1, 1), given_away(), wanted(1, 3, name, Transferred, 5)];
    with_ann().at(5).when(to("night")).then(waits("care"));
    with_ann().at(5).under(with_default("sales")).when(to("team")).then(waits("sales"));
    // With several queues, a desk says where; and a desk has one.
    with_ann()
        .when(to("team"))
        .then_rejected(Code::Invalid)
        .when(to("nowhere"))
        .then_rejected(Code::NotFound);
}

#[test]
fn a_transfer_to_what_is_not_there_is_refused() {
    with_ann()
        .when(transfer(Transfer::Queue(queue("nowhere"))))
        .then_rejected(Code::NotFound)
        .when(transfer(Transfer::Agent(agent("nobody"))))
        .then_rejected(Code::NotFound)
        .when(reply(1, "ann", 1, 2))
        .then([replied(1, "ann", 2)]);
}

#[test]
fn an_agent_can_transfer_even_where_the_inbox_is_gone() {
    let closed_down = Policy { inboxes: [].into(), ..policy(2, None, "support") };
    with_ann().under(closed_down).when(transfer(Transfer::Queue(queue("sales")))).then([
        released(1, 1),
        given_away(),
        wanted(1, 3, "sales", Transferred, 0),
    ]);
}

#[test]
fn the_conversation_of_an_agent_who_is_gone_returns_to_its_queue() {
    with_ann()
        .at(30)
        .when(give_back(1, 1))
        .then([released(1, 1), wanted(1, 3, "support", AgentGone, 30)])
        .when(give_back(1, 1))
        .then([])
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::NotOwner);
    // The queue is the one it was assigned from, be the inbox's what it may.
    with_ann()
        .under(policy(2, None, "sales"))
        .when(give_back(1, 1))
        .then([released(1, 1), wanted(1, 3, "support", AgentGone, 0)]);
}

#[test]
fn what_returns_to_a_queue_that_is_gone_goes_to_the_inboxs() {
    let mut without_support = policy(2, None, "sales");
    without_support.queues.remove(&queue("support"));
    with_ann()
        .under(without_support.clone())
        .when(give_back(1, 1))
        .then([released(1, 1), wanted(1, 3, "sales", AgentGone, 0)]);
    without_support.inboxes.clear();
    with_ann()
        .under(without_support)
        .when(give_back(1, 1))
        .then([released(1, 1), wanted(1, 3, "support", AgentGone, 0)]);
}

#[test]
fn an_assignment_that_ended_is_not_given_back() {
    // Transferred and with someone else by now.
    with_ann()
        .and([released(1, 1), wanted(1, 3, "support", Transferred, 0), assigned(1, 4, "bob", 2)])
        .when(give_back(1, 1))
        .then([]);
    // The customer's next conversation has begun.
    with_ann().and([released(1, 1), closed(), opened(2), engaged(2, 1)]).when(give_back(1, 1)).then([]);
}

#[test]
fn a_message_after_a_bot_fell_silent_is_for_the_queue() {
    bot_is_asked()
        .and([wanted(1, 2, "support", BotSilent, 0)])
        .no_timer_is_set()
        .when(receive(2))
        .then([message_received(1, 2)])
        .when(assign(1, 2, "ann", 1))
        .then([assigned(1, 3, "ann", 1)]);
}
