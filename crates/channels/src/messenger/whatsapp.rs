//! One item of `changes`: WhatsApp's messages, statuses and echoes. Times are seconds here.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::normalize::Source;
use crate::scalar::{Number, Text, present};
use crate::{Attachment, Channel, Fact, FactKind, Referral};

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    field: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    message_echoes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    statuses: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    phone_number_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    from: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    timestamp: Option<Number>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Body<'a>>,
    #[serde(borrow)]
    button: Option<Button<'a>>,
    #[serde(borrow)]
    interactive: Option<Interactive<'a>>,
    #[serde(borrow)]
    reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
    #[serde(borrow)]
    image: Option<Media<'a>>,
    #[serde(borrow)]
    audio: Option<Media<'a>>,
    #[serde(borrow)]
    video: Option<Media<'a>>,
    #[serde(borrow)]
    document: Option<Media<'a>>,
    #[serde(borrow)]
    sticker: Option<Media<'a>>,
    #[serde(borrow)]
    context: Option<Context<'a>>,
    #[serde(borrow)]
    referral: Option<Referred<'a>>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    body: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Button<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Interactive<'a> {
    #[serde(borrow)]
    button_reply: Option<Choice<'a>>,
    #[serde(borrow)]
    list_reply: Option<Choice<'a>>,
    #[serde(borrow)]
    nfm_reply: Option<FlowReply<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct FlowReply<'a> {
    #[serde(borrow)]
    body: Option<Text<'a>>,
    #[serde(borrow)]
    response_json: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Reaction<'a> {
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow)]
    emoji: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Location<'a> {
    latitude: f64,
    longitude: f64,
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    filename: Option<Text<'a>>,
    #[serde(borrow)]
    caption: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Referred<'a> {
    #[serde(borrow)]
    source_type: Option<Text<'a>>,
    #[serde(borrow)]
    source_id: Option<Text<'a>>,
    #[serde(borrow)]
    source_url: Option<Text<'a>>,
    #[serde(borrow)]
    headline: Option<Text<'a>>,
    #[serde(borrow)]
    ctwa_clid: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    recipient_id: Option<Text<'a>>,
    timestamp: Option<Number>,
    /// What our send put there: its idempotency key.
    #[serde(borrow)]
    biz_opaque_callback_data: Option<Text<'a>>,
    #[serde(borrow)]
    errors: Option<Vec<StatusError<'a>>>,
}

#[derive(Deserialize)]
struct StatusError<'a> {
    code: Option<Number>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
}

/// Adds the facts of one change. `inbox` is the configured name, if there is one.
pub(super) fn read(source: &Source, inbox: Option<&str>, raw: &str, facts: &mut Vec<Fact>) {
    let change: Change<'_> = match serde_json::from_str(raw) {
        Ok(change) => change,
        Err(error) => {
            return facts.push(source.unknown("", raw, format!("a change we cannot read: {error}")));
        }
    };
    let field = change.field.as_ref().map_or("", Text::as_str);
    let known = source.channel == Channel::Whatsapp && matches!(field, "messages" | "smb_message_echoes");
    let Some(value) = change.value.filter(|_| known) else {
        return facts.push(source.unknown("", raw, format!("a change we do not know: `{field}`")));
    };
    let value: Value<'_> = match serde_json::from_str(value.get()) {
        Ok(value) => value,
        Err(error) => {
            return facts.push(source.unknown("", raw, format!("a change we cannot read: {error}")));
        }
    };

    let number = value.metadata.and_then(|metadata| present(metadata.phone_number_id));
    let own = inbox.map(str::to_owned).or(number).unwrap_or_else(|| source.inbox.clone());
    let source = Source { inbox: own, ..*source };
    let lists = [&value.messages, &value.message_echoes, &value.statuses];
    if lists.iter().all(|list| list.is_none()) {
        facts.push(source.unknown("", raw, "a change without messages or statuses".to_owned()));
    }
    for raw in value.messages.into_iter().flatten() {
        facts.push(read_message(&source, FactKind::Message, raw.get()));
    }
    for raw in value.message_echoes.into_iter().flatten() {
        facts.push(read_message(&source, FactKind::Echo, raw.get()));
    }
    for raw in value.statuses.into_iter().flatten() {
        facts.extend(read_status(&source, raw.get()));
    }
}

fn read_message(source: &Source, kind: FactKind, raw: &str) -> Fact {
    let message: Message<'_> = match serde_json::from_str(raw) {
        Ok(message) => message,
        Err(error) => return source.unknown("", raw, format!("a message we cannot read: {error}")),
    };
    let customer = if kind == FactKind::Echo { message.to } else { message.from };
    let (Some(address), Some(id)) = (present(customer), present(message.id)) else {
        return source.unknown("", raw, "a message without a number or an id".to_owned());
    };
    let at = message.timestamp.map(Number::milliseconds);
    let mut fact = Fact {
        external_id: Some(id),
        reply_to: message.context.and_then(|context| present(context.id)),
        referral: message.referral.map(Referral::from),
        ..source.fact(kind, &address, at)
    };
    let kind = message.kind.as_ref().map_or("", Text::as_str);
    if let Some(text) = message.text {
        fact.text = present(text.body);
    } else if let Some(button) = message.button {
        (fact.text, fact.payload) = (present(button.text), present(button.payload));
    } else if let Some(interactive) = message.interactive {
        if let Some(choice) = interactive.button_reply.or(interactive.list_reply) {
            (fact.text, fact.payload) = (present(choice.title), present(choice.id));
        } else if let Some(flow) = interactive.nfm_reply {
            (fact.text, fact.payload) = (present(flow.body), present(flow.response_json));
        }
    } else if let Some(reaction) = message.reaction {
        fact.kind = FactKind::Reaction;
        (fact.text, fact.reply_to) = (present(reaction.emoji), present(reaction.message_id));
    } else if let Some(place) = message.location {
        fact.attachments.push(Attachment {
            kind: kind.to_owned(),
            // RFC 5870.
            url: Some(format!("geo:{},{}", place.latitude, place.longitude)),
            content_type: None,
            name: present(place.name),
            data: None,
        });
    } else if let Some(media) =
        message.image.or(message.audio).or(message.video).or(message.document).or(message.sticker)
    {
        fact.text = present(media.caption);
        fact.attachments.push(Attachment {
            kind: if kind == "document" { "file".to_owned() } else { kind.to_owned() },
            // Media without a URL are asked for by their id.
            url: present(media.url).or(present(media.id).map(|id| format!("media:{id}"))),
            content_type: present(media.mime_type),
            name: present(media.filename),
            data: None,
        });
    } else if matches!(kind, "contacts" | "order" | "unsupported") {
        fact.attachments.push(Attachment { kind: kind.to_owned(), ..Attachment::default() });
    } else {
        return source.unknown(&address, raw, format!("a message type we do not know: `{kind}`"));
    }
    fact
}

fn read_status(source: &Source, raw: &str) -> Option<Fact> {
    let status: Status<'_> = match serde_json::from_str(raw) {
        Ok(status) => status,
        Err(error) => return Some(source.unknown("", raw, format!("a status we cannot read: {error}"))),
    };
    let (Some(address), Some(id)) = (present(status.recipient_id), present(status.id)) else {
        return Some(source.unknown("", raw, "a status without a number or an id".to_owned()));
    };
    let at = status.timestamp.map(Number::milliseconds);
    let echo_of = present(status.biz_opaque_callback_data);
    let kind = match status.status.as_ref().map_or("", Text::as_str) {
        "delivered" => FactKind::Delivery,
        "read" => FactKind::Read,
        "failed" => FactKind::Failed,
        "sent" if echo_of.is_some() => FactKind::Echo,
        "sent" => return None,
        other => {
            let reason = format!("a status we do not know: `{other}`");
            return Some(source.unknown(&address, raw, reason));
        }
    };
    let mut fact = Fact { external_id: Some(id), echo_of, ..source.fact(kind, &address, at) };
    if kind == FactKind::Failed {
        let error = status.errors.into_iter().flatten().next();
        let code = error
            .as_ref()
            .and_then(|error| error.code)
            .map_or("unknown".to_owned(), |code| code.0.to_string());
        let title = error.and_then(|error| present(error.title)).unwrap_or_default();
        fact.reason = Some(format!("{code} {title}").trim_end().to_owned());
    }
    Some(fact)
}

impl From<Referred<'_>> for Referral {
    fn from(referred: Referred<'_>) -> Self {
        Referral {
            reference: None,
            // In Messenger's words.
            source: present(referred.source_type).map(|source| match &*source {
                "ad" => domain::conversation::Referral::ADS.to_owned(),
                _ => source.to_ascii_uppercase(),
            }),
            kind: None,
            ad_id: present(referred.source_id),
            title: present(referred.headline),
            url: present(referred.source_url),
            click: present(referred.ctwa_clid),
        }
    }
}
