//! One item of `changes`: WhatsApp's messages, statuses and echoes. Times are seconds here.
//!
//! A customer's address is the phone number where WhatsApp tells it, and otherwise the id that it gave the customer for this
//! business: whoever has a username may hide the number.

mod shapes;

use serde_json::value::RawValue;

use super::normalize::{Source, own_key, parse};
use crate::scalar::{Number, Text, present};
use crate::{Attachment, Channel, Fact, FactKind, KnownAs, Pricing, Referral};
use shapes::{
    Change, Changed, Contact, Interactive, Media, Message, Problem, Referred, Status, System, Value,
};

/// Adds the facts of one change. `inbox` is the configured name, if there is one.
pub(super) fn read(source: &Source, inbox: Option<&str>, raw: &str, facts: &mut Vec<Fact>) {
    let unreadable = |error| source.unknown("", raw, format!("a change we cannot read: {error}"));
    let change: Change<'_> = match serde_json::from_str(raw) {
        Ok(change) => change,
        Err(error) => return facts.push(unreadable(error)),
    };
    let field = change.field.as_ref().map_or("", Text::as_str);
    let known = source.channel == Channel::Whatsapp && matches!(field, "messages" | "smb_message_echoes");
    let Some(value) = change.value.filter(|_| known) else {
        return facts.push(source.unknown("", raw, format!("a change we do not know: `{field}`")));
    };
    let (value, whole): (Value<'_>, bool) = match parse(value.get()) {
        Ok(parsed) => parsed,
        Err(error) => return facts.push(unreadable(error)),
    };

    let number = value.metadata.and_then(|metadata| present(metadata.phone_number_id));
    let own = inbox.map(str::to_owned).or(number).unwrap_or_else(|| source.inbox.clone());
    let source = Source { inbox: own, ..*source };
    let start = facts.len();
    let lists = [&value.messages, &value.message_echoes, &value.statuses];
    if lists.iter().all(|list| list.is_none()) && value.errors.is_none() {
        facts.push(source.unknown("", raw, "a change without messages or statuses".to_owned()));
    }
    for raw in value.messages.into_iter().flatten() {
        let at = facts.len();
        facts.push(read_message(&source, FactKind::Message, raw.get()));
        let other = known_as(&facts[at], value.contacts.as_deref().unwrap_or_default());
        facts.extend(other);
    }
    for raw in value.message_echoes.into_iter().flatten() {
        facts.push(read_message(&source, FactKind::Echo, raw.get()));
    }
    for raw in value.statuses.into_iter().flatten() {
        facts.extend(read_status(&source, raw.get()));
    }
    for problem in value.errors.into_iter().flatten() {
        facts.push(Fact { reason: Some(said(problem)), ..source.fact(FactKind::Notice, "", None) });
    }
    source.keep_whole(whole, raw, &mut facts[start..]);
}

/// The other address of whoever has a username, as long as WhatsApp tells both: it may stop telling the number. The same
/// again and again is one fact.
fn known_as(message: &Fact, contacts: &[Contact<'_>]) -> Option<Fact> {
    let number = Some(message.address.as_str());
    let contact = contacts.iter().find(|contact| contact.wa_id.as_ref().map(Text::as_str) == number)?;
    contact.profile.as_ref()?.username.as_ref()?;
    let address = contact.user_id.as_ref()?.as_str().to_owned();
    let known_as = Some(KnownAs { address, moved: false }).filter(|known| known.address != message.address);
    let inbox = message.inbox.as_str();
    Some(Fact {
        known_as: Some(known_as?),
        ..Fact::new(FactKind::KnownAs, message.channel, inbox, message.address.as_str())
    })
}

fn read_message(source: &Source, kind: FactKind, raw: &str) -> Fact {
    let (message, whole): (Message<'_>, bool) = match parse(raw) {
        Ok(parsed) => parsed,
        Err(error) => return source.unknown("", raw, format!("a message we cannot read: {error}")),
    };
    let mut fact = match address_of(&message, kind) {
        _ if message.group_id.is_some() => {
            let reason = Some("a message in a group, which is no customer's conversation".to_owned());
            return Fact {
                external_id: present(message.id),
                reason,
                ..source.fact(FactKind::Ignored, "", None)
            };
        }
        Some(address) => read_content(source, kind, &address, raw, message),
        None => source.unknown("", raw, "a message without a number or an id".to_owned()),
    };
    source.keep_whole(whole, raw, std::slice::from_mut(&mut fact));
    fact
}

fn address_of(message: &Message<'_>, kind: FactKind) -> Option<String> {
    let (number, user) = match kind {
        FactKind::Echo => (&message.to, &message.to_user_id),
        _ => (&message.from, &message.from_user_id),
    };
    let before = message.system.as_ref().and_then(|system| system.previous_user_id.as_ref());
    let all = [number.as_ref(), user.as_ref(), before];
    all.into_iter().flatten().map(Text::as_str).find(|text| !text.is_empty()).map(str::to_owned)
}

fn read_content(source: &Source, kind: FactKind, address: &str, raw: &str, message: Message<'_>) -> Fact {
    let unknown = |reason: String| source.unknown(address, raw, reason);
    let Some(id) = present(message.id) else {
        return unknown("a message without a number or an id".to_owned());
    };
    let at = message.timestamp.map(Number::milliseconds);
    if let Some(system) = message.system {
        return read_system(source, address, at, id, system);
    }
    if (message.edit.is_some() || message.revoke.is_some()) && kind == FactKind::Echo {
        return unknown("the business changed a message of its own, elsewhere".to_owned());
    }
    let mut fact = Fact {
        external_id: Some(id),
        reply_to: message.context.and_then(|context| present(context.id)),
        referral: message.referral.map(Referral::from),
        ..source.fact(kind, address, at)
    };
    let kind = message.kind.as_ref().map_or("", Text::as_str);
    let media = message.image.or(message.audio).or(message.video).or(message.document).or(message.sticker);
    if let Some(changed) = message.edit {
        return read_edit(source, fact, raw, changed);
    } else if let Some(changed) = message.revoke {
        (fact.kind, fact.reply_to) = (FactKind::Unsend, present(changed.original_message_id));
        // The message that says so is none.
        fact.external_id = None;
    } else if let Some(text) = message.text {
        fact.text = present(text.body);
    } else if let Some(button) = message.button {
        (fact.text, fact.payload) = (present(button.text), present(button.payload));
    } else if let Some(interactive) = message.interactive {
        (fact.text, fact.payload) = read_interactive(interactive);
    } else if let Some(reaction) = message.reaction {
        fact.kind = FactKind::Reaction;
        (fact.text, fact.reply_to) = (present(reaction.emoji), present(reaction.message_id));
    } else if let Some(place) = message.location {
        fact.text = present(place.address);
        fact.attachments.push(Attachment {
            kind: kind.to_owned(),
            // RFC 5870.
            url: Some(format!("geo:{},{}", place.latitude, place.longitude)),
            content_type: None,
            name: present(place.name).or(present(place.url)),
            data: None,
        });
    } else if let Some(media) = media {
        attach(&mut fact, kind, media);
    } else if let Some(details) = message.contacts.or(message.order) {
        fact.payload = Some(details.get().to_owned());
        fact.attachments.push(Attachment { kind: kind.to_owned(), ..Attachment::default() });
    } else if kind == "request_welcome" {
        // The customer opened the chat, and waits to be greeted.
        (fact.kind, fact.payload) = (FactKind::Postback, Some(kind.to_owned()));
    } else if kind == "unsupported" {
        fact.reason = message.errors.into_iter().flatten().next().map(said);
        fact.attachments.push(Attachment { kind: kind.to_owned(), ..Attachment::default() });
    } else {
        return unknown(format!("a message type we do not know: `{kind}`"));
    }
    fact
}

/// Its text, and what a program reads of it: all of it, where it is of a kind we do not know.
fn read_interactive(raw: &RawValue) -> (Option<String>, Option<String>) {
    let whole = || (None, Some(raw.get().to_owned()));
    let Ok(interactive) = serde_json::from_str::<Interactive<'_>>(raw.get()) else { return whole() };
    if let Some(choice) = interactive.button_reply.or(interactive.list_reply) {
        (present(choice.title), present(choice.id))
    } else if let Some(flow) = interactive.nfm_reply {
        (present(flow.body), present(flow.response_json))
    } else {
        whole()
    }
}

fn attach(fact: &mut Fact, kind: &str, media: Media<'_>) {
    fact.text = present(media.caption);
    fact.attachments.push(Attachment {
        kind: if kind == "document" { "file".to_owned() } else { kind.to_owned() },
        // Media without a URL are asked for by their id.
        url: present(media.url).or(present(media.id).map(|id| format!("media:{id}"))),
        content_type: present(media.mime_type),
        name: present(media.filename),
        data: None,
    });
}

/// An edit is a message with what stands there now, and which it stands for.
fn read_edit(source: &Source, fact: Fact, raw: &str, changed: Changed<'_>) -> Fact {
    let about = present(changed.original_message_id);
    let now = changed.message.map(|message| serde_json::from_str::<Message<'_>>(message.get()));
    let now = match now {
        Some(Ok(now)) => now,
        _ => return source.unknown(&fact.address, raw, "an edit without what it says now".to_owned()),
    };
    let kind = now.kind.as_ref().map_or("", Text::as_str);
    let mut edit = Fact { kind: FactKind::Edit, payload: fact.external_id, external_id: None, ..fact };
    edit.reply_to = about;
    let media = now.image.or(now.audio).or(now.video).or(now.document).or(now.sticker);
    match (now.text, media) {
        (Some(text), _) => edit.text = present(text.body),
        (None, Some(media)) => attach(&mut edit, kind, media),
        (None, None) => {}
    }
    edit
}

/// What WhatsApp says of the customer by itself.
fn read_system(source: &Source, address: &str, at: Option<i64>, id: String, system: System<'_>) -> Fact {
    let kind = present(system.kind).unwrap_or_default();
    let number = present(system.wa_id).or(present(system.new_wa_id));
    let user = present(system.user_id);
    let new = match kind.as_str() {
        "user_changed_number" => number.or(user),
        // The number stays what it was, if it is known.
        "user_changed_user_id" => user,
        _ => None,
    };
    let known_as = new.filter(|new| new != address);
    let known_as = known_as.map(|address| KnownAs { moved: kind == "user_changed_number", address });
    let (fact_kind, reason) = match known_as {
        Some(_) => (FactKind::KnownAs, None),
        None => (FactKind::Notice, Some(kind)),
    };
    let text = present(system.body);
    Fact { external_id: Some(id), text, reason, known_as, ..source.fact(fact_kind, address, at) }
}

fn read_status(source: &Source, raw: &str) -> Option<Fact> {
    let status: Status<'_> = match serde_json::from_str(raw) {
        Ok(status) => status,
        Err(error) => return Some(source.unknown("", raw, format!("a status we cannot read: {error}"))),
    };
    let recipient = present(status.recipient_id).or(present(status.recipient_user_id));
    let (Some(address), Some(id)) = (recipient, present(status.id)) else {
        return Some(source.unknown("", raw, "a status without a number or an id".to_owned()));
    };
    let at = status.timestamp.map(Number::milliseconds);
    if status.recipient_type.is_some_and(|kind| kind.as_str() == "group") {
        let reason = Some("of a message to a group, which is no customer's conversation".to_owned());
        return Some(Fact { external_id: Some(id), reason, ..source.fact(FactKind::Ignored, "", at) });
    }
    let echo_of = present(status.biz_opaque_callback_data).filter(|key| own_key(key));
    let kind = match status.status.as_ref().map_or("", Text::as_str) {
        "delivered" => FactKind::Delivery,
        // A voice message is read by being played.
        "read" | "played" => FactKind::Read,
        "failed" => FactKind::Failed,
        "sent" if echo_of.is_some() => FactKind::Echo,
        "sent" => return None,
        other => {
            let reason = format!("a status we do not know: `{other}`");
            return Some(source.unknown(&address, raw, reason));
        }
    };
    let mut fact = Fact { external_id: Some(id), echo_of, ..source.fact(kind, &address, at) };
    fact.pricing = status.pricing.map(|pricing| Pricing {
        billable: pricing.billable,
        category: present(pricing.category),
        model: present(pricing.pricing_model),
    });
    if kind == FactKind::Failed {
        let problem = status.errors.into_iter().flatten().next();
        fact.reason = Some(problem.map_or("unknown".to_owned(), said));
    }
    Some(fact)
}

/// An error in one line: its code, what it is called, and what more there is to say.
fn said(problem: Problem<'_>) -> String {
    let code = problem.code.map_or("unknown".to_owned(), |code| code.0.to_string());
    let title = present(problem.title).or(present(problem.message)).unwrap_or_default();
    let details = problem.error_data.and_then(|data| present(data.details));
    let details = details.filter(|details| *details != title).map(|details| format!(": {details}"));
    format!("{code} {title}{}", details.unwrap_or_default()).trim_end().to_owned()
}

impl From<Referred<'_>> for Referral {
    fn from(referred: Referred<'_>) -> Self {
        // In Messenger's words.
        let source = present(referred.source_type).map(|source| match &*source {
            "ad" => domain::conversation::Referral::ADS.to_owned(),
            _ => source.to_ascii_uppercase(),
        });
        let is_ad = source.as_deref() == Some(domain::conversation::Referral::ADS);
        Referral {
            reference: None,
            source,
            kind: None,
            // Of a post, that is the post's.
            ad_id: present(referred.source_id).filter(|_| is_ad),
            title: present(referred.headline),
            url: present(referred.source_url),
            click: present(referred.ctwa_clid),
        }
    }
}
