//! A log written by hand, and a store that reads it.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    AgentId, BotId, Cause, Channel, CommandId, ConversationId, Epoch, InboxId, Kind, MessageId, OfferId,
    Party, Peer, QueueId, Recorded, Sealed, Step, TenantId, Timestamp, Topology, contact,
    conversation::{self, Correspondent, HandOffReason, MessageKind, Outgoing, What},
};
use log::{Log, MemoryLog, Topic};
use projections::{Entry, Error, Store, TimelineOf};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wire::{Announce, Codec, Decision};

pub(crate) const TOPOLOGY: Topology =
    Topology { conversation: 2, desk: 1, delivery: 1, contact: 1, workspace: 1 };

pub(crate) struct World {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
    /// The last decision of each ruling epoch.
    ruling: HashMap<Peer, (Epoch, u64)>,
}

impl World {
    pub(crate) fn new() -> World {
        let topics = Kind::ALL.map(|kind| (Topic(kind.log_topic()), TOPOLOGY.partitions(kind)));
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        World { log: Arc::new(MemoryLog::new(&topics)), dir, store, ruling: HashMap::new() }
    }

    pub(crate) async fn append(&self, peer: Peer, bytes: Bytes) {
        let partition = Topic(peer.kind.log_topic()).partition(peer.partition);
        self.log.append(partition, vec![bytes]).await.unwrap();
    }

    /// Someone begins to lead.
    pub(crate) async fn announce(&mut self, peer: Peer) {
        let follows = self.ruling.get(&peer).map(|(epoch, _)| *epoch);
        let epoch = Epoch([follows.map_or(1, |epoch| epoch.0[0] + 1); 16]);
        let announce = Announce { epoch, follows, leader: "test".into(), version: 1, at: Timestamp(0) };
        self.append(peer, wire::encode_announce(&announce)).await;
        self.ruling.insert(peer, (epoch, 0));
    }

    /// The next decision of whoever leads. Its bytes, too, for whoever wants to repeat it.
    pub(crate) async fn decide<A: Codec>(&mut self, partition: u32, at: i64, steps: Vec<Step<A>>) -> Bytes {
        let bytes = self.next(partition, at, steps).await;
        self.append(Peer { kind: A::KIND, partition }, bytes.clone()).await;
        bytes
    }

    /// The next decision, not appended.
    pub(crate) async fn next<A: Codec>(&mut self, partition: u32, at: i64, steps: Vec<Step<A>>) -> Bytes {
        let peer = Peer { kind: A::KIND, partition };
        if !self.ruling.contains_key(&peer) {
            self.announce(peer).await;
        }
        let (epoch, seq) = self.ruling.get_mut(&peer).unwrap();
        *seq += 1;
        let decision =
            Decision { epoch: *epoch, seq: *seq, intake_through: *seq, decided_at: Timestamp(at), steps };
        wire::encode_decision(&decision)
    }

    /// One step of a conversation, in the partition its party belongs to.
    pub(crate) async fn tell(&mut self, at: i64, events: impl IntoIterator<Item = conversation::Event>) {
        let events: Vec<_> = events.into_iter().collect();
        let partition = TOPOLOGY.peer(&domain::Route::Party(events[0].party())).partition;
        self.decide::<conversation::Decider>(partition, at, vec![step(events)]).await;
    }

    /// The same for events of acme's first inbox.
    pub(crate) async fn say(&mut self, at: i64, whats: impl IntoIterator<Item = What>) {
        self.tell(at, whats.into_iter().map(of_acme)).await;
    }

    pub(crate) async fn ledger(&mut self, at: i64, events: impl IntoIterator<Item = contact::Event>) {
        self.decide::<contact::Decider>(0, at, vec![step(events)]).await;
    }

    /// Projects until the rows are where the log is.
    pub(crate) async fn project(&self) {
        let stop = CancellationToken::new();
        let running =
            tokio::spawn(projections::run(self.log.clone(), TOPOLOGY, self.store.clone(), stop.clone()));
        while self.behind().await > 0 {
            assert!(!running.is_finished(), "{:?}", running.await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    /// Projects until it fails.
    pub(crate) async fn fail(&self) -> Error {
        let running =
            projections::run(self.log.clone(), TOPOLOGY, self.store.clone(), CancellationToken::new());
        tokio::time::timeout(Duration::from_secs(10), running).await.expect("it goes on").unwrap_err()
    }

    pub(crate) async fn behind(&self) -> u64 {
        let lags = projections::lag(&*self.log, &TOPOLOGY, &self.store).await.unwrap();
        lags.iter().map(|(_, lag)| lag.records).sum()
    }

    /// As after a crash: everything but the files is forgotten.
    pub(crate) fn reopen(&mut self) {
        self.store = Store::open(self.dir.path()).unwrap();
    }

    pub(crate) async fn timeline(&self, of: TimelineOf) -> Vec<Entry> {
        self.store.timeline(&acme(), &of, None, 1_000).await.unwrap()
    }
}

/// Every row of every table, readable.
pub(crate) fn rows(dir: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(dir.join("readmodel.sqlite")).unwrap();
    let tables = db
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let mut all = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
            found.push(format!("{table}: {}", values.join(", ")));
        }
    }
    found
}

pub(crate) fn step<A: Codec>(events: impl IntoIterator<Item = A::Event>) -> Step<A> {
    Step {
        cause: Cause::Report,
        events: events.into_iter().map(|event| Recorded { event, relay: None }).collect(),
        answers: Vec::new(),
        set_aside: None,
    }
}

pub(crate) fn acme() -> TenantId {
    "acme".parse().unwrap()
}

pub(crate) fn globex() -> TenantId {
    "globex".parse().unwrap()
}

pub(crate) fn inbox() -> InboxId {
    "messenger".parse().unwrap()
}

pub(crate) fn bot() -> BotId {
    "greeter".parse().unwrap()
}

pub(crate) fn queue() -> QueueId {
    "acme/support/general".parse().unwrap()
}

pub(crate) fn agent() -> AgentId {
    "acme/support/ann".parse().unwrap()
}

pub(crate) fn offer() -> OfferId {
    "acme/support/7".parse().unwrap()
}

/// Odd parties live in partition 1, even ones in partition 0.
pub(crate) fn party(n: u8) -> Party {
    Party([n; 16])
}

pub(crate) fn first(n: u8) -> ConversationId {
    ConversationId { party: party(n), number: 1 }
}

pub(crate) fn message(n: u8) -> MessageId {
    MessageId([n; 16])
}

pub(crate) fn sealed(n: u8, text: &'static str) -> Sealed {
    Sealed { subject: party(n), bytes: Bytes::from_static(text.as_bytes()) }
}

pub(crate) fn correspondent(tenant: TenantId, n: u8) -> Correspondent {
    Correspondent {
        tenant,
        inbox: inbox(),
        channel: Channel::Messenger,
        party: party(n),
        address: sealed(n, "sealed address"),
        country: None,
        unanswerable: false,
    }
}

pub(crate) fn of_acme(what: What) -> conversation::Event {
    conversation::Event { tenant: acme(), inbox: inbox(), what }
}

pub(crate) fn seen(n: u8, at: i64) -> What {
    What::CustomerSeen { from: correspondent(acme(), n), at: Timestamp(at) }
}

pub(crate) fn opened(id: ConversationId) -> What {
    What::Opened { conversation: id, policy_version: 1 }
}

pub(crate) fn engaged(id: ConversationId) -> What {
    What::BotEngaged { conversation: id, bot: bot(), owner_epoch: 1, queue: queue() }
}

pub(crate) fn received(id: ConversationId, n: u8) -> What {
    What::MessageReceived {
        conversation: id,
        message: message(n),
        kind: MessageKind::Message,
        content: Sealed { subject: id.party, bytes: vec![n; 40].into() },
        thread: None,
        sent_at: Timestamp(1),
        authenticated: true,
        marks: None,
        people_only: false,
        reply_to: None,
        referral: None,
    }
}

pub(crate) fn outgoing(id: ConversationId) -> Outgoing {
    Outgoing {
        tenant: acme(),
        inbox: inbox(),
        channel: Channel::Messenger,
        to: Sealed { subject: id.party, bytes: Bytes::from_static(b"sealed address") },
        body: Sealed { subject: id.party, bytes: Bytes::from_static(b"sealed reply") },
        thread: None,
        not_before: None,
        by_person: false,
        signed: None,
        window: None,
    }
}

pub(crate) fn bot_replied(id: ConversationId, n: u8) -> What {
    What::BotReplied { conversation: id, message: message(n), outgoing: outgoing(id) }
}

pub(crate) fn replied(id: ConversationId, n: u8) -> What {
    What::Replied { conversation: id, agent: agent(), message: message(n), outgoing: outgoing(id) }
}

pub(crate) fn wanted(id: ConversationId, reason: HandOffReason) -> What {
    What::AgentWanted {
        conversation: id,
        channel: Channel::Messenger,
        queue: queue(),
        owner_epoch: 2,
        reason,
        since: Timestamp(1),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    }
}

pub(crate) fn assigned(id: ConversationId) -> What {
    What::Assigned {
        conversation: id,
        agent: agent(),
        assignment: offer(),
        owner_epoch: 3,
        command: CommandId([9; 16]),
    }
}

/// A first message of a party, and what it brings about.
pub(crate) fn hello(n: u8, at: i64) -> [What; 4] {
    [seen(n, at), opened(first(n)), engaged(first(n)), received(first(n), n)]
}

pub(crate) fn created(n: u8, at: i64) -> contact::Event {
    let contact = domain::ContactId(party(n).0);
    contact::Event::Created { contact, from: correspondent(acme(), n), at: Timestamp(at) }
}
