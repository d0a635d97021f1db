//! Read models: the log folded into rows, for everyone who asks what happened, with whom, and what was set aside.
//!
//! ```text
//! conversation.log ─┐                 timelines, conversations
//! contact.log ──────┼─▶ one writer ─▶ contacts, tags             ─▶ api, command line
//! the other logs ───┘                 set aside, positions
//! ```
//!
//! Rows belong to parties; who a party belongs to is a table of its own, joined when read, so linking an address
//! moves no history. Everything personal stays sealed here: rows carry it as [`domain::Sealed`] with the item it
//! opens under, and whoever may see it opens it with the vault. Every read is one tenant's; another tenant's id is as
//! good as none.
//!
//! Each batch of accepted decisions and the point behind it are one transaction, so a restart goes on exactly where
//! the rows end, and [`rebuild`] makes the same rows, with the same ids, from zero.

// What callers get.
mod contact;
mod conversation;
mod entry;
mod set_aside;
mod store;

// From the log into the store.
mod change;
mod follow;
mod lag;
mod project;

// From the log into live figures; no store is needed.
pub mod statistics;

mod error;
pub mod metrics;
mod sql;

pub use contact::{Address, ContactRow};
pub use conversation::{ConversationRow, Owner};
pub use entry::{Author, Body, Delivery, DeliveryStatus, Entry, EntryKind, TimelineOf, Unnamed};
pub use error::Error;
pub use lag::{Lag, lag};
pub use project::{Progress, drop_if_ahead, rebuild, run};
pub use set_aside::{Kept, SetAside, SetAsideId, SetAsideRow};
pub use store::Store;
