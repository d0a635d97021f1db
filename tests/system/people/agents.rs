//! An agent through all this: takes most offers, answers once, then closes, transfers or puts away, and at times says
//! something more when it is too late; or vanishes without a word. What was not answered when the stream broke is said again with the same id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use wire::api::v1::{agent_message::Item as Say, desk_message::Assigned};

use super::Random;
use crate::clients::{Agent, Api, Item, Outcome, accept, close, decline, reply, snooze_for, transfer_to};

/// What agents were told became of their replies, by their texts.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) accepted: BTreeSet<String>,
    pub(crate) rejected: BTreeSet<String>,
}

struct Desk {
    name: &'static str,
    random: Random,
    said: Arc<Mutex<Said>>,
    /// Replies that were not answered yet, by the command's id.
    unanswered: BTreeMap<String, (Assigned, String)>,
    /// Assignments that got their reply.
    replied: BTreeSet<String>,
    /// Assignments under which something was said after they were given up.
    late: BTreeSet<String>,
}

/// Works until `stop` and until every reply has its answer.
pub(crate) async fn work(
    name: &'static str,
    api: Api,
    random: Random,
    said: Arc<Mutex<Said>>,
    stop: CancellationToken,
) {
    let (unanswered, replied, late) = Default::default();
    let mut desk = Desk { name, random, said, unanswered, replied, late };
    while !(stop.is_cancelled() && desk.unanswered.is_empty()) {
        if let Ok(agent) = Agent::arrive(&api).await {
            desk.sit(agent, &stop).await;
        }
        // Back soon: the presence outlives a short absence.
        tokio::time::sleep(Duration::from_millis(desk.random.between(20, 300))).await;
    }
}

impl Desk {
    /// Works on one stream, until it breaks or the agent vanishes.
    async fn sit(&mut self, mut agent: Agent, stop: &CancellationToken) {
        for (id, (held, text)) in &self.unanswered {
            agent.say(id, reply(held, text)).await;
        }
        let welcome = agent.welcome.clone();
        for held in welcome.assignments {
            self.holds(&agent, held).await;
        }
        for offer in welcome.offers {
            self.considers(&agent, &offer.offer).await;
        }
        loop {
            if stop.is_cancelled() && self.unanswered.is_empty() {
                return;
            }
            let heard = tokio::time::timeout(Duration::from_millis(200), agent.hear()).await;
            match heard {
                Err(_) => continue,
                Ok(None) => return,
                Ok(Some(Item::Offered(offer))) if !stop.is_cancelled() => {
                    self.considers(&agent, &offer.offer).await;
                }
                Ok(Some(Item::Assigned(held))) => self.holds(&agent, held).await,
                Ok(Some(Item::Answer(answer))) => self.is_told(&agent, &answer.id, answer.result).await,
                Ok(Some(_)) => {}
            }
            if self.random.percent(3) {
                return;
            }
        }
    }

    async fn considers(&mut self, agent: &Agent, offer: &str) {
        let item = match self.random.between(0, 19) {
            0 => return,
            1..4 => decline(offer),
            _ => accept(offer),
        };
        let word = if matches!(item, Say::Decline(_)) { "decline" } else { "accept" };
        agent.say(&format!("{word} {offer}"), item).await;
    }

    /// Answers the customer, once for each assignment.
    async fn holds(&mut self, agent: &Agent, held: Assigned) {
        if !self.replied.insert(held.assignment.clone()) {
            // Answered in an earlier life; only the end is still missing.
            if !self.unanswered.values().any(|(other, _)| other.assignment == held.assignment) {
                self.lets_go(agent, &held).await;
            }
            return;
        }
        let (id, text) = (format!("reply {}", held.assignment), format!("answer to {}", held.assignment));
        agent.say(&id, reply(&held, &text)).await;
        self.unanswered.insert(id, (held, text));
    }

    async fn is_told(&mut self, agent: &Agent, id: &str, outcome: Option<Outcome>) {
        let Some((held, text)) = self.unanswered.remove(id) else { return };
        match outcome {
            Some(Outcome::Accepted(_)) => {
                self.said.lock().unwrap().accepted.insert(text);
                if !id.starts_with("late") {
                    self.lets_go(agent, &held).await;
                }
            }
            Some(Outcome::Rejected(_)) => {
                self.said.lock().unwrap().rejected.insert(text);
            }
            _ => {
                // Nobody knows: say it again.
                agent.say(id, reply(&held, &text)).await;
                self.unanswered.insert(id.to_owned(), (held, text));
            }
        }
    }

    async fn lets_go(&mut self, agent: &Agent, held: &Assigned) {
        let other = if self.name == "agent-1" { "agent-2" } else { "agent-1" };
        // The choice follows from the assignment, so that it is the same when it has to be repeated.
        let number: u64 = held.assignment.rsplit('/').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let item = match number % 6 {
            5 => transfer_to(held, &format!("dev/support/{other}")),
            1 => snooze_for(held, 2),
            _ => close(held),
        };
        agent.say(&format!("done with {}", held.assignment), item).await;
        if number % 4 == 3 && self.late.insert(held.assignment.clone()) {
            let (id, text) =
                (format!("late {}", held.assignment), format!("too late for {}", held.assignment));
            agent.say(&id, reply(held, &text)).await;
            self.unanswered.insert(id, (held.clone(), text));
        }
    }
}
