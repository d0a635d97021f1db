//! One client's bytes as lines, and replies back. Replies to pipelined commands leave together.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::data::Decoder;

/// RFC 5321 allows 512 octets, and more with extensions; Postfix reads 2048.
const MAX_COMMAND: usize = 2048;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Text(String),
    TooLong,
    BareLf,
    NotUtf8,
    /// The client has gone.
    End,
}

pub(super) struct Wire {
    stream: Box<dyn Stream>,
    inbound: BytesMut,
    outbound: BytesMut,
    timeout: Duration,
}

impl Wire {
    /// `timeout` is for one whole command to arrive, and for replies to be taken.
    pub(super) fn new(stream: impl Stream + 'static, timeout: Duration) -> Self {
        Wire { stream: Box::new(stream), inbound: BytesMut::new(), outbound: BytesMut::new(), timeout }
    }

    pub(super) fn reply(&mut self, text: &str) {
        self.outbound.extend_from_slice(text.as_bytes());
        self.outbound.extend_from_slice(b"\r\n");
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let write = async {
            self.stream.write_all_buf(&mut self.outbound).await?;
            self.stream.flush().await
        };
        timeout_at(Instant::now() + self.timeout, write).await?
    }

    /// A whole line has arrived already.
    pub(super) fn has_line(&self) -> bool {
        self.inbound.contains(&b'\n')
    }

    /// The next command. May be dropped while it waits and called again: nothing that was read is lost.
    pub(super) async fn line(&mut self) -> io::Result<Line> {
        let deadline = Instant::now() + self.timeout;
        let mut too_long = false;
        loop {
            let within = &self.inbound[..self.inbound.len().min(MAX_COMMAND)];
            if let Some(end) = within.iter().position(|b| *b == b'\n') {
                let line = self.inbound.split_to(end + 1);
                return Ok(match line.strip_suffix(b"\r\n") {
                    _ if too_long => Line::TooLong,
                    None => Line::BareLf,
                    Some(line) => {
                        std::str::from_utf8(line).map_or(Line::NotUtf8, |line| Line::Text(line.to_owned()))
                    }
                });
            }
            if self.inbound.len() >= MAX_COMMAND {
                self.inbound.advance(MAX_COMMAND);
                too_long = true;
                continue;
            }
            if !self.outbound.is_empty() {
                self.flush().await?;
            }
            if self.read(deadline).await? == 0 {
                return Ok(Line::End);
            }
        }
    }

    /// More of a message; true once it has ended. An end of the connection before that is an error.
    pub(super) async fn data(
        &mut self,
        to: &mut Decoder,
        message: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        if self.inbound.is_empty() && self.read(deadline).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (used, ended) = to.feed(&self.inbound, message);
        self.inbound.advance(used);
        Ok(ended)
    }

    async fn read(&mut self, deadline: Instant) -> io::Result<usize> {
        self.inbound.reserve(16 * 1024);
        timeout_at(deadline, self.stream.read_buf(&mut self.inbound)).await?
    }

    /// What came before the handshake is plaintext that anyone on the way may have put there.
    pub(super) fn is_quiet(&self) -> bool {
        self.inbound.is_empty()
    }

    pub(super) async fn start_tls(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        let deadline = Instant::now() + self.timeout;
        let stream = timeout_at(deadline, TlsAcceptor::from(config).accept(self.stream)).await??;
        Ok(Wire {
            stream: Box::new(stream),
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            timeout: self.timeout,
        })
    }

    pub(super) async fn close(mut self) {
        if self.flush().await.is_ok() {
            // The client has its reply; whether it says good-bye does not matter.
            let _ = timeout_at(Instant::now() + self.timeout, self.stream.shutdown()).await;
        }
    }
}
