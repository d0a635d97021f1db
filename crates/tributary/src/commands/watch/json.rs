//! What was told, for programs: one object a line, times in RFC 3339, spans in milliseconds.

use prost_types::{Duration, Timestamp};
use serde::Serialize;
use wire::api::v1::{AgentStatistics, AgentWindow, Presence, QueueStatistics, QueueWindow, WatchResponse};

#[derive(Serialize)]
struct Told {
    at: Option<String>,
    whole: bool,
    queues: Vec<Queue>,
    agents: Vec<Agent>,
    gone: Vec<String>,
}

#[derive(Serialize)]
struct Queue {
    queue: String,
    waiting: u32,
    longest_since: Option<String>,
    late: u32,
    offers: u32,
    assignments: u32,
    wrap_ups: u32,
    answer_within: Option<i64>,
    windows: Vec<OverQueue>,
}

#[derive(Serialize)]
struct OverQueue {
    window: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    came: u32,
    answered: u32,
    answered_in_time: u32,
    service_level: Option<f64>,
    speed_of_answer: Option<i64>,
    first_reply: Option<i64>,
    abandoned: u32,
    went_on: u32,
    transferred: u32,
    declined: u32,
    expired: u32,
    handling_time: Option<i64>,
}

#[derive(Serialize)]
struct Agent {
    agent: String,
    presence: &'static str,
    since: Option<String>,
    offers: u32,
    assignments: u32,
    wrap_ups: u32,
    windows: Vec<OverAgent>,
}

#[derive(Serialize)]
struct OverAgent {
    window: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    occupancy_percent: Option<u32>,
    answered: u32,
    declined: u32,
    expired: u32,
    transferred: u32,
    handling_time: Option<i64>,
}

pub(super) fn line(told: &WatchResponse) -> serde_json::Result<String> {
    let told = Told {
        at: time(&told.at),
        whole: told.whole,
        queues: told.queues.iter().map(queue).collect(),
        agents: told.agents.iter().map(agent).collect(),
        gone: told.gone.clone(),
    };
    Ok(serde_json::to_string(&told)? + "\n")
}

fn queue(told: &QueueStatistics) -> Queue {
    Queue {
        queue: told.queue.clone(),
        waiting: told.waiting,
        longest_since: time(&told.longest_since),
        late: told.late,
        offers: told.offers,
        assignments: told.assignments,
        wrap_ups: told.wrap_ups,
        answer_within: millis(&told.answer_within),
        windows: told.windows.iter().map(over_queue).collect(),
    }
}

fn over_queue(told: &QueueWindow) -> OverQueue {
    OverQueue {
        window: millis(&told.window),
        since: time(&told.since),
        came: told.came,
        answered: told.answered,
        answered_in_time: told.answered_in_time,
        service_level: told.service_level,
        speed_of_answer: millis(&told.speed_of_answer),
        first_reply: millis(&told.first_reply),
        abandoned: told.abandoned,
        went_on: told.went_on,
        transferred: told.transferred,
        declined: told.declined,
        expired: told.expired,
        handling_time: millis(&told.handling_time),
    }
}

fn agent(told: &AgentStatistics) -> Agent {
    Agent {
        agent: told.agent.clone(),
        presence: match told.presence() {
            Presence::Available => "available",
            Presence::Away => "away",
            Presence::Offline => "offline",
            Presence::Unspecified => "unknown",
        },
        since: time(&told.since),
        offers: told.offers,
        assignments: told.assignments,
        wrap_ups: told.wrap_ups,
        windows: told.windows.iter().map(over_agent).collect(),
    }
}

fn over_agent(told: &AgentWindow) -> OverAgent {
    OverAgent {
        window: millis(&told.window),
        since: time(&told.since),
        occupancy_percent: told.occupancy_percent,
        answered: told.answered,
        declined: told.declined,
        expired: told.expired,
        transferred: told.transferred,
        handling_time: millis(&told.handling_time),
    }
}

fn time(at: &Option<Timestamp>) -> Option<String> {
    let at = at.as_ref()?;
    jiff::Timestamp::new(at.seconds, at.nanos).ok().map(|at| format!("{at:.3}"))
}

fn millis(span: &Option<Duration>) -> Option<i64> {
    let span = span.as_ref()?;
    Some(span.seconds.saturating_mul(1_000).saturating_add(i64::from(span.nanos) / 1_000_000))
}
