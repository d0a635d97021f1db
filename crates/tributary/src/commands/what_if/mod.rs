//! `tributary what-if`: recorded history under another policy, beside what happened.
//!
//! ```text
//! desk.log, conversation.log ─▶ history ─┬▶ replay under the recorded policy ─▶ report ┐
//!                        │               └▶ replay under the other policy ────▶ report ┼▶ table, plot
//!                        └▶ course ─────────────────────────────────────────▶ report ┘
//! ```

mod history;
mod patience;
mod plot;
mod record;
mod replay;
mod report;
mod table;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use domain::{Policy, Timestamp};
use runtime::Points;

use self::{
    history::History,
    record::Record,
    replay::Replay,
    report::{Period, Report},
};
use crate::{
    args::Source,
    config::read_workspace,
    exit::{self, Unusable},
    progress::Progress,
    stores,
};

const EXAMPLES: &str = "\
Examples:
  tributary what-if --data data --policy new.toml
  tributary what-if -c tributary.toml --policy new.toml --from 2026-07-01T00:00:00Z --to 2026-08-01T00:00:00Z --svg july.svg
  tributary what-if --data data --policy new.toml --json | jq '.new.service_level'

Exit codes: 0 done, 1 failed, 2 usage, configuration, or a fault in the policy.";

/// Replays recorded history against another policy
///
/// Takes from the log who came when, how long each conversation took, who gave up, who was there and how they answered
/// offers, and lets the desk's own rules decide anew, once under the policy that was in force and once under the other.
/// Prints what happened and what came of both, side by side: the first two tell how far a replay can be trusted. Reads the
/// log, also beside a running server, changes nothing, and shows its progress on standard error. docs/supervision.md says
/// what the figures mean and what a replay cannot know.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WhatIfArgs {
    #[command(flatten)]
    source: Source,
    /// The other policy, as a workspace file
    #[arg(long, value_name = "WORKSPACE")]
    policy: PathBuf,
    /// The period begins then (RFC 3339) [default: with the first conversation]
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// The period ends then (RFC 3339) [default: with the last event]
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Draw who waited over time and the service level by the hour, into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
}

/// What happened, and what came of both replays.
pub struct Comparison {
    pub period: Period,
    pub actual: Report,
    pub recorded: Report,
    pub new: Report,
    /// What a reader must know to trust the figures.
    pub notes: Vec<String>,
}

pub async fn run(args: WhatIfArgs) -> anyhow::Result<u8> {
    let text = std::fs::read_to_string(&args.policy)
        .map_err(|error| Unusable(format!("could not read the policy {}: {error}", args.policy.display())))?;
    let policy = read_workspace(&args.policy, &text)?;
    let installation = args.source.installation()?;
    let (log, topology) = installation.log()?;
    let points = Points::new(stores::snapshots(&installation.config, &installation.layout)?);
    let wanted = |at: Option<jiff::Timestamp>| at.map(|at| Timestamp(at.as_millisecond()));
    let (from, to) = (wanted(args.from), wanted(args.to));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Unusable("--from must be before --to".into()).into());
    }
    let reading = Progress::new("reading");
    let record = Record::read(&log, &topology, &policy.tenant, (from, to), Some(&points), &|done, total| {
        reading.at(done, total);
    })
    .await?;
    drop(reading);
    let compared = tokio::task::spawn_blocking(move || compare(record, policy, from, to));
    let compared = compared.await.context("the replay failed")??;

    let name =
        args.policy.file_name().map_or_else(|| "new".into(), |name| name.to_string_lossy().into_owned());
    if let Some(file) = &args.svg {
        let curve = |name, report| plot::Curve { name, report };
        let curves = [
            curve("actual", &compared.actual),
            curve("recorded policy, replayed", &compared.recorded),
            curve(name.as_str(), &compared.new),
        ];
        std::fs::write(file, plot::svg(&curves, compared.period))
            .with_context(|| format!("could not write {}", file.display()))?;
    }
    let text = if args.json { table::json(&compared)? } else { table::table(&compared, &name) };
    io::stdout().write_all(text.as_bytes()).map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// Replays the record under both policies.
pub fn compare(
    record: Record,
    mut policy: Policy,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> anyhow::Result<Comparison> {
    let Some(first) = record.history.cases.first().map(|case| case.at) else {
        return Err(Unusable(format!(
            "no conversation of {} ever waited for a person in this log; there is nothing to replay",
            policy.tenant
        ))
        .into());
    };
    let period = Period { from: from.unwrap_or(first), to: to.unwrap_or(record.last) };
    if period.from >= period.to {
        return Err(Unusable("the log ends before --from: there is nothing to replay".into()).into());
    }
    let history = &record.history;
    policy.version = history.policies.last().map_or(0, |(_, policy)| policy.version) + 1;
    let judge = judge(history, &policy);
    let new = [(replay::begin(period), Arc::new(policy))];
    let run = |what, policies: &[_]| {
        let progress = Progress::counting(what, "happenings");
        Replay::new(history, policies, &judge, period).run(&|done, total| progress.at(done, total))
    };
    let recorded = run("replaying the recorded policy", &history.policies);
    let replayed = run("replaying the other policy", &new);
    let notes = notes(history, &new[0].1, period);
    Ok(Comparison { period, actual: record.actual(&judge, period), recorded, new: replayed, notes })
}

/// By what all three are judged: the other policy's promises, and the recorded ones of queues that it does not have.
fn judge(history: &History, policy: &Policy) -> Policy {
    let mut judge = policy.clone();
    for (_, recorded) in history.policies.iter().rev() {
        for (id, queue) in &recorded.queues {
            judge.queues.entry(id.clone()).or_insert_with(|| queue.clone());
        }
    }
    judge
}

fn notes(history: &History, policy: &Policy, period: Period) -> Vec<String> {
    let mut notes = Vec::new();
    let was_there = |agent: &domain::AgentId| {
        history.presences.iter().any(|(at, who, ..)| who == agent && *at <= period.to)
    };
    let list = |names: Vec<String>| names.join(", ");
    let absent: Vec<_> =
        policy.agents.keys().filter(|agent| !was_there(agent)).map(ToString::to_string).collect();
    if !absent.is_empty() {
        notes.push(format!("never there, as nothing is recorded of them: {}", list(absent)));
    }
    let mut gone: Vec<_> = history.presences.iter().map(|(_, agent, ..)| agent).collect();
    gone.sort();
    gone.dedup();
    let gone: Vec<_> = gone
        .into_iter()
        .filter(|agent| !policy.agents.contains_key(agent))
        .map(ToString::to_string)
        .collect();
    if !gone.is_empty() {
        notes.push(format!("recorded, and not in the other policy: {}", list(gone)));
    }
    if let Some((_, recorded)) = history.policies.last() {
        let differs = policy.queues.iter().filter(|(id, queue)| {
            recorded.queues.get(*id).is_some_and(|recorded| recorded.answer_within != queue.answer_within)
        });
        let differs: Vec<_> = differs.map(|(id, _)| id.to_string()).collect();
        if !differs.is_empty() {
            notes.push(format!(
                "all are judged by the other policy's answer_within, which is new for {}",
                list(differs)
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
