//! One connection, from greeting to good-bye: the order of commands, and what they come to.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::command::{self, Command};
use super::data::Decoder;
use super::wire::{Line, Wire};
use super::{Config, Mailboxes, Protocol};
use crate::email::metrics::{self, Received};
use crate::email::{Client, Envelope, normalize, reference};
use crate::{Fact, Intake, Malformed, Refused};

/// What all sessions of a listener share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) mailboxes: Arc<dyn Mailboxes>,
    pub(super) intake: Arc<dyn Intake>,
    /// Permits for blocks of memory that messages on their way in may take.
    pub(super) memory: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
}

/// What one permit of memory allows. Messages that are no longer need none.
pub(super) const BLOCK: usize = 64 * 1024;
/// What a message takes at most while it is read, encoded and sealed, by its length.
pub(super) const TIMES: usize = 4;
/// A larger message is read on a thread of its own, so that no other connection waits for it.
const READ_ASIDE: usize = 256 * 1024;

pub(super) struct Session {
    shared: Arc<Shared>,
    peer: IpAddr,
    /// The name that the client gave itself; none before it did.
    helo: Option<String>,
    encrypted: bool,
    transaction: Option<Transaction>,
    messages: usize,
    errors: usize,
}

/// A mail between MAIL and the end of its DATA.
#[derive(Default)]
struct Transaction {
    sender: String,
    /// What the client said.
    size: usize,
    recipients: Vec<Recipient>,
}

struct Recipient {
    address: String,
    inbox: String,
}

enum Next {
    Continue,
    Close,
    StartTls,
}

/// What DATA brought.
enum Data {
    Message(Bytes, Option<OwnedSemaphorePermit>),
    Refused(Received),
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, peer: IpAddr) -> Self {
        Session { shared, peer, helo: None, encrypted: false, transaction: None, messages: 0, errors: 0 }
    }

    /// Serves one client until it leaves, fails or the listener stops.
    pub(super) async fn run(mut self, mut wire: Wire) -> io::Result<()> {
        wire.reply(&format!(
            "220 {} {} ready",
            self.shared.config.hostname,
            self.shared.config.protocol.greeting()
        ));
        loop {
            let stop = self.shared.stop.clone();
            let line = tokio::select! {
                biased;
                // Between commands only; replies of the last ones leave first.
                () = stop.cancelled(), if !wire.has_line() => {
                    wire.reply("421 4.3.2 Shutting down, come back");
                    break;
                }
                line = wire.line() => line,
            };
            let line = match line {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    wire.reply("421 4.4.2 Nothing came for too long");
                    break;
                }
                line => line?,
            };
            let next = match line {
                Line::End => return Ok(()),
                Line::Text(line) => match command::parse(&line) {
                    Ok(command) => self.command(command, &mut wire).await?,
                    Err(reply) => self.mistake(&mut wire, reply),
                },
                Line::TooLong => self.mistake(&mut wire, "500 5.5.2 Line too long"),
                Line::NotUtf8 => self.mistake(&mut wire, "500 5.5.2 Not UTF-8"),
                Line::BareLf => {
                    wire.reply("521 5.5.2 Bare LF received: lines end in CR LF");
                    Next::Close
                }
            };
            match next {
                Next::Continue => {}
                Next::Close => break,
                Next::StartTls => {
                    wire.flush().await?;
                    let Some(tls) = self.shared.config.tls.clone() else { break };
                    wire = wire.start_tls(tls).await?;
                    // RFC 3207 section 4.2: what was said before is forgotten.
                    (self.encrypted, self.helo, self.transaction) = (true, None, None);
                }
            }
        }
        wire.close().await;
        Ok(())
    }

    async fn command(&mut self, command: Command, wire: &mut Wire) -> io::Result<Next> {
        let protocol = self.shared.config.protocol;
        match command {
            Command::Helo(name) if protocol == Protocol::Smtp => {
                self.greet(name);
                wire.reply(&format!("250 {}", self.shared.config.hostname));
            }
            Command::Ehlo(name) if protocol == Protocol::Smtp => self.extensions(name, wire),
            Command::Lhlo(name) if protocol == Protocol::Lmtp => self.extensions(name, wire),
            Command::Mail { from, size } => return Ok(self.mail(from, size, wire)),
            Command::Rcpt(to) => return Ok(self.rcpt(to, wire)),
            Command::Data => return self.data(wire).await,
            Command::Rset => {
                self.transaction = None;
                wire.reply("250 2.0.0 Forgotten");
            }
            Command::Noop => wire.reply("250 2.0.0 Here"),
            // RFC 5321 section 3.5.3: says neither yes nor no.
            Command::Vrfy => wire.reply("252 2.1.5 Send some mail and see"),
            Command::Help => wire.reply("214 2.0.0 RFC 5321 tells all"),
            Command::Quit => {
                wire.reply("221 2.0.0 Good-bye");
                return Ok(Next::Close);
            }
            Command::StartTls if self.shared.config.tls.is_some() && !self.encrypted => {
                if !wire.is_quiet() {
                    wire.reply("554 5.5.1 Nothing may follow STARTTLS before its answer");
                    return Ok(Next::Close);
                }
                wire.reply("220 2.0.0 Go ahead");
                return Ok(Next::StartTls);
            }
            Command::Helo(_) | Command::Ehlo(_) | Command::Lhlo(_) => {
                return Ok(self.mistake(wire, protocol.wrong_greeting()));
            }
            Command::StartTls | Command::Unknown => {
                return Ok(self.mistake(wire, "502 5.5.1 Unknown command"));
            }
        }
        Ok(Next::Continue)
    }

    fn greet(&mut self, name: String) {
        (self.helo, self.transaction) = (Some(name), None);
    }

    fn extensions(&mut self, name: String, wire: &mut Wire) {
        self.greet(name);
        let config = &self.shared.config;
        wire.reply(&format!("250-{}", config.hostname));
        wire.reply("250-PIPELINING");
        wire.reply(&format!("250-SIZE {}", config.max_message));
        wire.reply("250-8BITMIME");
        wire.reply("250-SMTPUTF8");
        if config.tls.is_some() && !self.encrypted {
            wire.reply("250-STARTTLS");
        }
        wire.reply("250 ENHANCEDSTATUSCODES");
    }

    /// A reply to a client's error. One that makes too many of them is cut off.
    fn mistake(&mut self, wire: &mut Wire, reply: &str) -> Next {
        self.errors += 1;
        if self.errors > self.shared.config.max_errors {
            wire.reply("421 4.7.0 Too many errors");
            return Next::Close;
        }
        wire.reply(reply);
        Next::Continue
    }

    fn mail(&mut self, sender: String, size: Option<u64>, wire: &mut Wire) -> Next {
        let config = &self.shared.config;
        if self.helo.is_none() {
            return self.mistake(wire, "503 5.5.1 Greet first");
        }
        if self.transaction.is_some() {
            return self.mistake(wire, "503 5.5.1 One mail at a time");
        }
        if self.messages >= config.max_messages {
            wire.reply("421 4.7.0 Enough for one connection");
            return Next::Close;
        }
        if size.is_some_and(|size| size > config.max_message as u64) {
            metrics::received(config.protocol, Received::TooLarge);
            return self.mistake(wire, TOO_LARGE);
        }
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        self.transaction = Some(Transaction { sender, size, recipients: Vec::new() });
        wire.reply("250 2.1.0 Sender noted");
        Next::Continue
    }

    fn rcpt(&mut self, address: String, wire: &mut Wire) -> Next {
        let inbox = self.inbox(&address);
        let Some(transaction) = &mut self.transaction else {
            return self.mistake(wire, "503 5.5.1 MAIL comes first");
        };
        let Some(inbox) = inbox else {
            metrics::recipient_refused(self.shared.config.protocol);
            return self.mistake(wire, NO_MAILBOX);
        };
        if transaction.recipients.len() >= self.shared.config.max_recipients {
            wire.reply("452 4.5.3 Too many recipients, send the rest in another mail");
            return Next::Continue;
        }
        transaction.recipients.push(Recipient { address, inbox });
        wire.reply("250 2.1.5 Recipient noted");
        Next::Continue
    }

    /// The inbox of a mailbox, whatever the tag in its address.
    fn inbox(&self, address: &str) -> Option<String> {
        let mailboxes = &self.shared.mailboxes;
        mailboxes.inbox(address).or_else(|| mailboxes.inbox(&reference::without_tag(address)?))
    }

    async fn data(&mut self, wire: &mut Wire) -> io::Result<Next> {
        let Some(transaction) = self.transaction.take_if(|of| !of.recipients.is_empty()) else {
            // RFC 2033 section 4.2 wants 503 of LMTP, too.
            return Ok(self.mistake(wire, "503 5.5.1 No valid recipients"));
        };
        let protocol = self.shared.config.protocol;
        let Some(memory) = self.reserve(transaction.size).await else {
            metrics::received(protocol, Received::NoMemory);
            wire.reply(reply_to(Received::NoMemory));
            return Ok(Next::Continue);
        };
        wire.reply("354 End with CR LF . CR LF");
        wire.flush().await?;
        self.messages += 1;
        let arrived = match self.receive(wire, transaction.size, memory).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                metrics::received(protocol, Received::Broken);
                wire.reply("421 4.4.2 The message took too long");
                return Ok(Next::Close);
            }
            Err(error) => {
                metrics::received(protocol, Received::Broken);
                return Err(error);
            }
            Ok(arrived) => arrived,
        };
        let started = Instant::now();
        let outcomes = match arrived {
            Data::Refused(outcome) => vec![outcome; transaction.recipients.len()],
            Data::Message(raw, memory) => {
                let outcomes = self.deliver(&transaction, raw).await;
                drop(memory);
                outcomes
            }
        };
        metrics::answered(protocol, started.elapsed());
        // SMTP has one reply for all recipients. If any inbox could not take the mail the client must come back:
        // those that have it already will know it again.
        let worst = outcomes.iter().copied().max().unwrap_or(Received::Unavailable);
        metrics::received(protocol, worst);
        match protocol {
            Protocol::Smtp => wire.reply(reply_to(worst)),
            Protocol::Lmtp => outcomes.iter().for_each(|outcome| wire.reply(reply_to(*outcome))),
        }
        Ok(Next::Continue)
    }

    /// Memory for a message of this length, as soon as there is that much; none if there is not for too long.
    async fn reserve(&self, size: usize) -> Option<Option<OwnedSemaphorePermit>> {
        let blocks = blocks_for(size);
        if blocks == 0 {
            return Some(None);
        }
        let memory = self.shared.memory.clone().acquire_many_owned(blocks);
        timeout(self.shared.config.memory_timeout, memory).await.ok()?.ok().map(Some)
    }

    /// Reads a message to its end, whatever its fate: what the client sends is not to be taken for commands.
    async fn receive(
        &self,
        wire: &mut Wire,
        size: usize,
        mut memory: Option<OwnedSemaphorePermit>,
    ) -> io::Result<Data> {
        let deadline = Instant::now() + self.shared.config.message_timeout;
        let (mut decoder, mut message) = (Decoder::default(), Vec::with_capacity(size));
        let mut refused = None;
        let mut ended = false;
        while !ended {
            ended = wire.data(&mut decoder, &mut message, deadline).await?;
            if message.len() > self.shared.config.max_message {
                refused.get_or_insert(Received::TooLarge);
            }
            let held = memory.as_ref().map_or(0, |held| held.num_permits());
            let more = blocks_for(message.len()).saturating_sub(u32::try_from(held).unwrap_or(u32::MAX));
            if refused.is_none() && more > 0 {
                match (self.shared.memory.clone().try_acquire_many_owned(more), &mut memory) {
                    (Ok(more), Some(held)) => held.merge(more),
                    (Ok(more), None) => memory = Some(more),
                    (Err(_), _) => refused = Some(Received::NoMemory),
                }
            }
            if refused.is_some() {
                (memory, message) = (None, Vec::new());
            }
        }
        if decoder.bare_lf {
            refused.get_or_insert(Received::BareLf);
        }
        Ok(match refused {
            Some(outcome) => Data::Refused(outcome),
            None => Data::Message(message.into(), memory),
        })
    }

    /// Hands the mail to each inbox once; returns what became of it for each recipient.
    async fn deliver(&self, transaction: &Transaction, mut raw: Bytes) -> Vec<Received> {
        let mut outcomes: Vec<(&str, Received)> = Vec::new();
        let inboxes: BTreeSet<&str> = transaction.recipients.iter().map(|it| it.inbox.as_str()).collect();
        for recipient in &transaction.recipients {
            let inbox = recipient.inbox.as_str();
            if !outcomes.iter().any(|(done, _)| *done == inbox) {
                // The last one has it alone, and can let it go once it is encoded.
                let is_last = outcomes.len() + 1 == inboxes.len();
                let raw = if is_last { std::mem::take(&mut raw) } else { raw.clone() };
                let of_inbox = transaction.recipients.iter().filter(|other| other.inbox == inbox);
                let envelope = Envelope {
                    sender: transaction.sender.clone(),
                    recipients: of_inbox.map(|recipient| recipient.address.clone()).collect(),
                    client: self.helo.clone().map(|helo| Client { ip: self.peer, helo }),
                };
                outcomes.push((inbox, self.hand_over(inbox, envelope, raw).await));
            }
        }
        let outcome = |recipient: &Recipient| outcomes.iter().find(|(inbox, _)| *inbox == recipient.inbox);
        transaction.recipients.iter().filter_map(|of| outcome(of).map(|(_, outcome)| *outcome)).collect()
    }

    async fn hand_over(&self, inbox: &str, envelope: Envelope, raw: Bytes) -> Received {
        let facts = match read(inbox.to_owned(), envelope, raw.clone()).await {
            Ok(facts) => facts,
            Err(malformed) => {
                tracing::info!(inbox, %malformed, "mail refused");
                return Received::Empty;
            }
        };
        let accept = self.shared.intake.accept(inbox, facts, Some(raw));
        match timeout(self.shared.config.intake_timeout, accept).await {
            Ok(Ok(())) => Received::Accepted,
            Ok(Err(Refused::UnknownInbox(_))) => Received::UnknownInbox,
            Ok(Err(Refused::Unavailable(reason))) => {
                tracing::warn!(inbox, reason, "mail not taken now");
                Received::Unavailable
            }
            Err(_) => {
                tracing::warn!(inbox, "mail not taken: the log did not answer in time");
                Received::Unavailable
            }
        }
    }
}

fn blocks_for(size: usize) -> u32 {
    match size {
        0..=BLOCK => 0,
        more => u32::try_from(more.saturating_mul(TIMES).div_ceil(BLOCK)).unwrap_or(u32::MAX),
    }
}

async fn read(inbox: String, envelope: Envelope, raw: Bytes) -> Result<Vec<Fact>, Malformed> {
    if raw.len() < READ_ASIDE {
        return normalize(Some(&inbox), &raw, Some(&envelope));
    }
    let aside = tokio::task::spawn_blocking(move || normalize(Some(&inbox), &raw, Some(&envelope)));
    aside.await.unwrap_or_else(|error| Err(Malformed { what: "message", reason: error.to_string() }))
}

const TOO_LARGE: &str = "552 5.3.4 Message too large";
const NO_MAILBOX: &str = "550 5.1.1 No such mailbox here";

fn reply_to(outcome: Received) -> &'static str {
    match outcome {
        Received::Accepted => "250 2.0.0 Kept",
        Received::Empty => "554 5.6.0 The message is empty",
        Received::BareLf => "550 5.5.2 Bare LF received: lines end in CR LF",
        Received::TooLarge => TOO_LARGE,
        Received::UnknownInbox => NO_MAILBOX,
        Received::NoMemory => "452 4.3.1 Too much mail at once, come back",
        Received::Unavailable | Received::Broken => "451 4.3.0 Cannot keep it now, come back",
    }
}
