//! The comparison, for people and for programs.

use domain::{Millis, QueueId, Timestamp};
use serde_json::{Value, json};

use super::{
    Comparison,
    report::{Report, Totals},
};

pub fn table(compared: &Comparison, name: &str) -> String {
    let reports = [&compared.actual, &compared.recorded, &compared.new];
    let row = |what: &str, cell: &dyn Fn(&Report) -> String| -> Row {
        [what.to_owned(), cell(reports[0]), cell(reports[1]), cell(reports[2])]
    };
    let head = ["".to_owned(), "actual".to_owned(), "recorded policy, replayed".to_owned(), name.to_owned()];
    let mut rows = vec![head];
    rows.extend(of_totals(&reports, &|report| report.total));
    rows.extend([
        row("declined", &|it| it.total.tally.declined.to_string()),
        row("let expire", &|it| it.total.tally.expired.to_string()),
        row("handling time", &|it| or_dash(it.total.tally.handling_time().map(span))),
        row("occupancy", &|it| or_dash(it.people.occupancy().map(percent))),
        row("time available", &|it| span(Millis(it.people.available))),
        row("nobody could take", &|it| it.stranded.to_string()),
    ]);
    let queues = queues(&reports);
    if queues.len() > 1 {
        for queue in queues {
            rows.push(Default::default());
            rows.push([queue.to_string(), String::new(), String::new(), String::new()]);
            rows.extend(of_totals(&reports, &|report| report.queues.get(queue).copied().unwrap_or_default()));
        }
    }
    let mut text = format!("{} to {}\n\n", time(compared.period.from), time(compared.period.to));
    text.push_str(&aligned(&rows));
    if !compared.notes.is_empty() {
        text.push('\n');
    }
    for note in &compared.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

type Row = [String; 4];

fn of_totals(reports: &[&Report; 3], totals: &dyn Fn(&Report) -> Totals) -> Vec<Row> {
    let row = |what: &str, cell: &dyn Fn(&Totals) -> String| -> Row {
        let [one, two, three] = reports.map(|report| cell(&totals(report)));
        [what.to_owned(), one, two, three]
    };
    vec![
        row("came to wait", &|it| it.tally.came.to_string()),
        row("answered", &|it| it.tally.answered.to_string()),
        row("answered in time", &|it| or_dash(it.service_level().map(percent))),
        row("speed of answer", &|it| or_dash(it.tally.speed_of_answer().map(span))),
        row("longest answered", &|it| or_dash((it.tally.answered > 0).then(|| span(it.longest)))),
        row("gave up", &|it| match it.abandonment() {
            Some(share) if it.tally.abandoned > 0 => format!("{} ({})", it.tally.abandoned, percent(share)),
            _ => it.tally.abandoned.to_string(),
        }),
        row("overflowed", &|it| it.tally.went_on.to_string()),
        row("transferred", &|it| it.tally.transferred.to_string()),
        row("waiting at the end", &|it| it.waiting.to_string()),
    ]
}

/// All queues of which there is anything to say.
fn queues<'a>(reports: &[&'a Report; 3]) -> Vec<&'a QueueId> {
    let mut queues: Vec<_> = reports.iter().flat_map(|report| report.queues.keys()).collect();
    queues.sort();
    queues.dedup();
    queues
}

fn aligned(rows: &[Row]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    // A queue's name stands alone in its row, and may be long.
    let names = rows.iter().filter(|row| !row[1].is_empty() || row[0].is_empty());
    let first = names.map(|row| row[0].chars().count()).max().unwrap_or(0);
    let widths = [first, width(1), width(2), width(3)];
    let mut text = String::new();
    for row in rows {
        let [what, cells @ ..] = row;
        let mut line = format!("{what:<first$}");
        for (cell, width) in cells.iter().zip(&widths[1..]) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn json(compared: &Comparison) -> serde_json::Result<String> {
    let whole = json!({
        "from": time(compared.period.from),
        "to": time(compared.period.to),
        "actual": of_report(&compared.actual),
        "recorded": of_report(&compared.recorded),
        "new": of_report(&compared.new),
        "notes": compared.notes,
    });
    Ok(serde_json::to_string(&whole)? + "\n")
}

/// Spans in milliseconds, shares of 1.
fn of_report(report: &Report) -> Value {
    let mut value = of_total(&report.total);
    let queues = report.queues.iter().map(|(queue, totals)| (queue.to_string(), of_total(totals)));
    let hours = report.hours.iter().map(|(hour, tally)| {
        let at = time(Timestamp(hour * super::report::HOUR));
        let (came, answered) = (tally.came, tally.answered);
        let speed = tally.speed_of_answer().map(|span| span.0);
        let level = tally.service_level(0);
        json!({ "at": at, "came": came, "answered": answered, "service_level": level, "speed_of_answer": speed })
    });
    let rest = json!({
        "occupancy": report.people.occupancy(),
        "available": report.people.available,
        "stranded": report.stranded,
        "queues": queues.collect::<serde_json::Map<_, _>>(),
        "hours": hours.collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(rest)) = (&mut value, rest) {
        value.extend(rest);
    }
    value
}

fn of_total(totals: &Totals) -> Value {
    let tally = &totals.tally;
    json!({
        "came": tally.came,
        "answered": tally.answered,
        "answered_in_time": tally.in_time,
        "service_level": totals.service_level(),
        "speed_of_answer": tally.speed_of_answer().map(|span| span.0),
        "longest_answered": totals.longest.0,
        "abandoned": tally.abandoned,
        "abandonment": totals.abandonment(),
        "went_on": tally.went_on,
        "transferred": tally.transferred,
        "declined": tally.declined,
        "expired": tally.expired,
        "handling_time": tally.handling_time().map(|span| span.0),
        "waiting_at_the_end": totals.waiting,
    })
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "-".into(), |at| format!("{at:.0}"))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn span(span: Millis) -> String {
    let seconds = span.0 as f64 / 1_000.0;
    match span.0 / 1_000 {
        0..120 => format!("{seconds:.1} s"),
        120..7_200 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}
