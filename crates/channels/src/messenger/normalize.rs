//! From a webhook's bytes to facts: every entry, every item. An item that cannot be read becomes an `unknown` fact and
//! costs the others nothing; only bytes that are no webhook at all are malformed.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Kind, item, whatsapp};
use crate::fact::derived;
use crate::scalar::{Number, Text};
use crate::{Channel, Fact, FactKind, Malformed};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    object: Option<Text<'a>>,
    #[serde(borrow)]
    entry: Option<Vec<Entry<'a>>>,
}

/// Items stay raw here, so that each is read, and may fail, on its own.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    time: Option<Number>,
    #[serde(borrow)]
    messaging: Option<Vec<&'a RawValue>>,
    /// What goes on while another application holds the thread.
    #[serde(borrow)]
    standby: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    changes: Option<Vec<&'a RawValue>>,
}

/// What a webhook says, in its own order. `inbox` is the configured name; without one, facts carry the provider's:
/// the Page or account id, or WhatsApp's phone number id.
///
/// Receipts give one fact per message id; a delivery without ids one with its watermark. WhatsApp's `sent` status
/// says only that our own send was taken, so it is an echo where it carries our key and no fact otherwise.
///
/// # Errors
/// [`Malformed`] for bytes that are not UTF-8 JSON with a list `entry`.
pub fn normalize(kind: Kind, inbox: Option<&str>, body: &[u8]) -> Result<Vec<Fact>, Malformed> {
    let malformed = |reason: String| Malformed { what: "Meta webhook", reason };
    let body = std::str::from_utf8(body).map_err(|error| malformed(format!("not UTF-8: {error}")))?;
    let envelope: Envelope<'_> = serde_json::from_str(body).map_err(|error| malformed(error.to_string()))?;
    let entries = envelope.entry.ok_or_else(|| malformed("there is no `entry`".to_owned()))?;

    let source = |entry: &Entry<'_>| Source {
        channel: kind.channel(),
        inbox: inbox.or(entry.id.as_ref().map(Text::as_str)).unwrap_or("").to_owned(),
        time: entry.time.map(Number::milliseconds),
    };
    if let Some(object) = envelope.object.as_ref().filter(|object| object.as_str() != kind.object()) {
        let reason = format!("object `{}` is not `{}`", object.as_str(), kind.object());
        return Ok(entries
            .first()
            .map(|entry| source(entry).unknown("", body, reason))
            .into_iter()
            .collect());
    }

    let mut facts = Vec::with_capacity(entries.len());
    let mut empty = false;
    for entry in entries {
        let source = source(&entry);
        if entry.messaging.is_none() && entry.standby.is_none() && entry.changes.is_none() && !empty {
            // All such entries of a body are one fact, known by the body: it is kept once.
            empty = true;
            let reason = "an entry without messaging, standby or changes".to_owned();
            facts.push(source.unknown("", body, reason));
        }
        for raw in entry.messaging.into_iter().flatten() {
            item::read(&source, raw.get(), &mut facts);
        }
        let listening = facts.len();
        for raw in entry.standby.into_iter().flatten() {
            item::read(&source, raw.get(), &mut facts);
        }
        facts[listening..].iter_mut().for_each(|fact| fact.standby = true);
        for raw in entry.changes.into_iter().flatten() {
            whatsapp::read(&source, inbox, raw.get(), &mut facts);
        }
    }
    Ok(facts)
}

/// Where an item stands: what all its facts have in common.
pub(super) struct Source {
    pub(super) channel: Channel,
    pub(super) inbox: String,
    /// The entry's own time, for items that have none.
    pub(super) time: Option<i64>,
}

impl Source {
    pub(super) fn fact(&self, kind: FactKind, address: &str, at: Option<i64>) -> Fact {
        Fact { sent_at: at.or(self.time), ..Fact::new(kind, self.channel, self.inbox.as_str(), address) }
    }

    /// An item we cannot make sense of, told apart from others by its own bytes, which it keeps.
    pub(super) fn unknown(&self, address: &str, item: &str, reason: String) -> Fact {
        let external_id = Some(derived("item", &[item]));
        let raw = Some(Bytes::copy_from_slice(item.as_bytes()));
        Fact { external_id, reason: Some(reason), raw, ..self.fact(FactKind::Unknown, address, None) }
    }

    /// Where an item says more than is understood, its first fact keeps the bytes.
    pub(super) fn keep_whole(&self, whole: bool, raw: &str, facts: &mut [Fact]) {
        if let Some(fact) = facts.first_mut().filter(|fact| !whole && fact.raw.is_none()) {
            fact.raw = Some(Bytes::copy_from_slice(raw.as_bytes()));
        }
    }
}

/// An item, and whether all of it is understood.
pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a str) -> serde_json::Result<(T, bool)> {
    let mut whole = true;
    let mut reader = serde_json::Deserializer::from_str(raw);
    let item = serde_ignored::deserialize(&mut reader, |_| whole = false)?;
    reader.end()?;
    Ok((item, whole))
}

/// Whether a platform's copy of a message carries a key that we gave it: a message's id, and perhaps something behind it.
/// Other applications may write there what they like.
pub(super) fn own_key(key: &str) -> bool {
    let id = key.split('-').next().unwrap_or_default();
    id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
