//! Sending through the Graph API: `POST /me/messages` for Messenger and Instagram, `POST /{number}/messages` for WhatsApp.
//!
//! ```text
//! Outgoing ─▶ in time? ─▶ body (page, cloud) ─▶ pace ─▶ Graph ─▶ answer: sent, again later, never, nobody there
//!                │            ├ files are uploaded           │
//!             window          └ a persona is made            └ a dead token pauses the inbox
//! ```

mod answer;
mod call;
mod cloud;
mod extras;
mod manners;
mod pace;
mod page;
mod pause;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use log::clock;
use tokio::time::Instant;

pub use self::manners::{HUMAN_AGENT, Manners, SETTINGS};
use self::{answer::Told, call::Graph, extras::Personas, pace::Pace, pause::Pause};
use super::Kind;
use crate::outbound::Outbound;
use crate::{Outcome, Outgoing, Sender};

/// A message waits so long for its turn, and is tried again later where that is not enough.
const FOR_A_TURN: Duration = Duration::from_secs(10);

/// Who sends, and where to.
#[derive(Clone)]
pub struct Account {
    pub kind: Kind,
    /// `https://graph.facebook.com` or `https://graph.instagram.com`, or what stands in for it.
    pub base_url: String,
    /// `v23.0`.
    pub version: String,
    /// `me` for Messenger and Instagram (or the Page's id), the phone number id for WhatsApp.
    pub sender: String,
    pub token: String,
    /// Where it is known, each call proves that we are the app.
    pub app_secret: Option<String>,
    pub manners: Manners,
}

/// What the tag says on a message that a person wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tag {
    HumanAgent,
}

/// Sends one inbox's messages.
pub struct MetaSender {
    kind: Kind,
    graph: Graph,
    manners: Manners,
    pace: Mutex<Pace>,
    pause: Pause,
    personas: Personas,
}

impl MetaSender {
    pub fn new(account: Account, outbound: Outbound) -> Self {
        let Account { kind, base_url, version, sender, token, app_secret, manners } = account;
        MetaSender {
            kind,
            graph: Graph::new(&base_url, &version, sender, token, app_secret.as_deref(), outbound),
            pace: Mutex::new(Pace::new(&kind.platform().rates, manners.rate)),
            pause: Pause::new(kind.channel()),
            personas: Personas::default(),
            manners,
        }
    }

    /// Whether it may leave now, and under which tag.
    fn in_time(&self, message: &Outgoing) -> Result<Option<Tag>, Outcome> {
        let is_template = message.chat.rich.as_ref().is_some_and(|rich| rich.template.is_some());
        let Some(window) = message.chat.window.filter(|_| !is_template) else { return Ok(None) };
        let now = clock::now();
        if now <= window.until.0 {
            return Ok(None);
        }
        // Never on what no person wrote.
        if message.by_person && self.manners.human_agent && now <= window.person_until.0 {
            return Ok(Some(Tag::HumanAgent));
        }
        let reason = "the customer may be answered here no more before writing again".to_owned();
        Err(Outcome::Refused { code: "window".to_owned(), reason })
    }

    /// Waits for the message's turn.
    async fn turn(&self, to: &str, is_media: bool) -> Result<(), Outcome> {
        let until = Instant::now() + FOR_A_TURN;
        loop {
            let admitted = self.pace().admit(to, is_media, Instant::now());
            match admitted {
                Ok(()) => return Ok(()),
                Err(wait) if Instant::now() + wait <= until => tokio::time::sleep(wait).await,
                Err(wait) => return Err(later("rate", "the platform's rate is used up", wait)),
            }
        }
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, message: &Outgoing) -> Result<Outcome, Outcome> {
        if let Some(left) = self.pause.left() {
            return Err(later("paused", "the platform refuses this inbox's token", left));
        }
        let tag = self.in_time(message)?;
        let unsupported = |reason: String| Outcome::Refused { code: "unsupported".to_owned(), reason };
        // What does not fit is known before anything is uploaded.
        let fits = |files: &[Option<String>]| match self.kind {
            Kind::Messenger | Kind::Instagram => page::message(self.kind, message, tag, files),
            Kind::Whatsapp => cloud::message(message, files),
        };
        let wants_upload = |attachment: &crate::Attachment| attachment.data.is_some();
        let placeholders: Vec<_> =
            message.attachments.iter().map(|it| wants_upload(it).then(String::new)).collect();
        fits(&placeholders).map_err(unsupported)?;
        let files = self.uploaded(message).await?;
        let mut body = fits(&files).map_err(unsupported)?;
        if let Some(persona) = self.persona(message).await {
            body["persona_id"] = persona.into();
        }
        self.announce(message).await;
        let is_media = message.attachments.iter().any(|file| matches!(&*file.kind, "audio" | "video"));
        self.turn(&message.to, is_media).await?;
        let reply = self.graph.post("messages", &body).await?;
        Ok(self.heard(&message.to, answer::read(&reply)))
    }

    /// What an answer means for those behind it.
    fn heard(&self, to: &str, told: Told) -> Outcome {
        let wish = |after: Option<u64>| after.map(Duration::from_millis);
        match told {
            Told::Outcome(outcome) => {
                if let Outcome::Sent { .. } = outcome {
                    self.pause.ends();
                    self.pace().goes_well();
                }
                outcome
            }
            Told::PageRate { code, reason, after } => {
                let rest = self.pace().rest(wish(after), Instant::now());
                later(&code, &reason, rest)
            }
            Told::ThreadRate { code, reason, after } => {
                let rest = self.pace().rest_thread(to, wish(after), Instant::now());
                later(&code, &reason, rest)
            }
            Told::Token { code, reason } => {
                let left = self.pause.begins(&code, &reason);
                later(&code, &reason, left)
            }
        }
    }
}

#[async_trait]
impl Sender for MetaSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        self.attempt(message).await.unwrap_or_else(|outcome| outcome)
    }

    /// The platform does not: but the inbox's owner may prefer a message twice to one that is lost.
    fn deduplicates(&self) -> bool {
        self.manners.resends_unknown
    }
}

fn later(code: &str, reason: &str, after: Duration) -> Outcome {
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    Outcome::Retry { code: code.to_owned(), reason: reason.to_owned(), after: Some(after) }
}
