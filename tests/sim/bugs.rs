//! Known bugs, planted between the worker and its log, to show that the simulator can fail. The worker's code is the
//! real one: it is told something that is not so, and by that does what it would do if it had the bug.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{FactId, Intake, Kind, Origin, Peer, conversation, delivery, desk};
use futures::FutureExt as _;
use log::{Appending, Error, Limit, Log, Partition, Record, Share, Topic};
use runtime::{intake, log_of};
use tokio::sync::watch;
use wire::{Codec, Header};

use super::door::Door;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Bug {
    /// It takes its decisions for accepted before they stand in the log.
    SkipsTheReadBack,
    /// It does not know a fact again.
    ForgetsTheDedup,
    /// It takes its announcement for accepted whatever became of it.
    ActsBeforeAnnouncing,
    /// It takes the relay that comes for the one that is next.
    TakesRelaysOutOfOrder,
    /// It does not hear that an append failed.
    GoesOnAfterAFailedAppend,
    /// The same as the first, and only where messages leave.
    SendsBeforeSendStarted,
    /// It does not hear that the partition is not its own any more.
    AnnouncesUnasked,
}

/// What the bugs of a town remember, beyond the life of one worker.
#[derive(Default)]
pub(crate) struct Memory {
    /// Where each fact stood first.
    facts: HashMap<FactId, (Partition, u64)>,
    /// The numbers given to relays, by where they stand, and the last of each source.
    relays: HashMap<(Partition, u64), u64>,
    last: BTreeMap<(Partition, Peer), u64>,
}

pub(crate) struct Buggy {
    me: Peer,
    bug: Bug,
    door: Arc<Door>,
    memory: Arc<Mutex<Memory>>,
    /// Appended, and not seen in the log yet.
    believed: Mutex<VecDeque<Bytes>>,
}

impl Buggy {
    pub(crate) fn new(me: Peer, bug: Bug, door: Arc<Door>, memory: Arc<Mutex<Memory>>) -> Self {
        Buggy { me, bug, door, memory, believed: Mutex::default() }
    }

    /// Whether this record is taken for accepted as soon as it is appended.
    fn believes(&self, record: &Bytes) -> bool {
        let announces = matches!(wire::decode_header(record), Ok(Header::Announce(_)));
        match self.bug {
            Bug::SkipsTheReadBack => !announces,
            Bug::SendsBeforeSendStarted => !announces && self.me.kind == Kind::Delivery,
            Bug::ActsBeforeAnnouncing => announces,
            _ => false,
        }
    }

    /// What the worker reads of its intake.
    fn distort(&self, record: Record) -> Record {
        let bytes = match self.me.kind {
            Kind::Conversation => self.changed::<conversation::Decider>(&record),
            Kind::Desk => self.changed::<desk::Decider>(&record),
            Kind::Delivery => self.changed::<delivery::Decider>(&record),
            Kind::Contact | Kind::Workspace => None,
        };
        Record { bytes: bytes.unwrap_or(record.bytes), ..record }
    }

    fn changed<A: Codec>(&self, record: &Record) -> Option<Bytes> {
        let Intake::Input { origin, at, tenant, policy_version, command } =
            wire::decode_intake::<A>(&record.bytes).ok()?
        else {
            return None;
        };
        let place = (intake(self.me), record.position);
        let mut memory = self.memory.lock().unwrap();
        let origin = match (self.bug, origin) {
            (Bug::ForgetsTheDedup, Origin::Fact(id)) if *memory.facts.entry(id).or_insert(place) != place => {
                // As if it were new.
                let mut other = id;
                other.0[15] = other.0[15].wrapping_add(record.position as u8 | 1);
                Origin::Fact(other)
            }
            (Bug::TakesRelaysOutOfOrder, Origin::Relay { source, .. }) => {
                let number = match memory.relays.get(&place) {
                    Some(number) => *number,
                    None => {
                        let last = memory.last.entry((place.0, source)).or_default();
                        *last += 1;
                        let number = *last;
                        memory.relays.insert(place, number);
                        number
                    }
                };
                Origin::Relay { source, number }
            }
            _ => return None,
        };
        Some(wire::encode_intake::<A>(&Intake::Input { origin, at, tenant, policy_version, command }))
    }
}

#[async_trait]
impl Log for Buggy {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        self.door.partitions(topic)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        if partition != log_of(self.me) {
            return self.door.append(partition, records);
        }
        let believed = records.iter().any(|record| self.believes(record));
        if believed {
            self.believed.lock().unwrap().extend(records.iter().cloned());
        }
        let appending = self.door.append(partition, records);
        match self.bug {
            Bug::GoesOnAfterAFailedAppend => Box::pin(appending.map(|result| Ok(result.unwrap_or_default()))),
            Bug::ActsBeforeAnnouncing if believed => {
                Box::pin(appending.map(|result| Ok(result.unwrap_or_default())))
            }
            _ => appending,
        }
    }

    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        let records = self.door.read(partition, from, limit).await?;
        if partition == intake(self.me) {
            return Ok(records.into_iter().map(|record| self.distort(record)).collect());
        }
        let mut believed = self.believed.lock().unwrap();
        if partition != log_of(self.me) || believed.is_empty() {
            return Ok(records);
        }
        believed.retain(|bytes| records.iter().all(|record| record.bytes != *bytes));
        if !records.is_empty() {
            return Ok(records);
        }
        let positions = from..;
        let made_up = positions.zip(believed.drain(..));
        Ok(made_up.map(|(position, bytes)| Record { position, appended_at: 0, bytes }).collect())
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        self.door.start(partition).await
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        self.door.end(partition).await
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.door.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        self.door.trim(partition, before).await
    }

    async fn join(
        &self,
        group: &str,
        topic: Topic,
        standbys: usize,
    ) -> Result<watch::Receiver<Share>, Error> {
        self.door.join(group, topic, standbys).await
    }
}
