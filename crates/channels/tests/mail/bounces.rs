//! Our answers leave through Postfix; what comes of them comes back.

use std::collections::BTreeSet;

use channels::{
    FactKind, Outcome, Outgoing, Sender as _, Thread,
    email::{Cause, MailboxIdentity, RelayConfig, RelayTls, SmtpSender, imap::Limits},
};

use crate::{
    server::Server,
    world::{World, listen},
};

fn sender(server: &Server) -> SmtpSender {
    let (host, port) = server.at("smtp");
    let mut relay = RelayConfig::new(host, port, "tributary.test");
    relay.tls = RelayTls::None;
    let mailbox = MailboxIdentity { name: Some("Acme".into()), address: "support@tributary.test".into() };
    SmtpSender::new(relay, mailbox).unwrap()
}

fn answer(key: &str, to: &str) -> Outgoing {
    Outgoing {
        key: key.into(),
        to: to.into(),
        text: "Yes, we have it in blue.".into(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 1_795_380_782_000,
        by_person: true,
        thread: Some(Thread {
            subject: "In blue?".into(),
            in_reply_to: Some("question@customer.test".into()),
            references: vec!["question@customer.test".into()],
            reference: "0123456789abcdefghij".into(),
            ..Thread::default()
        }),
        chat: channels::Chat::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postfix_cannot_deliver_comes_back_and_is_understood() {
    let (listener, port) = listen(0).await;
    let Some(server) = Server::up(port) else { return };
    let world = World::new();
    let ours = world.start(Some(listener), Limits::default());
    let sender = sender(&server);

    // Dovecot does not know this user.
    let Outcome::Sent { provider_id } = sender.send(&answer("one", "nobody@dovecot.test")).await else {
        panic!("Postfix takes it");
    };
    let (bounce, _) = world.fact("a bounce", |fact| fact.kind == FactKind::Bounce).await;
    assert_eq!(
        (bounce.address.as_str(), bounce.reply_to.as_deref()),
        ("nobody@dovecot.test", Some(&*provider_id))
    );
    let bounced = bounce.mail.unwrap().bounced;
    let [of] = &bounced[..] else { panic!("{bounced:?}") };
    assert_eq!((of.status.as_str(), of.cause, of.hard), ("5.1.1", Cause::UserUnknown, true), "{of:?}");

    // Nobody listens there, and Postfix soon gives up.
    server.set(&["maximal_queue_lifetime = 1s", "bounce_queue_lifetime = 1s"]);
    sender.send(&answer("two", "ana@unreachable.test")).await;
    let about = "ana@unreachable.test";
    let (bounce, _) =
        world.fact("another bounce", |fact| fact.kind == FactKind::Bounce && fact.address == about).await;
    let bounced = bounce.mail.unwrap().bounced;
    let [of] = &bounced[..] else { panic!("{bounced:?}") };
    assert!(!of.hard && matches!(of.cause, Cause::Network | Cause::Expired), "{of:?}");
    ours.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_through_postfix_into_a_mailbox_and_is_read_there() {
    let Some(server) = Server::up(1) else { return };
    let world = World::new();
    let (host, port) = server.at("imap");
    let imap = format!("{host}:{port}");
    let settings =
        [("imap", imap.as_str()), ("imap_tls", "none"), ("imap_user", "anna"), ("imap_start", "all")];
    world.pull(&server, "anna", &settings, "secret");
    let ours = world.start(None, Limits::default());
    let outcome = sender(&server).send(&answer("one", "anna@dovecot.test")).await;
    let Outcome::Sent { provider_id } = outcome else { panic!("{outcome:?}") };
    world.each_once("anna", &BTreeSet::from(["Re: In blue?".to_owned()])).await;
    let (fact, _) = world.fact("the answer", |fact| fact.kind == FactKind::Message).await;
    assert_eq!(fact.text.as_deref().map(str::trim), Some("Yes, we have it in blue."));
    assert_eq!(fact.reply_to.as_deref(), Some("question@customer.test"));
    let mail = fact.mail.unwrap();
    assert_eq!(mail.message_id.as_deref(), Some(&*provider_id));
    assert_eq!(mail.from.as_deref(), Some("support@tributary.test"));
    ours.end().await;
}
