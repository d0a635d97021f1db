//! A provider that has no connector, described by an inbox's settings alone: where the fields of its payloads are, how it
//! signs, how it is sent to, and how its answer is read.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    allow::Allowed,
    read::{Form, Reader},
    send::{Request, Success},
    signature::{Over, Signature},
};

/// Every setting of an inbox that speaks through this door.
pub const SETTINGS: [&str; 37] = [
    "token",
    "send_url",
    "send_token",
    "receive",
    "receive_items",
    "receive_when",
    "receive_id",
    "receive_from",
    "receive_text",
    "receive_sent_at",
    "receive_media",
    "receive_media_type",
    "receive_reply_to",
    "status_when",
    "status_id",
    "status_address",
    "status_state",
    "status_reason",
    "status_delivered",
    "status_read",
    "status_failed",
    "signature",
    "signature_secret",
    "signature_header",
    "signature_over",
    "signature_encoding",
    "signature_prefix",
    "allow",
    "answer",
    "answer_type",
    "send_method",
    "send_type",
    "send_headers",
    "send_body",
    "send_id",
    "send_success",
    "send_error",
];
/// More of them: what codes of a provider's mean.
pub const CODES: [&str; 3] = ["send_retry", "send_bad_address", "send_opted_out"];

/// What a provider's webhooks are let in and read by.
#[derive(Clone, Debug)]
pub struct Provider {
    /// None: our own protocol (see [`normalize`](super::normalize())).
    pub(crate) reader: Option<Arc<Reader>>,
    pub(crate) signature: Option<Arc<Signature>>,
    pub(crate) allowed: Option<Arc<Allowed>>,
    /// What it wants to read when all is well, and as which type.
    pub(crate) answer: (Arc<str>, Arc<str>),
}

/// A setting that cannot be, and why.
pub type Wrong = (&'static str, String);

impl Provider {
    /// Our own protocol, unsigned.
    pub fn own() -> Provider {
        Provider {
            reader: None,
            signature: None,
            allowed: None,
            answer: ("{}".into(), "application/json".into()),
        }
    }

    /// It tells who posts by itself, without a token.
    pub fn is_guarded(&self) -> bool {
        self.signature.is_some() || self.allowed.is_some()
    }

    /// `secret` finds the secret that a setting names.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn read(
        settings: &BTreeMap<String, String>,
        secret: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Provider, Wrong> {
        let text = |key: &str| settings.get(key).cloned();
        let reader = reader(settings)?.map(Arc::new);
        let over = match text("signature").as_deref() {
            None => None,
            Some("jwt") => Some(Over::Jwt),
            Some(name @ ("hmac-sha1" | "hmac-sha256" | "hmac-sha512")) => {
                let template = text("signature_over").unwrap_or_else(|| "{body}".to_owned());
                let over =
                    Over::hmac(name, &template, text("signature_encoding").as_deref().unwrap_or("hex"));
                Some(over.map_err(|why| ("signature_over", why))?)
            }
            Some(other) => {
                let why = format!("{other:?}: it is `hmac-sha1`, `hmac-sha256`, `hmac-sha512` or `jwt`");
                return Err(("signature", why));
            }
        };
        let signature = over.map(|over| {
            let key = secret("signature_secret").map_err(|why| ("signature_secret", why))?;
            let header = text("signature_header").unwrap_or_else(|| "authorization".to_owned());
            let prefix = text("signature_prefix").unwrap_or_default();
            Ok(Arc::new(Signature { over, key, header: header.to_ascii_lowercase(), prefix }))
        });
        let allowed =
            text("allow").map(|list| Allowed::read(&list).map_err(|why| ("allow", why))).transpose()?;
        Ok(Provider {
            reader,
            signature: signature.transpose()?,
            allowed: allowed.map(Arc::new),
            answer: (
                text("answer").unwrap_or_else(|| "{}".to_owned()).into(),
                text("answer_type").unwrap_or_else(|| "application/json".to_owned()).into(),
            ),
        })
    }
}

fn reader(settings: &BTreeMap<String, String>) -> Result<Option<Reader>, Wrong> {
    let pointer = |key: &str| settings.get(key).map(|text| pointer(text));
    let list = |key: &str| -> Vec<String> {
        let text = settings.get(key).map_or("", String::as_str);
        text.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect()
    };
    let condition = |key: &'static str| -> Result<Option<(String, String)>, Wrong> {
        let Some(text) = settings.get(key) else { return Ok(None) };
        let (at, value) = text.split_once('=').ok_or((key, "it is POINTER=VALUE".to_owned()))?;
        Ok(Some((self::pointer(at.trim()), value.trim().to_owned())))
    };
    let form = match settings.get("receive").map(String::as_str) {
        None | Some("json") => Form::Json,
        Some("form") => Form::Form,
        Some(other) => return Err(("receive", format!("{other:?}: it is `json` or `form`"))),
    };
    let Some(from) = pointer("receive_from") else {
        let others = ["receive", "receive_text", "receive_id", "receive_items", "status_state"];
        return match others.into_iter().find(|key| settings.contains_key(*key)) {
            Some(key) => Err((key, "without `receive_from` nobody wrote".to_owned())),
            None => Ok(None),
        };
    };
    Ok(Some(Reader {
        form,
        items: pointer("receive_items"),
        when: condition("receive_when")?,
        id: pointer("receive_id"),
        from,
        text: pointer("receive_text"),
        sent_at: pointer("receive_sent_at"),
        media: pointer("receive_media"),
        media_type: pointer("receive_media_type"),
        reply_to: pointer("receive_reply_to"),
        status_when: condition("status_when")?,
        status_id: pointer("status_id"),
        status_address: pointer("status_address"),
        status_state: pointer("status_state"),
        status_reason: pointer("status_reason"),
        delivered: list("status_delivered"),
        read: list("status_read"),
        failed: list("status_failed"),
    }))
}

/// A JSON pointer (RFC 6901), or a key by itself.
fn pointer(text: &str) -> String {
    if text.is_empty() || text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

/// How messages are sent, if the settings say more than a URL.
///
/// # Errors
/// The setting that cannot be, and why.
pub fn request(settings: &BTreeMap<String, String>, from: &str) -> Result<Option<Request>, Wrong> {
    let text = |key: &str| settings.get(key).cloned();
    let Some(body) = text("send_body") else {
        let others = ["send_type", "send_id", "send_success", "send_error", "send_retry"];
        return match others.into_iter().find(|key| settings.contains_key(*key)) {
            Some(key) => {
                Err((key, "without `send_body` messages are sent as our own protocol has them".to_owned()))
            }
            None => Ok(None),
        };
    };
    let method = text("send_method").unwrap_or_else(|| "POST".to_owned());
    let method = method.parse().map_err(|_| ("send_method", format!("{method:?} is no method of HTTP")))?;
    let content_type = text("send_type").unwrap_or_else(|| "application/json".to_owned());
    let headers = text("send_headers").unwrap_or_default();
    let headers = headers.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let (name, value) =
            line.split_once(':').ok_or(("send_headers", format!("{line:?} is no NAME: VALUE")))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    });
    let success = text("send_success").map(|text| {
        let (at, value) = text.split_once('=').ok_or(("send_success", "it is POINTER=VALUE".to_owned()))?;
        Ok((pointer(at.trim()), value.trim().to_owned()))
    });
    let codes = |key: &str| -> Vec<String> {
        let list = text(key).unwrap_or_default();
        list.split(',').map(|code| code.trim().to_owned()).filter(|code| !code.is_empty()).collect()
    };
    let request = Request {
        method,
        content_type,
        headers: headers.collect::<Result<_, _>>()?,
        body,
        from: from.to_owned(),
        success: Success {
            id: text("send_id").map(|at| pointer(&at)),
            when: success.transpose()?,
            error: text("send_error").map(|at| pointer(&at)),
            retry: codes("send_retry"),
            bad_address: codes("send_bad_address"),
            opted_out: codes("send_opted_out"),
        },
    };
    request.check().map_err(|why| ("send_body", why))?;
    Ok(Some(request))
}
