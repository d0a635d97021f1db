//! A history is made by the real aggregates, with relays that take their time and people led by dice, written as a log and
//! read as one. Replayed under its own policy it must come close to what happened; under another it must differ the way
//! the other policy says.

mod made;

use std::path::Path;

use domain::Timestamp;

use super::*;
use made::{BEGAN, ENDED, NOTHING_PUT_AWAY, WORKSPACE, made};

fn policy(text: &str) -> Policy {
    read_workspace(Path::new("w.toml"), text).unwrap()
}

async fn compared(seed: u64, policy: Policy, from: Option<Timestamp>, to: Option<Timestamp>) -> Comparison {
    let (log, topology) = made(seed).await;
    let record = Record::read(&log, &topology, &policy.tenant, (from, to), None, &|_, _| {}).await.unwrap();
    compare(record, policy, from, to).unwrap()
}

#[track_caller]
fn close(what: &str, actual: f64, replayed: f64, within: f64) {
    assert!((actual - replayed).abs() <= within, "{what}: {replayed} replayed, {actual} in truth");
}

/// How far a replay may be off: it does not know what relays took, and one offer that goes to another agent changes who
/// is free for the next.
fn is_close(actual: &Report, replayed: &Report) {
    let (was, is) = (&actual.total, &replayed.total);
    let count = |count: u32| f64::from(count);
    close("came", count(was.tally.came), count(is.tally.came), 0.05 * count(was.tally.came));
    close("answered", count(was.tally.answered), count(is.tally.answered), 0.05 * count(was.tally.answered));
    close(
        "gave up",
        count(was.tally.abandoned),
        count(is.tally.abandoned),
        3.0 + 0.2 * count(was.tally.abandoned),
    );
    close("transferred", count(was.tally.transferred), count(is.tally.transferred), 3.0);
    close(
        "declined",
        count(was.tally.declined),
        count(is.tally.declined),
        3.0 + 0.15 * count(was.tally.declined),
    );
    close(
        "let expire",
        count(was.tally.expired),
        count(is.tally.expired),
        3.0 + 0.15 * count(was.tally.expired),
    );
    close("in time", was.service_level().unwrap(), is.service_level().unwrap(), 0.04);
    let speed = |totals: &report::Totals| totals.tally.speed_of_answer().unwrap().0 as f64;
    close("speed of answer", speed(was), speed(is), 1_000.0 + 0.15 * speed(was));
    close("occupancy", actual.people.occupancy().unwrap(), replayed.people.occupancy().unwrap(), 0.02);
    close("time available", actual.people.available as f64, replayed.people.available as f64, 600_000.0);
    let handling = |totals: &report::Totals| totals.tally.handling_time().unwrap().0 as f64;
    close("handling time", handling(was), handling(is), 0.03 * handling(was));
}

#[tokio::test]
async fn the_recorded_policy_replayed_comes_close_to_what_happened() {
    for seed in 1..=3 {
        let compared = compared(seed, policy(WORKSPACE), None, None).await;
        let actual = &compared.actual.total;
        eprintln!("{}", table::table(&compared, "the same"));
        // Otherwise nothing was replayed that is worth it.
        assert!(actual.tally.answered > 500 && actual.tally.abandoned > 5 && actual.tally.transferred > 20);
        assert!(actual.tally.went_on > 5 && actual.tally.declined > 10 && actual.tally.expired > 5);
        assert!((0.3..0.95).contains(&actual.service_level().unwrap()), "{:?}", actual.service_level());
        is_close(&compared.actual, &compared.recorded);
        // The same policy by another name.
        assert_eq!(compared.new, compared.recorded);
        assert!(compared.notes.is_empty(), "{:?}", compared.notes);
    }
}

#[tokio::test]
async fn more_room_is_answered_sooner_and_fewer_agents_later() {
    let more = WORKSPACE.replace("capacity = 1", "capacity = 3");
    let more = compared(1, policy(&more), None, None).await;
    assert!(more.new.total.service_level() > more.recorded.total.service_level());
    assert!(more.new.total.tally.speed_of_answer() < more.recorded.total.tally.speed_of_answer());
    assert!(more.new.total.tally.abandoned < more.recorded.total.tally.abandoned);

    let (kept, _) = WORKSPACE.split_once("[agents.\"service/agent-07\"]").unwrap();
    let fewer = compared(1, policy(kept), None, None).await;
    assert!(fewer.new.total.service_level() < fewer.recorded.total.service_level());
    assert!(fewer.new.people.occupancy() > fewer.recorded.people.occupancy());
    assert!(fewer.notes.iter().any(|note| note.contains("not in the other policy: acme/service/agent-07")));
}

#[tokio::test]
async fn what_a_queue_no_longer_does_is_not_done() {
    let text = WORKSPACE.lines().filter(|line| !line.starts_with("overflow")).collect::<Vec<_>>().join("\n");
    let without = compared(2, policy(&text), None, None).await;
    assert!(without.recorded.total.tally.went_on > 0 && without.new.total.tally.went_on == 0);

    let asked = WORKSPACE.replace("auto_accept = false", "auto_accept = true");
    let unasked = compared(2, policy(&asked), None, None).await.new.total.tally;
    assert_eq!((unasked.declined, unasked.expired), (0, 0), "nobody is asked");

    // Whoever wrote to the inbox waits where the other policy says.
    let moved = WORKSPACE.replace("queue = \"service/first\" # inbox", "queue = \"service/second\"");
    let moved = compared(2, policy(&moved), None, None).await.new;
    let came = |name: &str| moved.queues.get(&name.parse().unwrap()).map_or(0, |totals| totals.tally.came);
    assert!(came("acme/service/second") > 500 && came("acme/service/first") < 50, "{:?}", moved.queues);
}

#[tokio::test]
async fn a_part_of_history_is_counted_as_it_was_in_the_whole() {
    let (from, to) = (Timestamp(BEGAN.0 + 2 * report::HOUR), Timestamp(BEGAN.0 + 4 * report::HOUR));
    let part = compared(NOTHING_PUT_AWAY, policy(WORKSPACE), Some(from), Some(to)).await;
    assert_eq!(part.period, Period { from, to });
    let whole = compared(NOTHING_PUT_AWAY, policy(WORKSPACE), None, Some(ENDED)).await;
    let hours = |report: &Report| report.hours.values().map(|tally| tally.came).sum::<u32>();
    assert!(hours(&part.actual) < hours(&whole.actual) / 2 && hours(&part.actual) > 100);
    let hour = (BEGAN.0 + 2 * report::HOUR).div_euclid(report::HOUR) + 1;
    assert_eq!(part.actual.hours[&hour], whole.actual.hours[&hour]);
    let spent = part.actual.people.available;
    assert!(spent > 0 && spent <= 12 * 2 * report::HOUR as u64);
    is_close(&part.actual, &part.recorded);
}

/// Nobody is asked by a queue that is closed, and who waited for it is served once it opens.
#[tokio::test]
async fn a_queue_that_would_have_been_closed_answers_later() {
    let hours = "\n[hours.office]\ntime_zone = \"UTC\"\nopen = [\"wed 08:00-10:00\", \"wed 11:00-14:00\"]\n";
    let closed = WORKSPACE.replacen("wrap_up = \"40s\"\n", "wrap_up = \"40s\"\nhours = \"office\"\n", 1);
    let compared = compared(1, policy(&format!("{closed}{hours}")), None, None).await;
    let first = BEGAN.0.div_euclid(report::HOUR);
    let answered =
        |report: &Report, hour: i64| report.hours.get(&(first + hour)).map_or(0, |tally| tally.answered);
    let (recorded, new) = (&compared.recorded, &compared.new);
    assert!(answered(recorded, 2) > 50 && answered(new, 2) < answered(recorded, 2) / 3, "{:?}", new.hours);
    assert!(answered(new, 3) > answered(recorded, 3), "{:?}", new.hours);
    assert!(new.total.service_level() < recorded.total.service_level());
}

/// What is put away is no agent's for as long, and comes back.
#[tokio::test]
async fn what_was_put_away_comes_back_in_a_replay() {
    let (log, topology) = made(1).await;
    let policy = policy(WORKSPACE);
    let record = Record::read(&log, &topology, &policy.tenant, (None, None), None, &|_, _| {}).await.unwrap();
    let legs = || record.history.cases.iter().flat_map(|case| &case.legs);
    let away = legs().filter(|leg| matches!(leg.then, history::Then::PutAway { away } if away.0 >= 60_000));
    assert!(away.count() > 20);
    let goes_on = legs().filter(|leg| leg.work == history::Work::GoesOn);
    assert!(goes_on.count() <= 12, "nobody has what was put away");
}

/// A log is read from a known point before the period on, as it would be read from its beginning.
#[tokio::test]
async fn what_is_long_before_the_period_is_passed_over() {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    };

    use domain::{Kind, Peer, conversation};
    use log::{Limit, Log, MemoryLog};
    use runtime::{Snapshots, log_of};

    use crate::commands::decisions::{point_before, read_decisions, read_decisions_from};

    let peer = Peer { kind: Kind::Conversation, partition: 0 };
    let (made, _) = made(1).await;
    let records = made.read(log_of(peer), 0, Limit { records: 1_000, bytes: usize::MAX }).await.unwrap();
    let second = Arc::new(AtomicI64::new(0));
    let clock = second.clone();
    let log = MemoryLog::new(&[(log_of(peer).topic, 1)]).with_clock(move || clock.load(Relaxed) * 1_000);
    let log: Arc<dyn Log> = Arc::new(log);
    for (number, record) in (0..).zip(&records) {
        second.store(number, Relaxed);
        log.append(log_of(peer), vec![record.bytes.clone()]).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let points = Points::new(Snapshots::new(folder.path())).with_spacing(10);
    points.extend(log.clone(), peer).await.unwrap();

    let at = |second: i64| Timestamp(second * 1_000);
    let begin = point_before(&log, &points, peer, at(0)).await.unwrap();
    assert_eq!(begin, wire::Point::default());
    let point = point_before(&log, &points, peer, at(500)).await.unwrap();
    assert!((485..=500).contains(&point.position), "{point:?}");
    let end = log.end(log_of(peer)).await.unwrap();
    let mut all = Vec::new();
    read_decisions::<conversation::Decider>(&log, peer, end, &|_| (), |decision| {
        all.push(decision.clone());
        std::ops::ControlFlow::Continue(())
    })
    .await
    .unwrap();
    let mut rest = Vec::new();
    read_decisions_from::<conversation::Decider>(&log, peer, point, end, &|_| (), |decision| {
        rest.push(decision.clone());
        std::ops::ControlFlow::Continue(())
    })
    .await
    .unwrap();
    assert!(rest.len() >= 490 && all.ends_with(&rest), "{} of {}", rest.len(), all.len());
}

#[tokio::test]
async fn nothing_to_replay_is_said() {
    let other = WORKSPACE.replace("tenant = \"acme\"", "tenant = \"other\"");
    let (log, topology) = made(1).await;
    let policy = policy(&other);
    let record = Record::read(&log, &topology, &policy.tenant, (None, None), None, &|_, _| {}).await.unwrap();
    let refused = compare(record, policy, None, None).map(drop).unwrap_err();
    assert!(refused.is::<Unusable>() && refused.to_string().contains("nothing to replay"), "{refused}");
}

#[tokio::test]
async fn the_comparison_reads_in_both_ways() {
    let compared = compared(1, policy(WORKSPACE), None, None).await;
    let text = table::table(&compared, "new.toml");
    let row =
        |what: &str| text.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{text}"));
    assert!(row("answered in time").matches('%').count() == 3, "{text}");
    assert!(text.contains("\nacme/service/first\n") && text.contains("\nacme/service/second\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&table::json(&compared).unwrap()).unwrap();
    assert_eq!(json["actual"]["answered"], compared.actual.total.tally.answered);
    assert!(json["new"]["queues"]["acme/service/first"]["service_level"].is_f64(), "{json}");
    let svg = plot::svg(&[plot::Curve { name: "actual", report: &compared.actual }], compared.period);
    assert!(svg.len() > 2_000);
}
