//! Conversations that have something beyond others of their queue, and agents who are asked in elsewhere.

use super::{routing::*, *};
use crate::{
    conversation::Transfer,
    policy::{Needs, Selection, Special},
};

fn special(priority: u32, needs: Needs) -> Option<Arc<Special>> {
    Some(Arc::new(Special { priority, needs }))
}

/// Waits in support, with this.
fn specially(n: u8, since: i64, beyond: Option<Arc<Special>>) -> (Command, Event) {
    let (mut command, mut event) = (enqueue(n, "support"), waits(n, "support", Sms, since, false, None));
    if let Command::Enqueue { since: at, special, .. } = &mut command {
        (*at, *special) = (seconds(since), beyond.clone());
    }
    if let Event::Enqueued { special, .. } = &mut event {
        *special = beyond;
    }
    (command, event)
}

#[test]
fn points_come_on_top_of_the_queues() {
    let (_, urgent) = specially(2, 5, special(3, Needs::default()));
    let (_, more) = specially(3, 6, special(11, Needs::default()));
    let story = given([enqueued(1, "support"), urgent, more, waits(4, "sales", Sms, 7, false, None)]);
    // Eleven points are more than the ten of sales, three more than none.
    let story = story
        .when(set_presence("bob", Available, 200))
        .then([present("bob", Available), offered(1, 3, "support", "bob", 0)]);
    story.when(set_presence("ann", Available, 200)).then([
        present("ann", Available),
        offered(2, 4, "sales", "ann", 0),
        offered(3, 2, "support", "ann", 0),
    ]);
}

#[test]
fn what_a_conversation_needs_is_had_by_whoever_is_asked() {
    let story = under(|policy| of(policy, "ann").skills = billing(2).skills);
    let (asks, waits_for_it) = specially(1, 0, special(0, billing(2)));
    let story = story.and([present("bob", Available)]).when(asks.clone()).then([waits_for_it.clone()]);
    // Who needs nothing is not held up by who does.
    let story =
        story.when(enqueue(2, "support")).then([enqueued(2, "support"), offered(1, 2, "support", "bob", 0)]);
    story
        .when(set_presence("ann", Available, 200))
        .then([present("ann", Available), offered(2, 1, "support", "ann", 0)]);
    // As the policy is now, nobody ever could: operators are told.
    let nobody = || usual();
    given([])
        .under(nobody())
        .when(asks)
        .then([waits_for_it, stranded(1, "support", StrandedBecause::NoAgent)]);
}

#[test]
fn the_most_skilled_is_so_in_what_the_conversation_needs_too() {
    let asked = |needs: Needs| {
        let story = under(|policy| {
            of(policy, "ann").skills = billing(2).skills;
            of(policy, "bob").skills = billing(5).skills;
            support(policy).selection = Selection::MostSkilled;
        });
        // Ann has been idle for longer.
        let story = story.and([present("ann", Available)]).at(1).and([present("bob", Available)]);
        let (_, events) = story.when(specially(1, 1, special(0, needs)).0).follow();
        events.into_iter().find_map(|event| match event {
            Event::Offered { agent, .. } => Some(agent),
            _ => None,
        })
    };
    assert_eq!(asked(Needs::default()), Some(agent("ann")));
    assert_eq!(asked(billing(1)), Some(agent("bob")));
}

fn consult(n: u128, whom: Transfer) -> Command {
    Command::Consult { conversation: conversation(9), consult: command_id(n), by: agent("cid"), whom }
}

fn looks_on(n: u128, name: &str) -> Event {
    Event::ConsultBegan { consult: command_id(n), conversation: conversation(9), agent: agent(name) }
}

fn nobody(n: u128) -> Event {
    Event::ConsultFailed { desk: desk("team"), consult: command_id(n), conversation: conversation(9) }
}

fn looks_on_no_more(n: u128, name: &str, gone: bool) -> Event {
    let (consult, conversation) = (command_id(n), conversation(9));
    Event::ConsultEnded { consult, conversation, agent: agent(name), gone }
}

#[test]
fn whoever_is_there_is_asked_in_and_has_as_much_room_as_before() {
    let bob = || Transfer::Agent(agent("bob"));
    given([]).when(consult(1, bob())).then([nobody(1)]);
    given([present("bob", Away)]).when(consult(1, bob())).then([nobody(1)]);
    let full = given([present("bob", Available), enqueued(1, "support"), offered(1, 1, "support", "bob", 0)]);
    let story = full.when(consult(1, bob())).then([looks_on(1, "bob")]);
    let story = story.when(consult(2, bob())).then([looks_on(2, "bob")]);
    let story = story.when(consult(3, bob())).then([looks_on(3, "bob")]);
    // Three are enough for anyone.
    let story = story.when(consult(4, bob())).then([nobody(4)]);
    let end = |n| Command::EndConsult { desk: desk("team"), consult: command_id(n) };
    let story = story.when(end(2)).then([looks_on_no_more(2, "bob", false)]).when(end(2)).then([]);
    story.when(consult(4, bob())).then([looks_on(4, "bob")]);
}

#[test]
fn of_a_queue_whoever_looks_on_least_is_asked_in() {
    let support = || Transfer::Queue(queue("support"));
    // Cid, who asks, serves it too; Bob has been idle for longer.
    let story =
        given([present("bob", Available), present("cid", Available)]).at(1).and([present("ann", Available)]);
    let story = story.when(consult(1, support())).then([looks_on(1, "bob")]);
    let story = story.when(consult(2, support())).then([looks_on(2, "ann")]);
    story.when(consult(3, support())).then([looks_on(3, "bob")]);
    let cids = Transfer::Agent(agent("cid"));
    given([present("cid", Available)]).when(consult(1, cids)).then([nobody(1)]);
}

#[test]
fn who_leaves_looks_on_no_more() {
    let here = || given([present("bob", Available), looks_on(1, "bob"), looks_on(2, "bob")]);
    let offline = Event::PresenceSet { agent: agent("bob"), presence: Offline, until: seconds(0) };
    let both = |first| [first, looks_on_no_more(1, "bob", true), looks_on_no_more(2, "bob", true)];
    here().when(set_presence("bob", Offline, 0)).then(both(offline));
    let lapsed = Event::LeaseLapsed { agent: agent("bob") };
    here().when_time_comes().then(both(lapsed));
    let mut without = Policy::clone(&usual());
    (without.version, without.agents) = (2, [].into());
    let changed = Command::PolicyChanged { tenant: tenant() };
    let (_, events) = here().under(Arc::new(without)).when(changed).follow();
    assert!(events.contains(&looks_on_no_more(2, "bob", true)), "{events:?}");
}
