//! One item of `messaging` or `standby`: what Messenger and Instagram call an event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::normalize::Source;
use crate::fact::derived;
use crate::scalar::{Number, Text, present};
use crate::{Attachment, Fact, FactKind, Referral};

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    sender: Option<Party<'a>>,
    #[serde(borrow)]
    recipient: Option<Party<'a>>,
    timestamp: Option<Number>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    postback: Option<Postback<'a>>,
    #[serde(borrow)]
    referral: Option<Referred<'a>>,
    #[serde(borrow)]
    optin: Option<Optin<'a>>,
    #[serde(borrow)]
    delivery: Option<Delivery<'a>>,
    #[serde(borrow)]
    read: Option<Read<'a>>,
    #[serde(borrow)]
    reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    account_linking: Option<Linking<'a>>,
    #[serde(borrow)]
    pass_thread_control: Option<&'a RawValue>,
    #[serde(borrow)]
    take_thread_control: Option<&'a RawValue>,
    #[serde(borrow)]
    request_thread_control: Option<&'a RawValue>,
    #[serde(borrow)]
    app_roles: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Party<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    mid: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    quick_reply: Option<QuickReply<'a>>,
    #[serde(borrow)]
    attachments: Option<Vec<Attached<'a>>>,
    #[serde(borrow)]
    reply_to: Option<ReplyTo<'a>>,
    #[serde(borrow)]
    metadata: Option<Text<'a>>,
    #[serde(borrow)]
    referral: Option<Referred<'a>>,
    is_echo: Option<bool>,
    is_deleted: Option<bool>,
    is_unsupported: Option<bool>,
}

#[derive(Deserialize)]
struct QuickReply<'a> {
    #[serde(borrow)]
    payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct ReplyTo<'a> {
    #[serde(borrow)]
    mid: Option<Text<'a>>,
    #[serde(borrow)]
    story: Option<Story<'a>>,
}

#[derive(Deserialize)]
struct Story<'a> {
    #[serde(borrow)]
    url: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Attached<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<AttachedPayload<'a>>,
}

#[derive(Deserialize)]
struct AttachedPayload<'a> {
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    sticker_id: Option<Text<'a>>,
    coordinates: Option<Coordinates>,
}

#[derive(Deserialize)]
struct Coordinates {
    lat: f64,
    long: f64,
}

#[derive(Deserialize)]
struct Postback<'a> {
    #[serde(borrow)]
    mid: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
    #[serde(borrow)]
    referral: Option<Referred<'a>>,
}

#[derive(Deserialize)]
struct Referred<'a> {
    #[serde(borrow, rename = "ref")]
    reference: Option<Text<'a>>,
    #[serde(borrow)]
    source: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    ad_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Optin<'a> {
    #[serde(borrow, rename = "ref")]
    reference: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
    /// Stands for the customer where the checkbox plugin does not know them yet.
    #[serde(borrow)]
    user_ref: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delivery<'a> {
    #[serde(borrow)]
    mids: Option<Vec<Text<'a>>>,
    watermark: Option<Number>,
}

#[derive(Deserialize)]
struct Read<'a> {
    /// Instagram names the message, Messenger gives a watermark.
    #[serde(borrow)]
    mid: Option<Text<'a>>,
    watermark: Option<Number>,
}

#[derive(Deserialize)]
struct Reaction<'a> {
    #[serde(borrow)]
    mid: Option<Text<'a>>,
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(borrow)]
    reaction: Option<Text<'a>>,
    #[serde(borrow)]
    emoji: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Linking<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    authorization_code: Option<Text<'a>>,
}

/// Adds the facts of one item.
pub(super) fn read(source: &Source, raw: &str, facts: &mut Vec<Fact>) {
    let item: Item<'_> = match serde_json::from_str(raw) {
        Ok(item) => item,
        Err(error) => return facts.push(source.unknown("", raw, format!("an item we cannot read: {error}"))),
    };
    let at = item.timestamp.map(Number::milliseconds);
    let sender = id(item.sender.as_ref());
    let start = facts.len();

    if let Some(message) = item.message {
        facts.push(read_message(source, raw, sender, id(item.recipient.as_ref()), at, message));
    } else if let Some(postback) = item.postback {
        facts.push(read_postback(source, sender, at, postback));
    } else if let Some(delivery) = item.delivery {
        read_delivery(source, sender, at, delivery, facts);
    } else if let Some(read) = item.read {
        let (external_id, watermark) = (present(read.mid), read.watermark.map(Number::milliseconds));
        facts.push(Fact { external_id, watermark, ..source.fact(FactKind::Read, sender, at) });
    } else if let Some(reaction) = item.reaction {
        // A reaction can be made, taken back and made again: the message's id does not tell these apart.
        facts.push(Fact {
            reply_to: present(reaction.mid),
            text: present(reaction.emoji).or(present(reaction.reaction)),
            payload: present(reaction.action),
            ..source.fact(FactKind::Reaction, sender, at)
        });
    } else if let Some(optin) = item.optin {
        let address =
            if sender.is_empty() { optin.user_ref.as_ref().map_or("", Text::as_str) } else { sender };
        let mut fact = source.fact(FactKind::Optin, address, at);
        fact.payload = present(optin.payload);
        fact.referral = present(optin.reference)
            .map(|reference| Referral { reference: Some(reference), ..Referral::default() });
        facts.push(fact);
    } else if let Some(linking) = item.account_linking {
        facts.push(Fact {
            reason: present(linking.status),
            payload: present(linking.authorization_code),
            ..source.fact(FactKind::Link, sender, at)
        });
    } else if let Some((event, details)) = [
        ("pass_thread_control", item.pass_thread_control),
        ("take_thread_control", item.take_thread_control),
        ("request_thread_control", item.request_thread_control),
        ("app_roles", item.app_roles),
    ]
    .into_iter()
    .find_map(|(event, details)| details.map(|details| (event, details)))
    {
        facts.push(Fact {
            reason: Some(event.to_owned()),
            payload: Some(details.get().to_owned()),
            ..source.fact(FactKind::Handover, sender, at)
        });
    } else if item.referral.is_some() {
        facts.push(source.fact(FactKind::Referral, sender, at));
    } else {
        facts.push(Fact { sent_at: at.or(source.time), ..source.unknown(sender, raw, name_of(raw)) });
    }

    // All facts of one item are of one customer.
    let nobodys = |fact: &&Fact| fact.address.is_empty() && fact.kind != FactKind::Unknown;
    if let Some(fact) = facts[start..].iter().find(nobodys) {
        let reason = format!("a {} without a customer's id", fact.kind.as_str());
        facts.truncate(start);
        facts.push(source.unknown("", raw, reason));
    }
    // A referral may stand beside what it led to, or alone.
    if let (Some(referral), [fact]) = (item.referral, &mut facts[start..]) {
        fact.referral.get_or_insert(referral.into());
    }
}

fn read_message(
    source: &Source,
    raw: &str,
    sender: &str,
    recipient: &str,
    at: Option<i64>,
    message: Message<'_>,
) -> Fact {
    let echo = message.is_echo.unwrap_or(false);
    let (kind, address) = if echo { (FactKind::Echo, recipient) } else { (FactKind::Message, sender) };
    if message.is_deleted.unwrap_or(false) {
        return source.unknown(address, raw, "a message was unsent".to_owned());
    }
    let Some(mid) = present(message.mid) else {
        return source.unknown(address, raw, "a message without an id".to_owned());
    };
    let mut attachments: Vec<Attachment> =
        message.attachments.into_iter().flatten().map(Attachment::from).collect();
    if message.is_unsupported.unwrap_or(false) && attachments.is_empty() {
        attachments.push(Attachment { kind: "unsupported".to_owned(), ..Attachment::default() });
    }
    let (mut reply_to, mut story) = (None, None);
    if let Some(reply) = message.reply_to {
        (reply_to, story) = (present(reply.mid), reply.story);
    }
    if let Some(story) = story {
        let kind = "story".to_owned();
        attachments.push(Attachment { kind, url: present(story.url), ..Attachment::default() });
    }
    Fact {
        external_id: Some(mid),
        text: present(message.text),
        payload: message.quick_reply.and_then(|reply| present(reply.payload)),
        attachments,
        referral: message.referral.map(Referral::from),
        reply_to,
        echo_of: if echo { present(message.metadata) } else { None },
        ..source.fact(kind, address, at)
    }
}

/// Older postbacks have no `mid`: theirs is derived from customer, time, payload and title.
fn read_postback(source: &Source, sender: &str, at: Option<i64>, postback: Postback<'_>) -> Fact {
    let (text, payload) = (present(postback.title), present(postback.payload));
    let external_id = present(postback.mid).unwrap_or_else(|| {
        let time = at.or(source.time).map(|at| at.to_string()).unwrap_or_default();
        let (payload, text) = (payload.as_deref().unwrap_or(""), text.as_deref().unwrap_or(""));
        derived("postback", &[sender, &time, payload, text])
    });
    Fact {
        external_id: Some(external_id),
        text,
        payload,
        referral: postback.referral.map(Referral::from),
        ..source.fact(FactKind::Postback, sender, at)
    }
}

fn read_delivery(
    source: &Source,
    sender: &str,
    at: Option<i64>,
    delivery: Delivery<'_>,
    facts: &mut Vec<Fact>,
) {
    let receipt = Fact {
        watermark: delivery.watermark.map(Number::milliseconds),
        ..source.fact(FactKind::Delivery, sender, at)
    };
    let mids = delivery.mids.unwrap_or_default();
    if mids.is_empty() {
        return facts.push(receipt);
    }
    let receipts = mids.into_iter().map(|mid| Fact { external_id: present(Some(mid)), ..receipt.clone() });
    facts.extend(receipts);
}

impl From<Attached<'_>> for Attachment {
    fn from(attached: Attached<'_>) -> Self {
        let mut kind = present(attached.kind).unwrap_or_else(|| "file".to_owned());
        let (mut url, mut name) = (present(attached.url), present(attached.title));
        if let Some(payload) = attached.payload {
            if payload.sticker_id.is_some() {
                kind = "sticker".to_owned();
            }
            // RFC 5870.
            let place = payload.coordinates.map(|at| format!("geo:{},{}", at.lat, at.long));
            url = place.or(present(payload.url)).or(url);
            name = name.or(present(payload.title));
        }
        Attachment { kind, url, content_type: None, name, data: None }
    }
}

impl From<Referred<'_>> for Referral {
    fn from(referred: Referred<'_>) -> Self {
        Referral {
            reference: present(referred.reference),
            source: present(referred.source),
            kind: present(referred.kind),
            ad_id: present(referred.ad_id),
            ..Referral::default()
        }
    }
}

fn id<'a>(party: Option<&'a Party<'_>>) -> &'a str {
    party.and_then(|party| party.id.as_ref()).map_or("", Text::as_str)
}

/// Says which event an item is, for those we do not know.
fn name_of(raw: &str) -> String {
    let fields: BTreeMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(raw).unwrap_or_default();
    let common = ["sender", "recipient", "timestamp"];
    match fields.keys().find(|name| !common.contains(&&***name)) {
        Some(event) => format!("an event we do not know: `{event}`"),
        None => "an item without an event".to_owned(),
    }
}
