//! Mistakes of ours: rules and effects that panic. No partition stands still for them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use domain::{
    Cause, Channel, ConversationId, Intake, Kind, MessageId, Partition, Party, SetAside, Timestamp,
    conversation::{self, Outgoing, What},
    delivery::{self, Event as Delivery},
    desk::{self, Event as Desk, Presence},
};
use runtime::{Effects, NoEffects, Standing};

use super::{hand::Hand, world::*};

fn outgoing(party: Party) -> Outgoing {
    Outgoing {
        tenant: tenant(),
        inbox: "sms".parse().unwrap(),
        channel: Channel::Sms,
        to: sealed(party),
        body: sealed(party),
        thread: None,
        by_person: true,
        signed: None,
        window: None,
    }
}

fn queued(party: Party, message: MessageId) -> Delivery {
    Delivery::Queued { conversation: conversation_of(party), message, outgoing: outgoing(party) }
}

/// What was set aside, and the steps that it was set aside by.
async fn kept<A: wire::Codec>(world: &World, number: u32) -> Vec<(Cause<A>, SetAside)> {
    let steps = world.accepted::<A>(number).await.into_iter().flat_map(|decision| decision.steps);
    steps
        .filter_map(|step| {
            assert!(step.set_aside.is_none() || step.events.is_empty());
            Some((step.cause, step.set_aside?))
        })
        .collect()
}

/// The only way to make the rules panic is arithmetic that overflows, which is checked in debug builds.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_timer_that_the_rules_panic_on_is_used_up_and_set_aside() {
    let world = World::new();
    let number = TOPOLOGY.peer(&lane(CUSTOMER)).partition;
    let scheduled = |message, attempt| {
        let (due, code, reason) = (Timestamp(2_000), "busy".into(), "come back".into());
        Delivery::RetryScheduled { message, attempt, due, code, reason, not_made: false }
    };
    let [last, other] = [message_id(1), message_id(2)];
    let neighbour = (0..=255)
        .map(|n| Party([n; 16]))
        .find(|party| *party != CUSTOMER && TOPOLOGY.peer(&lane(*party)).partition == number);
    let events = vec![
        queued(CUSTOMER, last),
        Delivery::SendStarted { message: last, attempt: u32::MAX },
        scheduled(last, u32::MAX),
        queued(neighbour.unwrap(), other),
        Delivery::SendStarted { message: other, attempt: 1 },
        scheduled(other, 1),
    ];
    Hand::<delivery::Decider>::new(number).then(Cause::Report, events).write(&world).await;

    let running = world.start_one::<delivery::Decider>("one", number, world.sends.clone());
    let again = |event: &Delivery| *event == Delivery::SendStarted { message: other, attempt: 2 };
    eventually("the other's attempt", async || (world.sends.count(again) == 1).then_some(())).await;
    running.stop().await;

    let kept = kept::<delivery::Decider>(&world, number).await;
    let [(Cause::Timer(timer), why)] = &kept[..] else { panic!("one timer is set aside: {kept:?}") };
    assert_eq!(timer.id, delivery::TimerId::Retry(last));
    assert!(why.reason.contains(&last.to_string()), "it says which: {}", why.reason);
    let to_hand_in = wire::decode_intake::<delivery::Decider>(&why.bytes).unwrap();
    let Intake::Input { tenant: of, command, .. } = to_hand_in else { panic!("a command is kept") };
    assert_eq!((of, command), (tenant(), delivery::Command::TimerFired(timer.id)));
    let mut standing = Standing::<delivery::Decider>::new(number, TOPOLOGY);
    let mut tail = standing.tail(world.log());
    standing.catch_up(&mut tail).await.unwrap();
    assert_eq!(standing.partition.next_due(), None, "it does not fire again");
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_policy_that_the_rules_panic_on_is_in_force_and_set_aside() {
    let world = World::new();
    let enqueued = |n: u8| Desk::Enqueued {
        conversation: ConversationId { party: Party([n; 16]), number: 1 },
        owner_epoch: 1,
        channel: Channel::Sms,
        queue: queue(),
        priority: 0,
        since: Timestamp(0),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    };
    let until = Timestamp(log::clock::now() + 3_600_000);
    let events = vec![
        Desk::PresenceSet { agent: ann(), presence: Presence::Available, until },
        enqueued(2),
        Desk::Offered {
            // The desk cannot count any further.
            offer: format!("acme/support/{}", u64::MAX).parse().unwrap(),
            conversation: conversation_of(CUSTOMER),
            owner_epoch: 1,
            agent: ann(),
            queue: queue(),
            channel: Channel::Sms,
            expires_at: until,
            why: None,
        },
        enqueued(4),
    ];
    Hand::<desk::Decider>::new(0).then(Cause::Report, events).write(&world).await;
    let running = world.start_one::<desk::Decider>("one", 0, Arc::new(NoEffects));
    let kept = eventually("the policy", async || kept::<desk::Decider>(&world, 0).await.pop()).await;
    let (Cause::PolicyInForce(policy), why) = kept else { panic!("the policy is set aside: {kept:?}") };
    assert_eq!(policy.version, 1);
    assert!(why.reason.contains("version 1 of the policy of acme"), "{}", why.reason);
    let to_hand_in = wire::decode_intake::<desk::Decider>(&why.bytes).unwrap();
    let Intake::Input { command, .. } = to_hand_in else { panic!("a command is kept") };
    assert_eq!(command, desk::Command::PolicyChanged { tenant: tenant() });
    running.stop().await;

    let mut standing = Standing::<desk::Decider>::new(0, TOPOLOGY);
    let mut tail = standing.tail(world.log());
    standing.catch_up(&mut tail).await.unwrap();
    assert_eq!(standing.partition.policies().version(&tenant()), 1);
}

/// Panics at every turn asked, and whenever it should resume.
#[derive(Default)]
struct Clumsy {
    performed: AtomicUsize,
    resumed: AtomicUsize,
}

impl Effects<conversation::Decider> for Clumsy {
    fn perform(&self, _: &Partition<conversation::Decider>, _: Timestamp, event: &conversation::Event) {
        match event.what {
            What::TurnAsked { .. } => panic!("this bot cannot be asked"),
            What::MessageReceived { .. } => _ = self.performed.fetch_add(1, Ordering::SeqCst),
            _ => {}
        }
    }

    fn resume(&self, _: &Partition<conversation::Decider>) {
        self.resumed.fetch_add(1, Ordering::SeqCst);
        panic!("nor can it go on");
    }
}

#[tokio::test]
async fn effects_that_panic_stop_nothing_and_are_tried_once_by_each_leader() {
    let world = World::new();
    let clumsy = Arc::new(Clumsy::default());
    for leaders in 1..=3 {
        let running = world.start_one::<conversation::Decider>("one", 0, clumsy.clone());
        for n in [2 * leaders, 2 * leaders + 1] {
            world.says(CUSTOMER, n).await;
            let seen = usize::from(n - 1);
            let performed = async || (clumsy.performed.load(Ordering::SeqCst) == seen).then_some(());
            eventually("the effects of the messages", performed).await;
        }
        running.stop().await;
        assert_eq!(clumsy.resumed.load(Ordering::SeqCst), usize::from(leaders));
        // What is owed is still there for the next one.
        let mut standing = Standing::<conversation::Decider>::new(0, TOPOLOGY);
        let mut tail = standing.tail(world.log());
        standing.catch_up(&mut tail).await.unwrap();
        assert_eq!(standing.partition.state().open_turns().count(), 1);
    }
    let report = world.assert_clean().await;
    assert_eq!(report.total().set_aside, 0);
}

/// However much earlier leaders left under way, no decision about it is large.
#[tokio::test]
async fn what_was_under_way_is_taken_up_in_parts() {
    const MANY: usize = 2_500;
    let world = World::new();
    let parties = (0_u32..).map(|n| {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        id
    });
    let here = parties.filter(|id| TOPOLOGY.peer(&lane(Party(*id))).partition == 0).take(MANY);
    let events = here.flat_map(|id| {
        let message = MessageId(id);
        [queued(Party(id), message), Delivery::SendStarted { message, attempt: 1 }]
    });
    Hand::<delivery::Decider>::new(0).then(Cause::Report, events.collect()).write(&world).await;

    let lost = |event: &Delivery| matches!(event, Delivery::OutcomeLost { .. });
    for _ in 0..2 {
        world.sends.performed.lock().unwrap().clear();
        let running = world.start_one::<delivery::Decider>("one", 0, world.sends.clone());
        eventually("all of it", async || (world.sends.count(lost) == MANY).then_some(())).await;
        running.stop().await;
    }
    let decisions = world.accepted::<delivery::Decider>(0).await;
    let recovered = |step: &&domain::Step<_>| step.cause == Cause::Recovered;
    let parts = decisions.iter().filter_map(|decision| decision.steps.iter().find(recovered));
    let sizes: Vec<_> = parts.map(|step| step.events.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500, 1_000, 1_000, 500]);
    assert_eq!(world.verify().await.by_kind[&Kind::Delivery].set_aside, 0);
    let resumed = world.sends.resumed.lock().unwrap();
    assert!(resumed.iter().all(|(_, performed)| *performed == MANY), "only then is looked for what is owed");
}
