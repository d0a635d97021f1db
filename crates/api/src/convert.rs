//! Between the public API's messages and the domain's values. What is malformed is refused with the field's name.

use std::str::FromStr;

use bytes::Bytes;
use domain::{
    Attachment, Channel, Check, Code, Content, Millis, Rejection, Rich, Timestamp, Verdict,
    conversation::ReceiptKind,
};
use wire::api::v1 as pb;

pub(crate) mod policy;
pub(crate) mod recipient;
pub(crate) mod rich;

/// Octets of all files that a message brings along: a request has room for as many, and for what else it says.
const MOST_FILES: usize = 2 << 20;

pub(crate) fn time(at: Timestamp) -> Option<prost_types::Timestamp> {
    let nanos = at.0.rem_euclid(1_000) * 1_000_000;
    Some(prost_types::Timestamp {
        seconds: at.0.div_euclid(1_000),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    })
}

pub(crate) fn duration(span: Millis) -> Option<prost_types::Duration> {
    Some(prost_types::Duration {
        seconds: i64::try_from(span.0 / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.0 % 1_000 * 1_000_000).unwrap_or_default(),
    })
}

pub(crate) fn channel(channel: Channel) -> pb::Channel {
    match channel {
        Channel::Messenger => pb::Channel::Messenger,
        Channel::Instagram => pb::Channel::Instagram,
        Channel::Whatsapp => pb::Channel::Whatsapp,
        Channel::Email => pb::Channel::Email,
        Channel::Sms => pb::Channel::Sms,
        Channel::Generic => pb::Channel::Generic,
    }
}

pub(crate) fn receipt(kind: ReceiptKind) -> pb::DeliveryStatus {
    match kind {
        ReceiptKind::Delivered => pb::DeliveryStatus::Delivered,
        ReceiptKind::Read => pb::DeliveryStatus::Read,
        ReceiptKind::Failed => pb::DeliveryStatus::Failed,
    }
}

/// The provider's raw bytes stay behind: what a caller needs was read from them.
pub(crate) fn content(content: Content) -> pb::Content {
    let attachment = |attachment: Attachment| pb::Attachment {
        kind: attachment.kind,
        url: attachment.url,
        content_type: attachment.content_type,
        name: attachment.name,
        data: None,
    };
    pb::Content {
        text: content.text,
        payload: content.payload,
        attachments: content.attachments.into_iter().map(attachment).collect(),
        quick_replies: content.quick_replies,
        subject: content.subject,
        body: content.body,
        verdict: content.verdict.map(verdict),
        rich: content.rich.map(|shown| rich::show(*shown)),
    }
}

fn verdict(verdict: Verdict) -> pb::Verdict {
    let check = |check: Check| pb::verdict::Check {
        method: check.method.as_str().to_owned(),
        result: check.result.as_str().to_owned(),
        domain: check.domain.unwrap_or_default(),
        aligned: check.aligned,
        detail: check.detail.unwrap_or_default(),
    };
    pb::Verdict {
        authenticated: verdict.authenticated,
        by: verdict.by,
        because: verdict.because,
        checks: verdict.checks.into_iter().map(check).collect(),
    }
}

/// What someone writes to a customer. It must say something.
pub(crate) fn written(
    text: String,
    attachments: Vec<pb::Attachment>,
    quick_replies: Vec<String>,
    shown: Option<pb::Rich>,
) -> Result<Content, Rejection> {
    let rich = rich::read(shown)?;
    let stands_alone = |rich: &Rich| rich.template.is_some() || !rich.cards.is_empty();
    if text.trim().is_empty() && attachments.is_empty() && !rich.as_deref().is_some_and(stands_alone) {
        return Err(invalid("a message needs a text or an attachment"));
    }
    let files: usize =
        attachments.iter().filter_map(|attachment| attachment.data.as_ref()).map(Bytes::len).sum();
    if files > MOST_FILES {
        return Err(invalid(format!("the files have {files} bytes together; {MOST_FILES} are the most")));
    }
    let attachment = |attachment: pb::Attachment| Attachment {
        kind: attachment.kind,
        url: attachment.url,
        content_type: attachment.content_type,
        name: attachment.name,
        data: attachment.data,
    };
    let attachments = attachments.into_iter().map(attachment).collect();
    Ok(Content { text, attachments, quick_replies, rich, ..Content::default() })
}

pub(crate) fn rejected(rejection: Rejection) -> pb::Rejected {
    pb::Rejected { code: rejection.code.as_str().to_owned(), detail: rejection.detail }
}

/// An id, or any other text that is parsed, in a field of a request.
pub(crate) fn parse<T>(field: &str, text: &str) -> Result<T, Rejection>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| invalid(format!("`{field}`: {error}")))
}

pub(crate) fn invalid(detail: impl Into<String>) -> Rejection {
    Rejection::new(Code::Invalid, detail)
}

/// A caller's own id for a command.
pub(crate) fn client_id(field: &str, id: &str) -> Result<(), Rejection> {
    if (1..=128).contains(&id.len()) {
        Ok(())
    } else {
        Err(invalid(format!("`{field}` must be 1 to 128 bytes")))
    }
}

/// A page's size, from what was asked.
pub(crate) fn page_size(asked: u32) -> usize {
    match asked {
        0 => 100,
        _ => asked.min(1_000) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_keep_their_milliseconds() {
        let at = |millis| time(Timestamp(millis)).unwrap();
        assert_eq!((at(1_500).seconds, at(1_500).nanos), (1, 500_000_000));
        assert_eq!((at(-1).seconds, at(-1).nanos), (-1, 999_000_000));
    }

    #[test]
    fn what_is_malformed_is_named() {
        let refused = parse::<domain::OfferId>("offer", "nonsense").unwrap_err();
        assert_eq!(refused.code, Code::Invalid);
        assert!(refused.detail.starts_with("`offer`: \"nonsense\" is not an offer"), "{}", refused.detail);
        assert!(written("  ".into(), vec![], vec![], None).is_err());
        assert!(client_id("id", "").is_err() && client_id("id", &"x".repeat(129)).is_err());
    }
}
