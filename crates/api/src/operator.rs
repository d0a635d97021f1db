//! `Operator`: inputs that were set aside, and handing them in again.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    CommandId, ContentHash, InboxId, Intake, Kind, Origin, Party, Route, TenantId, Timestamp, contact,
    conversation, delivery, desk, workspace,
};
use projections::{Kept, SetAside, SetAsideId, SetAsideRow};
use tonic::{Request, Response, Status};
use vault::Vault;
use wire::{
    Codec,
    api::v1::{self as pb, body, operator_server, replay_set_aside_response::Outcome as Replayed},
};

use crate::{
    auth::{Principal, principal},
    commands::{Ask, malformed},
    content::Opener,
    convert::{self, client_id, page_size, parse},
    server::{Shared, unreadable},
};

/// How much of an original is shown, in bytes: the header of any usual mail.
const EXCERPT: usize = 4 << 10;

/// Hands in messages that could not be understood once more. The channels can, which this crate does not know.
#[async_trait]
pub trait ReadAgain: Send + Sync {
    /// Reads what a provider sent for the inbox, and yields how many facts it holds, which are durable then. Reading
    /// the same again gives the same facts, and changes nothing.
    async fn read_again(&self, inbox: &InboxId, raw: Bytes) -> Result<u32, NotRead>;
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It cannot be: one sentence for the operator, without personal data.
    #[error("{0}")]
    Refused(String),
    #[error("cannot store anything now: {0}")]
    Unavailable(String),
}

pub(crate) struct Operator(pub(crate) Shared);

#[tonic::async_trait]
impl operator_server::Operator for Operator {
    async fn list_set_aside(
        &self,
        request: Request<pb::ListSetAsideRequest>,
    ) -> Result<Response<pb::ListSetAsideResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let request = request.into_inner();
        let after = match request.after.as_str() {
            "" => None,
            text => Some(parse("after", text).map_err(malformed)?),
        };
        let size = page_size(request.page_size);
        let rows = self.0.store.set_aside(Some(&principal.tenant), after, size).await.map_err(unreadable)?;
        let next = match rows.last() {
            Some(last) if rows.len() == size => last.id.to_string(),
            _ => String::new(),
        };
        Ok(Response::new(pb::ListSetAsideResponse { inputs: rows.into_iter().map(shown).collect(), next }))
    }

    async fn get_set_aside(
        &self,
        request: Request<pb::GetSetAsideRequest>,
    ) -> Result<Response<pb::GetSetAsideResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let request = request.into_inner();
        let include = principal.sees_pii(request.include_pii)?;
        let SetAside { row, kept } = self.find(&principal, &request.input).await?;
        let message = match kept {
            Kept::Input(_) => None,
            Kept::Message { inbox, party, message, content } => {
                let opener = self.opener(&principal, include);
                let (body, raw) = opener.body_and_raw(message, &content).await?;
                let raw = raw.unwrap_or_default();
                Some(pb::KeptMessage {
                    inbox: inbox.to_string(),
                    party: party.to_string(),
                    body: Some(body),
                    original: String::from_utf8_lossy(&raw[..raw.len().min(EXCERPT)]).into_owned(),
                })
            }
        };
        Ok(Response::new(pb::GetSetAsideResponse { input: Some(shown(row)), message }))
    }

    async fn replay_set_aside(
        &self,
        request: Request<pb::ReplaySetAsideRequest>,
    ) -> Result<Response<pb::ReplaySetAsideResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let request = request.into_inner();
        client_id("command_id", &request.command_id).map_err(malformed)?;
        let found = self.find(&principal, &request.input).await?;
        let outcome = match found.kept {
            Kept::Input(bytes) => Replayed::Position(self.hand_in(&principal, found.row.id, &bytes).await?),
            Kept::Message { inbox, message, content, .. } => {
                let (body, raw) = self.opener(&principal, true).body_and_raw(message, &content).await?;
                let raw = raw.ok_or_else(|| gone(&body))?;
                Replayed::Facts(self.read_again(&inbox, raw).await?)
            }
        };
        Ok(Response::new(pb::ReplaySetAsideResponse { outcome: Some(outcome) }))
    }

    async fn lift_suppression(
        &self,
        request: Request<pb::LiftSuppressionRequest>,
    ) -> Result<Response<pb::LiftSuppressionResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let pb::LiftSuppressionRequest { command_id, inbox, address } = request.into_inner();
        client_id("command_id", &command_id).map_err(malformed)?;
        let inbox: InboxId = parse("inbox", &inbox).map_err(malformed)?;
        let (tenant, commander) = (&principal.tenant, &self.0.commander);
        let party = Party(self.0.vault.party(tenant.as_str(), inbox.as_str(), &address));
        let says = [&b"lift suppression"[..], inbox.as_str().as_bytes(), address.as_bytes()];
        let ask = commander.ask(&principal, &command_id, &says);
        let (tenant, by) = (tenant.clone(), principal.name.as_ref().into());
        let command = conversation::Command::LiftSuppression { tenant, party, by };
        let route = Route::Party(party);
        let outcome =
            commander.submit::<conversation::Decider>(&principal.tenant, &route, ask, command).await;
        Ok(Response::new(pb::LiftSuppressionResponse { position: outcome.into_result()? }))
    }
}

impl Operator {
    async fn find(&self, principal: &Principal, input: &str) -> Result<SetAside, Status> {
        let id: SetAsideId = parse("input", input).map_err(malformed)?;
        let found = self.0.store.set_aside_input(Some(&principal.tenant), id).await.map_err(unreadable)?;
        found.ok_or_else(|| Status::not_found("there is no such input set aside"))
    }

    fn opener(&self, principal: &Principal, shown: bool) -> Opener {
        Opener { vault: self.0.vault.clone(), tenant: principal.tenant.clone(), shown }
    }

    /// Yields where it was decided.
    async fn hand_in(&self, principal: &Principal, id: SetAsideId, bytes: &Bytes) -> Result<u64, Status> {
        let ask = ask_of(&self.0.vault, &principal.tenant, id);
        let record = match id.peer.kind {
            Kind::Conversation => as_command::<conversation::Decider>(bytes, ask),
            Kind::Desk => as_command::<desk::Decider>(bytes, ask),
            Kind::Delivery => as_command::<delivery::Decider>(bytes, ask),
            Kind::Contact => as_command::<contact::Decider>(bytes, ask),
            Kind::Workspace => as_command::<workspace::Decider>(bytes, ask),
        };
        self.0.commander.submit_to(id.peer, ask, record?).await.into_result()
    }

    async fn read_again(&self, inbox: &InboxId, raw: Bytes) -> Result<u32, Status> {
        let reader = self.0.read_again.as_ref().ok_or_else(|| {
            Status::failed_precondition(
                "this process cannot read messages: ask one that has the role `channels` beside `api`",
            )
        })?;
        reader.read_again(inbox, raw).await.map_err(|error| match error {
            NotRead::Refused(_) => Status::failed_precondition(error.to_string()),
            NotRead::Unavailable(_) => {
                tracing::warn!(%inbox, error = &error as &dyn std::error::Error, "a message was not taken");
                Status::unavailable("nothing can be stored for now; nothing was done: try again")
            }
        })
    }
}

fn shown(row: SetAsideRow) -> pb::SetAside {
    pb::SetAside { id: row.id.to_string(), at: convert::time(row.at), reason: row.reason, size: row.size }
}

/// Why a message has no original that could be read again.
fn gone(body: &pb::Body) -> Status {
    Status::failed_precondition(match body.state {
        Some(body::State::Erased(())) => "the customer was erased; nobody can read the message any more",
        Some(body::State::Content(_)) => "the message was kept without its original",
        _ => "the message is kept, but could not be opened; the traces of this process say why",
    })
}

/// Replaying an input is one command, whoever asks and under whichever id.
fn ask_of(vault: &Vault, tenant: &TenantId, input: SetAsideId) -> Ask {
    let name = format!("{tenant}/{input}");
    let mut id = [0; 16];
    let mut hasher = blake3::Hasher::new_derive_key("tributary api v1: replays of inputs set aside");
    hasher.update(name.as_bytes()).finalize_xof().fill(&mut id);
    Ask { id: CommandId(id), content: ContentHash(vault.content(name.as_bytes())) }
}

/// The input as a new command: its own identity was used up when it was set aside.
fn as_command<A: Codec>(bytes: &Bytes, ask: Ask) -> Result<Bytes, Status> {
    let intake = wire::decode_intake::<A>(bytes).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Status::failed_precondition(format!("this version cannot read the input either: {error}{cause}"))
    })?;
    match intake {
        Intake::Input { tenant, policy_version, command, .. } => {
            Ok(wire::encode_intake::<A>(&Intake::Input {
                origin: Origin::Command { id: ask.id, content: ask.content },
                at: Timestamp(log::clock::now()),
                tenant,
                policy_version,
                command,
            }))
        }
        Intake::Applied { .. } => Err(Status::failed_precondition(
            "a relay's confirmation is repeated by itself; there is nothing to replay",
        )),
    }
}
