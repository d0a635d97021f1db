//! Mail that no person wrote to us: bounces (RFC 3464), complaints (RFC 5965) and automatic answers (RFC 3834).
//! They become facts of their own kinds, so that nothing ever answers them.

use mail_parser::{HeaderName, Message, MessagePart, MimeHeaders, PartType};

use super::Envelope;
use crate::FactKind;

/// What a message is, and what a report says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    /// The customer's address that it speaks of, lower case.
    pub(super) about: Option<String>,
    /// The Message-ID of ours that it speaks of, without angle brackets.
    pub(super) original: Option<String>,
    pub(super) reason: Option<String>,
}

pub(super) fn classify(message: &Message<'_>, envelope: Option<&Envelope>) -> (FactKind, Report) {
    let parts = &message.parts;
    let find = |types: &[(&str, &str)]| {
        parts.iter().find(|part| types.iter().any(|(kind, subtype)| part.is_content_type(kind, subtype)))
    };
    if let Some(part) = find(&[("message", "feedback-report")]) {
        let fields = Fields::of(part);
        let reason = fields.get("feedback-type").map(str::to_owned);
        let about = fields.get("original-rcpt-to").or(fields.get("removal-recipient")).and_then(address);
        return (FactKind::Complaint, Report { about, original: original_id(message), reason });
    }
    let status = find(&[("message", "delivery-status"), ("message", "global-delivery-status")]);
    let null_sender = match envelope {
        Some(envelope) => envelope.sender.is_empty(),
        None => header(message, "Return-Path").is_some_and(|path| path.trim() == "<>"),
    };
    // A status part within a forwarded message is not found here: only the parts of this message are searched.
    let is_report = message.content_type().is_some_and(|kind| {
        kind.subtype() == Some("report")
            && kind.attribute("report-type").is_none_or(|of| of.eq_ignore_ascii_case("delivery-status"))
    });
    match status {
        Some(part) if is_report || null_sender => (FactKind::Bounce, bounce(message, part)),
        // Mail servers that report in their own words.
        None if is_from_a_mail_server(message) => {
            (FactKind::Bounce, Report { original: original_id(message), ..Report::default() })
        }
        // RFC 3834 section 2: what comes from nowhere is never answered.
        _ if null_sender || is_automatic(message) => (FactKind::AutoReply, Report::default()),
        _ => (FactKind::Message, Report::default()),
    }
}

fn bounce(message: &Message<'_>, part: &MessagePart<'_>) -> Report {
    let fields = Fields::of(part);
    let about = fields.get("final-recipient").or(fields.get("original-recipient")).and_then(address);
    let words: Vec<&str> =
        [fields.get("status"), fields.get("action"), fields.get("diagnostic-code").map(after_type)]
            .into_iter()
            .flatten()
            .collect();
    Report { about, original: original_id(message), reason: (!words.is_empty()).then(|| words.join(" ")) }
}

fn is_from_a_mail_server(message: &Message<'_>) -> bool {
    let from = message.from().and_then(|from| from.first()?.address());
    from.and_then(|from| from.split('@').next())
        .is_some_and(|local| local.eq_ignore_ascii_case("mailer-daemon"))
}

/// RFC 3834 section 5, and the headers that were used before it.
fn is_automatic(message: &Message<'_>) -> bool {
    let first_word = |name: &'static str| {
        let value = header(message, name)?.trim().to_ascii_lowercase();
        Some(value.split([';', ' ', '(']).next().unwrap_or_default().to_owned())
    };
    first_word("Auto-Submitted").is_some_and(|value| value != "no")
        || first_word("Precedence").is_some_and(|value| matches!(value.as_str(), "auto_reply" | "auto-reply"))
        || first_word("X-Auto-Response-Suppress").is_some_and(|value| !matches!(value.as_str(), "none" | ""))
        || ["X-Autoreply", "X-Autorespond", "X-Autoresponder"]
            .iter()
            .any(|name| first_word(name).is_some_and(|value| value != "no"))
}

fn header<'a>(message: &'a Message<'_>, name: &'static str) -> Option<&'a str> {
    message.header_raw(HeaderName::from(name))
}

/// The Message-ID in the copy of our mail, or of its headers, that the report brings back.
fn original_id(message: &Message<'_>) -> Option<String> {
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(original) => original.message_id().map(str::to_owned),
        PartType::Text(headers) if part.is_content_type("text", "rfc822-headers") => id_in(headers),
        PartType::Binary(headers) if part.is_content_type("message", "global-headers") => {
            id_in(&String::from_utf8_lossy(headers))
        }
        _ => None,
    })
}

fn id_in(headers: &str) -> Option<String> {
    let headers = Fields::parse(headers);
    let id = headers.get("message-id")?.trim_matches(['<', '>', ' ']);
    (!id.is_empty()).then(|| id.to_owned())
}

/// `rfc822; User@X.test` gives `user@x.test`.
fn address(value: &str) -> Option<String> {
    let address = after_type(value).trim_matches(['<', '>', ' ']).to_lowercase();
    (address.contains('@') && !address.contains(char::is_whitespace)).then_some(address)
}

fn after_type(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, value)| value).trim()
}

/// The fields of a report part: header-like lines, several blocks of them. The first of a name counts, which is
/// the first recipient's.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(part: &MessagePart<'_>) -> Self {
        Fields::parse(&String::from_utf8_lossy(part.contents()))
    }

    fn parse(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Fields(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}
