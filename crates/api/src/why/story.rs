//! Events as sentences, those that say who had a conversation and why.

use domain::{
    ConversationId, Millis,
    conversation::{CloseReason, Closer, Event, HandOffReason, Transfer, Untied, What},
    desk::{self, Considered, OverflowBecause, PreferenceEnded, StrandedBecause, Why, WithdrawnBecause},
    policy::Selection,
};

/// A sentence; none for what does not bear on who had it.
pub(super) fn of(event: &Event) -> Option<String> {
    Some(match &event.what {
        What::Opened { policy_version, .. } => {
            format!("begins in inbox {} (workspace version {policy_version})", event.inbox)
        }
        What::Reopened { .. } => "is reopened: the customer wrote again".into(),
        What::Entered { link, tags, .. } => {
            let tags = match tags.is_empty() {
                true => String::new(),
                false => format!(", which gives the contact {}", tags.join(", ")),
            };
            format!("is entered by link {link}{tags}")
        }
        What::Tied { contact, .. } => {
            format!("is contact {contact}'s: a token that was made for the contact was shown")
        }
        What::NotTied { because, .. } => {
            let because = match because {
                Untied::Unknown => "it was altered, or is another business's",
                Untied::Expired => "it has expired",
                Untied::Used => "it was shown before",
                Untied::NoContact => "its contact is gone, or has no room",
                Untied::AnothersAddress => "the address is another contact's",
            };
            format!("stays whose it was, though a token was shown: {because}")
        }
        What::BotEngaged { bot, .. } => format!("goes to bot {bot}"),
        What::AgentWanted { queue, reason, agent, agent_until, special, .. } => {
            let reason = match reason {
                HandOffReason::NoBot => "no bot greets here",
                HandOffReason::BotHandedOff => "the bot handed it over",
                HandOffReason::BotSilent => "the bot did not answer in time",
                HandOffReason::Transferred => "it was transferred",
                HandOffReason::AgentGone => "its agent is gone",
                HandOffReason::Overflowed => "it got nobody in the queue before",
                HandOffReason::Returned => "it goes on with who had it before",
                HandOffReason::Reassigned => "it was given there",
                HandOffReason::Woke => "it was put away until now",
                HandOffReason::Split => "an agent split it off",
                HandOffReason::Entered => "the link that the customer came by leads there",
                HandOffReason::HeldBack => "the bot may not answer by itself again so soon, or not at all",
            };
            let whom = match (agent, agent_until) {
                (Some(agent), Some(until)) => format!(", wanting {agent} until {}", time(*until)),
                (Some(agent), None) => format!(", wanting {agent}"),
                (None, _) => String::new(),
            };
            let special = special.as_deref().map(|it| format!(", with {it}")).unwrap_or_default();
            format!("waits for a person in queue {queue}: {reason}{whom}{special}")
        }
        What::MarkedSpecial { special, .. } => format!("is handed over by its bot with {special}"),
        What::Assigned { agent, assignment, .. } => format!("is {agent}'s (assignment {assignment})"),
        What::AssignmentRefused { offer, .. } => format!("the acceptance of offer {offer} came too late"),
        What::Released { assignment, .. } => format!("leaves its agent (assignment {assignment})"),
        What::Withdrawn { queue, .. } => format!("leaves queue {queue}"),
        What::Transferred { by, note, .. } => {
            format!("is transferred by {by}{}", if note.is_some() { ", with a note" } else { "" })
        }
        What::Snoozed { agent, until, .. } => {
            format!("is put away by {agent} until {}, or until the customer writes", time(*until))
        }
        What::Split { into, by, .. } => format!("is split by {by}: what came later is {into}"),
        What::Joined { other, by, .. } => format!("is joined by {by} with {other}"),
        What::JoinAsked { other, by, .. } => {
            format!("{by} asks for {other}, of another address, to be joined")
        }
        What::PartAsked { other, by, .. } => format!("{by} asks for {other} to be parted from it"),
        What::AddressJoined { other, by, .. } => {
            format!("is joined by {by} with {other}, of another address")
        }
        What::AddressParted { other, by, .. } => format!("is parted by {by} from {other}"),
        What::TakenIn { into, by, .. } => format!("is taken by {by} into {into}, of another address"),
        What::TakenOut { of, by, .. } => format!("is taken by {by} out of {of} again"),
        What::NotTaken { asked_by, why, .. } => format!("is not taken into {asked_by}, or out of it: {why}"),
        What::JoinRefused { other, why, .. } => format!("is not joined with {other}, or parted: {why}"),
        What::Reassigned { by, note, .. } => {
            let by = by.as_ref().map_or_else(|| "an administrator".into(), ToString::to_string);
            format!("is reassigned by {by}{}", if note.is_some() { ", with a note" } else { "" })
        }
        What::ConsultAsked { by, whom, .. } => match whom {
            Transfer::Agent(agent) => format!("{by} asks {agent} in"),
            Transfer::Queue(queue) => format!("{by} asks someone of {queue} in"),
            Transfer::Desk(desk) => format!("{by} asks someone of {desk} in"),
        },
        What::ConsultBegan { agent, .. } => format!("{agent} looks on"),
        What::ConsultFailed { .. } => "nobody can be asked in for now".into(),
        What::ConsultEnded { agent: Some(agent), .. } => format!("{agent} looks on no more"),
        What::ReplyHeld { reply, .. } => {
            format!("has an answer of {} that waits until the customer writes", reply.agent)
        }
        What::HeldSent { agent, .. } => format!("the answer of {agent} that waited is sent"),
        What::AwaySaid { .. } => "is answered that nobody is there".into(),
        What::Closed { by, reason, .. } => {
            let by = match by {
                Closer::Bot(bot) => format!("by bot {bot}"),
                Closer::Agent(agent) => format!("by {agent}"),
                Closer::Customer => "by the customer".into(),
            };
            let why = match reason {
                CloseReason::Done => "",
                CloseReason::OptedOut => ", who wants no more messages",
                CloseReason::Joined => ", and goes on in another",
            };
            format!("is closed {by}{why}")
        }
        _ => return None,
    })
}

/// The same of what a desk did; none, too, where that is about another conversation.
pub(super) fn at_desk(id: ConversationId, event: &desk::Event) -> Option<String> {
    use desk::Event::*;
    let (conversation, sentence) = match event {
        Waits { conversation, queue, why } => {
            (conversation, format!("gets nobody in {queue}: {}", reason(why)))
        }
        Stranded { conversation, queue, because } => {
            let because = match because {
                StrandedBecause::NoQueue => "the workspace has no such queue",
                StrandedBecause::NoAgent => "no agent could ever take it there",
            };
            (conversation, format!("waits in vain in {queue}: {because}"))
        }
        PreferenceEnded { conversation, agent, because, .. } => {
            let because = match because {
                self::PreferenceEnded::AgentGone => "is not there",
                self::PreferenceEnded::GraceOver => "was waited for long enough",
            };
            (conversation, format!("wants {agent} no longer, who {because}: anyone will do"))
        }
        Overflowing { conversation, queue, to, because, .. } => {
            let because = match because {
                OverflowBecause::Waited => "it has waited too long",
                OverflowBecause::Refused => "too many refused it",
                OverflowBecause::NoAgent => "no agent could ever take it there",
                OverflowBecause::Closed => "it is closed",
            };
            (conversation, format!("is sent on from {queue} to {to}: {because}"))
        }
        QueueClosed { conversation, queue, until, .. } => {
            let until = until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
            (conversation, format!("waits on: {queue} is closed{until}"))
        }
        Offered { conversation, offer, agent, queue, expires_at, why, .. } => {
            let why = why.as_ref().map(|why| format!(": {}", chosen(why))).unwrap_or_default();
            let until = time(*expires_at);
            (conversation, format!("is offered to {agent} from {queue} until {until} (offer {offer}){why}"))
        }
        AcceptedByRule { conversation, offer, agent, .. } => {
            (conversation, format!("offer {offer} is accepted for {agent}, who is not asked"))
        }
        AcceptRequested { conversation, offer, agent, .. } => {
            (conversation, format!("{agent} accepts offer {offer}"))
        }
        Declined { conversation, offer, agent } => (conversation, format!("{agent} declines offer {offer}")),
        Expired { conversation, offer, agent } => {
            (conversation, format!("{agent} lets offer {offer} expire"))
        }
        Withdrawn { conversation, offer, agent, because, .. } => {
            let because = match because {
                WithdrawnBecause::ConversationGone => "the conversation no longer waits",
                WithdrawnBecause::AgentGone => "the agent is gone",
                WithdrawnBecause::PolicyChanged => "the workspace leaves no room for it",
            };
            (conversation, format!("offer {offer} to {agent} is withdrawn: {because}"))
        }
        GivingBack { conversation, agent, .. } => {
            (conversation, format!("is taken back from {agent}, who is gone"))
        }
        WrapUpBegan { conversation, agent, until, .. } => {
            (conversation, format!("{agent} finishes what is left to do, until {}", time(*until)))
        }
        AssignmentEnded { conversation, agent, .. } => (conversation, format!("{agent} has room again")),
        Enqueued { .. }
        | Dequeued { .. }
        | Accepted { .. }
        | PresenceSet { .. }
        | SentAway { .. }
        | ConsultBegan { .. }
        | ConsultFailed { .. }
        | ConsultEnded { .. }
        | LeaseLapsed { .. }
        | LookSet { .. }
        | WorkDeferred { .. } => return None,
    };
    (*conversation == id).then_some(sentence)
}

fn chosen(why: &Why) -> String {
    let how = match (why.wanted, why.selection) {
        (true, _) => "as wanted",
        (_, Selection::LongestIdle) => "the longest idle",
        (_, Selection::LeastLoaded) => "the least loaded",
        (_, Selection::MostSkilled) => "the most skilled",
        (_, Selection::RoundRobin) => "whose turn it was",
    };
    format!("{how}; {}", reason(why))
}

fn reason(why: &Why) -> String {
    let Considered { free, refused, full, away, offline, unable } = why.considered;
    let counts = [
        (free, "free"),
        (refused, "had refused"),
        (full, "without room"),
        (away, "away"),
        (offline, "not there"),
        (unable, "without what it needs"),
    ];
    let counts: Vec<_> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}")).collect();
    let counts = if counts.is_empty() { "nobody serves it".to_owned() } else { counts.join(", ") };
    let relaxed = match why.stage {
        0 => String::new(),
        1 => ", needs relaxed once".into(),
        more => format!(", needs relaxed {more} times"),
    };
    format!(
        "of the agents, {counts}; after {} of waiting{relaxed} (workspace version {})",
        span(why.waited),
        why.policy
    )
}

fn span(waited: Millis) -> String {
    format!("{}.{:03} s", waited.0 / 1_000, waited.0 % 1_000)
}

fn time(at: domain::Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let why = Why {
            policy: 4,
            selection: Selection::MostSkilled,
            stage: 1,
            waited: Millis(31_250),
            wanted: false,
            considered: Considered { free: 2, full: 3, unable: 7, ..Considered::default() },
        };
        assert_eq!(
            chosen(&why),
            "the most skilled; of the agents, 2 free, 3 without room, 7 without what it needs; after 31.250 s of \
             waiting, needs relaxed once (workspace version 4)"
        );
    }
}
