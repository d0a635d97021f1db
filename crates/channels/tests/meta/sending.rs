//! The sender against a Meta that looks at what it is sent, and misbehaves as it is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use channels::{
    Attachment, Chat, Outbound, Outcome, Outgoing, Sender as _,
    messenger::{Account, Kind, Manners, MetaSender},
};
use domain::{
    AskFor, Button, ButtonDoes, Card, Choice, ChoiceList, Rich, Template, Timestamp, conversation::Window,
};
use futures::{StreamExt as _, stream};
use serde_json::json;

use crate::fake::{Fake, Fault, Plays, Refusal, Settings};

const HOUR: i64 = 60 * 60 * 1000;

pub(crate) fn sender(fake: &Fake, settings: &Settings, manners: Manners) -> MetaSender {
    let kind = match settings.plays {
        Plays::Messenger => Kind::Messenger,
        Plays::Instagram => Kind::Instagram,
        Plays::Whatsapp => Kind::Whatsapp,
    };
    let account = Account {
        kind,
        base_url: fake.url.clone(),
        version: "v23.0".into(),
        sender: if kind == Kind::Whatsapp { settings.page.clone() } else { "me".into() },
        token: settings.token.clone(),
        app_secret: Some(settings.app_secret.clone()),
        manners,
    };
    MetaSender::new(account, Outbound::new(Duration::from_secs(20)).unwrap())
}

pub(crate) fn text(key: &str, to: &str, text: &str) -> Outgoing {
    Outgoing {
        key: key.into(),
        to: to.into(),
        text: text.into(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 0,
        by_person: true,
        thread: None,
        chat: Chat::default(),
    }
}

fn showing(key: &str, words: &str, rich: Rich) -> Outgoing {
    let chat = Chat { rich: Some(Box::new(rich)), ..Chat::default() };
    Outgoing { chat, ..text(key, "ada", words) }
}

fn post(title: &str) -> Button {
    Button { title: title.into(), does: ButtonDoes::Post(title.to_lowercase()) }
}

fn open(title: &str) -> Button {
    Button { title: title.into(), does: ButtonDoes::Open("https://x.example.test".into()) }
}

fn file(kind: &str, data: bool) -> Attachment {
    Attachment {
        kind: kind.into(),
        url: (!data).then(|| "https://x.example.test/a.png".into()),
        content_type: Some("image/png".into()),
        name: Some("a.png".into()),
        data: data.then(|| Bytes::from_static(b"\x89PNG")),
    }
}

#[track_caller]
pub(crate) fn is_sent(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn messenger_takes_everything_that_a_message_may_show() {
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    fake.writes("ada", "Hello");
    let picture = Some("https://x.example.test/{name}.png".to_owned());
    let manners = Manners { seen: true, persona_picture: picture, ..Manners::default() };
    let sender = sender(&fake, &settings, manners);

    is_sent(&sender.send(&text("k1", "ada", "Hello")).await);
    let replies = vec!["Yes, as fast as you can".to_owned(), "No".to_owned()];
    let asks = vec![AskFor::Email, AskFor::Phone];
    let mut asking = showing("k2", "Where to?", Rich { asks, ..Rich::default() });
    asking.quick_replies = replies;
    is_sent(&sender.send(&asking).await);
    let call = Button { title: "Call".into(), does: ButtonDoes::Call("+15550123".into()) };
    let buttons = vec![post("Yes"), open("See"), call];
    is_sent(&sender.send(&showing("k3", "Well?", Rich { buttons, ..Rich::default() })).await);
    let card = Card {
        title: "A card".into(),
        subtitle: Some("of two".into()),
        image: Some("https://x.example.test/c.png".into()),
        buttons: vec![post("Take it")],
    };
    let cards = vec![card.clone(), Card { buttons: Vec::new(), ..card }];
    is_sent(&sender.send(&showing("k4", "", Rich { cards, ..Rich::default() })).await);
    for (key, data) in [("k5", false), ("k6", true)] {
        let message = Outgoing { attachments: vec![file("image", data)], ..text(key, "ada", "") };
        is_sent(&sender.send(&message).await);
    }
    // As herself, and only once a persona is made.
    for key in ["k7", "k8"] {
        let chat = Chat { signed: Some("Ada Lovelace".into()), ..Chat::default() };
        is_sent(&sender.send(&Outgoing { chat, ..text(key, "ada", "It is me") }).await);
    }
    let taken = fake.taken();
    let keys: Vec<_> = taken.iter().filter_map(|taken| taken.metadata.clone()).collect();
    assert_eq!(keys, ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"]);
    let asked = &taken[1].body["message"]["quick_replies"];
    assert_eq!(
        asked[0],
        json!({ "content_type": "text", "title": "Yes, as fast as you ", "payload": "Yes, as fast as you can" })
    );
    assert_eq!(asked[3], json!({ "content_type": "user_phone_number" }));
    assert!(taken[5].body["message"]["attachment"]["payload"]["attachment_id"].is_string());
    assert_eq!(
        fake.personas(),
        [("Ada Lovelace".to_owned(), "https://x.example.test/Ada+Lovelace.png".to_owned())]
    );
    assert_eq!(taken[6].body["persona_id"], taken[7].body["persona_id"]);
    assert!(taken[6].body["persona_id"].is_string());
    let seen = fake.calls().iter().filter(|(_, body)| body["sender_action"] == "mark_seen").count();
    assert_eq!(seen, 8);

    // What does not fit is refused before it leaves.
    let before = fake.count();
    let list = ChoiceList { button: "Choose".into(), rows: vec![Choice::default()] };
    for message in [
        text("x", "ada", &"x".repeat(2001)),
        showing(
            "x",
            "Well?",
            Rich { buttons: vec![post("1"), post("2"), post("3"), post("4")], ..Rich::default() },
        ),
        showing("x", "Well?", Rich { list: Some(list), ..Rich::default() }),
        Outgoing { attachments: vec![file("image", false)], ..text("x", "ada", "beside a text") },
    ] {
        let outcome = sender.send(&message).await;
        assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "unsupported"), "{outcome:?}");
    }
    assert_eq!(fake.count(), before);
}

#[tokio::test]
async fn whatsapp_takes_lists_templates_buttons_and_files() {
    let settings = Settings::of(Plays::Whatsapp);
    let fake = Fake::start(settings.clone()).await;
    fake.writes("ada", "Hello");
    let sender = sender(&fake, &settings, Manners::default());
    let rows = vec![Choice { id: "1".into(), title: "One".into(), description: Some("the first".into()) }];
    let list = Some(ChoiceList { button: "Choose".into(), rows });
    is_sent(&sender.send(&showing("k1", "Which?", Rich { list, ..Rich::default() })).await);
    let buttons = vec![post("Yes"), post("No")];
    is_sent(&sender.send(&showing("k2", "Well?", Rich { buttons, ..Rich::default() })).await);
    let buttons = vec![open("See")];
    is_sent(&sender.send(&showing("k3", "Look", Rich { buttons, ..Rich::default() })).await);
    let message = Outgoing { attachments: vec![file("file", true)], ..text("k4", "ada", "Your bill") };
    is_sent(&sender.send(&message).await);
    assert_eq!(fake.taken()[3].body["document"]["filename"], "a.png");

    // A day later only a template may be sent.
    fake.passes(25 * HOUR);
    let outcome = sender.send(&text("k5", "ada", "Too late")).await;
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "window"), "{outcome:?}");
    let template = |parameters: &[&str]| {
        let parameters = parameters.iter().map(|text| (*text).to_owned()).collect();
        Some(Template { name: "parcel_update".into(), language: "en_US".into(), parameters })
    };
    let closed = Some(Window { until: Timestamp(0), person_until: Timestamp(0) });
    let mut message = showing("k6", "", Rich { template: template(&["Ada", "42"]), ..Rich::default() });
    message.chat.window = closed;
    is_sent(&sender.send(&message).await);
    let wrong = showing("k7", "", Rich { template: template(&["Ada"]), ..Rich::default() });
    let outcome = sender.send(&wrong).await;
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "132000"), "{outcome:?}");
}

#[tokio::test]
async fn the_platforms_clock_decides_who_may_still_be_answered() {
    let settings = Settings::of(Plays::Instagram);
    let fake = Fake::start(settings.clone()).await;
    fake.comes_by_ad("ad", "I saw that", "4711");
    fake.writes("ada", "Hello");
    fake.leaves("gone");
    let sender = sender(&fake, &settings, Manners { human_agent: true, ..Manners::default() });
    fake.passes(25 * HOUR);
    is_sent(&sender.send(&text("k1", "ad", "Here it is")).await);
    let outcome = sender.send(&text("k2", "ada", "Too late")).await;
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "window"), "{outcome:?}");
    // By our own clock it is a person's time.
    let now = log::clock::now();
    let window = Some(Window { until: Timestamp(now - 1), person_until: Timestamp(now + HOUR) });
    let chat = Chat { window, ..Chat::default() };
    is_sent(&sender.send(&Outgoing { chat, ..text("k3", "ada", "A person here") }).await);
    assert_eq!(fake.taken()[1].tag.as_deref(), Some("HUMAN_AGENT"));
    for to in ["gone", "stranger"] {
        let outcome = sender.send(&text("k4", to, "Hello?")).await;
        assert!(matches!(&outcome, Outcome::Dead { .. }), "{to}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_too_fast_slows_down_and_loses_nothing() {
    let settings = Settings { page_rate: Some(40), ..Settings::of(Plays::Messenger) };
    let fake = Fake::start(settings.clone()).await;
    // We think that we may send more than the platform takes.
    let sender = Arc::new(sender(&fake, &settings, Manners { rate: Some(10_000), ..Manners::default() }));
    for n in 0..100 {
        fake.writes(&format!("c{n}"), "Hello");
    }
    let sending = stream::iter(0..100).map(|n| {
        let sender = sender.clone();
        async move {
            let message = text(&format!("k{n}"), &format!("c{n}"), "Hello");
            loop {
                match sender.send(&message).await {
                    Outcome::Sent { .. } => return,
                    Outcome::Retry { after, .. } => {
                        tokio::time::sleep(Duration::from_millis(after.unwrap_or(10))).await;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    sending.buffer_unordered(100).collect::<Vec<()>>().await;
    let keys: BTreeSet<_> = fake.taken().into_iter().filter_map(|taken| taken.metadata).collect();
    assert_eq!((keys.len(), fake.count()), (100, 100));
}

/// Faults of every kind, from a seed: what is known to be sent was sent once, what is refused never, and only what nobody
/// knows may be either.
#[tokio::test]
async fn whatever_goes_wrong_only_what_nobody_knows_may_be_twice_or_not_at_all() {
    for seed in [1_u64, 7, 42, 2026] {
        let settings = Settings::of(Plays::Messenger);
        let fake = Fake::start(settings.clone()).await;
        let mut dice = seed;
        fake.script(move |_, _| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some(match (dice >> 33) % 10 {
                0 => Fault::CutBefore,
                1 => Fault::CutAfter,
                2 => Fault::Refused(Refusal::transient()),
                3 => Fault::Gateway(504),
                4 => Fault::Gateway(502),
                _ => return None,
            })
        });
        let sender = sender(&fake, &settings, Manners::default());
        let (mut sent, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        fake.writes("ada", "Hello");
        for n in 0..60 {
            let key = format!("k{n:02}");
            loop {
                match sender.send(&text(&key, "ada", "Hello")).await {
                    Outcome::Sent { .. } => {
                        sent.insert(key);
                        break;
                    }
                    // By default it is not sent again.
                    Outcome::Unknown { .. } => {
                        unknown.insert(key);
                        break;
                    }
                    Outcome::Retry { .. } => {}
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
        assert!(!unknown.is_empty() && sent.len() > 20, "seed {seed} tells of both");
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let order: Vec<_> = fake.taken().into_iter().filter_map(|taken| taken.metadata).collect();
        order.iter().for_each(|key| *times.entry(key.clone()).or_default() += 1);
        assert!(sent.iter().all(|key| times.get(key) == Some(&1)), "seed {seed}: {times:?}");
        assert!(times.values().all(|count| *count == 1), "seed {seed}: none twice");
        assert!(times.keys().all(|key| sent.contains(key) || unknown.contains(key)), "seed {seed}");
        assert!(order.is_sorted(), "seed {seed}: in order");
    }
}
