//! What befalls the fleet. Each fault ends with everything running again.

use std::time::Duration;

use crate::{
    brokers::COUNT,
    check,
    fleet::{BEHIND_PROXIES, SESSION},
    scene::Scene,
    topics,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    /// To compare with.
    Nothing,
    KilledWorker,
    KilledBroker,
    KilledLeader,
    Zombie,
    CutWires,
    Scaling,
    RollingRestart,
    FullDisk,
}

impl Fault {
    pub(crate) const ALL: [Fault; 9] = [
        Fault::Nothing,
        Fault::KilledWorker,
        Fault::KilledBroker,
        Fault::KilledLeader,
        Fault::Zombie,
        Fault::CutWires,
        Fault::Scaling,
        Fault::RollingRestart,
        Fault::FullDisk,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Fault::Nothing => "no fault, to compare with",
            Fault::KilledWorker => "kill -9 of a worker",
            Fault::KilledBroker => "kill -9 of a broker",
            Fault::KilledLeader => "kill -9 of a hot partition's leader broker",
            Fault::Zombie => "a worker held up beyond its session",
            Fault::CutWires => "a worker cut off from the brokers",
            Fault::Scaling => "1 router, then 4, then 2",
            Fault::RollingRestart => "a rolling restart",
            Fault::FullDisk => "a broker's disk is full",
        }
    }

    /// What exactly happened.
    pub(crate) async fn strike(self, scene: &mut Scene<'_>) -> String {
        match self {
            Fault::Nothing => {
                pause(scene, 4_000, 6_000).await;
                String::new()
            }
            Fault::KilledWorker => killed_worker(scene).await,
            Fault::KilledBroker => {
                let broker = scene.random.between(1, COUNT.into()) as u16;
                killed_broker(scene, broker).await
            }
            Fault::KilledLeader => {
                let broker = leader_broker(scene).await;
                killed_broker(scene, broker).await
            }
            Fault::Zombie => zombie(scene).await,
            Fault::CutWires => cut_wires(scene).await,
            Fault::Scaling => scaling(scene).await,
            Fault::RollingRestart => rolling_restart(scene).await,
            Fault::FullDisk => full_disk(scene).await,
        }
    }
}

async fn pause(scene: &mut Scene<'_>, least: u64, most: u64) -> u64 {
    let pause = scene.random.between(least, most);
    tokio::time::sleep(Duration::from_millis(pause)).await;
    pause
}

/// Longer than the session, so that the others have what was its.
async fn outlast_session(scene: &mut Scene<'_>) -> u64 {
    let session = SESSION.as_millis() as u64;
    pause(scene, session + 1_500, session + 3_500).await
}

/// Someone who leads: of all partitions, one is chosen, and whoever has it is hit. How many it leads.
async fn any_leader(scene: &mut Scene<'_>) -> (&'static str, usize) {
    let leaders = leaders(scene).await;
    assert!(!leaders.is_empty(), "somebody of the fleet leads something");
    let chosen = leaders[scene.random.between(0, leaders.len() as u64 - 1) as usize];
    (chosen, leaders.iter().filter(|leader| **leader == chosen).count())
}

/// Who leads, as often as there are partitions it leads.
async fn leaders(scene: &mut Scene<'_>) -> Vec<&'static str> {
    let (brokers, prefix) = (scene.brokers.addresses.clone(), scene.prefix.clone());
    let reading = move || check::leaders(&topics::read_now(&brokers, &prefix));
    let leaders = tokio::task::spawn_blocking(reading).await.expect("the topics can be read");
    leaders.values().filter_map(|leader| scene.fleet.called(leader)).collect()
}

/// It comes back at once, or only when the others have noticed.
async fn killed_worker(scene: &mut Scene<'_>) -> String {
    let (worker, led) = any_leader(scene).await;
    scene.fleet.kill(worker).await;
    let away = if scene.random.percent(50) {
        let away = pause(scene, 0, 500).await;
        scene.fleet.start_again(worker).await;
        outlast_session(scene).await;
        away
    } else {
        let away = outlast_session(scene).await;
        scene.fleet.start_again(worker).await;
        away
    };
    format!("{worker}, which led {led} partitions, for {away} ms")
}

async fn killed_broker(scene: &mut Scene<'_>, broker: u16) -> String {
    scene.brokers.kill(broker);
    let away = pause(scene, 2_000, 8_000).await;
    scene.brokers.again(broker).await;
    pause(scene, 1_000, 3_000).await;
    format!("broker {broker}, for {away} ms")
}

/// The broker that leads a partition into which customers' messages flow.
async fn leader_broker(scene: &mut Scene<'_>) -> u16 {
    let (brokers, topic) = (scene.brokers.addresses.clone(), format!("{}conversation.log", scene.prefix));
    let partition = scene.random.between(0, 3) as i32;
    let leader = tokio::task::spawn_blocking(move || topics::leader(&brokers, &topic, partition));
    leader.await.expect("the brokers can be asked") as u16
}

/// It goes on as if it led still, with what it was about to write.
async fn zombie(scene: &mut Scene<'_>) -> String {
    let (worker, led) = any_leader(scene).await;
    scene.fleet.signal(worker, "STOP");
    let away = outlast_session(scene).await;
    scene.fleet.signal(worker, "CONT");
    pause(scene, 3_000, 5_000).await;
    scene.fleet.until_ready(worker).await;
    format!("{worker}, which led {led} partitions, for {away} ms")
}

async fn cut_wires(scene: &mut Scene<'_>) -> String {
    let led = leaders(scene).await.iter().filter(|leader| **leader == BEHIND_PROXIES).count();
    scene.wires.cut();
    let is_long = scene.random.percent(70);
    let away = if is_long { outlast_session(scene).await } else { pause(scene, 500, 3_000).await };
    let resets = scene.random.percent(50);
    scene.wires.mend(resets);
    pause(scene, 3_000, 5_000).await;
    scene.fleet.until_ready(BEHIND_PROXIES).await;
    let how = if resets { "its connections reset" } else { "what was under way came late" };
    format!("{BEHIND_PROXIES}, which led {led} partitions, for {away} ms; {how}")
}

async fn scaling(scene: &mut Scene<'_>) -> String {
    for name in ["router-2", BEHIND_PROXIES] {
        scene.fleet.stop(name).await;
    }
    pause(scene, 1_000, 2_000).await;
    for name in ["router-2", BEHIND_PROXIES, "router-4"] {
        scene.fleet.spawn(name);
    }
    for name in ["router-2", BEHIND_PROXIES, "router-4"] {
        scene.fleet.until_ready(name).await;
    }
    pause(scene, 1_000, 3_000).await;
    for name in ["router-1", "router-4"] {
        scene.fleet.stop(name).await;
    }
    pause(scene, 1_000, 2_000).await;
    scene.fleet.start_again("router-1").await;
    String::new()
}

async fn rolling_restart(scene: &mut Scene<'_>) -> String {
    let everyone = scene.fleet.everyone();
    for name in &everyone {
        scene.fleet.stop(name).await;
        scene.fleet.start_again(name).await;
        pause(scene, 0, 1_000).await;
    }
    format!("{} processes", everyone.len())
}

async fn full_disk(scene: &mut Scene<'_>) -> String {
    let broker = scene.random.between(1, COUNT.into()) as u16;
    scene.brokers.fill_disk(broker);
    // It ends by itself as soon as it cannot write what it must.
    let mut looks = 0;
    while looks < 50 && scene.brokers.runs(broker) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        looks += 1;
    }
    let how = match scene.brokers.runs(broker) {
        true => {
            scene.brokers.kill(broker);
            "and had to be killed"
        }
        false => "and ended by itself",
    };
    let away = pause(scene, 1_000, 4_000).await;
    scene.brokers.again(broker).await;
    pause(scene, 1_000, 3_000).await;
    format!("broker {broker}, which went on for {} ms {how}, for {away} ms more", looks * 200)
}
