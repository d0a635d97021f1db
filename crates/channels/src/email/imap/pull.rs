//! The reading of one mailbox: from its mark to its end, and then whatever comes, until it is stopped.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::delivery::{Command, Decider, MailboxMark};
use domain::{Channel, InboxId, Intake as Input, Lane, Origin, Route, TenantId, Timestamp};
use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use log::clock;
use runtime::Post;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::access::Tokens;
use super::batch::{Listed, batches, is_wanted, uid_set};
use super::metrics::{self, Became, Open};
use super::session::{Opened, Session};
use super::{Error, Limits, Mailbox, Start};
use crate::email::normalize;
use crate::{Fact, FactKind, Intake, Refused};

/// Messages that are made durable at a time, so that they share the log's commits.
const AT_ONCE: usize = 64;
/// UIDs of which one command asks the sizes. Where few of them are messages, more are asked for.
const WINDOW: (u32, u32) = (1_000, 65_536);
/// A larger message is read on a thread of its own, so that nothing else waits for it.
const READ_ASIDE: usize = 256 * 1024;
/// More than so many UIDs behind, an operator is told how far it has come, this often.
const LONG_WAY: u32 = 500;
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The marks of one reign, by which a pull goes on that is begun anew under it.
pub(super) type Marks = Arc<Mutex<std::collections::BTreeMap<InboxId, MailboxMark>>>;

pub(super) struct Pull {
    pub(super) tenant: TenantId,
    pub(super) inbox: InboxId,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) tokens: Tokens,
    pub(super) post: Post,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) marks: Marks,
    pub(super) limits: Limits,
}

impl Pull {
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut pause = self.limits.pause.0;
        loop {
            let began = Instant::now();
            let error = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                ended = self.read_on() => match ended {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
            };
            let inbox = &self.inbox;
            let is_refused = matches!(error, Error::Refused(_));
            metrics::failed(is_refused);
            if began.elapsed() > self.limits.pause.1 {
                pause = self.limits.pause.0;
            }
            let wait = if is_refused { self.limits.refused_pause } else { jittered(pause) };
            let again = wait.as_secs_f32();
            if is_refused {
                tracing::error!(%inbox, error = &error as &dyn std::error::Error, again, "a mailbox is not read: its user or password is not right; it is tried at once when the setting changes");
            } else {
                tracing::warn!(%inbox, error = &error as &dyn std::error::Error, again, "a mailbox is not read for now");
                pause = (pause * 2).min(self.limits.pause.1);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Until something goes wrong.
    async fn read_on(&self) -> Result<std::convert::Infallible, Error> {
        let Mailbox { place, access, roots } = &*self.mailbox;
        let mut session = Session::open(place, access, &self.tokens, &self.limits, roots.as_ref()).await?;
        let opened = session.examine(&place.folder).await?;
        let (top, mark) = (opened.last, self.mark(opened).await?);
        let mut reading = Reading { pull: self, session, open: Open::new(), told: mark.through, mark, top };
        tracing::info!(inbox = %self.inbox, through = reading.mark.through, "a mailbox is open");
        loop {
            reading.catch_up().await?;
            reading.session.wait().await?;
        }
    }

    /// Where the reading of the folder begins.
    async fn mark(&self, opened: Opened) -> Result<MailboxMark, Error> {
        let place = &self.mailbox.place;
        let name = place.mailbox();
        let known = self.marks.lock().unwrap_or_else(PoisonError::into_inner).get(&self.inbox).cloned();
        let known = known.filter(|known| *known.mailbox == *name);
        let last = opened.last;
        let mark = match known {
            Some(mark) if mark.validity == opened.validity => return Ok(mark),
            Some(mark) => {
                tracing::warn!(inbox = %self.inbox, was = mark.validity, is = opened.validity, "the server counts the messages anew: the folder is read again, and what is known already is known again");
                MailboxMark { validity: opened.validity, through: 0, sifted_through: last, ..mark }
            }
            None => {
                let now = Timestamp(clock::now());
                let (since, through) = match place.start {
                    Start::New => (now, last),
                    Start::All => (Timestamp(i64::MIN), 0),
                    Start::From(day) => (day, 0),
                };
                let mailbox = name.into();
                MailboxMark { mailbox, validity: opened.validity, through, since, sifted_through: last }
            }
        };
        // Before anything is read: what comes from now on must not be taken for what was there before.
        self.keep(&mark).await?;
        Ok(mark)
    }

    /// Makes the mark durable.
    async fn keep(&self, mark: &MailboxMark) -> Result<(), Error> {
        let lane = Lane { inbox: self.inbox.clone(), number: 0 };
        let input = Input::Input {
            origin: Origin::Report,
            at: Timestamp(clock::now()),
            tenant: self.tenant.clone(),
            policy_version: 0,
            command: Command::MarkMailbox { inbox: self.inbox.clone(), mark: mark.clone() },
        };
        self.post.report::<Decider>(&Route::Lane(lane), &input).await.map_err(Error::Mark)?;
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).insert(self.inbox.clone(), mark.clone());
        Ok(())
    }

    async fn hand_over(&self, uid: u32, raw: Bytes) -> Result<(), Error> {
        if raw.len() > self.limits.max_message {
            // The server told another size than it is.
            return self
                .leave_word(raw.slice(..head_of(&raw)), too_large(self.limits.max_message), Became::TooLarge)
                .await;
        }
        match read(self.inbox.to_string(), raw.clone()).await {
            Some(facts) => self.accept(facts, raw, Became::Kept).await,
            None => {
                tracing::info!(inbox = %self.inbox, uid, "a message of a mailbox is empty");
                metrics::message(Became::Empty);
                Ok(())
            }
        }
    }

    /// A fact about a message whose text we do not have, so that somebody sees that it is there.
    async fn leave_word(&self, header: Bytes, reason: String, became: Became) -> Result<(), Error> {
        let inbox = self.inbox.to_string();
        let mut facts = read(inbox.clone(), header.clone()).await.unwrap_or_default();
        if facts.is_empty() {
            facts.push(Fact::new(FactKind::Unknown, Channel::Email, &*inbox, ""));
        }
        for fact in &mut facts {
            (fact.kind, fact.text, fact.reason) = (FactKind::Unknown, None, Some(reason.clone()));
        }
        self.accept(facts, header, became).await
    }

    async fn accept(&self, facts: Vec<Fact>, raw: Bytes, became: Became) -> Result<(), Error> {
        let accept = self.intake.accept(self.inbox.as_str(), facts, Some(raw));
        match timeout(self.limits.intake, accept).await {
            Ok(Ok(())) => {
                metrics::message(became);
                Ok(())
            }
            Ok(Err(Refused::Unavailable(reason))) => Err(Error::Intake(reason)),
            Ok(Err(refused @ Refused::UnknownInbox(_))) => Err(Error::Intake(refused.to_string())),
            Err(_) => Err(Error::Intake("the log did not answer in time".into())),
        }
    }
}

/// A mailbox that is open, and how far it was read.
struct Reading<'a> {
    pull: &'a Pull,
    session: Session,
    open: Open,
    mark: MailboxMark,
    /// How far the log knows.
    told: u32,
    /// The last UID there was when the folder was opened.
    top: u32,
}

impl Reading<'_> {
    /// Reads until there is nothing new.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let limits = self.pull.limits.clone();
        let mut window = WINDOW.0;
        let mut progress = Progress::begin(&self.pull.inbox, self.behind());
        while let Some(first) = self.mark.through.checked_add(1) {
            // What came since is little, and asked for in one.
            let is_since = first > self.top;
            let last =
                if is_since { u32::MAX } else { self.top.min(self.mark.through.saturating_add(window)) };
            let (listed, told_of_more) = self.session.list(first, last).await?;
            let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
            let wanted: Vec<Listed> = listed.into_iter().filter(|it| is_wanted(it, &self.mark)).collect();
            for batch in batches(&wanted, &limits) {
                self.read(&batch).await?;
                if let Some(message) = batch.last() {
                    self.through(message.uid).await?;
                }
                progress.tell(&self.mark, self.behind());
            }
            if !is_since {
                // No message will ever come to have one of these (RFC 3501 section 2.3.1.1).
                self.mark.through = last;
                self.open.behind(self.behind());
                window = if count < window / 2 { window.saturating_mul(2).min(WINDOW.1) } else { WINDOW.0 };
            } else if count == 0 && !told_of_more {
                break;
            }
        }
        self.through(self.mark.through).await?;
        progress.end(&self.mark);
        Ok(())
    }

    fn behind(&self) -> u32 {
        self.top.saturating_sub(self.mark.through)
    }

    /// All up to here is durable.
    async fn through(&mut self, uid: u32) -> Result<(), Error> {
        self.mark.through = uid;
        self.open.behind(self.behind());
        if self.told < uid {
            self.pull.keep(&self.mark).await?;
            self.told = uid;
        }
        Ok(())
    }

    /// Makes a batch durable, each message of it.
    async fn read(&mut self, batch: &[Listed]) -> Result<(), Error> {
        if let [message] = batch
            && message.size > self.pull.limits.max_message
        {
            let reason = too_large(self.pull.limits.max_message);
            return self.word_of(message.uid, reason, Became::TooLarge).await;
        }
        let mut missing: Vec<u32> = batch.iter().map(|message| message.uid).collect();
        match self.fetch(&mut missing).await {
            Ok(()) => {}
            // It may refuse one of them, and be asked for each alone.
            Err(Error::Answer { .. }) => {}
            Err(error) => return Err(error),
        }
        for uid in std::mem::take(&mut missing) {
            self.read_alone(uid).await?;
        }
        Ok(())
    }

    /// What did not come with the others: it is gone by now, or the server will not give it.
    async fn read_alone(&mut self, uid: u32) -> Result<(), Error> {
        let mut missing = vec![uid];
        let refused = match self.fetch(&mut missing).await {
            Ok(()) if missing.is_empty() => return Ok(()),
            Ok(()) => "it does not come when it is asked for".to_owned(),
            Err(Error::Answer { reason, .. }) => reason,
            Err(error) => return Err(error),
        };
        let (listed, _) = self.session.list(uid, uid).await?;
        if listed.is_empty() {
            metrics::message(Became::Gone);
            return Ok(());
        }
        let inbox = &self.pull.inbox;
        tracing::error!(%inbox, uid, refused, "the server does not give a message of a mailbox; it is noted, and the rest is read");
        self.word_of(uid, format!("the mail server does not give this message: {refused}"), Became::Withheld)
            .await
    }

    /// Keeps the header of a message and why it is not read, or at least that there is one.
    async fn word_of(&mut self, uid: u32, reason: String, became: Became) -> Result<(), Error> {
        let header = async {
            let mut bodies = self.session.header(uid).await?;
            let mut header = Bytes::new();
            while let Some((_, bytes)) = bodies.next().await? {
                header = bytes;
            }
            Ok(header)
        };
        let header = match header.await {
            Ok(header) => header,
            Err(Error::Answer { .. }) => Bytes::new(),
            Err(error) => return Err(error),
        };
        let place = format!("message {uid} of {}", self.mark.mailbox);
        let header =
            if header.is_empty() { Bytes::from(format!("X-Not-Read: {place}\r\n\r\n")) } else { header };
        self.pull.leave_word(header, format!("{reason} ({place})"), became).await
    }

    /// Fetches these messages and hands over each as it comes. What is left in `missing` did not come.
    async fn fetch(&mut self, missing: &mut Vec<u32>) -> Result<(), Error> {
        let pull = self.pull;
        let mut bodies = self.session.messages(&uid_set(missing.iter().copied())).await?;
        let mut under_way = FuturesUnordered::new();
        let mut refused = None;
        loop {
            let come = tokio::select! {
                biased;
                Some(kept) = under_way.next(), if !under_way.is_empty() => {
                    kept?;
                    continue;
                }
                come = bodies.next(), if under_way.len() < AT_ONCE => come,
            };
            match come {
                Ok(Some((uid, raw))) => {
                    // Some servers say a thing twice.
                    if let Some(at) = missing.iter().position(|it| *it == uid) {
                        missing.remove(at);
                        under_way.push(pull.hand_over(uid, raw).boxed());
                    }
                }
                Ok(None) => break,
                Err(error @ Error::Answer { .. }) => {
                    refused = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        while let Some(kept) = under_way.next().await {
            kept?;
        }
        refused.map_or(Ok(()), Err)
    }
}

/// Tells an operator of a long way.
struct Progress<'a> {
    inbox: &'a InboxId,
    is_long: bool,
    last: Instant,
}

impl<'a> Progress<'a> {
    fn begin(inbox: &'a InboxId, behind: u32) -> Self {
        let is_long = behind > LONG_WAY;
        if is_long {
            tracing::info!(%inbox, behind, "a mailbox has much to read");
        }
        Progress { inbox, is_long, last: Instant::now() }
    }

    fn tell(&mut self, mark: &MailboxMark, behind: u32) {
        if self.is_long && self.last.elapsed() >= TOLD_EVERY {
            self.last = Instant::now();
            tracing::info!(inbox = %self.inbox, through = mark.through, behind, "reading a mailbox");
        }
    }

    fn end(self, mark: &MailboxMark) {
        if self.is_long {
            tracing::info!(inbox = %self.inbox, through = mark.through, "a mailbox is read to its end");
        }
    }
}

/// None for a message that holds nothing at all.
async fn read(inbox: String, raw: Bytes) -> Option<Vec<Fact>> {
    if raw.len() < READ_ASIDE {
        return normalize(Some(&inbox), &raw, None).ok();
    }
    tokio::task::spawn_blocking(move || normalize(Some(&inbox), &raw, None).ok()).await.ok().flatten()
}

/// Where the header ends, or what of it is enough.
fn head_of(raw: &[u8]) -> usize {
    let end = raw.windows(4).take(64 * 1024).position(|four| four == b"\r\n\r\n");
    end.map_or(raw.len().min(64 * 1024), |end| end + 4)
}

fn too_large(most: usize) -> String {
    format!("it is larger than {} MB, and stays in the mailbox", most / 1_000_000)
}

/// Between half of the span and the whole, so that many mailboxes of one server do not come back at once.
fn jittered(span: Duration) -> Duration {
    let dice = RandomState::new().hash_one(span);
    span / 2 + span * u32::from(dice.to_le_bytes()[0]) / 512
}
