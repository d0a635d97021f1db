//! From a webhook's acknowledgement to the offer on a waiting agent's gRPC stream: 200 messages a second, each from a
//! new party that asks the sample workspace's bot for a person. Agents accept at once and close at once, so that there
//! is always room. Every conversation must be offered, or there is no figure.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{ConversationId, Party};
use shared::{
    Outcome,
    load::{Loaded, Pace, load},
    process::{Effort, Installation, SAMPLE},
    report::{Rounds, machine, percentile, seconds},
    webhooks::{INBOX, Webhooks},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, transport::Channel};
use wire::api::v1::{
    AgentMessage, DeskMessage, Presence,
    agent_message::{Accept, Close, Hello, Item as Say},
    desk_client::DeskClient,
    desk_message::Item,
};

const ROUNDS: usize = 3;
const RATE: f64 = 200.0;
const AGENTS: usize = 8;
const CAPACITY: usize = 1_000;
/// How long the last offers may take before they count as missing.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Outcome<()> {
    machine()?;
    let during = Duration::from_secs(seconds(15));
    println!("{RATE} webhooks a second for {during:?} a round, {AGENTS} agents of capacity {CAPACITY}");
    let agents: Vec<_> = (1..=AGENTS).map(|number| format!("support/clerk-{number}")).collect();
    let mut workspace = SAMPLE.to_owned();
    for agent in &agents {
        workspace +=
            &format!("\n[agents.\"{agent}\"]\nqueues = [\"support/general\"]\ncapacity = {CAPACITY}\n");
    }
    let installation = Installation::new(&workspace, &agents).await?;
    let server = installation.start(&[]).await?;
    let vault = installation.vault()?;
    let (mut p50s, mut p99s) = (Rounds::default(), Rounds::default());
    for round in 0..=ROUNDS {
        let warm_up = if round == 0 { " (warm-up, not counted)" } else { "" };
        let count = (RATE * during.as_secs_f64()) as usize;
        let webhooks = Arc::new(Webhooks::prepare(&format!("{round}"), count, 1, "I want a person, please"));
        let (offers, mut offered) = mpsc::unbounded_channel();
        let mut desks = Vec::new();
        for agent in &agents {
            desks.push(arrive(&format!("http://{}", installation.at.grpc), agent, offers.clone()).await?);
        }
        drop(offers);

        let effort = Effort::of(server.id())?;
        let loaded = load(installation.at.http, &webhooks, Pace::PerSecond(RATE)).await?;
        let mut offers = HashMap::with_capacity(count);
        while offers.len() < count {
            match tokio::time::timeout(PATIENCE, offered.recv()).await {
                Ok(Some((conversation, at))) => _ = offers.entry(conversation).or_insert(at),
                Ok(None) => return Err(format!("the agents' streams ended: {}", server.said()).into()),
                Err(_) => return Err(format!("only {} of {count} were offered", offers.len()).into()),
            }
        }
        let waits = waits(&webhooks, &loaded, &offers, |address| vault.party("dev", INBOX, address))?;
        let (p50, p99) = (percentile(&waits, 50), percentile(&waits, 99));
        println!(
            "acknowledged to offered: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {:.1} ms; webhooks {}; {}{warm_up}",
            percentile(&waits, 100),
            loaded.told(),
            effort.told(count)?,
        );
        if round > 0 {
            p50s.add(p50);
            p99s.add(p99);
        }
        desks.iter().for_each(JoinHandle::abort);
        tokio::time::sleep(PAUSE).await;
    }
    server.stop().await?;
    p50s.at_most("offer.p50_ms", "ms", 10.0);
    p99s.at_most("offer.p99_ms", "ms", 30.0);
    Ok(())
}

/// From each acknowledgement to the offer of its conversation, sorted, in milliseconds.
fn waits(
    webhooks: &Webhooks,
    loaded: &Loaded,
    offers: &HashMap<String, Instant>,
    party: impl Fn(&str) -> [u8; 16],
) -> Outcome<Vec<f64>> {
    let mut waits = Vec::with_capacity(loaded.acknowledged.len());
    for one in &loaded.acknowledged {
        let party = Party(party(&webhooks.address(one.number)?));
        let conversation = ConversationId { party, number: 1 }.to_string();
        let offered = offers.get(&conversation).ok_or("a conversation was not offered")?;
        // The acknowledgement may be read later than the offer, since this process reads both.
        waits.push(offered.saturating_duration_since(one.at).as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    Ok(waits)
}

/// An agent comes to its desk and works until its task is aborted: tells of each offer, accepts it, closes it.
async fn arrive(
    server: &str,
    agent: &str,
    offers: mpsc::UnboundedSender<(String, Instant)>,
) -> Outcome<JoinHandle<Outcome<()>>> {
    let channel = Channel::from_shared(server.to_owned())?.connect().await?;
    let (say, said) = mpsc::channel(1024);
    say.send(message(String::new(), Say::Hello(Hello { presence: Presence::Available.into() }))).await?;
    let mut request = Request::new(ReceiverStream::new(said));
    request.metadata_mut().insert("authorization", format!("Bearer {agent}").parse()?);
    let mut desk: Streaming<DeskMessage> = DeskClient::new(channel).work(request).await?.into_inner();
    if desk.message().await?.is_none() {
        return Err("the desk ended before it began".into());
    }
    Ok(tokio::spawn(async move {
        while let Some(heard) = desk.message().await? {
            match heard.item {
                Some(Item::Offered(offer)) => {
                    let at = Instant::now();
                    let accept = Accept { offer: offer.offer.clone() };
                    say.send(message(format!("accept {}", offer.offer), Say::Accept(accept))).await?;
                    // The bench may have what it needs.
                    let _ = offers.send((offer.conversation, at));
                }
                Some(Item::Assigned(held)) => {
                    let id = format!("close {}", held.assignment);
                    let close = Close { conversation: held.conversation, assignment: held.assignment };
                    say.send(message(id, Say::Close(close))).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }))
}

fn message(id: String, item: Say) -> AgentMessage {
    AgentMessage { id, item: Some(item) }
}
