//! Another agent is asked in.

use super::super::{story::*, *};
use crate::{
    Code,
    conversation::{CloseReason, Closer, Command, ConsultEnd, HandOffReason, Transfer, What},
};

/// As the commands of stories are called.
const ASKED: CommandId = CommandId([0; 16]);

fn ask(whom: Transfer) -> Command {
    let (agent, note) = (agent("ann"), Some(sealed(1, 50)));
    Command::Consult { conversation: id(1), agent, assignment: offer(1), whom, note }
}

fn asked(whom: Transfer) -> What {
    let (by, note) = (agent("ann"), Some(sealed(1, 50)));
    What::ConsultAsked { conversation: id(1), consult: ASKED, by, whom, note }
}

fn found(name: Option<&str>) -> Command {
    Command::ConsultAnswer { conversation: id(1), consult: ASKED, agent: name.map(agent) }
}

fn began(name: &str) -> What {
    let (by, agent, note) = (agent("ann"), agent(name), Some(sealed(1, 50)));
    What::ConsultBegan { conversation: id(1), consult: ASKED, by, agent, note }
}

fn ended(name: Option<&str>, because: ConsultEnd) -> What {
    let (desk, agent) = (desk("team"), name.map(agent));
    What::ConsultEnded { conversation: id(1), consult: ASKED, desk, agent, because }
}

fn remark(name: &str) -> Command {
    Command::Remark { conversation: id(1), agent: agent(name), message: message(9), body: sealed(1, 9) }
}

fn remarked(name: &str) -> What {
    What::Remarked { conversation: id(1), by: agent(name), message: message(9), body: sealed(1, 9) }
}

fn end(name: &str) -> Command {
    Command::EndConsult { conversation: id(1), agent: agent(name) }
}

fn anns() -> Story {
    waiting().and([assigned(1, 2, "ann", 1)])
}

/// Ann has the conversation, and Bob looks on.
fn with_bob() -> Story {
    anns().and([asked(Transfer::Agent(agent("bob"))), began("bob")])
}

#[test]
fn two_exchange_remarks_until_either_has_enough() {
    let story = anns().when_asked(ASKED, ask(Transfer::Agent(agent("bob"))));
    let story = story.then([asked(Transfer::Agent(agent("bob")))]);
    let story = story.when(remark("ann")).then_rejected(Code::NotPresent);
    let story = story.when(found(Some("bob"))).then([began("bob")]);
    let story = story.when(remark("ann")).then([remarked("ann")]).when(remark("bob")).then([remarked("bob")]);
    let story = story.when(remark("cid")).then_rejected(Code::NotOwner);
    let story = story.when(reply(1, "bob", 1, 7)).then_rejected(Code::NotOwner);
    let story = story.when(end("cid")).then_rejected(Code::NotOwner);
    let story = story.when(end("bob")).then([ended(Some("bob"), ConsultEnd::Said)]);
    let story = story.when(remark("bob")).then_rejected(Code::NotOwner);
    story.when(end("ann")).then_rejected(Code::Invalid);
    with_bob().when(end("ann")).then([ended(Some("bob"), ConsultEnd::Said)]);
}

#[test]
fn a_queue_or_a_desk_is_asked_for_someone() {
    let support = || Transfer::Queue(queue("support"));
    anns().when_asked(ASKED, ask(support())).then([asked(support())]);
    let care = || Transfer::Queue(queue("care"));
    anns().when_asked(ASKED, ask(Transfer::Desk(desk("night")))).then([asked(care())]);
}

#[test]
fn nobody_asks_for_themselves_or_for_two() {
    let bob = || Transfer::Agent(agent("bob"));
    anns().when_asked(ASKED, ask(Transfer::Agent(agent("ann")))).then_rejected(Code::Invalid);
    anns().when_asked(ASKED, ask(Transfer::Queue(queue("nowhere")))).then_rejected(Code::NotFound);
    anns().and([asked(bob())]).when_asked(ASKED, ask(bob())).then_rejected(Code::Invalid);
    with_bob().when_asked(ASKED, ask(bob())).then_rejected(Code::Invalid);
    waiting().when_asked(ASKED, ask(bob())).then_rejected(Code::NotOwner);
}

#[test]
fn nobody_may_be_there() {
    let story = anns().and([asked(Transfer::Queue(queue("support")))]).when(found(None));
    let story = story.then([What::ConsultFailed { conversation: id(1), consult: ASKED }]);
    story.when(found(Some("bob"))).then([]);
}

#[test]
fn who_looks_on_may_go() {
    let gone = || Command::ConsultGone { conversation: id(1), consult: ASKED };
    let story = with_bob().when(gone()).then([ended(Some("bob"), ConsultEnd::AgentGone)]);
    story.when(gone()).then([]);
    let other = Command::ConsultGone { conversation: id(1), consult: command_id(5) };
    with_bob().when(other).then([]);
}

#[test]
fn it_ends_with_the_assignment() {
    let left = || ended(Some("bob"), ConsultEnd::Left);
    let by = Closer::Agent(agent("ann"));
    let closed = What::Closed { conversation: id(1), by, reason: CloseReason::Done };
    with_bob().when(close(1, "ann", 1)).then([left(), released(1, 1), closed]);
    with_bob().when(snooze(30)).then([left(), snoozed(3, 30)]);
    let gone = wanted(1, 3, "support", HandOffReason::AgentGone, 0);
    with_bob().when(give_back(1, 1)).then([left(), released(1, 1), gone]);
    // Also to the one who looked on: as any other agent.
    let events = with_bob().when(transfer(Transfer::Agent(agent("bob")))).events();
    assert_eq!(events[0].what, left());

    // Nobody was in yet: the answer comes too late, and the desk is told.
    let support = asked(Transfer::Queue(queue("support")));
    let by = Closer::Agent(agent("ann"));
    let closed = What::Closed { conversation: id(1), by, reason: CloseReason::Done };
    let story = anns().and([support]).when(close(1, "ann", 1));
    let story = story.then([ended(None, ConsultEnd::Left), released(1, 1), closed]);
    story.when(found(Some("bob"))).then([]);
}
