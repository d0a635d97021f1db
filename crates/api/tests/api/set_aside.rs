//! `Operator`: what was set aside is listed, told and handed in again.

use std::sync::{Arc, Mutex};

use api::{NotRead, ReadAgain};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{Content, FactId, InboxId, Intake, MessageId, Origin, Route, SetAside, Step, conversation};
use tonic::Code;
use vault::Subject;
use wire::api::v1::{
    self as pb, body::State, get_timeline_request::Of, operator_client::OperatorClient,
    replay_set_aside_response::Outcome, timelines_client::TimelinesClient,
};

use super::{
    reads::{denied, eventually},
    world::{Authorized, Leader, TOPOLOGY, World, append, now, policy, step},
};

fn replay(command_id: &str, input: &str) -> pb::ReplaySetAsideRequest {
    pb::ReplaySetAsideRequest { command_id: command_id.into(), input: input.into() }
}

fn get(input: &str, include_pii: bool) -> pb::GetSetAsideRequest {
    pb::GetSetAsideRequest { input: input.into(), include_pii }
}

/// The first that is listed, once one is.
async fn listed(admin: &mut OperatorClient<Authorized>) -> pb::SetAside {
    eventually("the input set aside", async || {
        let page = admin.list_set_aside(pb::ListSetAsideRequest::default()).await.unwrap().into_inner();
        page.inputs.into_iter().next()
    })
    .await
}

#[tokio::test]
async fn an_input_set_aside_is_handed_in_again_once() {
    let mut world = World::silent(|_| {}).await;
    let received = world.received("acme", "alice", "hello").await;
    let from = received.from.clone();
    let partition = TOPOLOGY.peer(&Route::Party(from.party)).partition;
    let input = world.fact(received);
    let mut leader = Leader::<conversation::Decider>::new(world.log.clone(), partition);
    leader.announce().await;
    let set_aside = SetAside { bytes: input.clone(), reason: "a bug, mended since".into() };
    leader.decide(vec![Step { set_aside: Some(set_aside), ..step(vec![], &from) }]).await;
    world.running.spawn(leader.run(vec![policy("acme").into()]));
    world.project();

    let mut admin = OperatorClient::new(world.with_token("admin").await);
    let listed = listed(&mut admin).await;
    assert_eq!((listed.reason.as_str(), listed.size), ("a bug, mended since", input.len() as u64));
    let mut other = OperatorClient::new(world.with_token("other-admin").await);
    assert_eq!(denied(other.replay_set_aside(replay("once", &listed.id)).await), Code::NotFound);
    assert_eq!(denied(other.get_set_aside(get(&listed.id, true)).await), Code::NotFound);
    let told = admin.get_set_aside(get(&listed.id, true)).await.unwrap().into_inner();
    assert_eq!(told, pb::GetSetAsideResponse { input: Some(listed.clone()), message: None });
    // It is one command under whichever id.
    for command_id in ["once", "once", "twice"] {
        let replayed = admin.replay_set_aside(replay(command_id, &listed.id)).await.unwrap().into_inner();
        assert!(matches!(replayed.outcome, Some(Outcome::Position(_))), "{replayed:?}");
    }

    let mut timelines = TimelinesClient::new(world.with_token("admin").await);
    let request =
        pb::GetTimelineRequest { of: Some(Of::Party(from.party.to_string())), ..Default::default() };
    let kinds = eventually("the message", async || {
        let entries = timelines.get(request.clone()).await.unwrap().into_inner().entries;
        let kinds: Vec<_> = entries.into_iter().map(|entry| entry.kind).collect();
        kinds.contains(&"agent_wanted".to_owned()).then_some(kinds)
    })
    .await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "message_received").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn an_unreadable_input_is_no_tenants_and_cannot_be_replayed_by_one() {
    let world = World::led().await;
    append(&world.log, "conversation.in", 0, Bytes::from_static(b"\xff not an intake record")).await;
    let all = eventually("the input set aside", async || {
        let rows = world.store.set_aside(None, None, 10).await.unwrap();
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    let mut admin = OperatorClient::new(world.with_token("admin").await);
    let listed = admin.list_set_aside(pb::ListSetAsideRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.inputs, vec![]);
    assert_eq!(denied(admin.replay_set_aside(replay("once", &all[0].id.to_string())).await), Code::NotFound);
    assert_eq!(denied(admin.replay_set_aside(replay("once", "nonsense")).await), Code::InvalidArgument);
    let mut reader = OperatorClient::new(world.with_token("reader").await);
    let refused = reader.list_set_aside(pb::ListSetAsideRequest::default()).await;
    assert_eq!(denied(refused), Code::PermissionDenied);
}

/// Channels that understand what says so. Remembers what it was asked to read.
#[derive(Default)]
struct Reader(Mutex<Vec<(InboxId, Bytes)>>);

#[async_trait]
impl ReadAgain for Reader {
    async fn read_again(&self, inbox: &InboxId, raw: Bytes) -> Result<u32, NotRead> {
        self.0.lock().unwrap().push((inbox.clone(), raw.clone()));
        match &raw[..] {
            b"From: alice\n\nreadable now" => Ok(1),
            b"From: alice\n\nwhile the disk is full" => Err(NotRead::Unavailable("no space".into())),
            _ => Err(NotRead::Refused("it still cannot be read: no idea".into())),
        }
    }
}

/// A mail of alice's that could not be understood when it came.
async fn keep(world: &World, raw: Option<&'static [u8]>) {
    let from = world.correspondent("acme", "alice").await;
    let message = MessageId(world.vault.fact(from.inbox.as_str(), "unknown", raw.unwrap_or_default()));
    let content =
        Content { subject: Some("hello".into()), raw: raw.map(Bytes::from_static), ..Content::default() };
    let content = world.seal("acme", from.party, message, &wire::encode_content(&content)).await;
    let peer = TOPOLOGY.peer(&Route::Party(from.party));
    let input = wire::encode_intake::<conversation::Decider>(&Intake::Input {
        origin: Origin::Fact(FactId(message.0)),
        at: now(),
        tenant: from.tenant.clone(),
        policy_version: 0,
        command: conversation::Command::Unreadable {
            from,
            message,
            content,
            reason: "no idea".into(),
            at: now(),
        },
    });
    append(&world.log, peer.kind.intake_topic(), peer.partition, input).await;
}

#[tokio::test]
async fn a_message_that_was_not_understood_is_read_again_whole() {
    const MAIL: &[u8] = b"From: alice\n\nreadable now";
    let reader = Arc::new(Reader::default());
    let world = World::led_with(|config| config.read_again = Some(reader.clone())).await;
    keep(&world, Some(MAIL)).await;
    let mut admin = OperatorClient::new(world.with_token("admin").await);
    let listed = listed(&mut admin).await;
    assert_eq!(listed.reason, "no idea");

    let mut other = OperatorClient::new(world.with_token("other-admin").await);
    assert_eq!(denied(other.replay_set_aside(replay("1", &listed.id)).await), Code::NotFound);
    for command_id in ["1", "1", "2"] {
        let replayed = admin.replay_set_aside(replay(command_id, &listed.id)).await.unwrap().into_inner();
        assert_eq!(replayed.outcome, Some(Outcome::Facts(1)));
    }
    let read = (world.correspondent("acme", "alice").await.inbox, Bytes::from_static(MAIL));
    assert_eq!(*reader.0.lock().unwrap(), [read.clone(), read.clone(), read]);
}

#[tokio::test]
async fn what_a_message_says_is_told_to_who_may_see_it() {
    let world = World::led().await;
    const MAIL: &[u8] = &[b'a'; 5_000];
    keep(&world, Some(MAIL)).await;
    let mut admin = OperatorClient::new(world.with_token("admin").await);
    let id = listed(&mut admin).await.id;

    let message = |told: pb::GetSetAsideResponse| {
        let message = told.message.unwrap();
        (message.inbox, message.party, message.body.unwrap().state.unwrap(), message.original)
    };
    let told = message(admin.get_set_aside(get(&id, false)).await.unwrap().into_inner());
    let party = world.party("acme", "alice");
    assert_eq!(told, ("acme-chat".into(), party.to_string(), State::Withheld(()), String::new()));
    let (_, _, state, original) = message(admin.get_set_aside(get(&id, true)).await.unwrap().into_inner());
    assert!(matches!(state, State::Content(content) if content.subject.as_deref() == Some("hello")));
    assert_eq!(original, "a".repeat(4_096));
    let mut reader = OperatorClient::new(world.with_token("reader").await);
    assert_eq!(denied(reader.get_set_aside(get(&id, false)).await), Code::PermissionDenied);

    world.vault.erase(&Subject { tenant: "acme".into(), party: party.0 }).await.unwrap();
    let (_, _, state, original) = message(admin.get_set_aside(get(&id, true)).await.unwrap().into_inner());
    assert_eq!((state, original.as_str()), (State::Erased(()), ""));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_again_is_refused_with_the_reason() {
    async fn refused(world: &World) -> (Code, String) {
        let mut admin = OperatorClient::new(world.with_token("admin").await);
        let id = listed(&mut admin).await.id;
        let status = admin.replay_set_aside(replay("1", &id)).await.unwrap_err();
        (status.code(), status.message().to_owned())
    }
    let reading = || World::led_with(|config| config.read_again = Some(Arc::new(Reader::default())));

    let world = reading().await;
    keep(&world, Some(b"From: alice\n\nstill a riddle")).await;
    let reason = "it still cannot be read: no idea".to_owned();
    assert_eq!(refused(&world).await, (Code::FailedPrecondition, reason));
    let alice = Subject { tenant: "acme".into(), party: world.party("acme", "alice").0 };
    world.vault.erase(&alice).await.unwrap();
    let (code, reason) = refused(&world).await;
    assert!(code == Code::FailedPrecondition && reason.contains("erased"), "{reason}");

    let world = reading().await;
    keep(&world, Some(b"From: alice\n\nwhile the disk is full")).await;
    assert_eq!(refused(&world).await.0, Code::Unavailable);

    let world = reading().await;
    keep(&world, None).await;
    let (code, reason) = refused(&world).await;
    assert!(code == Code::FailedPrecondition && reason.contains("without its original"), "{reason}");

    let world = World::led().await;
    keep(&world, Some(b"From: alice\n\nreadable now")).await;
    let (code, reason) = refused(&world).await;
    assert!(code == Code::FailedPrecondition && reason.contains("role `channels`"), "{reason}");
}
