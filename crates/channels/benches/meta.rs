//! How fast messages leave for Messenger, with a Meta of this process that looks at each as the platform does: many
//! conversations at once, and in each one message after the other.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a bench reports on standard output, and may fail"
)]

#[path = "../tests/meta/fake/mod.rs"]
mod fake;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use channels::{
    Chat, Outbound, Outcome, Outgoing, Sender as _,
    messenger::{Account, Kind, Manners, MetaSender},
};
use futures::{StreamExt as _, stream};

use fake::{Fake, Plays, Settings};

const ROUNDS: usize = 3;
/// Conversations under way at once: as many as a delivery worker makes attempts for one inbox.
const CONVERSATIONS: usize = 256;
const MESSAGES: usize = 60;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(bench());
}

async fn bench() {
    let mut rates = Vec::new();
    for round in 0..=ROUNDS {
        let rate = send().await;
        println!("# round {round}: {rate:.0}/s");
        if round > 0 {
            rates.push(rate);
        }
    }
    rates.sort_by(f64::total_cmp);
    let (least, median, most) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
    println!(
        "# meta.send.rate: {least:.0} to {most:.0}, {ROUNDS} rounds after a warm-up, order kept in each conversation"
    );
    let verdict = if median >= 3_000.0 { "ok" } else { "short" };
    println!("figure meta.send.rate {median:.0} messages/s reach 3000 {verdict}");
}

async fn send() -> f64 {
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    for customer in 0..CONVERSATIONS {
        fake.writes(&customer.to_string(), "Hello");
    }
    let account = Account {
        kind: Kind::Messenger,
        base_url: fake.url.clone(),
        version: "v23.0".into(),
        sender: "me".into(),
        token: settings.token,
        app_secret: Some(settings.app_secret),
        manners: Manners { rate: Some(1_000_000), ..Manners::default() },
    };
    let sender = &MetaSender::new(account, Outbound::new(Duration::from_secs(20)).unwrap());
    let began = Instant::now();
    let conversing = stream::iter(0..CONVERSATIONS).map(|customer| async move {
        for number in 0..MESSAGES {
            let sent = sender.send(&message(customer, number)).await;
            assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
        }
    });
    conversing.buffer_unordered(CONVERSATIONS).collect::<Vec<()>>().await;
    let took = began.elapsed().as_secs_f64();
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for taken in fake.taken() {
        let number: usize = taken.text.unwrap().parse().unwrap();
        let before = last.insert(taken.to, number);
        assert_eq!(before.map_or(0, |before| before + 1), number, "in order");
    }
    (CONVERSATIONS * MESSAGES) as f64 / took
}

fn message(customer: usize, number: usize) -> Outgoing {
    Outgoing {
        key: format!("{customer}-{number}"),
        to: customer.to_string(),
        text: number.to_string(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 0,
        by_person: true,
        thread: None,
        chat: Chat::default(),
    }
}
