//! From posted JSON to facts.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fact::{derived, media_kind};
use crate::scalar::{Text, present};
use crate::{Attachment, Channel, Fact, FactKind, Malformed};

#[derive(Deserialize)]
struct Posted<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    sent_at: Option<Text<'a>>,
    #[serde(borrow)]
    reply_to: Option<Text<'a>>,
    #[serde(borrow)]
    attachments: Option<Vec<Attached<'a>>>,
}

#[derive(Deserialize)]
struct Attached<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    content_type: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

/// What was posted: one object or a list of them, each `{"id", "from", "text", "sent_at"?, "reply_to"?,
/// "attachments"?: [{"url", "kind"?, "content_type"?, "name"?}]}`. `id` is the sender's own for the message and makes it
/// safe to post again; `from` is the customer's address; `sent_at` is RFC 3339 or milliseconds since the epoch. An object
/// with neither text nor attachments is `unknown`. Without an `inbox`, facts carry `generic`.
///
/// # Errors
/// [`Malformed`] for what is not such JSON: nothing of it is taken then.
pub fn normalize(inbox: Option<&str>, body: &[u8]) -> Result<Vec<Fact>, Malformed> {
    let malformed = |reason: String| Malformed { what: "message", reason };
    let body = std::str::from_utf8(body).map_err(|error| malformed(format!("not UTF-8: {error}")))?;
    let items: Vec<&RawValue> = if body.trim_ascii_start().starts_with('[') {
        serde_json::from_str(body)
    } else {
        serde_json::from_str(body).map(|item| vec![item])
    }
    .map_err(|error| malformed(error.to_string()))?;

    let inbox = inbox.unwrap_or("generic");
    let read = |(at, item): (usize, &&RawValue)| {
        read_one(inbox, item.get()).map_err(|reason| malformed(format!("item {at}: {reason}")))
    };
    items.iter().enumerate().map(read).collect()
}

fn read_one(inbox: &str, raw: &str) -> Result<Fact, String> {
    if !raw.starts_with('{') {
        return Err("not an object".to_owned());
    }
    let posted: Posted<'_> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
    let id = present(posted.id).ok_or("there is no `id`")?;
    let from = present(posted.from).ok_or("there is no `from`")?;
    let sent_at = posted.sent_at.as_ref().map(|at| time(at.as_str())).transpose()?;
    let attachments: Vec<_> = posted.attachments.into_iter().flatten().map(Attachment::from).collect();
    let fact = Fact {
        external_id: Some(id),
        sent_at,
        text: present(posted.text),
        attachments,
        reply_to: present(posted.reply_to),
        ..Fact::new(FactKind::Message, Channel::Generic, inbox, from)
    };
    if fact.text.is_none() && fact.attachments.is_empty() {
        let reason = Some("neither text nor attachments".to_owned());
        return Ok(Fact {
            kind: FactKind::Unknown,
            external_id: Some(derived("item", &[raw])),
            reason,
            raw: Some(Bytes::copy_from_slice(raw.as_bytes())),
            ..fact
        });
    }
    Ok(fact)
}

fn time(text: &str) -> Result<i64, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(milliseconds);
    }
    let at: Timestamp = text.parse().map_err(|error| format!("`sent_at` is not RFC 3339: {error}"))?;
    Ok(at.as_millisecond())
}

impl From<Attached<'_>> for Attachment {
    fn from(attached: Attached<'_>) -> Self {
        let content_type = present(attached.content_type);
        Attachment {
            kind: present(attached.kind)
                .unwrap_or_else(|| media_kind(content_type.as_deref().unwrap_or("")).to_owned()),
            url: present(attached.url),
            content_type,
            name: present(attached.name),
            data: None,
        }
    }
}
