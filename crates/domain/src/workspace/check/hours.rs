//! Whether hours can be told: a zone that there is, spans of a day, days of the calendar, and somebody who asks.

use crate::{
    HoursId, Policy,
    policy::{BotKind, Calendar, Holiday, Hours, OpenSpan},
};

use super::Problem;

/// Minutes.
const DAY: u16 = 24 * 60;

pub(super) fn check(at: &str, name: &HoursId, hours: &Hours, policy: &Policy, problems: &mut Vec<Problem>) {
    if let Err(unknown) = Calendar::of(hours) {
        problems.push(Problem::new(format!("{at}.time_zone"), unknown.to_string()));
    }
    if !is_used(name, policy) {
        problems.push(Problem::new(at, "no queue and no bot goes by these hours"));
    }
    for (place, span) in hours.open.iter().enumerate() {
        let at = format!("{at}.open[{place}]");
        if !(1..=7).contains(&span.weekday) {
            problems.push(Problem::new(
                format!("{at}.weekday"),
                format!("must be 1 (Monday) to 7 (Sunday), not {}", span.weekday),
            ));
        }
        check_span(&at, span.from, span.to, problems);
    }
    let mut by_start: Vec<(usize, &OpenSpan)> = hours.open.iter().enumerate().collect();
    by_start.sort_by_key(|(_, span)| **span);
    for ((place, span), (next_place, next)) in by_start.iter().zip(by_start.iter().skip(1)) {
        if span.weekday == next.weekday && next.from < span.to {
            problems
                .push(Problem::new(format!("{at}.open[{next_place}]"), format!("overlaps open[{place}]")));
        }
    }
    for (place, holiday) in hours.holidays.iter().enumerate() {
        let at = format!("{at}.holidays[{place}]");
        for what in wrong_days(holiday) {
            problems.push(Problem::new(&at, what));
        }
        check_span(&at, holiday.from, holiday.to, problems);
    }
}

fn check_span(at: &str, from: u16, to: u16, problems: &mut Vec<Problem>) {
    if from >= to || to > DAY {
        problems.push(Problem::new(at, "must begin before it ends, and end by midnight"));
    }
}

fn wrong_days(Holiday { first, last, .. }: &Holiday) -> Vec<String> {
    let mut days = vec![*first];
    days.extend((last != first).then_some(*last));
    let missing = days.into_iter().filter(|day| !day.exists());
    let mut wrong: Vec<_> = missing.map(|day| format!("there is no day {day}")).collect();
    if first.year.is_some() != last.year.is_some() {
        wrong.push("both its first and its last day name a year, or neither does".into());
    } else if first.year.is_some() && last < first {
        wrong.push("ends before it begins".into());
    }
    wrong
}

fn is_used(name: &HoursId, policy: &Policy) -> bool {
    let by_bot = policy.bots.values().any(|bot| match &bot.kind {
        BotKind::BuiltIn(flow) => flow.hours.as_ref() == Some(name),
        BotKind::Stream => false,
    });
    by_bot || policy.queues.values().any(|queue| queue.hours.as_ref() == Some(name))
}
