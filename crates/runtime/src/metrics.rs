//! What the workers count. Labels are bounded: the aggregate's name.

use domain::Kind;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!("tributary_worker_inputs_total", "Intake records read by leaders");
    describe_counter!("tributary_worker_decisions_total", "Decisions read back as accepted");
    describe_counter!("tributary_worker_steps_total", "Inputs applied by accepted decisions");
    describe_counter!(
        "tributary_worker_set_aside_total",
        "Inputs kept for an operator instead of being applied"
    );
    describe_counter!("tributary_worker_effect_panics_total", "Effects that failed by a mistake of ours");
    describe_counter!(
        "tributary_worker_policies_missing_total",
        "Times a leader decided by an older policy than an edge knew, because the newer one did not come"
    );
    describe_counter!(
        "tributary_worker_retired_total",
        "Parties that left memory, because nothing was under way for them"
    );
    describe_counter!("tributary_worker_returned_total", "Parties that came back to memory");
    describe_gauge!(
        "tributary_worker_clock_off",
        "Partitions led by this process that decide nothing, because its clock is not the log's"
    );
    describe_counter!(
        "tributary_worker_step_downs_total",
        "Times a leader dropped its state and folded again"
    );
    describe_counter!("tributary_worker_relays_resent_total", "Relays sent again because no answer came");
    describe_counter!(
        "tributary_snapshots_mirrored_total",
        "Snapshots put into the store for other machines"
    );
    describe_counter!(
        "tributary_snapshots_not_mirrored_total",
        "Attempts to put a snapshot into the store that failed; they are made again"
    );
    describe_counter!("tributary_snapshots_fetched_total", "Snapshots from the store that a worker began at");
    describe_gauge!("tributary_worker_leading", "Partitions led by this process");
    describe_gauge!("tributary_worker_standing_by", "Partitions folded by this process beside their leader");
    describe_gauge!(
        "tributary_worker_adrift",
        "Groups of workers that this process is out of: it goes on with what it leads, and announces nothing"
    );
    describe_histogram!(
        "tributary_worker_decision_seconds",
        metrics::Unit::Seconds,
        "From appending a decision to reading it back"
    );
}

pub(crate) fn inputs(kind: Kind, count: usize) {
    counter!("tributary_worker_inputs_total", "aggregate" => kind.as_str()).increment(count as u64);
}

pub(crate) fn decided(kind: Kind, steps: usize, seconds: f64) {
    counter!("tributary_worker_decisions_total", "aggregate" => kind.as_str()).increment(1);
    counter!("tributary_worker_steps_total", "aggregate" => kind.as_str()).increment(steps as u64);
    histogram!("tributary_worker_decision_seconds", "aggregate" => kind.as_str()).record(seconds);
}

pub(crate) fn set_aside(kind: Kind) {
    counter!("tributary_worker_set_aside_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn effect_panicked(kind: Kind) {
    counter!("tributary_worker_effect_panics_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn policy_missing(kind: Kind) {
    counter!("tributary_worker_policies_missing_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn moved(kind: Kind, retired: usize, returned: usize) {
    counter!("tributary_worker_retired_total", "aggregate" => kind.as_str()).increment(retired as u64);
    counter!("tributary_worker_returned_total", "aggregate" => kind.as_str()).increment(returned as u64);
}

pub(crate) fn clock_off(kind: Kind, by: f64) {
    gauge!("tributary_worker_clock_off", "aggregate" => kind.as_str()).increment(by);
}

pub(crate) fn stepped_down(kind: Kind) {
    counter!("tributary_worker_step_downs_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn mirrored(kind: Kind) {
    counter!("tributary_snapshots_mirrored_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn not_mirrored(kind: Kind) {
    counter!("tributary_snapshots_not_mirrored_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn fetched(kind: Kind) {
    counter!("tributary_snapshots_fetched_total", "aggregate" => kind.as_str()).increment(1);
}

pub(crate) fn resent(kind: Kind, count: usize) {
    counter!("tributary_worker_relays_resent_total", "aggregate" => kind.as_str()).increment(count as u64);
}

pub(crate) fn leading(kind: Kind, by: f64) {
    gauge!("tributary_worker_leading", "aggregate" => kind.as_str()).increment(by);
}

pub(crate) fn standing_by(kind: Kind, by: f64) {
    gauge!("tributary_worker_standing_by", "aggregate" => kind.as_str()).increment(by);
}

pub(crate) fn adrift(kind: Kind, by: f64) {
    gauge!("tributary_worker_adrift", "aggregate" => kind.as_str()).increment(by);
}
