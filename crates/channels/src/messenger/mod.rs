//! Messenger, Instagram and WhatsApp: one family, since Meta delivers all three by one webhook and sends by one Graph API.
//!
//! ```text
//! GET  hub.challenge ─▶ edge::challenge
//! POST webhook ─▶ signature::valid ─▶ normalize ─▶ facts      Outgoing ─▶ MetaSender ─▶ Graph API
//! ```
//!
//! What is shared stands in [`normalize`](normalize()) and [`signature`]; what an item means is told by `item` for
//! Messenger and Instagram and by `whatsapp` for WhatsApp.
//!
//! Sources: *Webhooks from Meta* and the Messenger, Instagram and WhatsApp Cloud API references at
//! developers.facebook.com/docs.

pub(crate) mod edge;
pub mod health;
mod item;
mod normalize;
pub mod platform;
mod send;
mod shapes;
pub mod signature;
mod whatsapp;

#[cfg(test)]
mod tests;

pub use normalize::normalize;
pub use send::{Account, HUMAN_AGENT, Manners, MetaSender, SETTINGS};

use crate::Channel;

/// Which member of the family an inbox is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Messenger,
    Instagram,
    Whatsapp,
}

impl Kind {
    /// None where the channel is not Meta's.
    pub fn of(channel: Channel) -> Option<Kind> {
        match channel {
            Channel::Messenger => Some(Kind::Messenger),
            Channel::Instagram => Some(Kind::Instagram),
            Channel::Whatsapp => Some(Kind::Whatsapp),
            Channel::Email | Channel::Sms | Channel::Generic => None,
        }
    }

    pub fn channel(self) -> Channel {
        match self {
            Kind::Messenger => Channel::Messenger,
            Kind::Instagram => Channel::Instagram,
            Kind::Whatsapp => Channel::Whatsapp,
        }
    }

    pub(crate) fn of_object(object: &str) -> Option<Kind> {
        [Kind::Messenger, Kind::Instagram, Kind::Whatsapp].into_iter().find(|kind| kind.object() == object)
    }

    /// What a webhook's `object` says for this kind.
    fn object(self) -> &'static str {
        match self {
            Kind::Messenger => "page",
            Kind::Instagram => "instagram",
            Kind::Whatsapp => "whatsapp_business_account",
        }
    }
}
