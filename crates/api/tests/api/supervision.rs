//! `Supervision.Watch`: a supervisor sees the desk as it works.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use wire::api::v1::{
    self as pb, agent_message, desk_client::DeskClient, desk_message, reassign_request::To,
    supervision_client::SupervisionClient, workspace_client::WorkspaceClient,
};

use super::world::{World, policy, soon};

/// What was told so far, laid together as a client would.
#[derive(Default)]
struct Board {
    queues: Vec<pb::QueueStatistics>,
    agents: Vec<pb::AgentStatistics>,
}

struct Watch {
    stream: Streaming<pb::WatchResponse>,
    board: Board,
}

fn every(millis: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 0, nanos: millis * 1_000_000 })
}

async fn ask(
    world: &World,
    token: &'static str,
    desks: &[&str],
) -> Result<Streaming<pb::WatchResponse>, Status> {
    let request =
        pb::WatchRequest { desks: desks.iter().map(ToString::to_string).collect(), every: every(200) };
    let mut client = SupervisionClient::new(world.with_token(token).await);
    client.watch(request).await.map(tonic::Response::into_inner)
}

impl Watch {
    async fn begin(world: &World) -> Watch {
        let mut watch = Watch { stream: ask(world, "admin", &[]).await.unwrap(), board: Board::default() };
        assert!(watch.hear().await.whole, "everything comes first");
        watch
    }

    async fn hear(&mut self) -> pb::WatchResponse {
        let told = soon("what the desk is like", self.stream.message()).await.unwrap();
        let told = told.expect("the stream goes on");
        if told.whole {
            self.board = Board::default();
        }
        let Board { queues, agents } = &mut self.board;
        queues.retain(|old| {
            told.queues.iter().all(|new| new.queue != old.queue) && !told.gone.contains(&old.queue)
        });
        agents.retain(|old| {
            told.agents.iter().all(|new| new.agent != old.agent) && !told.gone.contains(&old.agent)
        });
        queues.extend(told.queues.iter().cloned());
        agents.extend(told.agents.iter().cloned());
        told
    }

    /// Listens until what is told so far is so.
    async fn until(
        &mut self,
        what: &str,
        is_so: impl Fn(&pb::QueueStatistics, Option<&pb::AgentStatistics>) -> bool,
    ) {
        for _ in 0..100 {
            if is_so(&self.board.queues[0], self.board.agents.first()) {
                return;
            }
            self.hear().await;
        }
        panic!("{what}: {:?} {:?}", self.board.queues, self.board.agents);
    }
}

/// The workspace by which the leaders decide is known to the server too.
pub(crate) async fn known(world: &World) {
    for (token, tenant) in [("admin", "acme"), ("other-admin", "other")] {
        let policy = Some(api::policy_message(&policy(tenant)));
        let request = pb::ApplyWorkspaceRequest { command_id: "apply".into(), policy };
        let mut workspace = WorkspaceClient::new(world.with_token(token).await);
        soon("the workspace", workspace.apply(request)).await.unwrap();
    }
}

/// An agent who does as told.
struct Ann {
    say: mpsc::Sender<pb::AgentMessage>,
    hear: Streaming<pb::DeskMessage>,
}

impl Ann {
    async fn arrives(world: &World) -> Ann {
        Ann::arrives_as(world, "ann").await
    }

    async fn arrives_as(world: &World, token: &'static str) -> Ann {
        let (say, said) = mpsc::channel(8);
        let mut ann = DeskClient::new(world.with_token(token).await);
        let hello = agent_message::Item::Hello(agent_message::Hello::default());
        say.send(pb::AgentMessage { id: String::new(), item: Some(hello) }).await.unwrap();
        Ann { say, hear: ann.work(ReceiverStream::new(said)).await.unwrap().into_inner() }
    }

    async fn says(&self, id: &str, item: agent_message::Item) {
        self.say.send(pb::AgentMessage { id: id.into(), item: Some(item) }).await.unwrap();
    }

    async fn hears<T>(&mut self, wanted: impl Fn(desk_message::Item) -> Option<T>) -> T {
        loop {
            let item = soon("the desk's word", self.hear.message()).await.unwrap().unwrap().item.unwrap();
            if let Some(found) = wanted(item) {
                return found;
            }
        }
    }
}

#[tokio::test]
async fn a_supervisor_sees_who_waits_who_answers_and_how_it_went() {
    let world = World::led().await;
    known(&world).await;
    let mut watch = Watch::begin(&world).await;
    assert_eq!(watch.board.queues.len(), 1, "the queue of the policy is shown");
    assert_eq!((watch.board.queues[0].queue.as_str(), watch.board.agents.len()), ("acme/desk/all", 0));

    world.write("acme", "alice", "hello").await;
    watch.until("someone waits", |queue, _| queue.waiting == 1 && queue.longest_since.is_some()).await;

    let mut ann = Ann::arrives(&world).await;
    let offered = ann.hears(|item| match item {
        // It may have been made before the agent was welcome.
        desk_message::Item::Welcome(welcome) => welcome.offers.into_iter().next(),
        desk_message::Item::Offered(offered) => Some(offered),
        _ => None,
    });
    let offer = offered.await.offer;
    watch
        .until("it is on offer", |queue, agent| {
            queue.offers == 1
                && agent.is_some_and(|ann| ann.offers == 1 && ann.presence() == pb::Presence::Available)
        })
        .await;
    ann.says("1", agent_message::Item::Accept(agent_message::Accept { offer })).await;
    let assigned = ann.hears(|item| match item {
        desk_message::Item::Assigned(assigned) => Some(assigned),
        _ => None,
    });
    let pb::desk_message::Assigned { assignment, conversation, .. } = assigned.await;
    watch
        .until("it is answered", |queue, agent| {
            let window = &queue.windows[0];
            let is_anns = agent.is_some_and(|ann| ann.assignments == 1 && ann.windows[0].answered == 1);
            (queue.waiting, queue.assignments, window.answered, window.came) == (0, 1, 1, 1) && is_anns
        })
        .await;

    ann.says("2", agent_message::Item::Close(agent_message::Close { conversation, assignment })).await;
    watch
        .until("it is over", |queue, agent| {
            let done =
                queue.assignments == 0 && queue.windows.iter().all(|window| window.handling_time.is_some());
            done && agent.is_some_and(|ann| ann.assignments == 0)
        })
        .await;
    // Nobody was promised anything, so nothing is held against anyone.
    assert_eq!(watch.board.queues[0].windows.len(), 3);
    assert!(watch.board.queues[0].windows.iter().all(|window| window.service_level.is_none()));
}

#[tokio::test]
async fn silence_is_broken_and_nothing_is_said_twice() {
    let world = World::led_with(|config| config.heartbeat = Duration::from_millis(500)).await;
    let mut watch = Watch::begin(&world).await;
    for _ in 0..2 {
        let told = watch.hear().await;
        assert!(
            !told.whole && told.queues.is_empty() && told.agents.is_empty() && told.at.is_some(),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn administrators_and_supervisors_watch_and_only_what_is_theirs() {
    let world = World::led().await;
    known(&world).await;
    for token in ["ann", "reader", "acme-helper"] {
        assert_eq!(ask(&world, token, &[]).await.unwrap_err().code(), Code::PermissionDenied, "{token}");
    }
    // Another tenant's desk is as good as none.
    for desk in ["other/desk", "nowhere", "acme/nowhere"] {
        assert_eq!(ask(&world, "admin", &[desk]).await.unwrap_err().code(), Code::NotFound, "{desk}");
    }
    assert_eq!(ask(&world, "admin", &["no desk/at/all"]).await.unwrap_err().code(), Code::InvalidArgument);
    for desk in ["desk", "acme/desk"] {
        let mut stream = ask(&world, "admin", &[desk]).await.unwrap();
        let told = soon("the desk", stream.message()).await.unwrap().unwrap();
        assert_eq!(told.queues.len(), 1, "{told:?}");
    }
    // Sue supervises the desk; her token is an agent's like Ann's.
    for desks in [&[][..], &["desk"]] {
        let mut stream = ask(&world, "sue", desks).await.unwrap();
        let told = soon("what she supervises", stream.message()).await.unwrap().unwrap();
        assert!(
            !told.queues.is_empty() && told.queues.iter().all(|queue| queue.queue.starts_with("acme/desk/"))
        );
    }
    let mut other = ask(&world, "other-admin", &[]).await.unwrap();
    let told = soon("the other tenant's desk", other.message()).await.unwrap().unwrap();
    assert!(told.queues.iter().all(|queue| queue.queue.starts_with("other/")), "{told:?}");

    let mut client = SupervisionClient::new(world.with_token("admin").await);
    let too_often = pb::WatchRequest { desks: vec![], every: every(100) };
    assert_eq!(client.watch(too_often).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_administrator_gives_a_conversation_to_whom_it_should_go() {
    let world = World::led().await;
    known(&world).await;
    let conversation = world.write("acme", "alice", "hello").await.to_string();
    let request = |id: &str, to| pb::ReassignRequest {
        command_id: id.into(),
        conversation: conversation.clone(),
        to,
        ..Default::default()
    };
    let to_sue = || Some(To::Agent("acme/desk/sue".into()));
    for token in ["sue", "ann", "reader"] {
        let mut client = SupervisionClient::new(world.with_token(token).await);
        let refused = client.reassign(request("x", to_sue())).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{token}");
    }
    let mut other = SupervisionClient::new(world.with_token("other-admin").await);
    let theirs = Some(To::Queue("other/desk/all".into()));
    assert_eq!(other.reassign(request("x", theirs)).await.unwrap_err().code(), Code::FailedPrecondition);
    let mut admin = SupervisionClient::new(world.with_token("admin").await);
    for bad in [request("", to_sue()), request("x", None), request("x", Some(To::Desk("other/desk".into())))]
    {
        assert_eq!(admin.reassign(bad).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let stale = pb::ReassignRequest { owner_epoch: Some(9), ..request("stale", to_sue()) };
    let refused = admin.reassign(stale).await.unwrap_err();
    assert_eq!(refused.metadata().get("tributary-code").unwrap(), "stale");

    let mut sue = Ann::arrives_as(&world, "sue").await;
    sue.hears(|item| matches!(item, desk_message::Item::Welcome(_)).then_some(())).await;
    let done = admin.reassign(request("give", to_sue())).await.unwrap().into_inner();
    let again = admin.reassign(request("give", to_sue())).await.unwrap().into_inner();
    assert_eq!(done.position.min(again.position), done.position, "the same command, once more");
    let offered = sue.hears(|item| match item {
        desk_message::Item::Offered(offered) => Some(offered),
        _ => None,
    });
    assert_eq!(offered.await.conversation, conversation);
}
