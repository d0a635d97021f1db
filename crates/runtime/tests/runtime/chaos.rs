//! Whatever happens to workers and log while messages flow: each message is received once and each answer leaves
//! once, and no check finds anything. A failing run prints its seed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    Kind, MessageId, Millis, Origin, Partition, Party, Route, Timestamp, TurnId,
    conversation::{self, BotAction, Progress, What},
    delivery::{self, Event as Delivery, Outcome},
    desk::{self, Event as Desk, Presence},
};
use log::memory::Fault;
use runtime::{Effects, Post, intake, log_of};

use super::world::*;

/// Answers every turn, and closes; the next time it owns the conversation, it hands over.
struct Bot(Post);

impl Bot {
    fn answer(&self, turn: TurnId) {
        let party = turn.conversation.party;
        // The same however often the turn is put.
        let mut message = MessageId(party.0);
        let of_turn = [turn.conversation.number, turn.owner_epoch, turn.number];
        message.0[0] = 200;
        for (byte, number) in message.0[1..].iter_mut().zip(of_turn) {
            *byte = number as u8;
        }
        let say = BotAction::Say { message, body: sealed(party) };
        let end = if turn.owner_epoch == 1 {
            BotAction::Close
        } else {
            BotAction::HandOff { queue: None, special: None }
        };
        let actions = vec![say, end];
        let answer = conversation::Command::BotAnswer { turn, tenant: tenant(), bot: greeter(), actions };
        let answer = input(Origin::Report, 1, answer);
        tokio::spawn(self.0.send::<conversation::Decider>(&Route::Party(party), &answer));
    }
}

impl Effects<conversation::Decider> for Bot {
    fn perform(&self, _: &Partition<conversation::Decider>, _: Timestamp, event: &conversation::Event) {
        if let What::TurnAsked { turn, .. } = event.what {
            self.answer(turn);
        }
    }

    fn resume(&self, partition: &Partition<conversation::Decider>) {
        partition.state().open_turns().for_each(|(turn, ..)| self.answer(turn));
    }
}

/// Sends at once, and remembers what it sent, as a provider would.
struct Provider {
    post: Post,
    sent: Mutex<HashMap<MessageId, u32>>,
}

impl Effects<delivery::Decider> for Provider {
    fn perform(&self, partition: &Partition<delivery::Decider>, _: Timestamp, event: &Delivery) {
        let mut sent = self.sent.lock().unwrap();
        let provider_id = "taken".into();
        let (message, attempt, outcome) = match event {
            Delivery::SendStarted { message, attempt } => {
                *sent.entry(*message).or_default() += 1;
                (*message, *attempt, Outcome::Sent { provider_id })
            }
            Delivery::OutcomeLost { message, attempt } => {
                let outcome = match sent.contains_key(message) {
                    true => Outcome::Sent { provider_id },
                    false => Outcome::Retry {
                        code: "no".into(),
                        reason: "not sent".into(),
                        after: Some(Millis(0)),
                    },
                };
                (*message, *attempt, outcome)
            }
            _ => return,
        };
        // The partition may be ahead of the event.
        let Some(delivery) = partition.state().get(message) else { return };
        let report = input(Origin::Report, 0, delivery::Command::Report { message, attempt, outcome });
        let post = self.post.clone();
        let route = lane(delivery.conversation.party);
        tokio::spawn(async move { while post.send::<delivery::Decider>(&route, &report).await.is_err() {} });
    }
}

struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn partition(&mut self) -> log::Partition {
        let kind = Kind::ALL[self.roll(4) as usize];
        let partition = self.roll(TOPOLOGY.partitions(kind).into()) as u32;
        let peer = domain::Peer { kind, partition };
        if self.roll(2) == 0 { intake(peer) } else { log_of(peer) }
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_whatever_happens() {
    let mut returned = 0;
    for (seed, snapshots) in [(1, false), (2, true), (3, true)] {
        eprintln!("seed {seed}");
        let world = if snapshots { World::with_snapshots() } else { World::new() };
        let world = World { retire_after: Millis(5), ..world };
        run(&world, Dice(seed)).await;
        let is_returned = |event: &conversation::Event| matches!(event.what, What::Returned { .. });
        let events = world.events::<conversation::Decider>().await;
        returned += events.iter().filter(|event| is_returned(event)).count();
    }
    assert!(returned > 0, "nobody left memory and came back");
}

async fn run(world: &World, mut dice: Dice) {
    let post = Post { log: world.log(), topology: TOPOLOGY };
    let bot = Arc::new(Bot(post.clone()));
    let provider = Arc::new(Provider { post: post.clone(), sent: Mutex::default() });
    let start = || world.start_with(bot.clone(), provider.clone());
    let mut running = vec![start()];

    let until = Timestamp(log::clock::now()) + Millis::seconds(60);
    let here = desk::Command::SetPresence { agent: ann(), presence: Presence::Available, until };
    world.post::<desk::Decider>(Route::Desk(queue().desk), &input(command(1), 0, here)).await;

    let parties: Vec<_> = (0..8).map(|n| Party([n; 16])).collect();
    let mut written = Vec::new();
    for n in 1..=120 {
        match dice.roll(12) {
            0 => running.remove(0).stop().await,
            // Now and then two lead at once.
            1 if running.len() < 2 => running.push(start()),
            2 | 3 => {
                let fault = if dice.roll(2) == 0 { Fault::AckLost } else { Fault::WriteLost };
                world.log.fail_next_append(dice.partition(), fault);
            }
            4 => tokio::time::sleep(Duration::from_millis(dice.roll(20))).await,
            5 => {
                world.assert_clean().await;
            }
            _ => {
                let party = parties[dice.roll(8) as usize];
                let said = message(party, n);
                // The provider repeats what was not acknowledged, and sometimes what was.
                while post.send::<conversation::Decider>(&Route::Party(party), &said).await.is_err()
                    || dice.roll(4) == 0
                {}
                written.push(message_id(n));
            }
        }
        if running.is_empty() {
            running.push(start());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for last in running {
        last.stop().await;
    }
    // New leaders send again at once what got lost.
    let last = start();
    world.has_received(written.len()).await;
    let answered = async || {
        let noted = |event: &conversation::Event| match &event.what {
            What::DeliveryNoted { message, progress: Progress::Sent { .. }, .. } => Some(*message),
            _ => None,
        };
        let events = world.events::<conversation::Decider>().await;
        let count = |meant: fn(&What) -> bool| events.iter().filter(|event| meant(&event.what)).count();
        let asked = count(|what| matches!(what, What::TurnAsked { .. }));
        let open = count(|what| matches!(what, What::Opened { .. } | What::Reopened { .. }))
            - count(|what| matches!(what, What::Closed { .. }));
        (events.iter().filter_map(noted).count() == asked).then_some((asked, open))
    };
    let (answers, open) = eventually("the word of every answer", answered).await;
    let offered = async || {
        let offered = |event: &Desk| matches!(event, Desk::Offered { .. });
        (world.events::<desk::Decider>().await.iter().filter(|event| offered(event)).count() >= 2)
            .then_some(())
    };
    eventually("as many offers as the agent has room for", offered).await;
    last.stop().await;

    let mut received = world.received().await;
    received.sort();
    assert_eq!(received, written, "each message once");
    let sent = provider.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), answers);
    assert!(sent.values().all(|times| *times == 1), "an answer left twice: {sent:?}");
    let report = world.assert_clean().await;
    assert_eq!((report.open_conversations, report.total().set_aside), (open as u64, 0), "{report}");
}
