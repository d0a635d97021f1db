//! What Graph answers, and what that means.

use serde::Deserialize;

use crate::Outcome;
use crate::messenger::platform::{Class, class_of};
use crate::outbound::Reply;

/// Either API's answer.
#[derive(Deserialize)]
struct Answer {
    message_id: Option<String>,
    #[serde(default)]
    messages: Vec<Taken>,
    error: Option<GraphError>,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[derive(Deserialize)]
struct GraphError {
    code: i64,
    error_subcode: Option<i64>,
    message: Option<String>,
    fbtrace_id: Option<String>,
    #[serde(default)]
    is_transient: bool,
}

/// What an answer says of the message, and of those behind it.
pub(super) enum Told {
    Outcome(Outcome),
    /// All of the inbox's messages wait.
    PageRate {
        code: String,
        reason: String,
        after: Option<u64>,
    },
    /// What goes to this customer waits.
    ThreadRate {
        code: String,
        reason: String,
        after: Option<u64>,
    },
    /// Nothing leaves until somebody acts.
    Token {
        code: String,
        reason: String,
    },
}

pub(super) fn read(reply: &Reply) -> Told {
    let Some(answer) = reply.json::<Answer>() else { return Told::Outcome(reply.outcome()) };
    if let Some(error) = answer.error {
        return refusal(error, reply);
    }
    Told::Outcome(match answer.message_id.or(answer.messages.into_iter().next().map(|taken| taken.id)) {
        Some(provider_id) if reply.status.is_success() => Outcome::Sent { provider_id },
        _ => reply.outcome(),
    })
}

fn refusal(error: GraphError, reply: &Reply) -> Told {
    let mut reason = error.message.unwrap_or_default();
    if let Some(trace) = error.fbtrace_id {
        reason = format!("{reason} (fbtrace_id {trace})");
    }
    let numbers = match error.error_subcode {
        Some(subcode) => format!("{}/{subcode}", error.code),
        None => error.code.to_string(),
    };
    let after = reply.retry_after;
    let refused = |code: &str| Outcome::Refused {
        code: code.to_owned(),
        reason: format!("{numbers}: {reason}").trim_end().to_owned(),
    };
    let is_transient = error.is_transient || reply.status.is_server_error() || reply.status.as_u16() == 429;
    Told::Outcome(match class_of(error.code, error.error_subcode) {
        Some(Class::Window) => refused("window"),
        Some(Class::OptedOut) => refused("opted_out"),
        Some(Class::Gone) => Outcome::Dead { code: numbers, reason },
        Some(Class::PageRate) => return Told::PageRate { code: numbers, reason, after },
        Some(Class::ThreadRate) => return Told::ThreadRate { code: numbers, reason, after },
        Some(Class::Token) => return Told::Token { code: numbers, reason },
        Some(Class::Transient) => Outcome::Retry { code: numbers, reason, after },
        None if is_transient => Outcome::Retry { code: numbers, reason, after },
        None => Outcome::Refused { code: numbers, reason },
    })
}
