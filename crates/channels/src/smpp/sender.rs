//! An inbox at its message centre: binds that are kept up, and messages sent over them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::{BufMut as _, Bytes, BytesMut};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use sms::{Address, Plan};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    config::{Config, Long},
    inbound::{Delivered, Inbound, WAITING},
    link::{self, Answer, Bound, Ended, Link, NotBound},
    message,
    pace::Pace,
    pdu::{Bind, Mode, Number, Pdu, Short, Tlv, tag},
    receipt::HEADER_FIRST,
    status,
};
use crate::{Intake, Outcome, Outgoing, Profile, Sender, tls};

/// How long one attempt may take in all, waiting for its turn included.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long a message waits for a bind before it is tried again later.
const FOR_A_BIND: Duration = Duration::from_secs(5);
/// Between attempts to connect: doubling from the first to the longest, each up to half as long again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that held so long was a good one.
const GOOD: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("setting up TLS for the message centre")]
    Tls(#[source] rustls::Error),
    #[error("reading the certificates of `ca`")]
    Certificates(#[source] rustls::pki_types::pem::Error),
    #[error("{0:?} is no name that a certificate could have")]
    Name(String),
}

/// One inbox's way out, which is its way in as well: it binds as long as it lives.
pub struct Smpp {
    hub: Arc<Hub>,
    _ends: DropGuard,
}

struct Hub {
    inbox: String,
    config: Config,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Binds that send.
    links: Mutex<Vec<Arc<Link>>>,
    bound: Notify,
    pace: Pace,
    reference: AtomicU16,
}

impl Smpp {
    /// Begins to bind, and goes on until it is dropped or `stop` is cancelled. What is delivered goes to `intake`.
    ///
    /// # Errors
    /// When TLS is wanted and cannot be set up.
    pub fn start(
        inbox: &str,
        config: Config,
        profile: Profile,
        intake: Arc<dyn Intake>,
        stop: &CancellationToken,
    ) -> Result<Smpp, Error> {
        let stop = stop.child_token();
        let tls = if config.tls { Some(secured(&config)?) } else { None };
        let mut random = [0; 2];
        // Any number will do to begin with.
        let _ = getrandom::fill(&mut random);
        let hub = Arc::new(Hub {
            inbox: inbox.to_owned(),
            tls,
            links: Mutex::default(),
            bound: Notify::new(),
            pace: Pace::new(config.rate),
            reference: AtomicU16::new(u16::from_ne_bytes(random)),
            config: config.clone(),
        });
        let (sender, delivered) = mpsc::channel(WAITING);
        let modes: &[Mode] =
            if config.apart { &[Mode::Transmitter, Mode::Receiver] } else { &[Mode::Transceiver] };
        for mode in (0..config.binds).flat_map(|_| modes) {
            tokio::spawn(hub.clone().keep(*mode, sender.clone(), stop.clone()));
        }
        tokio::spawn(Inbound::new(inbox, config, profile, intake).run(delivered));
        Ok(Smpp { hub, _ends: stop.drop_guard() })
    }

    /// Binds that send, at the moment.
    pub fn binds(&self) -> usize {
        self.hub.links().len()
    }
}

fn secured(config: &Config) -> Result<(TlsConnector, ServerName<'static>), Error> {
    let mut roots = tls::public_roots();
    for certificate in CertificateDer::pem_slice_iter(config.ca.as_deref().unwrap_or_default().as_bytes()) {
        roots.add(certificate.map_err(Error::Certificates)?).map_err(Error::Tls)?;
    }
    let tls = tls::client(roots).map_err(Error::Tls)?;
    let name = ServerName::try_from(config.host.clone()).map_err(|_| Error::Name(config.host.clone()))?;
    Ok((TlsConnector::from(Arc::new(tls)), name))
}

impl Hub {
    /// Keeps one bind up.
    async fn keep(self: Arc<Self>, mode: Mode, delivered: mpsc::Sender<Delivered>, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let ended = self.once(mode, &delivered, &stop).await;
            let inbox = &self.inbox;
            let wait = match ended {
                Ok(Ended::Stopped) | Err(NotBound::Ended(Ended::Stopped)) => return,
                Ok(ended) => {
                    tracing::warn!(inbox, ?mode, %ended, "a bind ended; it is made again");
                    if began.elapsed() >= GOOD {
                        failures = 0;
                    }
                    // It lets us in: what ails it may be over soon.
                    wait(failures.min(3))
                }
                Err(error) if error.is_credentials() => {
                    tracing::error!(inbox, ?mode, %error, "check `system_id`, `password` and `system_type`");
                    LONGEST_WAIT
                }
                Err(error) => {
                    tracing::warn!(inbox, ?mode, %error, "not bound; it is tried again");
                    wait(failures)
                }
            };
            failures += 1;
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn once(
        &self,
        mode: Mode,
        delivered: &mpsc::Sender<Delivered>,
        stop: &CancellationToken,
    ) -> Result<Ended, NotBound> {
        let Config { host, port, .. } = &self.config;
        let socket =
            self.soon(TcpStream::connect((host.as_str(), *port)), stop).await?.map_err(Ended::from)?;
        // Requests are put together before they are written: none should wait for more.
        socket.set_nodelay(true).map_err(Ended::from)?;
        match &self.tls {
            None => {
                let (reader, writer) = socket.into_split();
                self.serve(reader, writer, mode, delivered, stop).await
            }
            Some((connector, name)) => {
                let stream = self.soon(connector.connect(name.clone(), socket), stop).await?;
                let (reader, writer) = tokio::io::split(stream.map_err(Ended::from)?);
                self.serve(reader, writer, mode, delivered, stop).await
            }
        }
    }

    async fn serve<R, W>(
        &self,
        reader: R,
        writer: W,
        mode: Mode,
        delivered: &mpsc::Sender<Delivered>,
        stop: &CancellationToken,
    ) -> Result<Ended, NotBound>
    where
        R: tokio::io::AsyncRead + Unpin,
        W: tokio::io::AsyncWrite + Unpin,
    {
        let Config { system_id, password, system_type, window, enquire, patience, .. } = &self.config;
        let bind = Bind {
            system_id: Bytes::copy_from_slice(system_id.as_bytes()),
            password: Bytes::copy_from_slice(password.as_bytes()),
            system_type: Bytes::copy_from_slice(system_type.as_bytes()),
            ..Bind::default()
        };
        let binding = link::bind(reader, writer, mode, bind, *window, *patience);
        let bound: Bound<R, W> = self.soon(binding, stop).await??;
        tracing::info!(inbox = self.inbox, ?mode, host = self.config.host, "bound");
        let _listed = mode.sends().then(|| Listed::new(self, bound.link.clone()));
        // `stop` is heeded within, so that the goodbye is said.
        Ok(bound.run(delivered, *enquire, stop).await)
    }

    /// What must not take longer than an answer may.
    async fn soon<T>(&self, step: impl Future<Output = T>, stop: &CancellationToken) -> Result<T, NotBound> {
        match stop.run_until_cancelled(tokio::time::timeout(self.config.patience, step)).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(_)) => Err(NotBound::Silent),
            None => Err(Ended::Stopped.into()),
        }
    }

    fn links(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bind with the most room, as soon as there is one.
    async fn link(&self, until: Instant) -> Option<Arc<Link>> {
        loop {
            let bound = self.bound.notified();
            tokio::pin!(bound);
            bound.as_mut().enable();
            let found =
                self.links().iter().filter(|link| !link.has_ended()).max_by_key(|link| link.room()).cloned();
            if found.is_some() {
                return found;
            }
            tokio::time::timeout_at(until, bound).await.ok()?;
        }
    }

    /// Sends one short message: its id, or what became of it.
    async fn submit(&self, short: &Short, until: Instant) -> Result<Bytes, Outcome> {
        loop {
            self.pace.turn().await;
            let for_a_bind = until.min(Instant::now() + FOR_A_BIND);
            let Some(link) = self.link(for_a_bind).await else {
                let reason = "there is no connection to the message centre".to_owned();
                return Err(Outcome::Retry { code: "not_bound".to_owned(), reason, after: None });
            };
            match link.submit(short.clone()).await {
                Answer::Told { status: status::OK, pdu: Pdu::SubmitSmResp(id) } => {
                    self.pace.taken();
                    return Ok(id);
                }
                Answer::Told { status: status::OK, .. } => {
                    let reason = "the answer was not to what was asked".to_owned();
                    return Err(Outcome::Unknown { reason });
                }
                Answer::Told { status, .. } if status::is_throttled(status) => {
                    self.pace.throttled();
                    if Instant::now() >= until {
                        return Err(status::outcome(status));
                    }
                }
                Answer::Told { status, .. } => return Err(status::outcome(status)),
                Answer::NotSent if Instant::now() < until => {}
                Answer::NotSent => {
                    let reason = "the connection ended before it left".to_owned();
                    return Err(Outcome::Retry { code: "not_sent".to_owned(), reason, after: None });
                }
                Answer::Unknown(reason) => return Err(Outcome::Unknown { reason: reason.to_owned() }),
            }
        }
    }

    /// The short messages that a text takes, with a receipt asked for with the last.
    fn shorts(&self, destination: Number, plan: &Plan<'_>) -> Vec<Short> {
        let reference = self.reference.fetch_add(1, Ordering::Relaxed);
        let one = Short {
            source: message::number(&self.config.from),
            destination,
            data_coding: plan.data_coding(),
            ..Short::default()
        };
        let parts = plan.octets(reference);
        let mut shorts: Vec<Short> = match self.config.long {
            Long::Header => parts
                .map(|(header, octets)| {
                    let header = header.write();
                    let esm_class = if header.is_empty() { 0 } else { HEADER_FIRST };
                    Short { esm_class, text: [header, octets].concat().into(), ..one.clone() }
                })
                .collect(),
            Long::Sar => parts.map(|(header, octets)| with_sar(&one, header, octets)).collect(),
            Long::Payload => {
                let octets: Vec<u8> = parts.flat_map(|(_, octets)| octets).collect();
                vec![match plan.segments.len() {
                    1 => Short { text: octets.into(), ..one },
                    _ => Short { tlvs: vec![Tlv { tag: tag::MESSAGE_PAYLOAD, value: octets.into() }], ..one },
                }]
            }
        };
        if let Some(last) = shorts.last_mut() {
            last.registered_delivery = 1;
        }
        shorts
    }
}

/// The part's place as TLVs; national alphabets still need a header.
fn with_sar(one: &Short, header: sms::Header, octets: Vec<u8>) -> Short {
    let rest = sms::Header { concatenation: None, ..header }.write();
    let esm_class = if rest.is_empty() { 0 } else { HEADER_FIRST };
    let mut tlvs = Vec::new();
    if let Some(part) = header.concatenation {
        let mut reference = BytesMut::new();
        reference.put_u16(part.reference);
        tlvs.push(Tlv { tag: tag::SAR_MSG_REF_NUM, value: reference.freeze() });
        tlvs.push(Tlv { tag: tag::SAR_TOTAL_SEGMENTS, value: Bytes::copy_from_slice(&[part.total]) });
        tlvs.push(Tlv { tag: tag::SAR_SEGMENT_SEQNUM, value: Bytes::copy_from_slice(&[part.number]) });
    }
    Short { esm_class, text: [rest, octets].concat().into(), tlvs, ..one.clone() }
}

/// A link that messages are sent over, as long as it serves.
struct Listed<'a>(&'a Hub, Arc<Link>);

impl<'a> Listed<'a> {
    fn new(hub: &'a Hub, link: Arc<Link>) -> Self {
        hub.links().push(link.clone());
        hub.bound.notify_waiters();
        Listed(hub, link)
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.links().retain(|link| !Arc::ptr_eq(link, &self.1));
    }
}

/// How long to wait after so many failures. Binds that ended together are not made together.
fn wait(failures: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT);
    let mut random = [0];
    let _ = getrandom::fill(&mut random);
    doubled + doubled.mul_f64(f64::from(random[0]) / 512.0)
}

#[async_trait]
impl Sender for Smpp {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let refused = |code: &str, reason: String| Outcome::Refused { code: code.to_owned(), reason };
        if !Address::read(&message.to, None).can_be_answered() {
            return refused(
                "unanswerable",
                "the sender is a name, and no number: nobody can answer it".to_owned(),
            );
        }
        let mut text = message.text.clone();
        for attachment in &message.attachments {
            // A short message holds text alone: what cannot be shown is linked.
            let Some(url) = &attachment.url else {
                return refused("unsupported", "an attachment without a URL".to_owned());
            };
            let gap = if text.is_empty() { "" } else { "\n" };
            text = format!("{text}{gap}{url}");
        }
        let plan = match self.hub.config.options.plan(&text) {
            Ok(plan) => plan,
            Err(too_long) => return refused("too_long", too_long.to_string()),
        };
        let shorts = self.hub.shorts(message::number(&message.to), &plan);
        let until = Instant::now() + ATTEMPT;
        let mut last = Bytes::new();
        for (taken, short) in shorts.iter().enumerate() {
            match self.hub.submit(short, until).await {
                Ok(id) => last = id,
                Err(outcome) if taken == 0 => return outcome,
                // Some of it is with the customer: it is neither sent nor unsent.
                Err(Outcome::Refused { code, reason } | Outcome::Dead { code, reason }) => {
                    return refused(&code, format!("after {taken} of {} parts: {reason}", shorts.len()));
                }
                Err(
                    Outcome::Retry { reason, .. }
                    | Outcome::NotYet { reason, .. }
                    | Outcome::Unknown { reason },
                ) => {
                    let reason = format!("after {taken} of {} parts: {reason}", shorts.len());
                    return Outcome::Unknown { reason };
                }
                Err(Outcome::Sent { .. }) => {}
            }
        }
        let id: String = last.iter().copied().map(char::from).collect();
        let provider_id =
            if id.trim().is_empty() { message.key.clone() } else { self.hub.config.ids.answered(&id) };
        Outcome::Sent { provider_id }
    }

    fn deduplicates(&self) -> bool {
        self.hub.config.resend
    }
}
