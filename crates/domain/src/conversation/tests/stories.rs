//! What becomes of a customer's conversations, told by example.

mod across;
mod agents;
mod away;
mod bots;
mod consult;
mod customers;
mod elsewhere;
mod entry;
mod mail;
mod memory;
mod others;
mod receipts;
mod silence;
mod snooze;
mod special;
mod supervisors;
mod window;
