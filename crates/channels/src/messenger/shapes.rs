//! What Messenger and Instagram write: the fields of an item that are known, as they stand in its JSON. A field that is not
//! here is not lost: the item's bytes are kept then.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::scalar::{Number, Text};

#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) sender: Option<Party<'a>>,
    #[serde(borrow)]
    pub(super) recipient: Option<Party<'a>>,
    pub(super) timestamp: Option<Number>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) message_edit: Option<Edited<'a>>,
    #[serde(borrow)]
    pub(super) postback: Option<Postback<'a>>,
    #[serde(borrow)]
    pub(super) referral: Option<Referred<'a>>,
    #[serde(borrow)]
    pub(super) optin: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delivery: Option<Delivery<'a>>,
    #[serde(borrow)]
    pub(super) read: Option<Read<'a>>,
    #[serde(borrow)]
    pub(super) reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    pub(super) account_linking: Option<Linking<'a>>,
    #[serde(borrow)]
    pub(super) pass_thread_control: Option<Control<'a>>,
    #[serde(borrow)]
    pub(super) take_thread_control: Option<Control<'a>>,
    #[serde(borrow)]
    pub(super) request_thread_control: Option<Control<'a>>,
    #[serde(borrow)]
    pub(super) app_roles: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) policy_enforcement: Option<Enforced<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Party<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    /// Stands for the customer where a plugin on the business's site does not know them yet.
    #[serde(borrow)]
    pub(super) user_ref: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) quick_reply: Option<QuickReply<'a>>,
    #[serde(borrow)]
    pub(super) attachments: Option<Vec<Attached<'a>>>,
    #[serde(borrow)]
    pub(super) reply_to: Option<ReplyTo<'a>>,
    #[serde(borrow)]
    pub(super) metadata: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) app_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) referral: Option<Referred<'a>>,
    pub(super) is_echo: Option<bool>,
    pub(super) is_deleted: Option<bool>,
    pub(super) is_unsupported: Option<bool>,
    /// Of older versions; says nothing.
    #[serde(rename = "seq")]
    pub(super) _seq: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Edited<'a> {
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    /// Which change of this message it is.
    #[serde(borrow)]
    pub(super) num_edit: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct QuickReply<'a> {
    #[serde(borrow)]
    pub(super) payload: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ReplyTo<'a> {
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) story: Option<Story<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Story<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Attached<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) payload: Option<AttachedPayload<'a>>,
}

#[derive(Deserialize)]
pub(super) struct AttachedPayload<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) sticker_id: Option<Text<'a>>,
    pub(super) coordinates: Option<Coordinates>,
    /// Its `url` says the same.
    #[serde(borrow, rename = "reel_video_id")]
    pub(super) _reel_video_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Coordinates {
    pub(super) lat: f64,
    pub(super) long: f64,
}

#[derive(Deserialize)]
pub(super) struct Postback<'a> {
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) payload: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) referral: Option<Referred<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Referred<'a> {
    #[serde(borrow, rename = "ref")]
    pub(super) reference: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) source: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ad_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) referer_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) ads_context_data: Option<AdContext<'a>>,
}

#[derive(Deserialize)]
pub(super) struct AdContext<'a> {
    #[serde(borrow)]
    pub(super) ad_title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) photo_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) video_url: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Optin<'a> {
    #[serde(borrow, rename = "ref")]
    pub(super) reference: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) payload: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_ref: Option<Text<'a>>,
    /// What may be sent by it, and how often, stands beside it.
    #[serde(borrow)]
    pub(super) notification_messages_token: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) one_time_notif_token: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Delivery<'a> {
    #[serde(borrow)]
    pub(super) mids: Option<Vec<Text<'a>>>,
    pub(super) watermark: Option<Number>,
    #[serde(rename = "seq")]
    pub(super) _seq: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Read<'a> {
    /// Instagram names the message, Messenger gives a watermark.
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    pub(super) watermark: Option<Number>,
    #[serde(rename = "seq")]
    pub(super) _seq: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Reaction<'a> {
    #[serde(borrow)]
    pub(super) mid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) action: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reaction: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) emoji: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Linking<'a> {
    #[serde(borrow)]
    pub(super) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) authorization_code: Option<Text<'a>>,
}

/// Which application has the thread. The platform tells the one that gets it, and the one that loses it.
#[derive(Deserialize)]
pub(super) struct Control<'a> {
    #[serde(borrow)]
    pub(super) new_owner_app_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) previous_owner_app_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) requested_owner_app_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) metadata: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Enforced<'a> {
    #[serde(borrow)]
    pub(super) action: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reason: Option<Text<'a>>,
}
