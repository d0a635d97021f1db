//! What a message centre delivers, on all binds of an inbox: made facts, made durable, and only then answered.
//!
//! All that waits is taken as one batch, in its order, so that many messages share a commit. A part of a message is
//! answered with its last part; if that does not come soon, with "later": the message centre keeps it, and nothing of it
//! is lost with this process. The later part of a message whose earlier ones are kept so is all that is needed.
//!
//! A delivery has no id in SMPP. One that comes again after its connection broke, and whose answer may have been lost, is
//! known by its octets; it is the same fact then.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use log::clock;
use sms::{Assembled, Assembler, Key, Limits};
use tokio::{sync::mpsc, time::Instant};

use super::{
    config::Config,
    link::Link,
    message::{self, Came, Piece},
    pdu::{Flaw, HEADER, Pdu, Short},
    status,
};
use crate::{Fact, Intake, Profile};

/// Deliveries that wait to be made facts. Behind them the sockets are not read on.
pub(super) const WAITING: usize = 1_024;
/// One batch.
const AT_ONCE: usize = 256;
/// How long a part's answer is withheld for the others to come: shorter than any message centre waits for it.
const WITHHELD: Duration = Duration::from_secs(2);
/// How long a message waits for parts before it is given out without them.
const PATIENCE: i64 = 10 * 60_000;
/// How long parts are known of what was given out: their message centres send them again.
const MEMORY: i64 = 60 * 60_000;
/// How often it is looked for what has waited too long.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Answers of the last so many deliveries, which may be lost.
const REMEMBERED: usize = 4_096;
/// An answer this long before its connection ended has arrived.
const ARRIVES_WITHIN: i64 = 30_000;
/// Until then a message centre has delivered again what it got no answer to.
const AGAIN_WITHIN: i64 = 10 * 60_000;

/// A unit that wants an answer.
pub(super) struct Delivered {
    pub(super) link: Arc<Link>,
    pub(super) sequence: u32,
    pub(super) unit: Bytes,
    /// With it, whether it came as `data_sm`.
    pub(super) short: Result<(Box<Short>, bool), Flaw>,
}

pub(super) struct Inbound {
    inbox: String,
    config: Config,
    profile: Profile,
    intake: Arc<dyn Intake>,
    parts: Assembler<Piece>,
    withheld: HashMap<Key, Vec<Withheld>>,
    answered: Answered,
}

struct Withheld {
    answer: Due,
    until: Instant,
}

/// An answer that is owed.
struct Due {
    link: Arc<Link>,
    sequence: u32,
    is_data: bool,
    /// The delivery's octets, and what made it a fact of its own.
    seen: Option<(u64, String)>,
}

/// What a batch comes to.
#[derive(Default)]
struct Batch {
    facts: Vec<Fact>,
    due: Vec<Due>,
    /// Messages that were put together in it.
    whole: Vec<Key>,
}

impl Inbound {
    pub(super) fn new(inbox: &str, config: Config, profile: Profile, intake: Arc<dyn Intake>) -> Self {
        let limits = Limits { patience: PATIENCE, memory: MEMORY, ..Limits::default() };
        Inbound {
            inbox: inbox.to_owned(),
            config,
            profile,
            intake,
            parts: Assembler::new(limits),
            withheld: HashMap::new(),
            answered: Answered::default(),
        }
    }

    /// Until the last link is gone.
    pub(super) async fn run(mut self, mut delivered: mpsc::Receiver<Delivered>) {
        let mut waiting = Vec::with_capacity(AT_ONCE);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                count = delivered.recv_many(&mut waiting, AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    let mut batch = Batch::default();
                    for one in waiting.drain(..) {
                        self.take(one, &mut batch);
                    }
                    self.accept(batch).await;
                }
                _ = look.tick() => self.look().await,
            }
        }
    }

    fn take(&mut self, one: Delivered, batch: &mut Batch) {
        let Delivered { link, sequence, unit, short } = one;
        let now = clock::now();
        let mut due = Due { link, sequence, is_data: false, seen: None };
        let (hash, salt) = self.answered.salt(&unit, now);
        let came = match &short {
            Ok((short, is_data)) => {
                due.is_data = *is_data;
                message::read(short, &self.config.reading)
            }
            Err(flaw) => {
                batch.facts.push(message::unknown(&self.inbox, "", &unit, &flaw.to_string(), &salt));
                due.seen = Some((hash, salt));
                batch.due.push(due);
                return;
            }
        };
        match came {
            Came::Whole(piece) => self.add(&message::whole(piece), &salt, batch),
            Came::Receipt(address, receipt) => {
                let id = self.config.ids.told(&receipt.id);
                batch.facts.extend(message::receipt_fact(&self.inbox, &address, id, &receipt));
            }
            Came::Unreadable(address, reason) => {
                batch.facts.push(message::unknown(&self.inbox, &address, &unit, reason, &salt));
            }
            Came::Part(part) => {
                let key = part.key.clone();
                for assembled in self.parts.take(now, part) {
                    self.give_out(&assembled, now, batch);
                }
                if self.parts.waits_for(&key) {
                    let until = Instant::now() + WITHHELD;
                    self.withheld.entry(key).or_default().push(Withheld { answer: due, until });
                } else {
                    // It was the last one, or came before, and what it is a part of is durable.
                    batch.due.push(due);
                }
                return;
            }
        }
        due.seen = Some((hash, salt));
        batch.due.push(due);
    }

    fn add(&self, assembled: &Assembled<Piece>, salt: &str, batch: &mut Batch) {
        batch.facts.extend(message::fact(Some(&self.inbox), assembled, salt).map(|mut fact| {
            self.profile.apply(&mut fact);
            fact
        }));
    }

    /// The same parts under the same reference on the same day are the same message.
    fn give_out(&mut self, assembled: &Assembled<Piece>, now: i64, batch: &mut Batch) {
        let salt = format!("{}.{}", assembled.key.reference, now / 86_400_000);
        self.add(assembled, &salt, batch);
        batch.due.extend(self.release(&assembled.key));
        batch.whole.push(assembled.key.clone());
    }

    fn release(&mut self, key: &Key) -> Vec<Due> {
        self.withheld.remove(key).into_iter().flatten().map(|withheld| withheld.answer).collect()
    }

    /// Gives out what has waited long enough, and asks for later what was withheld long enough.
    async fn look(&mut self) {
        let (now, mut batch) = (clock::now(), Batch::default());
        for assembled in self.parts.expire(now) {
            self.give_out(&assembled, now, &mut batch);
        }
        if !batch.facts.is_empty() {
            self.accept(batch).await;
        }
        let now = Instant::now();
        let mut late = Vec::new();
        self.withheld.retain(|_, withheld| {
            late.extend(
                withheld.extract_if(.., |withheld| withheld.until <= now).map(|withheld| withheld.answer),
            );
            !withheld.is_empty()
        });
        for due in late {
            due.answer(status::TEMPORARY).await;
        }
    }

    async fn accept(&mut self, batch: Batch) {
        let Batch { facts, due, whole } = batch;
        let stored = match facts.is_empty() {
            true => Ok(()),
            false => self.intake.accept(&self.inbox, facts, None).await,
        };
        let answer = match stored {
            Ok(()) => status::OK,
            Err(refused) => {
                tracing::warn!(inbox = self.inbox, %refused, "what was delivered cannot be stored now; it is asked for again");
                whole.iter().for_each(|key| self.parts.forget(key));
                status::TEMPORARY
            }
        };
        let now = clock::now();
        for mut due in due {
            if let Some((hash, salt)) = due.seen.take() {
                // What was not stored for sure may be stored all the same.
                let link = (answer == status::OK).then(|| due.link.clone());
                self.answered.remember(hash, salt, now, link);
            }
            due.answer(answer).await;
        }
    }
}

impl Due {
    async fn answer(self, status: u32) {
        let pdu = if self.is_data { Pdu::DataSmResp(Bytes::new()) } else { Pdu::DeliverSmResp };
        self.link.answer(self.sequence, status, pdu).await;
    }
}

/// Deliveries that were answered not long ago.
#[derive(Default)]
struct Answered {
    hasher: RandomState,
    count: u64,
    order: VecDeque<u64>,
    by_octets: HashMap<u64, Once>,
}

struct Once {
    salt: String,
    at: i64,
    /// Where the answer went; none for one that said "later".
    link: Option<Arc<Link>>,
}

impl Answered {
    /// A name for the octets, and what makes this delivery a fact of its own: the same as before if it comes again.
    fn salt(&mut self, unit: &Bytes, now: i64) -> (u64, String) {
        let octets = unit.get(HEADER..).unwrap_or_default();
        let hash = self.hasher.hash_one(octets);
        let is_again = self.by_octets.get(&hash).is_some_and(|once| once.may_be_lost(now));
        if let Some(once) = self.by_octets.remove(&hash).filter(|_| is_again) {
            return (hash, once.salt);
        }
        self.count += 1;
        (hash, format!("{:016x}.{}", self.hasher.hash_one("this process"), self.count))
    }

    fn remember(&mut self, hash: u64, salt: String, at: i64, link: Option<Arc<Link>>) {
        if self.by_octets.insert(hash, Once { salt, at, link }).is_none() {
            self.order.push_back(hash);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_octets.remove(&oldest);
            }
        }
    }
}

impl Once {
    fn may_be_lost(&self, now: i64) -> bool {
        match &self.link {
            None => now - self.at < AGAIN_WITHIN,
            Some(link) => link
                .ended_at()
                .is_some_and(|ended| ended - self.at < ARRIVES_WITHIN && now - ended < AGAIN_WITHIN),
        }
    }
}
