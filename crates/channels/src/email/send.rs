//! The way out: one SMTP dialogue with the business's relay a message.
//!
//! Up to DATA's go-ahead nothing has left, so every failure there may be tried again; once the message itself is
//! on its way, only the relay's reply tells what became of it, and without one the outcome is unknown.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use tokio::time::{Instant, timeout};

use super::answer::{self, No, Said};
use super::pace::Pace;
use super::relay::{Line, NoLine, Relay};
use super::{Letterhead, MailboxIdentity, RelayConfig, compose, metrics, reference};
use crate::{Outcome, Outgoing, Sender};

/// Sends for one mailbox.
pub struct SmtpSender {
    relay: Arc<Relay>,
    mailbox: MailboxIdentity,
    letterhead: Letterhead,
    from: Address,
    pace: Mutex<Pace>,
    manners: Manners,
}

/// What differs from mailbox to mailbox in how mail leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manners {
    /// Mails a minute to one domain; none: as they come.
    pub per_minute: Option<u32>,
    /// What no person wrote leaves with the mailbox as its return path too. Otherwise with none, so that a machine has
    /// nowhere to answer to (RFC 3834 section 3.3), unless the relay refuses that.
    pub returns_automatic: bool,
    /// Whatever may have left and has no answer is sent again: the recipients' servers know it by its Message-ID.
    pub resends_unknown: bool,
}

impl SmtpSender {
    /// With connections of its own.
    ///
    /// # Errors
    /// When the mailbox's address is none.
    pub fn new(relay: RelayConfig, mailbox: MailboxIdentity) -> Result<Self, super::ComposeError> {
        SmtpSender::over(Arc::new(Relay::new(relay)), mailbox, Letterhead::default(), Manners::default())
    }

    /// # Errors
    /// When the mailbox's address is none.
    pub fn over(
        relay: Arc<Relay>,
        mailbox: MailboxIdentity,
        letterhead: Letterhead,
        manners: Manners,
    ) -> Result<Self, super::ComposeError> {
        metrics::describe();
        let from = compose::address(&mailbox.address)?;
        let pace = Mutex::new(Pace::new(manners.per_minute));
        Ok(SmtpSender { relay, mailbox, letterhead, from, pace, manners })
    }

    async fn attempt(&self, message: &Outgoing) -> Outcome {
        let composed = compose(message, &self.mailbox, &self.letterhead)
            .and_then(|mail| Ok((mail, compose::address(&message.to)?)));
        let (mail, to) = match composed {
            Ok(composed) => composed,
            Err(error) => return Outcome::Refused { code: "compose".into(), reason: chain(&error) },
        };
        let domain = to.domain().to_lowercase();
        if let Err(wait) = self.pace().admit(&domain, Instant::now()) {
            let reason = "its domain gets no more of our mail for now".into();
            let after = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            return Outcome::NotYet { code: "paced".into(), reason, after };
        }
        let mut line = match self.relay.line().await {
            Ok(line) => line,
            Err(error) => return no_line(&error),
        };
        let sender = (message.by_person || self.manners.returns_automatic).then(|| self.from.clone());
        let limit = self.relay.config().timeout;
        match timeout(limit, self.prepare(&mut line, &mail, sender, to)).await {
            Ok(Ok(())) => {}
            Ok(Err(Unready::Told(no))) => return self.told(line, no, &domain).await,
            Ok(Err(Unready::Broken(error))) => return retry("connection", error.to_string(), None),
            Ok(Err(Unready::Impossible(outcome))) => {
                self.relay.keep(line, true).await;
                return outcome;
            }
            Err(_) => return retry("timeout", "the relay did not answer in time".into(), None),
        }
        match timeout(self.relay.config().answer_timeout, line.smtp.message(&mail)).await {
            Ok(Ok(_)) => {
                self.relay.keep(line, false).await;
                self.pace().goes_well(&domain);
                let reference = message.thread.as_ref().map_or("", |thread| &thread.reference);
                Outcome::Sent {
                    provider_id: reference::message_id(&message.key, reference, self.from.domain()),
                }
            }
            Ok(Err(error)) => match answer::no(&error, Said::OfMessage) {
                Some(no) => self.told(line, no, &domain).await,
                None => Outcome::Unknown { reason: error.to_string() },
            },
            Err(_) => Outcome::Unknown { reason: "the relay did not answer the message in time".into() },
        }
    }

    /// Until the relay waits for this message. `sender` is the return path; none is the empty one.
    async fn prepare(
        &self,
        line: &mut Line<'_>,
        mail: &[u8],
        sender: Option<Address>,
        to: Address,
    ) -> Result<(), Unready> {
        let relay = &mut line.smtp;
        let utf8 = [&self.from, &to]
            .into_iter()
            .any(|address| !address.user().is_ascii() || !address.domain().is_ascii());
        let offers = |extension| relay.server_info().supports_feature(extension);
        let mut parameters = Vec::new();
        match (utf8, offers(Extension::SmtpUtfEight)) {
            (true, false) => {
                let reason = "the relay takes no addresses beyond ASCII".into();
                return Err(Unready::Impossible(Outcome::Refused { code: "smtputf8".into(), reason }));
            }
            (true, true) => parameters.push(MailParameter::SmtpUtfEight),
            (false, _) => {}
        }
        if !mail.is_ascii() && offers(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let is_null = sender.is_none();
        let mut from = relay.command(Mail::new(sender, parameters.clone())).await;
        if is_null && from.as_ref().is_err_and(Error::is_permanent) {
            // Some relays know users by their return path alone.
            from = relay.command(Mail::new(Some(self.from.clone()), parameters)).await;
        }
        from.map_err(|error| Unready::of(error, Said::OfUs))?;
        let of_message = |error| Unready::of(error, Said::OfMessage);
        relay.command(Rcpt::new(to, Vec::new())).await.map_err(of_message)?;
        relay.command(Data).await.map_err(of_message)?;
        Ok(())
    }

    /// The relay said no: to this message, and not to the next.
    async fn told(&self, line: Line<'_>, no: No, domain: &str) -> Outcome {
        let No { mut outcome, slower } = no;
        // RFC 5321 section 3.8: after 421 the relay hangs up.
        let hangs_up = matches!(&outcome, Outcome::Retry { code, .. } if code.starts_with("421"));
        if !hangs_up {
            self.relay.keep(line, true).await;
        }
        if let Some(wish) = slower {
            let rest = self.pace().rest(domain, wish, Instant::now());
            if let Outcome::Retry { after, .. } = &mut outcome {
                *after = (*after).max(millis(rest));
            }
        }
        outcome
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the relay does not wait for the message.
enum Unready {
    Told(No),
    Broken(Error),
    Impossible(Outcome),
}

impl Unready {
    fn of(error: Error, said: Said) -> Self {
        match answer::no(&error, said) {
            Some(no) => Unready::Told(no),
            None => Unready::Broken(error),
        }
    }
}

#[async_trait]
impl Sender for SmtpSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let outcome = self.attempt(message).await;
        metrics::attempted(&outcome);
        outcome
    }

    fn deduplicates(&self) -> bool {
        self.manners.resends_unknown
    }
}

/// What is said as we connect is about the connection or our configuration, not about a message.
fn no_line(error: &NoLine) -> Outcome {
    let (code, after) = match error {
        NoLine::Smtp(error) => (error.status().map_or("connection".into(), |code| code.to_string()), None),
        NoLine::TooSlow => ("timeout".into(), None),
        NoLine::NoTls => ("tls".into(), Some(Duration::from_secs(60))),
        NoLine::Busy => ("busy".into(), None),
        NoLine::Resting(left) => ("connection".into(), Some(*left)),
    };
    retry(&code, error.to_string(), after)
}

fn retry(code: &str, reason: String, after: Option<Duration>) -> Outcome {
    Outcome::Retry { code: code.into(), reason, after: after.and_then(millis) }
}

fn millis(span: Duration) -> Option<u64> {
    u64::try_from(span.as_millis()).ok()
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
