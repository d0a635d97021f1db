//! The effects of the conversation worker: turns of built-in bots are put to them, and customers whose queue is closed are
//! told so.

use std::sync::Arc;

use domain::{
    BotId, Content, ConversationId, Kept, LinkId, MessageId, Origin, Partition, Policies, Policy, QueueId,
    Route, Sealed, TenantId, Timestamp, TurnId,
    conversation::{BotAction, Command, Decider, Event, What},
    policy::{BotKind, Calendar, Flow},
};
use futures::{StreamExt as _, stream};
use log::clock;
use runtime::{Effects, Post};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use vault::{Opened, Subject, Vault};

use crate::{Asked, Said, answer, away::away, metrics};

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
    /// The link that the customer came by, where nobody has spoken to that yet.
    link: Option<LinkId>,
}

/// A customer to be told that a queue is closed.
struct Absence {
    tenant: TenantId,
    conversation: ConversationId,
    owner_epoch: u32,
    queue: QueueId,
    until: Option<Timestamp>,
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

impl Turn {
    /// What is said to who came by the link.
    fn first_message(&self) -> Option<&str> {
        self.policy.links.get(self.link.as_ref()?)?.first_message.as_deref()
    }
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
        link: Option<&LinkId>,
        content: impl FnOnce() -> Option<Sealed>,
    ) -> Option<Turn> {
        let policy = self.policies.borrow().of(tenant).cloned();
        let policy = policy.filter(|policy| flow_of(policy, bot).is_some())?;
        // There is none if the bot was somebody's at a stream when it was asked: whoever serves that stream has it, or the
        // turn's time runs out and a person gets the conversation.
        let content = content()?;
        let link = link.cloned();
        Some(Turn { tenant: tenant.clone(), id, message, content, policy, bot: bot.clone(), link })
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
                to_link: turn.first_message(),
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
            actions.push(BotAction::HandOff { queue: None, special: None });
        }
        Ok((outcome, actions))
    }

    fn is_open(&self, turn: &Turn, flow: &Flow, now: Timestamp) -> bool {
        let Some(hours) = flow.hours.as_ref().and_then(|id| turn.policy.hours.get(id)) else { return true };
        Calendar::of(hours).map(|calendar| calendar.is_open(now)).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "opening hours cannot be told: open");
            true
        })
    }

    async fn tell(&self, absence: Absence) {
        // What is not told is asked for again.
        match self.try_tell(&absence).await {
            Ok(outcome) => metrics::away(outcome),
            Err(error) => {
                metrics::away("failed");
                let conversation = absence.conversation;
                tracing::warn!(%conversation, error = &error as &dyn std::error::Error, "no away message");
            }
        }
    }

    async fn try_tell(&self, absence: &Absence) -> Result<&'static str, Error> {
        let Absence { tenant, conversation, owner_epoch, queue, until } = absence;
        let Some(policy) = self.policies.borrow().of(tenant).cloned() else { return Ok("unconfigured") };
        let Some(text) = away(&policy, queue, *until) else { return Ok("unconfigured") };
        let party = conversation.party;
        let message = message_of_absence(absence);
        let content = wire::encode_content(&Content { text, ..Content::default() });
        let subject = Subject { tenant: tenant.shared(), party: party.0 };
        let bytes = self.vault.seal(&subject, &message.0, &content).await?;
        let intake = domain::Intake::Input {
            // The conversation itself knows whether it was told.
            origin: Origin::Report,
            at: Timestamp(clock::now()),
            tenant: tenant.clone(),
            policy_version: policy.version,
            command: Command::AwayText {
                conversation: *conversation,
                owner_epoch: *owner_epoch,
                message,
                body: Sealed { subject: party, bytes: bytes.into() },
            },
        };
        self.post.report::<Decider>(&Route::Party(party), &intake).await?;
        Ok("told")
    }
}

/// The message that answers a turn: the same however often the turn is put.
fn message_of(turn: TurnId) -> MessageId {
    let hash = blake3::derive_key("tributary built-in bot: message of a turn", turn.to_string().as_bytes());
    MessageId(std::array::from_fn(|i| hash[i]))
}

/// The message that tells of a closed queue: the same however often it is asked for.
fn message_of_absence(absence: &Absence) -> MessageId {
    let Absence { conversation, owner_epoch, until, .. } = absence;
    let until = until.map_or(i64::MAX, |until| until.0);
    let told = format!("{conversation} {owner_epoch} {until}");
    let hash = blake3::derive_key("tributary away message of a queue", told.as_bytes());
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
        if let What::TurnAsked { turn, bot, content, message, link, .. } = &event.what {
            let link = link.as_ref();
            let turn = self.turn(&event.tenant, bot, *turn, *message, link, || content.clone());
            if let Some(turn) = turn {
                let this = self.clone();
                self.tasks.spawn(async move { this.put(turn).await });
            }
        }
        if let What::AwayAsked { conversation, owner_epoch, queue, until, .. } = &event.what {
            let (tenant, queue) = (event.tenant.clone(), queue.clone());
            let (conversation, owner_epoch, until) = (*conversation, *owner_epoch, *until);
            let absence = Absence { tenant, conversation, owner_epoch, queue, until };
            let this = self.clone();
            self.tasks.spawn(async move { this.tell(absence).await });
        }
    }

    fn resume(&self, partition: &Partition<Decider>) {
        let open = partition.state().open_turns();
        let turns = open.filter_map(|(id, customer, bot, turn)| {
            self.turn(&customer.endpoint.tenant, bot, id, turn.message, turn.link.as_ref(), || {
                turn.content.as_ref().map(Kept::sealed)
            })
        });
        let (this, turns) = (self.clone(), stream::iter(turns.collect::<Vec<_>>()));
        let absences = partition.state().open_aways().map(|(conversation, customer, owner_epoch, away)| {
            let (tenant, queue, until) = (customer.endpoint.tenant.clone(), away.queue.clone(), away.until);
            Absence { tenant, conversation, owner_epoch, queue, until }
        });
        let absences = stream::iter(absences.collect::<Vec<_>>());
        self.tasks.spawn(async move {
            turns.for_each_concurrent(RESUMED_AT_ONCE, |turn| this.put(turn)).await;
            absences.for_each_concurrent(RESUMED_AT_ONCE, |absence| this.tell(absence)).await;
        });
    }
}
