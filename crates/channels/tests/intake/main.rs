//! The door from an edge into the log: who a sender is taken for, what is written, and when nothing may be
//! acknowledged.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod batches;
mod entries;
mod foreign;
mod strangers;
mod webhooks;

use std::sync::Arc;

use bytes::Bytes;
use channels::{Fact, FactKind, Intake as _, LogIntake, Refused, Unsubscribe as _};
use domain::{
    Channel, Intake, Kind, Origin, Party, Policies, Topology,
    conversation::{Command, Decider, Received},
};
use log::{Limit, Log as _, MemoryLog, Topic};
use runtime::Post;
use tempfile::TempDir;
use tokio::sync::watch;
use vault::{MasterKey, Opened, Subject, Vault};

const ALL: Limit = Limit { records: usize::MAX, bytes: usize::MAX };
const TOPOLOGY: Topology = Topology { conversation: 2, desk: 1, delivery: 1, contact: 1, workspace: 1 };

struct World {
    log: MemoryLog,
    vault: Vault,
    intake: LogIntake,
    _dir: TempDir,
    _policies: watch::Sender<Policies>,
}

/// A mailbox whose mail is checked by nobody (`open`), one whose server vouches for senders (`trusted`), one that tells by
/// what that server wrote (`header`), and a number.
fn world() -> World {
    world_of(policy())
}

fn world_of(policy: domain::Policy) -> World {
    let dir = tempfile::tempdir().unwrap();
    let log = MemoryLog::new(&[
        (Topic(Kind::Conversation.intake_topic()), TOPOLOGY.conversation),
        (Topic(Kind::Conversation.log_topic()), TOPOLOGY.conversation),
    ]);
    let vault = Vault::open(vault::Config::new(dir.path(), MasterKey::from_bytes([7; 32]))).unwrap();
    let mut known = Policies::default();
    known.put(Arc::new(policy));
    let (publish, policies) = watch::channel(known);
    let post = Post { log: Arc::new(log.clone()), topology: TOPOLOGY };
    let intake =
        LogIntake { post, vault: vault.clone(), policies, verifier: channels::email::Verifier::offline() };
    World { log, vault, intake, _dir: dir, _policies: publish }
}

fn policy() -> domain::Policy {
    let tenant: domain::TenantId = "acme".parse().unwrap();
    let queue: domain::QueueId = "acme/support/general".parse().unwrap();
    let inbox = |channel, authentication: Option<&str>| domain::policy::Inbox {
        channel,
        address: "help@acme.example".into(),
        bot: None,
        queue: queue.clone(),
        reopen_within: domain::Millis::hours(24),
        sandbox: true,
        settings: authentication.map(|how| ("authentication".into(), how.into())).into_iter().collect(),
    };
    domain::Policy {
        tenant,
        version: 3,
        inboxes: [
            ("open".parse().unwrap(), inbox(Channel::Email, None)),
            ("trusted".parse().unwrap(), inbox(Channel::Email, Some("trusted"))),
            ("header".parse().unwrap(), inbox(Channel::Email, Some("header:mx.acme.example"))),
            ("sms".parse().unwrap(), inbox(Channel::Sms, None)),
            ("page".parse().unwrap(), inbox(Channel::Messenger, None)),
            ("second".parse().unwrap(), inbox(Channel::Messenger, None)),
        ]
        .into(),
        queues: [(
            queue,
            domain::policy::Queue { offer_timeout: domain::Millis::seconds(30), ..Default::default() },
        )]
        .into(),
        agents: [].into(),
        bots: [].into(),
        hours: [].into(),
        links: [].into(),
    }
}

impl World {
    async fn mail(&self, inbox: &str, raw: &str) -> Result<(), Refused> {
        let raw = raw.replace('\n', "\r\n");
        let facts = channels::email::normalize(Some(inbox), raw.as_bytes(), None).unwrap();
        self.intake.accept(inbox, facts, Some(Bytes::from(raw))).await
    }

    /// What stands in the intake, with the partition it stands in.
    async fn inputs(&self) -> Vec<(u32, Intake<Command>)> {
        let mut inputs = Vec::new();
        for number in 0..TOPOLOGY.conversation {
            let partition = Topic(Kind::Conversation.intake_topic()).partition(number);
            for record in self.log.read(partition, 0, ALL).await.unwrap() {
                inputs.push((number, wire::decode_intake::<Decider>(&record.bytes).unwrap()));
            }
        }
        inputs
    }

    async fn received(&self) -> Vec<(u32, Received)> {
        let received = |(number, input)| match input {
            Intake::Input { command: Command::Receive(received), .. } => Some((number, *received)),
            _ => None,
        };
        self.inputs().await.into_iter().filter_map(received).collect()
    }

    /// What came by one inbox; of one address, in its order.
    async fn received_by(&self, inbox: &str) -> Vec<Received> {
        let received = self.received().await.into_iter().map(|(_, received)| received);
        received.filter(|received| received.from.inbox.as_str() == inbox).collect()
    }

    async fn open(&self, party: Party, item: vault::Id, sealed: &[u8]) -> Vec<u8> {
        let subject = Subject { tenant: "acme".into(), party: party.0 };
        match self.vault.open_sealed(&subject, &item, sealed).await.unwrap() {
            Opened::Plain(bytes) => bytes,
            Opened::Erased => panic!("erased"),
        }
    }

    fn party(&self, inbox: &str, address: &str) -> Party {
        Party(self.vault.party("acme", inbox, address))
    }

    fn reference(&self, party: Party, number: u32) -> String {
        let mut bytes = party.0.to_vec();
        bytes.extend(number.to_be_bytes());
        self.vault.reference("conversation", &bytes)
    }
}

fn mail(from: &str, to: &str) -> String {
    format!("From: {from}\nTo: {to}\nSubject: Hi\nMessage-ID: <{from}>\n\nSecret words\n")
}

#[tokio::test]
async fn mail_that_nobody_vouches_for_never_joins_the_timeline_of_whom_it_claims_to_be_from() {
    let world = world();
    world.mail("open", &mail("ann@example.org", "help@acme.example")).await.unwrap();
    world.mail("trusted", &mail("ann@example.org", "help@acme.example")).await.unwrap();
    let received = world.received().await;
    let of = |inbox: &str| {
        let found = received.iter().find(|(_, received)| received.from.inbox.as_str() == inbox);
        found.map(|(_, received)| (received.from.party, received.authenticated)).unwrap()
    };
    let (party, authenticated) = of("open");
    assert!(!authenticated);
    assert_ne!(party, world.party("open", "ann@example.org"));
    assert_eq!(of("trusted"), (world.party("trusted", "ann@example.org"), true));
}

#[tokio::test]
async fn a_reference_of_ours_brings_a_reply_home_and_proves_nothing() {
    let world = world();
    let ann = world.party("trusted", "ann@example.org");
    let to = format!("help+{}@acme.example", world.reference(ann, 4));
    world.mail("trusted", &mail("ann@example.org", &to)).await.unwrap();
    let (_, received) = world.received().await.remove(0);
    assert_eq!((received.from.party, received.authenticated, received.home), (ann, true, None));
    assert_eq!(received.placed.map(|placed| placed.number), Some(4));
    // Who passes our mail on passes the reference on: it does not say who writes.
    let ann = world.party("open", "ann@example.org");
    let to = format!("help+{}@acme.example", world.reference(ann, 4));
    world.mail("open", &mail("ann@example.org", &to)).await.unwrap();
    let received = world.received_by("open").await.pop().unwrap();
    assert_ne!(received.from.party, ann);
    assert_eq!((received.placed, received.authenticated, received.home), (None, false, Some(ann)));
    // What was begun without proof goes on without, whether or not there is some by now.
    let unproven = received.from.party;
    let to = format!("help+{}@acme.example", world.reference(unproven, 2));
    world.mail("open", &mail("ann@example.org", &to)).await.unwrap();
    let received = world.received_by("open").await.pop().unwrap();
    assert_eq!((received.from.party, received.home), (unproven, Some(ann)));
    assert_eq!(received.placed.map(|placed| placed.number), Some(2));
}

#[tokio::test]
async fn a_mail_is_taken_in_where_its_address_is_at_home_whatever_is_told_of_its_sender() {
    let world = world();
    let at_home = |inbox: &str| {
        let own = world.party(inbox, "ann@example.org");
        TOPOLOGY.peer(&domain::Route::Party(own)).partition
    };
    for inbox in ["open", "trusted"] {
        world.mail(inbox, &mail("ann@example.org", "help@acme.example")).await.unwrap();
    }
    for (partition, received) in world.received().await {
        assert_eq!(partition, at_home(received.from.inbox.as_str()), "{received:?}");
    }
}

#[tokio::test]
async fn a_strangers_reply_has_no_part_in_the_conversation_that_it_names() {
    let world = world();
    let ann = world.party("trusted", "ann@example.org");
    let to = format!("help+{}@acme.example", world.reference(ann, 1));
    world.mail("trusted", &mail("bob@example.net", &to)).await.unwrap();
    let (_, received) = &world.received().await[0];
    let bob = world.party("trusted", "bob@example.net");
    assert_eq!((received.from.party, received.content.subject, received.placed), (bob, bob, None));
}

#[tokio::test]
async fn the_verdict_is_kept_with_the_message_and_what_it_answers_as_hashes() {
    let world = world();
    let head = "From: ann@example.org\nSubject: Re: Order\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>";
    world
        .mail("trusted", "From: ann@example.org\nSubject: Order\nMessage-ID: <1@x>\n\nSecret words\n")
        .await
        .unwrap();
    world.mail("trusted", &format!("{head}\n\nmore\n")).await.unwrap();
    world.mail("open", &format!("{head}\n\nmore\n")).await.unwrap();
    let mut received: Vec<Received> =
        world.received().await.into_iter().map(|(_, received)| received).collect();
    received.sort_by_key(|received| (received.from.inbox.to_string(), received.answers.mails.len()));
    let [open, first, second] = &received[..] else { panic!("{received:?}") };
    let (asked, answer) = (first.marks.unwrap(), second.marks.unwrap());
    assert_eq!((asked.topic, second.answers.mails.first().copied()), (answer.topic, asked.id));
    assert_ne!(open.marks.unwrap().topic, answer.topic, "each inbox has its own");
    for (received, authenticated, by) in [(first, true, "inbox"), (open, false, "tributary")] {
        let bytes = world.open(received.from.party, received.message.0, &received.content.bytes).await;
        let verdict = wire::decode_content(&bytes).unwrap().verdict.unwrap();
        assert_eq!((verdict.authenticated, verdict.by.as_str()), (authenticated, by));
        assert!(!verdict.because.is_empty());
    }
}

#[tokio::test]
async fn a_forged_reference_is_no_reference() {
    let world = world();
    let ann = world.party("open", "ann@example.org");
    let mut forged = world.reference(ann, 1).into_bytes();
    forged[3] = if forged[3] == b'0' { b'1' } else { b'0' };
    let to = format!("help+{}@acme.example", String::from_utf8(forged).unwrap());
    world.mail("open", &mail("ann@example.org", &to)).await.unwrap();
    let (_, received) = &world.received().await[0];
    assert_eq!((received.placed, received.authenticated), (None, false));
}

#[tokio::test]
async fn a_redelivery_is_the_same_fact_and_nothing_written_is_plaintext() {
    let world = world();
    let raw = mail("ann@example.org", "help@acme.example");
    world.mail("trusted", &raw).await.unwrap();
    world.mail("trusted", &raw).await.unwrap();
    let inputs = world.inputs().await;
    let ids: Vec<_> = inputs
        .iter()
        .map(|(_, input)| match input {
            Intake::Input { origin: Origin::Fact(id), policy_version: 3, .. } => *id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    for number in 0..TOPOLOGY.conversation {
        let partition = Topic(Kind::Conversation.intake_topic()).partition(number);
        for record in world.log.read(partition, 0, ALL).await.unwrap() {
            for plain in [&b"Secret"[..], b"ann@", b"example.org"] {
                assert!(!record.bytes.windows(plain.len()).any(|window| window == plain));
            }
        }
    }
    let (_, received) = &world.received().await[0];
    let bytes = world.open(received.from.party, received.message.0, &received.content.bytes).await;
    let content = wire::decode_content(&bytes).unwrap();
    assert_eq!(content.text, "Secret words");
    assert!(content.raw.is_some_and(|raw| raw.starts_with(b"From: ann")));
}

#[tokio::test]
async fn a_batch_of_new_parties_is_wholly_durable_and_in_order() {
    const PARTIES: usize = 1_000;
    let world = world();
    // Everyone writes twice.
    let fact = |at: usize| Fact {
        external_id: Some(format!("m{at}")),
        sent_at: Some(at as i64),
        ..Fact::new(FactKind::Message, Channel::Messenger, "page", (at % PARTIES).to_string())
    };
    world.intake.accept("page", (0..2 * PARTIES).map(fact).collect(), None).await.unwrap();
    let received = world.received().await;
    assert_eq!(received.len(), 2 * PARTIES);
    for partition in 0..TOPOLOGY.conversation {
        let here = received.iter().filter(|(number, _)| *number == partition);
        let times: Vec<i64> = here.map(|(_, received)| received.sent_at.0).collect();
        assert!(times.len() > PARTIES / 2 && times.is_sorted(), "partition {partition}: {times:?}");
    }
    let (_, last) = received.iter().max_by_key(|(_, received)| received.sent_at).unwrap();
    let address = world.open(last.from.party, last.from.party.0, &last.from.address.bytes).await;
    assert_eq!(address, (PARTIES - 1).to_string().into_bytes());
}

#[tokio::test]
async fn an_unknown_item_of_a_batch_is_kept_without_the_others() {
    let world = world();
    let item = |at: usize| format!(r#"{{"sender":{{"id":"{at}"}},"timestamp":{at},"novelty":"{at}"}}"#);
    let items: Vec<String> = (0..100).map(item).collect();
    let body = format!(r#"{{"object":"page","entry":[{{"id":"1","messaging":[{}]}}]}}"#, items.join(","));
    let kind = channels::messenger::Kind::Messenger;
    let facts = channels::messenger::normalize(kind, Some("page"), body.as_bytes()).unwrap();
    world.intake.accept("page", facts, Some(Bytes::from(body))).await.unwrap();
    let mut kept = Vec::new();
    for (_, input) in world.inputs().await {
        let Intake::Input { command: Command::Note { from, message, content: Some(content), .. }, .. } =
            input
        else {
            panic!("{input:?}")
        };
        let content = world.open(from.party, message.0, &content.bytes).await;
        let raw = wire::decode_content(&content).unwrap().raw.unwrap();
        kept.push(String::from_utf8(raw.to_vec()).unwrap());
    }
    kept.sort();
    let mut items = items;
    items.sort();
    assert_eq!(kept, items);
}

#[tokio::test]
async fn unknown_mail_is_kept_whole_and_our_own_echo_is_nothing() {
    let world = world();
    let unknown =
        Fact { reason: Some("no idea".into()), ..Fact::new(FactKind::Unknown, Channel::Email, "open", "") };
    world.intake.accept("open", vec![unknown], Some(Bytes::from_static(b"raw"))).await.unwrap();
    let inputs = world.inputs().await;
    assert!(
        matches!(&inputs[..], [(_, Intake::Input { command: Command::Unreadable { reason, .. }, .. })] if **reason == *"no idea"),
        "{inputs:?}"
    );
    let echo =
        Fact { echo_of: Some("key".into()), ..Fact::new(FactKind::Echo, Channel::Sms, "sms", "+15550123") };
    world.intake.accept("sms", vec![echo], None).await.unwrap();
    assert_eq!(world.inputs().await.len(), 1);
}

#[tokio::test]
async fn what_is_not_durable_is_not_acknowledged() {
    let world = world();
    let facts = || {
        vec![Fact {
            external_id: Some("1".into()),
            ..Fact::new(FactKind::Message, Channel::Sms, "sms", "+1")
        }]
    };
    world.log.refuse(true);
    let refused = world.intake.accept("sms", facts(), None).await.unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
    world.log.refuse(false);
    world.intake.accept("sms", facts(), None).await.unwrap();
    assert_eq!(world.inputs().await.len(), 1);
    let refused = world.intake.accept("none", facts(), None).await.unwrap_err();
    assert!(matches!(refused, Refused::UnknownInbox(_)), "{refused}");
}

/// A report in the manner of RFC 3464 of a mail to ann, whose Message-ID was `original`.
fn report(original: &str, action: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.org\nTo: help@acme.example\nSubject: Undelivered Mail Returned to Sender\n\
         Return-Path: <>\nMessage-ID: <{status}.{original}>\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nCould not be delivered.\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n\
         Final-Recipient: rfc822; ann@example.org\nAction: {action}\nStatus: {status}\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{original}>\nTo: ann@example.org\n\n--b--\n"
    )
}

#[tokio::test]
async fn only_a_report_that_brings_our_reference_back_suppresses() {
    let world = world();
    let ann = world.party("open", "ann@example.org");
    let ours = |party| format!("key.{}@acme.example", world.reference(party, 1));
    let stranger = ours(world.party("open", "bob@example.org"));
    for (original, action, status) in [
        (ours(ann), "failed", "5.1.1"),
        (ours(ann), "delayed", "4.4.1"),
        (ours(ann), "failed", "5.2.2"),
        (stranger, "failed", "5.1.1"),
        ("made-up@acme.example".into(), "failed", "5.1.1"),
    ] {
        world.mail("open", &report(&original, action, status)).await.unwrap();
    }
    let complaint = format!(
        "From: feedback@isp.example\nTo: help@acme.example\nSubject: complaint\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: text/plain\n\nspam\n\
         --b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\n\
         --b\nContent-Type: message/rfc822\n\nMessage-ID: <{}>\nTo: (hidden)\n\nhello\n--b--\n",
        ours(ann)
    );
    world.mail("open", &complaint).await.unwrap();
    let (mut suppressed, mut elsewhere) = (Vec::new(), Vec::new());
    for (_, input) in world.inputs().await {
        let Intake::Input { command, .. } = input else { panic!("{input:?}") };
        if let Command::Suppress { party, cause, .. } = command {
            elsewhere.push((party, cause));
            continue;
        }
        let Command::Note { from, kind, suppresses, .. } = command else { panic!("{command:?}") };
        if let Some(cause) = suppresses {
            suppressed.push((from.party == ann, kind, cause));
        }
    }
    suppressed.sort_by_key(|(_, _, cause)| *cause);
    use domain::conversation::{NoteKind, Suppression};
    let expected = [
        (true, NoteKind::Bounce, Suppression::DeadAddress),
        (true, NoteKind::Complaint, Suppression::Complaint),
    ];
    assert_eq!(suppressed, expected);
    // Nobody is at that address, whichever mailbox writes; a complaint is about one mailbox.
    let mut others = ["trusted", "header"]
        .map(|inbox| (world.party(inbox, "ann@example.org"), Suppression::DeadAddress))
        .to_vec();
    others.sort();
    elsewhere.sort();
    assert_eq!(elsewhere, others);
}

#[tokio::test]
async fn a_customer_unsubscribes_by_what_we_signed_alone() {
    let world = world();
    let ann = world.party("open", "ann@example.org");
    let reference = world.vault.reference("unsubscribe", &[&ann.0[..], b"open"].concat());
    assert_eq!(world.intake.inbox_of(&reference.to_uppercase()).as_deref(), Some("open"));
    world.intake.unsubscribe(&reference).await.unwrap();
    let inputs = world.inputs().await;
    let [(_, Intake::Input { command: Command::Suppress { tenant, party, cause }, .. })] = &inputs[..] else {
        panic!("{inputs:?}")
    };
    assert_eq!((tenant.as_str(), *party), ("acme", ann));
    assert_eq!(*cause, domain::conversation::Suppression::Unsubscribed);

    let of_a_conversation = world.reference(ann, 1);
    let gone = world.vault.reference("unsubscribe", &[&ann.0[..], b"gone"].concat());
    for wrong in [of_a_conversation.as_str(), gone.as_str(), "", "nonsense", &reference[1..]] {
        let refused = world.intake.unsubscribe(wrong).await.unwrap_err();
        assert!(matches!(refused, Refused::UnknownInbox(_)), "{wrong}: {refused}");
    }
    assert_eq!(world.inputs().await.len(), 1);
}

#[tokio::test]
async fn an_answer_quotes_how_a_mail_begins_and_only_people_answer_lists() {
    let world = world();
    let long = format!("{}\n\nthe end", "word ".repeat(400));
    let list = "List-Id: <all.example.org>\n";
    let nobody = mail("no-reply@shop.example", "help@acme.example");
    for raw in [
        mail("ann@example.org", "help@acme.example").replace("Secret words", &long),
        format!("{list}{}", mail("bob@example.org", "help@acme.example")),
        nobody,
    ] {
        world.mail("open", &raw).await.unwrap();
    }
    let mut received: Vec<Received> =
        world.received().await.into_iter().map(|(_, received)| received).collect();
    received.sort_by_key(|received| received.people_only);
    assert_eq!(received.iter().map(|received| received.people_only).collect::<Vec<_>>(), [false, true, true]);
    let thread = received[0].thread.as_ref().unwrap();
    let thread = world.open(received[0].from.party, received[0].message.0, &thread.bytes).await;
    let thread = wire::decode_mail_thread(&thread).unwrap();
    assert!(thread.quote.starts_with("word word") && thread.quote.ends_with("word …"), "{}", thread.quote);
    assert!(thread.quote.chars().count() <= 602, "{}", thread.quote.len());
}
