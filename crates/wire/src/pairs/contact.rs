//! The ledger's commands and events.

use crate::message::{choice, timers};

choice! { domain::contact::Command => ContactCommand, contact_command {
    See { from, at },
    Link { tenant, contact, party },
    Join { tenant, party, to },
    Part { tenant, party, of },
    Tag { tenant, contact, tag },
    Untag { tenant, contact, tag },
    TagAddress { tenant, party, tags },
    Tie { tenant, party, token },
    Follow { party, to, moved, at },
}}

choice! { domain::contact::Event => ContactEvent, contact_event {
    Created { contact, from, at },
    Linked { tenant, contact, party, was },
    Joined { tenant, contact, party, was },
    Parted { tenant, contact, party, was },
    Tagged { tenant, contact, tag },
    Untagged { tenant, contact, tag },
    TagsTold { tenant, party, tags },
    TokenTaken { tenant, party, token, refused },
    OthersTold { tenant, party, others },
}}

timers! { domain::contact::TimerId => Contact {} }
