//! What the log holds of one tenant's desks and conversations, read once: the history, and the events as they were.

use std::{ops::ControlFlow, sync::Arc};

use anyhow::Context as _;
use domain::{
    Aggregate, Cause, Kind, Peer, Policy, TenantId, Timestamp, Topology, conversation, desk, workspace,
};
use log::Log;
use projections::statistics::Course;
use runtime::Points;
use wire::{Codec, Point};

use super::{
    history::{Gathering, History},
    replay::warmed_up,
    report::{Period, Report},
};
use crate::commands::{
    decisions::{point_before, read_decisions_from},
    events::peers,
};

pub struct Record {
    pub history: History,
    /// When the last thing happened.
    pub last: Timestamp,
    desks: Vec<(Timestamp, desk::Event)>,
    conversations: Vec<(Timestamp, conversation::Event)>,
}

impl Record {
    /// Reads everything up to `to`, or to where the log ends now; what is from before `from`, as far as `points` let it be
    /// passed over, only of the workspaces. `told` hears how many records are read, of how many.
    pub async fn read(
        log: &Arc<dyn Log>,
        topology: &Topology,
        tenant: &TenantId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        points: Option<&Points>,
        told: &dyn Fn(u64, u64),
    ) -> anyhow::Result<Record> {
        let of = |kind| peers(topology, Some(kind));
        let mut ends = Vec::new();
        for peer in of(Kind::Desk).into_iter().chain(of(Kind::Conversation)) {
            let end = log.end(runtime::log_of(peer)).await;
            let end = end.with_context(|| format!("could not find the end of the log of {peer}"))?;
            let point = match from.zip(points) {
                Some((from, points)) => point_before(log, points, peer, warmed_up(from)).await?,
                None => Point::default(),
            };
            ends.push((peer, point, end));
        }
        let total = ends.iter().map(|(_, point, end)| end.saturating_sub(point.position)).sum();
        let mut gathering = Gathering::new(tenant.clone());
        for peer in of(Kind::Workspace) {
            let end = log.end(runtime::log_of(peer)).await;
            let end = end.with_context(|| format!("could not find the end of the log of {peer}"))?;
            let until = to.unwrap_or(Timestamp(i64::MAX));
            let mut each = |at, happened: Happened<workspace::Decider>| {
                if let Happened::Event(workspace::Event::PolicyApplied(policy)) = happened {
                    gathering.policy(at, policy);
                }
            };
            read(log, peer, (Point::default(), end), until, &|_| (), &mut each).await?;
        }
        let (mut desks, mut conversations) = (Vec::new(), Vec::new());
        let (mut done, mut last) = (0, Timestamp(i64::MIN));
        let until = to.unwrap_or(Timestamp(i64::MAX));
        for (peer, point, end) in ends {
            let told = |position: u64| told(done + position.saturating_sub(point.position), total);
            match peer.kind {
                Kind::Desk => {
                    let mut each = |at, happened: Happened<desk::Decider>| match happened {
                        Happened::Policy(policy) => gathering.policy(at, policy),
                        Happened::Event(event) if event.desk().tenant == *tenant => {
                            last = last.max(at);
                            gathering.desk(at, event);
                            if bears_on_people(event) {
                                desks.push((at, event.clone()));
                            }
                        }
                        Happened::Event(_) => {}
                    };
                    read(log, peer, (point, end), until, &told, &mut each).await?;
                }
                _ => {
                    let mut each = |at, happened: Happened<conversation::Decider>| {
                        if let Happened::Event(event) = happened
                            && event.tenant == *tenant
                        {
                            last = last.max(at);
                            gathering.conversation(at, event);
                            if bears_on_waiting(event) {
                                conversations.push((at, event.clone()));
                            }
                        }
                    };
                    read(log, peer, (point, end), until, &told, &mut each).await?;
                }
            }
            done += end.saturating_sub(point.position);
        }
        Ok(Record { history: gathering.finish(last), last, desks, conversations })
    }

    /// What came of the period in truth.
    pub fn actual(&self, judge: &Policy, period: Period) -> Report {
        let mut report = Report::new(period);
        let mut course = Course::default();
        course.policy(0, judge);
        for (at, event) in self.desks.iter().filter(|(at, _)| *at <= period.to) {
            course.desk(*at, event, &mut |at, measure| report.note(at, measure));
            report.desk(*at, event);
        }
        for (at, event) in self.conversations.iter().filter(|(at, _)| *at <= period.to) {
            course.conversation(0, *at, event, &mut |at, measure| report.note(at, measure));
        }
        report.finish(course)
    }
}

enum Happened<'a, A: Aggregate> {
    Policy(&'a Arc<Policy>),
    Event(&'a A::Event),
}

/// What is not kept is most of what a desk notes for itself.
fn bears_on_people(event: &desk::Event) -> bool {
    use desk::Event::*;
    !matches!(
        event,
        Enqueued { .. }
            | Dequeued { .. }
            | Waits { .. }
            | LookSet { .. }
            | PreferenceEnded { .. }
            | WorkDeferred { .. }
    )
}

/// What is not kept holds most of what is long.
fn bears_on_waiting(event: &conversation::Event) -> bool {
    use conversation::What::*;
    matches!(
        event.what,
        AgentWanted { .. } | Assigned { .. } | Transferred { .. } | BotEngaged { .. } | Closed { .. }
    )
}

/// All that counts in a partition's log, in its order, up to a time.
async fn read<A: Codec>(
    log: &Arc<dyn Log>,
    peer: Peer,
    (point, end): (Point, u64),
    until: Timestamp,
    told: &dyn Fn(u64),
    each: &mut dyn FnMut(Timestamp, Happened<A>),
) -> anyhow::Result<()> {
    read_decisions_from::<A>(log, peer, point, end, told, |decision| {
        if decision.decided_at > until {
            return ControlFlow::Break(());
        }
        for step in &decision.steps {
            if let Cause::PolicyInForce(policy) = &step.cause {
                each(decision.decided_at, Happened::Policy(policy));
            }
            for recorded in &step.events {
                each(decision.decided_at, Happened::Event(&recorded.event));
            }
        }
        ControlFlow::Continue(())
    })
    .await
}
