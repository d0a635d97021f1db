//! Steps: what a decision is made of, generic over the aggregate.

use domain::{Answer, Cause, Peer, Recorded, SetAside, Step, Timer};

use crate::{
    Codec,
    error::Flaw,
    message::{Wire, message, required},
    pb::{self, answer, cause, origin},
};

impl<A: Codec> Wire<pb::Step> for Step<A> {
    fn put(&self) -> pb::Step {
        let Step { cause, events, answers, set_aside } = self;
        pb::Step {
            cause: Some(cause.put()),
            events: events.put(),
            answers: answers.put(),
            set_aside: set_aside.put(),
        }
    }

    fn take(wire: pb::Step) -> Result<Self, Flaw> {
        Ok(Step {
            cause: required(wire.cause).map_err(|flaw| flaw.within("cause"))?,
            events: Wire::take(wire.events).map_err(|flaw| flaw.within("events"))?,
            answers: Wire::take(wire.answers).map_err(|flaw| flaw.within("answers"))?,
            set_aside: Wire::take(wire.set_aside).map_err(|flaw| flaw.within("set_aside"))?,
        })
    }
}

impl<A: Codec> Wire<pb::Recorded> for Recorded<A> {
    fn put(&self) -> pb::Recorded {
        let Recorded { event, relay } = self;
        pb::Recorded { event: Some(event.put()), relayed: relay.put() }
    }

    fn take(wire: pb::Recorded) -> Result<Self, Flaw> {
        Ok(Recorded {
            event: required(wire.event).map_err(|flaw| flaw.within("event"))?,
            relay: Wire::take(wire.relayed).map_err(|flaw| flaw.within("relayed"))?,
        })
    }
}

/// A relay's target and its number there.
impl Wire<pb::Relayed> for (Peer, u64) {
    fn put(&self) -> pb::Relayed {
        let (to, number) = self;
        pb::Relayed { to: to.put(), number: *number }
    }

    fn take(wire: pb::Relayed) -> Result<Self, Flaw> {
        Ok((Wire::take(wire.to).map_err(|flaw| flaw.within("to"))?, wire.number))
    }
}

impl<A: Codec> Wire<pb::Cause> for Cause<A> {
    fn put(&self) -> pb::Cause {
        use cause::Kind;
        let kind = match self {
            Cause::Fact(id) => Kind::Fact(id.put()),
            Cause::Command { id, content } => {
                Kind::Command(origin::Command { id: id.put(), content: content.put() })
            }
            Cause::Relay { source, number } => {
                Kind::Relay(origin::Relay { source: source.put(), number: *number })
            }
            Cause::Report => Kind::Report(origin::Report {}),
            Cause::Applied { by, through } => {
                Kind::Applied(cause::Applied { by: by.put(), through: *through })
            }
            Cause::Timer(Timer { due, id, generation }) => {
                Kind::Timer(cause::Timer { due: due.put(), id: Some(id.put()), generation: *generation })
            }
            Cause::PolicyInForce(policy) => Kind::PolicyInForce(policy.put()),
            Cause::Recovered => Kind::Recovered(cause::Recovered {}),
            Cause::Memory => Kind::Memory(cause::Memory {}),
            Cause::Unreadable => Kind::Unreadable(cause::Unreadable {}),
        };
        pb::Cause { kind: Some(kind) }
    }

    fn take(wire: pb::Cause) -> Result<Self, Flaw> {
        use cause::Kind;
        Ok(match wire.kind.ok_or_else(Flaw::no_kind)? {
            Kind::Fact(id) => Cause::Fact(Wire::take(id).map_err(|flaw| flaw.within("fact"))?),
            Kind::Command(command) => Cause::Command {
                id: Wire::take(command.id).map_err(|flaw| flaw.within("command.id"))?,
                content: Wire::take(command.content).map_err(|flaw| flaw.within("command.content"))?,
            },
            Kind::Relay(relay) => Cause::Relay {
                source: Wire::take(relay.source).map_err(|flaw| flaw.within("relay.source"))?,
                number: relay.number,
            },
            Kind::Report(_) => Cause::Report,
            Kind::Applied(applied) => Cause::Applied {
                by: Wire::take(applied.by).map_err(|flaw| flaw.within("applied.by"))?,
                through: applied.through,
            },
            Kind::Timer(timer) => Cause::Timer(Timer {
                due: Wire::take(timer.due)?,
                id: required(timer.id).map_err(|flaw| flaw.within("timer.id"))?,
                generation: timer.generation,
            }),
            Kind::PolicyInForce(policy) => {
                Cause::PolicyInForce(Wire::take(policy).map_err(|flaw| flaw.within("policy_in_force"))?)
            }
            Kind::Recovered(_) => Cause::Recovered,
            Kind::Memory(_) => Cause::Memory,
            Kind::Unreadable(_) => Cause::Unreadable,
        })
    }
}

impl Wire<pb::Answer> for Answer {
    fn put(&self) -> pb::Answer {
        let Answer { command, content, result } = self;
        let kind = match result {
            Ok(()) => answer::Kind::Done(answer::Done {}),
            Err(rejection) => answer::Kind::Rejected(rejection.put()),
        };
        pb::Answer { command: command.put(), content: content.put(), kind: Some(kind) }
    }

    fn take(wire: pb::Answer) -> Result<Self, Flaw> {
        let result = match wire.kind.ok_or_else(Flaw::no_kind)? {
            answer::Kind::Done(_) => Ok(()),
            answer::Kind::Rejected(rejection) => {
                Err(Wire::take(rejection).map_err(|flaw: Flaw| flaw.within("rejected"))?)
            }
        };
        Ok(Answer {
            command: Wire::take(wire.command).map_err(|flaw| flaw.within("command"))?,
            content: Wire::take(wire.content).map_err(|flaw| flaw.within("content"))?,
            result,
        })
    }
}

message! {
    SetAside => SetAside { bytes, reason }
}
