//! What taking mail in costs: mails of 20 KB over 32 connections into the log on this disk, against the same mails into
//! Postfix and by LMTP into Dovecot's mailboxes on the same disk; a mailbox of 10,000 messages read over IMAP; and the
//! memory that the largest mails take. Keys, sealing and the log are the real ones; what decides about mail is not here.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on standard output, and fails as it may"
)]

#[path = "../../../tests/mail/server.rs"]
mod server;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use channels::{
    LogIntake, Outbound,
    email::{
        imap::{self, Access, Mailbox, Mailboxes, Place, Pulls},
        smtp::{self, Mailboxes as Addresses, Protocol},
    },
};
use domain::{Channel, Kind, Lane, Millis, Policies, Route, Topology};
use log::{Limit, LocalConfig, LocalLog, Log, Topic};
use runtime::Post;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use vault::{MasterKey, Vault};

use server::Server;

const TOPOLOGY: Topology = Topology { conversation: 4, desk: 1, delivery: 1, contact: 1, workspace: 1 };
const ROUNDS: usize = 3;
const CONNECTIONS: usize = 32;
const SIZE: usize = 20_000;
const OURS: usize = 6_000;
const THEIRS: usize = 1_200;
const IN_THE_MAILBOX: usize = 10_000;
const LARGE: usize = 25_000_000;
const MEMORY: usize = 256 * 1024 * 1024;
const USERS: [&str; 3] = ["support", "anna", "bert"];

#[tokio::main]
async fn main() {
    let server = Server::up(1);
    if let Some(server) = &server {
        back_fill(server).await;
    }
    memory().await;
    rates(server.as_ref()).await;
}

/// Our edge on a log of its own.
struct Edge {
    log: LocalLog,
    intake: Arc<LogIntake>,
    stop: CancellationToken,
    _policies: watch::Sender<Policies>,
    _dir: TempDir,
}

impl Edge {
    fn new() -> Edge {
        let dir = TempDir::with_prefix("tributary-bench-").unwrap();
        let topics = [
            (Topic(Kind::Conversation.intake_topic()), TOPOLOGY.conversation),
            (Topic(Kind::Delivery.intake_topic()), TOPOLOGY.delivery),
        ];
        let at = dir.path().join("log");
        fs::create_dir_all(&at).unwrap();
        let log = LocalLog::open(&at, &topics, LocalConfig::default()).unwrap();
        let vault = vault::Config::new(dir.path().join("keys"), MasterKey::from_bytes([7; 32]));
        let vault = Vault::open(vault).unwrap();
        let mut known = Policies::default();
        known.put(Arc::new(policy()));
        let (publish, policies) = watch::channel(known);
        let intake = Arc::new(LogIntake {
            post: post(&log),
            vault,
            policies,
            verifier: channels::email::Verifier::offline(),
        });
        Edge { log, intake, stop: CancellationToken::new(), _policies: publish, _dir: dir }
    }

    async fn listen(&self) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = smtp::Config::new(Protocol::Smtp, "mx.test");
        config.max_connections_per_peer = 200;
        config.max_memory = MEMORY;
        config.max_messages = usize::MAX;
        config.memory_timeout = Duration::from_secs(600);
        tokio::spawn(smtp::serve(listener, config, Arc::new(Any), self.intake.clone(), self.stop.clone()));
        address
    }

    async fn kept(&self) -> u64 {
        let mut kept = 0;
        for number in 0..TOPOLOGY.conversation {
            let partition = Topic(Kind::Conversation.intake_topic()).partition(number);
            let mut from = 0;
            loop {
                let records = self.log.read(partition, from, Limit::default()).await.unwrap();
                let Some(last) = records.last() else { break };
                from = last.position + 1;
                kept += records.len() as u64;
            }
        }
        kept
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn rates(server: Option<&Server>) {
    println!("# mails of {SIZE} bytes over {CONNECTIONS} connections, each durable when it is answered");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let edge = Edge::new();
    let at = edge.listen().await;
    for round in 0..=ROUNDS {
        let before = edge.kept().await;
        let took = load(at, &["support@tributary.test"], round, OURS).await;
        assert_eq!(edge.kept().await - before, OURS as u64, "each mail is in the log");
        ours.push(OURS as f64 / took.as_secs_f64());
        let Some(server) = server else { continue };
        let (host, port) = server.at("smtp");
        let addresses = USERS.map(|user| format!("{user}@dovecot.test"));
        let there = || USERS.iter().map(|user| count(&server.maildir(user).join("new"))).sum::<usize>();
        let (before, begun) = (there(), Instant::now());
        load(
            format!("{host}:{port}").parse().unwrap(),
            &addresses.each_ref().map(String::as_str),
            round,
            THEIRS,
        )
        .await;
        while there() < before + THEIRS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        theirs.push(THEIRS as f64 / begun.elapsed().as_secs_f64());
    }
    let rate = median("email.received_rate", &mut ours);
    figure("email.received_rate", rate, "mails/s", 2_000.0, rate >= 2_000.0);
    if !theirs.is_empty() {
        let peer = median("Postfix into Dovecot by LMTP, mails/s", &mut theirs);
        let ratio = rate / peer;
        figure("email.received_ratio", ratio, "of-Postfix-into-Dovecot", 5.0, ratio >= 5.0);
    }
}

/// A mailbox that was not read for long.
async fn back_fill(server: &Server) {
    let cur = server.maildir("bert").join("cur");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(server.maildir("bert").join(part)).unwrap();
    }
    for number in 0..IN_THE_MAILBOX {
        fs::write(cur.join(format!("{}.{number}.bench:2,", 1_700_000_000 + number)), mail("bert", 9, number))
            .unwrap();
    }
    let owned =
        std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(server.maildir("bert")).status();
    assert!(owned.unwrap().success());
    let edge = Edge::new();
    let (host, port) = server.at("imap");
    let settings = [
        ("imap", format!("{host}:{port}")),
        ("imap_tls", "none".into()),
        ("imap_user", "bert".into()),
        ("imap_password", "secret:it".into()),
        ("imap_start", "all".into()),
    ];
    let settings: BTreeMap<String, String> =
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let place = Place::read(&settings).unwrap().unwrap();
    let mailbox = Arc::new(Mailbox { place, access: Access::Password("secret".into()), roots: None });
    let inbox: domain::InboxId = "email".parse().unwrap();
    let known = Mailboxes::from([(inbox.clone(), ("acme".parse().unwrap(), mailbox))]);
    let mailboxes = watch::Sender::new(known);
    let (pulls, outbound) = (Pulls::default(), Outbound::new(Duration::from_secs(5)).unwrap());
    let lane = Route::Lane(Lane { inbox, number: 0 });
    let _led = pulls.lead(TOPOLOGY.peer(&lane), BTreeMap::new());
    forget_peak();
    let (before, begun) = (resident(), Instant::now());
    let pulling = pulls.clone().run(
        post(&edge.log),
        edge.intake.clone(),
        outbound,
        mailboxes.subscribe(),
        imap::Limits::default(),
        edge.stop.clone(),
    );
    tokio::spawn(pulling);
    while (edge.kept().await as usize) < IN_THE_MAILBOX {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (took, grown) = (begun.elapsed().as_secs_f64(), peak().saturating_sub(before) as f64 / 1e6);
    println!("# a mailbox of {IN_THE_MAILBOX} messages of {SIZE} bytes over IMAP: {took:.1} s, once");
    let rate = IN_THE_MAILBOX as f64 / took;
    figure("email.imap_backfill_rate", rate, "messages/s", 500.0, rate >= 500.0);
    figure("email.imap_backfill_memory", grown, "MB", 100.0, grown <= 100.0);
}

/// Of mails that are as large as they may be, alone and a hundred at once.
async fn memory() {
    let edge = Edge::new();
    let at = edge.listen().await;
    load_large(at, 1).await;
    forget_peak();
    let before = resident();
    load_large(at, 1).await;
    let times = peak().saturating_sub(before) as f64 / LARGE as f64;
    figure("email.large_memory", times, "times-its-size", 3.0, times <= 3.0);
    forget_peak();
    let before = resident();
    load_large(at, 100).await;
    let grown = peak().saturating_sub(before) as f64;
    println!(
        "# a hundred mails of {} MB at once, where all together may take {} MB",
        LARGE / 1_000_000,
        MEMORY / 1_000_000
    );
    figure("email.hundred_large_memory", grown / 1e6, "MB", MEMORY as f64 / 1e6, grown <= MEMORY as f64);
}

/// Mails over the connections, each answered before the next; the time until the last answer.
async fn load(at: std::net::SocketAddr, to: &[&str], round: usize, count: usize) -> Duration {
    let mut clients = JoinSet::new();
    let to: Arc<Vec<String>> = Arc::new(to.iter().map(|to| (*to).to_owned()).collect());
    let begun = Instant::now();
    for first in 0..CONNECTIONS {
        let to = to.clone();
        clients.spawn(async move {
            let mut client = Client::connect(at).await;
            for number in (first..count).step_by(CONNECTIONS) {
                let to = &to[number % to.len()];
                let mail = mail(to, round, number);
                client.begin(to, mail.len()).await;
                client.say(&mail).await;
                client.ask(".\r\n", "250").await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    begun.elapsed()
}

async fn load_large(at: std::net::SocketAddr, count: usize) {
    let mut clients = JoinSet::new();
    for number in 0..count {
        clients.spawn(async move {
            let mut client = Client::connect(at).await;
            client.begin("support@tributary.test", LARGE).await;
            let head = format!(
                "From: large{number}@customer.test\r\nMessage-ID: <large{number}@customer.test>\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\nContent-Type: \
                 application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            );
            let tail = "--b--\r\n";
            let line = format!("{}\r\n", "QUJD".repeat(19)).repeat(100);
            client.say(head.as_bytes()).await;
            for _ in 0..(LARGE - head.len() - tail.len()) / line.len() {
                client.say(line.as_bytes()).await;
            }
            client.say(tail.as_bytes()).await;
            client.ask(".\r\n", "250").await;
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(at: std::net::SocketAddr) -> Client {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Client(BufReader::new(stream));
        client.hear("220").await;
        client.ask("EHLO bench.test\r\n", "250").await;
        client
    }

    /// Up to the text of a mail. Its commands leave together, as mail servers send them.
    async fn begin(&mut self, to: &str, size: usize) {
        let commands = format!("MAIL FROM:<ana@customer.test> SIZE={size}\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        self.say(commands.as_bytes()).await;
        self.hear("250").await;
        self.hear("250").await;
        self.hear("354").await;
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn ask(&mut self, command: &str, start: &str) {
        self.say(command.as_bytes()).await;
        self.hear(start).await;
    }

    async fn hear(&mut self, start: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            assert!(line.starts_with(start), "expected {start}, got {line:?}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

/// By one of a thousand customers.
fn mail(to: &str, round: usize, number: usize) -> Vec<u8> {
    let from = format!("ana{}@customer.test", number % 1_000);
    let head = format!(
        "From: Ana <{from}>\r\nTo: {to}\r\nSubject: Order {number}\r\nMessage-ID: <{round}.{number}.{to}@customer.test>\r\n\
         Date: Sun, 22 Nov 2026 20:53:02 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    let line = "I would like to know when what I have ordered will be here, since I am away then.\r\n";
    let mut mail = head.into_bytes();
    while mail.len() + line.len() <= SIZE {
        mail.extend_from_slice(line.as_bytes());
    }
    mail
}

struct Any;

impl Addresses for Any {
    fn inbox(&self, _: &str) -> Option<String> {
        Some("email".into())
    }
}

fn post(log: &LocalLog) -> Post {
    Post { log: Arc::new(log.clone()), topology: TOPOLOGY }
}

fn policy() -> domain::Policy {
    let queue: domain::QueueId = "acme/support/general".parse().unwrap();
    let inbox = domain::policy::Inbox {
        channel: Channel::Email,
        address: "support@tributary.test".into(),
        bot: None,
        queue: queue.clone(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: [("authentication".to_owned(), "trusted".to_owned())].into(),
    };
    domain::Policy {
        tenant: "acme".parse().unwrap(),
        version: 1,
        inboxes: [("email".parse().unwrap(), inbox)].into(),
        queues: [(queue, domain::policy::Queue { offer_timeout: Millis::seconds(30), ..Default::default() })]
            .into(),
        agents: [].into(),
        bots: [].into(),
        hours: [].into(),
        links: [].into(),
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| entries.count())
}

/// The first was a warm-up.
fn median(what: &str, values: &mut Vec<f64>) -> f64 {
    values.remove(0);
    values.sort_by(f64::total_cmp);
    println!(
        "# {what}: {:.0} to {:.0}, {} runs after a warm-up",
        values[0],
        values[values.len() - 1],
        values.len()
    );
    values[values.len() / 2]
}

fn figure(name: &str, value: f64, unit: &str, reach: f64, is_reached: bool) {
    let verdict = if is_reached { "ok" } else { "short" };
    println!("figure {name} {value:.1} {unit} reach {reach:.0} {verdict}");
}

/// Of this process, in bytes (Linux).
fn resident() -> usize {
    status("VmRSS:")
}

fn peak() -> usize {
    status("VmHWM:")
}

fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().map_or(0, |kilobytes| kilobytes * 1024)
}

/// From here on the peak is what comes.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}
