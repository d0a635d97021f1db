//! How Graph answers: an object, or an error with its code, its subcode and a trace.

use serde_json::{Value, json};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Answer {
        Answer { status: 200, body, headers: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Answer {
        self.headers.push((name, value));
        self
    }
}

/// A Graph error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) subcode: Option<i64>,
    pub(crate) message: String,
    pub(crate) transient: bool,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: i64, subcode: Option<i64>, message: &str) -> Refusal {
        Refusal { status, code, subcode, message: message.to_owned(), transient: false }
    }

    /// Service temporarily unavailable.
    pub(crate) fn transient() -> Refusal {
        Refusal { transient: true, ..Refusal::new(500, 2, None, "Service temporarily unavailable") }
    }

    pub(super) fn answer(self, number: u64) -> Answer {
        let mut error = json!({
            "message": self.message,
            "type": if self.transient { "OAuthException" } else { "GraphMethodException" },
            "code": self.code,
            "fbtrace_id": format!("A{number:010x}"),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if self.transient {
            error["is_transient"] = json!(true);
        }
        Answer { status: self.status, body: json!({ "error": error }), headers: Vec::new() }
    }
}

pub(super) fn invalid(message: &str) -> Refusal {
    Refusal::new(400, 100, None, &format!("(#100) {message}"))
}

pub(super) fn bad_token(message: &str) -> Refusal {
    Refusal::new(401, 190, Some(463), message)
}
