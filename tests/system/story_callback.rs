//! A customer writes in a channel while the queue is closed, and has a mail address that the ledger knows: the answer is
//! promised by mail, and comes by mail, once.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};
use wire::api::v1::{self as pb, event::Kind, reassign_request::To};

use crate::{
    clients::{Agent, Answer, Api, Channel, Message, Providers, http, reply},
    count,
    outbox::{self, Sent},
    process::{Addresses, Place, Running, command},
};

const PATIENCE: Duration = Duration::from_secs(40);
const VISITOR: &str = "visitor-1";
const PROMISE: &str = "We are closed, and answer you by e-mail.";
const ANSWER: &str = "Good morning, here is your invoice.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_at_night_is_answered_by_mail() {
    let (place, at) = (Place::new(), Addresses::lasting());
    let folder = place.data().parent().unwrap().to_owned();
    let config = folder.join("tributary.toml");
    std::fs::write(&config, configuration(at, &place.data())).unwrap();
    let mut running = Running::start(&["serve", "-c", config.to_str().unwrap()], &[]);
    let ready = format!("http://{}/ready", at.metrics);
    until("it is ready", async || http().get(&ready).send().await.ok()?.status().is_success().then_some(()))
        .await;
    let workspace = folder.join("workspace.toml");
    let apply = async |text: &str| {
        std::fs::write(&workspace, text).unwrap();
        command(&["apply", "-c", config.to_str().unwrap(), workspace.to_str().unwrap()], b"").await.well();
    };
    apply(&workspace_toml("")).await;
    let (providers, admin) = (Providers::new(at), Api::new(at, "dev"));

    // By day the customer has written in both ways, and the business knows that it is one person.
    let mail = Channel::Email.customer(1);
    for message in [
        Message::new(Channel::Email, "first@example.org", &mail, "Hello"),
        Message::new(Channel::Generic, "first", VISITOR, "Hello, it is me"),
    ] {
        assert_eq!(providers.deliver(&message).await, Answer::Taken);
    }
    let (by_mail, by_chat) = until("two contacts", async || {
        let contacts = admin.all_contacts().await.ok()?;
        let of = |inbox: &str| contacts.iter().find(|contact| contact.addresses[0].inbox == inbox).cloned();
        Some((of("email")?, of("generic")?))
    })
    .await;
    let party = by_chat.addresses[0].party.clone();
    let link =
        pb::LinkContactRequest { command_id: "link".into(), contact: by_mail.id, party: party.clone() };
    admin.contacts().link(link).await.unwrap();
    let data = place.data();
    let noted = format!("to={party}");
    until("the chat knows of the mail address", async || {
        let told = command(&["events", "--data", data.to_str().unwrap()], b"").await.well();
        told.lines().any(|line| line.contains("address_noted") && line.contains(&noted)).then_some(())
    })
    .await;

    // Night falls on who waits: promised is only what can be done.
    let closed =
        format!("hours = \"office\"\nwhen_closed = {{ callback = \"email\", promise = \"{PROMISE}\" }}\n");
    let hours = format!("[hours.office]\ntime_zone = \"UTC\"\nopen = [\"{} 09:00-09:01\"]\n", far_day());
    apply(&format!("{}\n{hours}", workspace_toml(&closed))).await;
    let promised = until("a promise", async || said(&data, PROMISE)).await;
    assert_eq!((promised.inbox.as_str(), promised.to.as_str()), ("generic", VISITOR));

    // Somebody answers all the same.
    let mut ann = Agent::arrive(&Api::new(at, "ann")).await.unwrap();
    let events = admin.events_after("").await.unwrap();
    let conversation = &events.iter().find(|event| event.party == party && !event.conversation.is_empty());
    let conversation = conversation.expect("the chat has a conversation").conversation.clone();
    let to = Some(To::Agent("dev/floor/ann".into()));
    let (command_id, note, owner_epoch) = ("take".into(), String::new(), None);
    let given = pb::ReassignRequest { command_id, conversation: conversation.clone(), owner_epoch, to, note };
    admin.supervision().reassign(given).await.unwrap();
    let offer = ann.offered(&conversation).await;
    let held = ann.takes(&offer).await;
    ann.does("answer", reply(&held, ANSWER)).await;
    let sent = until("the answer", async || said(&data, ANSWER)).await;
    assert_eq!((sent.inbox.as_str(), sent.to.as_str()), ("email", mail.as_str()));
    assert!(sent.mail.is_some_and(|mail| mail.in_reply_to.is_empty()), "it is no answer to a mail");
    let events = admin.events_after("").await.unwrap();
    let by_inbox = events.iter().find_map(|event| match &event.kind {
        Some(Kind::Replied(replied)) if count::text(&replied.body) == Some(ANSWER) => Some(&replied.by_inbox),
        _ => None,
    });
    assert_eq!(by_inbox.map(String::as_str), Some("email"));

    running.signal("TERM");
    let status = running.end(PATIENCE).await;
    assert!(status.is_some_and(|status| status.success()), "it does not stop:{}", running.tail());
    let verified = command(&["verify", "--data", data.to_str().unwrap()], b"").await;
    assert!(verified.code == Some(0) && verified.out.contains("no violation"), "{verified:?}");
    let told: Vec<_> = outbox::sent(&data).into_iter().map(|sent| sent.text).collect();
    assert_eq!(told.len(), 2, "a promise and an answer, and nobody else is told anything: {told:?}");
}

/// What left with these words.
fn said(data: &Path, words: &str) -> Option<Sent> {
    outbox::sent(data).into_iter().find(|sent| sent.text.starts_with(words))
}

/// A day of the week on which it is not now, wherever midnight may be.
fn far_day() -> &'static str {
    let days_since_a_thursday = log::clock::now() / 86_400_000;
    ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][((days_since_a_thursday + 3) % 7) as usize]
}

async fn until<T>(awaited: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "awaited in vain: {awaited}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn configuration(at: Addresses, data: &Path) -> String {
    let Addresses { http, smtp, lmtp, grpc, metrics } = at;
    let token = |token: &str, role: &str| {
        format!("[[tokens]]\ntoken = \"text:{token}\"\ntenant = \"dev\"\nname = \"{token}\"\n{role}\n")
    };
    format!(
        "data = \"{}\"\nhttp.listen = \"{http}\"\nsmtp.listen = \"{smtp}\"\nlmtp.listen = \"{lmtp}\"\n\
         grpc.listen = \"{grpc}\"\nmetrics.listen = \"{metrics}\"\nsecrets.dev.dev = \"text:dev\"\n{}{}",
        data.display(),
        token("dev", "admin = true\npii = true"),
        token("ann", "agent = \"floor/ann\""),
    )
}

/// `more`: of the one queue.
fn workspace_toml(more: &str) -> String {
    format!(
        r#"
tenant = "dev"

[inboxes.generic]
channel = "generic"
address = "generic"
queue = "floor/all"
sandbox = true
settings = {{ token = "secret:dev" }}

[inboxes.email]
channel = "email"
address = "support@example.test"
queue = "floor/all"
sandbox = true
settings = {{ authentication = "trusted" }}

[queues."floor/all"]
offer_timeout = "60s"
{more}
[agents."floor/ann"]
queues = ["floor/all"]
capacity = 3
"#
    )
}
