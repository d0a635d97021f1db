use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use domain::{
    Cause, CommandId, ContentHash, DeskId, Intake, Kind, Origin, Peer, Policy, Relay, SetAside, Step,
    TenantId, Timer, Timestamp, contact, conversation::What, delivery, desk,
};
use projections::{EntryKind, Kept, SetAsideId, SetAsideRow, TimelineOf};
use wire::Codec;

use crate::world::*;

fn poison<A: Codec>(bytes: &Bytes, reason: &str) -> Step<A> {
    Step { set_aside: Some(SetAside { bytes: bytes.clone(), reason: reason.into() }), ..step([]) }
}

fn of(kind: Kind, position: u64, index: u32) -> SetAsideId {
    SetAsideId { peer: Peer { kind, partition: 0 }, position, index }
}

/// A command of acme's that its leader cannot handle.
fn command() -> Bytes {
    wire::encode_intake::<contact::Decider>(&Intake::Input {
        origin: Origin::Command { id: CommandId([1; 16]), content: ContentHash([1; 16]) },
        at: Timestamp(1),
        tenant: acme(),
        policy_version: 1,
        command: contact::Command::Tag {
            tenant: acme(),
            contact: domain::ContactId(party(1).0),
            tag: "vip".into(),
        },
    })
}

#[tokio::test]
async fn what_was_set_aside_is_listed_and_kept_whole() {
    let mut world = World::new();
    let relay = Relay::Desk(desk::Command::Withdraw { conversation: first(1), owner_epoch: 1 });
    let relay = wire::encode_relay(Peer { kind: Kind::Conversation, partition: 0 }, 1, Timestamp(1), &relay);
    let garbage = Bytes::from_static(b"\xff\xff");

    let steps =
        vec![step([created(1, 100)]), poison(&command(), "evolve failed"), poison(&garbage, "not protobuf")];
    world.decide::<contact::Decider>(0, 100, steps).await;
    world.decide::<desk::Decider>(0, 110, vec![poison(&relay, "no such queue")]).await;
    world.decide::<delivery::Decider>(0, 120, vec![poison(&garbage, "not protobuf")]).await;
    let unreadable = What::UnreadableKept {
        party: party(2),
        message: message(7),
        content: sealed(2, "sealed mail"),
        reason: "no sender".into(),
        at: Timestamp(1),
    };
    world.say(130, [unreadable.clone()]).await;
    world.say(140, [unreadable.clone()]).await;
    world.project().await;

    let row = |id, tenant, at, reason: &str, size| SetAsideRow {
        id,
        tenant,
        at: Timestamp(at),
        reason: reason.into(),
        size,
    };
    let expected = [
        row(of(Kind::Contact, 1, 1), Some(acme()), 100, "evolve failed", command().len() as u64),
        row(of(Kind::Contact, 1, 2), None, 100, "not protobuf", 2),
        row(of(Kind::Conversation, 1, 0), Some(acme()), 130, "no sender", 11),
        row(of(Kind::Delivery, 1, 0), None, 120, "not protobuf", 2),
        row(of(Kind::Desk, 1, 0), None, 110, "no such queue", relay.len() as u64),
    ];
    let all = world.store.set_aside(None, None, 100).await.unwrap();
    assert_eq!(all, expected);
    let acmes = world.store.set_aside(Some(&acme()), None, 100).await.unwrap();
    assert_eq!(acmes, [expected[0].clone(), expected[2].clone()]);
    assert_eq!(world.store.set_aside(Some(&globex()), None, 100).await.unwrap(), []);

    let mut joined = Vec::new();
    loop {
        let after = joined.last().map(|row: &SetAsideRow| row.id);
        let page = world.store.set_aside(None, after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        joined.extend(page);
    }
    assert_eq!(joined, expected);

    let kept =
        async |id| world.store.set_aside_input(Some(&acme()), id).await.unwrap().map(|found| found.kept);
    assert_eq!(kept(expected[0].id).await, Some(Kept::Input(command())));
    let (party, message, content) = (party(2), message(7), sealed(2, "sealed mail"));
    let kept_message = Kept::Message { inbox: of_acme(unreadable).inbox, party, message, content };
    assert_eq!(kept(expected[2].id).await, Some(kept_message));
    assert_eq!(kept(expected[1].id).await, None, "it does not tell that it is acme's");
    let found = world.store.set_aside_input(None, expected[1].id).await.unwrap().unwrap();
    assert_eq!((found.row, found.kept), (expected[1].clone(), Kept::Input(garbage)));
    assert_eq!(world.store.set_aside_input(Some(&globex()), expected[0].id).await.unwrap(), None);

    // A message that nobody understood is a message all the same.
    let timeline = world.timeline(TimelineOf::Party(party)).await;
    let shown: Vec<_> = timeline.iter().map(|entry| (entry.kind, entry.detail.as_deref())).collect();
    assert_eq!(shown, [(EntryKind::UnreadableKept, Some("no sender"))]);
}

/// What their rules failed on is kept by the worker as the command it would have been.
#[tokio::test]
async fn timers_and_policies_that_were_set_aside_are_their_tenants() {
    let mut world = World::new();
    let intake = |tenant, command| {
        let (origin, at) = (Origin::Report, Timestamp(1));
        wire::encode_intake::<desk::Decider>(&Intake::Input {
            origin,
            at,
            tenant,
            policy_version: 0,
            command,
        })
    };
    let agent = "globex/support/ann".parse().unwrap();
    let (due, id, generation) = (Timestamp(90), desk::TimerId::Lease(agent), 1);
    let fired = intake(globex(), desk::Command::TimerFired(id.clone()));
    let timer = Cause::Timer(Timer { due, id, generation });
    let policy = |tenant: TenantId| {
        Arc::new(Policy {
            tenant,
            version: 3,
            inboxes: BTreeMap::new(),
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            bots: BTreeMap::new(),
            hours: BTreeMap::new(),
            links: Default::default(),
        })
    };
    let changed = intake(acme(), desk::Command::PolicyChanged { tenant: acme() });
    let adopted =
        |bytes: &Bytes, of| Step { cause: Cause::PolicyInForce(policy(of)), ..poison(bytes, "overflow") };
    let steps = vec![Step { cause: timer, ..poison(&fired, "overflow") }, adopted(&changed, acme())];
    world.decide::<desk::Decider>(0, 100, steps).await;
    // Of an aggregate in which nothing more follows from a policy.
    let steps = vec![Step {
        cause: Cause::PolicyInForce(policy(acme())),
        set_aside: Some(SetAside { bytes: Bytes::new(), reason: "overflow".into() }),
        ..step([])
    }];
    world.decide::<contact::Decider>(0, 100, steps).await;
    world.project().await;

    let listed = async |tenant| {
        let rows = world.store.set_aside(Some(&tenant), None, 100).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(acme()).await, [of(Kind::Contact, 1, 0), of(Kind::Desk, 1, 1)]);
    assert_eq!(listed(globex()).await, [of(Kind::Desk, 1, 0)]);
    let kept = world.store.set_aside_input(Some(&globex()), of(Kind::Desk, 1, 0)).await.unwrap();
    assert_eq!(kept.map(|found| found.kept), Some(Kept::Input(fired)));
}

#[test]
fn ids_are_written_and_read() {
    for id in [of(Kind::Desk, 12, 3), of(Kind::Conversation, u64::MAX, u32::MAX)] {
        assert_eq!(id.to_string().parse::<SetAsideId>().unwrap(), id);
    }
    assert_eq!(of(Kind::Desk, 12, 3).to_string(), "desk-0-12-3");
    for text in ["", "desk", "desk-0-12", "desk-0-12-3-4", "pond-0-1-2", "desk-0-x-2", "desk--1-2-3"] {
        assert!(text.parse::<SetAsideId>().is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn the_other_aggregates_events_are_passed_over() {
    let mut world = World::new();
    let desk = DeskId::new(acme(), "support").unwrap();
    world.decide::<desk::Decider>(0, 100, vec![step([desk::Event::WorkDeferred { desk }])]).await;
    let started = delivery::Event::SendStarted { message: message(1), attempt: 1 };
    world.decide::<delivery::Decider>(0, 100, vec![step([started])]).await;
    world.project().await;
    assert_eq!(world.behind().await, 0);
    assert!(rows(world.dir.path()).iter().all(|row| row.starts_with("positions")));
}
