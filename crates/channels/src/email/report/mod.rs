//! Mail that no person wrote to us: bounces (RFC 3464, and in servers' own words), complaints (RFC 5965) and automatic
//! answers (RFC 3834). They become facts of their own kinds, so that nothing ever answers them.
//!
//! ```text
//! message ─▶ classify ─┬─▶ fields (a report's parts), told (its text) ─▶ verdict, cause ─▶ Bounced
//!                      └─▶ automatic
//! ```

use mail_parser::{MessagePart, MimeHeaders, PartType};

use super::Envelope;
use super::mime::{self, Parsed};
use crate::FactKind;
use fields::{Fields, after_type};
use verdict::Evidence;

mod automatic;
mod cause;
mod fields;
mod phrases;
mod told;
mod verdict;

pub(super) use automatic::people_only;
pub use cause::Cause;
pub use verdict::Bounced;

/// What a report says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    /// The customer's address that it speaks of, lower case.
    pub(super) about: Option<String>,
    /// The Message-ID of ours that it speaks of, without angle brackets.
    pub(super) original: Option<String>,
    pub(super) reason: Option<String>,
    /// Of a bounce, each recipient.
    pub(super) bounced: Vec<Bounced>,
}

/// What a message is, and what a report says. `text` is its readable text.
pub(super) fn classify(mail: &Parsed<'_>, envelope: Option<&Envelope>, text: &str) -> (FactKind, Report) {
    let find = |types: &[(&str, &str)]| {
        // A report within a forwarded message is not found: only the parts of this message are searched.
        let parts = &mail.message.parts;
        parts.iter().find(|part| types.iter().any(|(kind, subtype)| part.is_content_type(kind, subtype)))
    };
    if let Some(part) = find(&[("message", "feedback-report")]) {
        return (FactKind::Complaint, complaint(mail, part));
    }
    if text.trim_start().get(..40).is_some_and(|start| start.contains("\"notificationType\":\"Complaint\"")) {
        // Amazon's feedback in its own form.
        let about = told::recipients(text, &[]).into_iter().next().map(|(address, _)| address);
        return (FactKind::Complaint, Report { about, ..Report::default() });
    }
    let null_sender = match envelope {
        Some(envelope) => envelope.sender.is_empty(),
        None => mail.raw("Return-Path") == Some("<>"),
    };
    let status = find(&[("message", "delivery-status"), ("message", "global-delivery-status")]);
    if status.is_some() || is_bounce(mail, null_sender, text) {
        let report = bounce(mail, status, text);
        let came = report.bounced.is_empty() && status.is_some();
        if came {
            // Nothing failed: a server says that it passed the mail on.
            return (
                FactKind::AutoReply,
                Report { reason: Some("a delivery report".into()), bounced: Vec::new(), ..report },
            );
        }
        return (FactKind::Bounce, report);
    }
    // RFC 3834 section 2: what comes from nowhere is never answered.
    let reason = automatic::reason(mail).or(null_sender.then_some("it has no return path"));
    match reason {
        Some(reason) => (FactKind::AutoReply, Report { reason: Some(reason.into()), ..Report::default() }),
        None => (FactKind::Message, Report::default()),
    }
}

fn complaint(mail: &Parsed<'_>, part: &MessagePart<'_>) -> Report {
    let fields = Fields::parse(&String::from_utf8_lossy(part.contents()));
    let about = fields.address("original-rcpt-to").or_else(|| fields.address("removal-recipient"));
    let original = original(mail, "");
    Report {
        about: about.or(original.to),
        original: original.id,
        reason: fields.get("feedback-type").map(str::to_owned),
        bounced: Vec::new(),
    }
}

/// Addresses and names that only mail servers report under.
const DAEMONS: [&str; 8] = [
    "mailer-daemon",
    "mailerdaemon",
    "mail-daemon",
    "mail.delivery.system",
    "mail delivery subsystem",
    "mail delivery system",
    "mail delivery service",
    "delivery subsystem",
];
/// Local parts that are their administrators' as well.
const SERVERS: [&str; 3] = ["postmaster", "mdaemon", "mailadmin"];
/// What their subjects say.
const SUBJECTS: [&str; 42] = [
    "undeliver",
    "delivery status",
    "delivery fail",
    "delivery failure",
    "returned mail",
    "failure notice",
    "mail delivery failed",
    "mail failure",
    "could not be delivered",
    "returning message",
    "returned to sender",
    "delivery problem",
    "delivery notification",
    "delivery error",
    "mail system error",
    "message status",
    "delivery has failed",
    "non delivery",
    "non-delivery",
    "not delivered",
    "undelivered",
    "mail failed",
    "unzustellbar",
    "nicht zugestellt",
    "non remis",
    "échec de la remise",
    "no se puede entregar",
    "no entregado",
    "mancato recapito",
    "não entregue",
    "onbestelbaar",
    "niet bezorgd",
    "не доставлено",
    "недоставлен",
    "nie dostarczono",
    "olevererbart",
    "配信不能",
    "エラー通知",
    "退信",
    "系统退信",
    "반송",
    "wiadomość niedostarczona",
];

/// Mail servers that report in their own words.
fn is_bounce(mail: &Parsed<'_>, null_sender: bool, text: &str) -> bool {
    if mail.raw("X-Failed-Recipients").is_some() {
        return true;
    }
    let from = mail.raw("From").unwrap_or_default().to_lowercase();
    if DAEMONS.iter().any(|name| from.contains(name)) {
        return true;
    }
    let local = mail.first_address("From").unwrap_or_default();
    let local = local.split('@').next().unwrap_or_default();
    let from_server = null_sender || local.is_empty() || SERVERS.contains(&local);
    // Our mail comes back, with what a server said to it.
    let returned = mail.message.parts.iter().any(|part| matches!(part.body, PartType::Message(_)));
    let with_reply = || returned && verdict::says_code(text);
    // A person who asks about a bounce has an address of their own, and parcels are not delivered either.
    if !from_server && !returned {
        return false;
    }
    let subject = mail.line("Subject").unwrap_or_default().to_lowercase();
    let replies = ["re:", "fw:", "fwd:", "aw:", "wg:"].iter().any(|start| subject.starts_with(start));
    let about_failure = !replies && SUBJECTS.iter().any(|words| subject.contains(words));
    let machine = from_server || local.contains("reply") || local.contains("bounce") || local == "root";
    machine && (about_failure || failed_words(text) || with_reply())
}

fn failed_words(text: &str) -> bool {
    let start: String = text.chars().take(600).collect::<String>().to_lowercase();
    [
        "\"notificationtype\":\"bounce\"",
        "could not be delivered",
        "was not delivered",
        "unable to deliver",
        "wasn't able to deliver",
        "did not reach",
        "delivery has failed",
        "delivery to the following",
        "undeliverable",
        "cannot be delivered",
        "couldn't be delivered",
        "not be delivered",
        "has been rejected",
        "送信できません",
        "konnte nicht zugestellt",
    ]
    .iter()
    .any(|words| start.contains(words))
}

fn bounce(mail: &Parsed<'_>, status: Option<&MessagePart<'_>>, text: &str) -> Report {
    let (told, copy) = told::split(text);
    let original = original(mail, copy);
    let mut ours = mail.addresses("To");
    ours.extend(original.from.clone());
    let said = told::recipients(told, &ours);
    let mut evidence = Vec::new();
    if let Some(part) = status {
        for fields in Fields::recipients(&String::from_utf8_lossy(part.contents())) {
            let action = fields.get("action").map(str::to_lowercase);
            if action.as_deref().is_some_and(|action| ["delivered", "relayed", "expanded"].contains(&action))
            {
                continue;
            }
            let address = ["final-recipient", "original-recipient", "x-actual-recipient"]
                .iter()
                .find_map(|name| fields.address(name));
            let address = address
                .or_else(|| Some(said.first()?.0.clone()))
                .or_else(|| original.to.clone())
                .unwrap_or_default();
            let words = said.iter().find(|(of, _)| *of == address).map_or(told, |(_, words)| words);
            evidence.push(Evidence {
                address,
                status: fields.get("status").map(str::to_owned).filter(|status| !status.is_empty()),
                action,
                diagnostic: fields.get("diagnostic-code").map(|words| after_type(words).to_owned()),
                told: words.to_owned(),
            });
        }
        if evidence.is_empty() {
            return Report { original: original.id, ..Report::default() };
        }
    } else {
        let late = late(mail.line("Subject").as_deref().unwrap_or_default(), told);
        let action = late.then(|| "delayed".to_owned());
        let failed =
            mail.raw("X-Failed-Recipients").and_then(|list| fields::address(list.split(',').next()?));
        let mut said = said;
        if said.is_empty() {
            let address = failed.or(original.to.clone()).unwrap_or_default();
            said.push((address, told.to_owned()));
        }
        evidence.extend(said.into_iter().map(|(address, told)| Evidence {
            address,
            action: action.clone(),
            told,
            ..Evidence::default()
        }));
    }
    let reason = evidence.first().and_then(|first| {
        let words = [&first.status, &first.action, &first.diagnostic];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        (!words.is_empty()).then(|| words.join(" "))
    });
    let bounced: Vec<Bounced> = evidence.into_iter().map(Evidence::judge).collect();
    let about = bounced.first().map(|first| first.address.clone()).filter(|address| !address.is_empty());
    Report { about, original: original.id, reason, bounced }
}

/// A warning only: it is still being tried.
fn late(subject: &str, told: &str) -> bool {
    let subject = subject.to_lowercase();
    let told = told.to_lowercase();
    subject.contains("delayed")
        || subject.contains("(delay)")
        || told.contains("do not need to re-send")
        || told.contains("you do not need to resend")
}

/// What a report brings back of the mail that it speaks of.
#[derive(Debug, Default)]
struct Original {
    id: Option<String>,
    to: Option<String>,
    from: Option<String>,
}

/// `copy` is the end of a report's text that may hold it.
fn original(mail: &Parsed<'_>, copy: &str) -> Original {
    let of = |headers: &str| {
        let head = headers.split("\n\n").next().unwrap_or_default();
        let fields = Fields::parse(head);
        let address = |name| {
            let value = fields.get(name)?;
            fields::address(
                value
                    .rsplit_once('<')
                    .map_or(value, |(_, address)| address.split('>').next().unwrap_or_default()),
            )
        };
        Original { id: fields.get("message-id").and_then(mime::id), to: address("to"), from: address("from") }
    };
    let found = mail.message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(original) => Some(Original {
            id: original.message_id().and_then(mime::id),
            to: original.to().and_then(|to| mime::bare(to.first()?.address()?)),
            from: original.from().and_then(|from| mime::bare(from.first()?.address()?)),
        }),
        PartType::Text(headers) if part.is_content_type("text", "rfc822-headers") => {
            Some(of(&headers.replace("\r\n", "\n")))
        }
        PartType::Binary(headers)
            if part.is_content_type("message", "global-headers")
                || part.is_content_type("message", "rfc822") =>
        {
            Some(of(&String::from_utf8_lossy(headers).replace("\r\n", "\n")))
        }
        _ => None,
    });
    let mut found = found.unwrap_or_else(|| of(copy));
    // Some servers write it as an answer to our mail.
    found.id = found.id.or_else(|| mail.ids("In-Reply-To").into_iter().next());
    found
}

/// What a server's reply to a mail of ours says of its recipient.
pub(super) fn of_reply(status: u16, text: &str) -> Bounced {
    Evidence { diagnostic: Some(format!("{status} {text}")), ..Evidence::default() }.judge()
}
