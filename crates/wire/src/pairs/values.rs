//! The values that more than one aggregate speaks of.

use domain::{
    ConversationId, OfferId, Peer, Rejection, Sealed, TurnId,
    conversation::{Correspondent, Outgoing, ThreadOf, Window},
};

use crate::message::{choice, enumeration, message};

message! {
    Peer => Peer { kind, partition }
    ConversationId => ConversationId { party, number }
    TurnId => TurnId { conversation, owner_epoch, number }
    OfferId => OfferId { desk, number }
    Sealed => Sealed { subject, bytes }
    Correspondent => Correspondent { tenant, inbox, channel, party, address, country, unanswerable }
    Outgoing => Outgoing { tenant, inbox, channel, to, body, thread, by_person, signed, not_before, window }
    Window => Window { until, person_until }
    ThreadOf => ThreadOf { message, thread }
    Rejection => Rejection { code, detail }
}

choice! { domain::conversation::Progress => Progress, progress {
    Sent { provider_id },
    Failed { code, reason, dead },
    Unknown {},
    Held { until },
    Withheld { because },
}}

enumeration! {
    domain::Kind => Kind { Conversation, Desk, Delivery, Contact, Workspace }
    domain::Channel => Channel { Messenger, Instagram, Whatsapp, Email, Sms, Generic }
    domain::conversation::MessageKind => MessageKind { Message, Postback }
    domain::conversation::NoteKind => NoteKind {
        Referral, Optin, Echo, Reaction, Handover, Link, Bounce, AutoReply, Complaint, Unknown, Overheard, Edit,
        Unsend, Notice, Help,
    }
    domain::conversation::ReceiptKind => ReceiptKind { Delivered, Read, Failed }
    domain::desk::Presence => Presence { Available, Away, Offline }
    domain::Code => Code {
        NotFound, NotOwner, Stale, Closed, OptedOut, OfferEnded, NotPresent, Invalid, Conflict, Forbidden, Internal,
        Suppressed, Unanswerable, WindowClosed,
    }
    domain::conversation::Withheld => Withheld { OptedOut, DeadAddress, Complaint, Unsubscribed }
}
