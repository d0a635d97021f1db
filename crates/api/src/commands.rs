//! Commands: appended to the intake of the partition that decides them, answered when the decision is accepted.
//!
//! The answer comes through the log, so it is the same whoever leads, and a command that is repeated with its id
//! is answered again without being done again.

use std::{sync::Arc, time::Duration};

use domain::{
    BotId, CommandId, ContentHash, Intake, MessageId, Origin, Peer, Rejection, Route, TenantId, Timestamp,
    Topology, TurnId,
};
use log::Log;
use tokio::time::Instant;
use tonic::{Status, metadata::MetadataValue};
use vault::Vault;
use wire::Codec;

use crate::{auth::Principal, follow::intake_partition, hub::Hub, metrics};

/// The metadata that names a rejection's code on unary calls.
const CODE_METADATA: &str = "tributary-code";

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commander {
    pub(crate) hub: Hub,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) vault: Vault,
    pub(crate) topology: Topology,
    /// How long a caller waits for an answer.
    pub(crate) patience: Duration,
}

/// What became of a command.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Outcome {
    Accepted {
        position: u64,
    },
    Rejected(Rejection),
    /// It was not taken, and will not take effect.
    Unavailable(String),
    /// Nobody can tell yet.
    Unanswered(String),
}

/// A command's identity: who asks it under which id, and what it says in plain.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ask {
    pub(crate) id: CommandId,
    pub(crate) content: ContentHash,
}

impl Ask {
    /// What an outgoing message is called that the command decides; `nth` counts those of one command.
    pub(crate) fn message(&self, nth: u32) -> MessageId {
        match nth {
            0 => MessageId(self.id.0),
            _ => MessageId(hash("tributary api v1: message ids", &[&self.id.0, &nth.to_be_bytes()])),
        }
    }
}

impl Commander {
    /// A command under its caller's own id. `says` is its whole content, the same each time it is repeated.
    pub(crate) fn ask(&self, principal: &Principal, client_id: &str, says: &[&[u8]]) -> Ask {
        let parts = [principal.tenant.as_str().as_bytes(), principal.name.as_bytes(), client_id.as_bytes()];
        Ask { id: CommandId(hash("tributary api v1: command ids", &parts)), content: self.content(says) }
    }

    /// A bot's answer: two answers of one bot to one turn are one command. Another bot's is another command, so
    /// that what it is refused is not the answer to this one.
    pub(crate) fn ask_of_turn(&self, tenant: &TenantId, bot: &BotId, turn: TurnId, says: &[&[u8]]) -> Ask {
        let turn = turn.to_string();
        let parts = [tenant.as_str().as_bytes(), bot.as_str().as_bytes(), turn.as_bytes()];
        let id = hash("tributary api v1: answers to turns", &parts);
        Ask { id: CommandId(id), content: self.content(says) }
    }

    fn content(&self, says: &[&[u8]]) -> ContentHash {
        let mut plain = Vec::new();
        for part in says {
            plain.extend((part.len() as u64).to_be_bytes());
            plain.extend_from_slice(part);
        }
        ContentHash(self.vault.content(&plain))
    }

    /// Appends the command; its place behind earlier ones is taken when this returns. The future yields what
    /// became of it, and may be dropped: the command goes its way.
    pub(crate) fn submit<A: Codec>(
        &self,
        tenant: &TenantId,
        route: &Route,
        ask: Ask,
        command: A::Command,
    ) -> impl Future<Output = Outcome> + Send + use<A> {
        let origin = Origin::Command { id: ask.id, content: ask.content };
        self.submit_to(self.topology.peer(route), ask, self.intake::<A>(tenant, origin, command))
    }

    /// The same for an intake record that was made already.
    pub(crate) fn submit_to(
        &self,
        peer: Peer,
        ask: Ask,
        record: bytes::Bytes,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let mut waiting = self.hub.wait(ask.id, ask.content);
        let appending = self.log.append(intake_partition(peer), vec![record]);
        let patience = self.patience;
        async move {
            let began = Instant::now();
            let outcome = match appending.await {
                Err(error) if !error.is_unknown() => {
                    tracing::warn!(%peer, error = &error as &dyn std::error::Error, "a command was not taken");
                    Outcome::Unavailable(
                        "the log takes no commands for now; nothing was done: try again".into(),
                    )
                }
                appended => {
                    if let Err(error) = appended {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(%peer, error, "it is unknown whether a command was taken");
                    }
                    match tokio::time::timeout_at(began + patience, waiting.answer()).await {
                        Ok(Some((position, Ok(())))) => Outcome::Accepted { position },
                        Ok(Some((_, Err(rejection)))) => Outcome::Rejected(rejection),
                        Ok(None) | Err(_) => Outcome::Unanswered(
                            "no answer came in time and the outcome is unknown: repeat with the same id"
                                .into(),
                        ),
                    }
                }
            };
            metrics::answered_after(began.elapsed());
            metrics::command(peer.kind, outcome.as_str());
            outcome
        }
    }

    /// Appends what nobody waits for and what the aggregate itself recognises when repeated.
    pub(crate) fn report<A: Codec>(
        &self,
        tenant: &TenantId,
        route: &Route,
        command: A::Command,
    ) -> impl Future<Output = Result<u64, log::Error>> + Send + use<A> {
        let partition = intake_partition(self.topology.peer(route));
        self.log.append(partition, vec![self.intake::<A>(tenant, Origin::Report, command)])
    }

    fn intake<A: Codec>(&self, tenant: &TenantId, origin: Origin, command: A::Command) -> bytes::Bytes {
        wire::encode_intake::<A>(&Intake::Input {
            origin,
            at: Timestamp(log::clock::now()),
            tenant: tenant.clone(),
            // What the caller may have seen here: it is decided by that, or by what is newer.
            policy_version: self.hub.policy(tenant).map_or(0, |policy| policy.version),
            command,
        })
    }
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Rejected(_) => "rejected",
            Outcome::Unavailable(_) => "unavailable",
            Outcome::Unanswered(_) => "unanswered",
        }
    }

    /// As a unary call's result: the position, or the status that says why not.
    pub(crate) fn into_result(self) -> Result<u64, Status> {
        match self {
            Outcome::Accepted { position } => Ok(position),
            Outcome::Rejected(rejection) => Err(rejected(&rejection)),
            Outcome::Unavailable(detail) => Err(Status::unavailable(detail)),
            Outcome::Unanswered(detail) => Err(Status::deadline_exceeded(detail)),
        }
    }
}

/// Why a command was not even submitted.
pub(crate) enum Refused {
    Rejected(Rejection),
    Unavailable(Status),
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Refused::Rejected(rejection)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Refused::Unavailable(status)
    }
}

impl From<Refused> for Outcome {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(rejection) => Outcome::Rejected(rejection),
            Refused::Unavailable(status) => Outcome::Unavailable(status.message().to_owned()),
        }
    }
}

/// A decided "no" on a unary call.
fn rejected(rejection: &Rejection) -> Status {
    with_code(Status::failed_precondition(&rejection.detail), rejection)
}

/// A request that is not even submitted, because it makes no sense as it is.
pub(crate) fn malformed(rejection: Rejection) -> Status {
    with_code(Status::invalid_argument(&rejection.detail), &rejection)
}

fn with_code(mut status: Status, rejection: &Rejection) -> Status {
    status.metadata_mut().insert(CODE_METADATA, MetadataValue::from_static(rejection.code.as_str()));
    status
}

/// The first 16 bytes of a hash over the parts, each after its length.
fn hash(context: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}
