//! Our side: a log, the delivery workers that keep the marks of mailboxes, the listener, and the reading of mailboxes. All
//! of it can be dropped as a process that dies drops it, and started again on the same log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use channels::{
    Deliverer, Fact, Intake, LogIntake, Outbound, Refused, Sender, Senders,
    email::{
        imap::{self, Access, Mailbox, Mailboxes, Place, Pulls},
        smtp::{self, Mailboxes as Addresses, Protocol},
    },
};
use domain::{Channel, InboxId, Kind, Millis, Origin, Policies, Topology, conversation, delivery};
use log::{Limit, Log, MemoryLog, Topic};
use runtime::{Clock, Post, Readiness, Retention, Setup};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vault::{MasterKey, Vault};

use crate::server::Server;

const TOPOLOGY: Topology = Topology { conversation: 2, desk: 1, delivery: 2, contact: 1, workspace: 1 };
const ALL: Limit = Limit { records: usize::MAX, bytes: usize::MAX };
/// Nothing that is awaited here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(90);
const CERTIFICATE: &[u8] = include_bytes!("../../src/email/samples/tls/cert.pem");
const KEY: &[u8] = include_bytes!("../../src/email/samples/tls/key.pem");

/// What outlives a process.
pub(crate) struct World {
    log: MemoryLog,
    vault: Vault,
    policies: watch::Sender<Policies>,
    pub(crate) mailboxes: watch::Sender<Mailboxes>,
    facts: Arc<Mutex<Vec<(String, Fact, Bytes)>>>,
    _dir: TempDir,
}

/// A process of ours.
pub(crate) struct Running {
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Running {
    /// As a process goes that is killed: nothing is finished.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
        self.stop.cancel();
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl World {
    pub(crate) fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let (conversations, deliveries) = (TOPOLOGY.conversation, TOPOLOGY.delivery);
        let log = MemoryLog::new(&[
            (Topic(Kind::Conversation.intake_topic()), conversations),
            (Topic(Kind::Conversation.log_topic()), conversations),
            (Topic(Kind::Delivery.intake_topic()), deliveries),
            (Topic(Kind::Delivery.log_topic()), deliveries),
        ]);
        let vault = Vault::open(vault::Config::new(dir.path(), MasterKey::from_bytes([7; 32]))).unwrap();
        let mut known = Policies::default();
        known.put(Arc::new(policy()));
        World {
            log,
            vault,
            policies: watch::Sender::new(known),
            mailboxes: watch::Sender::default(),
            facts: Arc::default(),
            _dir: dir,
        }
    }

    fn post(&self) -> Post {
        Post { log: Arc::new(self.log.clone()), topology: TOPOLOGY }
    }

    /// The workers and the reading of mailboxes, and the listener where there is one.
    pub(crate) fn start(&self, listener: Option<TcpListener>, limits: imap::Limits) -> Running {
        let (stop, mut tasks) = (CancellationToken::new(), tokio::task::JoinSet::new());
        let log_intake = LogIntake {
            post: self.post(),
            vault: self.vault.clone(),
            policies: self.policies.subscribe(),
            verifier: channels::email::Verifier::offline(),
        };
        let intake = Arc::new(Noted { intake: log_intake, facts: self.facts.clone() });
        let pulls = Pulls::default();
        let deliverer = Deliverer::new(self.post(), self.vault.clone(), Arc::new(Nobody), TaskTracker::new())
            .with_pulls(pulls.clone());
        let setup = Setup::<delivery::Decider> {
            log: Arc::new(self.log.clone()),
            topology: TOPOLOGY,
            name: "test".into(),
            effects: Arc::new(deliverer),
            policies: self.policies.subscribe(),
            snapshots: None,
            readiness: Arc::new(Readiness::default()),
            clock: Clock::default(),
            retention: Retention::default(),
            retire_after: Millis::hours(1),
            standbys: 0,
        };
        let workers = runtime::run_all(setup, stop.clone());
        tasks.spawn(async move { workers.await.unwrap() });
        let outbound = Outbound::new(Duration::from_secs(5)).unwrap();
        let mailboxes = self.mailboxes.subscribe();
        tasks.spawn(pulls.run(self.post(), intake.clone(), outbound, mailboxes, limits, stop.clone()));
        if let Some(listener) = listener {
            let mut config = smtp::Config::new(Protocol::Lmtp, "mx.tributary.test");
            config.tls = Some(tls());
            tasks.spawn(smtp::serve(listener, config, Arc::new(Support), intake, stop.clone()));
        }
        Running { stop, tasks }
    }

    /// Reads this mailbox for the inbox from now on.
    pub(crate) fn pull(&self, server: &Server, inbox: &str, settings: &[(&str, &str)], password: &str) {
        let mut settings: BTreeMap<String, String> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        settings.insert("imap_password".into(), "secret:password".into());
        let place = Place::read(&settings).unwrap().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&server.certificate()).unwrap()).unwrap();
        let access = Access::Password(password.into());
        let mailbox = Arc::new(Mailbox { place, access, roots: Some(Arc::new(roots)) });
        let inbox: InboxId = inbox.parse().unwrap();
        self.mailboxes.send_modify(|known| drop(known.insert(inbox, ("acme".parse().unwrap(), mailbox))));
    }

    /// What edges have made of mail so far, with its inbox and its bytes; a mail that came again is there again.
    pub(crate) fn facts(&self) -> Vec<(String, Fact, Bytes)> {
        self.facts.lock().unwrap().clone()
    }

    /// The first fact that is as wanted, once there is one.
    pub(crate) async fn fact(&self, what: &str, wanted: impl Fn(&Fact) -> bool) -> (Fact, Bytes) {
        eventually(what, || {
            let facts = self.facts();
            facts.into_iter().find(|(_, fact, _)| wanted(fact)).map(|(_, fact, raw)| (fact, raw))
        })
        .await
    }

    /// Waits until mails with these subjects have come to the inbox, and checks that each is one in the log, however
    /// often it came.
    pub(crate) async fn each_once(&self, inbox: &str, subjects: &BTreeSet<String>) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let facts = self.facts().into_iter().filter(|(of, _, _)| of == inbox);
            let come: BTreeSet<String> = facts.filter_map(|(_, fact, _)| fact.mail?.subject).collect();
            let missing: Vec<&String> = subjects.difference(&come).collect();
            if missing.is_empty() {
                break;
            }
            assert!(tokio::time::Instant::now() < end, "waited in vain for {missing:?} in {inbox}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let mut ids: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for (_, fact, _) in self.facts().into_iter().filter(|(of, _, _)| of == inbox) {
            let identity = fact.identity();
            ids.entry(fact.mail.unwrap().subject.unwrap_or_default()).or_default().insert(identity);
        }
        assert_eq!(ids.keys().cloned().collect::<BTreeSet<_>>(), *subjects, "no other mail came");
        for (subject, ids) in ids {
            assert_eq!(ids.len(), 1, "{subject} is one");
        }
        // And what edges said was durable is in the log.
        let durable = self.in_the_log().await;
        assert!(durable >= subjects.len(), "{durable} in the log");
    }

    /// Different facts in the log, of all inboxes.
    pub(crate) async fn in_the_log(&self) -> usize {
        let mut ids = BTreeSet::new();
        for number in 0..TOPOLOGY.conversation {
            let partition = Topic(Kind::Conversation.intake_topic()).partition(number);
            for record in self.log.read(partition, 0, ALL).await.unwrap() {
                let input = wire::decode_intake::<conversation::Decider>(&record.bytes).unwrap();
                if let domain::Intake::Input { origin: Origin::Fact(id), .. } = input {
                    ids.insert(id.0);
                }
            }
        }
        ids.len()
    }

    /// The marks that were reported for this inbox, in their order.
    pub(crate) async fn marks(&self, of: &str) -> Vec<delivery::MailboxMark> {
        let mut marks = Vec::new();
        for number in 0..TOPOLOGY.delivery {
            let partition = Topic(Kind::Delivery.intake_topic()).partition(number);
            for record in self.log.read(partition, 0, ALL).await.unwrap() {
                let input = wire::decode_intake::<delivery::Decider>(&record.bytes).unwrap();
                if let domain::Intake::Input {
                    command: delivery::Command::MarkMailbox { inbox, mark }, ..
                } = input
                    && inbox.as_str() == of
                {
                    marks.push(mark);
                }
            }
        }
        marks
    }
}

/// Waits for something that others bring about.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// A place to listen, and its port.
pub(crate) async fn listen(port: u16) -> (TcpListener, u16) {
    // What was served by the one that was killed may be free a moment later.
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            let port = listener.local_addr().unwrap().port();
            return (listener, port);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("port {port} stays taken");
}

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// Notes what it hands on, once that is durable.
struct Noted {
    intake: LogIntake,
    facts: Arc<Mutex<Vec<(String, Fact, Bytes)>>>,
}

#[async_trait]
impl Intake for Noted {
    async fn accept(&self, inbox: &str, facts: Vec<Fact>, raw: Option<Bytes>) -> Result<(), Refused> {
        self.intake.accept(inbox, facts.clone(), raw.clone()).await?;
        let noted = facts.into_iter().map(|fact| (inbox.to_owned(), fact, raw.clone().unwrap_or_default()));
        self.facts.lock().unwrap().extend(noted);
        Ok(())
    }
}

struct Support;

impl Addresses for Support {
    fn inbox(&self, address: &str) -> Option<String> {
        (address == "support@tributary.test").then(|| "listened".to_owned())
    }
}

struct Nobody;

impl Senders for Nobody {
    fn sender(&self, _: &InboxId) -> Option<Arc<dyn Sender>> {
        None
    }
}

fn policy() -> domain::Policy {
    let queue: domain::QueueId = "acme/support/general".parse().unwrap();
    let inbox = |address: &str| domain::policy::Inbox {
        channel: Channel::Email,
        address: address.into(),
        bot: None,
        queue: queue.clone(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: [("authentication".to_owned(), "trusted".to_owned())].into(),
    };
    domain::Policy {
        tenant: "acme".parse().unwrap(),
        version: 1,
        inboxes: [
            ("listened".parse().unwrap(), inbox("support@tributary.test")),
            ("pulled".parse().unwrap(), inbox("support@dovecot.test")),
            ("anna".parse().unwrap(), inbox("anna@dovecot.test")),
        ]
        .into(),
        queues: [(queue, domain::policy::Queue { offer_timeout: Millis::seconds(30), ..Default::default() })]
            .into(),
        agents: [].into(),
        bots: [].into(),
        hours: [].into(),
        links: [].into(),
    }
}
