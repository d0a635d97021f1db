//! `Events.Subscribe`: nothing missing, nothing twice, nothing that is not the subscriber's.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ConversationId, Route, Timestamp,
    conversation::{self, Received, What},
};
use tonic::{Code, Status, Streaming};
use wire::api::v1::{
    self as pb, address, body, event::Kind, events_client::EventsClient, subscribe_response::Item,
};

use super::world::{Leader, TOPOLOGY, World, soon, step};

async fn subscribe(
    world: &World,
    token: &'static str,
    request: pb::SubscribeRequest,
) -> Result<Streaming<pb::SubscribeResponse>, Status> {
    let mut client = EventsClient::new(world.with_token(token).await);
    client.subscribe(request).await.map(|response| response.into_inner())
}

async fn next(stream: &mut Streaming<pb::SubscribeResponse>) -> Result<Item, Status> {
    let message = soon("the next item", stream.message()).await?;
    Ok(message.expect("subscriptions do not end by themselves").item.expect("an item"))
}

/// Everything up to `CaughtUp`, and the cursor that came with it.
async fn history(
    world: &World,
    token: &'static str,
    request: pb::SubscribeRequest,
) -> (Vec<pb::Event>, String) {
    let mut stream = subscribe(world, token, request).await.unwrap();
    let mut events = Vec::new();
    loop {
        match next(&mut stream).await.unwrap() {
            Item::Event(event) => events.push(event),
            Item::CaughtUp(caught_up) => return (events, caught_up.cursor),
            Item::Checkpoint(_) | Item::Heartbeat(_) => {}
        }
    }
}

fn from(cursor: &str) -> pb::SubscribeRequest {
    pb::SubscribeRequest { cursor: cursor.to_owned(), ..Default::default() }
}

fn filtered(filter: pb::EventFilter) -> pb::SubscribeRequest {
    pb::SubscribeRequest { filter: Some(filter), ..Default::default() }
}

fn only(kinds: &[&str]) -> pb::SubscribeRequest {
    let kinds = kinds.iter().map(ToString::to_string).collect();
    filtered(pb::EventFilter { kinds, ..Default::default() })
}

fn message(received: Received) -> What {
    What::MessageReceived {
        conversation: ConversationId { party: received.from.party, number: 1 },
        message: received.message,
        kind: received.kind,
        content: received.content,
        thread: None,
        sent_at: received.sent_at,
        authenticated: true,
        marks: None,
        people_only: false,
        reply_to: None,
        referral: None,
    }
}

/// Decisions by hand: five customers in several partitions write three times each; decisions of several events and
/// of none, and between them the announcements of a leader that never ruled.
async fn hand_made(world: &World) {
    let mut leaders = BTreeMap::new();
    for text in ["one", "two", "three"] {
        for who in ["alice", "bob", "carol", "dave", "eve"] {
            let received = world.received("acme", who, text).await;
            let from = received.from.clone();
            let conversation = ConversationId { party: from.party, number: 1 };
            let first = match text {
                "one" => vec![
                    What::CustomerSeen { from: from.clone(), at: Timestamp(1) },
                    What::Opened { conversation, policy_version: 1 },
                ],
                _ => vec![],
            };
            let number = TOPOLOGY.peer(&Route::Party(from.party)).partition;
            let new = || Leader::<conversation::Decider>::new(world.log.clone(), number);
            let known = leaders.contains_key(&number);
            let leader = leaders.entry(number).or_insert_with(new);
            if !known {
                leader.announce().await;
            }
            leader.decide(vec![step(first, &from), step(vec![message(received)], &from)]).await;
            leader.decide(vec![step(vec![], &from)]).await;
            leader.announce().await;
        }
    }
}

/// The ids of each party's events, in the order they came.
fn by_party(events: &[pb::Event]) -> BTreeMap<&str, Vec<&str>> {
    let mut parties: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events {
        parties.entry(&event.party).or_default().push(&event.id);
    }
    parties
}

#[tokio::test]
async fn resuming_from_any_cursor_misses_nothing_and_repeats_nothing() {
    let world = World::silent(|_| {}).await;
    hand_made(&world).await;
    let (all, last) = history(&world, "admin", from("")).await;
    assert_eq!(all.len(), 5 * (3 + 1 + 1));
    for (index, event) in all.iter().enumerate() {
        let (rest, _) = history(&world, "admin", from(&event.cursor)).await;
        assert_eq!(by_party(&rest), by_party(&all[index + 1..]), "resumed behind event {index}");
    }
    assert_eq!(history(&world, "admin", from(&last)).await.0, vec![]);
}

#[tokio::test]
async fn a_filter_passes_over_events_and_the_cursor_advances() {
    let world = World::silent(|_| {}).await;
    hand_made(&world).await;
    let (opened, last) = history(&world, "admin", only(&["opened"])).await;
    assert_eq!(opened.len(), 5);
    assert!(opened.iter().all(|event| matches!(event.kind, Some(Kind::Opened(_)))));
    assert!(history(&world, "admin", from(&last)).await.0.is_empty(), "what did not match was passed");

    let one = opened[0].conversation.clone();
    let filter = pb::EventFilter { conversation: one.clone(), ..Default::default() };
    let (events, _) = history(&world, "admin", filtered(filter)).await;
    assert_eq!(events.len(), 4, "opened and three messages");
    assert!(events.iter().all(|event| event.conversation == one && event.inbox == "acme-chat"));

    let filter = pb::EventFilter { inboxes: vec!["another".into()], ..Default::default() };
    assert_eq!(history(&world, "admin", filtered(filter)).await.0, vec![]);
}

#[tokio::test]
async fn caught_up_comes_once_and_the_stream_goes_on() {
    let world = World::led().await;
    world.write("acme", "alice", "hello").await;
    let mut stream = subscribe(&world, "admin", from("")).await.unwrap();
    let (mut caught_up, mut messages) = (0, 0);
    while messages < 2 || caught_up == 0 {
        match next(&mut stream).await.unwrap() {
            Item::CaughtUp(_) => {
                caught_up += 1;
                world.write("acme", "alice", "are you there?").await;
            }
            Item::Event(pb::Event { kind: Some(Kind::MessageReceived(_)), .. }) => messages += 1,
            _ => {}
        }
    }
    assert_eq!(caught_up, 1);
}

#[tokio::test]
async fn who_begins_at_the_end_gets_only_what_is_new() {
    let world = World::silent(|_| {}).await;
    hand_made(&world).await;
    let request = pb::SubscribeRequest { start_at: pb::StartAt::End.into(), ..Default::default() };
    assert_eq!(history(&world, "admin", request).await.0, vec![]);
}

#[tokio::test]
async fn bodies_are_shown_only_to_those_who_may_and_ask() {
    let world = World::silent(|_| {}).await;
    hand_made(&world).await;
    let request =
        |include_pii| pb::SubscribeRequest { include_pii, ..only(&["customer_seen", "message_received"]) };
    let refused = subscribe(&world, "reader", request(true)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    for token in ["reader", "admin"] {
        let (bodies, addresses) = shown(history(&world, token, request(false)).await.0);
        assert!(bodies.iter().all(|body| *body == body::State::Withheld(())), "{token} did not ask");
        assert!(addresses.iter().all(|address| *address == address::State::Withheld(())));
    }
    let (bodies, addresses) = shown(history(&world, "admin", request(true)).await.0);
    let twos = bodies.iter().filter(|body| matches!(body, body::State::Content(said) if said.text == "two"));
    assert_eq!(twos.count(), 5);
    assert!(addresses.contains(&address::State::Address("alice".into())));

    let alice = world.party("acme", "alice");
    world.vault.erase(&vault::Subject { tenant: "acme".into(), party: alice.0 }).await.unwrap();
    let (bodies, addresses) = shown(history(&world, "admin", request(true)).await.0);
    assert_eq!(bodies.iter().filter(|body| **body == body::State::Erased(())).count(), 3);
    assert!(addresses.contains(&address::State::Erased(())));
}

fn shown(events: Vec<pb::Event>) -> (Vec<body::State>, Vec<address::State>) {
    let (mut bodies, mut addresses) = (vec![], vec![]);
    for event in events {
        match event.kind.unwrap() {
            Kind::MessageReceived(received) => bodies.push(received.body.unwrap().state.unwrap()),
            Kind::CustomerSeen(seen) => addresses.push(seen.address.unwrap().state.unwrap()),
            other => panic!("not asked for: {other:?}"),
        }
    }
    (bodies, addresses)
}

#[tokio::test]
async fn another_tenant_sees_nothing_and_cannot_use_the_cursor() {
    let world = World::silent(|_| {}).await;
    hand_made(&world).await;
    let (all, last) = history(&world, "admin", from("")).await;
    assert_eq!(history(&world, "other-admin", from("")).await.0, vec![]);
    for cursor in [&last, &all[3].cursor, "nonsense"] {
        let refused = subscribe(&world, "other-admin", from(cursor)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("cursor"), "{}", refused.message());
    }
}

#[tokio::test]
async fn an_unknown_filter_is_refused_by_name() {
    let world = World::silent(|_| {}).await;
    let refused = subscribe(&world, "admin", only(&["message_recieved"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains("\"message_recieved\"") && refused.message().contains("message_received")
    );

    let unknown = filtered(pb::EventFilter { sources: vec![99], ..Default::default() });
    assert_eq!(subscribe(&world, "admin", unknown).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_silent_log_beats_and_a_moving_one_is_checkpointed() {
    let world = World::silent(|config| config.heartbeat = Duration::from_millis(50)).await;
    let mut stream = subscribe(&world, "admin", only(&["closed"])).await.unwrap();
    assert!(matches!(next(&mut stream).await.unwrap(), Item::CaughtUp(_)));
    assert!(matches!(next(&mut stream).await.unwrap(), Item::Heartbeat(_)));
    hand_made(&world).await;
    let cursor = loop {
        match next(&mut stream).await.unwrap() {
            Item::Checkpoint(checkpoint) => break checkpoint.cursor,
            other => assert!(matches!(other, Item::Heartbeat(_)), "{other:?}"),
        }
    };
    assert_eq!(history(&world, "admin", from(&cursor)).await.0, vec![], "nothing matched, yet it advanced");
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_dropped_and_can_resume() {
    let world = World::silent(|config| {
        config.buffer = 4;
        config.stall = Duration::from_millis(200);
    })
    .await;
    // More than the windows and buffers of the connection hold.
    const MESSAGES: usize = 60;
    let alice = world.correspondent("acme", "alice").await;
    let number = TOPOLOGY.peer(&Route::Party(alice.party)).partition;
    let mut leader = Leader::<conversation::Decider>::new(world.log.clone(), number);
    leader.announce().await;
    for nth in 0..MESSAGES {
        let text = format!("{nth}{}", "x".repeat(40_000));
        let received = world.received("acme", "alice", &text).await;
        leader.decide(vec![step(vec![message(received)], &alice)]).await;
    }
    let request = pb::SubscribeRequest { include_pii: true, ..Default::default() };
    let mut stream = subscribe(&world, "admin", request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut seen = Vec::new();
    let dropped = loop {
        match next(&mut stream).await {
            Ok(Item::Event(event)) => seen.push(event),
            Ok(other) => panic!("it never caught up: {other:?}"),
            Err(status) => break status,
        }
    };
    assert_eq!(dropped.code(), Code::ResourceExhausted);
    assert!(dropped.message().contains("resume from your last cursor"), "{}", dropped.message());
    assert!(!seen.is_empty() && seen.len() < MESSAGES);
    let (rest, _) = history(&world, "admin", from(&seen.last().unwrap().cursor)).await;
    assert_eq!(seen.len() + rest.len(), MESSAGES);
}

#[tokio::test]
async fn every_source_tells_its_own_events_to_its_own_tenant() {
    let world = World::led().await;
    world.write("acme", "alice", "hello").await;
    let all = [pb::Source::Conversation, pb::Source::Desk, pb::Source::Contact, pb::Source::Workspace];
    let all = || filtered(pb::EventFilter { sources: all.map(Into::into).to_vec(), ..Default::default() });
    let mut stream = subscribe(&world, "admin", all()).await.unwrap();
    let mut wanted = vec!["a message", "a conversation in the queue", "a contact"];
    while !wanted.is_empty() {
        let Item::Event(event) = next(&mut stream).await.unwrap() else { continue };
        let came = match event.kind.unwrap() {
            Kind::MessageReceived(_) => "a message",
            Kind::Enqueued(_) => "a conversation in the queue",
            Kind::ContactCreated(_) => "a contact",
            _ => continue,
        };
        wanted.retain(|wanted| *wanted != came);
    }
    assert_eq!(history(&world, "other-admin", all()).await.0, vec![]);
}
