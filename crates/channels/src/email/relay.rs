//! The connections to one relay, which all mailboxes that send by it share.
//!
//! A relay that cannot be reached is left alone for a while, longer each time, by everyone: a thousand messages that
//! wait do not mean a thousand connections.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::Rset;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

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

#[derive(Clone, PartialEq, Eq)]
pub struct RelayConfig {
    pub host: String,
    pub port: u16,
    pub tls: RelayTls,
    /// User and password. They are told to a relay under TLS, or on this machine, only.
    pub credentials: Option<(String, String)>,
    /// The name we greet with.
    pub hello: String,
    /// For everything before the message itself.
    pub timeout: Duration,
    /// For the message and its answer; RFC 5321 section 4.5.3.2.6 wants ten minutes.
    pub answer_timeout: Duration,
    /// Connections kept for the next message.
    pub max_idle: usize,
    /// Connections at once.
    pub max_connections: usize,
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
            max_connections: 8,
        }
    }

    fn is_here(&self) -> bool {
        let address: Option<std::net::IpAddr> = self.host.trim_matches(['[', ']']).parse().ok();
        self.host == "localhost" || address.is_some_and(|address| address.is_loopback())
    }
}

impl fmt::Debug for RelayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayConfig({}:{}, {:?})", self.host, self.port, self.tls)
    }
}

/// Idle connections older than this are closed; relays drop them after a few minutes.
const MAX_IDLE_TIME: Duration = Duration::from_secs(60);
/// Many relays end a connection after a hundred messages; we do so first.
const MESSAGES: u32 = 90;
/// A relay that could not be reached is left alone for this long, then for twice as long, …
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// For a connection to become free: an attempt that waits has been announced.
const TURN: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NoLine {
    #[error("{0}")]
    Smtp(#[from] Error),
    #[error("the relay did not answer in time")]
    TooSlow,
    #[error("the relay offers no TLS, and a password is not sent without")]
    NoTls,
    #[error("all connections to the relay are busy")]
    Busy,
    #[error("the relay could not be reached a moment ago")]
    Resting(Duration),
}

/// See above.
pub struct Relay {
    config: RelayConfig,
    idle: Mutex<Vec<(AsyncSmtpConnection, Uses)>>,
    places: Semaphore,
    trouble: Mutex<Trouble>,
}

#[derive(Clone, Copy)]
struct Uses {
    last: Instant,
    messages: u32,
}

#[derive(Default)]
struct Trouble {
    in_a_row: u32,
    until: Option<Instant>,
}

/// One connection, for one message.
pub(super) struct Line<'a> {
    pub(super) smtp: AsyncSmtpConnection,
    messages: u32,
    _place: SemaphorePermit<'a>,
}

impl Relay {
    pub fn new(config: RelayConfig) -> Self {
        let places = Semaphore::new(config.max_connections.max(1));
        Relay { config, idle: Mutex::default(), places, trouble: Mutex::default() }
    }

    pub fn config(&self) -> &RelayConfig {
        &self.config
    }

    /// A connection that lives, kept or new.
    pub(super) async fn line(&self) -> Result<Line<'_>, NoLine> {
        let place = timeout(TURN, self.places.acquire()).await;
        // The semaphore is never closed.
        let place = place.map_err(|_| NoLine::Busy)?.map_err(|_| NoLine::Busy)?;
        while let Some((mut smtp, uses)) = self.kept() {
            let fresh = uses.last.elapsed() < MAX_IDLE_TIME && uses.messages < MESSAGES;
            match timeout(self.config.timeout, smtp.test_connected()).await {
                Ok(true) if fresh => return Ok(Line { smtp, messages: uses.messages, _place: place }),
                Ok(true) => farewell(smtp),
                _ => {}
            }
        }
        self.rest()?;
        let smtp = match timeout(self.config.timeout, self.connect()).await {
            Ok(Ok(smtp)) => smtp,
            Ok(Err(error)) => return Err(self.failed(error)),
            Err(_) => return Err(self.failed(NoLine::TooSlow)),
        };
        *self.trouble() = Trouble::default();
        Ok(Line { smtp, messages: 0, _place: place })
    }

    /// Takes a connection back on which a dialogue came to its end.
    pub(super) async fn keep(&self, line: Line<'_>, reset: bool) {
        let Line { mut smtp, messages, _place } = line;
        if reset && !matches!(timeout(self.config.timeout, smtp.command(Rset)).await, Ok(Ok(_))) {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.config.max_idle && messages + 1 < MESSAGES {
            idle.push((smtp, Uses { last: Instant::now(), messages: messages + 1 }));
        } else {
            drop(idle);
            farewell(smtp);
        }
    }

    /// Connects, and lets go again: for whoever wants to know whether it could.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn try_out(&self) -> Result<(), NoLine> {
        let line = self.line().await?;
        farewell(line.smtp);
        Ok(())
    }

    fn kept(&self) -> Option<(AsyncSmtpConnection, Uses)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self) -> Result<(), NoLine> {
        let left = self.trouble().until.map(|until| until.saturating_duration_since(Instant::now()));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(NoLine::Resting(left)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: NoLine) -> NoLine {
        let trouble = &mut *self.trouble();
        let rest = (FIRST_REST * (1 << trouble.in_a_row.min(8))).min(LONGEST_REST);
        trouble.in_a_row = trouble.in_a_row.saturating_add(1);
        trouble.until = Some(Instant::now() + rest);
        error
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, NoLine> {
        let config = &self.config;
        let hello = ClientId::Domain(config.hello.clone());
        let tls = || TlsParameters::new(config.host.clone());
        let implicit = if config.tls == RelayTls::Implicit { Some(tls()?) } else { None };
        let server = (config.host.as_str(), config.port);
        let limit = Some(config.timeout);
        let mut smtp = AsyncSmtpConnection::connect_tokio1(server, limit, &hello, implicit, None).await?;
        let upgrade = match config.tls {
            RelayTls::None | RelayTls::Implicit => false,
            RelayTls::IfOffered => smtp.can_starttls(),
            RelayTls::Required => true,
        };
        if upgrade {
            smtp.starttls(tls()?, &hello).await?;
        }
        if let Some((user, password)) = &config.credentials {
            if !smtp.is_encrypted() && !config.is_here() {
                return Err(NoLine::NoTls);
            }
            smtp.auth(DEFAULT_MECHANISMS, &Credentials::new(user.clone(), password.clone())).await?;
        }
        Ok(smtp)
    }
}

/// Says goodbye, which nobody need wait for.
fn farewell(mut smtp: AsyncSmtpConnection) {
    tokio::spawn(async move { timeout(Duration::from_secs(5), smtp.quit()).await.is_ok() });
}
