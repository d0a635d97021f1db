//! How a domain value becomes what stands on the wire and back: one trait for all, and the macros that write
//! its implementations for structs, choices, enumerations and timers.
//!
//! The macros name every field and every choice of both sides without a rest pattern, so that a field added to the
//! domain or to a protobuf file does not compile until it is carried over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use domain::{
    AgentId, BotId, CommandId, ContactId, ContentHash, DeskId, Epoch, FactId, HoursId, InboxId, LanguageId,
    LinkId, MessageId, Millis, Party, QueueId, SkillId, Tags, TenantId, Timestamp, TokenId,
};
use prost::Message;

use crate::error::{Error, Flaw, Problem};

/// A value that has a form `P` on the wire.
pub trait Wire<P>: Sized {
    fn put(&self) -> P;
    fn take(wire: P) -> Result<Self, Flaw>;
}

/// What is marked `optional`.
impl<P, T: Wire<P>> Wire<Option<P>> for Option<T> {
    fn put(&self) -> Option<P> {
        self.as_ref().map(T::put)
    }

    fn take(wire: Option<P>) -> Result<Self, Flaw> {
        wire.map(T::take).transpose()
    }
}

impl<P, T: Wire<P>> Wire<Vec<P>> for Vec<T> {
    fn put(&self) -> Vec<P> {
        self.iter().map(T::put).collect()
    }

    fn take(wire: Vec<P>) -> Result<Self, Flaw> {
        wire.into_iter().enumerate().map(|(i, item)| T::take(item).map_err(|flaw| flaw.within(i))).collect()
    }
}

impl<P, T: Wire<P> + Ord> Wire<Vec<P>> for BTreeSet<T> {
    fn put(&self) -> Vec<P> {
        self.iter().map(T::put).collect()
    }

    fn take(wire: Vec<P>) -> Result<Self, Flaw> {
        Ok(Vec::take(wire)?.into_iter().collect())
    }
}

impl<PK, PV, K, V> Wire<BTreeMap<PK, PV>> for BTreeMap<K, V>
where
    PK: Ord,
    K: Wire<PK> + Ord,
    V: Wire<PV>,
{
    fn put(&self) -> BTreeMap<PK, PV> {
        self.iter().map(|(key, value)| (key.put(), value.put())).collect()
    }

    fn take(wire: BTreeMap<PK, PV>) -> Result<Self, Flaw> {
        let entry = |(i, (key, value))| {
            let entry = K::take(key).and_then(|key| Ok((key, V::take(value)?)));
            entry.map_err(|flaw: Flaw| flaw.within(i))
        };
        wire.into_iter().enumerate().map(entry).collect()
    }
}

impl<P, T: Wire<P>> Wire<P> for Arc<T> {
    fn put(&self) -> P {
        T::put(self)
    }

    fn take(wire: P) -> Result<Self, Flaw> {
        T::take(wire).map(Arc::new)
    }
}

impl<P, T: Wire<P>> Wire<P> for Box<T> {
    fn put(&self) -> P {
        T::put(self)
    }

    fn take(wire: P) -> Result<Self, Flaw> {
        T::take(wire).map(Box::new)
    }
}

/// Values that stand on the wire as they are.
macro_rules! as_is {
    ($($type:ty),*) => {$(
        impl Wire<$type> for $type {
            fn put(&self) -> $type {
                self.clone()
            }

            fn take(wire: $type) -> Result<$type, Flaw> {
                Ok(wire)
            }
        }
    )*};
}

as_is!(bool, u32, u64, i32, String, Bytes);

/// Numbers that have no type of their size on the wire.
macro_rules! narrow {
    ($($type:ty),*) => {$(
        impl Wire<u32> for $type {
            fn put(&self) -> u32 {
                u32::from(*self)
            }

            fn take(wire: u32) -> Result<$type, Flaw> {
                wire.try_into().map_err(|_| Problem::TooLarge { number: wire }.into())
            }
        }
    )*};
}

narrow!(u8, u16);

impl Wire<i64> for Timestamp {
    fn put(&self) -> i64 {
        self.0
    }

    fn take(wire: i64) -> Result<Self, Flaw> {
        Ok(Timestamp(wire))
    }
}

impl Wire<u64> for Millis {
    fn put(&self) -> u64 {
        self.0
    }

    fn take(wire: u64) -> Result<Self, Flaw> {
        Ok(Millis(wire))
    }
}

impl Wire<String> for Arc<str> {
    fn put(&self) -> String {
        self.as_ref().to_owned()
    }

    fn take(wire: String) -> Result<Self, Flaw> {
        Ok(wire.into())
    }
}

impl Wire<Vec<u64>> for Tags {
    fn put(&self) -> Vec<u64> {
        self.hashes().to_vec()
    }

    fn take(wire: Vec<u64>) -> Result<Self, Flaw> {
        Ok(Tags::from(wire))
    }
}

/// Ids of 16 bytes.
macro_rules! sixteen {
    ($($id:ident),*) => {$(
        impl Wire<Bytes> for $id {
            fn put(&self) -> Bytes {
                Bytes::copy_from_slice(&self.0)
            }

            fn take(wire: Bytes) -> Result<Self, Flaw> {
                let bytes = wire.as_ref().try_into().map_err(|_| Problem::Length { found: wire.len() })?;
                Ok($id(bytes))
            }
        }
    )*};
}

sixteen!(Party, FactId, CommandId, ContentHash, MessageId, ContactId, TokenId, Epoch);

/// Ids that stand on the wire as they are written.
macro_rules! written {
    ($($id:ident),*) => {$(
        impl Wire<String> for $id {
            fn put(&self) -> String {
                self.to_string()
            }

            fn take(wire: String) -> Result<Self, Flaw> {
                wire.parse().map_err(|bad| Problem::BadId(bad).into())
            }
        }
    )*};
}

written!(TenantId, InboxId, BotId, LinkId, HoursId, SkillId, LanguageId, DeskId, QueueId, AgentId);

/// A value as the bytes of its message.
pub(crate) fn encode<M: Message>(value: &impl Wire<M>) -> Vec<u8> {
    value.put().encode_to_vec()
}

/// Reads a message, and the value it stands for. `what` names it in errors.
pub(crate) fn decode<M: Message + Default, T: Wire<M>>(
    what: &'static str,
    bytes: impl Buf,
) -> Result<T, Error> {
    let wire = M::decode(bytes).map_err(|source| Error::Protobuf { what, source })?;
    T::take(wire).map_err(|flaw| Error::Flawed { what, flaw })
}

/// What is not marked `optional` must be there.
pub(crate) fn required<P, T: Wire<P>>(wire: Option<P>) -> Result<T, Flaw> {
    T::take(wire.ok_or(Problem::Missing)?)
}

/// `Struct => Message { fields }`: both have these fields, by the same names. Where the message is missing, that is
/// an error.
macro_rules! message {
    ($($domain:path => $pb:ident { $($field:ident),* $(,)? })*) => {$(
        crate::message::fields! { $domain => $pb { $($field),* } }
        crate::message::must_be_there!($domain => crate::pb::$pb);
    )*};
}

/// Like `message`, of what has a default: a message that is missing, since it was written before there was one,
/// stands for that.
macro_rules! or_default {
    ($($domain:path => $pb:ident { $($field:ident),* $(,)? })*) => {$(
        crate::message::fields! { $domain => $pb { $($field),* } }

        impl crate::message::Wire<Option<crate::pb::$pb>> for $domain {
            fn put(&self) -> Option<crate::pb::$pb> {
                Some(crate::message::Wire::put(self))
            }

            fn take(wire: Option<crate::pb::$pb>) -> Result<Self, crate::error::Flaw> {
                wire.map_or_else(|| Ok(<$domain>::default()), crate::message::Wire::take)
            }
        }
    )*};
}

macro_rules! fields {
    ($domain:path => $pb:ident { $($field:ident),* }) => {
        const _: () = {
            use $domain as Domain;
            use crate::{error::Flaw, message::Wire, pb::$pb as Message};

            impl Wire<Message> for Domain {
                fn put(&self) -> Message {
                    let Domain { $($field),* } = self;
                    Message { $($field: Wire::put($field)),* }
                }

                fn take(wire: Message) -> Result<Self, Flaw> {
                    Ok(Domain {
                        $($field: Wire::take(wire.$field).map_err(|flaw| flaw.within(stringify!($field)))?,)*
                    })
                }
            }
        };
    };
}

/// `Enum => Message, module { Variant { fields }, Variant(value), Variant {} }`: the message's `kind` is one of
/// these. A variant with fields, or with none, is a message of that name in the message's module.
macro_rules! choice {
    ($domain:path => $pb:ident, $module:ident {
        $($variant:ident $({ $($field:ident),* })? $(( $value:ident ))?),* $(,)?
    }) => {
        const _: () = {
            use $domain as Domain;
            use crate::{error::Flaw, message::{Wire, must_be_there}, pb::{self, $module}};

            impl Wire<pb::$pb> for Domain {
                fn put(&self) -> pb::$pb {
                    let kind = match self {
                        $(Domain::$variant $({ $($field),* })? $(($value))? => $module::Kind::$variant(
                            $($module::$variant { $($field: Wire::put($field)),* })?
                            $(Wire::put($value))?
                        ),)*
                    };
                    pb::$pb { kind: Some(kind) }
                }

                fn take(wire: pb::$pb) -> Result<Self, Flaw> {
                    match wire.kind.ok_or_else(Flaw::no_kind)? {
                        $(#[allow(unused_variables, reason = "a variant without fields")]
                        $module::Kind::$variant(wire) => Ok(Domain::$variant
                            $({ $($field: Wire::take(wire.$field).map_err(|flaw| {
                                flaw.within(concat!(stringify!($variant), ".", stringify!($field)))
                            })?,)* })?
                            $(({
                                let $value = Wire::take(wire);
                                $value.map_err(|flaw: Flaw| flaw.within(stringify!($variant)))?
                            }))?
                        ),)*
                    }
                }
            }

            must_be_there!(Domain => pb::$pb);
        };
    };
}

/// `Enum => Enumeration { values }`: a number that is none of these is an error.
macro_rules! enumeration {
    ($($domain:path => $pb:ident { $($value:ident),* $(,)? })*) => {$(
        const _: () = {
            use $domain as Domain;
            use crate::{error::{Flaw, Problem}, message::Wire, pb::$pb as Number};

            impl Wire<i32> for Domain {
                fn put(&self) -> i32 {
                    match self {
                        $(Domain::$value => Number::$value as i32,)*
                    }
                }

                fn take(wire: i32) -> Result<Self, Flaw> {
                    match Number::try_from(wire) {
                        $(Ok(Number::$value) => Ok(Domain::$value),)*
                        Ok(Number::Unspecified) | Err(_) => {
                            Err(Problem::UnknownNumber { name: stringify!($pb), number: wire }.into())
                        }
                    }
                }
            }
        };
    )*};
}

/// `Enum => Aggregate { Variant }`: an aggregate's timers are these choices of the one message for all timers.
macro_rules! timers {
    ($domain:path => $kind:ident { $($variant:ident),* }) => {
        const _: () = {
            use $domain as Domain;
            use crate::{error::{Flaw, Problem}, message::{Wire, must_be_there}, pb};

            impl Wire<pb::TimerId> for Domain {
                fn put(&self) -> pb::TimerId {
                    match *self {
                        $(Domain::$variant(ref id) => {
                            pb::TimerId { kind: Some(pb::timer_id::Kind::$variant(Wire::put(id))) }
                        })*
                    }
                }

                fn take(wire: pb::TimerId) -> Result<Self, Flaw> {
                    match wire.kind.ok_or_else(Flaw::no_kind)? {
                        $(pb::timer_id::Kind::$variant(id) => {
                            let id = Wire::take(id).map_err(|flaw: Flaw| flaw.within(stringify!($variant)))?;
                            Ok(Domain::$variant(id))
                        })*
                        _ => Err(Problem::Foreign { kind: domain::Kind::$kind }.into()),
                    }
                }
            }

            must_be_there!(Domain => pb::TimerId);
        };
    };
}

/// A message in a field that is not marked `optional`.
macro_rules! must_be_there {
    ($domain:path => $pb:path) => {
        impl crate::message::Wire<Option<$pb>> for $domain {
            fn put(&self) -> Option<$pb> {
                Some(crate::message::Wire::put(self))
            }

            fn take(wire: Option<$pb>) -> Result<Self, crate::error::Flaw> {
                crate::message::required(wire)
            }
        }
    };
}

pub(crate) use {choice, enumeration, fields, message, must_be_there, or_default, timers};
