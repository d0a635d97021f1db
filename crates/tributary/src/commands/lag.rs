//! `tributary lag`: who leads what, and how far behind everyone is.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use domain::{Kind, Peer, Timestamp, Topology};
use log::{Log, clock};
use projections::Store;
use runtime::{Behind, Points, Rule};
use serde::Serialize;

use super::events::{kind, peers};
use crate::{args::Source, config::Role, exit, signals, stores};

const EXAMPLES: &str = "\
Examples:
  tributary lag -c tributary.toml
  tributary lag -c tributary.toml --follow
  tributary lag --data data --json | jq 'select(.behind > 0)'

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Shows who leads each partition, and how far behind it is
///
/// One line a partition and role: the process that leads, its epoch and for how long it has ruled, its last decision, and
/// how many inputs wait to be decided on, the oldest for how long. For the projections: how many decisions are not in the
/// read model yet, where there is one here. All of it is read off the log, so it is true of every process on every
/// machine, and no process is asked.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct LagArgs {
    #[command(flatten)]
    source: Source,
    /// Only this aggregate: conversation, desk, delivery, contact or workspace
    #[arg(long, value_name = "KIND", value_parser = kind)]
    aggregate: Option<Kind>,
    /// Again every two seconds, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

const EVERY: Duration = Duration::from_secs(2);

pub async fn run(args: LagArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    let (log, topology) = installation.log()?;
    let points = Points::new(stores::snapshots(&installation.config, &installation.layout)?);
    let store = installation.layout.has_read_model().then(|| installation.read_model()).transpose()?;
    let look = Look { log, topology, points, store, only: args.aggregate };
    let mut stop = std::pin::pin!(signals::stop()?.cancelled_owned());
    loop {
        let rows = look.rows().await?;
        let text = match args.json {
            true => rows
                .iter()
                .map(|row| serde_json::to_string(row).map(|line| line + "\n"))
                .collect::<Result<_, _>>()?,
            false => table(&rows),
        };
        let mut out = io::stdout().lock();
        if args.follow && !args.json && out.is_terminal() {
            write!(out, "\x1b[H\x1b[2J").map_err(exit::writing)?;
        }
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(exit::writing)?;
        drop(out);
        if !args.follow {
            return Ok(exit::DONE);
        }
        tokio::select! {
            () = &mut stop => return Ok(exit::DONE),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

struct Look {
    log: Arc<dyn Log>,
    topology: Topology,
    points: Points,
    store: Option<Store>,
    only: Option<Kind>,
}

/// One partition in one role. Spans are in milliseconds.
#[derive(Serialize, Debug)]
struct Row {
    role: &'static str,
    aggregate: &'static str,
    partition: u32,
    leader: Option<String>,
    epoch: Option<String>,
    /// Since the leader announced itself.
    rules_for: Option<u64>,
    /// In the leader's epoch.
    decision: Option<u64>,
    decided_ago: Option<u64>,
    /// Records that wait.
    behind: u64,
    /// How long the first of them has waited.
    waits_for: Option<u64>,
}

impl Look {
    async fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for peer in peers(&self.topology, self.only) {
            let rule = Rule::of(&self.log, &self.points, peer).await;
            rows.push(Row::of_leader(
                peer,
                rule.with_context(|| format!("could not read the log of {peer}"))?,
                clock::now(),
            ));
        }
        if let Some(store) = &self.store {
            let lags = projections::lag(&*self.log, &self.topology, store)
                .await
                .context("could not read the read model")?;
            rows.extend(
                lags.into_iter().filter(|(peer, _)| self.only.is_none_or(|only| only == peer.kind)).map(
                    |(peer, lag)| Row {
                        behind: lag.records,
                        waits_for: (lag.records > 0).then_some(lag.millis),
                        ..Row::new(Role::Projections, peer)
                    },
                ),
            );
        }
        Ok(rows)
    }
}

impl Row {
    fn new(role: Role, peer: Peer) -> Row {
        Row {
            role: role.as_str(),
            aggregate: peer.kind.as_str(),
            partition: peer.partition,
            leader: None,
            epoch: None,
            rules_for: None,
            decision: None,
            decided_ago: None,
            behind: 0,
            waits_for: None,
        }
    }

    fn of_leader(peer: Peer, rule: Rule, now: i64) -> Row {
        let role = if peer.kind == Kind::Delivery { Role::Channels } else { Role::Router };
        let ago = |at: Timestamp| u64::try_from(now.saturating_sub(at.0)).unwrap_or(0);
        let Rule { leader, last, behind: Behind { records, since } } = rule;
        Row {
            rules_for: leader.as_ref().map(|leader| ago(leader.at)),
            epoch: leader.as_ref().map(|leader| leader.epoch.to_string()),
            leader: leader.map(|leader| leader.leader),
            decision: last.map(|last| last.seq),
            decided_ago: last.map(|last| ago(last.decided_at)),
            behind: records,
            waits_for: since.map(ago),
            ..Row::new(role, peer)
        }
    }
}

fn table(rows: &[Row]) -> String {
    let head = ["role", "partition", "leader", "epoch", "rules for", "decision", "decided", "behind", "for"];
    let cells = rows.iter().map(|row| {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        [
            row.role.to_owned(),
            format!("{}[{}]", row.aggregate, row.partition),
            or_dash(row.leader.clone()),
            // Enough to tell two of them apart.
            or_dash(row.epoch.as_ref().map(|epoch| epoch.chars().take(8).collect())),
            or_dash(row.rules_for.map(span)),
            or_dash(row.decision.map(|seq| seq.to_string())),
            or_dash(row.decided_ago.map(|ago| format!("{} ago", span(ago)))),
            row.behind.to_string(),
            or_dash(row.waits_for.map(span)),
        ]
    });
    let lines: Vec<[String; 9]> = std::iter::once(head.map(str::to_owned)).chain(cells).collect();
    let mut text = String::new();
    for line in &lines {
        let padded = line.iter().enumerate().map(|(column, cell)| {
            let width = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
            format!("{cell:<width$}")
        });
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text + &Sum(rows).to_string()
}

/// What all lines come to, role by role.
struct Sum<'a>(&'a [Row]);

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for role in [Role::Router, Role::Channels, Role::Projections] {
            let of_role: Vec<&Row> = self.0.iter().filter(|row| row.role == role.as_str()).collect();
            if of_role.is_empty() {
                continue;
            }
            let behind: u64 = of_role.iter().map(|row| row.behind).sum();
            let longest = of_role.iter().filter_map(|row| row.waits_for).max();
            write!(f, "\n{}: {}", role.as_str(), counted(of_role.len(), "partition", "partitions"))?;
            if role != Role::Projections {
                let leaders: BTreeSet<&str> =
                    of_role.iter().filter_map(|row| row.leader.as_deref()).collect();
                write!(f, ", last led by {}", counted(leaders.len(), "process", "processes"))?;
            }
            match longest {
                Some(longest) => {
                    let records = counted(behind, "record", "records");
                    write!(f, "; {records} behind, the oldest for {}", span(longest))?;
                }
                None => write!(f, "; nothing waits")?,
            }
        }
        writeln!(f)
    }
}

fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}

fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..120 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: Role, partition: u32, leader: Option<&str>, behind: u64) -> Row {
        Row {
            leader: leader.map(str::to_owned),
            epoch: leader.map(|_| "0123456789abcdef".into()),
            rules_for: leader.map(|_| 61_000),
            decision: leader.map(|_| 7),
            decided_ago: leader.map(|_| 250),
            behind,
            waits_for: (behind > 0).then_some(1_500),
            ..Row::new(role, Peer { kind: Kind::Conversation, partition })
        }
    }

    #[test]
    fn a_table_is_read_at_a_glance() {
        let rows = [
            row(Role::Router, 0, Some("tributary-a-12"), 0),
            row(Role::Router, 1, None, 12),
            row(Role::Projections, 0, None, 0),
        ];
        let expected = "\
role         partition        leader          epoch     rules for  decision  decided     behind  for
router       conversation[0]  tributary-a-12  01234567  61.0 s     7         250 ms ago  0       -
router       conversation[1]  -               -         -          -         -           12      1.5 s
projections  conversation[0]  -               -         -          -         -           0       -

router: 2 partitions, last led by 1 process; 12 records behind, the oldest for 1.5 s
projections: 1 partition; nothing waits
";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn spans_stay_short() {
        let spans = [0, 999, 1_000, 119_900, 120_000, 7_200_000, 172_800_000].map(span);
        assert_eq!(spans, ["0 ms", "999 ms", "1.0 s", "119.9 s", "2 min", "2 h", "2 days"]);
    }
}
