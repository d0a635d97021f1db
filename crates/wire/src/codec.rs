//! Which aggregates can be written and read: all five, and by that any code that is generic over them.

use domain::{Aggregate, Kind, contact, conversation, delivery, desk, workspace};

use crate::{
    error::{Flaw, Problem},
    message::{Wire, must_be_there},
    pb,
};

/// An aggregate whose commands, events and timers have a form on the wire. Every aggregate has; there is nothing
/// to implement.
pub trait Codec:
    Aggregate<Command: Wire<pb::Command>, Event: Wire<pb::Event>, TimerId: Wire<pb::TimerId>>
{
}

impl<A> Codec for A where
    A: Aggregate<Command: Wire<pb::Command>, Event: Wire<pb::Event>, TimerId: Wire<pb::TimerId>>
{
}

macro_rules! aggregates {
    ($($kind:ident: $module:ident,)*) => {$(
        impl Wire<pb::Command> for $module::Command {
            fn put(&self) -> pb::Command {
                pb::Command { kind: Some(pb::command::Kind::$kind(Wire::put(self))) }
            }

            fn take(wire: pb::Command) -> Result<Self, Flaw> {
                match wire.kind.ok_or_else(Flaw::no_kind)? {
                    pb::command::Kind::$kind(command) => Wire::take(command),
                    _ => Err(Problem::Foreign { kind: Kind::$kind }.into()),
                }
            }
        }

        impl Wire<pb::Event> for $module::Event {
            fn put(&self) -> pb::Event {
                pb::Event { kind: Some(pb::event::Kind::$kind(Wire::put(self))) }
            }

            fn take(wire: pb::Event) -> Result<Self, Flaw> {
                match wire.kind.ok_or_else(Flaw::no_kind)? {
                    pb::event::Kind::$kind(event) => Wire::take(event),
                    _ => Err(Problem::Foreign { kind: Kind::$kind }.into()),
                }
            }
        }

        must_be_there!($module::Command => pb::Command);
        must_be_there!($module::Event => pb::Event);
    )*};
}

aggregates! {
    Conversation: conversation,
    Desk: desk,
    Delivery: delivery,
    Contact: contact,
    Workspace: workspace,
}
