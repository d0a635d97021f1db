//! The public form of every event: its name, and what of it a caller is shown.

use domain::{
    contact,
    conversation::{self, CloseReason, Closer, ConsultEnd, HandOffReason, Progress},
    policy::{Needs, Special},
    workspace,
};
use tonic::Status;
use wire::api::v1::{
    self as pb,
    event::{self, Kind},
};

use crate::{
    content::{Opener, of_party},
    convert::{channel, policy::needs_message, receipt, time},
};

use super::feed::AnyEvent;

mod desk;

/// The names of the fields of `Event.kind`.
pub(super) const KINDS: [&str; 75] = [
    "customer_seen",
    "opened",
    "reopened",
    "message_received",
    "noted",
    "receipt_noted",
    "unreadable_kept",
    "opted_out",
    "opted_in",
    "bot_engaged",
    "turn_asked",
    "turn_answered",
    "bot_replied",
    "agent_wanted",
    "assigned",
    "assignment_refused",
    "released",
    "withdrawn",
    "transferred",
    "replied",
    "delivery_noted",
    "closed",
    "reassigned",
    "snoozed",
    "enqueued",
    "dequeued",
    "presence_set",
    "lease_lapsed",
    "offer_made",
    "accept_requested",
    "offer_accepted",
    "offer_declined",
    "offer_expired",
    "offer_withdrawn",
    "assignment_ended",
    "giving_back",
    "offer_accepted_by_rule",
    "wrap_up_began",
    "waits",
    "stranded",
    "preference_ended",
    "overflowing",
    "contact_created",
    "contact_linked",
    "contact_tagged",
    "contact_untagged",
    "policy_applied",
    "queue_closed",
    "away_asked",
    "away_said",
    "sent_away",
    "marked_special",
    "consult_began",
    "consult_ended",
    "remarked",
    "split",
    "joined",
    "suppressed",
    "suppression_lifted",
    "help_answered",
    "address_joined",
    "address_parted",
    "taken_in",
    "taken_out",
    "contact_joined",
    "contact_parted",
    "answered_elsewhere",
    "thread_held",
    "known_as",
    "entered",
    "tied",
    "not_tied",
    "window_opened",
    "reply_held",
    "held_sent",
];

/// The event's public name; none for what only concerns the workers.
pub(super) fn name(event: &AnyEvent) -> Option<&'static str> {
    Some(match event {
        AnyEvent::Conversation(event) => {
            use conversation::What::*;
            match &event.what {
                CustomerSeen { .. } => "customer_seen",
                Opened { .. } => "opened",
                Reopened { .. } => "reopened",
                Redirected { .. }
                | ReceiptKept { .. }
                | Retired { .. }
                | Returned { .. }
                | TagsNoted { .. }
                | TokenShown { .. }
                | WithholdAsked { .. }
                | OthersNoted { .. }
                | AddressTold { .. }
                | AddressNoted { .. }
                | ConsultAsked { .. }
                | JoinAsked { .. }
                | PartAsked { .. }
                | NotTaken { .. }
                | JoinRefused { .. }
                | ConsultFailed { .. } => return None,
                ConsultBegan { .. } => "consult_began",
                ConsultEnded { .. } => "consult_ended",
                Remarked { .. } => "remarked",
                MarkedSpecial { .. } => "marked_special",
                Entered { .. } => "entered",
                Tied { .. } => "tied",
                NotTied { .. } => "not_tied",
                MessageReceived { .. } => "message_received",
                Noted { .. } => "noted",
                AnsweredElsewhere { .. } => "answered_elsewhere",
                ThreadHeld { .. } => "thread_held",
                KnownAs { .. } => "known_as",
                ReceiptNoted { .. } => "receipt_noted",
                UnreadableKept { .. } => "unreadable_kept",
                OptedOut { .. } => "opted_out",
                OptedIn { .. } => "opted_in",
                Suppressed { .. } => "suppressed",
                SuppressionLifted { .. } => "suppression_lifted",
                HelpAnswered { .. } => "help_answered",
                BotEngaged { .. } => "bot_engaged",
                TurnAsked { .. } => "turn_asked",
                TurnAnswered { .. } => "turn_answered",
                BotReplied { .. } => "bot_replied",
                AgentWanted { .. } => "agent_wanted",
                Assigned { .. } => "assigned",
                AssignmentRefused { .. } => "assignment_refused",
                Released { .. } => "released",
                Withdrawn { .. } => "withdrawn",
                Transferred { .. } => "transferred",
                Replied { .. } => "replied",
                DeliveryNoted { .. } => "delivery_noted",
                AwayAsked { .. } => "away_asked",
                AwaySaid { .. } => "away_said",
                Closed { .. } => "closed",
                Reassigned { .. } => "reassigned",
                Snoozed { .. } => "snoozed",
                Split { .. } => "split",
                Joined { .. } => "joined",
                AddressJoined { .. } => "address_joined",
                AddressParted { .. } => "address_parted",
                TakenIn { .. } => "taken_in",
                TakenOut { .. } => "taken_out",
                WindowOpened { .. } => "window_opened",
                ReplyHeld { .. } => "reply_held",
                HeldSent { .. } => "held_sent",
            }
        }
        AnyEvent::Desk(event) => {
            use domain::desk::Event::*;
            match event {
                Enqueued { .. } => "enqueued",
                Dequeued { .. } => "dequeued",
                PresenceSet { .. } => "presence_set",
                SentAway { .. } => "sent_away",
                LeaseLapsed { .. } => "lease_lapsed",
                Offered { .. } => "offer_made",
                AcceptRequested { .. } => "accept_requested",
                Accepted { .. } => "offer_accepted",
                Declined { .. } => "offer_declined",
                Expired { .. } => "offer_expired",
                Withdrawn { .. } => "offer_withdrawn",
                AssignmentEnded { .. } => "assignment_ended",
                GivingBack { .. } => "giving_back",
                AcceptedByRule { .. } => "offer_accepted_by_rule",
                WrapUpBegan { .. } => "wrap_up_began",
                Waits { .. } => "waits",
                Stranded { .. } => "stranded",
                PreferenceEnded { .. } => "preference_ended",
                Overflowing { .. } => "overflowing",
                QueueClosed { .. } => "queue_closed",
                LookSet { .. }
                | ConsultBegan { .. }
                | ConsultFailed { .. }
                | ConsultEnded { .. }
                | WorkDeferred { .. } => return None,
            }
        }
        AnyEvent::Contact(event) => match event {
            contact::Event::Created { .. } => "contact_created",
            contact::Event::Linked { .. } => "contact_linked",
            contact::Event::Joined { .. } => "contact_joined",
            contact::Event::Parted { .. } => "contact_parted",
            contact::Event::Tagged { .. } => "contact_tagged",
            contact::Event::Untagged { .. } => "contact_untagged",
            contact::Event::TagsTold { .. }
            | contact::Event::OthersTold { .. }
            | contact::Event::TokenTaken { .. } => return None,
        },
        AnyEvent::Workspace(workspace::Event::PolicyApplied(_)) => "policy_applied",
    })
}

/// The event's public form; none for what only concerns the workers.
pub(super) async fn kind(opener: &Opener, event: &AnyEvent) -> Result<Option<Kind>, Status> {
    Ok(match event {
        AnyEvent::Conversation(event) => conversation(opener, event).await?,
        AnyEvent::Desk(event) => desk::show(event),
        AnyEvent::Contact(event) => contact(opener, event).await?,
        AnyEvent::Workspace(workspace::Event::PolicyApplied(policy)) => {
            Some(Kind::PolicyApplied(event::PolicyApplied { version: policy.version }))
        }
    })
}

async fn conversation(opener: &Opener, event: &conversation::Event) -> Result<Option<Kind>, Status> {
    use conversation::What::*;
    Ok(Some(match &event.what {
        WithholdAsked { .. }
        | Redirected { .. }
        | ReceiptKept { .. }
        | Retired { .. }
        | Returned { .. }
        | TagsNoted { .. }
        | TokenShown { .. }
        | OthersNoted { .. }
        | AddressTold { .. }
        | AddressNoted { .. }
        | ConsultAsked { .. }
        | JoinAsked { .. }
        | PartAsked { .. }
        | NotTaken { .. }
        | JoinRefused { .. }
        | ConsultFailed { .. } => return Ok(None),
        ConsultBegan { conversation, by, agent, note, .. } => {
            let event::Transferred { by, note } =
                given(opener, *conversation, Some(by), note.as_ref()).await?;
            Kind::ConsultBegan(event::ConsultBegan { by, agent: agent.to_string(), note })
        }
        ConsultEnded { agent, because, .. } => Kind::ConsultEnded(event::ConsultEnded {
            agent: agent.as_ref().map(ToString::to_string).unwrap_or_default(),
            because: match because {
                ConsultEnd::Said => "said",
                ConsultEnd::AgentGone => "agent_gone",
                ConsultEnd::Left => "left",
            }
            .to_owned(),
        }),
        Remarked { by, message, body, .. } => Kind::Remarked(event::Remarked {
            by: by.to_string(),
            message: message.to_string(),
            body: Some(opener.body(*message, body).await?),
        }),
        Entered { link, tags, .. } => Kind::Entered(event::Entered {
            link: link.to_string(),
            tags: tags.iter().map(ToString::to_string).collect(),
        }),
        Tied { contact, message, about, .. } => Kind::Tied(event::Tied {
            contact: contact.to_string(),
            about: match about {
                Some(about) => Some(opener.body(*message, about).await?),
                None => None,
            },
        }),
        NotTied { because, .. } => Kind::NotTied(event::NotTied { because: because.as_str().to_owned() }),
        MarkedSpecial { special: marked, .. } => {
            Kind::MarkedSpecial(event::MarkedSpecial { special: Some(special(marked)) })
        }
        CustomerSeen { from, .. } => Kind::CustomerSeen(event::CustomerSeen {
            channel: channel(from.channel).into(),
            address: Some(opener.address(&from.address).await?),
        }),
        Opened { policy_version, .. } => Kind::Opened(event::Opened { policy_version: *policy_version }),
        Reopened { .. } => Kind::Reopened(()),
        MessageReceived { message, kind, content, sent_at, authenticated, reply_to, referral, .. } => {
            Kind::MessageReceived(event::MessageReceived {
                message: message.to_string(),
                postback: *kind == conversation::MessageKind::Postback,
                body: Some(opener.body(*message, content).await?),
                sent_at: time(*sent_at),
                authenticated: *authenticated,
                reply_to: mentioned(*reply_to),
                referral: referral.as_deref().map(shown),
            })
        }
        Noted { kind, message, content, at, about, referral, .. } => Kind::Noted(event::Noted {
            note: kind.as_str().to_owned(),
            message: message.to_string(),
            body: match content {
                Some(content) => Some(opener.body(*message, content).await?),
                None => None,
            },
            happened_at: time(*at),
            about: mentioned(*about),
            referral: referral.as_deref().map(shown),
        }),
        AnsweredElsewhere { message, content, at, .. } => Kind::AnsweredElsewhere(event::AnsweredElsewhere {
            message: message.to_string(),
            body: match content {
                Some(content) => Some(opener.body(*message, content).await?),
                None => None,
            },
            happened_at: time(*at),
        }),
        ThreadHeld { party, elsewhere, app, note, at, .. } => Kind::ThreadHeld(event::ThreadHeld {
            elsewhere: *elsewhere,
            app: app.as_deref().unwrap_or_default().to_owned(),
            note: match note {
                Some(note) => Some(opener.body(of_party(*party), note).await?),
                None => None,
            },
            happened_at: time(*at),
        }),
        KnownAs { to, moved, .. } => Kind::KnownAs(event::KnownAs {
            party: to.party.to_string(),
            address: Some(opener.address(&to.address).await?),
            moved: *moved,
        }),
        ReceiptNoted { kind, message, at, reason, pricing, .. } => Kind::ReceiptNoted(event::ReceiptNoted {
            message: message.to_string(),
            status: receipt(*kind).into(),
            happened_at: time(*at),
            reason: reason.as_deref().map(str::to_owned),
            pricing: pricing.as_ref().map(|pricing| event::Pricing {
                billable: pricing.billable,
                category: pricing.category.as_deref().unwrap_or_default().to_owned(),
                model: pricing.model.as_deref().unwrap_or_default().to_owned(),
            }),
        }),
        UnreadableKept { message, reason, .. } => Kind::UnreadableKept(event::UnreadableKept {
            message: message.to_string(),
            reason: reason.to_string(),
        }),
        OptedOut { .. } => Kind::OptedOut(()),
        OptedIn { .. } => Kind::OptedIn(()),
        Suppressed { cause, .. } => Kind::Suppressed(suppressed(*cause, None)),
        HelpAnswered { message, outgoing, .. } => Kind::HelpAnswered(event::HelpAnswered {
            message: message.to_string(),
            body: Some(opener.body(*message, &outgoing.body).await?),
        }),
        SuppressionLifted { cause, by, .. } => Kind::SuppressionLifted(suppressed(*cause, by.as_deref())),
        BotEngaged { bot, owner_epoch, .. } => {
            Kind::BotEngaged(event::BotEngaged { bot: bot.to_string(), owner_epoch: *owner_epoch })
        }
        TurnAsked { turn, bot, message, answer_by, .. } => Kind::TurnAsked(event::TurnAsked {
            turn: turn.to_string(),
            bot: bot.to_string(),
            message: message.to_string(),
            answer_by: time(*answer_by),
        }),
        TurnAnswered { turn } => Kind::TurnAnswered(event::TurnAnswered { turn: turn.to_string() }),
        BotReplied { message, outgoing, .. } => Kind::BotReplied(event::BotReplied {
            message: message.to_string(),
            body: Some(opener.body(*message, &outgoing.body).await?),
        }),
        AwayAsked { queue, until, callback, .. } => Kind::AwayAsked(event::AwayAsked {
            queue: queue.to_string(),
            until: until.and_then(time),
            callback: callback.as_ref().map(ToString::to_string).unwrap_or_default(),
        }),
        AwaySaid { message, outgoing, .. } => Kind::AwaySaid(event::AwaySaid {
            message: message.to_string(),
            body: Some(opener.body(*message, &outgoing.body).await?),
        }),
        AgentWanted {
            queue,
            owner_epoch,
            reason,
            since,
            again,
            agent,
            agent_until,
            by_request,
            special: beyond,
            ..
        } => Kind::AgentWanted(event::AgentWanted {
            queue: queue.to_string(),
            owner_epoch: *owner_epoch,
            reason: hand_off(*reason).into(),
            since: time(*since),
            again: *again,
            agent: agent.as_ref().map(ToString::to_string).unwrap_or_default(),
            agent_until: agent_until.and_then(time),
            by_request: *by_request,
            special: beyond.as_deref().map(special),
        }),
        Assigned { agent, assignment, owner_epoch, .. } => Kind::Assigned(event::Assigned {
            agent: agent.to_string(),
            assignment: assignment.to_string(),
            owner_epoch: *owner_epoch,
        }),
        AssignmentRefused { offer, .. } => {
            Kind::AssignmentRefused(event::AssignmentRefused { offer: offer.to_string() })
        }
        Released { assignment, .. } => Kind::Released(event::Released { assignment: assignment.to_string() }),
        Withdrawn { queue, .. } => Kind::Withdrawn(event::Withdrawn { queue: queue.to_string() }),
        Transferred { conversation, by, note } => {
            Kind::Transferred(given(opener, *conversation, Some(by), note.as_ref()).await?)
        }
        Reassigned { conversation, by, note } => {
            Kind::Reassigned(given(opener, *conversation, by.as_ref(), note.as_ref()).await?)
        }
        Snoozed { agent, assignment, owner_epoch, until, .. } => Kind::Snoozed(event::Snoozed {
            agent: agent.to_string(),
            assignment: assignment.to_string(),
            owner_epoch: *owner_epoch,
            until: time(*until),
        }),
        Split { into, message, by, .. } => Kind::Split(event::Split {
            into: into.to_string(),
            message: message.to_string(),
            by: by.to_string(),
        }),
        Joined { other, by, .. } => {
            Kind::Joined(event::Joined { other: other.to_string(), by: by.to_string() })
        }
        AddressJoined { other, by, .. } => {
            Kind::AddressJoined(event::Joined { other: other.to_string(), by: by.to_string() })
        }
        AddressParted { other, by, .. } => {
            Kind::AddressParted(event::Joined { other: other.to_string(), by: by.to_string() })
        }
        TakenIn { into, by, .. } => {
            Kind::TakenIn(event::Joined { other: into.to_string(), by: by.to_string() })
        }
        TakenOut { of, by, .. } => {
            Kind::TakenOut(event::Joined { other: of.to_string(), by: by.to_string() })
        }
        Replied { agent, message, outgoing, .. } => Kind::Replied(event::Replied {
            agent: agent.to_string(),
            message: message.to_string(),
            body: Some(opener.body(*message, &outgoing.body).await?),
            by_inbox: outgoing.inbox.to_string(),
        }),
        WindowOpened { window, .. } => Kind::WindowOpened(event::WindowOpened {
            until: time(window.until),
            person_until: time(window.person_until),
        }),
        ReplyHeld { reply, .. } => Kind::ReplyHeld(event::Replied {
            agent: reply.agent.to_string(),
            message: reply.message.to_string(),
            body: Some(opener.body(reply.message, &reply.body).await?),
            by_inbox: String::new(),
        }),
        HeldSent { agent, message, outgoing, .. } => Kind::HeldSent(event::Replied {
            agent: agent.to_string(),
            message: message.to_string(),
            body: Some(opener.body(*message, &outgoing.body).await?),
            by_inbox: outgoing.inbox.to_string(),
        }),
        DeliveryNoted { message, progress, .. } => Kind::DeliveryNoted(delivery_noted(*message, progress)),
        Closed { by, reason, .. } => Kind::Closed(event::Closed {
            by: Some(match by {
                Closer::Bot(bot) => event::closed::By::Bot(bot.to_string()),
                Closer::Agent(agent) => event::closed::By::Agent(agent.to_string()),
                Closer::Customer => event::closed::By::Customer(()),
            }),
            reason: match reason {
                CloseReason::Done => "done",
                CloseReason::OptedOut => "opted_out",
                CloseReason::Joined => "joined",
            }
            .to_owned(),
        }),
    }))
}

/// Away by someone, with what was left for whoever gets it.
async fn given(
    opener: &Opener,
    conversation: domain::ConversationId,
    by: Option<&domain::AgentId>,
    note: Option<&domain::Sealed>,
) -> Result<event::Transferred, Status> {
    let note = match note {
        Some(note) => Some(opener.body(of_party(conversation.party), note).await?),
        None => None,
    };
    Ok(event::Transferred { by: by.map(ToString::to_string).unwrap_or_default(), note })
}

fn special(special: &Special) -> event::Special {
    let needs = &special.needs;
    let needs = (*needs != Needs::default()).then(|| needs_message(needs));
    event::Special { priority: special.priority, needs }
}

async fn contact(opener: &Opener, event: &contact::Event) -> Result<Option<Kind>, Status> {
    use contact::Event::*;
    let tag = |contact: &domain::ContactId, tag: &str| event::ContactTag {
        contact: contact.to_string(),
        tag: tag.to_owned(),
    };
    Ok(Some(match event {
        // What comes of a token stands with the conversations.
        TagsTold { .. } | OthersTold { .. } | TokenTaken { .. } => return Ok(None),
        Created { contact, from, .. } => Kind::ContactCreated(event::ContactCreated {
            contact: contact.to_string(),
            channel: channel(from.channel).into(),
            address: Some(opener.address(&from.address).await?),
        }),
        Linked { contact, was, .. } => {
            Kind::ContactLinked(event::ContactLinked { contact: contact.to_string(), was: was.to_string() })
        }
        Joined { contact, was, .. } => {
            let was = was.as_ref().map(ToString::to_string).unwrap_or_default();
            Kind::ContactJoined(event::ContactLinked { contact: contact.to_string(), was })
        }
        Parted { contact, was, .. } => {
            Kind::ContactParted(event::ContactLinked { contact: contact.to_string(), was: was.to_string() })
        }
        Tagged { contact, tag: word, .. } => Kind::ContactTagged(tag(contact, word)),
        Untagged { contact, tag: word, .. } => Kind::ContactUntagged(tag(contact, word)),
    }))
}

fn suppressed(cause: conversation::Suppression, by: Option<&str>) -> event::Suppressed {
    event::Suppressed { cause: cause.as_str().to_owned(), by: by.unwrap_or_default().to_owned() }
}

fn delivery_noted(message: domain::MessageId, progress: &Progress) -> event::DeliveryNoted {
    let noted =
        |status: pb::DeliveryStatus, provider_id: &str, code: &str, reason: &str| event::DeliveryNoted {
            message: message.to_string(),
            status: status.into(),
            provider_id: provider_id.to_owned(),
            code: code.to_owned(),
            reason: reason.to_owned(),
            held_until: None,
        };
    match progress {
        Progress::Sent { provider_id } => noted(pb::DeliveryStatus::Sent, provider_id, "", ""),
        Progress::Failed { code, reason, .. } => noted(pb::DeliveryStatus::Failed, "", code, reason),
        Progress::Unknown => noted(pb::DeliveryStatus::Unknown, "", "", ""),
        Progress::Held { until } => {
            let held_until = time(*until);
            event::DeliveryNoted { held_until, ..noted(pb::DeliveryStatus::Held, "", "", "") }
        }
        Progress::Withheld { because } => {
            noted(pb::DeliveryStatus::Withheld, "", because.as_str(), because.reason())
        }
    }
}

fn mentioned(message: Option<domain::MessageId>) -> String {
    message.map(|message| message.to_string()).unwrap_or_default()
}

fn shown(referral: &conversation::Referral) -> event::Referral {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    event::Referral {
        r#ref: text(&referral.reference),
        source: text(&referral.source),
        r#type: text(&referral.kind),
        ad: text(&referral.ad),
        title: text(&referral.title),
        url: text(&referral.url),
    }
}

fn hand_off(reason: HandOffReason) -> pb::HandOffReason {
    match reason {
        HandOffReason::NoBot => pb::HandOffReason::NoBot,
        HandOffReason::BotHandedOff => pb::HandOffReason::BotHandedOff,
        HandOffReason::BotSilent => pb::HandOffReason::BotSilent,
        HandOffReason::Transferred => pb::HandOffReason::Transferred,
        HandOffReason::AgentGone => pb::HandOffReason::AgentGone,
        HandOffReason::Overflowed => pb::HandOffReason::Overflowed,
        HandOffReason::Returned => pb::HandOffReason::Returned,
        HandOffReason::Reassigned => pb::HandOffReason::Reassigned,
        HandOffReason::Woke => pb::HandOffReason::Woke,
        HandOffReason::Split => pb::HandOffReason::Split,
        HandOffReason::HeldBack => pb::HandOffReason::HeldBack,
        HandOffReason::Entered => pb::HandOffReason::Entered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn kinds_are_the_fields_of_the_message() {
        let files = prost_types::FileDescriptorSet::decode(wire::api::DESCRIPTORS).unwrap().file;
        let mut messages = files.into_iter().flat_map(|file| file.message_type);
        let event = messages.find(|message| message.name() == "Event").unwrap();
        let fields = event.field.iter().filter(|field| field.oneof_index.is_some());
        assert_eq!(fields.map(|field| field.name()).collect::<Vec<_>>(), KINDS);
    }
}
