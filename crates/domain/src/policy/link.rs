//! A link that customers come in by, and what is different for those who do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{BotId, Channel, InboxId, QueueId};

use super::Inbox;

/// A link into an inbox: printed as a code, put on a page, sent in a mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    pub inbox: InboxId,
    /// What the platform tells us when the link is followed (`ref`). None on WhatsApp, which tells nothing: there the
    /// text that the customer sends says it.
    pub reference: Option<Arc<str>>,
    /// What the link belongs to, in the business's own words.
    pub campaign: Option<Arc<str>>,
    /// Where such customers wait for a person, instead of in the inbox's queue.
    pub queue: Option<QueueId>,
    /// Who greets them, instead of the inbox's bot.
    pub bot: Option<BotId>,
    /// No bot greets them.
    pub people_only: bool,
    /// What the built-in bot says first, instead of its greeting.
    pub first_message: Option<String>,
    /// What stands in the customer's own field of writing when the link is followed.
    pub text: Option<String>,
    /// Tags that the customer's contact gets.
    pub tags: Vec<Arc<str>>,
}

/// Before a token in a reference: `REF.tk1-TOKEN`, or `tk1-TOKEN` alone.
pub const TOKEN_MARK: &str = "tk1-";

/// What a platform lets a reference be.
///
/// Source: developers.facebook.com, "m.me Links" and "Using ig.me Links", seen 2026-11: any string of at most 2,083
/// characters. Older pages, and the checks of Meta's own plugins, allow letters, digits and `+/=-.:_` alone, and 250 of them:
/// what keeps to that arrives everywhere.
pub const LONGEST_REFERENCE: usize = 250;
const REFERENCE_SIGNS: &[u8] = b"+/=-.:_";

/// Room that a token needs behind a link's own reference.
const LONGEST_OWN_REFERENCE: usize = 80;

impl Link {
    /// Why the link cannot have this reference, if it cannot.
    pub fn reference_problem(reference: &str) -> Option<String> {
        if reference.is_empty() || reference.len() > LONGEST_OWN_REFERENCE {
            let length = reference.len();
            return Some(format!("has 1 to {LONGEST_OWN_REFERENCE} characters, not {length}"));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || REFERENCE_SIGNS.contains(&byte);
        if let Some(sign) = reference.chars().find(|c| !u8::try_from(*c).is_ok_and(allowed)) {
            return Some(format!("has letters, digits and +/=-.:_ only, not {sign:?}"));
        }
        reference.contains(TOKEN_MARK).then(|| format!("{TOKEN_MARK:?} stands before a token"))
    }

    /// Where the link leads: an address that a phone opens the platform's own app by. `token` stands behind what the link is
    /// known by. None where the inbox does not say what links call it (`link_name`).
    ///
    /// Sources: developers.facebook.com, "m.me Links" and "Using ig.me Links"; faq.whatsapp.com, "How to use click to chat";
    /// seen 2026-11.
    pub fn url(&self, inbox: &Inbox, token: Option<&str>) -> Option<String> {
        let name = Link::name_of(inbox)?;
        let told = Some(self.told(inbox.channel, token));
        let (place, reference, text) = match inbox.channel {
            Channel::Messenger => ("https://m.me/", told, self.text.clone()),
            Channel::Instagram => ("https://ig.me/m/", told, None),
            Channel::Whatsapp => ("https://wa.me/", None, told),
            Channel::Email | Channel::Sms | Channel::Generic => return None,
        };
        let said = [("ref", reference), ("text", text)];
        let said = said.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(&value?))));
        Some(format!("{place}{name}?{}", said.collect::<Vec<_>>().join("&")))
    }

    /// What is told of the link when it is followed: its reference, or on WhatsApp its text, and the token behind it.
    pub fn told(&self, channel: Channel, token: Option<&str>) -> String {
        let (own, between) = match channel {
            Channel::Whatsapp => (self.text.as_deref(), " "),
            _ => (self.reference.as_deref(), "."),
        };
        let marked = token.map(|token| format!("{TOKEN_MARK}{token}"));
        let parts: Vec<_> = own.into_iter().chain(marked.as_deref()).collect();
        parts.join(between)
    }

    /// What links call the inbox: the user name of a Page or an account, a phone number's digits. A Page's id will do.
    pub fn name_of(inbox: &Inbox) -> Option<String> {
        let named = inbox.settings.get("link_name").map(String::as_str);
        let address = match inbox.channel {
            Channel::Messenger => Some(&*inbox.address),
            Channel::Whatsapp => Some(&*inbox.address).filter(|address| address.starts_with('+')),
            _ => None,
        };
        let name = named.or(address)?;
        let (digits, letters) =
            (|c: char| c.is_ascii_digit(), |c: char| c.is_ascii_alphanumeric() || "._".contains(c));
        let name = match inbox.channel {
            Channel::Whatsapp => name.strip_prefix('+').unwrap_or(name),
            _ => name.strip_prefix('@').unwrap_or(name),
        };
        let fits = match inbox.channel {
            Channel::Whatsapp => name.chars().all(digits),
            _ => name.chars().all(letters),
        };
        (fits && !name.is_empty()).then(|| name.to_owned())
    }

    /// Whether links can lead into a channel at all.
    pub fn leads_to(channel: Channel) -> bool {
        matches!(channel, Channel::Messenger | Channel::Instagram | Channel::Whatsapp)
    }
}

/// As a value in a query (RFC 3986 section 2.1): all but what needs no writing around.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
