//! One item of `messaging` or `standby`: what Messenger and Instagram call an event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::normalize::{Source, own_key, parse};
use super::shapes::{Attached, Control, Delivery, Item, Linking, Message, Optin, Party, Postback, Referred};
use crate::fact::derived;
use crate::scalar::{Number, Text, present};
use crate::{Attachment, Fact, FactKind, Referral};

/// Adds the facts of one item.
pub(super) fn read(source: &Source, raw: &str, facts: &mut Vec<Fact>) {
    let (item, whole): (Item<'_>, bool) = match parse(raw) {
        Ok(parsed) => parsed,
        Err(error) => return facts.push(source.unknown("", raw, format!("an item we cannot read: {error}"))),
    };
    let at = item.timestamp.map(Number::milliseconds);
    let sender = id(item.sender.as_ref());
    let start = facts.len();

    if let Some(message) = item.message {
        facts.push(read_message(source, raw, sender, id(item.recipient.as_ref()), at, message));
    } else if let Some(edit) = item.message_edit {
        // One message can be changed several times: each is told from the others by its number.
        facts.push(Fact {
            reply_to: present(edit.mid),
            text: present(edit.text),
            payload: present(edit.num_edit),
            ..source.fact(FactKind::Edit, sender, at)
        });
    } else if let Some(postback) = item.postback {
        facts.push(read_postback(source, sender, at, postback));
    } else if let Some(delivery) = item.delivery {
        read_delivery(source, sender, at, delivery, facts);
    } else if let Some(read) = item.read {
        // Whoever has seen a message has seen those before it.
        let watermark = read.watermark.map(Number::milliseconds);
        let watermark = watermark.or(at.filter(|_| read.mid.is_some()));
        let external_id = present(read.mid);
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
        facts.push(read_optin(source, raw, sender, at, optin.get()));
    } else if let Some(linking) = item.account_linking {
        facts.push(read_linking(source, sender, at, linking));
    } else if let Some(control) = item.pass_thread_control {
        facts.push(read_control(source, "pass_thread_control", Some(false), sender, at, control));
    } else if let Some(control) = item.take_thread_control {
        facts.push(read_control(source, "take_thread_control", Some(true), sender, at, control));
    } else if let Some(control) = item.request_thread_control {
        facts.push(read_control(source, "request_thread_control", None, sender, at, control));
    } else if let Some(roles) = item.app_roles {
        facts.push(Fact {
            reason: Some("app_roles".to_owned()),
            payload: Some(roles.get().to_owned()),
            ..source.fact(FactKind::Notice, sender, at)
        });
    } else if let Some(enforced) = item.policy_enforcement {
        facts.push(Fact {
            payload: present(enforced.action),
            reason: present(enforced.reason),
            ..source.fact(FactKind::Notice, sender, at)
        });
    } else if item.referral.is_some() {
        facts.push(source.fact(FactKind::Referral, sender, at));
    } else {
        facts.push(Fact { sent_at: at.or(source.time), ..source.unknown(sender, raw, name_of(raw)) });
    }

    // All facts of one item are of one customer; what is said of the business is of none.
    let nobodys =
        |fact: &&Fact| fact.address.is_empty() && !matches!(fact.kind, FactKind::Unknown | FactKind::Notice);
    if let Some(fact) = facts[start..].iter().find(nobodys) {
        let reason = format!("a {} without a customer's id", fact.kind.as_str());
        facts.truncate(start);
        facts.push(source.unknown("", raw, reason));
    }
    // A referral may stand beside what it led to, or alone.
    if let (Some(referral), [fact]) = (item.referral, &mut facts[start..]) {
        fact.referral.get_or_insert(referral.into());
    }
    source.keep_whole(whole, raw, &mut facts[start..]);
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
    let Some(mid) = present(message.mid) else {
        return source.unknown(address, raw, "a message without an id".to_owned());
    };
    if message.is_deleted.unwrap_or(false) {
        return Fact { reply_to: Some(mid), ..source.fact(FactKind::Unsend, address, at) };
    }
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
        let (kind, name) = ("story".to_owned(), present(story.id));
        attachments.push(Attachment { kind, url: present(story.url), name, ..Attachment::default() });
    }
    Fact {
        external_id: Some(mid),
        text: present(message.text),
        payload: message.quick_reply.and_then(|reply| present(reply.payload)),
        attachments,
        referral: message.referral.map(Referral::from),
        reply_to,
        echo_of: present(message.metadata).filter(|key| echo && own_key(key)),
        app: present(message.app_id).filter(|_| echo),
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

/// One that brings a token keeps all that the platform says of what the token is good for.
fn read_optin(source: &Source, raw: &str, sender: &str, at: Option<i64>, details: &str) -> Fact {
    let optin: Optin<'_> = match serde_json::from_str(details) {
        Ok(optin) => optin,
        Err(error) => return source.unknown(sender, raw, format!("an optin we cannot read: {error}")),
    };
    let address = if sender.is_empty() { optin.user_ref.as_ref().map_or("", Text::as_str) } else { sender };
    let has_token = optin.notification_messages_token.is_some() || optin.one_time_notif_token.is_some();
    Fact {
        text: present(optin.title).or(present(optin.kind)),
        payload: if has_token { Some(details.to_owned()) } else { present(optin.payload) },
        referral: present(optin.reference)
            .map(|reference| Referral { reference: Some(reference), ..Referral::default() }),
        ..source.fact(FactKind::Optin, address, at)
    }
}

fn read_linking(source: &Source, sender: &str, at: Option<i64>, linking: Linking<'_>) -> Fact {
    Fact {
        reason: present(linking.status),
        payload: present(linking.authorization_code),
        ..source.fact(FactKind::Link, sender, at)
    }
}

fn read_control(
    source: &Source,
    event: &str,
    elsewhere: Option<bool>,
    sender: &str,
    at: Option<i64>,
    control: Control<'_>,
) -> Fact {
    // Who has it now; of who gives it back, who had it.
    let (new, previous) = (present(control.new_owner_app_id), present(control.previous_owner_app_id));
    let app = match elsewhere {
        Some(false) => previous,
        Some(true) => new,
        None => present(control.requested_owner_app_id),
    };
    Fact {
        reason: Some(event.to_owned()),
        text: present(control.metadata),
        elsewhere,
        app,
        ..source.fact(FactKind::Handover, sender, at)
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
        let (title, shown) = match referred.ads_context_data {
            Some(ad) => (present(ad.ad_title), present(ad.photo_url).or(present(ad.video_url))),
            None => (None, None),
        };
        Referral {
            reference: present(referred.reference),
            source: present(referred.source),
            kind: present(referred.kind),
            ad_id: present(referred.ad_id),
            title,
            url: shown.or(present(referred.referer_uri)),
            click: None,
        }
    }
}

fn id<'a>(party: Option<&'a Party<'_>>) -> &'a str {
    let Some(party) = party else { return "" };
    party.id.as_ref().or(party.user_ref.as_ref()).map_or("", Text::as_str)
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
