//! What stands in the intake topics.

use bytes::Bytes;
use domain::{Intake, Origin, Peer, Relay, Timestamp};
use prost::Message;

use crate::{
    Codec, Error,
    error::Flaw,
    message::{Wire, choice, decode, encode, required},
    pb::{
        self,
        intake::{Applied, Input, Kind},
    },
};

/// What stands for a relay's tenant: it has none, for it speaks for an aggregate.
const NO_TENANT: &str = "-";

pub fn encode_intake<A: Codec>(intake: &Intake<A::Command>) -> Bytes {
    encode(intake).into()
}

/// Bytes within (what is sealed) share the memory of `bytes`.
pub fn decode_intake<A: Codec>(bytes: &Bytes) -> Result<Intake<A::Command>, Error> {
    decode("an intake record", bytes.clone())
}

/// Whose an intake record is, where [`decode_intake`] fails: none if not even that can be read.
pub fn decode_origin(bytes: &Bytes) -> Option<Origin> {
    let pb::IntakeHeader { kind } = pb::IntakeHeader::decode(bytes.clone()).ok()?;
    let pb::intake_header::Kind::Input(input) = kind?;
    Wire::take(input.origin).ok()
}

/// The intake record by which `source` sends its relay of that number, made `at`, to another aggregate. It names no
/// policy version, and its tenant reads `-`: who needs the tenant takes it from the ids in the command.
pub fn encode_relay(source: Peer, number: u64, at: Timestamp, relay: &Relay) -> Bytes {
    let command = match relay {
        Relay::Conversation(command) => command.put(),
        Relay::Desk(command) => command.put(),
        Relay::Delivery(command) => command.put(),
        Relay::Contact(command) => command.put(),
    };
    let input = Input {
        origin: Origin::Relay { source, number }.put(),
        at: at.put(),
        tenant: NO_TENANT.to_owned(),
        policy_version: 0,
        command,
    };
    pb::Intake { kind: Some(Kind::Input(input)) }.encode_to_vec().into()
}

impl<C: Wire<pb::Command>> Wire<pb::Intake> for Intake<C> {
    fn put(&self) -> pb::Intake {
        let kind = match self {
            Intake::Input { origin, at, tenant, policy_version, command } => Kind::Input(Input {
                origin: origin.put(),
                at: at.put(),
                tenant: tenant.put(),
                policy_version: *policy_version,
                command: Some(command.put()),
            }),
            Intake::Applied { by, through } => Kind::Applied(Applied { by: by.put(), through: *through }),
        };
        pb::Intake { kind: Some(kind) }
    }

    fn take(wire: pb::Intake) -> Result<Self, Flaw> {
        match wire.kind.ok_or_else(Flaw::no_kind)? {
            Kind::Input(input) => Ok(Intake::Input {
                origin: Wire::take(input.origin).map_err(|flaw| flaw.within("origin"))?,
                at: Wire::take(input.at)?,
                tenant: Wire::take(input.tenant).map_err(|flaw| flaw.within("tenant"))?,
                policy_version: input.policy_version,
                command: required(input.command).map_err(|flaw| flaw.within("command"))?,
            }),
            Kind::Applied(applied) => Ok(Intake::Applied {
                by: Wire::take(applied.by).map_err(|flaw| flaw.within("by"))?,
                through: applied.through,
            }),
        }
    }
}

choice! { domain::Origin => Origin, origin {
    Fact(id),
    Command { id, content },
    Relay { source, number },
    Report {},
}}
