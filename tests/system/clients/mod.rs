//! Whoever talks to Tributary: providers that deliver what customers write, agents, and readers.

mod agent;
mod api;
mod follower;
mod providers;

pub(crate) use agent::{Agent, Item, Outcome, accept, close, decline, reply, snooze_for, transfer_to};
pub(crate) use api::Api;
pub(crate) use follower::Follower;
pub(crate) use providers::{Answer, Channel, Letter, Message, Providers, http};
