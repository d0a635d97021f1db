//! From the bytes of a message to one fact. Pure: the same bytes and envelope always give the same fact.

use mail_parser::DateTime;
use sha2::{Digest, Sha256};

use super::mime::{Parsed, Straight, attachments, body, fenced};
use super::{Envelope, reference, reply, report};
use crate::{Channel, Fact, FactKind, Mail, Malformed};

/// What a message (RFC 5322) says: one fact of kind `message`, `bounce`, `complaint`, `auto_reply` or `echo`. A mail that
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
    let fact = read(raw, envelope);
    let mut fact = fact.unwrap_or_else(|reason| unknown(reason.into(), envelope));
    fact.external_id.get_or_insert_with(|| format!("sha256:{}", reference::hex(&Sha256::digest(raw))));
    if let Some(mail) = &mut fact.mail {
        mail.our_references = references_of_ours(mail, fact.reply_to.as_deref(), envelope);
        mail.envelope = envelope.cloned();
        if fact.kind == FactKind::Message && is_our_own(mail, envelope) {
            // A list or a forwarding rule brought it back. Nobody wrote anything.
            fact.kind = FactKind::Echo;
        }
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

fn read(raw: &[u8], envelope: Option<&Envelope>) -> Result<Fact, &'static str> {
    let straight = fenced(|| Ok(Straight::of(raw)))?;
    let parsed = straight.parse()?;
    match fenced(|| Ok(straight.with_boundary_of(&parsed)))? {
        Some(mended) => {
            let parsed = mended.parse()?;
            fenced(|| Ok(fact(&parsed, envelope)))
        }
        None => fenced(|| Ok(fact(&parsed, envelope))),
    }
}

fn fact(mail: &Parsed<'_>, envelope: Option<&Envelope>) -> Fact {
    let body = body(&mail.message);
    let text = body.as_ref().map_or("", |body| body.text.as_str());
    let (kind, report) = report::classify(mail, envelope, text);
    let from = mail.first_address("From");
    let sender = || from.clone().or_else(|| mail.first_address("Sender"));
    let envelope_sender =
        || envelope.map(|envelope| envelope.sender.clone()).filter(|sender| !sender.is_empty());
    let address = report.about.or_else(sender).or_else(envelope_sender);
    let mut fact = match address {
        Some(address) => Fact { reason: report.reason, ..Fact::new(kind, Channel::Email, "", address) },
        None => unknown("no sender: neither From nor an envelope names one".into(), envelope),
    };
    let from_whom = from.clone();
    fact.external_id = mail.ids("Message-ID").into_iter().next();
    fact.sent_at = sent_at(mail);
    fact.text = body.as_ref().map(|body| reply::new_part(&body.text, &body.marks));
    fact.attachments = attachments(&mail.message);
    fact.reply_to = report.original.or_else(|| mail.ids("In-Reply-To").into_iter().next());
    fact.mail = Some(Mail {
        subject: mail.line("Subject"),
        from,
        to: mail.addresses("To"),
        cc: mail.addresses("Cc"),
        message_id: fact.external_id.clone(),
        references: mail.ids("References"),
        body: body.map(|body| body.text),
        people_only: kind == FactKind::Message && report::people_only(mail, from_whom.as_deref()),
        bounced: report.bounced,
        our_references: Vec::new(),
        envelope: None,
    });
    fact
}

/// When it was written; when the header is unreadable, when the last mail server took it.
fn sent_at(mail: &Parsed<'_>) -> Option<i64> {
    let date = mail.field("Date").and_then(|value| value.as_datetime().copied());
    let date = date.filter(DateTime::is_valid).or_else(|| mail.received());
    date.filter(|date| date.is_valid() && (1970..=9998).contains(&date.year))
        .map(|date| date.to_timestamp() * 1000)
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

/// Whether a mail is one that this mailbox sent: from its own address, with an id as ours are.
fn is_our_own(mail: &Mail, envelope: Option<&Envelope>) -> bool {
    let ours = |from: &String| {
        reference::without_tag(from).unwrap_or_else(|| from.clone()) == mailbox(mail, envelope)
    };
    mail.from.as_ref().is_some_and(ours)
        && mail.message_id.as_deref().and_then(reference::in_message_id).is_some()
}

/// The mailbox itself, without a reference of ours in its tag.
fn mailbox(mail: &Mail, envelope: Option<&Envelope>) -> String {
    let recipient = envelope.and_then(|envelope| envelope.recipients.first()).or_else(|| mail.to.first());
    let Some(address) = recipient else { return "unknown".into() };
    let tagged = reference::in_address(address).and_then(|_| reference::without_tag(address));
    tagged.unwrap_or_else(|| address.clone())
}
