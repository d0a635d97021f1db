//! A provider's payload as its settings describe it, to facts.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    Attachment, Channel, Fact, FactKind, Malformed,
    fact::{derived, media_kind},
};

/// Where things are. All are JSON pointers into one item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reader {
    pub(super) form: Form,
    /// To the list of items in the body; without it the body is one, or a list of them.
    pub(super) items: Option<String>,
    /// An item is a message if this holds.
    pub(super) when: Option<(String, String)>,
    pub(super) id: Option<String>,
    pub(super) from: String,
    pub(super) text: Option<String>,
    pub(super) sent_at: Option<String>,
    /// To a URL, a list of URLs, or a list of objects with a `url`.
    pub(super) media: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) reply_to: Option<String>,
    /// An item is a receipt if this holds; without it, if there is a state.
    pub(super) status_when: Option<(String, String)>,
    pub(super) status_id: Option<String>,
    pub(super) status_address: Option<String>,
    pub(super) status_state: Option<String>,
    pub(super) status_reason: Option<String>,
    pub(super) delivered: Vec<String>,
    pub(super) read: Vec<String>,
    pub(super) failed: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Json,
    Form,
}

impl Reader {
    /// # Errors
    /// [`Malformed`] for what is not in the form at all.
    pub(crate) fn facts(&self, channel: Channel, inbox: &str, body: &[u8]) -> Result<Vec<Fact>, Malformed> {
        let malformed = |reason: String| Malformed { what: "message", reason };
        let mut whole = match self.form {
            Form::Json => serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?,
            Form::Form => {
                let mut fields = Map::new();
                for (name, value) in form_urlencoded::parse(body) {
                    fields.entry(name.into_owned()).or_insert_with(|| Value::String(value.into_owned()));
                }
                Value::Object(fields)
            }
        };
        let items = match &self.items {
            None => whole,
            Some(at) => match whole.pointer_mut(at) {
                Some(items) => items.take(),
                // A body of another kind, about something else.
                None => Value::Array(vec![whole]),
            },
        };
        let items = match items {
            Value::Array(items) => items,
            one => vec![one],
        };
        if items.iter().any(|item| !item.is_object()) {
            return Err(malformed("an item is not an object".to_owned()));
        }
        Ok(items.iter().filter_map(|item| self.fact(channel, inbox, item)).collect())
    }

    fn fact(&self, channel: Channel, inbox: &str, item: &Value) -> Option<Fact> {
        let find = |at: &Option<String>| at.as_deref().and_then(|at| text(item.pointer(at)?));
        let holds =
            |when: &(String, String)| item.pointer(&when.0).and_then(text).as_deref() == Some(&when.1);
        let state = find(&self.status_state);
        if self.status_when.as_ref().map_or(state.is_some(), holds)
            && let Some(state) = state
        {
            let address = find(&self.status_address).unwrap_or_default();
            let is = |words: &[String]| words.contains(&state.to_lowercase());
            let kind = if is(&self.delivered) {
                FactKind::Delivery
            } else if is(&self.read) {
                FactKind::Read
            } else if is(&self.failed) {
                FactKind::Failed
            } else {
                // On its way, which its sending has said already.
                return None;
            };
            let reason = (kind == FactKind::Failed)
                .then(|| find(&self.status_reason).map_or(state.clone(), |why| format!("{state}: {why}")));
            let fact = Fact::new(kind, channel, inbox, address);
            return Some(Fact { external_id: find(&self.status_id), reason, ..fact });
        }
        let from = text(item.pointer(&self.from).unwrap_or(&Value::Null)).unwrap_or_default();
        let attachments = self.attachments(item);
        let words = find(&self.text);
        let what = if !self.when.as_ref().is_none_or(holds) {
            Some("not a message, and not a receipt")
        } else if from.is_empty() {
            Some("a message from nobody")
        } else if words.is_none() && attachments.is_empty() {
            Some("neither text nor attachments")
        } else {
            None
        };
        let written = item.to_string();
        let fact = Fact {
            external_id: Some(find(&self.id).unwrap_or_else(|| derived("item", &[&written]))),
            sent_at: find(&self.sent_at).as_deref().and_then(time),
            text: words,
            attachments,
            reply_to: find(&self.reply_to),
            ..Fact::new(FactKind::Message, channel, inbox, from)
        };
        Some(match what {
            None => fact,
            Some(reason) => Fact {
                kind: FactKind::Unknown,
                external_id: Some(derived("item", &[&written])),
                reason: Some(reason.to_owned()),
                raw: Some(Bytes::from(written)),
                ..fact
            },
        })
    }

    fn attachments(&self, item: &Value) -> Vec<Attachment> {
        let content_type = self.media_type.as_deref().and_then(|at| text(item.pointer(at)?));
        let attachment = |value: &Value| {
            let url = text(value).or_else(|| text(value.get("url")?))?;
            let content_type = value.get("contentType").and_then(text).or_else(|| content_type.clone());
            let kind = media_kind(content_type.as_deref().unwrap_or("")).to_owned();
            Some(Attachment { kind, url: Some(url), content_type, name: None, data: None })
        };
        match self.media.as_deref().and_then(|at| item.pointer(at)) {
            Some(Value::Array(list)) => list.iter().filter_map(attachment).collect(),
            Some(one) => attachment(one).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// A string or a number, unless it is empty.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// RFC 3339, with or without the colon in its offset, or seconds or milliseconds since the epoch. Anything else is no
/// reason to lose a message.
fn time(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(if number.unsigned_abs() < 100_000_000_000 {
            number.checked_mul(1000)?
        } else {
            number
        });
    }
    let with_colon = match text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)) {
        Some((before, offset)) if offset.starts_with(['+', '-']) && before.contains('T') => {
            format!("{before}{}:{}", &offset[..3], &offset[3..])
        }
        _ => text.replacen(' ', "T", 1),
    };
    let at = with_colon.parse::<Timestamp>().or_else(|_| format!("{with_colon}Z").parse::<Timestamp>());
    at.ok().map(Timestamp::as_millisecond)
}
