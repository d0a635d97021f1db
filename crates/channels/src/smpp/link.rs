//! One bound connection: a window of requests under way, answers by their sequence numbers, and signs of life.
//!
//! ```text
//! submit ─▶ window ─▶ outgoing ─▶ writer ─▶ socket ─▶ reader ─▶ answers ─▶ submit
//!                                                          └──▶ what was delivered ─▶ Inbound
//! ```
//!
//! When it ends, every request is told whether it had left: one that had may have been taken.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use log::clock;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{Semaphore, mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{
    inbound::Delivered,
    pdu::{self, Bind, Frame, Mode, Pdu, Short},
    status,
};

/// Units that wait to be written. Whoever adds another waits.
const OUTGOING: usize = 1_024;
/// Octets that are written at once, about.
const WRITTEN_AT_ONCE: usize = 64 * 1024;
/// For the message centre's goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// The side of a link that others hold.
pub(super) struct Link {
    outgoing: mpsc::Sender<Frame>,
    window: Semaphore,
    waiting: Mutex<Waiting>,
    sequence: AtomicU32,
    /// Units received.
    heard: AtomicU64,
    /// When it ended, in milliseconds since the epoch; 0 while it has not.
    ended: AtomicI64,
    patience: Duration,
}

#[derive(Default)]
struct Waiting {
    requests: HashMap<u32, Request>,
    is_closed: bool,
}

struct Request {
    answer: oneshot::Sender<Answer>,
    has_left: bool,
}

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Told {
        status: u32,
        pdu: Pdu,
    },
    /// It never left.
    NotSent,
    /// It left, and nobody answered; why.
    Unknown(&'static str),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the message centre closed the connection")]
    Closed,
    #[error("the message centre unbound")]
    Unbound,
    #[error("no answer to enquire_link")]
    Silent,
    #[error("what came cannot be read on: {0}")]
    Lie(#[from] pdu::Lie),
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    #[error("we stop")]
    Stopped,
}

/// Why a bind failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBound {
    #[error("no answer to the bind")]
    Silent,
    #[error("the message centre refuses the bind: {}", status::name(*.0))]
    Refused(u32),
    #[error("{0}")]
    Ended(#[from] Ended),
}

impl NotBound {
    /// Nothing gets better until somebody acts.
    pub(super) fn is_credentials(&self) -> bool {
        matches!(self, NotBound::Refused(status) if status::is_credentials(*status))
    }
}

/// A connection that the message centre has accepted as ours.
pub(super) struct Bound<R, W> {
    pub(super) link: Arc<Link>,
    reader: R,
    received: BytesMut,
    writer: W,
    outgoing: mpsc::Receiver<Frame>,
}

/// Binds on a fresh connection. `patience` is for the answers to come; how long this may take is for the caller to bound.
pub(super) async fn bind<R, W>(
    mut reader: R,
    mut writer: W,
    mode: Mode,
    bind: Bind,
    window: usize,
    patience: Duration,
) -> Result<Bound<R, W>, NotBound>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut octets = BytesMut::new();
    Frame::new(1, Pdu::Bind(mode, bind)).write(&mut octets);
    writer.write_all(&octets).await.map_err(Ended::from)?;
    let mut received = BytesMut::with_capacity(WRITTEN_AT_ONCE);
    let answered = async {
        loop {
            while let Some(unit) = pdu::next(&mut received).map_err(Ended::from)? {
                match Frame::read(&unit) {
                    Ok(Frame { status: status::OK, pdu: Pdu::BindResp(..), .. }) => return Ok(()),
                    Ok(Frame { status, pdu: Pdu::BindResp(..) | Pdu::GenericNack, .. }) => {
                        return Err(NotBound::Refused(status));
                    }
                    // Some begin to talk before they answer; what they say they will say again.
                    _ => {}
                }
            }
            if reader.read_buf(&mut received).await.map_err(Ended::from)? == 0 {
                return Err(Ended::Closed.into());
            }
        }
    };
    answered.await?;
    let (sender, outgoing) = mpsc::channel(OUTGOING);
    let link = Link {
        outgoing: sender,
        window: Semaphore::new(window),
        waiting: Mutex::default(),
        sequence: AtomicU32::new(2),
        heard: AtomicU64::new(0),
        ended: AtomicI64::new(0),
        patience,
    };
    Ok(Bound { link: Arc::new(link), reader, received, writer, outgoing })
}

impl Link {
    /// Sends a message once there is room in the window, and waits for its answer.
    pub(super) async fn submit(&self, short: Short) -> Answer {
        let Ok(_place) = self.window.acquire().await else { return Answer::NotSent };
        self.request(Pdu::SubmitSm(Box::new(short))).await
    }

    /// Room in the window, for choosing among links.
    pub(super) fn room(&self) -> usize {
        self.window.available_permits()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) != 0
    }

    /// When it ended; none while it has not.
    pub(super) fn ended_at(&self) -> Option<i64> {
        Some(self.ended.load(Ordering::Acquire)).filter(|at| *at != 0)
    }

    /// Answers a request of the message centre. One that has no connection left needs none: it will ask again.
    pub(super) async fn answer(&self, sequence: u32, status: u32, pdu: Pdu) {
        let _ = self.outgoing.send(Frame { status, sequence, pdu }).await;
    }

    async fn request(&self, pdu: Pdu) -> Answer {
        // Sequence numbers end at 0x7fffffff (§3.2).
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) & 0x7fff_ffff;
        let (answer, answered) = oneshot::channel();
        {
            let waiting = &mut *self.waiting();
            if waiting.is_closed {
                return Answer::NotSent;
            }
            waiting.requests.insert(sequence, Request { answer, has_left: false });
        }
        // A failure is told below: whoever closes the channel answers what waits.
        let _ = self.outgoing.send(Frame::new(sequence, pdu)).await;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answer::Unknown("the connection ended"),
            Err(_) => match self.waiting().requests.remove(&sequence) {
                // It waits in our own queue, and may leave yet.
                Some(_) => Answer::Unknown("no answer in time"),
                None => Answer::Unknown("the answer came just too late"),
            },
        }
    }

    fn told(&self, frame: Frame) {
        let request = self.waiting().requests.remove(&frame.sequence);
        // One that is not waited for any more came too late.
        if let Some(request) = request {
            let _ = request.answer.send(Answer::Told { status: frame.status, pdu: frame.pdu });
        }
    }

    /// Nothing is sent any more; who waits is told.
    fn close(&self) {
        self.ended.store(clock::now(), Ordering::Release);
        self.window.close();
        let waiting = {
            let waiting = &mut *self.waiting();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.requests)
        };
        for Request { answer, has_left } in waiting.into_values() {
            let told = if has_left { Answer::Unknown("the connection ended") } else { Answer::NotSent };
            let _ = answer.send(told);
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R, W> Bound<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    /// Serves the link until it ends, one way or another.
    pub(super) async fn run(
        self,
        delivered: &mpsc::Sender<Delivered>,
        enquire: Duration,
        stop: &CancellationToken,
    ) -> Ended {
        let Bound { link, mut reader, mut received, mut writer, mut outgoing } = self;
        // Whatever ends this, also a drop from outside: nobody waits for answers that cannot come.
        let _closes = Closes(link.clone());
        let ended = tokio::select! {
            ended = read(&link, &mut reader, &mut received, delivered) => ended,
            Err(error) = write(&link, &mut writer, &mut outgoing) => Ended::Broken(error),
            () = silence(&link, enquire) => Ended::Silent,
            () = stop.cancelled() => Ended::Stopped,
        };
        if matches!(ended, Ended::Stopped | Ended::Unbound | Ended::Silent) {
            let last = if matches!(ended, Ended::Stopped) {
                // What is under way may still be answered.
                let goodbye = link.request(Pdu::Unbind);
                let reading = read(&link, &mut reader, &mut received, delivered);
                let writing = write(&link, &mut writer, &mut outgoing);
                let all = async {
                    tokio::select! { _ = goodbye => {} _ = reading => {} _ = writing => {} }
                };
                tokio::time::timeout(FAREWELL, all).await.is_ok()
            } else {
                // The answer to their unbind.
                tokio::time::timeout(FAREWELL, write_waiting(&link, &mut writer, &mut outgoing)).await.is_ok()
            };
            tracing::debug!(last, "said goodbye");
        }
        let _ = writer.shutdown().await;
        ended
    }
}

struct Closes(Arc<Link>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn read<R: AsyncRead + Unpin>(
    link: &Arc<Link>,
    reader: &mut R,
    received: &mut BytesMut,
    delivered: &mpsc::Sender<Delivered>,
) -> Ended {
    loop {
        loop {
            match pdu::next(received) {
                Ok(Some(unit)) => {
                    link.heard.fetch_add(1, Ordering::Relaxed);
                    if let Some(ended) = heard(link, unit, delivered).await {
                        return ended;
                    }
                }
                Ok(None) => break,
                Err(lie) => {
                    link.answer(0, status::INVALID_COMMAND_LENGTH, Pdu::GenericNack).await;
                    return lie.into();
                }
            }
        }
        received.reserve(WRITTEN_AT_ONCE);
        match reader.read_buf(received).await {
            Ok(0) => return Ended::Closed,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

async fn heard(link: &Arc<Link>, unit: Bytes, delivered: &mpsc::Sender<Delivered>) -> Option<Ended> {
    let frame = match Frame::read(&unit) {
        Ok(frame) => frame,
        Err(flaw) => {
            tracing::warn!(%flaw, "a unit that cannot be read");
            if matches!(flaw.command, pdu::command::DELIVER_SM | pdu::command::DATA_SM) {
                // Kept as it is.
                let one = Delivered { link: link.clone(), sequence: flaw.sequence, unit, short: Err(flaw) };
                let _ = delivered.send(one).await;
            } else if flaw.command & 0x8000_0000 == 0 {
                link.answer(flaw.sequence, status::INVALID_COMMAND_LENGTH, Pdu::GenericNack).await;
            }
            return None;
        }
    };
    let sequence = frame.sequence;
    match frame.pdu {
        Pdu::DeliverSm(short) => {
            let one = Delivered { link: link.clone(), sequence, unit, short: Ok((short, false)) };
            // Without its receiver we are about to stop, and the message centre keeps what it gets no answer to.
            let _ = delivered.send(one).await;
        }
        Pdu::DataSm(short) => {
            let one = Delivered { link: link.clone(), sequence, unit, short: Ok((short, true)) };
            let _ = delivered.send(one).await;
        }
        Pdu::EnquireLink => link.answer(sequence, status::OK, Pdu::EnquireLinkResp).await,
        Pdu::Unbind => {
            link.answer(sequence, status::OK, Pdu::UnbindResp).await;
            return Some(Ended::Unbound);
        }
        Pdu::AlertNotification => {}
        pdu if pdu.is_response() => link.told(Frame { pdu, ..frame }),
        Pdu::Bind(..) => link.answer(sequence, status::ALREADY_BOUND, Pdu::GenericNack).await,
        _ => link.answer(sequence, status::INVALID_COMMAND, Pdu::GenericNack).await,
    }
    None
}

/// Writes what there is, as much at once as waits.
async fn write<W: AsyncWrite + Unpin>(
    link: &Link,
    writer: &mut W,
    outgoing: &mut mpsc::Receiver<Frame>,
) -> std::io::Result<()> {
    let mut octets = BytesMut::with_capacity(WRITTEN_AT_ONCE);
    let mut requests = Vec::new();
    // The link holds a sender, so there is always another.
    while let Some(frame) = outgoing.recv().await {
        let mut next = Some(frame);
        while let Some(frame) = next.take() {
            if !frame.pdu.is_response() {
                requests.push(frame.sequence);
            }
            frame.write(&mut octets);
            next = if octets.len() < WRITTEN_AT_ONCE { outgoing.try_recv().ok() } else { None };
        }
        leave(link, &mut requests);
        writer.write_all(&octets).await?;
        writer.flush().await?;
        octets.clear();
    }
    Ok(())
}

async fn write_waiting<W: AsyncWrite + Unpin>(
    link: &Link,
    writer: &mut W,
    outgoing: &mut mpsc::Receiver<Frame>,
) -> std::io::Result<()> {
    let (mut octets, mut requests) = (BytesMut::new(), Vec::new());
    while let Ok(frame) = outgoing.try_recv() {
        // Only answers: a new request would not get one.
        if frame.pdu.is_response() {
            frame.write(&mut octets);
        }
    }
    leave(link, &mut requests);
    writer.write_all(&octets).await?;
    writer.flush().await
}

/// From here on these may have been taken.
fn leave(link: &Link, requests: &mut Vec<u32>) {
    if !requests.is_empty() {
        let waiting = &mut *link.waiting();
        for sequence in requests.drain(..) {
            if let Some(request) = waiting.requests.get_mut(&sequence) {
                request.has_left = true;
            }
        }
    }
}

/// Yields once nothing was heard, not even an answer to `enquire_link`.
async fn silence(link: &Link, every: Duration) {
    let mut heard = 0;
    loop {
        tokio::time::sleep(every).await;
        let now = link.heard.load(Ordering::Relaxed);
        if now != heard {
            heard = now;
            continue;
        }
        if !matches!(link.request(Pdu::EnquireLink).await, Answer::Told { .. })
            && link.heard.load(Ordering::Relaxed) == heard
        {
            return;
        }
        heard = link.heard.load(Ordering::Relaxed);
    }
}
