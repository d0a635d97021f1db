//! From the bytes of a message to one fact. Pure: the same bytes and envelope always give the same fact.

use mail_parser::{Address, DateTime, HeaderName, HeaderValue, Message, MessagePart, MimeHeaders, PartType};
use sha2::{Digest, Sha256};

use super::{Envelope, bounds, html, reference, reply, report};
use crate::{Attachment, Channel, Fact, FactKind, Mail, Malformed};

/// What a message (RFC 5322) says: one fact of kind `message`, `bounce`, `complaint` or `auto_reply`. A mail that
/// cannot be understood, or would cost too much to read, gives `unknown` with the reason.
///
/// Without `inbox` the fact bears the mailbox it was sent to. `external_id` is the Message-ID, or, where there is
/// none, `sha256:` and a digest of the bytes. The address of a bounce or complaint is the customer's it speaks of.
///
/// # Errors
/// Only for bytes that hold nothing at all.
pub fn normalize(
    inbox: Option<&str>,
    raw: &[u8],
    envelope: Option<&Envelope>,
) -> Result<Vec<Fact>, Malformed> {
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed { what: "message", reason: "it is empty".into() });
    }
    let fact = bounds::parse(raw).and_then(|message| bounds::fenced(|| Ok(read(&message, envelope))));
    let mut fact = fact.unwrap_or_else(|reason| unknown(reason.into(), envelope));
    fact.external_id.get_or_insert_with(|| format!("sha256:{}", reference::hex(&Sha256::digest(raw))));
    if let Some(mail) = &mut fact.mail {
        mail.our_references = references_of_ours(mail, fact.reply_to.as_deref(), envelope);
        mail.envelope = envelope.cloned();
        fact.inbox = inbox.map_or_else(|| mailbox(mail, envelope), str::to_owned);
    }
    Ok(vec![fact])
}

/// A fact about a message that could not be read; the envelope is all that is known.
fn unknown(reason: String, envelope: Option<&Envelope>) -> Fact {
    let sender = envelope.map(|envelope| envelope.sender.clone()).unwrap_or_default();
    let mut fact = Fact::new(FactKind::Unknown, Channel::Email, "", sender);
    fact.reason = Some(reason);
    fact.mail = Some(Mail::default());
    fact
}

fn read(message: &Message<'_>, envelope: Option<&Envelope>) -> Fact {
    let (kind, report) = report::classify(message, envelope);
    let from =
        ["From", "Sender"].into_iter().find_map(|name| first_address(field(message, name)?.as_address()?));
    let envelope_sender =
        || envelope.map(|envelope| envelope.sender.clone()).filter(|sender| !sender.is_empty());
    let address = report.about.or_else(|| from.clone()).or_else(envelope_sender);
    let mut fact = match address {
        Some(address) => Fact { reason: report.reason, ..Fact::new(kind, Channel::Email, "", address) },
        None => unknown("no sender: neither From nor an envelope names one".into(), envelope),
    };
    let body = body(message);
    fact.external_id = field(message, "Message-ID").and_then(|value| ids(value).into_iter().next());
    fact.sent_at = sent_at(message);
    fact.text = body.as_deref().map(reply::new_part);
    fact.attachments =
        message.attachments().filter(|part| !is_text_of(message, part)).map(attachment).collect();
    fact.reply_to = report.original.or_else(|| ids(message.in_reply_to()).into_iter().next());
    fact.mail = Some(Mail {
        subject: field(message, "Subject").and_then(|value| Some(value.as_text()?.trim().to_owned())),
        from,
        to: addresses(message.all_to()),
        cc: addresses(message.all_cc()),
        message_id: fact.external_id.clone(),
        references: ids(message.references()),
        body,
        our_references: Vec::new(),
        envelope: None,
    });
    fact
}

/// The readable text: all text parts in order; HTML is turned into text where there is nothing else.
fn body(message: &Message<'_>) -> Option<String> {
    let read = |ids: &[u32]| {
        let parts = ids.iter().filter_map(|id| message.parts.get(*id as usize));
        let texts = parts.filter_map(|part| match &part.body {
            PartType::Text(text) => Some(text.replace("\r\n", "\n")),
            PartType::Html(text) => Some(html::to_text(text)),
            _ => None,
        });
        texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n")
    };
    let text = Some(read(&message.text_body)).filter(|text| !text.is_empty());
    text.or_else(|| Some(read(&message.html_body)).filter(|text| !text.is_empty()))
}

/// The HTML twin of a text part is not an attachment.
fn is_text_of(message: &Message<'_>, part: &MessagePart<'_>) -> bool {
    let is = |id: &u32| message.parts.get(*id as usize).is_some_and(|found| std::ptr::eq(found, part));
    part.is_text() && message.text_body.iter().chain(&message.html_body).any(is)
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let content_type = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{}", kind.ctype(), subtype).to_ascii_lowercase(),
        None => kind.ctype().to_ascii_lowercase(),
    });
    let media = content_type.as_deref().and_then(|of| of.split('/').next());
    let kind = media.filter(|media| ["image", "audio", "video"].contains(media)).unwrap_or("file");
    Attachment {
        kind: kind.into(),
        url: None,
        content_type,
        name: part.attachment_name().and_then(file_name),
    }
}

/// The last component of what the sender calls a file: never a path.
fn file_name(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
    let name = name.trim();
    (!name.trim_matches('.').is_empty()).then(|| name.to_owned())
}

/// When it was written; when the header is unreadable, when the last mail server took it.
fn sent_at(message: &Message<'_>) -> Option<i64> {
    let date = field(message, "Date").and_then(|value| value.as_datetime().copied());
    let date = date.filter(DateTime::is_valid).or_else(|| field(message, "Received")?.as_received()?.date());
    date.filter(|date| date.is_valid() && (1970..=9998).contains(&date.year))
        .map(|date| date.to_timestamp() * 1000)
}

/// The first field of a name: what mail programs show when there are several. The parser itself prefers the last.
fn field<'a>(message: &'a Message<'_>, name: &'static str) -> Option<&'a HeaderValue<'a>> {
    let name = HeaderName::from(name);
    message.headers().iter().find(|field| field.name == name).map(|field| &field.value)
}

fn first_address(addresses: &Address<'_>) -> Option<String> {
    addresses.iter().find_map(|one| bare(one.address()?))
}

fn addresses<'a>(headers: impl Iterator<Item = &'a Address<'a>>) -> Vec<String> {
    headers.flat_map(|list| list.iter()).filter_map(|one| bare(one.address()?)).collect()
}

/// Lower case, without what does not belong into an address. A name without a domain (`root`) is one, locally.
fn bare(address: &str) -> Option<String> {
    let address = address.trim().trim_matches(['<', '>']).to_lowercase();
    // An obsolete route: `@relay.test:user@x.test`.
    let address = match address.strip_prefix('@').and_then(|route| route.split_once(':')) {
        Some((_, address)) => address.to_owned(),
        None => address,
    };
    (!address.is_empty() && !address.contains(|c: char| c.is_whitespace() || c.is_control()))
        .then_some(address)
}

fn ids(header: &HeaderValue<'_>) -> Vec<String> {
    match header {
        HeaderValue::Text(text) => id(text).into_iter().collect(),
        HeaderValue::TextList(list) => list.iter().filter_map(|text| id(text)).collect(),
        _ => Vec::new(),
    }
}

fn id(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['<', '>']);
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// Recipients first: the address that brought the mail here says best where it belongs; then what it answers.
fn references_of_ours(mail: &Mail, reply_to: Option<&str>, envelope: Option<&Envelope>) -> Vec<String> {
    let recipients =
        envelope.iter().flat_map(|envelope| &envelope.recipients).chain(&mail.to).chain(&mail.cc);
    let answered = reply_to.into_iter().chain(mail.references.iter().rev().map(String::as_str));
    let found = recipients
        .filter_map(|address| reference::in_address(address))
        .chain(answered.filter_map(reference::in_message_id));
    let mut references: Vec<String> = Vec::new();
    for reference in found {
        if !references.contains(&reference) && references.len() < 8 {
            references.push(reference);
        }
    }
    references
}

/// The mailbox itself, without a reference of ours in its tag.
fn mailbox(mail: &Mail, envelope: Option<&Envelope>) -> String {
    let recipient = envelope.and_then(|envelope| envelope.recipients.first()).or_else(|| mail.to.first());
    let Some(address) = recipient else { return "unknown".into() };
    let tagged = reference::in_address(address).and_then(|_| reference::without_tag(address));
    tagged.unwrap_or_else(|| address.clone())
}
