//! A message centre in this process, which does what a script says. Its units are those of the channel's own codec, so
//! what the octets are is asked of others' programs elsewhere.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use channels::smpp::pdu::{self, Frame, Mode, Pdu, Short};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// What the message centre does about a submitted message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Taken,
    Status(u32),
    /// It is taken, and nothing is answered.
    Silence,
    /// It is taken, and the connection is cut before the answer.
    Cut,
}

/// Asked for each message, by its number from 0.
pub(crate) type Script = Arc<dyn Fn(usize, &Short) -> Reply + Send + Sync>;

pub(crate) struct Smsc {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    script: Script,
    password: &'static str,
    /// Messages that count as taken, in order.
    taken: Mutex<Vec<Short>>,
    keep: bool,
    submitted: AtomicUsize,
    binds: AtomicUsize,
    unbound: AtomicUsize,
    /// Signs of life that were asked for, and whether they are answered.
    enquired: AtomicUsize,
    deaf: std::sync::atomic::AtomicBool,
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Connection {
    mode: Mode,
    outgoing: mpsc::UnboundedSender<Frame>,
    waiting: Mutex<HashMap<u32, oneshot::Sender<u32>>>,
    sequence: AtomicU32,
    cut: CancellationToken,
}

impl Drop for Smsc {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut();
    }
}

pub(crate) fn taking() -> Script {
    Arc::new(|_, _| Reply::Taken)
}

impl Smsc {
    pub(crate) async fn start(script: Script) -> Smsc {
        Smsc::start_keeping(script, true).await
    }

    /// `keep`: what was submitted can be asked for.
    pub(crate) async fn start_keeping(script: Script, keep: bool) -> Smsc {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script,
            password: "secret",
            taken: Mutex::default(),
            keep,
            submitted: AtomicUsize::new(0),
            binds: AtomicUsize::new(0),
            unbound: AtomicUsize::new(0),
            enquired: AtomicUsize::new(0),
            deaf: false.into(),
            connections: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let (ours, until) = (shared.clone(), stop.clone());
        tokio::spawn(async move {
            while let Some(Ok((socket, _))) = until.run_until_cancelled(listener.accept()).await {
                socket.set_nodelay(true).unwrap();
                let (reader, writer) = socket.into_split();
                tokio::spawn(ours.clone().serve(reader, writer));
            }
        });
        Smsc { address, shared, stop }
    }

    pub(crate) fn taken(&self) -> Vec<Short> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub(crate) fn submitted(&self) -> usize {
        self.shared.submitted.load(Ordering::SeqCst)
    }

    pub(crate) fn binds(&self) -> usize {
        self.shared.binds.load(Ordering::SeqCst)
    }

    pub(crate) fn unbound(&self) -> usize {
        self.shared.unbound.load(Ordering::SeqCst)
    }

    pub(crate) fn connected(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    pub(crate) fn enquired(&self) -> usize {
        self.shared.enquired.load(Ordering::SeqCst)
    }

    /// Answers nothing any more, as if the line were dead.
    pub(crate) fn be_deaf(&self, deaf: bool) {
        self.shared.deaf.store(deaf, Ordering::SeqCst);
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.shared.connections.lock().unwrap().drain(..).for_each(|connection| connection.cut.cancel());
    }

    /// Delivers a message over a bind that receives, and yields the status that it was answered with; none if the
    /// connection ended before.
    pub(crate) async fn deliver(&self, short: Short) -> Option<u32> {
        self.request(Pdu::DeliverSm(Box::new(short))).await
    }

    pub(crate) async fn request(&self, pdu: Pdu) -> Option<u32> {
        let connection = loop {
            let found = self.shared.connections.lock().unwrap().iter().find(|it| it.mode.receives()).cloned();
            match found {
                Some(connection) => break connection,
                None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        let sequence = connection.sequence.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        connection.waiting.lock().unwrap().insert(sequence, answer);
        connection.outgoing.send(Frame::new(sequence, pdu)).ok()?;
        answered.await.ok()
    }
}

impl Shared {
    async fn serve<R, W>(self: Arc<Self>, mut reader: R, writer: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let mut received = BytesMut::with_capacity(64 * 1024);
        let (outgoing, to_write) = mpsc::unbounded_channel();
        let cut = CancellationToken::new();
        tokio::spawn(cut.clone().run_until_cancelled_owned(write(writer, to_write)));
        let mut bound: Option<Arc<Connection>> = None;
        let reading = async {
            loop {
                while let Ok(Some(unit)) = pdu::next(&mut received) {
                    let frame = Frame::read(&unit).expect("the client writes whole units");
                    if !self.heard(frame, &outgoing, &cut, &mut bound) {
                        return;
                    }
                }
                received.reserve(64 * 1024);
                if !matches!(reader.read_buf(&mut received).await, Ok(1..)) {
                    return;
                }
            }
        };
        cut.run_until_cancelled(reading).await;
        cut.cancel();
        if let Some(bound) = bound {
            self.connections.lock().unwrap().retain(|it| !Arc::ptr_eq(it, &bound));
            bound.waiting.lock().unwrap().clear();
        }
    }

    /// False when the connection is over.
    fn heard(
        &self,
        frame: Frame,
        outgoing: &mpsc::UnboundedSender<Frame>,
        cut: &CancellationToken,
        bound: &mut Option<Arc<Connection>>,
    ) -> bool {
        let answer = |status, pdu| {
            let _ = outgoing.send(Frame { status, sequence: frame.sequence, pdu });
        };
        if self.deaf.load(Ordering::SeqCst) {
            self.enquired.fetch_add(usize::from(frame.pdu == Pdu::EnquireLink), Ordering::SeqCst);
            return true;
        }
        match frame.pdu {
            Pdu::Bind(mode, bind) => {
                self.binds.fetch_add(1, Ordering::SeqCst);
                if bind.password != self.password {
                    answer(0x0e, Pdu::BindResp(mode, Bytes::new()));
                    return true;
                }
                answer(0, Pdu::BindResp(mode, Bytes::from_static(b"smsc")));
                let connection = Arc::new(Connection {
                    mode,
                    outgoing: outgoing.clone(),
                    waiting: Mutex::default(),
                    sequence: AtomicU32::new(1),
                    cut: cut.clone(),
                });
                *bound = Some(connection.clone());
                self.connections.lock().unwrap().push(connection);
            }
            Pdu::SubmitSm(short) => {
                let number = self.submitted.fetch_add(1, Ordering::SeqCst);
                let reply = (self.script)(number, &short);
                if self.keep && !matches!(reply, Reply::Status(_)) {
                    self.taken.lock().unwrap().push(*short);
                }
                match reply {
                    Reply::Taken => answer(0, Pdu::SubmitSmResp(Bytes::from(format!("{number:X}")))),
                    Reply::Status(status) => answer(status, Pdu::SubmitSmResp(Bytes::new())),
                    Reply::Silence => {}
                    Reply::Cut => return false,
                }
            }
            Pdu::EnquireLink => {
                self.enquired.fetch_add(1, Ordering::SeqCst);
                answer(0, Pdu::EnquireLinkResp);
            }
            Pdu::Unbind => {
                self.unbound.fetch_add(1, Ordering::SeqCst);
                answer(0, Pdu::UnbindResp);
            }
            pdu if pdu.is_response() => {
                let waiting =
                    bound.as_ref().and_then(|it| it.waiting.lock().unwrap().remove(&frame.sequence));
                waiting.into_iter().for_each(|waiting| {
                    let _ = waiting.send(frame.status);
                });
            }
            _ => answer(3, Pdu::GenericNack),
        }
        true
    }
}

async fn write<W: AsyncWrite + Unpin>(mut writer: W, mut outgoing: mpsc::UnboundedReceiver<Frame>) {
    let mut octets = BytesMut::with_capacity(64 * 1024);
    while let Some(frame) = outgoing.recv().await {
        frame.write(&mut octets);
        while octets.len() < 64 * 1024
            && let Ok(frame) = outgoing.try_recv()
        {
            frame.write(&mut octets);
        }
        if writer.write_all(&octets).await.is_err() {
            return;
        }
        octets.clear();
    }
}
