//! Which step of a decision is of which record of the intake.

use domain::{Aggregate, Cause, Intake, Origin};

/// Whether the cause is a record of the intake.
pub(super) fn is_input<A: Aggregate>(cause: &Cause<A>) -> bool {
    matches!(
        cause,
        Cause::Fact(_)
            | Cause::Command { .. }
            | Cause::Relay { .. }
            | Cause::Report
            | Cause::Applied { .. }
            | Cause::Unreadable
    )
}

pub(super) fn named<A: Aggregate>(cause: &Cause<A>) -> String {
    match cause {
        Cause::Fact(id) => format!("fact {id}"),
        Cause::Command { id, .. } => format!("command {id}"),
        Cause::Relay { source, number } => format!("relay {number} of {source}"),
        Cause::Applied { by, through } => format!("the word of {by} about relay {through}"),
        Cause::Report => "a report".into(),
        _ => "an unreadable input".into(),
    }
}

/// Whether the step is of this intake record.
pub(super) fn is_of<A: Aggregate>(cause: &Cause<A>, taken: Option<&Intake<A::Command>>) -> bool {
    match (cause, taken) {
        (Cause::Unreadable, None) => true,
        (Cause::Applied { by, through }, Some(Intake::Applied { by: said, through: to })) => {
            by == said && through == to
        }
        (cause, Some(Intake::Input { origin, .. })) => match (cause, origin) {
            (Cause::Fact(id), Origin::Fact(said)) => id == said,
            (Cause::Command { id, content }, Origin::Command { id: said, content: meant }) => {
                id == said && content == meant
            }
            (Cause::Relay { source, number }, Origin::Relay { source: said, number: nth }) => {
                source == said && number == nth
            }
            (Cause::Report, Origin::Report) => true,
            _ => false,
        },
        _ => false,
    }
}
