//! `Desk.Work`: an agent's day over one stream, and over a second one after the first broke.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use wire::api::v1::{
    self as pb,
    agent_message::{self, Item as Say},
    body,
    desk_client::DeskClient,
    desk_message::{self, Item, answer, offer_ended::How, released::Why},
};

use super::world::{World, now, soon};

struct Agent {
    say: mpsc::Sender<pb::AgentMessage>,
    hear: Streaming<pb::DeskMessage>,
    welcome: desk_message::Welcome,
}

/// Opens a stream and says `first`.
async fn open(
    world: &World,
    token: &'static str,
    first: pb::AgentMessage,
) -> Result<(mpsc::Sender<pb::AgentMessage>, Streaming<pb::DeskMessage>), Status> {
    let (say, said) = mpsc::channel(64);
    say.send(first).await.unwrap();
    let mut client = DeskClient::new(world.with_token(token).await);
    let hear = client.work(ReceiverStream::new(said)).await?.into_inner();
    Ok((say, hear))
}

fn hello() -> pb::AgentMessage {
    pb::AgentMessage { id: String::new(), item: Some(Say::Hello(agent_message::Hello::default())) }
}

impl Agent {
    async fn connect(world: &World) -> Agent {
        Agent::connect_as(world, "ann").await
    }

    async fn connect_as(world: &World, token: &'static str) -> Agent {
        let (say, hear) = open(world, token, hello()).await.unwrap();
        let welcome = desk_message::Welcome::default();
        let mut agent = Agent { say, hear, welcome };
        agent.welcome = match agent.next().await {
            Item::Welcome(welcome) => welcome,
            other => panic!("a welcome comes first, not {other:?}"),
        };
        agent
    }

    async fn next(&mut self) -> Item {
        let message = soon("the desk's next message", self.hear.message()).await.unwrap();
        message.expect("the stream goes on").item.expect("an item")
    }

    async fn say(&self, id: &str, item: Say) {
        self.say.send(pb::AgentMessage { id: id.into(), item: Some(item) }).await.unwrap();
    }

    /// Everything up to the answer to this command, and the answer.
    async fn until_answer(&mut self, wanted: &str) -> (Vec<Item>, answer::Result) {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Item::Answer(desk_message::Answer { id, result }) if id == wanted => {
                    return (before, result.expect("a result"));
                }
                other => before.push(other),
            }
        }
    }

    /// Says something that is done.
    async fn done(&mut self, id: &str, item: Say) {
        self.say(id, item).await;
        let (_, result) = self.until_answer(id).await;
        assert!(matches!(result, answer::Result::Accepted(_)), "{id}: {result:?}");
    }

    async fn offer(&mut self) -> desk_message::Offered {
        loop {
            if let Item::Offered(offered) = self.next().await {
                return offered;
            }
        }
    }

    /// Accepts, and yields the assignment.
    async fn accept(&mut self, id: &str, offer: &str) -> desk_message::Assigned {
        self.say(id, Say::Accept(agent_message::Accept { offer: offer.into() })).await;
        let (before, result) = self.until_answer(id).await;
        assert!(matches!(result, answer::Result::Accepted(_)), "{result:?}");
        let assigned = before.into_iter().find_map(|item| match item {
            Item::Assigned(assigned) => Some(assigned),
            _ => None,
        });
        assigned.expect("`assigned` comes before the answer")
    }
}

fn reply(to: &desk_message::Assigned, text: &str) -> Say {
    Say::Reply(agent_message::Reply {
        conversation: to.conversation.clone(),
        assignment: to.assignment.clone(),
        text: text.into(),
        ..Default::default()
    })
}

fn rejected(result: answer::Result) -> String {
    match result {
        answer::Result::Rejected(rejected) => rejected.code,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn an_agent_is_offered_accepts_replies_hears_and_closes() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    assert_eq!(ann.welcome.agent, "acme/desk/ann");
    assert!(ann.welcome.offers.is_empty() && ann.welcome.assignments.is_empty());

    let conversation = world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    assert_eq!(offered.conversation, conversation.to_string());
    assert_eq!((offered.queue.as_str(), offered.channel()), ("acme/desk/all", pb::Channel::Messenger));
    let assigned = ann.accept("1", &offered.offer).await;
    assert_eq!((&assigned.assignment, assigned.inbox.as_str()), (&offered.offer, "acme-chat"));

    ann.say("2", reply(&assigned, "How can I help?")).await;
    let (before, result) = ann.until_answer("2").await;
    assert!(matches!(result, answer::Result::Accepted(_)));
    let said = before.iter().find_map(|item| match item {
        Item::Message(message) if message.author() == desk_message::message::Author::Agent => {
            message.body.clone()
        }
        _ => None,
    });
    let shown = said.and_then(|body| body.state);
    assert!(matches!(shown, Some(body::State::Content(content)) if content.text == "How can I help?"));

    world.write("acme", "alice", "it is broken").await;
    let heard = loop {
        if let Item::Message(message) = ann.next().await {
            break message;
        }
    };
    assert_eq!(heard.author(), desk_message::message::Author::Customer);
    assert!(
        matches!(heard.body.unwrap().state, Some(body::State::Content(said)) if said.text == "it is broken")
    );

    let close = agent_message::Close {
        conversation: assigned.conversation.clone(),
        assignment: assigned.assignment.clone(),
    };
    ann.say("3", Say::Close(close)).await;
    let (before, result) = ann.until_answer("3").await;
    assert!(matches!(result, answer::Result::Accepted(_)));
    assert!(before.iter().any(|item| matches!(item, Item::Released(_))));
    ann.say("4", reply(&assigned, "Still there?")).await;
    let code = rejected(ann.until_answer("4").await.1);
    assert!(["closed", "not_owner"].contains(&code.as_str()), "{code}");
}

#[tokio::test]
async fn a_new_stream_begins_with_what_the_agent_holds_and_repeats_commands_safely() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    let assigned = ann.accept("accept", &offered.offer).await;
    world.write("acme", "bob", "hello too").await;
    let second = ann.offer().await;
    ann.say("reply", reply(&assigned, "Hello Alice")).await;
    let (_, first_answer) = ann.until_answer("reply").await;
    drop(ann);

    let mut ann = Agent::connect(&world).await;
    assert_eq!(ann.welcome.offers, vec![second.clone()]);
    assert_eq!(ann.welcome.assignments, vec![assigned.clone()]);
    ann.say("reply", reply(&assigned, "Hello Alice")).await;
    let (said, again) = ann.until_answer("reply").await;
    assert!(matches!((first_answer, again), (answer::Result::Accepted(_), answer::Result::Accepted(_))));
    assert!(!said.iter().any(|item| matches!(item, Item::Message(_))), "nothing was said twice: {said:?}");

    ann.say("reply", reply(&assigned, "Something else")).await;
    assert_eq!(rejected(ann.until_answer("reply").await.1), "conflict");

    ann.say("decline", Say::Decline(agent_message::Decline { offer: second.offer.clone() })).await;
    let (before, result) = ann.until_answer("decline").await;
    assert!(matches!(result, answer::Result::Accepted(_)));
    let ended = before.iter().any(|item| {
        matches!(item, Item::OfferEnded(ended) if ended.offer == second.offer && ended.how() == How::Declined)
    });
    assert!(ended, "{before:?}");
}

#[tokio::test]
async fn an_agent_who_goes_offline_gives_back_what_is_offered() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    let offline = agent_message::SetPresence { presence: pb::Presence::Offline.into() };
    ann.say("bye", Say::Presence(offline)).await;
    let (before, result) = ann.until_answer("bye").await;
    assert!(matches!(result, answer::Result::Accepted(_)));
    let withdrawn = before.iter().any(|item| {
        matches!(item, Item::OfferEnded(ended) if ended.offer == offered.offer && ended.how() == How::Withdrawn)
    });
    assert!(withdrawn, "{before:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_rejected_and_the_stream_goes_on() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    let accept = |offer: &str| Say::Accept(agent_message::Accept { offer: offer.into() });
    for (id, item, code) in [
        ("", accept("acme/desk/1"), "invalid"),
        ("a", accept("nonsense"), "invalid"),
        ("b", accept("acme/desk/77"), "not_found"),
        ("c", accept("other/desk/1"), "not_found"),
        ("d", Say::Hello(agent_message::Hello::default()), "invalid"),
        ("e", Say::Presence(agent_message::SetPresence { presence: 99 }), "invalid"),
        (
            "f",
            Say::Reply(agent_message::Reply {
                conversation: "00000000000000000000000000000000-1".into(),
                assignment: "acme/desk/1".into(),
                text: "Hello?".into(),
                ..Default::default()
            }),
            "not_found",
        ),
    ] {
        ann.say(id, item.clone()).await;
        assert_eq!(rejected(ann.until_answer(id).await.1), code, "{id}: {item:?}");
    }
}

async fn next_released(agent: &mut Agent) -> desk_message::Released {
    loop {
        if let Item::Released(released) = agent.next().await {
            return released;
        }
    }
}

async fn next_assigned(agent: &mut Agent) -> desk_message::Assigned {
    loop {
        if let Item::Assigned(assigned) = agent.next().await {
            return assigned;
        }
    }
}

fn said_in(note: Option<pb::Body>) -> Option<String> {
    match note?.state? {
        body::State::Content(content) => Some(content.text),
        other => panic!("an agent sees what is left: {other:?}"),
    }
}

fn take(conversation: &str, note: &str) -> Say {
    Say::Reassign(agent_message::Reassign {
        conversation: conversation.into(),
        note: note.into(),
        ..Default::default()
    })
}

#[tokio::test]
async fn a_supervisor_takes_a_conversation_and_gives_it_back_with_a_note() {
    let world = World::led().await;
    let (mut ann, mut sue) = (Agent::connect(&world).await, Agent::connect_as(&world, "sue").await);
    world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    let anns = ann.accept("accept", &offered.offer).await;
    assert_eq!(anns.note, None);

    ann.say("take", take(&anns.conversation, "")).await;
    assert_eq!(rejected(ann.until_answer("take").await.1), "forbidden");
    let conversation = anns.conversation.clone();
    let stale = agent_message::Reassign { conversation, owner_epoch: Some(1), ..Default::default() };
    sue.say("stale", Say::Reassign(stale)).await;
    assert_eq!(rejected(sue.until_answer("stale").await.1), "stale");
    sue.done("take", take(&anns.conversation, "I know her")).await;
    let released = next_released(&mut ann).await;
    assert_eq!((released.why(), released.by.as_str()), (Why::Reassigned, "acme/desk/sue"));
    let sues = next_assigned(&mut sue).await;
    assert_eq!(sues.conversation, anns.conversation);
    assert_eq!(said_in(sues.note.clone()).as_deref(), Some("I know her"));

    let back = agent_message::Transfer {
        conversation: sues.conversation.clone(),
        assignment: sues.assignment.clone(),
        to: Some(agent_message::transfer::To::Desk("acme/desk".into())),
        note: "She is calm now".into(),
    };
    sue.done("back", Say::Transfer(back)).await;
    let offered = ann.offer().await;
    let anns = ann.accept("again", &offered.offer).await;
    assert_eq!(said_in(anns.note.clone()).as_deref(), Some("She is calm now"));
    // Also who connects again finds it.
    drop(ann);
    let ann = Agent::connect(&world).await;
    assert_eq!(ann.welcome.assignments, [anns]);
}

/// Puts a conversation away for some seconds from now.
fn snooze(held: &desk_message::Assigned, seconds: i64) -> Say {
    let until = prost_types::Timestamp { seconds: now().0 / 1_000 + seconds, nanos: 0 };
    Say::Snooze(agent_message::Snooze {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
        until: Some(until),
    })
}

#[tokio::test]
async fn what_an_agent_puts_away_comes_back_when_the_customer_writes_or_the_agent_wants_it() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    let conversation = world.write("acme", "alice", "hello").await.to_string();
    let offered = ann.offer().await;
    let held = ann.accept("accept", &offered.offer).await;

    for (id, wrong) in [("past", snooze(&held, -5)), ("late", snooze(&held, 400 * 86_400))] {
        ann.say(id, wrong).await;
        assert_eq!(rejected(ann.until_answer(id).await.1), "invalid");
    }
    ann.say("snooze", snooze(&held, 3_600)).await;
    let (before, result) = ann.until_answer("snooze").await;
    assert!(matches!(result, answer::Result::Accepted(_)), "{result:?}");
    let [Item::Released(released), Item::Snoozed(snoozed)] = &before[..] else { panic!("{before:?}") };
    assert_eq!((released.why(), &snoozed.conversation), (Why::Snoozed, &conversation));
    drop(ann);
    let mut ann = Agent::connect(&world).await;
    assert_eq!((&ann.welcome.assignments[..], &ann.welcome.snoozed[..]), (&[][..], &[snoozed.clone()][..]));

    world.write("acme", "alice", "are you there?").await;
    let mut heard = Vec::new();
    let offered = loop {
        match ann.next().await {
            Item::Offered(offered) => break offered,
            other => heard.push(other),
        }
    };
    let ended = |item: &Item| matches!(item, Item::SnoozeEnded(ended) if ended.conversation == conversation);
    assert!(heard.iter().any(ended), "{heard:?}");
    let held = ann.accept("again", &offered.offer).await;

    ann.done("snooze again", snooze(&held, 3_600)).await;
    let wake = agent_message::Wake { conversation: conversation.clone() };
    ann.done("wake", Say::Wake(wake)).await;
    assert_eq!(next_assigned(&mut ann).await.conversation, conversation);
}

/// Everything that an agent can say about a conversation, and what refuses it once it is another's, or closed.
fn everything_about(held: &desk_message::Assigned) -> Vec<(&'static str, Say, [&'static str; 2])> {
    // Exhaustive, so that nothing is forgotten.
    let _: fn(&Say) = |say| match say {
        Say::Hello(_) | Say::Presence(_) => {}
        Say::Accept(_) | Say::Decline(_) | Say::FinishWrapUp(_) => {}
        Say::Reply(_) | Say::Transfer(_) | Say::Close(_) | Say::Snooze(_) => {}
        Say::Wake(_) | Say::Reassign(_) | Say::Split(_) | Say::Join(_) => {}
        Say::Consult(_) | Say::EndConsult(_) | Say::Remark(_) => {}
    };
    let (conversation, assignment) = (held.conversation.clone(), held.assignment.clone());
    let owners = ["not_owner", "closed"];
    // Until the desk has heard that the assignment is over, it says that there is nothing to finish.
    let desks = ["offer_ended", "invalid"];
    vec![
        ("accept", Say::Accept(agent_message::Accept { offer: assignment.clone() }), desks),
        ("decline", Say::Decline(agent_message::Decline { offer: assignment.clone() }), desks),
        ("finish", Say::FinishWrapUp(agent_message::FinishWrapUp { assignment: assignment.clone() }), desks),
        ("reply", reply(held, "Still there?"), owners),
        (
            "split",
            Say::Split(agent_message::Split {
                conversation: conversation.clone(),
                assignment: assignment.clone(),
                message: "0".repeat(32),
                other: String::new(),
            }),
            owners,
        ),
        (
            "part",
            Say::Split(agent_message::Split {
                conversation: conversation.clone(),
                assignment: assignment.clone(),
                message: String::new(),
                other: format!("{}-1", "0".repeat(32)),
            }),
            owners,
        ),
        (
            "join",
            Say::Join(agent_message::Join {
                conversation: conversation.clone(),
                assignment: assignment.clone(),
                other: conversation.clone(),
                same_person: false,
            }),
            owners,
        ),
        (
            "transfer",
            Say::Transfer(agent_message::Transfer {
                conversation: conversation.clone(),
                assignment: assignment.clone(),
                to: Some(agent_message::transfer::To::Queue("acme/desk/all".into())),
                note: String::new(),
            }),
            owners,
        ),
        (
            "close",
            Say::Close(agent_message::Close { conversation: conversation.clone(), assignment }),
            owners,
        ),
        ("snooze", snooze(held, 3_600), owners),
        ("wake", Say::Wake(agent_message::Wake { conversation: conversation.clone() }), owners),
        ("reassign", take(&conversation, ""), ["forbidden", "closed"]),
        ("consult", consult(held, "acme/desk/ann"), owners),
        ("remark", remark(&conversation, "psst"), owners),
        ("end", end_consult(&conversation), owners),
    ]
}

#[tokio::test]
async fn whatever_is_said_about_what_one_has_no_more_is_refused() {
    let world = World::led().await;
    let (mut ann, mut sue) = (Agent::connect(&world).await, Agent::connect_as(&world, "sue").await);
    world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    let anns = ann.accept("accept", &offered.offer).await;
    sue.done("take", take(&anns.conversation, "")).await;
    let sues = next_assigned(&mut sue).await;
    let close =
        agent_message::Close { conversation: sues.conversation.clone(), assignment: sues.assignment.clone() };
    for round in ["another's", "closed"] {
        for (name, say, codes) in everything_about(&anns) {
            let id = format!("{round} {name}");
            ann.say(&id, say).await;
            let code = rejected(ann.until_answer(&id).await.1);
            assert!(codes.contains(&code.as_str()), "{id}: {code}");
        }
        if round != "closed" {
            sue.done("close", Say::Close(close.clone())).await;
        }
    }
    for (name, say, codes) in everything_about(&sues) {
        let id = format!("sue's {name}");
        sue.say(&id, say).await;
        let code = rejected(sue.until_answer(&id).await.1);
        assert!(codes.contains(&code.as_str()), "{id}: {code}");
    }
}

#[tokio::test]
async fn only_an_agent_the_workspace_knows_may_work() {
    let world = World::led().await;
    for token in ["admin", "reader", "acme-helper"] {
        let refused = open(&world, token, hello()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{token}");
    }
    let first_word = |item| pb::AgentMessage { id: "x".into(), item };
    let accept = Some(Say::Accept(agent_message::Accept { offer: "acme/desk/1".into() }));
    for (token, first, code) in [
        ("stranger", hello(), Code::FailedPrecondition),
        ("ann", first_word(accept), Code::InvalidArgument),
        ("ann", first_word(None), Code::InvalidArgument),
    ] {
        let (_say, mut hear) = open(&world, token, first).await.unwrap();
        let refused = soon("a refusal", hear.message()).await.unwrap_err();
        assert_eq!(refused.code(), code, "{token}");
    }
}

fn consult(held: &desk_message::Assigned, whom: &str) -> Say {
    Say::Consult(agent_message::Consult {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
        whom: Some(agent_message::consult::Whom::Agent(whom.into())),
        note: "What would you do?".into(),
    })
}

fn remark(conversation: &str, text: &str) -> Say {
    let (conversation, text) = (conversation.into(), text.into());
    Say::Remark(agent_message::Remark { conversation, text, ..Default::default() })
}

fn end_consult(conversation: &str) -> Say {
    Say::EndConsult(agent_message::EndConsult { conversation: conversation.into() })
}

#[tokio::test]
async fn an_agent_asks_another_in_and_they_talk_behind_the_customers_back() {
    let world = World::led().await;
    let mut ann = Agent::connect(&world).await;
    let conversation = world.write("acme", "alice", "hello").await.to_string();
    let offered = ann.offer().await;
    let held = ann.accept("accept", &offered.offer).await;
    // Sue has not come yet.
    ann.say("too early", consult(&held, "acme/desk/sue")).await;
    assert_eq!(rejected(ann.until_answer("too early").await.1), "not_present");

    let mut sue = Agent::connect_as(&world, "sue").await;
    ann.say("consult", consult(&held, "acme/desk/sue")).await;
    let (before, result) = ann.until_answer("consult").await;
    assert!(matches!(result, answer::Result::Accepted(_)), "{result:?}");
    let [Item::Consult(consulted)] = &before[..] else { panic!("{before:?}") };
    assert_eq!((consulted.by.as_str(), consulted.agent.as_str()), ("acme/desk/ann", "acme/desk/sue"));
    assert_eq!((&consulted.conversation, consulted.inbox.as_str()), (&conversation, "acme-chat"));
    assert_eq!(said_in(consulted.note.clone()).as_deref(), Some("What would you do?"));
    let Item::Consult(sues) = sue.next().await else { panic!("Sue is told") };
    assert_eq!(sues, *consulted);
    ann.say("twice", consult(&held, "acme/desk/sue")).await;
    assert_eq!(rejected(ann.until_answer("twice").await.1), "invalid");

    // What is said is hers to see, and her remarks are Ann's; but she writes to nobody else.
    world.write("acme", "alice", "it is broken").await;
    let Item::Message(heard) = sue.next().await else { panic!("she hears the customer") };
    assert_eq!(heard.author(), desk_message::message::Author::Customer);
    ann.done("reply", reply(&held, "One moment")).await;
    let Item::Message(heard) = sue.next().await else { panic!("she hears Ann") };
    assert_eq!(
        (heard.author(), said_in(heard.body)),
        (desk_message::message::Author::Agent, Some("One moment".into()))
    );
    sue.say("reply", reply(&held, "I am Sue")).await;
    assert_eq!(rejected(sue.until_answer("reply").await.1), "not_owner");
    sue.done("remark", remark(&conversation, "Send a new one")).await;
    let remarked = loop {
        if let Item::Remark(remarked) = ann.next().await {
            break remarked;
        }
    };
    assert_eq!(
        (remarked.by.as_str(), said_in(remarked.body)),
        ("acme/desk/sue", Some("Send a new one".into()))
    );

    // Who connects again still looks on.
    drop(sue);
    let mut sue = Agent::connect_as(&world, "sue").await;
    assert_eq!(sue.welcome.consults, [sues]);
    sue.done("end", end_consult(&conversation)).await;
    let ended = loop {
        if let Item::ConsultEnded(ended) = ann.next().await {
            break ended;
        }
    };
    assert_eq!(
        (ended.agent.as_str(), ended.why()),
        ("acme/desk/sue", desk_message::consult_ended::Why::Said)
    );

    // It ends with the assignment, too.
    ann.done("again", consult(&held, "acme/desk/sue")).await;
    let Item::Consult(_) = sue.next().await else { panic!("Sue is told again") };
    let (conversation, assignment) = (held.conversation.clone(), held.assignment.clone());
    ann.done("close", Say::Close(agent_message::Close { conversation, assignment })).await;
    let Item::ConsultEnded(ended) = sue.next().await else { panic!("Sue is told that it is over") };
    assert_eq!(ended.why(), desk_message::consult_ended::Why::Left);
}

#[tokio::test]
async fn what_is_put_away_is_closed_without_being_woken() {
    let world = World::led().await;
    let (mut ann, mut sue) = (Agent::connect(&world).await, Agent::connect_as(&world, "sue").await);
    world.write("acme", "alice", "hello").await;
    let offered = ann.offer().await;
    let held = ann.accept("accept", &offered.offer).await;
    let conversation = held.conversation.clone();
    let close = || {
        let conversation = conversation.clone();
        Say::Close(agent_message::Close { conversation, assignment: String::new() })
    };
    ann.say("not away", close()).await;
    assert_eq!(rejected(ann.until_answer("not away").await.1), "not_owner");
    ann.done("snooze", snooze(&held, 3_600)).await;
    sue.say("another's", close()).await;
    assert_eq!(rejected(sue.until_answer("another's").await.1), "not_owner");
    ann.say("close", close()).await;
    let (before, result) = ann.until_answer("close").await;
    assert!(matches!(result, answer::Result::Accepted(_)), "{result:?}");
    assert!(matches!(&before[..], [Item::SnoozeEnded(_)]), "{before:?}");
}

#[tokio::test]
async fn who_takes_what_there_is_no_room_for_is_told_at_once() {
    let world = World::led().await;
    let (mut ann, mut sue) = (Agent::connect(&world).await, Agent::connect_as(&world, "sue").await);
    // As many as she may hold.
    for n in 0..5 {
        let conversation = world.write("acme", &format!("customer {n}"), "hello").await.to_string();
        ann.offer().await;
        sue.done(&format!("take {n}"), take(&conversation, "")).await;
        next_assigned(&mut sue).await;
    }
    let sixth = world.write("acme", "alice", "hello").await.to_string();
    ann.offer().await;
    sue.done("take", take(&sixth, "")).await;
    let told = loop {
        if let Item::NotYet(told) = sue.next().await {
            break told;
        }
    };
    assert_eq!((told.conversation, told.why), (sixth, desk_message::not_yet::Why::NoRoom.into()));
}
