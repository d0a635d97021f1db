//! The listener that mail servers hand messages to: SMTP (RFC 5321) and LMTP (RFC 2033) in one implementation.
//!
//! ```text
//! accept (limits) ─▶ session (order of commands) ─▶ data (dots, end) ─▶ normalize ─▶ Intake ─▶ 250
//!                        └── command, wire (lines, pipelining, time limits, STARTTLS)
//! ```
//!
//! It takes mail for known mailboxes only, so it relays nothing. A message is answered 250 once the intake has
//! made it durable for every inbox it is for; until then the client keeps it. The bytes are kept exactly as they
//! came, without a trace header of ours: a mail handed over again must be the same mail.

mod command;
mod data;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::session::{BLOCK, Session, Shared, TIMES};
use self::wire::Wire;
use super::metrics;
use crate::Intake;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Smtp,
    /// One answer a recipient; for a mail server on the same machine or network.
    Lmtp,
}

impl Protocol {
    /// The name it has in a configuration and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Lmtp => "lmtp",
        }
    }

    fn greeting(self) -> &'static str {
        match self {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        }
    }

    fn wrong_greeting(self) -> &'static str {
        match self {
            Protocol::Smtp => "500 5.5.1 This is SMTP: say EHLO",
            Protocol::Lmtp => "500 5.5.1 This is LMTP: say LHLO",
        }
    }
}

/// Which mailboxes there are.
pub trait Mailboxes: Send + Sync + 'static {
    /// The inbox that a bare, lower-case address belongs to. Addresses with a tag (`support+x@…`) are asked for as
    /// they are first, then without the tag.
    fn inbox(&self, address: &str) -> Option<String>;
}

/// How a listener works and what it allows.
#[derive(Clone, Debug)]
pub struct Config {
    pub protocol: Protocol,
    /// The name it greets with.
    pub hostname: String,
    /// Offered by STARTTLS when there.
    pub tls: Option<Arc<ServerConfig>>,
    /// Octets of one message.
    pub max_message: usize,
    /// Octets of memory that all messages on their way in may take at one time, beyond 64 KiB each; at least what one of the
    /// longest takes. What would exceed it waits, and is then asked to come back.
    pub max_memory: usize,
    /// For memory to be free.
    pub memory_timeout: Duration,
    pub max_recipients: usize,
    pub max_connections: usize,
    pub max_connections_per_peer: usize,
    /// Mails over one connection.
    pub max_messages: usize,
    /// Replies to errors before a connection is closed.
    pub max_errors: usize,
    /// For one command to arrive, or a reply to be taken.
    pub command_timeout: Duration,
    /// For one message to arrive.
    pub message_timeout: Duration,
    /// For the intake to make a message durable.
    pub intake_timeout: Duration,
    /// For running deliveries to finish when the listener stops.
    pub drain_timeout: Duration,
}

impl Config {
    /// The limits of a usual mail server; RFC 5321 section 4.5.3 says how little is too little.
    pub fn new(protocol: Protocol, hostname: impl Into<String>) -> Self {
        const MIB: usize = 1024 * 1024;
        Config {
            protocol,
            hostname: hostname.into(),
            tls: None,
            max_message: 25 * MIB,
            max_memory: 256 * MIB,
            memory_timeout: Duration::from_secs(30),
            max_recipients: 100,
            max_connections: 1000,
            max_connections_per_peer: 100,
            max_messages: 1000,
            max_errors: 20,
            command_timeout: Duration::from_secs(300),
            message_timeout: Duration::from_secs(600),
            intake_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// Serves until `stop`; then takes no more connections, lets running deliveries finish, and returns.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    mailboxes: Arc<dyn Mailboxes>,
    intake: Arc<dyn Intake>,
    stop: CancellationToken,
) {
    metrics::describe();
    let drain = config.drain_timeout;
    let largest = config.max_message.saturating_mul(TIMES) + BLOCK;
    let blocks = (config.max_memory.max(largest) / BLOCK).min(Semaphore::MAX_PERMITS);
    let memory = Arc::new(Semaphore::new(blocks));
    let places = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
    let peers = Peers::default();
    let shared = Arc::new(Shared { config, mailboxes, intake, memory, stop: stop.clone() });
    let (sessions, overdue) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others must leave first.
                tracing::warn!(%error, "cannot accept a mail client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let place = places.clone().try_acquire_owned().ok();
        let seat = peers.enter(peer.ip(), shared.config.max_connections_per_peer);
        let (Some(place), Some(seat)) = (place, seat) else {
            turn_away(stream, &shared.config);
            continue;
        };
        let (shared, overdue) = (shared.clone(), overdue.clone());
        sessions.spawn(async move {
            let _held = (place, seat, metrics::Connection::opened(shared.config.protocol));
            // Replies are written whole; waiting for more of them would only delay.
            let _ = stream.set_nodelay(true);
            let wire = Wire::new(stream, shared.config.command_timeout);
            tokio::select! {
                () = overdue.cancelled() => {}
                ended = Session::new(shared, peer.ip()).run(wire) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, %peer, "mail client lost");
                    }
                }
            }
        });
    }
    drop(listener);
    sessions.close();
    if tokio::time::timeout(drain, sessions.wait()).await.is_err() {
        tracing::warn!(open = sessions.len(), "mail clients cut off: they did not finish in time");
        overdue.cancel();
        sessions.wait().await;
    }
}

fn turn_away(stream: TcpStream, config: &Config) {
    metrics::turned_away(config.protocol);
    // Without waiting: if it does not fit the socket's empty buffer, the client learns by the close.
    let _ = stream.try_write(format!("421 4.7.0 {} Too many connections\r\n", config.hostname).as_bytes());
}

/// How many connections each client has.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

struct Seat {
    peers: Peers,
    peer: IpAddr,
}

impl Peers {
    fn enter(&self, peer: IpAddr, limit: usize) -> Option<Seat> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = peers.entry(peer).or_default();
        if *open >= limit {
            return None;
        }
        *open += 1;
        Some(Seat { peers: self.clone(), peer })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut peers = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = peers.get_mut(&self.peer) {
            *open -= 1;
            if *open == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}
