//! A line of the output: for people in columns, for programs as a JSON object.

use std::io::{self, Write};

use domain::{ConversationId, Peer, TenantId, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

/// One thing that happened, told in words.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<TenantText>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub(super) conversation: Option<ConversationId>,
    /// The event's name, as the API names it too.
    pub(super) what: &'static str,
    #[serde(serialize_with = "as_map")]
    pub(super) details: Vec<(&'static str, Value)>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct TenantText(String);

impl Told {
    pub(super) fn new(what: &'static str) -> Self {
        Told { tenant: None, conversation: None, what, details: Vec::new() }
    }

    pub(super) fn of(mut self, tenant: &TenantId) -> Self {
        self.tenant = Some(TenantText(tenant.to_string()));
        self
    }

    pub(super) fn on(mut self, conversation: ConversationId) -> Self {
        self.conversation = Some(conversation);
        self
    }

    /// A detail in words: an id, a name, a reason.
    pub(super) fn with(self, name: &'static str, value: impl ToString) -> Self {
        self.number(name, value.to_string())
    }

    /// A detail that programs read as a number.
    pub(super) fn number(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(super) fn maybe<T: ToString>(self, name: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Said only where it is so.
    pub(super) fn flag(self, name: &'static str, is_so: bool) -> Self {
        if is_so { self.number(name, true) } else { self }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct Line {
    #[serde(serialize_with = "rfc3339")]
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) place: Place,
    /// What it follows from: `fact …`, `command …`, `relay …`, `timer`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    #[serde(flatten)]
    pub(super) told: Told,
}

/// The record it stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) peer: Peer,
    pub(super) position: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.peer, self.position)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(4))?;
        map.serialize_entry("cursor", &self.to_string())?;
        map.serialize_entry("aggregate", self.peer.kind.as_str())?;
        map.serialize_entry("partition", &self.peer.partition)?;
        map.serialize_entry("position", &self.position)?;
        map.end()
    }
}

impl Line {
    /// Time, place, conversation, what, details; the columns are as wide as their longest usual value.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let at =
            jiff::Timestamp::from_millisecond(self.at.0).map_or_else(|_| "-".into(), |at| format!("{at:.3}"));
        let conversation =
            self.told.conversation.map_or_else(|| "-".into(), |conversation| conversation.to_string());
        let (place, what) = (self.place.to_string(), self.told.what);
        write!(out, "{at:<24} {place:<24} {conversation:<35} {what:<18}")?;
        for (name, value) in &self.told.details {
            match value.as_str() {
                // What has spaces is quoted, to be told apart from the next detail; `(sealed, …)` is so already.
                Some(text) if !text.contains(' ') || text.starts_with('(') => write!(out, " {name}={text}")?,
                _ => write!(out, " {name}={value}")?,
            }
        }
        out.write_all(b"\n")
    }

    pub(super) fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => to.collect_str(&format_args!("{at:.3}")),
        Err(_) => to.serialize_none(),
    }
}

fn as_text<S: Serializer>(id: &Option<ConversationId>, to: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => to.collect_str(id),
        None => to.serialize_none(),
    }
}

fn as_map<S: Serializer>(details: &[(&'static str, Value)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(details.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use domain::{Kind, Party};

    use super::*;

    fn line() -> Line {
        let conversation = ConversationId { party: Party([7; 16]), number: 2 };
        Line {
            at: Timestamp(1_700_000_000_123),
            place: Place { peer: Peer { kind: Kind::Conversation, partition: 3 }, position: 120 },
            cause: Some("timer".into()),
            told: Told::new("agent_wanted")
                .on(conversation)
                .with("reason", "bot_silent")
                .with("note", "two words")
                .number("tries", 2),
        }
    }

    #[test]
    fn people_read_columns() {
        let mut out = Vec::new();
        line().print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let columns: Vec<_> = text.split_whitespace().take(5).collect();
        assert_eq!(
            columns,
            [
                "2023-11-14T22:13:20.123Z",
                "conversation[3]@120",
                "07070707070707070707070707070707-2",
                "agent_wanted",
                "reason=bot_silent"
            ]
        );
        assert!(text.ends_with("note=\"two words\" tries=2\n"), "{text}");
    }

    #[test]
    fn programs_read_objects() {
        let mut out = Vec::new();
        line().print_json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["at"], "2023-11-14T22:13:20.123Z");
        assert_eq!(json["cursor"], "conversation[3]@120");
        assert_eq!(json["partition"], 3);
        assert_eq!(json["conversation"], "07070707070707070707070707070707-2");
        assert_eq!(
            (&json["details"]["reason"], &json["details"]["tries"]),
            (&"bot_silent".into(), &2.into())
        );
        assert_eq!(json.get("tenant"), None);
    }
}
