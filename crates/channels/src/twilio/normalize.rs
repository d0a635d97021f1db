//! From a webhook's form to facts. Messages and status callbacks are told apart by what they say, not by the URL they
//! came to, so that a callback configured to the wrong one is still understood.

use super::Form;
use crate::fact::{derived, media_kind};
use crate::{Attachment, Channel, Fact, FactKind, Malformed};

/// Twilio allows ten media a message; more than this is not looked for.
const MOST_MEDIA: usize = 64;

/// What a webhook says: at most one fact. `inbox` is the configured name; without one, facts carry our own number.
///
/// Twilio gives no times, so facts have none. A status below `delivered` (`accepted`, `queued`, `sending`, `sent`)
/// says only that a message is on its way, which its send has said already: no fact.
///
/// # Errors
/// [`Malformed`] for bytes that carry none of Twilio's parameters.
pub fn normalize(inbox: Option<&str>, body: &[u8]) -> Result<Vec<Fact>, Malformed> {
    facts(inbox, &Form::parse(body), body)
}

/// [`normalize`] for a form that is already parsed from `body`.
///
/// # Errors
/// As [`normalize`].
pub fn facts(inbox: Option<&str>, form: &Form<'_>, body: &[u8]) -> Result<Vec<Fact>, Malformed> {
    let from = form.get("From").unwrap_or("");
    let to = form.get("To").unwrap_or("");
    let Some(sid) = form.get("MessageSid").or(form.get("SmsSid")).filter(|sid| !sid.is_empty()) else {
        if form.get("AccountSid").is_none() {
            return Err(Malformed { what: "Twilio webhook", reason: "there is no MessageSid".to_owned() });
        }
        return Ok(vec![unknown(inbox, to, from, body, "not about a message: no MessageSid".to_owned())]);
    };
    let status = form.get("MessageStatus").or(form.get("SmsStatus").filter(|_| form.get("Body").is_none()));
    let fact = match status {
        Some(status) => read_status(inbox, form, sid, status, from, to, body),
        None => Some(read_message(inbox, form, sid, from, to, body)),
    };
    Ok(fact.into_iter().collect())
}

fn read_message(inbox: Option<&str>, form: &Form<'_>, sid: &str, from: &str, to: &str, body: &[u8]) -> Fact {
    if from.is_empty() {
        return unknown(inbox, to, from, body, "a message without a From".to_owned());
    }
    let kind = match form.get("OptOutType") {
        Some("STOP") => FactKind::OptOut,
        Some("START") => FactKind::Optin,
        _ => FactKind::Message,
    };
    let told = form.get("NumMedia").and_then(|number| number.parse().ok()).unwrap_or(0);
    let attachments = (0..MOST_MEDIA.min(told)).filter_map(|at| {
        let url = form.get(&format!("MediaUrl{at}"))?.to_owned();
        let content_type = form.get(&format!("MediaContentType{at}")).map(str::to_owned);
        let kind = media_kind(content_type.as_deref().unwrap_or("")).to_owned();
        Some(Attachment { kind, url: Some(url), content_type, name: None, data: None })
    });
    Fact {
        external_id: Some(sid.to_owned()),
        // Twilio has answered it.
        payload: (form.get("OptOutType") == Some("HELP")).then(|| crate::HELP.to_owned()),
        text: form.get("Body").filter(|text| !text.is_empty()).map(str::to_owned),
        attachments: attachments.collect(),
        ..Fact::new(kind, Channel::Sms, inbox.unwrap_or(to), from)
    }
}

fn read_status(
    inbox: Option<&str>,
    form: &Form<'_>,
    sid: &str,
    status: &str,
    from: &str,
    to: &str,
    body: &[u8],
) -> Option<Fact> {
    let kind = match status {
        "delivered" => FactKind::Delivery,
        "read" => FactKind::Read,
        "undelivered" | "failed" | "canceled" => FactKind::Failed,
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => return None,
        other => {
            let reason = format!("a status we do not know: `{other}`");
            return Some(unknown(inbox, from, to, body, reason));
        }
    };
    let reason = (kind == FactKind::Failed).then(|| {
        let words = [form.get("ErrorCode"), Some(status), form.get("ErrorMessage")];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let fact = Fact::new(kind, Channel::Sms, inbox.unwrap_or(from), to);
    Some(Fact { external_id: Some(sid.to_owned()), reason, ..fact })
}

/// What is no message has no id but its bytes: the same event told again has the same token as well, and another that reads
/// the same has its own.
pub(crate) fn tell_apart(facts: &mut [Fact], token: &[u8]) {
    if token.is_empty() {
        return;
    }
    for fact in facts.iter_mut().filter(|fact| fact.kind == FactKind::Unknown) {
        let of_body = fact.external_id.take().unwrap_or_default();
        fact.external_id = Some(derived("token", &[&of_body, &String::from_utf8_lossy(token)]));
    }
}

fn unknown(inbox: Option<&str>, ours: &str, theirs: &str, body: &[u8], reason: String) -> Fact {
    let external_id = Some(derived("item", &[&String::from_utf8_lossy(body)]));
    let fact = Fact::new(FactKind::Unknown, Channel::Sms, inbox.unwrap_or(ours), theirs);
    Fact { external_id, reason: Some(reason), ..fact }
}
