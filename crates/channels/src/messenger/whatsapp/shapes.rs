//! What WhatsApp writes: the fields of messages and statuses that are known. A field that is not here is not lost: the
//! item's bytes are kept then.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::scalar::{Number, Text};

#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) field: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Value<'a> {
    #[serde(borrow, rename = "messaging_product")]
    pub(super) _product: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub(super) contacts: Option<Vec<Contact<'a>>>,
    #[serde(borrow)]
    pub(super) messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) message_echoes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) statuses: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) errors: Option<Vec<Problem<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) phone_number_id: Option<Text<'a>>,
    #[serde(borrow, rename = "display_phone_number")]
    pub(super) _display_phone_number: Option<Text<'a>>,
}

/// Who wrote, by all that WhatsApp knows them by. Whoever has a username may hide the number.
#[derive(Deserialize)]
pub(super) struct Contact<'a> {
    #[serde(borrow)]
    pub(super) profile: Option<Profile<'a>>,
    #[serde(borrow)]
    pub(super) wa_id: Option<Text<'a>>,
    /// Of this business alone, whatever the number.
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow, rename = "parent_user_id")]
    pub(super) _parent_user_id: Option<Text<'a>>,
    #[serde(borrow, rename = "identity_key_hash")]
    pub(super) _identity_key_hash: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Profile<'a> {
    #[serde(borrow, rename = "name")]
    pub(super) _name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) username: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) from: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) from_user_id: Option<Text<'a>>,
    #[serde(borrow, rename = "from_parent_user_id")]
    pub(super) _from_parent_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) to_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) timestamp: Option<Number>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Body<'a>>,
    #[serde(borrow)]
    pub(super) button: Option<Button<'a>>,
    #[serde(borrow)]
    pub(super) interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    pub(super) location: Option<Location<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) audio: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) video: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) document: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) sticker: Option<Media<'a>>,
    #[serde(borrow)]
    pub(super) contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) order: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) system: Option<System<'a>>,
    #[serde(borrow)]
    pub(super) edit: Option<Changed<'a>>,
    #[serde(borrow)]
    pub(super) revoke: Option<Changed<'a>>,
    #[serde(borrow)]
    pub(super) context: Option<Context<'a>>,
    #[serde(borrow)]
    pub(super) referral: Option<Referred<'a>>,
    /// Why a message is unsupported.
    #[serde(borrow)]
    pub(super) errors: Option<Vec<Problem<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) body: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Button<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Interactive<'a> {
    #[serde(borrow)]
    pub(super) button_reply: Option<Choice<'a>>,
    #[serde(borrow)]
    pub(super) list_reply: Option<Choice<'a>>,
    #[serde(borrow)]
    pub(super) nfm_reply: Option<FlowReply<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FlowReply<'a> {
    #[serde(borrow)]
    pub(super) body: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) response_json: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Reaction<'a> {
    #[serde(borrow)]
    pub(super) message_id: Option<Text<'a>>,
    /// Absent, or empty, where a reaction is taken back.
    #[serde(borrow)]
    pub(super) emoji: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Location<'a> {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) address: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Media<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) filename: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) caption: Option<Text<'a>>,
    #[serde(borrow, rename = "sha256")]
    pub(super) _sha256: Option<Text<'a>>,
    /// A recorded voice, a moving sticker.
    #[serde(rename = "voice")]
    pub(super) _voice: Option<bool>,
    #[serde(rename = "animated")]
    pub(super) _animated: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct System<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) body: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) wa_id: Option<Text<'a>>,
    /// As older versions call it.
    #[serde(borrow)]
    pub(super) new_wa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) previous_user_id: Option<Text<'a>>,
    #[serde(borrow, rename = "parent_user_id")]
    pub(super) _parent_user_id: Option<Text<'a>>,
    #[serde(borrow, rename = "customer")]
    pub(super) _customer: Option<Text<'a>>,
    #[serde(borrow, rename = "identity")]
    pub(super) _identity: Option<Text<'a>>,
}

/// A message that was changed or taken back.
#[derive(Deserialize)]
pub(super) struct Changed<'a> {
    #[serde(borrow)]
    pub(super) original_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Context<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, rename = "from")]
    pub(super) _from: Option<Text<'a>>,
    #[serde(rename = "forwarded")]
    pub(super) _forwarded: Option<bool>,
    #[serde(rename = "frequently_forwarded")]
    pub(super) _frequently_forwarded: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Referred<'a> {
    #[serde(borrow)]
    pub(super) source_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) headline: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ctwa_clid: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_type: Option<Text<'a>>,
    pub(super) timestamp: Option<Number>,
    /// What our send put there: its idempotency key.
    #[serde(borrow)]
    pub(super) biz_opaque_callback_data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) pricing: Option<Priced<'a>>,
    #[serde(borrow)]
    pub(super) errors: Option<Vec<Problem<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Priced<'a> {
    pub(super) billable: Option<bool>,
    #[serde(borrow)]
    pub(super) pricing_model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) category: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Problem<'a> {
    pub(super) code: Option<Number>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error_data: Option<ProblemData<'a>>,
    #[serde(borrow, rename = "href")]
    pub(super) _href: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ProblemData<'a> {
    #[serde(borrow)]
    pub(super) details: Option<Text<'a>>,
}
