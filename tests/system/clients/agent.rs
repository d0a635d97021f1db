//! An agent at its desk: one stream, on which it hears and says.

use std::{collections::VecDeque, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
pub(crate) use wire::api::v1::desk_message::{Item, answer::Result as Outcome};
use wire::api::v1::{
    self as pb,
    agent_message::{self, Item as Say},
    desk_message,
};

use super::Api;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Agent {
    say: mpsc::Sender<pb::AgentMessage>,
    stream: Streaming<pb::DeskMessage>,
    pub(crate) welcome: desk_message::Welcome,
    /// Heard, and not yet asked for.
    heard: VecDeque<Item>,
}

impl Agent {
    /// Says hello, as available.
    pub(crate) async fn arrive(api: &Api) -> Result<Agent, Status> {
        let (say, said) = mpsc::channel(64);
        let hello = agent_message::Hello { presence: pb::Presence::Available.into() };
        let hello = pb::AgentMessage { id: String::new(), item: Some(Say::Hello(hello)) };
        say.try_send(hello).expect("there is room for the first message");
        let mut stream = api.desk().work(ReceiverStream::new(said)).await?.into_inner();
        match stream.message().await?.and_then(|message| message.item) {
            Some(Item::Welcome(welcome)) => Ok(Agent { say, stream, welcome, heard: VecDeque::new() }),
            other => panic!("the desk's first message is `welcome`, not {other:?}"),
        }
    }

    pub(crate) async fn say(&self, id: &str, item: Say) {
        // A stream that has ended says so where it is read.
        let _ = self.say.send(pb::AgentMessage { id: id.to_owned(), item: Some(item) }).await;
    }

    /// What the desk says next, as long as the stream lives.
    pub(crate) async fn hear(&mut self) -> Option<Item> {
        if let Some(heard) = self.heard.pop_front() {
            return Some(heard);
        }
        self.stream.message().await.ok().flatten().and_then(|message| message.item)
    }

    /// Awaits something; what else is heard meanwhile stays to be asked for.
    pub(crate) async fn hears<T>(&mut self, awaited: &str, mut wanted: impl FnMut(&Item) -> Option<T>) -> T {
        let mut looked = 0;
        let looking = async {
            loop {
                if let Some(item) = self.heard.get(looked) {
                    match wanted(item) {
                        Some(found) => {
                            self.heard.remove(looked);
                            return found;
                        }
                        None => looked += 1,
                    }
                    continue;
                }
                let message = self.stream.message().await.expect("the agent's stream lives");
                self.heard.extend(message.expect("the agent's stream goes on").item);
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("{} awaited in vain: {awaited}; heard: {:#?}", self.welcome.agent, self.heard),
        }
    }

    /// Nothing like this was heard so far.
    pub(crate) fn never_heard(&self, wanted: impl Fn(&Item) -> bool) -> bool {
        !self.heard.iter().any(wanted)
    }

    pub(crate) async fn offered(&mut self, conversation: &str) -> desk_message::Offered {
        self.hears("an offer", |item| match item {
            Item::Offered(offer) if offer.conversation == conversation => Some(offer.clone()),
            _ => None,
        })
        .await
    }

    /// Says something and awaits its answer.
    pub(crate) async fn asks(&mut self, id: &str, item: Say) -> Outcome {
        self.say(id, item).await;
        self.hears("an answer", |item| match item {
            Item::Answer(answer) if answer.id == id => answer.result.clone(),
            _ => None,
        })
        .await
    }

    /// The same, for what must be accepted. Where it was decided.
    pub(crate) async fn does(&mut self, id: &str, item: Say) -> u64 {
        match self.asks(id, item).await {
            Outcome::Accepted(accepted) => accepted.position,
            other => panic!("{id} is not accepted: {other:?}"),
        }
    }

    /// The same, for what must be rejected. The code.
    pub(crate) async fn may_not(&mut self, id: &str, item: Say) -> String {
        match self.asks(id, item).await {
            Outcome::Rejected(rejected) => rejected.code,
            other => panic!("{id} is not rejected: {other:?}"),
        }
    }

    /// Accepts an offer. The answer must come behind the assignment.
    pub(crate) async fn takes(&mut self, offer: &desk_message::Offered) -> desk_message::Assigned {
        self.does(&format!("accept {}", offer.offer), accept(&offer.offer)).await;
        let of_offer = |item: &Item| match item {
            Item::Assigned(assigned) if assigned.assignment == offer.offer => Some(assigned.clone()),
            _ => None,
        };
        // Anything read after the answer would be too late, so only what was heard by now counts.
        let found = self.heard.iter().position(|item| of_offer(item).is_some());
        let at = found.expect("`assigned` comes before the answer to the acceptance");
        self.heard.remove(at).as_ref().and_then(of_offer).unwrap()
    }

    pub(crate) async fn loses(&mut self, assignment: &str) {
        self.hears("a release", |item| match item {
            Item::Released(released) if released.assignment == assignment => Some(()),
            _ => None,
        })
        .await;
    }
}

pub(crate) fn accept(offer: &str) -> Say {
    Say::Accept(agent_message::Accept { offer: offer.to_owned() })
}

pub(crate) fn decline(offer: &str) -> Say {
    Say::Decline(agent_message::Decline { offer: offer.to_owned() })
}

pub(crate) fn reply(held: &desk_message::Assigned, text: &str) -> Say {
    Say::Reply(agent_message::Reply {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
        text: text.to_owned(),
        ..Default::default()
    })
}

pub(crate) fn transfer_to(held: &desk_message::Assigned, agent: &str) -> Say {
    Say::Transfer(agent_message::Transfer {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
        to: Some(agent_message::transfer::To::Agent(agent.to_owned())),
        note: "please take over".into(),
    })
}

/// Puts a conversation away for some seconds.
pub(crate) fn snooze_for(held: &desk_message::Assigned, seconds: i64) -> Say {
    let until = prost_types::Timestamp { seconds: log::clock::now() / 1_000 + seconds, nanos: 0 };
    Say::Snooze(agent_message::Snooze {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
        until: Some(until),
    })
}

pub(crate) fn close(held: &desk_message::Assigned) -> Say {
    Say::Close(agent_message::Close {
        conversation: held.conversation.clone(),
        assignment: held.assignment.clone(),
    })
}
