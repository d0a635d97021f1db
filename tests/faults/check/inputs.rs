//! A partition's decisions beside its intake: everything read is applied, in order, once; relays leave and arrive
//! without gaps; timers fire in time, and once a generation.

use std::collections::{BTreeMap, HashMap, HashSet};

use prost::Message as _;

use super::{Violations, rule::Ruled, short};
use crate::{
    records::{Answer, Asked, Cause, Id, Input, Intake, Origin, Peer, Step, Taken},
    topics::Stored,
};

/// How far a leader's clock may be from the broker's: it is measured to two seconds, and watched to two more.
const CLOCK_AHEAD: i64 = 4_000;

#[derive(Default)]
pub(crate) struct Inputs {
    /// The last numbers of relays, by the other side: given to what left, applied of what came, and said to have been
    /// applied of what left.
    pub(crate) sent: BTreeMap<Peer, u64>,
    pub(crate) applied: BTreeMap<Peer, u64>,
    pub(crate) confirmed: BTreeMap<Peer, u64>,
    pub(crate) facts: HashSet<Id>,
    commands: HashMap<Id, Command>,
    fired: HashSet<u64>,
    decided_at: i64,
}

struct Command {
    content: Id,
    answer: Option<Answer>,
}

/// What must come of a record of the intake.
#[derive(PartialEq)]
enum Must {
    Step,
    Nothing,
    /// Only the aggregate's own rules can tell.
    Either,
}

pub(super) fn inputs(peer: Peer, intake: &[Stored], ruled: &Ruled, violations: &mut Violations) -> Inputs {
    let mut inputs = Inputs::default();
    let mut unread = intake.iter().peekable();
    let mut through = 0;
    for decided in &ruled.decided {
        let (at, decision) = (decided.offset, &decided.decision);
        let mut wrong =
            |number: u8, what: String| violations.push(format!("{number}: {peer}, at {at}: {what}"));
        if decision.intake_through < through {
            wrong(
                8,
                format!(
                    "the intake was read through {through}, and is read from {} again",
                    decision.intake_through
                ),
            );
        }
        if decision.intake_through > intake.last().map_or(0, |last| last.offset + 1) {
            wrong(
                8,
                format!(
                    "the intake is said to be read through {}, which is not there",
                    decision.intake_through
                ),
            );
        }
        if decision.decided_at < inputs.decided_at {
            wrong(9, "it was decided before the decision that precedes it".into());
        }
        if decision.decided_at > inputs.decided_at.max(decided.appended_at + CLOCK_AHEAD) {
            wrong(9, "it was decided by a clock that is ahead of the brokers'".into());
        }
        through = through.max(decision.intake_through);
        inputs.decided_at = inputs.decided_at.max(decision.decided_at);
        let mut steps = decision.steps.iter().peekable();
        while let Some(record) = unread.next_if(|record| record.offset < through) {
            while let Some(step) = steps.next_if(|step| !is_input(step)) {
                inputs.step(step, &mut wrong);
            }
            let taken = Intake::decode(record.bytes.as_slice()).ok().and_then(|intake| intake.kind);
            let must = inputs.must(taken.as_ref());
            match steps.next_if(|step| must != Must::Nothing && is_of(step, taken.as_ref())) {
                Some(step) => inputs.step(step, &mut wrong),
                None if must == Must::Step => {
                    wrong(
                        8,
                        format!(
                            "the input at {} was read, and nothing came of it: {}",
                            record.offset,
                            named(&taken)
                        ),
                    );
                }
                None => {}
            }
        }
        for step in steps {
            if is_input(step) {
                let number = if matches!(cause(step), Some(Cause::Fact(_))) { 2 } else { 8 };
                wrong(number, format!("applied again, or never sent: {:?}", cause(step)));
            }
            inputs.step(step, &mut wrong);
        }
    }
    for record in unread {
        let taken = Intake::decode(record.bytes.as_slice()).ok().and_then(|intake| intake.kind);
        if inputs.must(taken.as_ref()) == Must::Step {
            violations.push(format!(
                "1: {peer}: the input at {} is never decided: {}",
                record.offset,
                named(&taken)
            ));
        }
    }
    for (id, _) in inputs.commands.iter().filter(|(_, command)| command.answer.is_none()) {
        violations.push(format!("8: {peer}: the command {} is never answered", short(id)));
    }
    inputs
}

impl Inputs {
    fn must(&self, taken: Option<&Taken>) -> Must {
        let unless = |known: bool| if known { Must::Nothing } else { Must::Step };
        match taken {
            // It is kept for an operator.
            None => Must::Step,
            Some(Taken::Applied(applied)) => {
                let known = applied.by.and_then(|by| self.confirmed.get(&by)).copied().unwrap_or(0);
                unless(applied.through <= known)
            }
            Some(Taken::Input(input)) => match origin(input) {
                None => Must::Step,
                Some(Origin::Fact(id)) => unless(self.facts.contains(id)),
                Some(Origin::Report(_)) => Must::Either,
                Some(Origin::Relay(relay)) => {
                    let applied =
                        relay.source.and_then(|source| self.applied.get(&source)).copied().unwrap_or(0);
                    unless(relay.number != applied + 1)
                }
                Some(Origin::Command(Asked { id, content })) => match self.commands.get(id) {
                    // Its answer waits for another aggregate.
                    Some(known) => unless(known.content == *content && known.answer.is_none()),
                    None => Must::Step,
                },
            },
        }
    }

    fn step(&mut self, step: &Step, wrong: &mut impl FnMut(u8, String)) {
        match cause(step) {
            Some(Cause::Fact(id)) => {
                if !self.facts.insert(id.clone()) {
                    wrong(2, format!("the fact {} is applied a second time", short(id)));
                }
            }
            Some(Cause::Command(asked)) => {
                let Asked { id, content } = asked.clone();
                self.commands.entry(id).or_insert(Command { content, answer: None });
            }
            Some(Cause::Relay(relay)) => {
                let Some(source) = relay.source else { return wrong(8, "a relay has no source".into()) };
                let last = self.applied.insert(source, relay.number).unwrap_or(0);
                if relay.number != last + 1 {
                    wrong(8, format!("relay {} of {source} is applied after {last}", relay.number));
                }
            }
            Some(Cause::Applied(applied)) => {
                let Some(by) = applied.by else { return wrong(8, "nobody has applied relays".into()) };
                let sent = self.sent.get(&by).copied().unwrap_or(0);
                if applied.through > sent {
                    wrong(8, format!("{by} has applied {} relays of {sent}", applied.through));
                }
                let confirmed = self.confirmed.entry(by).or_default();
                *confirmed = (*confirmed).max(applied.through);
            }
            Some(Cause::Timer(timer)) => {
                if timer.due > self.decided_at {
                    wrong(9, format!("a timer fires {} ms before its time", timer.due - self.decided_at));
                }
                if !self.fired.insert(timer.generation) {
                    wrong(9, format!("generation {} of a timer fires a second time", timer.generation));
                }
            }
            Some(
                Cause::Report(_)
                | Cause::Policy(_)
                | Cause::Recovered(_)
                | Cause::Unreadable(_)
                | Cause::Memory(_),
            ) => {}
            None => wrong(8, "a step has no cause".into()),
        }
        if let Some(aside) = &step.set_aside {
            // Nothing that anybody here says is wrong.
            wrong(8, format!("set aside: {}", aside.reason));
        }
        for relayed in step.events.iter().filter_map(|recorded| recorded.relayed.as_ref()) {
            let Some(to) = relayed.to else { return wrong(8, "a relay has no target".into()) };
            let last = self.sent.insert(to, relayed.number).unwrap_or(0);
            if relayed.number != last + 1 {
                wrong(8, format!("relay {} to {to} leaves after {last}", relayed.number));
            }
        }
        for answer in &step.answers {
            self.answer(answer, wrong);
        }
    }

    /// One command, one answer, however often it is asked. Who uses its id for something else is told so, beside it.
    fn answer(&mut self, answer: &Answer, wrong: &mut impl FnMut(u8, String)) {
        let Some(command) = self.commands.get_mut(&answer.command) else {
            return wrong(8, format!("nobody asked for the answer to {}", short(&answer.command)));
        };
        if command.content != answer.content {
            return;
        }
        match &command.answer {
            Some(known) if known != answer => {
                wrong(8, format!("the command {} gets another answer than before", short(&answer.command)));
            }
            _ => command.answer = Some(answer.clone()),
        }
    }
}

pub(super) fn cause(step: &Step) -> Option<&Cause> {
    step.cause.as_ref()?.kind.as_ref()
}

fn origin(input: &Input) -> Option<&Origin> {
    input.origin.as_ref()?.kind.as_ref()
}

/// Whether a step follows from a record of the intake.
fn is_input(step: &Step) -> bool {
    !matches!(
        cause(step),
        None | Some(Cause::Timer(_) | Cause::Policy(_) | Cause::Recovered(_) | Cause::Memory(_))
    )
}

fn is_of(step: &Step, taken: Option<&Taken>) -> bool {
    match (cause(step), taken) {
        (Some(Cause::Applied(one)), Some(Taken::Applied(other))) => one == other,
        (Some(Cause::Unreadable(_)), None) => true,
        (Some(cause), Some(Taken::Input(input))) => match (cause, origin(input)) {
            (Cause::Fact(one), Some(Origin::Fact(other))) => one == other,
            (Cause::Command(one), Some(Origin::Command(other))) => one == other,
            (Cause::Relay(one), Some(Origin::Relay(other))) => one == other,
            (Cause::Report(_), Some(Origin::Report(_))) => true,
            _ => false,
        },
        _ => false,
    }
}

fn named(taken: &Option<Taken>) -> String {
    match taken {
        None => "it is unreadable".into(),
        Some(Taken::Applied(applied)) => format!("{applied:?}"),
        Some(Taken::Input(input)) => match origin(input) {
            Some(Origin::Fact(id)) => format!("fact {}", short(id)),
            Some(Origin::Command(asked)) => format!("command {}", short(&asked.id)),
            other => format!("{other:?}"),
        },
    }
}
