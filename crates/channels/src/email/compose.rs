//! From an outgoing message to the bytes that leave. Deterministic: an attempt repeated after a crash sends the
//! same mail with the same Message-ID, so that a mail server or a reader can see that it is one.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as File, Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use sha2::{Digest as _, Sha256};

use super::letter::{Letter, Letterhead, SignWith, initials};
use super::{DkimError, reference, split_address};
use crate::{Attachment, Outgoing, Thread};

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
    #[error("cannot sign the message")]
    Sign(#[source] DkimError),
}

/// How many ids of a long thread go into `References`: the first, which names the thread, and the latest.
const REFERENCES: usize = 20;
/// A day before the year 9999, in seconds: the last date that a mail can bear.
const LAST_DATE: u64 = 253_370_000_000;

/// Prefixes that mail programs put before the subject of an answer.
const REPLIES: [&str; 12] =
    ["re", "aw", "sv", "vs", "antw", "odp", "ynt", "rif", "res", "回复", "答复", "ответ"];

/// The message as bytes (RFC 5322), signed and ready for a relay. Quick replies have no place in a mail; attachments that
/// are no files here are named by their addresses below the text.
///
/// # Errors
/// When one of the two addresses is none, or the message cannot be built or signed.
pub fn compose(message: &Outgoing, identity: &MailboxIdentity, head: &Letterhead) -> Result<Vec<u8>, Error> {
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
        // RFC 3834 section 5, and the same for Exchange, which looks for its own.
        let how = if in_reply_to.is_some() { "auto-replied" } else { "auto-generated" };
        mail = mail.raw_header(plain("Auto-Submitted", how.into()));
        mail = mail.raw_header(plain("X-Auto-Response-Suppress", "All".into()));
    }
    let unsubscribe = thread.unsubscribe.as_ref().zip(head.public_url.as_ref());
    let unsubscribe = unsubscribe.map(|(reference, url)| format!("{url}/unsubscribe/{reference}"));
    if let Some(url) = &unsubscribe {
        // RFC 8058 section 3.1: whoever posts this there need not confirm it.
        mail = mail.raw_header(plain("List-Unsubscribe", format!("<{}>", one_line(url))));
        mail = mail.raw_header(plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
    }
    let letter = Letter {
        text: text(message),
        signature: signature(thread.signed.as_deref(), identity.name.as_deref(), head.sign_with),
        quote: quote(thread, &message.to, head),
        unsubscribe,
    };
    let both = MultiPart::alternative()
        .boundary(boundary(&message.key, "both"))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.plain()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(letter.html(&head.template)));
    let mut files = message.attachments.iter().filter_map(file).peekable();
    let body = match files.peek() {
        None => both,
        Some(_) => {
            let mixed = MultiPart::mixed().boundary(boundary(&message.key, "files")).multipart(both);
            files.fold(mixed, MultiPart::singlepart)
        }
    };
    let mut mail = mail.multipart(body).map_err(Error::Build)?.formatted();
    for signer in &head.dkim {
        let signature = signer.sign(&mail, seconds).map_err(Error::Sign)?;
        mail.splice(..0, signature.into_bytes());
    }
    Ok(mail)
}

/// The agent and the business, a line each.
fn signature(signed: Option<&str>, business: Option<&str>, how: SignWith) -> Vec<String> {
    let agent = signed.map(one_line).and_then(|name| match how {
        SignWith::Name => Some(name),
        SignWith::Initials => Some(initials(&name)),
        SignWith::Nothing => None,
    });
    agent.into_iter().chain(business.map(one_line)).filter(|line| !line.is_empty()).collect()
}

/// What introduces the quote, and the quote.
fn quote(thread: &Thread, address: &str, head: &Letterhead) -> Option<(String, String)> {
    let intro = head.quote_intro.as_ref().filter(|_| !thread.quote.trim().is_empty())?;
    let at = jiff::Timestamp::from_millisecond(thread.written_at?).ok()?;
    let intro = one_line(intro).replace("{date}", &at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    Some((intro.replace("{address}", &one_line(address)), lines(&thread.quote).join("\n")))
}

/// An attachment that is brought along, as a part. What would be read as more mail is a file like others.
fn file(attachment: &Attachment) -> Option<SinglePart> {
    let data = attachment.data.as_ref()?;
    let named = attachment.content_type.as_deref().filter(|kind| {
        let kind = kind.trim().to_ascii_lowercase();
        !kind.starts_with("message/") && !kind.starts_with("multipart/")
    });
    let kind = named.and_then(|kind| ContentType::parse(kind).ok());
    let kind = kind.map_or_else(|| ContentType::parse("application/octet-stream"), Ok).ok()?;
    let name = attachment.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "attachment".to_owned());
    // Octets stay octets: a text's line ends are not ours to change.
    let body = Body::new_with_encoding(data.to_vec(), ContentTransferEncoding::Base64).ok()?;
    Some(File::new(name).body(body, kind))
}

/// The same for the same mail, and found in no text: encoded text has no `=_`, and nobody can guess the rest.
fn boundary(key: &str, part: &str) -> String {
    format!("=_{}", reference::hex(&Sha256::digest(format!("{part} {key}"))[..16]))
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
    lines(message.text.trim_end()).into_iter().chain(links).collect::<Vec<_>>().join("\n")
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()).collect()
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
pub(super) fn one_line(text: &str) -> String {
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

/// A value that is plain already: encoding or folding it would break it for whoever reads it.
fn plain(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

/// Message ids in angle brackets, one a line. They are plain already: encoding them would break them.
fn ids(name: &'static str, ids: &[String]) -> HeaderValue {
    let ids: Vec<String> = ids.iter().map(|id| format!("<{id}>")).collect();
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, ids.join(" "), ids.join("\r\n "))
}
