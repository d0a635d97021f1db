//! The effects of the conversation worker: turns of built-in bots are put to them.

use std::sync::Arc;

use domain::{
    BotId, Content, MessageId, Origin, Partition, Policies, Policy, Route, Sealed, TenantId, Timestamp,
    TurnId,
    conversation::{BotAction, Command, Decider, Event, What},
    policy::{BotKind, Flow},
};
use futures::{StreamExt as _, stream};
use log::clock;
use runtime::{Effects, Post};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use vault::{Opened, Subject, Vault};

use crate::{Asked, Said, answer, hours, metrics};

/// Turns of former leaders that are answered at a time: there may be many, and others want to be served.
const RESUMED_AT_ONCE: usize = 64;

/// Answers the turns of built-in bots. Turns of other bots are left to the gRPC stream.
#[derive(Clone)]
pub struct BuiltIn {
    post: Post,
    vault: Vault,
    policies: watch::Receiver<Policies>,
    tasks: TaskTracker,
}

/// One turn, with all that answering it needs.
struct Turn {
    tenant: TenantId,
    id: TurnId,
    message: MessageId,
    content: Sealed,
    policy: Arc<Policy>,
    bot: BotId,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("could not open or seal")]
    Vault(#[from] vault::Error),
    #[error("could not read the message")]
    Content(#[from] wire::Error),
    #[error("could not append the answer")]
    Log(#[from] log::Error),
}

impl BuiltIn {
    /// `tasks` lets a shutdown wait for the answers under way.
    pub fn new(post: Post, vault: Vault, policies: watch::Receiver<Policies>, tasks: TaskTracker) -> Self {
        BuiltIn { post, vault, policies, tasks }
    }

    /// The turn of a built-in bot, with all that answering it needs; none if it is another bot's.
    fn turn(
        &self,
        tenant: &TenantId,
        bot: &BotId,
        id: TurnId,
        message: MessageId,
        content: impl FnOnce() -> Sealed,
    ) -> Option<Turn> {
        let policy = self.policies.borrow().of(tenant).cloned();
        let policy = policy.filter(|policy| flow_of(policy, bot).is_some())?;
        Some(Turn { tenant: tenant.clone(), id, message, content: content(), policy, bot: bot.clone() })
    }

    async fn put(&self, turn: Turn) {
        // A turn that finds no answer is not lost: its time runs out and a person gets the conversation.
        match self.answer(&turn).await {
            Ok(outcome) => metrics::turn(outcome),
            Err(error) => {
                metrics::turn("failed");
                tracing::warn!(turn = %turn.id, error = &error as &dyn std::error::Error, "no answer to a turn");
            }
        }
    }

    async fn answer(&self, turn: &Turn) -> Result<&'static str, Error> {
        let Some(flow) = flow_of(&turn.policy, &turn.bot) else { return Ok("unconfigured") };
        let party = turn.id.conversation.party;
        let subject = Subject { tenant: turn.tenant.shared(), party: party.0 };
        let content = match self.vault.open_sealed(&subject, &turn.message.0, &turn.content.bytes).await? {
            Opened::Plain(bytes) => wire::decode_content(&bytes)?,
            Opened::Erased => return Ok("erased"),
        };
        let now = Timestamp(clock::now());
        let said = answer(
            flow,
            Asked {
                text: &content.text,
                payload: content.payload.as_deref(),
                first: turn.id.number == 1,
                open: self.is_open(turn, flow, now),
            },
        );
        let (outcome, actions) = self.actions(turn, &subject, said).await?;
        let intake = domain::Intake::Input {
            // The conversation itself knows an answered turn, so the answer needs no id of its own.
            origin: Origin::Report,
            at: now,
            tenant: turn.tenant.clone(),
            policy_version: turn.policy.version,
            command: Command::BotAnswer {
                turn: turn.id,
                tenant: turn.tenant.clone(),
                bot: turn.bot.clone(),
                actions,
            },
        };
        self.post.report::<Decider>(&Route::Party(party), &intake).await?;
        Ok(outcome)
    }

    async fn actions(
        &self,
        turn: &Turn,
        subject: &Subject,
        said: Said,
    ) -> Result<(&'static str, Vec<BotAction>), Error> {
        let mut actions = Vec::new();
        let outcome = match (&said.text, said.hand_off) {
            (_, true) => "handed_off",
            (Some(_), false) => "answered",
            (None, false) => "silent",
        };
        if let Some(text) = said.text {
            let message = message_of(turn.id);
            let content = Content { text, quick_replies: said.quick_replies, ..Content::default() };
            let bytes = self.vault.seal(subject, &message.0, &wire::encode_content(&content)).await?;
            let body = Sealed { subject: turn.id.conversation.party, bytes: bytes.into() };
            actions.push(BotAction::Say { message, body });
        }
        if said.hand_off {
            actions.push(BotAction::HandOff { queue: None });
        }
        Ok((outcome, actions))
    }

    fn is_open(&self, turn: &Turn, flow: &Flow, now: Timestamp) -> bool {
        let Some(hours) = flow.hours.as_ref().and_then(|id| turn.policy.hours.get(id)) else { return true };
        hours::is_open(hours, now).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "opening hours cannot be told: open");
            true
        })
    }
}

/// The message that answers a turn: the same however often the turn is put.
fn message_of(turn: TurnId) -> MessageId {
    let hash = blake3::derive_key("tributary built-in bot: message of a turn", turn.to_string().as_bytes());
    MessageId(std::array::from_fn(|i| hash[i]))
}

fn flow_of<'a>(policy: &'a Policy, bot: &BotId) -> Option<&'a Flow> {
    match &policy.bots.get(bot)?.kind {
        BotKind::BuiltIn(flow) => Some(flow),
        BotKind::Stream => None,
    }
}

impl Effects<Decider> for BuiltIn {
    fn perform(&self, _: &Partition<Decider>, _: Timestamp, event: &Event) {
        if let What::TurnAsked { turn, bot, content, message, .. } = &event.what {
            let turn = self.turn(&event.tenant, bot, *turn, *message, || content.clone());
            if let Some(turn) = turn {
                let this = self.clone();
                self.tasks.spawn(async move { this.put(turn).await });
            }
        }
    }

    fn resume(&self, partition: &Partition<Decider>) {
        let open = partition.state().open_turns();
        let turns = open.filter_map(|(id, customer, bot, turn)| {
            self.turn(&customer.endpoint.tenant, bot, id, turn.message, || turn.content.sealed())
        });
        let (this, turns) = (self.clone(), stream::iter(turns.collect::<Vec<_>>()));
        self.tasks.spawn(async move {
            turns.for_each_concurrent(RESUMED_AT_ONCE, |turn| this.put(turn)).await;
        });
    }
}
