//! All SQL, behind functions. What a row means stands here; who may see it is decided by the queries, each of which
//! begins at a tenant.

mod read;
mod schema;
mod story;
mod write;

pub(crate) use read::{contact, contacts, conversations, points, set_aside, set_aside_input, timeline};
pub(crate) use schema::{create, open, open_to_read};
pub(crate) use write::apply;
