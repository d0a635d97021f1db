//! `Operator`: inputs that were set aside, and handing them in again.

use bytes::Bytes;
use domain::{Intake, Kind, Origin, Timestamp, contact, conversation, delivery, desk, workspace};
use projections::{Kept, SetAsideId};
use tonic::{Request, Response, Status};
use wire::{
    Codec,
    api::v1::{self as pb, operator_server},
};

use crate::{
    auth::principal,
    commands::{Ask, malformed},
    convert::{self, client_id, page_size, parse},
    server::{Shared, unreadable},
};

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
        let inputs = rows.into_iter().map(|row| pb::SetAside {
            id: row.id.to_string(),
            at: convert::time(row.at),
            reason: row.reason,
            size: row.size,
        });
        Ok(Response::new(pb::ListSetAsideResponse { inputs: inputs.collect(), next }))
    }

    async fn replay_set_aside(
        &self,
        request: Request<pb::ReplaySetAsideRequest>,
    ) -> Result<Response<pb::Accepted>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let request = request.into_inner();
        client_id("command_id", &request.command_id).map_err(malformed)?;
        let id: SetAsideId = parse("input", &request.input).map_err(malformed)?;
        let found = self.0.store.set_aside_input(Some(&principal.tenant), id).await.map_err(unreadable)?;
        let found = found.ok_or_else(|| Status::not_found("there is no such input set aside"))?;
        let Kept::Input(bytes) = found.kept else {
            return Err(Status::failed_precondition(
                "a message that was kept because it could not be understood cannot be handed in again",
            ));
        };
        let commander = &self.0.commander;
        let ask = commander.ask(&principal, &request.command_id, &[b"replay", request.input.as_bytes()]);
        let record = match id.peer.kind {
            Kind::Conversation => as_command::<conversation::Decider>(&bytes, ask),
            Kind::Desk => as_command::<desk::Decider>(&bytes, ask),
            Kind::Delivery => as_command::<delivery::Decider>(&bytes, ask),
            Kind::Contact => as_command::<contact::Decider>(&bytes, ask),
            Kind::Workspace => as_command::<workspace::Decider>(&bytes, ask),
        };
        let outcome = commander.submit_to(id.peer, ask, record?).await;
        Ok(Response::new(pb::Accepted { position: outcome.into_result()? }))
    }
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
