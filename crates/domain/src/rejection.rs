//! A "no" that a caller gets as an answer. A broken world is an error, and never one of these.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a command was refused: a stable code for programs, a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Rejection {
    pub code: Code,
    pub detail: String,
}

impl Rejection {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Rejection { code, detail: detail.into() }
    }
}

/// Stable for ever; a new reason is a new code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Code {
    /// There is no such thing, or not for this caller.
    NotFound,
    /// It belongs to someone else now.
    NotOwner,
    /// The message carries an ownership epoch or turn that has passed.
    Stale,
    /// The conversation is closed.
    Closed,
    /// The customer asked for no more messages on this inbox.
    OptedOut,
    /// The offer has already ended.
    OfferEnded,
    /// The agent is not there.
    NotPresent,
    /// What was asked makes no sense as it is.
    Invalid,
    /// The same command id came with another content.
    Conflict,
    /// The caller may not do this.
    Forbidden,
    /// The input could not be handled; it is set aside for an operator.
    Internal,
    /// Nothing is sent to this address for now: see [`crate::conversation::Suppression`].
    Suppressed,
    /// The customer's address is only a name, which nothing can be sent to.
    Unanswerable,
    /// The platform lets nobody answer this customer before the customer writes again.
    WindowClosed,
}

impl Code {
    pub const ALL: [Code; 14] = [
        Code::NotFound,
        Code::NotOwner,
        Code::Stale,
        Code::Closed,
        Code::OptedOut,
        Code::OfferEnded,
        Code::NotPresent,
        Code::Invalid,
        Code::Conflict,
        Code::Forbidden,
        Code::Internal,
        Code::Suppressed,
        Code::Unanswerable,
        Code::WindowClosed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Code::NotFound => "not_found",
            Code::NotOwner => "not_owner",
            Code::Stale => "stale",
            Code::Closed => "closed",
            Code::OptedOut => "opted_out",
            Code::OfferEnded => "offer_ended",
            Code::NotPresent => "not_present",
            Code::Invalid => "invalid",
            Code::Conflict => "conflict",
            Code::Forbidden => "forbidden",
            Code::Internal => "internal",
            Code::Suppressed => "suppressed",
            Code::Unanswerable => "unanswerable",
            Code::WindowClosed => "window_closed",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
