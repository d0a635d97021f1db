//! `Desk.Work`: one stream an agent. What the hub tells of the agent goes out; what the agent says becomes commands.

use std::{collections::HashMap, sync::Arc};

use domain::{
    AgentId, Code, CommandId, ContentHash, ConversationId, OfferId, Rejection, Route, Timestamp,
    conversation,
    desk::{self, Presence},
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use prost::Message;
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, MissedTickBehavior, interval_at},
};
use tonic::{Request, Response, Status, Streaming};
use wire::api::v1::{
    self as pb,
    agent_message::{self, Item as Said},
    desk_message::{self, Item},
    desk_server,
};

use crate::{
    auth::{Principal, principal},
    commands::{Ask, Outcome, Refused, malformed},
    content::{self, Opener},
    convert,
    hub::Update,
    outlet::{Outflow, Outlet, stalled},
    server::Shared,
};

mod read;
mod show;

/// An agent whose stream broke stays present for this long, and so does one whose API node died.
const LEASE: Duration = Duration::from_secs(30);
const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// Commands of one stream that may wait for their answers; more are read once some are answered.
const IN_FLIGHT: usize = 64;

pub(crate) struct Desk(pub(crate) Shared);

#[tonic::async_trait]
impl desk_server::Desk for Desk {
    type WorkStream = Outflow<pb::DeskMessage>;

    async fn work(
        &self,
        request: Request<Streaming<pb::AgentMessage>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let principal = principal(&request)?;
        let agent = principal.agent()?.clone();
        let opener = Opener { vault: self.0.vault.clone(), tenant: principal.tenant.clone(), shown: true };
        let shared = self.0.clone();
        Ok(Response::new(self.0.streams.open("desk", move |outlet| {
            let presence = Presence::Available;
            Session { shared, principal, agent, presence, opener, outlet, offers: HashMap::new() }
                .run(request.into_inner())
        })))
    }

    async fn count_segments(
        &self,
        request: Request<pb::CountSegmentsRequest>,
    ) -> Result<Response<pb::CountSegmentsResponse>, Status> {
        principal(&request)?.agent()?;
        let counted = sms::Options::default().count(&request.into_inner().text);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(pb::CountSegmentsResponse {
            encoding: counted.encoding.name().to_owned(),
            segments: number(counted.segments),
            units: number(counted.units),
            left: number(counted.left),
        }))
    }
}

struct Session {
    shared: Shared,
    principal: Arc<Principal>,
    agent: AgentId,
    /// What the agent said last; renewed while the stream lives.
    presence: Presence,
    opener: Opener,
    outlet: Outlet<pb::DeskMessage>,
    /// What is offered now, and of which conversation.
    offers: HashMap<OfferId, ConversationId>,
}

/// A command under way: its id, and what becomes of it.
type Answering = BoxFuture<'static, (String, Outcome)>;

impl Session {
    async fn run(mut self, mut said: Streaming<pb::AgentMessage>) -> Result<(), Status> {
        let Some(Said::Hello(hello)) = said.message().await?.and_then(|message| message.item) else {
            return Err(Status::invalid_argument("the first message must be `hello`"));
        };
        let mut updates = self.begin(hello).await?;
        let mut answering: FuturesUnordered<Answering> = FuturesUnordered::new();
        let mut renewal = interval_at(Instant::now() + RENEWED_EVERY, RENEWED_EVERY);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leaving = false;
        while !(leaving && answering.is_empty()) {
            tokio::select! {
                // In this order: what a command changed goes out before its answer.
                biased;
                update = updates.recv() => {
                    let update = update.ok_or_else(|| stalled("desk"))?;
                    self.tell(update).await?;
                }
                Some((id, outcome)) = answering.next() => {
                    let answer = desk_message::Answer { id, result: Some(show::result(outcome)) };
                    self.send(Item::Answer(answer)).await?;
                }
                _ = renewal.tick() => self.renew().await,
                message = said.message(), if !leaving && answering.len() < IN_FLIGHT => match message {
                    Ok(Some(message)) => {
                        let heard = self.heard(message).await;
                        answering.push(heard);
                    }
                    // The agent has nothing more to say: answer what is open, then end.
                    Ok(None) | Err(_) => leaving = true,
                },
            }
        }
        Ok(())
    }

    /// Makes the agent present and says what the agent holds.
    async fn begin(&mut self, hello: agent_message::Hello) -> Result<mpsc::Receiver<Update>, Status> {
        self.shared.hub.ready().await?;
        if hello.presence != pb::Presence::Unspecified as i32 {
            self.presence = read::presence(hello.presence).map_err(malformed)?;
        }
        // A hello is said once and never repeated.
        let mut once = [0; 16];
        getrandom::fill(&mut once).map_err(|_| Status::unavailable("no randomness for now: try again"))?;
        let ask = Ask { id: CommandId(once), content: ContentHash(once) };
        self.set_presence(ask).await.into_result()?;

        let (holdings, updates) = self.shared.hub.join_agent(&self.agent);
        self.offers =
            holdings.offers.values().map(|offer| (offer.offer.clone(), offer.conversation)).collect();
        let mut assignments = Vec::with_capacity(holdings.assignments.len());
        for held in holdings.assignments.into_values() {
            assignments.push(show::assigned(&self.shared.hub, &self.opener, held).await?);
        }
        let mut consults = Vec::with_capacity(holdings.consults.len());
        for consult in holdings.consults.into_values() {
            consults.push(show::consult(&self.shared.hub, &self.opener, consult).await?);
        }
        let welcome = desk_message::Welcome {
            agent: self.agent.to_string(),
            offers: holdings.offers.into_values().map(show::offered).collect(),
            assignments,
            wrap_ups: holdings.wrap_ups.into_values().map(show::wrap_up).collect(),
            snoozed: holdings.snoozed.into_values().map(show::snoozed).collect(),
            consults,
        };
        self.send(Item::Welcome(welcome)).await?;
        Ok(updates)
    }

    /// Turns what the agent said into a command on its way.
    async fn heard(&mut self, message: pb::AgentMessage) -> Answering {
        let pb::AgentMessage { id, item } = message;
        let outcome = match self.command(&id, item).await {
            Ok(outcome) => outcome,
            Err(refused) => std::future::ready(refused.into()).boxed(),
        };
        outcome.map(|outcome| (id, outcome)).boxed()
    }

    async fn command(
        &mut self,
        id: &str,
        said: Option<Said>,
    ) -> Result<BoxFuture<'static, Outcome>, Refused> {
        convert::client_id("id", id)?;
        let commander = self.shared.commander.clone();
        let tenant = self.principal.tenant.clone();
        let agent = self.agent.clone();
        let ask = |name: &str, says: Vec<u8>| commander.ask(&self.principal, id, &[name.as_bytes(), &says]);
        let to_desk = |ask: Ask, command: desk::Command| {
            commander.submit::<desk::Decider>(&tenant, &Route::Desk(agent.desk.clone()), ask, command)
        };
        let to_conversation = |ask: Ask, conversation: ConversationId, command: conversation::Command| {
            let route = Route::Party(conversation.party);
            commander.submit::<conversation::Decider>(&tenant, &route, ask, command).boxed()
        };
        Ok(match said {
            None | Some(Said::Hello(_)) => {
                return Err(convert::invalid("say what to do; `hello` comes first, and once").into());
            }
            Some(Said::Presence(said)) => {
                let ask = ask("presence", said.encode_to_vec());
                self.presence = read::presence(said.presence)?;
                self.set_presence(ask).boxed()
            }
            Some(Said::Accept(said)) => {
                let ask = ask("accept", said.encode_to_vec());
                let offer: OfferId = convert::parse("offer", &said.offer)?;
                self.own_desk(&offer)?;
                let conversation = self.offers.get(&offer).copied();
                let decided = to_desk(ask, desk::Command::Accept { agent: agent.clone(), offer });
                self.after_assignment(conversation, decided).boxed()
            }
            Some(Said::Decline(said)) => {
                let ask = ask("decline", said.encode_to_vec());
                let offer: OfferId = convert::parse("offer", &said.offer)?;
                self.own_desk(&offer)?;
                to_desk(ask, desk::Command::Decline { agent: agent.clone(), offer }).boxed()
            }
            Some(Said::FinishWrapUp(said)) => {
                let ask = ask("finish_wrap_up", said.encode_to_vec());
                let assignment: OfferId = convert::parse("assignment", &said.assignment)?;
                self.own_desk(&assignment)?;
                to_desk(ask, desk::Command::FinishWrapUp { agent: agent.clone(), assignment }).boxed()
            }
            Some(Said::Reply(said)) => {
                let ask = ask("reply", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let by = read::by(said.by, said.rich.as_ref())?;
                let content = convert::written(said.text, said.attachments, said.quick_replies, said.rich)?;
                let message = ask.message(0);
                let body =
                    content::seal(&self.shared.vault, &tenant, conversation.party, message, &content).await?;
                let agent = agent.clone();
                let reply =
                    conversation::Command::Reply { conversation, agent, assignment, message, body, by };
                to_conversation(ask, conversation, reply)
            }
            Some(Said::Transfer(said)) => {
                let ask = ask("transfer", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let to = read::transfer(&tenant, said.to)?;
                let note = content::note(&self.shared.vault, &tenant, conversation.party, said.note).await?;
                let agent = agent.clone();
                let transfer = conversation::Command::Transfer { conversation, agent, assignment, to, note };
                to_conversation(ask, conversation, transfer)
            }
            Some(Said::Snooze(said)) => {
                let ask = ask("snooze", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let (agent, until) = (agent.clone(), read::time("until", said.until)?);
                let snooze = conversation::Command::Snooze { conversation, agent, assignment, until };
                to_conversation(ask, conversation, snooze)
            }
            Some(Said::Split(said)) => {
                let ask = ask("split", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let agent = agent.clone();
                let split = if said.other.is_empty() {
                    let message = convert::parse("message", &said.message)?;
                    conversation::Command::Split { conversation, agent, assignment, message }
                } else if said.message.is_empty() {
                    let other = convert::parse("other", &said.other)?;
                    conversation::Command::Part { conversation, agent, assignment, other }
                } else {
                    let detail = "a split names a message or a conversation, not both";
                    return Err(Rejection::new(Code::Invalid, detail).into());
                };
                to_conversation(ask, conversation, split)
            }
            Some(Said::Join(said)) => {
                let ask = ask("join", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let (agent, other) = (agent.clone(), convert::parse("other", &said.other)?);
                let join = conversation::Command::Join {
                    conversation,
                    agent,
                    assignment,
                    other,
                    same_person: said.same_person,
                };
                to_conversation(ask, conversation, join)
            }
            Some(Said::Wake(said)) => {
                let ask = ask("wake", said.encode_to_vec());
                let conversation: ConversationId = convert::parse("conversation", &said.conversation)?;
                let wake = conversation::Command::Wake { conversation, agent: agent.clone() };
                to_conversation(ask, conversation, wake)
            }
            Some(Said::Consult(said)) => {
                let ask = ask("consult", said.encode_to_vec());
                let (conversation, assignment) = read::held(&said.conversation, &said.assignment)?;
                let whom = read::consult(&tenant, said.whom)?;
                let note = content::note(&self.shared.vault, &tenant, conversation.party, said.note).await?;
                let agent = agent.clone();
                let consult = conversation::Command::Consult { conversation, agent, assignment, whom, note };
                to_conversation(ask, conversation, consult)
            }
            Some(Said::EndConsult(said)) => {
                let ask = ask("end_consult", said.encode_to_vec());
                let conversation: ConversationId = convert::parse("conversation", &said.conversation)?;
                let end = conversation::Command::EndConsult { conversation, agent: agent.clone() };
                to_conversation(ask, conversation, end)
            }
            Some(Said::Remark(said)) => {
                let ask = ask("remark", said.encode_to_vec());
                let conversation: ConversationId = convert::parse("conversation", &said.conversation)?;
                let content = convert::written(said.text, said.attachments, Vec::new(), None)?;
                let message = ask.message(0);
                let body =
                    content::seal(&self.shared.vault, &tenant, conversation.party, message, &content).await?;
                let agent = agent.clone();
                let remark = conversation::Command::Remark { conversation, agent, message, body };
                to_conversation(ask, conversation, remark)
            }
            Some(Said::Reassign(said)) => {
                let ask = ask("reassign", said.encode_to_vec());
                let conversation: ConversationId = convert::parse("conversation", &said.conversation)?;
                let to = read::reassign(&agent, said.to)?;
                let note = content::note(&self.shared.vault, &tenant, conversation.party, said.note).await?;
                let (by, owner_epoch) = (agent.clone(), said.owner_epoch);
                let reassign = conversation::Command::Reassign { conversation, by, owner_epoch, to, note };
                to_conversation(ask, conversation, reassign)
            }
            Some(Said::Close(said)) => {
                let ask = ask("close", said.encode_to_vec());
                let conversation: ConversationId = convert::parse("conversation", &said.conversation)?;
                let assignment = match said.assignment.as_str() {
                    "" => None,
                    assignment => Some(convert::parse("assignment", assignment)?),
                };
                let close = conversation::Command::Close { conversation, agent: agent.clone(), assignment };
                to_conversation(ask, conversation, close)
            }
        })
    }

    fn set_presence(&self, ask: Ask) -> impl Future<Output = Outcome> + Send + use<> {
        let route = Route::Desk(self.agent.desk.clone());
        let command = self.present();
        self.shared.commander.submit::<desk::Decider>(&self.principal.tenant, &route, ask, command)
    }

    fn present(&self) -> desk::Command {
        let until = Timestamp(log::clock::now() + LEASE.as_millis() as i64);
        desk::Command::SetPresence { agent: self.agent.clone(), presence: self.presence, until }
    }

    /// Nobody waits for the answer to a renewal: if it fails the lease lapses, as it should.
    async fn renew(&self) {
        if self.presence == Presence::Offline {
            return;
        }
        let route = Route::Desk(self.agent.desk.clone());
        let renewed =
            self.shared.commander.report::<desk::Decider>(&self.principal.tenant, &route, self.present());
        if let Err(error) = renewed.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an agent's presence was not renewed");
        }
    }

    /// Lets an acceptance be answered only once `assigned` is on its way to this stream.
    fn after_assignment(
        &self,
        conversation: Option<ConversationId>,
        decided: impl Future<Output = Outcome> + Send + 'static,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let (hub, topology) = (self.shared.hub.clone(), self.shared.topology);
        async move {
            let outcome = decided.await;
            if let (Outcome::Accepted { .. }, Some(conversation)) = (&outcome, conversation) {
                // If the hub has stopped, so does this stream.
                let _ = hub.caught_up(topology.peer(&Route::Party(conversation.party))).await;
            }
            outcome
        }
    }

    fn own_desk(&self, offer: &OfferId) -> Result<(), Rejection> {
        if offer.desk == self.agent.desk {
            Ok(())
        } else {
            Err(Rejection::new(Code::NotFound, "there is no such offer at this agent's desk"))
        }
    }

    async fn tell(&mut self, update: Update) -> Result<(), Status> {
        match &update {
            Update::Offered(offer) => {
                self.offers.insert(offer.offer.clone(), offer.conversation);
            }
            Update::OfferEnded { offer, .. } => {
                self.offers.remove(offer);
            }
            // Another stream of this agent may have said it: what was said last is renewed.
            Update::Present(presence) => self.presence = *presence,
            Update::SentAway { .. } => self.presence = Presence::Away,
            _ => {}
        }
        match show::update(&self.shared.hub, &self.opener, update).await? {
            Some(item) => self.send(item).await,
            None => Ok(()),
        }
    }

    async fn send(&self, item: Item) -> Result<(), Status> {
        self.outlet.send(pb::DeskMessage { item: Some(item) }).await
    }
}
