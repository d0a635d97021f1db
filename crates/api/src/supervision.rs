//! `Supervision.Watch`: how the desks are doing, from the hub's live figures: everything at once, then what changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    AgentId, ConversationId, DeskId, Millis, Policy, Rejection, Route, TenantId, Timestamp,
    conversation::{self, Transfer},
    desk::Presence,
};
use projections::statistics::{
    AgentNow, AgentTally, DeskNow, QueueNow, QueueTally, Statistics, WINDOWS, Window,
};
use prost::Message as _;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::{Request, Response, Status};
use wire::api::v1::{self as pb, reassign_request::To, supervision_server};

use crate::{
    auth::{Principal, principal},
    commands::malformed,
    content,
    convert::{client_id, duration, invalid, parse, recipient, time},
    outlet::{Outflow, Outlet},
    server::Shared,
};

/// How long changes are gathered, unless a caller says otherwise; and what a caller may say.
const EVERY: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) struct Supervision(pub(crate) Shared);

#[tonic::async_trait]
impl supervision_server::Supervision for Supervision {
    type WatchStream = Outflow<pb::WatchResponse>;

    async fn watch(&self, request: Request<pb::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let principal = principal(&request)?;
        let pb::WatchRequest { desks, every } = request.into_inner();
        let every = pace(every)?;
        self.0.hub.ready().await?;
        let scope = Scope::of(&principal, &desks, &self.0)?;
        let shared = self.0.clone();
        Ok(Response::new(
            self.0.streams.open("supervision", move |outlet| Watch { shared, scope, every, outlet }.run()),
        ))
    }

    async fn reassign(
        &self,
        request: Request<pb::ReassignRequest>,
    ) -> Result<Response<pb::ReassignResponse>, Status> {
        let principal = principal(&request)?;
        principal.admin()?;
        let request = request.into_inner();
        client_id("command_id", &request.command_id).map_err(malformed)?;
        let (tenant, commander) = (&principal.tenant, &self.0.commander);
        let ask = commander.ask(&principal, &request.command_id, &[b"reassign", &request.encode_to_vec()]);
        let conversation: ConversationId = parse("conversation", &request.conversation).map_err(malformed)?;
        let to = given_to(tenant, request.to).map_err(malformed)?;
        let note = content::note(&self.0.vault, tenant, conversation.party, request.note).await?;
        let (tenant, owner_epoch) = (tenant.clone(), request.owner_epoch);
        let route = Route::Party(conversation.party);
        let command =
            conversation::Command::Override { conversation, tenant: tenant.clone(), owner_epoch, to, note };
        let outcome = commander.submit::<conversation::Decider>(&tenant, &route, ask, command).await;
        Ok(Response::new(pb::ReassignResponse { position: outcome.into_result()? }))
    }
}

fn given_to(tenant: &TenantId, to: Option<To>) -> Result<Transfer, Rejection> {
    match to {
        None => Err(invalid("say which `queue`, `agent` or `desk` is to have it")),
        Some(To::Queue(name)) => recipient::queue(tenant, &name),
        Some(To::Agent(name)) => recipient::agent(tenant, &name),
        Some(To::Desk(name)) => recipient::desk(tenant, &name),
    }
}

fn pace(asked: Option<prost_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else { return Ok(EVERY) };
    let every = Duration::try_from(asked).unwrap_or_default();
    if (SHORTEST..=LONGEST).contains(&every) {
        Ok(every)
    } else {
        Err(malformed(invalid("`every` must be 200 ms to 1 min")))
    }
}

/// What a caller watches.
struct Scope {
    tenant: TenantId,
    /// Only what this agent supervises, as it is at the time; none: all of the tenant.
    supervisor: Option<AgentId>,
    /// Only these.
    named: Option<BTreeSet<DeskId>>,
}

impl Scope {
    /// The one place that says who may watch what.
    fn of(principal: &Principal, desks: &[String], shared: &Shared) -> Result<Scope, Status> {
        let supervisor = match principal.agent() {
            Ok(agent) => Some(agent.clone()),
            Err(_) => principal.admin().map(|()| None)?,
        };
        let mut scope = Scope { tenant: principal.tenant.clone(), supervisor, named: None };
        let known = scope.desks(shared);
        if let Some(agent) = scope.supervisor.as_ref().filter(|_| known.is_empty()) {
            return Err(Status::permission_denied(format!(
                "agent {agent} supervises no desk: its `supervises` in the workspace says which"
            )));
        }
        if desks.is_empty() {
            return Ok(scope);
        }
        let named = desks.iter().map(|name| {
            let desk = match name.contains('/') {
                true => parse("desks", name),
                false => DeskId::new(scope.tenant.clone(), name)
                    .map_err(|error| invalid(format!("`desks`: {error}"))),
            };
            let desk: DeskId = desk.map_err(malformed)?;
            // Another tenant's desk, or one that the caller does not supervise, is as good as none.
            if known.contains(&desk) {
                Ok(desk)
            } else {
                Err(Status::not_found(format!("there is no desk {desk}")))
            }
        });
        scope.named = Some(named.collect::<Result<_, Status>>()?);
        Ok(scope)
    }

    fn desks(&self, shared: &Shared) -> BTreeSet<DeskId> {
        let policy = shared.hub.policy(&self.tenant);
        let known = shared.hub.statistics(Statistics::desks).into_iter();
        let mut desks: BTreeSet<DeskId> = match &policy {
            Some(policy) => known.chain(policy.desks()).collect(),
            None => known.collect(),
        };
        let supervises = |agent: &AgentId, desk: &DeskId| {
            let agent = policy.as_ref().and_then(|policy| policy.agents.get(agent));
            agent.is_some_and(|agent| agent.supervises.contains(desk))
        };
        desks.retain(|desk| {
            desk.tenant == self.tenant
                && self.named.as_ref().is_none_or(|named| named.contains(desk))
                && self.supervisor.as_ref().is_none_or(|agent| supervises(agent, desk))
        });
        desks
    }
}

struct Watch {
    shared: Shared,
    scope: Scope,
    every: Duration,
    outlet: Outlet<pb::WatchResponse>,
}

impl Watch {
    async fn run(self) -> Result<(), Status> {
        let mut told = Told::default();
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut spoke: Option<Instant> = None;
        loop {
            ticks.tick().await;
            let now = Timestamp(log::clock::now());
            let (mut queues, mut agents) = (BTreeMap::new(), BTreeMap::new());
            let policy = self.shared.hub.policy(&self.scope.tenant);
            for desk in self.scope.desks(&self.shared) {
                let policy = policy.as_deref();
                let found = self.shared.hub.statistics(|all| all.look(&desk, policy, now));
                show(found, policy, &mut queues, &mut agents);
                // A large desk takes a while, and others wait for this thread.
                tokio::task::yield_now().await;
            }
            let response = told.tell(now, queues, agents);
            let silent = spoke.is_none_or(|spoke| spoke.elapsed() >= self.shared.heartbeat);
            if silent || !is_empty(&response) {
                self.outlet.send(response).await?;
                spoke = Some(Instant::now());
            }
        }
    }
}

type Queues = BTreeMap<String, pb::QueueStatistics>;
type Agents = BTreeMap<String, pb::AgentStatistics>;

/// What the caller knows by now.
#[derive(Default)]
struct Told {
    anything: bool,
    queues: Queues,
    agents: Agents,
}

impl Told {
    /// What the caller must hear to know all of this.
    fn tell(&mut self, now: Timestamp, queues: Queues, agents: Agents) -> pb::WatchResponse {
        let mut gone = Vec::new();
        pb::WatchResponse {
            at: time(now),
            whole: !std::mem::replace(&mut self.anything, true),
            queues: news(&mut self.queues, queues, &mut gone),
            agents: news(&mut self.agents, agents, &mut gone),
            gone,
        }
    }
}

fn news<T: Clone + PartialEq>(
    told: &mut BTreeMap<String, T>,
    now: BTreeMap<String, T>,
    gone: &mut Vec<String>,
) -> Vec<T> {
    gone.extend(told.keys().filter(|name| !now.contains_key(*name)).cloned());
    let changed = now.iter().filter(|(name, found)| told.get(*name) != Some(*found));
    let changed = changed.map(|(_, found)| found.clone()).collect();
    *told = now;
    changed
}

fn is_empty(response: &pb::WatchResponse) -> bool {
    response.queues.is_empty() && response.agents.is_empty() && response.gone.is_empty()
}

fn show(found: DeskNow, policy: Option<&Policy>, queues: &mut Queues, agents: &mut Agents) {
    for queue in found.queues {
        let promised = policy.and_then(|policy| policy.queues.get(&queue.queue)?.answer_within);
        let shown = self::queue(&queue, promised);
        queues.insert(shown.queue.clone(), shown);
    }
    for agent in found.agents {
        let shown = self::agent(&agent);
        agents.insert(shown.agent.clone(), shown);
    }
}

fn queue(now: &QueueNow, promised: Option<Millis>) -> pb::QueueStatistics {
    let windows = WINDOWS.iter().zip(&now.over).map(|(window, tally)| {
        let since = since(*window, now.midnight);
        pb::QueueWindow { window: span(*window), since, ..queue_window(tally, now.late) }
    });
    pb::QueueStatistics {
        queue: now.queue.to_string(),
        waiting: now.waiting,
        longest_since: now.longest_since.and_then(time),
        late: now.late,
        offers: now.taken.offers,
        assignments: now.taken.assignments,
        wrap_ups: now.taken.wrap_ups,
        answer_within: promised.and_then(duration),
        windows: windows.collect(),
    }
}

fn queue_window(tally: &QueueTally, late: u32) -> pb::QueueWindow {
    pb::QueueWindow {
        came: tally.came,
        answered: tally.answered,
        answered_in_time: tally.in_time,
        service_level: tally.service_level(late),
        speed_of_answer: tally.speed_of_answer().and_then(duration),
        first_reply: tally.first_reply().and_then(duration),
        abandoned: tally.abandoned,
        went_on: tally.went_on,
        transferred: tally.transferred,
        declined: tally.declined,
        expired: tally.expired,
        handling_time: tally.handling_time().and_then(duration),
        ..pb::QueueWindow::default()
    }
}

fn span(window: Window) -> Option<prost_types::Duration> {
    match window {
        Window::Last(span) => duration(span),
        Window::Today => None,
    }
}

fn since(window: Window, midnight: Timestamp) -> Option<prost_types::Timestamp> {
    (window == Window::Today).then(|| time(midnight)).flatten()
}

fn agent(now: &AgentNow) -> pb::AgentStatistics {
    let windows = WINDOWS.iter().zip(&now.over).map(|(window, tally)| {
        let since = since(*window, now.midnight);
        pb::AgentWindow { window: span(*window), since, ..agent_window(tally) }
    });
    pb::AgentStatistics {
        agent: now.agent.to_string(),
        presence: presence(now.presence).into(),
        since: now.since.and_then(time),
        offers: now.holds.offers,
        assignments: now.holds.assignments,
        wrap_ups: now.holds.wrap_ups,
        windows: windows.collect(),
    }
}

fn agent_window(tally: &AgentTally) -> pb::AgentWindow {
    // In whole percent, so that time alone changes it seldom. A share is at most 1.
    let percent = tally.occupancy().map(|share| (share * 100.0).round() as u32);
    pb::AgentWindow {
        occupancy_percent: percent,
        answered: tally.answered,
        declined: tally.declined,
        expired: tally.expired,
        transferred: tally.transferred,
        handling_time: tally.handling_time().and_then(duration),
        ..pb::AgentWindow::default()
    }
}

fn presence(presence: Presence) -> pb::Presence {
    match presence {
        Presence::Available => pb::Presence::Available,
        Presence::Away => pb::Presence::Away,
        Presence::Offline => pb::Presence::Offline,
    }
}
