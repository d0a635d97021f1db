//! A small installation: two tenants, a log in memory, a leader for every partition, a server and its clients.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use api::{Config, Principal, Role, Server, Tokens};
use bytes::Bytes;
use domain::{
    Cause, Channel, Content, ConversationId, Epoch, FactId, Intake, Kind, MessageId, Millis, Origin,
    Partition, Party, Peer, Policy, Recorded, Route, Sealed, Step, Taken, Timestamp, Topology, contact,
    conversation::{self, Correspondent, MessageKind, Received, What},
    desk,
    policy::{Agent, Bot, BotKind, Capacity, Inbox, Queue},
    workspace,
};
use log::{Log, MemoryLog, Tail, Topic};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{self, Endpoint},
};
use vault::{MasterKey, Subject, Vault};
use wire::{Announce, Codec, Decision};

pub(crate) const TOPOLOGY: Topology =
    Topology { conversation: 3, desk: 1, delivery: 1, contact: 1, workspace: 1 };

/// Nothing here takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct World {
    pub(crate) log: MemoryLog,
    pub(crate) vault: Vault,
    pub(crate) store: projections::Store,
    pub(crate) stop: CancellationToken,
    pub(crate) running: JoinSet<()>,
    address: String,
    _folder: TempDir,
}

/// Adds a token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(&'static str);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let text = MetadataValue::try_from(format!("Bearer {}", self.0)).unwrap();
        request.metadata_mut().insert("authorization", text);
        Ok(request)
    }
}

pub(crate) type Authorized = InterceptedService<transport::Channel, Bearer>;

impl World {
    /// A server over a log that nobody leads.
    pub(crate) async fn silent(change: impl FnOnce(&mut Config)) -> World {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::from_bytes([7; 32]);
        let vault = Vault::open(vault::Config::new(folder.path().join("vault"), master)).unwrap();
        let store = projections::Store::open(folder.path().join("rows")).unwrap();
        let topics = Kind::ALL.into_iter().flat_map(|kind| {
            let partitions = TOPOLOGY.partitions(kind);
            [(Topic(kind.intake_topic()), partitions), (Topic(kind.log_topic()), partitions)]
        });
        let log = MemoryLog::new(&topics.collect::<Vec<_>>());
        let mut config = Config::new(Arc::new(log.clone()), TOPOLOGY, vault.clone(), store.clone(), tokens());
        change(&mut config);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let server = Server::new(config).run(listener, stop.clone());
        running.spawn(async move { server.await.unwrap() });
        World { log, vault, store, stop, running, address, _folder: folder }
    }

    /// The same, with a leader for every partition but those of deliveries, and projections.
    pub(crate) async fn led() -> World {
        World::led_with(|_| {}).await
    }

    pub(crate) async fn led_with(change: impl FnOnce(&mut Config)) -> World {
        let mut world = World::silent(change).await;
        let policies = ["acme", "other"].map(|tenant| Arc::new(policy(tenant)));
        for partition in 0..TOPOLOGY.conversation {
            world.lead::<conversation::Decider>(partition, &policies);
        }
        world.lead::<desk::Decider>(0, &policies);
        world.lead::<contact::Decider>(0, &[]);
        world.lead::<workspace::Decider>(0, &[]);
        world.project();
        world
    }

    pub(crate) fn project(&mut self) {
        let (log, store, stop) = (Arc::new(self.log.clone()), self.store.clone(), self.stop.clone());
        self.running.spawn(async move { projections::run(log, TOPOLOGY, store, stop).await.unwrap() });
    }

    fn lead<A: Codec>(&mut self, partition: u32, policies: &[Arc<Policy>]) {
        let leader = Leader::<A>::new(self.log.clone(), partition);
        let policies = policies.to_vec();
        self.running.spawn(async move { leader.run(policies).await });
    }

    pub(crate) async fn channel(&self) -> transport::Channel {
        // Small windows, so that a client that does not read is felt at once.
        let endpoint = Endpoint::from_shared(self.address.clone()).unwrap();
        let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        endpoint.connect().await.unwrap()
    }

    pub(crate) async fn with_token(&self, token: &'static str) -> Authorized {
        InterceptedService::new(self.channel().await, Bearer(token))
    }

    pub(crate) fn party(&self, tenant: &str, who: &str) -> Party {
        Party(self.vault.party(tenant, &format!("{tenant}-chat"), who))
    }

    pub(crate) async fn seal(&self, tenant: &str, party: Party, item: MessageId, plaintext: &[u8]) -> Sealed {
        let subject = Subject { tenant: tenant.into(), party: party.0 };
        Sealed { subject: party, bytes: self.vault.seal(&subject, &item.0, plaintext).await.unwrap().into() }
    }

    pub(crate) async fn correspondent(&self, tenant: &str, who: &str) -> Correspondent {
        let party = self.party(tenant, who);
        Correspondent {
            tenant: tenant.parse().unwrap(),
            inbox: format!("{tenant}-chat").parse().unwrap(),
            channel: Channel::Messenger,
            party,
            address: self.seal(tenant, party, MessageId(party.0), who.as_bytes()).await,
        }
    }

    /// What a channel makes of a message.
    pub(crate) async fn received(&self, tenant: &str, who: &str, text: &str) -> Received {
        let from = self.correspondent(tenant, who).await;
        let message = MessageId(self.vault.fact(from.inbox.as_str(), who, text.as_bytes()));
        let content = Content { text: text.into(), ..Content::default() };
        let content = self.seal(tenant, from.party, message, &wire::encode_content(&content)).await;
        let kind = MessageKind::Message;
        let sent_at = Timestamp(1_000);
        Received {
            from,
            kind,
            message,
            content,
            sent_at,
            authenticated: true,
            thread: None,
            placed: None,
            home: None,
            marks: None,
            answers: conversation::Answers::default(),
            entry: None,
            people_only: false,
            reply_to: None,
            referral: None,
            window: None,
        }
    }

    /// A customer writes: the fact lands in the intake, as a channel would put it there.
    pub(crate) async fn write(&self, tenant: &str, who: &str, text: &str) -> ConversationId {
        let received = self.received(tenant, who, text).await;
        let party = received.from.party;
        let peer = TOPOLOGY.peer(&Route::Party(party));
        append(&self.log, peer.kind.intake_topic(), peer.partition, self.fact(received)).await;
        ConversationId { party, number: 1 }
    }

    /// The intake record of a message.
    pub(crate) fn fact(&self, received: Received) -> Bytes {
        wire::encode_intake::<conversation::Decider>(&Intake::Input {
            origin: Origin::Fact(FactId(received.message.0)),
            at: now(),
            tenant: received.from.tenant.clone(),
            policy_version: 0,
            command: conversation::Command::Receive(Box::new(received)),
        })
    }
}

pub(crate) async fn append(log: &MemoryLog, topic: &'static str, partition: u32, bytes: Bytes) -> u64 {
    log.append(Topic(topic).partition(partition), vec![bytes]).await.unwrap()
}

fn tokens() -> Tokens {
    let principal = |tenant: &str, name: &'static str, role, pii| {
        let tenant = tenant.parse().unwrap();
        (Tokens::hash(name), Principal { tenant, name: name.into(), role, pii })
    };
    let agent = |name: &str| Role::Agent(name.parse().unwrap());
    let bot = |name: &str| Role::Bot(name.parse().unwrap());
    Tokens::new([
        principal("acme", "admin", Role::Admin, true),
        principal("acme", "reader", Role::Reader, false),
        principal("acme", "ann", agent("acme/desk/ann"), true),
        principal("acme", "sue", agent("acme/desk/sue"), true),
        principal("acme", "stranger", agent("acme/desk/stranger"), true),
        principal("acme", "acme-helper", bot("helper"), false),
        principal("other", "other-admin", Role::Admin, true),
        principal("other", "other-helper", bot("helper"), false),
        principal("other", "other-rival", bot("rival"), false),
    ])
}

/// Conversations of `acme` go to the queue, those of `other` to its bot `helper`. Ann serves, Sue supervises.
pub(crate) fn policy(tenant: &str) -> Policy {
    let queue: domain::QueueId = format!("{tenant}/desk/all").parse().unwrap();
    let bot: domain::BotId = "helper".parse().unwrap();
    let inbox = Inbox {
        channel: Channel::Messenger,
        address: "page".into(),
        bot: (tenant == "other").then(|| bot.clone()),
        queue: queue.clone(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: BTreeMap::new(),
    };
    let agent = Agent {
        queues: BTreeSet::from([queue.clone()]),
        capacity: Capacity { total: 5, ..Capacity::default() },
        ..Agent::default()
    };
    let supervised = BTreeSet::from([queue.desk.clone()]);
    let supervisor = Agent { queues: BTreeSet::new(), supervises: supervised, ..agent.clone() };
    Policy {
        tenant: tenant.parse().unwrap(),
        version: 1,
        inboxes: BTreeMap::from([(format!("{tenant}-chat").parse().unwrap(), inbox)]),
        queues: BTreeMap::from([(queue, Queue { offer_timeout: Millis::seconds(30), ..Queue::default() })]),
        agents: BTreeMap::from([
            (format!("{tenant}/desk/ann").parse().unwrap(), agent.clone()),
            (format!("{tenant}/desk/sue").parse().unwrap(), supervisor),
        ]),
        bots: BTreeMap::from([(bot, Bot { answer_within: Millis::seconds(60), kind: BotKind::Stream })]),
        hours: BTreeMap::new(),
        links: Default::default(),
    }
}

/// The shortest worker there is: one decision an input, no recovery, no confirmation of relays.
pub(crate) struct Leader<A: Codec> {
    log: MemoryLog,
    peer: Peer,
    epoch: Epoch,
    seq: u64,
    read: u64,
    partition: Partition<A>,
}

impl<A: Codec> Leader<A> {
    pub(crate) fn new(log: MemoryLog, partition: u32) -> Self {
        let peer = Peer { kind: A::KIND, partition };
        let epoch = Epoch([1; 16]);
        Leader { log, peer, epoch, seq: 0, read: 0, partition: Partition::new(TOPOLOGY) }
    }

    pub(crate) async fn run(mut self, policies: Vec<Arc<Policy>>) {
        self.announce().await;
        for policy in policies {
            if let Some(step) = self.partition.adopt(now(), policy) {
                self.decide(vec![step]).await;
            }
        }
        let intake = Topic(self.peer.kind.intake_topic()).partition(self.peer.partition);
        let mut tail = Tail::new(Arc::new(self.log.clone()), intake, 0);
        loop {
            tokio::select! {
                batch = tail.batch() => for record in batch.unwrap() {
                    self.read = record.position + 1;
                    let step = match wire::decode_intake::<A>(&record.bytes) {
                        Ok(intake) => match self.partition.take(now(), &intake) {
                            Taken::Step(step) => step,
                            _ => continue,
                        },
                        Err(error) => self.partition.set_aside(None, record.bytes, error.to_string()),
                    };
                    self.decide(vec![step]).await;
                },
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            while let Some(step) = self.partition.fire(now()) {
                self.decide(vec![step]).await;
            }
        }
    }

    /// Announces this leader as the first. Repeated, or after another, it counts for nobody.
    pub(crate) async fn announce(&self) {
        let announce =
            Announce { epoch: self.epoch, follows: None, leader: "test".into(), version: 1, at: now() };
        append(&self.log, self.peer.kind.log_topic(), self.peer.partition, wire::encode_announce(&announce))
            .await;
    }

    pub(crate) async fn decide(&mut self, steps: Vec<Step<A>>) {
        self.seq += 1;
        let at = now();
        let (epoch, seq, intake_through) = (self.epoch, self.seq, self.read);
        let decision = Decision { epoch, seq, intake_through, decided_at: at, steps };
        let bytes = wire::encode_decision(&decision);
        append(&self.log, self.peer.kind.log_topic(), self.peer.partition, bytes).await;
        for step in &decision.steps {
            self.partition.fold(at, step);
            for recorded in &step.events {
                if let (Some((target, number)), Some((_, relay))) =
                    (recorded.relay, A::relay(&recorded.event))
                {
                    let bytes = wire::encode_relay(self.peer, number, at, &relay);
                    append(&self.log, target.kind.intake_topic(), target.partition, bytes).await;
                }
            }
        }
    }
}

/// A step by hand.
pub(crate) fn step(what: Vec<What>, from: &Correspondent) -> Step<conversation::Decider> {
    let event = |what| conversation::Event { tenant: from.tenant.clone(), inbox: from.inbox.clone(), what };
    let events = what.into_iter().map(|what| Recorded { event: event(what), relay: None }).collect();
    Step { cause: Cause::Fact(FactId([0; 16])), events, answers: vec![], set_aside: None }
}

pub(crate) fn now() -> Timestamp {
    Timestamp(log::clock::now())
}

/// Fails the test instead of hanging it.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come"),
    }
}
