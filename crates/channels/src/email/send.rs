//! The way out: one SMTP dialogue with the business's relay a message.
//!
//! Up to DATA's go-ahead nothing has left, so every failure there may be tried again; once the message itself is
//! on its way, only the relay's reply tells what became of it, and without one the outcome is unknown.

use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::{MailboxIdentity, compose, metrics, reference};
use crate::{Outcome, Outgoing, Sender};

/// How the connection to the relay is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelayTls {
    /// Not at all; for a relay on the same machine.
    None,
    /// By STARTTLS if the relay offers it.
    IfOffered,
    /// By STARTTLS, or no mail is sent.
    Required,
    /// From the first byte (port 465).
    Implicit,
}

#[derive(Clone)]
pub struct RelayConfig {
    pub host: String,
    pub port: u16,
    pub tls: RelayTls,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// The name we greet with.
    pub hello: String,
    /// For everything before the message itself.
    pub timeout: Duration,
    /// For the message and its answer; RFC 5321 section 4.5.3.2.6 wants ten minutes.
    pub answer_timeout: Duration,
    /// Connections kept for the next message.
    pub max_idle: usize,
}

impl RelayConfig {
    /// With TLS required.
    pub fn new(host: impl Into<String>, port: u16, hello: impl Into<String>) -> Self {
        RelayConfig {
            host: host.into(),
            port,
            tls: RelayTls::Required,
            credentials: None,
            hello: hello.into(),
            timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(600),
            max_idle: 4,
        }
    }
}

/// Idle connections older than this are closed; relays drop them after a few minutes.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);

/// Sends for one mailbox.
pub struct SmtpSender {
    relay: RelayConfig,
    mailbox: MailboxIdentity,
    from: Address,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl SmtpSender {
    /// # Errors
    /// When the mailbox's address is none.
    pub fn new(relay: RelayConfig, mailbox: MailboxIdentity) -> Result<Self, super::ComposeError> {
        metrics::describe();
        let from = compose::address(&mailbox.address)?;
        Ok(SmtpSender { relay, mailbox, from, idle: Mutex::default() })
    }

    async fn attempt(&self, message: &Outgoing) -> Outcome {
        let composed =
            compose(message, &self.mailbox).and_then(|mail| Ok((mail, compose::address(&message.to)?)));
        let (mail, to) = match composed {
            Ok(composed) => composed,
            Err(error) => return Outcome::Refused { code: "compose".into(), reason: error.to_string() },
        };
        let mut relay = match timeout(self.relay.timeout, self.prepare(&mail, to)).await {
            Ok(Ok(relay)) => relay,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return retry("timeout", "the relay did not answer in time".into()),
        };
        match timeout(self.relay.answer_timeout, relay.message(&mail)).await {
            Ok(Ok(_)) => {
                self.keep(relay).await;
                let reference = message.thread.as_ref().map_or("", |thread| &thread.reference);
                Outcome::Sent {
                    provider_id: reference::message_id(&message.key, reference, self.from.domain()),
                }
            }
            Ok(Err(error)) => refusal(&error).unwrap_or(Outcome::Unknown { reason: error.to_string() }),
            Err(_) => Outcome::Unknown { reason: "the relay did not answer the message in time".into() },
        }
    }

    /// A connection on which the relay waits for this message.
    async fn prepare(&self, mail: &[u8], to: Address) -> Result<AsyncSmtpConnection, Outcome> {
        let mut relay = match self.idle_connection().await {
            Some(relay) => relay,
            // What is said here is about the connection or our configuration, not about this message.
            None => self.connect().await.map_err(|error| retry(&code(&error), error.to_string()))?,
        };
        let utf8 = [&self.from, &to]
            .into_iter()
            .any(|address| !address.user().is_ascii() || !address.domain().is_ascii());
        let offers = |extension| relay.server_info().supports_feature(extension);
        let mut parameters = Vec::new();
        match (utf8, offers(Extension::SmtpUtfEight)) {
            (true, false) => {
                let reason = "the relay takes no addresses beyond ASCII".into();
                return Err(Outcome::Refused { code: "smtputf8".into(), reason });
            }
            (true, true) => parameters.push(MailParameter::SmtpUtfEight),
            (false, _) => {}
        }
        if !mail.is_ascii() && offers(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let envelope = async {
            relay.command(Mail::new(Some(self.from.clone()), parameters)).await?;
            relay.command(Rcpt::new(to, Vec::new())).await?;
            relay.command(Data).await
        };
        match envelope.await {
            Ok(_) => Ok(relay),
            Err(error) => Err(refusal(&error).unwrap_or_else(|| retry("connection", error.to_string()))),
        }
    }

    async fn idle_connection(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut relay, since) = self.idle.lock().await.pop()?;
            if since.elapsed() < MAX_IDLE_TIME && relay.test_connected().await {
                return Some(relay);
            }
        }
    }

    async fn keep(&self, relay: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().await;
        if idle.len() < self.relay.max_idle {
            idle.push((relay, Instant::now()));
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let hello = ClientId::Domain(self.relay.hello.clone());
        let tls = || TlsParameters::new(self.relay.host.clone());
        let implicit = if self.relay.tls == RelayTls::Implicit { Some(tls()?) } else { None };
        let server = (self.relay.host.as_str(), self.relay.port);
        let limit = Some(self.relay.timeout);
        let mut relay = AsyncSmtpConnection::connect_tokio1(server, limit, &hello, implicit, None).await?;
        let upgrade = match self.relay.tls {
            RelayTls::None | RelayTls::Implicit => false,
            RelayTls::IfOffered => relay.can_starttls(),
            RelayTls::Required => true,
        };
        if upgrade {
            relay.starttls(tls()?, &hello).await?;
        }
        if let Some((user, password)) = &self.relay.credentials {
            relay.auth(DEFAULT_MECHANISMS, &Credentials::new(user.clone(), password.clone())).await?;
        }
        Ok(relay)
    }
}

#[async_trait]
impl Sender for SmtpSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let outcome = self.attempt(message).await;
        metrics::attempted(&outcome);
        outcome
    }
}

/// What a negative reply to this message means; None if there was no reply.
fn refusal(error: &Error) -> Option<Outcome> {
    let code = error.status()?.to_string();
    let reason = error.to_string();
    Some(if error.is_permanent() { Outcome::Refused { code, reason } } else { retry(&code, reason) })
}

fn retry(code: &str, reason: String) -> Outcome {
    Outcome::Retry { code: code.into(), reason, after: None }
}

fn code(error: &Error) -> String {
    error.status().map_or_else(|| "connection".into(), |code| code.to_string())
}
