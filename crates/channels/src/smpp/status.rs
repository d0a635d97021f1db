//! What a `command_status` means for the message in hand (§5.1.3).

use crate::Outcome;

pub(super) const OK: u32 = 0x00;
pub(super) const INVALID_COMMAND_LENGTH: u32 = 0x02;
pub(super) const INVALID_COMMAND: u32 = 0x03;
pub(super) const ALREADY_BOUND: u32 = 0x05;
pub(super) const SYSTEM_ERROR: u32 = 0x08;
const BIND_FAILED: u32 = 0x0d;
const INVALID_PASSWORD: u32 = 0x0e;
const INVALID_SYSTEM_ID: u32 = 0x0f;
const QUEUE_FULL: u32 = 0x14;
const THROTTLED: u32 = 0x58;
pub(super) const TEMPORARY: u32 = 0x64;

/// The name without `ESME_`, for those that come up.
pub(super) fn name(status: u32) -> String {
    let name = match status {
        0x01 => "RINVMSGLEN",
        0x02 => "RINVCMDLEN",
        0x03 => "RINVCMDID",
        0x04 => "RINVBNDSTS",
        0x05 => "RALYBND",
        0x06 => "RINVPRTFLG",
        0x07 => "RINVREGDLVFLG",
        0x08 => "RSYSERR",
        0x0a => "RINVSRCADR",
        0x0b => "RINVDSTADR",
        0x0c => "RINVMSGID",
        0x0d => "RBINDFAIL",
        0x0e => "RINVPASWD",
        0x0f => "RINVSYSID",
        0x11 => "RCANCELFAIL",
        0x13 => "RREPLACEFAIL",
        0x14 => "RMSGQFUL",
        0x15 => "RINVSERTYP",
        0x42 => "RINVREPFLAG",
        0x43 => "RINVESMCLASS",
        0x44 => "RCNTSUBDL",
        0x45 => "RSUBMITFAIL",
        0x48 => "RINVSRCTON",
        0x49 => "RINVSRCNPI",
        0x50 => "RINVDSTTON",
        0x51 => "RINVDSTNPI",
        0x53 => "RINVSYSTYP",
        0x54 => "RINVNUMMSGS",
        0x58 => "RTHROTTLED",
        0x61 => "RINVSCHED",
        0x62 => "RINVEXPIRY",
        0x64 => "RX_T_APPN",
        0x65 => "RX_P_APPN",
        0x66 => "RX_R_APPN",
        0xc0 => "RINVOPTPARSTREAM",
        0xc3 => "RMISSINGOPTPARAM",
        0xc4 => "RINVOPTPARAMVAL",
        0xfe => "RDELIVERYFAILURE",
        0xff => "RUNKNOWNERR",
        other => return format!("{other:#010x}"),
    };
    name.to_owned()
}

/// The message centre wants fewer messages for a while.
pub(super) fn is_throttled(status: u32) -> bool {
    matches!(status, THROTTLED | QUEUE_FULL)
}

/// It does not know us: nothing gets better until somebody acts.
pub(super) fn is_credentials(status: u32) -> bool {
    matches!(status, BIND_FAILED | INVALID_PASSWORD | INVALID_SYSTEM_ID | 0x53)
}

/// What becomes of a message that was answered so. Not for success.
pub(super) fn outcome(status: u32) -> Outcome {
    let reason = format!("the message centre says {}", name(status));
    match status {
        0x0b | 0x50 | 0x51 => Outcome::Refused { code: "bad_address".to_owned(), reason },
        // What says that nothing was taken, and names no fault of the message. RUNKNOWNERR does not tell.
        THROTTLED | QUEUE_FULL | SYSTEM_ERROR | TEMPORARY | 0x04 | 0x45 => {
            Outcome::Retry { code: name(status), reason, after: None }
        }
        0xff => Outcome::Unknown { reason },
        _ => Outcome::Refused { code: name(status), reason },
    }
}
