//! What is done before a message leaves: files are uploaded, the person who wrote it is made known, and the customer sees
//! that somebody is there. Only without the files a message cannot go.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::call::File;
use super::{MetaSender, answer::Told};
use crate::messenger::Kind;
use crate::outbound::Reply;
use crate::{Attachment, Outcome, Outgoing};

/// Nobody is shown as typing for longer (*Sender actions*: it ends after 20 s by itself).
const LONGEST_TYPING: Duration = Duration::from_secs(20);

/// Personas by the name they show.
#[derive(Default)]
pub(super) struct Personas {
    known: Mutex<Option<HashMap<String, String>>>,
}

#[derive(Deserialize)]
struct Made {
    #[serde(alias = "attachment_id")]
    id: String,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Persona>,
}

#[derive(Deserialize)]
struct Persona {
    id: String,
    name: String,
}

impl MetaSender {
    /// The platform's id of each file that the message brings along; none for what has an address of its own.
    pub(super) async fn uploaded(&self, message: &Outgoing) -> Result<Vec<Option<String>>, Outcome> {
        let mut ids = Vec::with_capacity(message.attachments.len());
        for attachment in &message.attachments {
            ids.push(match &attachment.data {
                Some(data) => Some(self.upload(&message.to, attachment, data).await?),
                None => None,
            });
        }
        Ok(ids)
    }

    async fn upload(
        &self,
        to: &str,
        attachment: &Attachment,
        data: &bytes::Bytes,
    ) -> Result<String, Outcome> {
        let most = self.kind.platform().limits.upload.is;
        if data.len() > most {
            let reason = format!("the file has {} bytes; {most} are the most", data.len());
            return Err(Outcome::Refused { code: "unsupported".to_owned(), reason });
        }
        let name = attachment.name.as_deref().unwrap_or("file");
        let content_type = attachment.content_type.as_deref().unwrap_or("application/octet-stream");
        let file = |field| File { field, name, content_type, data };
        let reply = match self.kind {
            Kind::Whatsapp => {
                let fields = [("messaging_product", "whatsapp"), ("type", content_type)];
                self.graph.upload("media", &fields, file("file")).await
            }
            Kind::Messenger | Kind::Instagram => {
                let kind = match &*attachment.kind {
                    known @ ("image" | "audio" | "video") => known,
                    _ => "file",
                };
                let of = json!({ "attachment": { "type": kind, "payload": {} } }).to_string();
                self.graph.upload("message_attachments", &[("message", &of)], file("filedata")).await
            }
        };
        // A file that was perhaps taken reached no customer: it is uploaded again.
        let again = |reason: String| Outcome::Retry { code: "upload".to_owned(), reason, after: None };
        let reply = reply.map_err(|outcome| match outcome {
            Outcome::Unknown { reason } => again(reason),
            other => other,
        })?;
        if let Some(made) = reply.json::<Made>().filter(|_| reply.status.is_success()) {
            return Ok(made.id);
        }
        Err(match self.heard(to, super::answer::read(&reply)) {
            Outcome::Unknown { reason } => again(reason),
            Outcome::Sent { .. } => again("the platform gave the file no id".to_owned()),
            other => other,
        })
    }

    /// The persona of the person who wrote it. Without one, the message goes in the Page's name.
    pub(super) async fn persona(&self, message: &Outgoing) -> Option<String> {
        let picture = self.manners.persona_picture.as_ref().filter(|_| self.kind == Kind::Messenger)?;
        let name = message.chat.signed.as_ref().filter(|_| message.by_person)?;
        if let Some(known) = &*self.personas.known.lock().unwrap_or_else(PoisonError::into_inner)
            && let Some(id) = known.get(name)
        {
            return Some(id.clone());
        }
        let listed = self.graph.get("personas").await.ok()?.json::<Listed>()?;
        let mut known: HashMap<_, _> = listed.data.into_iter().map(|it| (it.name, it.id)).collect();
        if !known.contains_key(name) {
            let plain: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let body = json!({ "name": name, "profile_picture_url": picture.replace("{name}", &plain) });
            match self.graph.post("personas", &body).await {
                Ok(reply) if reply.status.is_success() => {
                    known.insert(name.clone(), reply.json::<Made>()?.id);
                }
                told => {
                    tracing::warn!(why = %why(told), "an agent has no persona, and writes in the Page's name")
                }
            }
        }
        let id = known.get(name).cloned();
        *self.personas.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        id
    }

    /// The customer sees that what they wrote was read, and that somebody types. Whether that succeeds matters to nobody.
    pub(super) async fn announce(&self, message: &Outgoing) {
        if self.kind == Kind::Whatsapp {
            return;
        }
        let sign = async |action: &str| {
            let body = json!({ "recipient": { "id": message.to }, "sender_action": action });
            let _ = self.graph.post("messages", &body).await;
        };
        if self.manners.seen {
            sign("mark_seen").await;
        }
        if !self.manners.typing.is_zero() && !message.by_person {
            sign("typing_on").await;
            tokio::time::sleep(self.manners.typing.min(LONGEST_TYPING)).await;
        }
    }
}

fn why(told: Result<Reply, Outcome>) -> String {
    match told {
        Ok(reply) => match super::answer::read(&reply) {
            Told::Outcome(outcome) => format!("{outcome:?}"),
            Told::PageRate { code, reason, .. }
            | Told::ThreadRate { code, reason, .. }
            | Told::Token { code, reason } => format!("{code}: {reason}"),
        },
        Err(outcome) => format!("{outcome:?}"),
    }
}
