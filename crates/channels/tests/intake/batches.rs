//! Meta's batches: whatever order their items come in, and however often, the same stands in the timeline.

use std::collections::{BTreeMap, BTreeSet};

use channels::messenger::{Kind as MetaKind, normalize};
use domain::{
    Intake, MessageId, Partition, Sealed, Taken, Timestamp,
    conversation::{Decider, NoteKind, What},
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const HOME: domain::Topology =
    domain::Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
const BEGAN: i64 = 1_765_432_100_000;

/// All that three customers of a Page do, each item once.
fn items() -> Vec<(bool, String)> {
    let mut items = Vec::new();
    for customer in 0..3_i64 {
        let at = |n: i64| BEGAN + 1_000 * n + customer;
        let mut add = |standby: bool, n: i64, what: String| {
            let people = format!(r#""sender":{{"id":"c{customer}"}},"recipient":{{"id":"1"}}"#);
            items.push((standby, format!(r#"{{{people},"timestamp":{},{what}}}"#, at(n))));
        };
        let id = |n: i64| format!("m{customer}_{n}");
        add(false, 1, r#""postback":{"payload":"START","title":"Start"}"#.into());
        add(false, 2, format!(r#""message":{{"mid":"{}","text":"one"}}"#, id(2)));
        add(
            false,
            3,
            format!(r#""message":{{"mid":"{}","text":"two","reply_to":{{"mid":"{}"}}}}"#, id(3), id(2)),
        );
        add(false, 4, format!(r#""message_edit":{{"mid":"{}","text":"ones","num_edit":1}}"#, id(2)));
        add(false, 5, format!(r#""reaction":{{"mid":"{}","action":"react","emoji":"👍"}}"#, id(3)));
        add(false, 6, format!(r#""message":{{"mid":"{}","is_deleted":true}}"#, id(2)));
        add(false, 7, r#""referral":{"ref":"spring","source":"SHORTLINK","type":"OPEN_THREAD"}"#.into());
        add(false, 8, r#""take_thread_control":{"new_owner_app_id":"7","previous_owner_app_id":"1"}"#.into());
        add(true, 9, format!(r#""message":{{"mid":"{}","text":"to the other"}}"#, id(9)));
        add(
            false,
            10,
            r#""pass_thread_control":{"new_owner_app_id":"1","previous_owner_app_id":"7"}"#.into(),
        );
        add(false, 11, r#""novelty":{"colour":"blue"}"#.into());
        add(false, 12, format!(r#""message":{{"mid":"{}","text":"with more","mood":"new"}}"#, id(12)));
        items.push((
            false,
            format!(
                r#"{{"sender":{{"id":"1"}},"recipient":{{"id":"c{customer}"}},"timestamp":{},"message":{{"mid":"e{customer}","is_echo":true,"app_id":7,"text":"from elsewhere"}}}}"#,
                at(13)
            ),
        ));
    }
    items
}

fn body(items: &[&(bool, String)]) -> Vec<u8> {
    let list = |standby: bool| {
        let chosen = items.iter().filter(|(on_standby, _)| *on_standby == standby);
        chosen.map(|(_, item)| item.as_str()).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"object":"page","entry":[{{"id":"1","time":{BEGAN},"messaging":[{}],"standby":[{}]}}]}}"#,
        list(false),
        list(true)
    )
    .into_bytes()
}

/// A line of a timeline, without what tells only of the order in which it came.
type Line = (Party, &'static str, String, Option<MessageId>);

/// What the rules made of it.
#[derive(PartialEq, Debug)]
struct Timeline {
    lines: BTreeSet<Line>,
    /// Messages that are shown no more.
    gone: BTreeSet<MessageId>,
    /// Another application has the customer's thread.
    elsewhere: BTreeMap<Party, bool>,
}

struct Reader {
    world: World,
    read: BTreeMap<u32, u64>,
}

impl Reader {
    async fn deliver(&self, items: &[&(bool, String)]) {
        let facts = normalize(MetaKind::Messenger, Some("page"), &body(items)).unwrap();
        self.world.intake.accept("page", facts, None).await.unwrap();
    }

    /// What came since the last time, decided by rules that know nothing yet.
    async fn timeline(&mut self) -> Timeline {
        let mut partition: Partition<Decider> = Partition::new(HOME);
        let step = partition.adopt(Timestamp(0), Arc::new(policy())).unwrap();
        partition.fold(Timestamp(0), &step);
        let (mut entries, mut elsewhere) = (Vec::new(), BTreeMap::new());
        for number in 0..TOPOLOGY.conversation {
            let from = self.read.entry(number).or_default();
            let place = Topic(Kind::Conversation.intake_topic()).partition(number);
            for record in self.world.log.read(place, *from, ALL).await.unwrap() {
                *from = record.position + 1;
                let input: Intake<Command> = wire::decode_intake::<Decider>(&record.bytes).unwrap();
                let Taken::Step(step) = partition.take(Timestamp(BEGAN), &input) else { continue };
                entries.extend(step.events.iter().map(|recorded| recorded.event.clone()));
                partition.fold(Timestamp(BEGAN), &step);
            }
        }
        for (party, customer) in partition.state().customers() {
            elsewhere.insert(party, customer.thread().is_some_and(|thread| thread.elsewhere));
        }
        let (mut lines, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for event in entries {
            let party = event.party();
            let (kind, message, content, about) = match event.what {
                What::MessageReceived { message, content, reply_to, .. } => {
                    ("message", message, Some(content), reply_to)
                }
                What::Noted { kind, message, content, about, .. } => {
                    gone.extend(about.filter(|_| kind == NoteKind::Unsend));
                    (kind.as_str(), message, content, about)
                }
                What::AnsweredElsewhere { message, content, .. } => ("elsewhere", message, content, None),
                What::ThreadHeld { elsewhere, at, .. } => {
                    let kind = if elsewhere { "taken" } else { "returned" };
                    lines.insert((party, kind, at.0.to_string(), None));
                    continue;
                }
                _ => continue,
            };
            let line = (party, kind, self.text(party, message, content).await, about);
            assert!(lines.insert(line.clone()), "twice: {line:?}");
        }
        Timeline { lines, gone, elsewhere }
    }

    async fn text(&self, party: Party, message: MessageId, content: Option<Sealed>) -> String {
        let Some(content) = content else { return message.to_string() };
        let content = self.world.open(party, message.0, &content.bytes).await;
        let content = wire::decode_content(&content).unwrap();
        format!("{message} {} {:?} {}", content.text, content.payload, content.raw.is_some())
    }
}

#[test]
fn any_order_and_any_number_of_deliveries_give_the_same_timeline() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reader = tokio::sync::Mutex::new(Reader { world: world(), read: BTreeMap::new() });
    let items = items();
    let expected = runtime.block_on(async {
        let mut reader = reader.lock().await;
        for item in &items {
            reader.deliver(&[item]).await;
        }
        reader.timeline().await
    });
    assert_eq!(expected.lines.len(), items.len(), "{expected:?}");
    assert_eq!(expected.gone.len(), 3);
    assert!(expected.elsewhere.values().all(|elsewhere| !elsewhere));

    // Every item at least once, in batches of any size.
    let again = prop::collection::vec(0..items.len(), 0..items.len());
    let order = (again, any::<u64>(), 1..items.len()).prop_perturb(|(again, _, size), mut random| {
        let mut all: Vec<usize> = (0..39).chain(again).collect();
        for at in (1..all.len()).rev() {
            all.swap(at, random.random_range(0..=at));
        }
        (all, size)
    });
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&order, |(order, size)| {
            runtime.block_on(async {
                let mut reader = reader.lock().await;
                for batch in order.chunks(size) {
                    let batch: Vec<_> = batch.iter().map(|at| &items[*at]).collect();
                    reader.deliver(&batch).await;
                }
                let timeline = reader.timeline().await;
                prop_assert_eq!(&timeline, &expected);
                Ok(())
            })
        })
        .unwrap();
}
