//! The ledger's commands and events.

use crate::message::{choice, timers};

choice! { domain::contact::Command => ContactCommand, contact_command {
    See { from, at },
    Link { tenant, contact, party },
    Tag { tenant, contact, tag },
    Untag { tenant, contact, tag },
}}

choice! { domain::contact::Event => ContactEvent, contact_event {
    Created { contact, from, at },
    Linked { tenant, contact, party, was },
    Tagged { tenant, contact, tag },
    Untagged { tenant, contact, tag },
    TagsTold { tenant, party, tags },
    OthersTold { tenant, party, others },
}}

timers! { domain::contact::TimerId => Contact {} }
