//! The load: keep-alive connections that each write a request, wait for its answer, and take the next one. It is kept
//! cheap, because it shares the machine with what is measured.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

use super::{Outcome, report::percentile, webhooks::Webhooks};

pub(crate) const CONNECTIONS: usize = 64;

#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as answers come, for so long.
    Full(Duration),
    /// So many a second, from first to last, whether answers come or not; as long as a connection is free.
    PerSecond(f64),
}

/// A webhook that was answered 200.
pub(crate) struct Acknowledged {
    pub(crate) number: usize,
    /// How long it took: from when it was due, where there is a pace.
    pub(crate) took: Duration,
    pub(crate) at: Instant,
}

/// What came of a load, in no order.
pub(crate) struct Loaded {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) acknowledged: Vec<Acknowledged>,
}

impl Loaded {
    pub(crate) fn rate(&self) -> f64 {
        self.acknowledged.len() as f64 / (self.ended - self.began).as_secs_f64()
    }

    /// Sorted, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<f64> {
        let mut waits: Vec<_> = self.acknowledged.iter().map(|one| one.took.as_secs_f64() * 1e3).collect();
        waits.sort_by(f64::total_cmp);
        waits
    }

    pub(crate) fn told(&self) -> String {
        let waits = self.waits();
        format!(
            "{} in {:.1} s: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, longest {:.1} ms",
            waits.len(),
            (self.ended - self.began).as_secs_f64(),
            self.rate(),
            percentile(&waits, 50),
            percentile(&waits, 99),
            percentile(&waits, 100),
        )
    }
}

/// Writes the webhooks, in order over all connections. Any answer but 200 ends it with an error.
pub(crate) async fn load(at: SocketAddr, webhooks: &Arc<Webhooks>, pace: Pace) -> Outcome<Loaded> {
    let mut streams = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut connections = JoinSet::new();
    for stream in streams {
        let (webhooks, next) = (webhooks.clone(), next.clone());
        connections.spawn(converse(stream, webhooks, next, began, pace));
    }
    let mut acknowledged = Vec::with_capacity(webhooks.len());
    while let Some(ended) = connections.join_next().await {
        acknowledged.extend(ended??);
    }
    let ended = acknowledged.iter().map(|one| one.at).max().ok_or("nothing was acknowledged")?;
    Ok(Loaded { began, ended, acknowledged })
}

async fn converse(
    mut stream: TcpStream,
    webhooks: Arc<Webhooks>,
    next: Arc<AtomicUsize>,
    began: Instant,
    pace: Pace,
) -> Outcome<Vec<Acknowledged>> {
    let mut acknowledged = Vec::new();
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let number = next.fetch_add(1, Relaxed);
        if number >= webhooks.len() {
            return Ok(acknowledged);
        }
        let due = match pace {
            Pace::Full(within) if began.elapsed() >= within => return Ok(acknowledged),
            Pace::Full(_) => Instant::now(),
            Pace::PerSecond(rate) => began + Duration::from_secs_f64(number as f64 / rate),
        };
        if matches!(pace, Pace::PerSecond(_)) {
            tokio::time::sleep_until(due).await;
        }
        stream.write_all(webhooks.request(number)).await?;
        answered(&mut stream, &mut buffer).await?;
        let at = Instant::now();
        acknowledged.push(Acknowledged { number, took: at - due, at });
    }
}

/// Reads one answer whole, which must be 200. Yields its body.
async fn answered<'b>(stream: &mut TcpStream, buffer: &'b mut Vec<u8>) -> Outcome<&'b [u8]> {
    let body = message(stream, buffer).await?.ok_or("the connection was closed before its answer")?;
    if !buffer.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("not taken: {}", String::from_utf8_lossy(buffer)).into());
    }
    Ok(&buffer[body..])
}

/// Reads one message of HTTP/1.1 whole, one that says its length. Yields where its body begins; none at the end.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Outcome<Option<usize>> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        if buffer.len() >= head + 4 + length_of(&buffer[..head])? {
            return Ok(Some(head + 4));
        }
    }
}

fn length_of(head: &[u8]) -> Outcome<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let at = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME));
    let digits = &head[at.ok_or("a message without its length")? + NAME.len()..];
    let digits = digits.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(std::str::from_utf8(digits)?.parse()?)
}

/// One GET; the body of its answer.
pub(crate) async fn get(at: SocketAddr, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes()).await?;
    let mut buffer = Vec::new();
    Ok(String::from_utf8(answered(&mut stream, &mut buffer).await?.to_vec())?)
}

/// Stands in for the platform that messages are sent to: takes each at once, and counts them.
pub(crate) struct Platform {
    pub(crate) at: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Platform {
    pub(crate) async fn open() -> Outcome<Platform> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let platform = Platform { at: listener.local_addr()?, taken: Arc::default() };
        let taken = platform.taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, taken.clone()));
            }
        });
        Ok(platform)
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

async fn take(mut stream: TcpStream, taken: Arc<AtomicUsize>) -> Outcome<()> {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n{\"recipient_id\":\"1\",\"message_id\":\"2\"}";
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(2048);
    while message(&mut stream, &mut buffer).await?.is_some() {
        taken.fetch_add(1, Relaxed);
        stream.write_all(ANSWER).await?;
    }
    Ok(())
}
