//! `Bots.Serve`: turns go out to a bot, its answers come back as commands that the turn names.

use std::sync::Arc;

use domain::{
    BotId, Code, MessageId, QueueId, Rejection, Route, TurnId,
    conversation::{self, BotAction},
    policy::{Needs, Special},
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};
use wire::api::v1::{
    self as pb,
    bot_message::{self, Item as Said, action::Action},
    bots_server,
    turn_message::{self, Item, answered},
};

use crate::{
    auth::{Principal, principal},
    commands::{Outcome, Refused},
    content::{self, Opener},
    convert::{
        self,
        policy::{levels, names},
    },
    hub::Turn,
    outlet::{Outflow, Outlet, stalled},
    server::Shared,
};

/// Answers of one stream that may wait for theirs; more are read once some came.
const IN_FLIGHT: usize = 256;

pub(crate) struct Bots(pub(crate) Shared);

#[tonic::async_trait]
impl bots_server::Bots for Bots {
    type ServeStream = Outflow<pb::TurnMessage>;

    async fn serve(
        &self,
        request: Request<Streaming<pb::BotMessage>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let principal = principal(&request)?;
        let bot = principal.bot()?.clone();
        let opener = Opener { vault: self.0.vault.clone(), tenant: principal.tenant.clone(), shown: true };
        let shared = self.0.clone();
        Ok(Response::new(self.0.streams.open("bots", move |outlet| {
            Session { shared, principal, bot, opener, outlet }.run(request.into_inner())
        })))
    }
}

struct Session {
    shared: Shared,
    principal: Arc<Principal>,
    bot: BotId,
    opener: Opener,
    outlet: Outlet<pb::TurnMessage>,
}

/// An answer under way: its turn as the bot wrote it, and what becomes of it.
type Answering = BoxFuture<'static, (String, Outcome)>;

impl Session {
    async fn run(self, mut said: Streaming<pb::BotMessage>) -> Result<(), Status> {
        let Some(Said::Hello(hello)) = said.message().await?.and_then(|message| message.item) else {
            return Err(Status::invalid_argument("the first message must be `hello`"));
        };
        if hello.bot != self.bot.as_str() {
            return Err(Status::permission_denied(format!(
                "this token is of the bot {:?}",
                self.bot.as_str()
            )));
        }
        self.shared.hub.ready().await?;
        let (waiting, mut turns) = self.shared.hub.join_bot(&self.principal.tenant, &self.bot);
        self.send(Item::Welcome(turn_message::Welcome { bot: self.bot.to_string() })).await?;
        for turn in waiting {
            self.tell(&turn).await?;
        }
        let mut answering: FuturesUnordered<Answering> = FuturesUnordered::new();
        let mut leaving = false;
        while !(leaving && answering.is_empty()) {
            tokio::select! {
                turn = turns.recv() => self.tell(&*turn.ok_or_else(|| stalled("bots"))?).await?,
                Some((turn, outcome)) = answering.next() => {
                    let answered = turn_message::Answered { turn, result: Some(result(outcome)) };
                    self.send(Item::Answered(answered)).await?;
                }
                message = said.message(), if !leaving && answering.len() < IN_FLIGHT => match message {
                    Ok(Some(message)) => {
                        let heard = self.heard(message).await?;
                        answering.push(heard);
                    }
                    // The bot has nothing more to say: tell what became of its answers, then end.
                    Ok(None) | Err(_) => leaving = true,
                },
            }
        }
        Ok(())
    }

    async fn heard(&self, message: pb::BotMessage) -> Result<Answering, Status> {
        let Some(Said::Answer(answer)) = message.item else {
            return Err(Status::invalid_argument("send answers; `hello` comes first, and once"));
        };
        let turn = answer.turn.clone();
        let outcome = match self.answer(answer).await {
            Ok(outcome) => outcome,
            Err(refused) => std::future::ready(refused.into()).boxed(),
        };
        Ok(outcome.map(|outcome| (turn, outcome)).boxed())
    }

    async fn answer(&self, answer: bot_message::Answer) -> Result<BoxFuture<'static, Outcome>, Refused> {
        let turn: TurnId = convert::parse("turn", &answer.turn)?;
        let (tenant, commander) = (&self.principal.tenant, &self.shared.commander);
        let ask = commander.ask_of_turn(tenant, &self.bot, turn, &[&answer.encode_to_vec()]);
        let mut actions = Vec::with_capacity(answer.actions.len());
        for (nth, action) in (0..).zip(answer.actions) {
            actions.push(self.action(turn, ask.message(nth), action).await?);
        }
        let route = Route::Party(turn.conversation.party);
        // Whether the turn is this bot's, the conversation decides.
        let command =
            conversation::Command::BotAnswer { turn, tenant: tenant.clone(), bot: self.bot.clone(), actions };
        Ok(commander.submit::<conversation::Decider>(tenant, &route, ask, command).boxed())
    }

    /// `message` is what the action's message is called, if it is one.
    async fn action(
        &self,
        turn: TurnId,
        message: MessageId,
        action: bot_message::Action,
    ) -> Result<BotAction, Refused> {
        let tenant = &self.principal.tenant;
        Ok(match action.action {
            None => return Err(convert::invalid("`actions`: one of them says nothing").into()),
            Some(Action::Close(())) => BotAction::Close,
            Some(Action::HandOff(hand_off)) => {
                let bot_message::HandOff { queue, priority, skills, languages } = hand_off;
                let queue: Option<QueueId> = match queue.as_str() {
                    "" => None,
                    queue => Some(convert::parse("queue", queue)?),
                };
                if queue.as_ref().is_some_and(|queue| queue.desk.tenant != *tenant) {
                    return Err(Rejection::new(Code::NotFound, "there is no such queue").into());
                }
                let (skills, languages) = (levels("skills", skills)?, names("languages", &languages)?);
                let special = Special { priority, needs: Needs { skills, languages } };
                self.check(turn, queue.as_ref(), &special)?;
                let special = (special != Special::default()).then(|| Box::new(special));
                BotAction::HandOff { queue, special }
            }
            Some(Action::Say(say)) => {
                let content = convert::written(say.text, say.attachments, say.quick_replies, say.rich)?;
                let party = turn.conversation.party;
                let body = content::seal(&self.shared.vault, tenant, party, message, &content).await?;
                BotAction::Say { message, body }
            }
        })
    }

    /// What cannot be is refused before it counts as the answer to the turn, so that the bot may give another. By the
    /// policy known here; the conversation itself decides by the one in force there.
    fn check(&self, turn: TurnId, queue: Option<&QueueId>, special: &Special) -> Result<(), Rejection> {
        let Some(policy) = self.shared.hub.policy(&self.principal.tenant) else { return Ok(()) };
        let of_inbox = || Some(&policy.inboxes.get(&self.shared.hub.inbox_of(turn)?)?.queue);
        let Some(queue) = queue.or_else(of_inbox).filter(|queue| policy.queues.contains_key(*queue)) else {
            return Ok(());
        };
        match conversation::special_problem(&policy, queue, special) {
            Some(what) => Err(Rejection::new(Code::Invalid, what)),
            None => Ok(()),
        }
    }

    async fn tell(&self, turn: &Turn) -> Result<(), Status> {
        let channel = self.shared.hub.channel(&turn.tenant, &turn.inbox);
        self.send(Item::Turn(turn_message::Turn {
            turn: turn.turn.to_string(),
            conversation: turn.turn.conversation.to_string(),
            inbox: turn.inbox.to_string(),
            channel: channel.map_or(pb::Channel::Unspecified, convert::channel).into(),
            message: turn.message.to_string(),
            body: Some(self.opener.body(turn.message, &turn.content.sealed()).await?),
            answer_by: convert::time(turn.answer_by),
        }))
        .await
    }

    async fn send(&self, item: Item) -> Result<(), Status> {
        self.outlet.send(pb::TurnMessage { item: Some(item) }).await
    }
}

fn result(outcome: Outcome) -> answered::Result {
    match outcome {
        Outcome::Accepted { position } => answered::Result::Accepted(pb::Accepted { position }),
        Outcome::Rejected(rejection) => answered::Result::Rejected(convert::rejected(rejection)),
        Outcome::Unavailable(detail) | Outcome::Unanswered(detail) => {
            answered::Result::Unanswered(pb::Unanswered { detail })
        }
    }
}
