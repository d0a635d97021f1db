//! From an outgoing message to the bytes that leave. Deterministic: an attempt repeated after a crash sends the
//! same mail with the same Message-ID, so that a mail server or a reader can see that it is one.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::{Address, Message};

use super::{reference, split_address};
use crate::Outgoing;

/// The business's own mailbox, as its answers show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxIdentity {
    /// The name beside the address, if there is one.
    pub name: Option<String>,
    /// The bare address, `local@domain`.
    pub address: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the address {address}")]
    Address {
        address: String,
        #[source]
        source: AddressError,
    },
    #[error("cannot build the message")]
    Build(#[source] lettre::error::Error),
}

/// How many ids of a long thread go into `References`: the first, which names the thread, and the latest.
const REFERENCES: usize = 20;
/// A day before the year 9999, in seconds: the last date that a mail can bear.
const LAST_DATE: u64 = 253_370_000_000;

/// Prefixes that mail programs put before the subject of an answer.
const REPLIES: [&str; 12] =
    ["re", "aw", "sv", "vs", "antw", "odp", "ynt", "rif", "res", "回复", "答复", "ответ"];

/// The message as bytes (RFC 5322), ready for a relay. Quick replies have no place in a mail; attachments are
/// named by their addresses below the text.
///
/// # Errors
/// When one of the two addresses is none, or the message cannot be built.
pub fn compose(message: &Outgoing, identity: &MailboxIdentity) -> Result<Vec<u8>, Error> {
    let from = address(&identity.address)?;
    let to = address(&message.to)?;
    let (domain, empty) = (from.domain().to_owned(), Default::default());
    let thread = message.thread.as_ref().unwrap_or(&empty);
    let name = identity.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    let subject = match (one_line(&thread.subject), &name) {
        (subject, _) if !subject.is_empty() => answer_subject(&subject),
        (_, Some(name)) => format!("A message from {name}"),
        _ => format!("A message from {domain}"),
    };
    let seconds = u64::try_from(message.at / 1000).unwrap_or_default().min(LAST_DATE);
    let mut mail = Message::builder()
        .from(Mailbox::new(name, from))
        .to(Mailbox::new(None, to))
        .subject(subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .raw_header(ids("Message-ID", &[reference::message_id(&message.key, &thread.reference, &domain)]));
    if let Some(reply_to) = reference::reply_to(&identity.address, &thread.reference) {
        mail = mail.reply_to(Mailbox::new(None, address(&reply_to)?));
    }
    let in_reply_to = thread.in_reply_to.as_ref().filter(|id| is_id(id));
    let mut references: Vec<String> = thread.references.iter().filter(|id| is_id(id)).cloned().collect();
    references.retain(|id| Some(id) != in_reply_to);
    references.extend(in_reply_to.cloned());
    if references.len() > REFERENCES {
        references.drain(1..=references.len() - REFERENCES);
    }
    if !references.is_empty() {
        mail = mail.raw_header(ids("References", &references));
    }
    if let Some(id) = in_reply_to {
        mail = mail.raw_header(ids("In-Reply-To", std::slice::from_ref(id)));
    }
    if !message.by_person {
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail = mail.raw_header(HeaderValue::new(name, "auto-replied".into()));
    }
    let part = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text(message));
    Ok(mail.singlepart(part).map_err(Error::Build)?.formatted())
}

pub(super) fn address(address: &str) -> Result<Address, Error> {
    address.parse().map_err(|source| Error::Address { address: one_line(address), source })
}

fn text(message: &Outgoing) -> String {
    let links = message.attachments.iter().filter_map(|attachment| {
        let url = attachment.url.as_deref().map(one_line)?;
        Some(
            attachment
                .name
                .as_deref()
                .map_or_else(|| url.clone(), |name| format!("{}: {url}", one_line(name))),
        )
    });
    let lines = message.text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned());
    lines.chain(links).collect::<Vec<_>>().join("\r\n")
}

/// Exactly one `Re: `, whatever the customer's program put there.
fn answer_subject(subject: &str) -> String {
    let mut rest = subject;
    while let Some((prefix, after)) = rest.split_once([':', '：']) {
        let prefix = prefix.trim().to_lowercase();
        let word = prefix.split('[').next().unwrap_or_default();
        if !REPLIES.contains(&word) || after.trim().is_empty() {
            break;
        }
        rest = after.trim_start();
    }
    format!("Re: {rest}")
}

/// No header can be broken open from inside a value.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What customers' programs call a message id goes back only when it is one.
fn is_id(id: &str) -> bool {
    (3..=900).contains(&id.len())
        && split_address(id).is_some()
        && id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'))
}

/// Message ids in angle brackets, one a line. They are plain already: encoding them would break them.
fn ids(name: &'static str, ids: &[String]) -> HeaderValue {
    let ids: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, ids.join(" "), ids.join("\r\n "))
}
