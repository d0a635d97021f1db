//! The desk's commands and events.

use crate::message::{choice, enumeration, timers};

choice! { domain::desk::Command => DeskCommand, desk_command {
    Enqueue { conversation, owner_epoch, channel, queue, since, again, agent },
    Withdraw { conversation, owner_epoch },
    Confirm { offer, command },
    Refuse { offer, command },
    Release { assignment },
    SetPresence { agent, presence, until },
    Accept { agent, offer },
    Decline { agent, offer },
    PolicyChanged { tenant },
    TimerFired(timer),
}}

choice! { domain::desk::Event => DeskEvent, desk_event {
    Enqueued { conversation, owner_epoch, channel, queue, priority, since, again, agent },
    Dequeued { conversation, queue, because },
    PresenceSet { agent, presence, until },
    LeaseLapsed { agent },
    Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at },
    AcceptRequested { offer, conversation, owner_epoch, agent, command },
    Accepted { offer, conversation, agent, command },
    Declined { offer, conversation, agent },
    Expired { offer, conversation, agent },
    Withdrawn { offer, conversation, agent, because, command },
    AssignmentEnded { assignment, agent, conversation },
    GivingBack { assignment, agent, conversation },
    WorkDeferred { desk },
}}

enumeration! {
    domain::desk::LeftQueue => LeftQueue { Assigned, Withdrawn }
    domain::desk::WithdrawnBecause => WithdrawnBecause { ConversationGone, AgentGone, PolicyChanged }
}

timers! { domain::desk::TimerId => Desk { Lease, Offer, Rested, Deferred } }
