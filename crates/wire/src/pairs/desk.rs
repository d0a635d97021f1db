//! The desk's commands and events.

use domain::desk::{Considered, Why};

use crate::message::{choice, enumeration, message, timers};

choice! { domain::desk::Command => DeskCommand, desk_command {
    Enqueue { conversation, owner_epoch, channel, queue, since, again, agent, agent_until, by_request, special },
    Withdraw { conversation, owner_epoch },
    Confirm { offer, command },
    Refuse { offer, command },
    Release { assignment },
    PutAway { assignment },
    Consult { conversation, consult, by, whom },
    EndConsult { desk, consult },
    SetPresence { agent, presence, until },
    Accept { agent, offer },
    Decline { agent, offer },
    FinishWrapUp { agent, assignment },
    PolicyChanged { tenant },
    Recover {},
    TimerFired(timer),
}}

choice! { domain::desk::Event => DeskEvent, desk_event {
    Enqueued {
        conversation, owner_epoch, channel, queue, priority, since, again, agent, agent_until, by_request, special
    },
    Waits { conversation, queue, why },
    Stranded { conversation, queue, because },
    PreferenceEnded { conversation, queue, agent, because },
    Overflowing { conversation, owner_epoch, queue, to, since, because },
    QueueClosed { conversation, owner_epoch, queue, until, say },
    LookSet { queue, at },
    Dequeued { conversation, queue, because },
    PresenceSet { agent, presence, until },
    SentAway { agent, expired },
    LeaseLapsed { agent },
    Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at, why },
    AcceptedByRule { offer, conversation, owner_epoch, agent },
    AcceptRequested { offer, conversation, owner_epoch, agent, command },
    Accepted { offer, conversation, agent, command },
    Declined { offer, conversation, agent },
    Expired { offer, conversation, agent },
    Withdrawn { offer, conversation, agent, because, command },
    AssignmentEnded { assignment, agent, conversation },
    GivingBack { assignment, agent, conversation },
    WrapUpBegan { assignment, agent, conversation, until },
    ConsultBegan { consult, conversation, agent },
    ConsultFailed { desk, consult, conversation },
    ConsultEnded { consult, conversation, agent, gone },
    WorkDeferred { desk },
}}

enumeration! {
    domain::desk::LeftQueue => LeftQueue { Assigned, Withdrawn }
    domain::desk::WithdrawnBecause => WithdrawnBecause { ConversationGone, AgentGone, PolicyChanged }
    domain::desk::StrandedBecause => StrandedBecause { NoQueue, NoAgent }
    domain::desk::PreferenceEnded => PreferenceEndedBecause { AgentGone, GraceOver }
    domain::desk::OverflowBecause => OverflowBecause { Waited, Refused, NoAgent, Closed }
}

message! {
    Why => Why { policy, selection, stage, waited, wanted, considered }
    Considered => Considered { free, refused, full, away, offline, unable }
}

timers! { domain::desk::TimerId => Desk { Lease, Offer, Rested, Deferred, Grace, Look, WrapUp } }
