//! What all cycles came to.

use std::{collections::BTreeMap, fmt};

use crate::{faults::Fault, scene::Outcome};

#[derive(Default)]
pub(crate) struct Table(BTreeMap<Fault, Row>);

#[derive(Default)]
struct Row {
    cycles: usize,
    violations: usize,
    ignored: usize,
    recoveries: Vec<i64>,
}

impl Table {
    pub(crate) fn add(&mut self, fault: Fault, outcome: &Outcome) {
        let row = self.0.entry(fault).or_default();
        row.cycles += 1;
        row.violations += outcome.violations.len();
        row.ignored += outcome.ignored;
        row.recoveries.extend(outcome.recovery);
        row.recoveries.sort_unstable();
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | cycles | violations | records that count nowhere | recovery p50 | max |")?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|")?;
        for (fault, row) in &self.0 {
            let Row { cycles, violations, ignored, recoveries } = row;
            let seconds = |millis: Option<&i64>| {
                millis.map_or_else(|| "-".into(), |millis| format!("{:.1} s", *millis as f64 / 1_000.0))
            };
            let (median, longest) =
                (seconds(recoveries.get(recoveries.len().saturating_sub(1) / 2)), seconds(recoveries.last()));
            writeln!(f, "| {} | {cycles} | {violations} | {ignored} | {median} | {longest} |", fault.name())?;
        }
        Ok(())
    }
}
