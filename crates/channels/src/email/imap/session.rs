//! One connection to a mail server, with its folder open for reading only (EXAMINE): the few things that are asked there,
//! each within its time.
//!
//! Fetching goes by single responses and not by `async-imap`'s streams: these end alike whether the server said OK or NO,
//! and what a server refuses must not pass for what is not there.

use std::fmt;
use std::future::Future;
use std::io;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use async_imap::imap_proto::{AttributeValue, MailboxDatum, RequestId, Response, Status};
use async_imap::{Client, error::Error as Imap, extensions::idle::IdleResponse, types::UnsolicitedResponse};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{RootCertStore, pki_types::ServerName};

use super::access::{Access, Sasl, Tokens};
use super::batch::Listed;
use super::{Error, Limits, Place, Tls, place};
use crate::tls;

/// So much of a message that is too large is fetched: its header.
const MOST_OF_A_HEADER: usize = 64 * 1024;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}

type Conversation = async_imap::Session<Box<dyn Stream>>;

/// A folder as it is when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opened {
    pub(super) validity: u32,
    /// The UID of the last message there was; 0 where there was none.
    pub(super) last: u32,
}

pub(super) struct Session {
    /// None only while it waits in IDLE, or after that failed.
    imap: Option<Conversation>,
    limits: Limits,
    can_idle: bool,
    /// The server told of messages since this was last asked for.
    told_of_more: bool,
}

impl Session {
    /// Connected and logged in.
    pub(super) async fn open(
        place: &Place,
        access: &Access,
        tokens: &Tokens,
        limits: &Limits,
        roots: Option<&Arc<RootCertStore>>,
    ) -> Result<Session, Error> {
        let connecting = connect(place, roots);
        let client = within(limits.answer, "connect", connecting).await?;
        let logging_in = log_in(client, place, access, tokens);
        let mut imap = within(limits.answer, "log in", logging_in).await?;
        let capabilities = imap.capabilities();
        let capabilities =
            within(limits.answer, "ask what it can", told("ask what it can", capabilities)).await?;
        let can_idle = capabilities.has_str("IDLE");
        Ok(Session { imap: Some(imap), limits: limits.clone(), can_idle, told_of_more: false })
    }

    pub(super) fn can_idle(&self) -> bool {
        self.can_idle
    }

    /// Opens the folder so that nothing in it is changed by reading.
    pub(super) async fn examine(&mut self, folder: &str) -> Result<Opened, Error> {
        const OPERATION: &str = "open the folder";
        let folder = place::folder_on_the_wire(folder);
        let limit = self.limits.answer;
        let imap = self.imap(OPERATION)?;
        let opened = within(limit, OPERATION, told(OPERATION, imap.examine(&folder))).await?;
        let validity = opened.uid_validity.ok_or_else(|| Error::Answer {
            operation: OPERATION,
            reason: "it has no UIDVALIDITY, so its messages cannot be told apart for long".into(),
        })?;
        let last = match opened.uid_next {
            Some(next) => next.saturating_sub(1),
            // An old server, which does not tell.
            None => self.list(1, u32::MAX).await?.0.last().map_or(0, |message| message.uid),
        };
        Ok(Opened { validity, last })
    }

    /// The messages of these UIDs, in their order, and whether the server told of new ones meanwhile: these may be
    /// missing.
    pub(super) async fn list(&mut self, first: u32, last: u32) -> Result<(Vec<Listed>, bool), Error> {
        self.told_of_more = false;
        let command = format!("UID FETCH {first}:{last} (UID RFC822.SIZE INTERNALDATE)");
        let mut listed = Vec::new();
        let mut answer = self.ask("list messages", &command, self.limits.answer).await?;
        while let Some(fetched) = answer.next().await? {
            // Without its size it is a word about flags, which servers put in wherever they like.
            if let Fetched { uid: Some(uid), size: Some(size), arrived, .. } = fetched
                && (first..=last).contains(&uid)
            {
                listed.push(Listed { uid, size, arrived });
            }
        }
        listed.sort_unstable_by_key(|message| message.uid);
        listed.dedup_by_key(|message| message.uid);
        Ok((listed, self.told_of_more))
    }

    /// Begins to fetch these messages whole, or the beginning of each that is longer than the limit.
    pub(super) async fn messages(&mut self, set: &str) -> Result<Bodies<'_>, Error> {
        let most = self.limits.max_message.saturating_add(1);
        let command = format!("UID FETCH {set} (UID BODY.PEEK[]<0.{most}>)");
        Ok(Bodies(self.ask("fetch messages", &command, self.limits.message).await?))
    }

    /// Begins to fetch the header of one message.
    pub(super) async fn header(&mut self, uid: u32) -> Result<Bodies<'_>, Error> {
        let command = format!("UID FETCH {uid} (UID BODY.PEEK[HEADER]<0.{MOST_OF_A_HEADER}>)");
        Ok(Bodies(self.ask("fetch a header", &command, self.limits.answer).await?))
    }

    /// Until the server tells of a change, or so long that it is time to ask.
    pub(super) async fn wait(&mut self) -> Result<(), Error> {
        const OPERATION: &str = "wait for mail";
        let limit = self.limits.answer;
        if !self.can_idle {
            tokio::time::sleep(self.limits.poll).await;
            let imap = self.imap(OPERATION)?;
            return within(limit, OPERATION, told(OPERATION, imap.noop())).await;
        }
        self.forget_news();
        let Some(imap) = self.imap.take() else { return Err(Error::Lost { operation: OPERATION }) };
        let news = imap.unsolicited_responses.clone();
        let mut idle = imap.idle();
        within(limit, OPERATION, told(OPERATION, idle.init())).await?;
        let has_come = iter::from_fn(|| news.try_recv().ok())
            .any(|it| matches!(it, UnsolicitedResponse::Exists(_) | UnsolicitedResponse::Recent(_)));
        if has_come {
            // Told before the server had begun to wait, and so never told again.
            self.imap = Some(within(limit, OPERATION, told(OPERATION, idle.done())).await?);
            return Ok(());
        }
        let (change, _interrupt) = idle.wait_with_timeout(self.limits.idle);
        // Its own time limit begins anew with each sign of life.
        if let Ok(changed) = timeout(self.limits.idle, change).await {
            match changed {
                Ok(IdleResponse::NewData(_) | IdleResponse::Timeout | IdleResponse::ManualInterrupt) => {}
                Err(error) => return Err(failure(OPERATION, error)),
            }
        }
        self.imap = Some(within(limit, OPERATION, told(OPERATION, idle.done())).await?);
        self.forget_news();
        Ok(())
    }

    /// What the library kept of what the server said aside. A look at the mailbox follows in any case.
    fn forget_news(&mut self) {
        let Some(imap) = &self.imap else { return };
        while imap.unsolicited_responses.try_recv().is_ok() {}
    }

    fn imap(&mut self, operation: &'static str) -> Result<&mut Conversation, Error> {
        self.imap.as_mut().ok_or(Error::Lost { operation })
    }

    async fn ask(
        &mut self,
        operation: &'static str,
        command: &str,
        each: Duration,
    ) -> Result<Answer<'_>, Error> {
        self.forget_news();
        let limit = self.limits.answer;
        let imap = self.imap(operation)?;
        let tag = within(limit, operation, told(operation, imap.run_command(command))).await?;
        Ok(Answer { session: self, tag, operation, each })
    }
}

/// The responses to one command. Read to its end; what is dropped before that leaves the connection of no use.
struct Answer<'a> {
    session: &'a mut Session,
    tag: RequestId,
    operation: &'static str,
    /// For one response to arrive.
    each: Duration,
}

impl Answer<'_> {
    /// What the server says of the next message; none once it has said that this was all.
    async fn next(&mut self) -> Result<Option<Fetched>, Error> {
        let operation = self.operation;
        loop {
            let imap = self.session.imap.as_mut().ok_or(Error::Lost { operation })?;
            let read = async { imap.read_response().await.map_err(|error| broken(operation, &error)) };
            let response = within(self.each, operation, read).await?.ok_or(Error::Lost { operation })?;
            match response.parsed() {
                Response::Done { tag, status: Status::Ok, .. } if *tag == self.tag => return Ok(None),
                Response::Done { tag, code, information, .. } if *tag == self.tag => {
                    let code = code.as_ref().map(|code| format!(" ({code:?})")).unwrap_or_default();
                    let reason = information.as_deref().unwrap_or("it does not say why");
                    return Err(Error::Answer { operation, reason: format!("{reason}{code}") });
                }
                Response::Data { status: Status::Bye, .. } => return Err(Error::Lost { operation }),
                Response::MailboxData(MailboxDatum::Exists(_)) => self.session.told_of_more = true,
                Response::Fetch(_, attributes) => return Ok(Some(Fetched::of(attributes))),
                _ => {}
            }
        }
    }
}

/// What a server says of one message, in one response.
#[derive(Default)]
struct Fetched {
    uid: Option<u32>,
    size: Option<usize>,
    arrived: Option<i64>,
    /// The section that was asked for.
    data: Option<Bytes>,
}

impl Fetched {
    fn of(attributes: &[AttributeValue<'_>]) -> Fetched {
        let mut fetched = Fetched::default();
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(uid) => fetched.uid = Some(*uid),
                AttributeValue::Rfc822Size(size) => fetched.size = usize::try_from(*size).ok(),
                AttributeValue::InternalDate(date) => fetched.arrived = milliseconds(date),
                AttributeValue::BodySection { data, .. } => {
                    fetched.data = data.as_deref().map(Bytes::copy_from_slice);
                }
                _ => {}
            }
        }
        fetched
    }
}

/// Messages as they arrive.
pub(super) struct Bodies<'a>(Answer<'a>);

impl Bodies<'_> {
    /// The next message with its UID; None once there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<(u32, Bytes)>, Error> {
        while let Some(fetched) = self.0.next().await? {
            if let Fetched { uid: Some(uid), data: Some(data), .. } = fetched {
                return Ok(Some((uid, data)));
            }
        }
        Ok(None)
    }
}

async fn connect(
    place: &Place,
    roots: Option<&Arc<RootCertStore>>,
) -> Result<Client<Box<dyn Stream>>, Error> {
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(Error::Connect)?;
    // Commands are written whole.
    let _ = stream.set_nodelay(true);
    match place.tls {
        Tls::None => greeted(Client::new(Box::new(stream) as Box<dyn Stream>)).await,
        Tls::Implicit => greeted(Client::new(secured(place, stream, roots).await?)).await,
        Tls::StartTls => {
            const OPERATION: &str = "begin TLS";
            let mut plain = greeted(Client::new(stream)).await?;
            told(OPERATION, plain.run_command_and_check_ok("STARTTLS", None)).await?;
            // What came before the handshake was plaintext, and is dropped with the client.
            Ok(Client::new(secured(place, plain.into_inner(), roots).await?))
        }
    }
}

async fn secured(
    place: &Place,
    stream: TcpStream,
    roots: Option<&Arc<RootCertStore>>,
) -> Result<Box<dyn Stream>, Error> {
    let roots = roots.cloned().unwrap_or_else(|| Arc::new(tls::public_roots()));
    let config = tls::client(roots).map_err(|error| Error::Tls(io::Error::other(error)))?;
    let name = ServerName::try_from(place.host.clone()).map_err(|_| Error::Name(place.host.clone()))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(Error::Tls)?;
    Ok(Box::new(stream))
}

async fn greeted<S: Stream>(mut client: Client<S>) -> Result<Client<S>, Error> {
    const OPERATION: &str = "be greeted";
    let greeting = client.read_response().await.map_err(|error| broken(OPERATION, &error))?;
    match greeting.as_ref().map(|greeting| greeting.parsed()) {
        Some(Response::Data { status: Status::Ok, .. }) => Ok(client),
        Some(Response::Data { information, .. }) => {
            let reason = information.as_deref().unwrap_or_default().to_owned();
            Err(Error::Answer { operation: OPERATION, reason })
        }
        Some(_) => Err(Error::Nonsense { operation: OPERATION }),
        None => Err(Error::Lost { operation: OPERATION }),
    }
}

async fn log_in(
    client: Client<Box<dyn Stream>>,
    place: &Place,
    access: &Access,
    tokens: &Tokens,
) -> Result<Conversation, Error> {
    let said = match access {
        Access::Password(password) => {
            // A quoted string has no place for what is beyond ASCII, and not every server has PLAIN.
            if place.user.is_ascii() && password.is_ascii() {
                client.login(&place.user, password).await
            } else {
                client.authenticate("PLAIN", Sasl::plain(&place.user, password)).await
            }
        }
        Access::Token(token) => client.authenticate("XOAUTH2", Sasl::xoauth2(&place.user, token)).await,
        Access::OAuth2(at) => {
            let token = tokens.token(at).await?;
            client.authenticate("XOAUTH2", Sasl::xoauth2(&place.user, &token)).await
        }
    };
    said.map_err(|(error, _client)| match error {
        // RFC 5530 section 3: what passes by itself.
        Imap::No(reason) if is_passing(&reason) => Error::Answer { operation: "log in", reason },
        Imap::No(reason) => {
            tokens.forget();
            Error::Refused(reason)
        }
        other => failure("log in", other),
    })
}

fn is_passing(reason: &str) -> bool {
    let reason = reason.to_ascii_uppercase();
    ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "TOO MANY"].iter().any(|word| reason.contains(word))
}

async fn within<T>(
    limit: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, work).await.unwrap_or(Err(Error::TooLong { operation }))
}

async fn told<T>(operation: &'static str, work: impl Future<Output = Result<T, Imap>>) -> Result<T, Error> {
    work.await.map_err(|error| failure(operation, error))
}

fn failure(operation: &'static str, error: Imap) -> Error {
    match error {
        Imap::No(reason) | Imap::Bad(reason) => Error::Answer { operation, reason },
        Imap::Io(error) => broken(operation, &error),
        Imap::ConnectionLost => Error::Lost { operation },
        _ => Error::Nonsense { operation },
    }
}

/// What cannot be read is told by the library with all its bytes, which may be mail: it goes no further.
fn broken(operation: &'static str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Other => Error::Nonsense { operation },
        _ => Error::Lost { operation },
    }
}

/// `22-Nov-2026 20:53:02 +0000`, in milliseconds.
fn milliseconds(text: &str) -> Option<i64> {
    let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    Some(parsed.to_timestamp().ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_servers_write_them() {
        assert_eq!(milliseconds("22-Nov-2026 20:53:02 +0000"), Some(1_795_380_782_000));
        assert_eq!(milliseconds(" 2-Nov-2026 20:53:02 +0000"), Some(1_793_652_782_000));
        assert_eq!(milliseconds("22-Nov-2026 22:53:02 +0200"), Some(1_795_380_782_000));
        assert_eq!(milliseconds("yesterday"), None);
    }
}
