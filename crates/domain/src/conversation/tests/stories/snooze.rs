//! What is put away comes back, to whoever put it away.

use super::super::{story::*, *};
use crate::conversation::{
    CloseReason, Closer, Command, Decider, HandOffReason, Owner, Transfer, What, Withheld,
};
use crate::{Aggregate, Code, policy::Sticky};

use HandOffReason::{Reassigned, Woke};

/// Wanted from Ann again at a second, for so long.
fn anns(owner_epoch: u32, at: i64, grace: i64, by_request: bool) -> What {
    What::AgentWanted {
        conversation: id(1),
        channel: Channel::Sms,
        queue: queue("support"),
        owner_epoch,
        reason: Woke,
        since: seconds(at),
        again: false,
        agent: Some(agent("ann")),
        agent_until: Some(seconds(at + grace)),
        by_request,
        special: None,
    }
}

fn put_away() -> Story {
    with_ann().at(10).when(snooze(500)).then([snoozed(3, 500)])
}

#[test]
fn at_its_time_it_is_wanted_from_the_same_agent() {
    put_away().when_time_comes().then([anns(4, 500, 60, false)]).no_timer_is_set();
}

#[test]
fn when_the_customer_writes_it_comes_back_at_once() {
    put_away()
        .at(100)
        .when(receive(2))
        .then([anns(4, 100, 60, false), message_received(1, 2)])
        .no_timer_is_set()
        .when(receive(3))
        .then([message_received(1, 3)])
        .when(assign(1, 4, "ann", 2))
        .then([assigned(1, 5, "ann", 2)]);
}

#[test]
fn its_agent_may_have_it_back_before() {
    put_away()
        .at(20)
        .when(wake("bob"))
        .then_rejected(Code::NotOwner)
        .when(wake("ann"))
        .then([anns(4, 20, 60, true)])
        .when(wake("ann"))
        .then_rejected(Code::NotOwner);
    with_ann().when(wake("ann")).then_rejected(Code::NotOwner);
    let (by, reason) = (Closer::Agent(agent("ann")), CloseReason::Done);
    let closed = What::Closed { conversation: id(1), by, reason };
    with_ann().and([released(1, 1), closed]).when(wake("ann")).then_rejected(Code::Closed);
    let globex = DeskId::new("globex".parse().unwrap(), "team").unwrap();
    let stranger = AgentId::new(globex, "ann").unwrap();
    put_away().when(Command::Wake { conversation: id(1), agent: stranger }).then_rejected(Code::NotFound);
}

#[test]
fn a_queue_says_how_long_its_agent_is_waited_for() {
    let sticky = Sticky { within: Millis::seconds(600), grace: Millis::seconds(20) };
    let mut policy = policy(2, None, "support");
    policy.queues.get_mut(&queue("support")).unwrap().sticky = Some(sticky);
    put_away().under(policy).when_time_comes().then([anns(4, 500, 20, false)]);
}

#[test]
fn whoever_works_there_no_more_is_not_wanted() {
    let mut without_ann = policy(2, None, "support");
    without_ann.agents.remove(&agent("ann"));
    put_away().under(without_ann).when_time_comes().then([wanted(1, 4, "support", Woke, 500)]);
    // Nor anyone at the desk of a queue that is gone, if the inbox's own is at another.
    let mut without_queue = policy(2, None, "care");
    without_queue.queues.remove(&queue("support"));
    put_away().under(without_queue.clone()).when_time_comes().then([wanted(1, 4, "care", Woke, 500)]);
    put_away().under(without_queue).when(wake("ann")).then([wanted(1, 4, "care", Woke, 10)]);
}

#[test]
fn it_is_put_away_for_some_time_and_not_for_ever() {
    let year = 366 * 24 * 3_600;
    with_ann()
        .at(10)
        .when(snooze(10))
        .then_rejected(Code::Invalid)
        .when(snooze(11 + year))
        .then_rejected(Code::Invalid)
        .when(snooze(10 + year))
        .then([snoozed(3, 10 + year)]);
}

#[test]
fn what_is_put_away_is_in_nobodys_hands() {
    put_away()
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::NotOwner)
        .when(close(1, "ann", 1))
        .then_rejected(Code::NotOwner)
        .when(transfer(Transfer::Queue(queue("sales"))))
        .then_rejected(Code::NotOwner)
        .when(snooze(600))
        .then_rejected(Code::NotOwner)
        // The desk may have taken it back meanwhile, and someone may accept what was offered long ago.
        .when(give_back(1, 1))
        .then([])
        .when(assign(1, 1, "bob", 2))
        .then([What::AssignmentRefused { conversation: id(1), offer: offer(2), command: command_id(7) }]);
    // Only who has it puts it away.
    waiting().when(snooze(500)).then_rejected(Code::NotOwner);
    with_ann()
        .when(Command::Snooze {
            conversation: id(1),
            agent: agent("bob"),
            assignment: offer(1),
            until: seconds(500),
        })
        .then_rejected(Code::NotOwner);
}

#[test]
fn a_supervisor_takes_what_is_put_away() {
    let to = Transfer::Queue(queue("sales"));
    let (by, note) = (agent("sue"), None);
    let given = Command::Reassign { conversation: id(1), by: by.clone(), owner_epoch: Some(3), to, note };
    let again = |what| match what {
        What::AgentWanted { conversation, channel, queue, owner_epoch, reason, since, .. } => {
            let (again, agent, agent_until, by_request) = (true, None, None, false);
            What::AgentWanted {
                conversation,
                channel,
                queue,
                owner_epoch,
                reason,
                since,
                again,
                agent,
                agent_until,
                by_request,
                special: None,
            }
        }
        other => other,
    };
    put_away()
        .at(30)
        .when(given)
        .then([
            What::Reassigned { conversation: id(1), by: Some(by), note: None },
            again(wanted(1, 4, "sales", Reassigned, 30)),
        ])
        .no_timer_is_set();
}

#[test]
fn who_wants_no_more_messages_waits_for_nobody() {
    let closed = What::Closed { conversation: id(1), by: Closer::Customer, reason: CloseReason::OptedOut };
    put_away()
        .when(Command::OptOut { from: correspondent(1) })
        .then([What::OptedOut { party: party(1) }, withhold(Withheld::OptedOut), closed])
        .no_timer_is_set();
}

#[test]
fn it_is_open_and_stays_in_memory() {
    let story = put_away().at(1_000_000);
    let owner = story.state.conversation(id(1)).and_then(|(_, found)| found.owner().cloned());
    assert!(matches!(owner, Some(Owner::Snoozed { .. })), "{owner:?}");
    let retired = Decider::retire(&story.state, story.now(), Millis(0), 10);
    assert_eq!(retired, []);
}
