//! An agent at random: takes most offers, has what it takes for a while, drops out without a word, comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use wire::api::v1::{
    self as pb,
    agent_message::{self, Item as Say},
    desk_message::{Assigned, offer_ended::How},
};

use super::{AGENTS, CAPACITY, HELD, name, seen::Seen};
use crate::{
    clients::{Agent, Api, Item, Outcome, accept, close, decline, reply, transfer_to},
    people::Random,
};

pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) api: Api,
    pub(super) random: Random,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) commands: u64,
}

/// What one stream has told of this agent.
#[derive(Default)]
struct View {
    /// Offers, and what became of them, as far as the desk's own word tells: it says each end before it gives anything new.
    reserved: BTreeSet<String>,
    /// What was asked, by the command's id.
    asked: BTreeMap<String, Assigned>,
    /// What the agent has, and until when.
    has: Vec<(Instant, Assigned)>,
    /// The agent had no room, and makes some.
    freed_at: Option<Instant>,
}

impl Worker {
    pub(super) async fn work(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Ok(agent) = Agent::arrive(&self.api).await {
                self.sit(agent, &stop).await;
                self.seen.lock().unwrap().dropped += 1;
            }
            tokio::time::sleep(Duration::from_millis(self.random.between(10, 600))).await;
        }
    }

    /// On one stream, until it breaks or the agent drops out.
    async fn sit(&mut self, mut agent: Agent, stop: &CancellationToken) {
        let mut view = View::default();
        let welcome = agent.welcome.clone();
        view.reserved.extend(welcome.wrap_ups.iter().map(|left| left.assignment.clone()));
        for held in welcome.assignments {
            self.holds(&agent, held, &mut view).await;
        }
        for left in welcome.wrap_ups {
            self.finishes(&agent, &left.assignment, &mut view).await;
        }
        for offer in welcome.offers {
            view.reserved.insert(offer.offer.clone());
            self.considers(&agent, &offer.offer).await;
        }
        while !stop.is_cancelled() {
            let due = view.has.iter().map(|(until, _)| *until).min();
            let until = due.unwrap_or_else(|| Instant::now() + Duration::from_millis(200));
            match tokio::time::timeout_at(until.into(), agent.hear()).await {
                Err(_) => {}
                Ok(None) => return,
                Ok(Some(item)) => self.hears(&agent, item, &mut view).await,
            }
            while let Some(over) = view.has.iter().position(|(until, _)| *until <= Instant::now()) {
                let (_, held) = view.has.swap_remove(over);
                self.lets_go(&agent, held, &mut view).await;
            }
            match self.random.between(0, 199) {
                // A word, or none.
                0..3 => return,
                3 => {
                    let presence = pb::Presence::Offline.into();
                    self.says(&agent, Say::Presence(agent_message::SetPresence { presence })).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    return;
                }
                _ => {}
            }
        }
    }

    async fn hears(&mut self, agent: &Agent, item: Item, view: &mut View) {
        match item {
            Item::Offered(offer) => {
                view.reserved.insert(offer.offer.clone());
                if view.reserved.len() > CAPACITY {
                    let breach = format!("{} holds {:?}", name(self.number), view.reserved);
                    self.seen.lock().unwrap().violations.push(breach);
                }
                if let Some(at) = view.freed_at.take() {
                    self.seen.lock().unwrap().freed.push(at.elapsed());
                }
                self.considers(agent, &offer.offer).await;
            }
            Item::OfferEnded(ended) if ended.how() != How::Accepted => {
                view.reserved.remove(&ended.offer);
                self.seen.lock().unwrap().refused += 1;
            }
            Item::WrapUp(left) => self.finishes(agent, &left.assignment, view).await,
            Item::WrapUpEnded(ended) => {
                view.reserved.remove(&ended.assignment);
            }
            Item::Assigned(held) => self.holds(agent, held, view).await,
            Item::Answer(answer) => self.is_told(&answer.id, answer.result, view),
            _ => {}
        }
    }

    async fn considers(&mut self, agent: &Agent, offer: &str) {
        let item = match self.random.between(0, 19) {
            // Let it expire.
            0 => return,
            1..4 => decline(offer),
            _ => accept(offer),
        };
        self.says(agent, item).await;
    }

    /// Answers, and has it for a while.
    async fn holds(&mut self, agent: &Agent, held: Assigned, view: &mut View) {
        self.seen.lock().unwrap().is_told(self.number, &held);
        let id = self.says(agent, reply(&held, "hello")).await;
        view.asked.insert(id, held.clone());
        let until = Instant::now() + Duration::from_millis(self.random.between(HELD.0, HELD.1));
        view.has.push((until, held));
    }

    /// Closes, or gives away, or does both at once, of which one must fail.
    async fn lets_go(&mut self, agent: &Agent, held: Assigned, view: &mut View) {
        let other = format!("dev/{}", name(self.random.between(0, AGENTS as u64 - 1) as usize));
        let ends = match self.random.between(0, 9) {
            0 => vec![transfer_to(&held, &other)],
            1 => vec![transfer_to(&held, &other), close(&held), reply(&held, "too late")],
            _ => vec![close(&held)],
        };
        for item in ends {
            let id = self.says(agent, item).await;
            view.asked.insert(id, held.clone());
        }
    }

    async fn finishes(&mut self, agent: &Agent, assignment: &str, view: &mut View) {
        if view.reserved.len() == CAPACITY {
            view.freed_at = Some(Instant::now());
        }
        let assignment = assignment.to_owned();
        self.says(agent, Say::FinishWrapUp(agent_message::FinishWrapUp { assignment })).await;
    }

    fn is_told(&mut self, id: &str, outcome: Option<Outcome>, view: &mut View) {
        if let (Some(held), Some(Outcome::Accepted(accepted))) = (view.asked.remove(id), outcome) {
            let mut seen = self.seen.lock().unwrap();
            let acts = seen.acts.entry(held.conversation).or_default();
            acts.insert(accepted.position, held.assignment);
        }
    }

    async fn says(&mut self, agent: &Agent, item: Say) -> String {
        self.commands += 1;
        let id = format!("{}", self.commands);
        agent.say(&id, item).await;
        id
    }
}
