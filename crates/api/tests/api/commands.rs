//! Commands: answered by what the log accepted, once however often they are repeated.

use std::time::Duration;

use domain::{Intake, Kind, Peer, workspace};
use log::{Limit, Log, Topic};
use tonic::Code;
use wire::api::v1::{
    self as pb, desk_client::DeskClient, operator_client::OperatorClient, workspace_client::WorkspaceClient,
};

use super::{
    reads::eventually,
    world::{Authorized, Leader, TOPOLOGY, World},
};

async fn client(world: &World) -> WorkspaceClient<Authorized> {
    WorkspaceClient::new(world.with_token("admin").await)
}

/// A document as it would be sent; each `priority` is another one.
fn document(command_id: &str, priority: i32) -> pb::ApplyWorkspaceRequest {
    let second = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let queue = pb::policy::Queue { priority, offer_timeout: second(20), ..Default::default() };
    let inbox = pb::policy::Inbox {
        channel: pb::Channel::Email.into(),
        address: "support@example.test".into(),
        queue: "acme/desk/all".into(),
        reopen_within: second(3_600),
        ..Default::default()
    };
    let agent = pb::policy::Agent { queues: vec!["acme/desk/all".into()], total: 1, ..Default::default() };
    let policy = pb::Policy {
        agents: [("acme/desk/ann".to_owned(), agent)].into(),
        inboxes: [("mail".to_owned(), inbox)].into(),
        queues: [("acme/desk/all".to_owned(), queue)].into(),
        ..Default::default()
    };
    pb::ApplyWorkspaceRequest { command_id: command_id.into(), policy: Some(policy) }
}

#[tokio::test]
async fn a_workspace_is_applied_once_however_often_it_is_asked() {
    let world = World::led().await;
    let mut client = client(&world).await;
    let missing = client.get(pb::GetWorkspaceRequest {}).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    let first = client.apply(document("one", 1)).await.unwrap().into_inner();
    assert_eq!(first.version, 1);
    let again = client.apply(document("one", 1)).await.unwrap().into_inner();
    assert_eq!(again.version, 1);
    let other = client.apply(document("one", 2)).await.unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition);
    assert_eq!(other.metadata().get("tributary-code").unwrap(), "conflict");
    assert_eq!(client.apply(document("two", 2)).await.unwrap().into_inner().version, 2);

    let policy = client.get(pb::GetWorkspaceRequest {}).await.unwrap().into_inner();
    assert_eq!((policy.version, policy.tenant.as_str()), (2, "acme"));
    assert_eq!(policy.queues["acme/desk/all"].priority, 2);
}

#[tokio::test]
async fn a_command_is_decided_by_the_policy_its_server_knew_or_a_newer_one() {
    let world = World::led().await;
    let mut client = client(&world).await;
    for (priority, name) in [(1, "one"), (2, "two"), (3, "three")] {
        client.apply(document(name, priority)).await.unwrap();
    }
    let intake = Topic(Kind::Workspace.intake_topic()).partition(0);
    let commands = world.log.read(intake, 0, Limit::default()).await.unwrap();
    let versions = commands.iter().map(|record| {
        match wire::decode_intake::<workspace::Decider>(&record.bytes).unwrap() {
            Intake::Input { policy_version, .. } => policy_version,
            Intake::Applied { .. } => panic!("nobody relays to a workspace"),
        }
    });
    assert_eq!(versions.collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn a_document_that_does_not_hold_together_is_refused_with_the_place() {
    let world = World::led().await;
    let mut client = client(&world).await;
    let broken = |change: fn(&mut pb::Policy)| {
        let mut request = document("broken", 1);
        change(request.policy.as_mut().unwrap());
        request
    };
    // Not even sent: a field that cannot be read.
    let unreadable = broken(|policy| policy.inboxes.get_mut("mail").unwrap().queue = "all".into());
    let refused = client.apply(unreadable).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("inboxes.mail.queue"), "{}", refused.message());
    // Decided: a reference that leads nowhere.
    let dangling = broken(|policy| policy.queues.clear());
    let refused = client.apply(dangling).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.metadata().get("tributary-code").unwrap(), "invalid");
    assert!(refused.message().contains("mail"), "{}", refused.message());

    let nameless = client.apply(document("", 1)).await.unwrap_err();
    assert_eq!(nameless.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn without_an_answer_the_outcome_is_unknown_and_asking_again_tells() {
    let world = World::silent(|config| config.patience = Duration::from_millis(200)).await;
    let mut client = client(&world).await;
    let unanswered = client.apply(document("one", 1)).await.unwrap_err();
    assert_eq!(unanswered.code(), Code::DeadlineExceeded);
    assert!(unanswered.message().contains("same id"), "{}", unanswered.message());

    // A leader comes, and finds the command where it was left.
    let partition = TOPOLOGY.peer(&domain::Route::Workspace("acme".parse().unwrap()));
    assert_eq!(partition, Peer { kind: Kind::Workspace, partition: 0 });
    let leader = Leader::<workspace::Decider>::new(world.log.clone(), 0);
    let leading = tokio::spawn(leader.run(vec![]));
    let answered = client.apply(document("one", 1)).await.unwrap().into_inner();
    assert_eq!(answered.version, 1);
    leading.abort();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_nothing_was_done() {
    let world = World::led().await;
    let mut client = client(&world).await;
    world.log.refuse(true);
    let refused = client.apply(document("one", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    world.log.refuse(false);
    assert_eq!(client.get(pb::GetWorkspaceRequest {}).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_operator_lifts_what_holds_messages_to_an_address_back() {
    let world = World::led().await;
    let lift = |command_id: &str, address: &str| pb::LiftSuppressionRequest {
        command_id: command_id.into(),
        inbox: "acme-chat".into(),
        address: address.into(),
    };
    let operator = async |token| OperatorClient::new(world.with_token(token).await);
    let mut admin = operator("admin").await;
    let unknown = admin.lift_suppression(lift("1", "alice")).await.unwrap_err();
    assert_eq!(unknown.metadata().get("tributary-code").unwrap(), "not_found");
    world.write("acme", "alice", "hello").await;
    eventually("the customer", async || admin.lift_suppression(lift(&next_id(), "alice")).await.ok()).await;
    assert_eq!(
        operator("reader").await.lift_suppression(lift("2", "alice")).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let other = operator("other-admin").await.lift_suppression(lift("3", "alice")).await.unwrap_err();
    assert_eq!(other.metadata().get("tributary-code").unwrap(), "not_found", "another tenant's customer");
    assert_eq!(admin.lift_suppression(lift("", "alice")).await.unwrap_err().code(), Code::InvalidArgument);
}

/// A refusal is the answer to its command for good, so each time is another.
fn next_id() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("again-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[tokio::test]
async fn segments_are_counted_as_the_inbox_would_send_them() {
    let world = World::led().await;
    let mut applied = document("one", 1);
    let inboxes = &mut applied.policy.as_mut().unwrap().inboxes;
    let inbox = pb::policy::Inbox {
        channel: pb::Channel::Sms.into(),
        address: "ACME".into(),
        settings: [("national".to_owned(), "turkish".to_owned())].into(),
        ..inboxes["mail"].clone()
    };
    inboxes.insert("sms".to_owned(), inbox);
    client(&world).await.apply(applied).await.unwrap();

    let mut client = DeskClient::new(world.with_token("ann").await);
    let mut count = async |text: &str, inbox: &str| {
        let request = pb::CountSegmentsRequest { text: text.into(), inbox: inbox.into() };
        client.count_segments(request).await.map(tonic::Response::into_inner)
    };
    let text = "ğ".repeat(100);
    let anywhere = count(&text, "").await.unwrap();
    assert_eq!((anywhere.encoding.as_str(), anywhere.segments, anywhere.one_way), ("UCS-2", 2, false));
    // This inbox may write Turkish, and customers see a name.
    let there = eventually("the workspace", async || count(&text, "sms").await.ok()).await;
    assert_eq!((there.encoding.as_str(), there.segments), ("GSM-7", 1));
    assert_eq!((there.sender.as_str(), there.one_way), ("ACME", true));
    for inbox in ["elsewhere", "not a name"] {
        assert_eq!(count("hi", inbox).await.unwrap_err().code(), Code::NotFound, "{inbox}");
    }
}
