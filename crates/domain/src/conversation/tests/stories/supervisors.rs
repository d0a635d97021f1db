//! Supervisors take conversations and give them to others, whoever has them.

use super::super::{story::*, *};
use crate::conversation::{Command, HandOffReason, Transfer, What};
use crate::{Code, Policy};

use HandOffReason::{AgentGone, NoBot, Reassigned};

fn reassign(by: &str, owner_epoch: Option<u32>, to: Transfer) -> Command {
    Command::Reassign { conversation: id(1), by: agent(by), owner_epoch, to, note: Some(sealed(1, 99)) }
}

fn take() -> Command {
    reassign("sue", None, Transfer::Agent(agent("sue")))
}

fn given() -> What {
    What::Reassigned { conversation: id(1), by: Some(agent("sue")), note: Some(sealed(1, 99)) }
}

/// Sue asks for it, at a second, for a customer who has waited since another.
fn for_sue(owner_epoch: u32, since: i64, again: bool, at: i64) -> What {
    What::AgentWanted {
        conversation: id(1),
        channel: Channel::Sms,
        queue: queue("support"),
        owner_epoch,
        reason: Reassigned,
        since: seconds(since),
        again,
        agent: Some(agent("sue")),
        agent_until: Some(seconds(at + 30)),
        by_request: true,
        special: None,
    }
}

fn for_bob(owner_epoch: u32, since: i64, again: bool) -> What {
    What::AgentWanted {
        conversation: id(1),
        channel: Channel::Sms,
        queue: queue("support"),
        owner_epoch,
        reason: Reassigned,
        since: seconds(since),
        again,
        agent: Some(agent("bob")),
        agent_until: None,
        by_request: false,
        special: None,
    }
}

fn withdrawn(owner_epoch: u32) -> What {
    What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch }
}

#[test]
fn a_supervisor_takes_what_waits_before_whoever_is_just_accepting() {
    waiting()
        .at(40)
        .when(take())
        // The customer has waited since second 0, whoever takes it.
        .then([withdrawn(1), given(), for_sue(2, 0, false, 40)])
        .when(assign(1, 1, "ann", 1))
        .then([What::AssignmentRefused { conversation: id(1), offer: offer(1), command: command_id(7) }])
        .when(assign(1, 2, "sue", 2))
        .then([assigned(1, 3, "sue", 2)]);
}

#[test]
fn a_supervisor_takes_from_an_agent_who_can_do_nothing_more_with_it() {
    with_ann()
        .at(40)
        .when(take())
        .then([released(1, 1), given(), for_sue(3, 40, true, 40)])
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::NotOwner)
        .when(close(1, "ann", 1))
        .then_rejected(Code::NotOwner)
        .when(transfer(Transfer::Queue(queue("sales"))))
        .then_rejected(Code::NotOwner)
        .when(give_back(1, 1))
        .then([]);
}

#[test]
fn a_supervisor_takes_from_a_bot_whose_answer_comes_too_late() {
    let turn = turn(id(1), 1, 1);
    bot_is_asked()
        .at(5)
        .when(take())
        .then([given(), for_sue(2, 5, false, 5)])
        .no_timer_is_set()
        .when(answer(turn, &[say(2)]))
        .then_rejected(Code::Stale);
}

#[test]
fn a_supervisor_gives_it_to_an_agent_a_queue_or_a_desk() {
    let to = |to| reassign("sue", None, to);
    with_ann().at(9).when(to(Transfer::Agent(agent("bob")))).then([
        released(1, 1),
        given(),
        for_bob(3, 9, true),
    ]);
    waiting().at(9).when(to(Transfer::Agent(agent("bob")))).then([
        withdrawn(1),
        given(),
        for_bob(2, 0, false),
    ]);
    let elsewhere = |owner_epoch| wanted(1, owner_epoch, "care", Reassigned, 0);
    waiting().at(9).when(to(Transfer::Queue(queue("care")))).then([withdrawn(1), given(), elsewhere(2)]);
    waiting().at(9).when(to(Transfer::Desk(desk("night")))).then([withdrawn(1), given(), elsewhere(2)]);
    // What an agent cannot do, a supervisor cannot either.
    with_ann()
        .when(to(Transfer::Desk(desk("team"))))
        .then_rejected(Code::Invalid)
        .when(to(Transfer::Queue(queue("nowhere"))))
        .then_rejected(Code::NotFound)
        .when(to(Transfer::Agent(agent("nobody"))))
        .then_rejected(Code::NotFound)
        .when(to(Transfer::Agent(agent("ann"))))
        .then_rejected(Code::Invalid)
        .when(reply(1, "ann", 1, 2))
        .then([replied(1, "ann", 2)]);
}

#[test]
fn only_who_supervises_its_desk_may() {
    for by in ["ann", "bob", "nobody"] {
        let take = reassign(by, None, Transfer::Agent(agent("ann")));
        waiting().when(take.clone()).then_rejected(Code::Forbidden);
        bot_is_asked().when(take).then_rejected(Code::Forbidden);
    }
    // At the night's desk it is not Sue's to give.
    let overflowed = [withdrawn(1), wanted(1, 2, "care", HandOffReason::Overflowed, 0)];
    waiting().and(overflowed.clone()).when(take()).then_rejected(Code::Forbidden);
    waiting()
        .and(overflowed)
        .and([assigned_at_night(1, 3, "dee", 1)])
        .when(take())
        .then_rejected(Code::Forbidden);
    // Nor any more once the workspace says otherwise.
    let mut without = policy(2, None, "support");
    without.agents.get_mut(&agent("sue")).unwrap().supervises.clear();
    waiting().under(without).when(take()).then_rejected(Code::Forbidden);
    let fired = Policy { agents: [].into(), ..policy(2, None, "support") };
    waiting().under(fired).when(take()).then_rejected(Code::Forbidden);
}

#[test]
fn another_tenants_supervisor_finds_nothing() {
    let globex = DeskId::new("globex".parse().unwrap(), "team").unwrap();
    let by = AgentId::new(globex, "sue").unwrap();
    let to = Transfer::Queue(queue("sales"));
    let take = Command::Reassign { conversation: id(1), by, owner_epoch: None, to, note: None };
    waiting().when(take.clone()).then_rejected(Code::NotFound);
    with_ann().when(take).then_rejected(Code::NotFound);
}

#[test]
fn what_was_decided_by_what_was_seen_holds_only_for_that() {
    let seen = |epoch| reassign("sue", Some(epoch), Transfer::Agent(agent("bob")));
    // Ann was faster than Sue's decision about who waits.
    with_ann().when(seen(1)).then_rejected(Code::Stale).when(seen(2)).then([
        released(1, 1),
        given(),
        for_bob(3, 0, true),
    ]);
    with_ann()
        .and([released(1, 1), wanted(1, 3, "support", AgentGone, 0)])
        .when(seen(2))
        .then_rejected(Code::Stale);
}

#[test]
fn nothing_is_taken_from_the_closed() {
    let (by, reason) =
        (crate::conversation::Closer::Agent(agent("ann")), crate::conversation::CloseReason::Done);
    with_ann()
        .and([released(1, 1), What::Closed { conversation: id(1), by, reason }])
        .when(take())
        .then_rejected(Code::Closed)
        .and([opened(2), wanted(2, 1, "support", NoBot, 0)])
        .when(take())
        .then_rejected(Code::NotFound);
}
