//! The board: what was told so far, as a table to look at.

use std::{collections::BTreeMap, fmt, time::Duration};

use wire::api::v1::{AgentStatistics, Presence, QueueStatistics, QueueWindow, WatchResponse};

/// Cells of a bar.
const BAR: usize = 10;

#[derive(Default)]
pub(super) struct Board {
    /// When all this was so, in milliseconds.
    at: i64,
    queues: BTreeMap<String, QueueStatistics>,
    agents: BTreeMap<String, AgentStatistics>,
}

impl Board {
    pub(super) fn hear(&mut self, told: WatchResponse) {
        if told.whole {
            *self = Board::default();
        }
        self.at = millis(told.at.as_ref());
        for name in &told.gone {
            self.queues.remove(name);
            self.agents.remove(name);
        }
        self.queues.extend(told.queues.into_iter().map(|queue| (queue.queue.clone(), queue)));
        self.agents.extend(told.agents.into_iter().map(|agent| (agent.agent.clone(), agent)));
    }

    /// So much time has passed, and nothing else changed.
    pub(super) fn passes(&mut self, span: Duration) {
        self.at = self.at.saturating_add(i64::try_from(span.as_millis()).unwrap_or(0));
    }

    fn queue(&self, queue: &QueueStatistics) -> Vec<String> {
        let window = |number: usize| queue.windows.get(number).cloned().unwrap_or_default();
        let (quarter, hour) = (window(0), window(1));
        let longest = queue.longest_since.as_ref().map(|since| span(self.at - millis(Some(since))));
        vec![
            queue.queue.clone(),
            queue.waiting.to_string(),
            longest.unwrap_or_else(|| "-".into()),
            if queue.late > 0 { format!("{} !", queue.late) } else { "-".into() },
            queue.offers.to_string(),
            queue.assignments.to_string(),
            level(&quarter),
            level(&hour),
            or_dash(
                hour.speed_of_answer
                    .as_ref()
                    .map(|it| span(it.seconds * 1_000 + i64::from(it.nanos) / 1_000_000)),
            ),
            hour.answered.to_string(),
            abandoned(&hour),
            hour.transferred.to_string(),
        ]
    }

    fn agent(&self, agent: &AgentStatistics) -> Vec<String> {
        let window = |number: usize| agent.windows.get(number).cloned().unwrap_or_default();
        let (quarter, hour) = (window(0), window(1));
        let state = match agent.presence() {
            Presence::Available if agent.wrap_ups > 0 => "available, wrapping up",
            Presence::Available => "available",
            Presence::Away => "away",
            Presence::Offline => "offline",
            Presence::Unspecified => "-",
        };
        let percent = |share: Option<u32>| or_dash(share.map(bar));
        vec![
            agent.agent.clone(),
            state.to_owned(),
            or_dash(agent.since.as_ref().map(|since| span(self.at - millis(Some(since))))),
            agent.assignments.to_string(),
            agent.offers.to_string(),
            percent(quarter.occupancy_percent),
            percent(hour.occupancy_percent),
            hour.answered.to_string(),
            hour.declined.to_string(),
            hour.expired.to_string(),
        ]
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at =
            jiff::Timestamp::from_millisecond(self.at).map_or_else(|_| "-".into(), |at| format!("{at:.0}"));
        writeln!(f, "{at}\n")?;
        let head = [
            "queue",
            "waiting",
            "longest",
            "late",
            "offers",
            "with agents",
            "in time, 15 min",
            "in time, 1 h",
            "speed",
            "answered",
            "abandoned",
            "transferred",
        ];
        table(f, &head, self.queues.values().map(|queue| self.queue(queue)))?;
        if !self.agents.is_empty() {
            writeln!(f)?;
            let head = [
                "agent",
                "is",
                "for",
                "has",
                "offers",
                "busy, 15 min",
                "busy, 1 h",
                "answered",
                "declined",
                "expired",
            ];
            table(f, &head, self.agents.values().map(|agent| self.agent(agent)))?;
        }
        Ok(())
    }
}

fn table(f: &mut fmt::Formatter<'_>, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> fmt::Result {
    let head = head.iter().map(|&name| name.to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    for line in &lines {
        let padded = line.iter().enumerate().map(|(column, cell)| {
            let widths = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
            format!("{cell:<width$}", width = widths.max().unwrap_or(0))
        });
        writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// The share answered in time.
fn level(window: &QueueWindow) -> String {
    // A share is at most 1.
    or_dash(window.service_level.map(|share| bar((share * 100.0).round() as u32)))
}

/// A share to look at, and to read.
fn bar(percent: u32) -> String {
    let filled = (percent as usize * BAR + 50) / 100;
    let cells: String = (0..BAR).map(|cell| if cell < filled { '█' } else { '·' }).collect();
    format!("{cells} {percent:>3} %")
}

/// How many gave up, and which share of all whose waiting is over that is.
fn abandoned(window: &QueueWindow) -> String {
    match (window.abandoned, window.answered + window.abandoned) {
        (0, _) => "0".into(),
        (gone, all) => format!("{gone} ({:.0} %)", f64::from(gone) * 100.0 / f64::from(all)),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

fn millis(at: Option<&prost_types::Timestamp>) -> i64 {
    at.map_or(0, |at| at.seconds.saturating_mul(1_000).saturating_add(i64::from(at.nanos) / 1_000_000))
}

/// In milliseconds; as precise as one looks.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use wire::api::v1::AgentWindow;

    use super::*;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn told() -> WatchResponse {
        let quarter = QueueWindow { service_level: Some(0.5), ..QueueWindow::default() };
        let speed_of_answer = Some(prost_types::Duration { seconds: 12, nanos: 0 });
        let hour = QueueWindow {
            service_level: Some(0.826),
            speed_of_answer,
            answered: 38,
            abandoned: 2,
            transferred: 3,
            ..QueueWindow::default()
        };
        let billing = QueueStatistics {
            queue: "acme/service/billing".into(),
            waiting: 7,
            longest_since: at(1_000),
            late: 2,
            offers: 1,
            assignments: 4,
            windows: vec![quarter, hour],
            ..QueueStatistics::default()
        };
        let idle = QueueStatistics { queue: "acme/service/general".into(), ..QueueStatistics::default() };
        let busy = AgentWindow { occupancy_percent: Some(90), answered: 9, ..AgentWindow::default() };
        let anna = AgentStatistics {
            agent: "acme/service/anna".into(),
            presence: Presence::Available.into(),
            since: at(0),
            assignments: 2,
            windows: vec![busy, AgentWindow::default()],
            ..AgentStatistics::default()
        };
        WatchResponse {
            at: at(1_090),
            whole: true,
            queues: vec![billing, idle],
            agents: vec![anna],
            gone: vec![],
        }
    }

    #[test]
    fn a_board_is_read_at_a_glance() {
        let mut board = Board::default();
        board.hear(told());
        let expected = "\
1970-01-01T00:18:10Z

queue                 waiting  longest  late  offers  with agents  in time, 15 min   in time, 1 h      speed  answered  abandoned  transferred
acme/service/billing  7        90 s     2 !   1       4            █████·····  50 %  ████████··  83 %  12 s   38        2 (5 %)    3
acme/service/general  0        -        -     0       0            -                 -                 -      0         0          0

agent              is         for     has  offers  busy, 15 min      busy, 1 h  answered  declined  expired
acme/service/anna  available  18 min  2    0       █████████·  90 %  -          0         0         0
";
        assert_eq!(board.to_string(), expected);
    }

    #[test]
    fn what_changed_is_laid_over_what_was_told() {
        let mut board = Board::default();
        board.hear(told());
        let queue = QueueStatistics {
            queue: "acme/service/general".into(),
            waiting: 1,
            ..QueueStatistics::default()
        };
        let gone = vec!["acme/service/anna".into(), "acme/service/billing".into()];
        board.hear(WatchResponse { at: at(1_100), whole: false, queues: vec![queue], agents: vec![], gone });
        let text = board.to_string();
        assert!(
            text.contains("acme/service/general  1") && !text.contains("anna") && !text.contains("billing")
        );
        board.hear(WatchResponse { whole: true, ..WatchResponse::default() });
        assert!(!board.to_string().contains("general"));
    }

    #[test]
    fn waiting_grows_while_nothing_else_changes() {
        let mut board = Board::default();
        board.hear(told());
        board.passes(Duration::from_secs(7));
        assert!(board.to_string().contains("97 s"), "{board}");
    }

    #[test]
    fn bars_are_full_when_all_is_well() {
        assert_eq!(
            [0, 4, 5, 100].map(bar),
            ["··········   0 %", "··········   4 %", "█·········   5 %", "██████████ 100 %"]
        );
    }
}
