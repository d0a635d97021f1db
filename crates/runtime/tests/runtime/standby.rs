//! Taking over: from one who folds along, in order, and after the worst.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{Intake, Kind, Route, Timestamp, contact, conversation::Decider, workspace};
use log::{Limit, Log as _};
use runtime::{NoEffects, Setup, Worker, intake, log_of, run_all};
use tokio_util::sync::CancellationToken;

use super::{watched::Watched, world::*};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };

#[tokio::test]
async fn who_folds_along_takes_over_from_a_dead_leader_where_it_stands() {
    let world = World::new();
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let leader = tokio::spawn(Worker::<Decider>::new(Arc::new(setup), 0).run(CancellationToken::new()));

    let watched = Watched::new(&world, PEER);
    watched.gives(&[]);
    let log = watched.clone();
    let setup = world.setup("two", world.turns.clone(), world.policies.subscribe());
    let stop = CancellationToken::new();
    let second = tokio::spawn(run_all::<Decider>(Setup { log, ..setup }, stop.clone()));
    for n in 1..=20 {
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
    }
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled(), "it died with whatever it was about");

    let end = world.log.end(log_of(PEER)).await.unwrap();
    let folded = async || (watched.next.load(Ordering::SeqCst) == end).then_some(());
    eventually("all of it is folded", folded).await;
    let rules = world.accepted::<Decider>(0).await.last().unwrap().epoch;
    assert_eq!(watched.lowest.swap(u64::MAX, Ordering::SeqCst), 0, "it began at the beginning, long before");

    watched.gives(&[0]);
    world.says(CUSTOMER, 21).await;
    world.has_received(21).await;
    assert_eq!(watched.lowest.load(Ordering::SeqCst), end, "and not again");
    assert_ne!(world.accepted::<Decider>(0).await.last().unwrap().epoch, rules);

    // It is to give the partition back, and goes on until somebody has it; and it may have it again.
    for n in 22..=25 {
        watched.gives(if n % 2 == 0 { &[] } else { &[0] });
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
    }
    let rules = world.accepted::<Decider>(0).await.last().unwrap().epoch;
    watched.gives(&[]);
    let third = world.start_conversations("three");
    let another = async || {
        let last = world.accepted::<Decider>(0).await.pop().unwrap();
        (last.epoch != rules).then_some(())
    };
    world.says(CUSTOMER, 26).await;
    eventually("another leads", another).await;
    world.has_received(26).await;
    third.stop().await;
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(world.received().await, (1..=26).map(message_id).collect::<Vec<_>>());
    world.assert_clean().await;
}

/// It is told to lead while there is more in the log than it has folded.
#[tokio::test]
async fn who_folds_along_and_lags_reads_the_rest_before_it_leads() {
    let world = World::new();
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let leader = tokio::spawn(Worker::<Decider>::new(Arc::new(setup), 0).run(CancellationToken::new()));
    let watched = Watched::new(&world, PEER);
    watched.gives(&[]);
    let log = watched.clone();
    let setup = world.setup("two", world.turns.clone(), world.policies.subscribe());
    let stop = CancellationToken::new();
    let second = tokio::spawn(run_all::<Decider>(Setup { log, ..setup }, stop.clone()));
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    let end = world.log.end(log_of(PEER)).await.unwrap();
    let folded = async || (watched.next.load(Ordering::SeqCst) == end).then_some(());
    eventually("what is there is folded", folded).await;

    watched.log.pause_reading();
    for n in 2..=9 {
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
    }
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    watched.lowest.store(u64::MAX, Ordering::SeqCst);
    // Both before it can look.
    watched.gives(&[0]);
    watched.log.resume_reading();
    world.says(CUSTOMER, 10).await;
    world.has_received(10).await;
    assert_eq!(watched.lowest.load(Ordering::SeqCst), end, "it goes on where it stood");
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(world.received().await, (1..=10).map(message_id).collect::<Vec<_>>());
    assert_eq!(world.assert_clean().await.total().ignored, 0, "its first announcement is accepted");
}

/// Stopped with a decision on its way: that is read back first, its source is told, and a snapshot is left behind it.
#[tokio::test]
async fn a_worker_that_is_stopped_leaves_nothing_half_done() {
    let world = World::with_snapshots();
    let conversations = world.start_conversations("one");
    let contacts = world.start_one::<contact::Decider>("contacts", 0, Arc::new(NoEffects));
    let to = first(Kind::Contact);
    let applied = async |number: u64| {
        let records = world.log.read(intake(PEER), 0, Limit::default()).await.unwrap();
        let told = records.iter().map(|record| wire::decode_intake::<Decider>(&record.bytes).unwrap());
        let mut told = told.filter_map(|intake| match intake {
            Intake::Applied { by, through } if by == to => Some(through),
            _ => None,
        });
        told.any(|through| through == number).then_some(())
    };
    world.says(CUSTOMER, 1).await;
    eventually("the first relay's confirmation", async || applied(1).await).await;

    world.log.stall(log_of(to));
    let before = world.log.end(log_of(to)).await.unwrap();
    world.says(OTHER, 2).await;
    world.has_received(2).await;
    let relays = async || (world.log.end(intake(to)).await.unwrap() == 2).then_some(());
    eventually("the second relay", relays).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let mut stopping = tokio::spawn(contacts.stop());
    let early = tokio::time::timeout(Duration::from_millis(60), &mut stopping).await;
    assert!(early.is_err(), "it waits for what is on its way");
    assert!(applied(2).await.is_none());
    world.log.resume(log_of(to));
    tokio::time::timeout(Duration::from_secs(5), stopping).await.expect("it ends by itself").unwrap();

    let end = world.log.end(log_of(to)).await.unwrap();
    assert_eq!(end, before + 1, "the decision under way, and none after it");
    let snapshot = world.snapshots().unwrap().newest::<contact::Decider>(to).unwrap();
    assert_eq!((snapshot.point.position, snapshot.intake_through), (end, 2));
    eventually("the second relay's confirmation", async || applied(2).await).await;
    conversations.stop().await;
    world.assert_clean().await;
}

/// A command that is repeated gets the answer it got, also from a leader that never gave it.
#[tokio::test]
async fn answers_are_remembered_beyond_restarts_and_snapshots() {
    for world in [World::new(), World::with_snapshots()] {
        let apply = |n: u8, total: u32| {
            let mut policy = policy(0, domain::Millis::seconds(60), total);
            if total == 0 {
                // No such queue.
                policy.queues.clear();
            }
            (n, input(command(n), 0, workspace::Command::Apply(Arc::new(policy))))
        };
        let commands = [apply(1, 2), apply(2, 0), apply(3, 3)];
        let answers = async |n: u8| {
            let steps = world.accepted::<workspace::Decider>(0).await.into_iter();
            let steps = steps.flat_map(|decision| decision.steps);
            let answers = steps.flat_map(|step| step.answers);
            let answers: Vec<_> = answers.filter(|answer| answer.command.0 == [n; 16]).collect();
            answers
        };
        let mut first_answers = Vec::new();
        for round in 1..=3 {
            let running = world.start_one::<workspace::Decider>("one", 0, Arc::new(NoEffects));
            for (n, command) in &commands {
                world.post::<workspace::Decider>(Route::Workspace(tenant()), command).await;
                let all = async || Some(answers(*n).await).filter(|answers| answers.len() == round);
                let given = eventually("an answer", all).await;
                if round == 1 {
                    first_answers.push(given[0].result.clone());
                }
                assert_eq!(given.last().unwrap().result, first_answers[usize::from(*n) - 1]);
            }
            running.stop().await;
        }
        assert_eq!(first_answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);

        // The same id with another content is another command's.
        let running = world.start_one::<workspace::Decider>("two", 0, Arc::new(NoEffects));
        let Intake::Input { command: other, .. } = &commands[2].1 else { panic!("an input") };
        let content = domain::ContentHash([99; 16]);
        let origin = domain::Origin::Command { id: domain::CommandId([1; 16]), content };
        world.post::<workspace::Decider>(Route::Workspace(tenant()), &input(origin, 0, other.clone())).await;
        let last = async || answers(1).await.into_iter().find(|answer| answer.content == content);
        let refused = eventually("a refusal", last).await.result;
        assert_eq!(code(refused), Some(domain::Code::Conflict));
        running.stop().await;

        let events = world.events::<workspace::Decider>().await;
        assert_eq!(events.len(), 2, "applied once each: {events:?}");
        let at = Timestamp(log::clock::now());
        assert!(
            world.accepted::<workspace::Decider>(0).await.iter().all(|decision| decision.decided_at <= at)
        );
        world.assert_clean().await;
    }
}
