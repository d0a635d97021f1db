//! From an agent's being free to the next offer on that agent's gRPC stream, while customers wait: fifty agents with room
//! for one conversation each have it for a quarter of a second, close it, and are offered the next. Timed at the client:
//! from when `close` is written to when the offer is read, so the conversation's decision, the desk's, and both streams are
//! in it.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{sync::Arc, time::Duration};

use shared::{
    Outcome,
    load::{Pace, load},
    process::{Installation, SAMPLE},
    report::{Rounds, machine, percentile, seconds},
    webhooks::Webhooks,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, transport::Channel};
use wire::api::v1::{
    AgentMessage, DeskMessage, Presence,
    agent_message::{Accept, Close, Hello, Item as Say},
    desk_client::DeskClient,
    desk_message::{Assigned, Item, Offered},
};

const ROUNDS: usize = 3;
const AGENTS: usize = 50;
const HELD: Duration = Duration::from_millis(250);
/// How long the last offer may take before there is no figure.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Outcome<()> {
    machine()?;
    let during = Duration::from_secs(seconds(15));
    println!(
        "{AGENTS} agents with room for one have each for {HELD:?}, for {during:?} a round; someone always waits"
    );
    let agents: Vec<_> = (1..=AGENTS).map(|number| format!("support/clerk-{number}")).collect();
    let mut workspace = SAMPLE.to_owned();
    for agent in &agents {
        workspace += &format!("\n[agents.\"{agent}\"]\nqueues = [\"support/general\"]\ncapacity = 1\n");
    }
    let installation = Installation::new(&workspace, &agents).await?;
    let server = installation.start(&[]).await?;
    let mut p99s = Rounds::default();
    // More than all of them can close in a round, so that nobody is free for want of customers.
    let count = (AGENTS as f64 * (during.as_secs_f64() / HELD.as_secs_f64() + 2.0)) as usize;
    for round in 0..=ROUNDS {
        let warm_up = if round == 0 { " (warm-up, not counted)" } else { "" };
        let webhooks = Arc::new(Webhooks::prepare(&format!("{round}"), count, 1, "I want a person, please"));
        let loaded = load(installation.at.http, &webhooks, Pace::Full(Duration::MAX)).await?;
        if loaded.acknowledged.len() < count {
            return Err("not everyone could write".into());
        }
        let (freed, mut times) = mpsc::unbounded_channel();
        let mut desks = Vec::new();
        for agent in &agents {
            desks.push(arrive(&format!("http://{}", installation.at.grpc), agent, freed.clone()).await?);
        }
        drop(freed);
        let until = Instant::now() + during;
        let mut waits = Vec::new();
        while Instant::now() < until {
            match tokio::time::timeout(PATIENCE, times.recv()).await {
                Ok(Some(time)) => waits.push(time),
                Ok(None) => return Err(format!("the agents' streams ended: {}", server.said()).into()),
                Err(_) => return Err("nobody was offered anything any more".into()),
            }
        }
        desks.iter().for_each(JoinHandle::abort);
        waits.sort_by(f64::total_cmp);
        let (p50, p99) = (percentile(&waits, 50), percentile(&waits, 99));
        println!(
            "freed to next offer: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {:.1} ms of {}{warm_up}",
            percentile(&waits, 100),
            waits.len(),
        );
        if round > 0 {
            p99s.add(p99);
        }
    }
    server.stop().await?;
    p99s.at_most("desk.freed_to_offer_ms", "ms", 20.0);
    Ok(())
}

/// An agent comes to its desk and works until its task is aborted; tells how long each offer took, in milliseconds.
async fn arrive(
    server: &str,
    agent: &str,
    freed: mpsc::UnboundedSender<f64>,
) -> Outcome<JoinHandle<Outcome<()>>> {
    let channel = Channel::from_shared(server.to_owned())?.connect().await?;
    let (say, said) = mpsc::channel(64);
    say.send(message(String::new(), Say::Hello(Hello { presence: Presence::Available.into() }))).await?;
    let mut request = Request::new(ReceiverStream::new(said));
    request.metadata_mut().insert("authorization", format!("Bearer {agent}").parse()?);
    let desk: Streaming<DeskMessage> = DeskClient::new(channel).work(request).await?.into_inner();
    let clerk = Clerk { say, freed, freed_at: None, has: None };
    Ok(tokio::spawn(clerk.works(desk)))
}

struct Clerk {
    say: mpsc::Sender<AgentMessage>,
    freed: mpsc::UnboundedSender<f64>,
    freed_at: Option<Instant>,
    /// And until when.
    has: Option<(Assigned, Instant)>,
}

impl Clerk {
    async fn works(mut self, mut desk: Streaming<DeskMessage>) -> Outcome<()> {
        loop {
            let until = self.has.as_ref().map(|(_, until)| *until);
            let over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                heard = desk.message() => heard?,
                () = over => {
                    self.closes().await?;
                    continue;
                }
            };
            match heard.ok_or("the desk has ended")?.item {
                // What was left of the round before.
                Some(Item::Welcome(welcome)) => {
                    for held in welcome.assignments {
                        self.has = Some((held, Instant::now()));
                    }
                    for offer in welcome.offers {
                        self.takes(offer).await?;
                    }
                }
                Some(Item::Offered(offer)) => self.takes(offer).await?,
                Some(Item::Assigned(held)) => self.has = Some((held, Instant::now() + HELD)),
                _ => {}
            }
        }
    }

    async fn takes(&mut self, offer: Offered) -> Outcome<()> {
        if let Some(at) = self.freed_at.take() {
            // The bench may have what it needs.
            let _ = self.freed.send(at.elapsed().as_secs_f64() * 1e3);
        }
        let accept = Accept { offer: offer.offer.clone() };
        Ok(self.say.send(message(format!("accept {}", offer.offer), Say::Accept(accept))).await?)
    }

    async fn closes(&mut self) -> Outcome<()> {
        let Some((held, _)) = self.has.take() else { return Ok(()) };
        let id = format!("close {}", held.assignment);
        let close = Close { conversation: held.conversation, assignment: held.assignment };
        self.freed_at = Some(Instant::now());
        Ok(self.say.send(message(id, Say::Close(close))).await?)
    }
}

fn message(id: String, item: Say) -> AgentMessage {
    AgentMessage { id, item: Some(item) }
}
