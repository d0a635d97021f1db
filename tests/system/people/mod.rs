//! People over a long time, whatever happens meanwhile: customers who write and agents who work, by choices that a seed
//! repeats.

mod agents;
mod customers;
mod random;

pub(crate) use agents::{Said, work};
pub(crate) use customers::write;
pub(crate) use random::Random;
