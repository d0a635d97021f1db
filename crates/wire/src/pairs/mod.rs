//! Which domain type is which message: one line of field names a pair.

mod contact;
mod conversation;
mod delivery;
mod desk;
mod values;
mod workspace;
