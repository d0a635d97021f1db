//! What an agent is told, as messages of the stream.

use domain::{
    ConversationId, MessageId,
    conversation::{ConsultEnd, Progress},
};
use tonic::Status;
use wire::api::v1::{
    self as pb,
    desk_message::{
        self, Item, answer, consult_ended, message::Author, not_yet, offer_ended::How, released::Why,
    },
};

use crate::{
    commands::Outcome,
    content::{Opener, of_party},
    convert,
    hub::{Assignment, Consult, Ending, Hub, Left, Offer, Snooze, Speaker, Update, WrapUp},
};

/// The message that the update is; none where the agent need not be told.
pub(super) async fn update(hub: &Hub, opener: &Opener, update: Update) -> Result<Option<Item>, Status> {
    Ok(Some(match update {
        Update::Present(_) => return Ok(None),
        Update::SentAway { expired } => Item::SentAway(desk_message::SentAway { expired }),
        Update::NotYet { conversation, away } => {
            let why = if away { not_yet::Why::Away } else { not_yet::Why::NoRoom };
            Item::NotYet(desk_message::NotYet { conversation: conversation.to_string(), why: why.into() })
        }
        Update::Offered(offer) => Item::Offered(offered(offer)),
        Update::OfferEnded { offer, how } => {
            let how = match how {
                Ending::Accepted => How::Accepted,
                Ending::Declined => How::Declined,
                Ending::Expired => How::Expired,
                Ending::Withdrawn => How::Withdrawn,
            };
            Item::OfferEnded(desk_message::OfferEnded { offer: offer.to_string(), how: how.into() })
        }
        Update::Assigned(assignment) => Item::Assigned(assigned(hub, opener, assignment).await?),
        Update::Released(assignment, why) => {
            let (why, by) = match why {
                Left::Closed => (Why::Closed, None),
                Left::Transferred => (Why::Transferred, None),
                Left::AgentGone => (Why::AgentGone, None),
                Left::Reassigned(by) => (Why::Reassigned, by),
                Left::Snoozed => (Why::Snoozed, None),
            };
            Item::Released(desk_message::Released {
                assignment: assignment.assignment.to_string(),
                conversation: assignment.conversation.to_string(),
                why: why.into(),
                by: by.map(|agent| agent.to_string()).unwrap_or_default(),
            })
        }
        Update::WrapUp(left) => Item::WrapUp(wrap_up(left)),
        Update::WrapUpEnded(assignment) => {
            Item::WrapUpEnded(desk_message::WrapUpEnded { assignment: assignment.to_string() })
        }
        Update::Snoozed(snooze) => Item::Snoozed(snoozed(snooze)),
        Update::SnoozeEnded(conversation) => {
            Item::SnoozeEnded(desk_message::SnoozeEnded { conversation: conversation.to_string() })
        }
        Update::Consult(consult) => Item::Consult(self::consult(hub, opener, consult).await?),
        Update::ConsultEnded(consult, why) => {
            let why = match why {
                ConsultEnd::Said => consult_ended::Why::Said,
                ConsultEnd::AgentGone => consult_ended::Why::AgentGone,
                ConsultEnd::Left => consult_ended::Why::Left,
            };
            Item::ConsultEnded(desk_message::ConsultEnded {
                conversation: consult.conversation.to_string(),
                agent: consult.agent.to_string(),
                why: why.into(),
            })
        }
        Update::Remarked { conversation, message, by, body, at } => Item::Remark(desk_message::Remark {
            conversation: conversation.to_string(),
            message: message.to_string(),
            by: by.to_string(),
            body: Some(opener.body(message, &body).await?),
            at: convert::time(at),
        }),
        Update::AnswerUntil { conversation, until } => Item::AnswerUntil(desk_message::AnswerUntil {
            conversation: conversation.to_string(),
            until: convert::time(until),
        }),
        Update::Noted { conversation, kind, message, about, body, at } => Item::Noted(desk_message::Noted {
            conversation: conversation.to_string(),
            note: kind.as_str().to_owned(),
            message: message.to_string(),
            about: about.map(|about| about.to_string()).unwrap_or_default(),
            body: match &body {
                Some(body) => Some(opener.body(message, body).await?),
                None => None,
            },
            at: convert::time(at),
        }),
        Update::ThreadHeld { conversation, elsewhere, app, note, at } => {
            Item::ThreadHeld(desk_message::ThreadHeld {
                conversation: conversation.to_string(),
                elsewhere,
                app: app.as_deref().unwrap_or_default().to_owned(),
                note: match &note {
                    Some(note) => Some(opener.body(of_party(conversation.party), note).await?),
                    None => None,
                },
                at: convert::time(at),
            })
        }
        Update::Said { conversation, message, by, body, at } => {
            let author = match by {
                Speaker::Customer => Author::Customer,
                Speaker::Agent => Author::Agent,
                Speaker::Elsewhere => Author::Elsewhere,
            };
            Item::Message(desk_message::Message {
                conversation: conversation.to_string(),
                message: message.to_string(),
                author: author.into(),
                body: Some(opener.body(message, &body).await?),
                at: convert::time(at),
            })
        }
        Update::Progress { conversation, message, progress } => {
            let (status, reason) = match progress {
                Progress::Held { until } => {
                    let note = note(conversation, message, pb::DeliveryStatus::Held, String::new());
                    let held_until = convert::time(until);
                    return Ok(Some(Item::Delivery(desk_message::DeliveryNote { held_until, ..note })));
                }
                Progress::Withheld { because } => (pb::DeliveryStatus::Withheld, because.reason().to_owned()),
                Progress::Sent { .. } => (pb::DeliveryStatus::Sent, String::new()),
                Progress::Failed { reason, .. } => (pb::DeliveryStatus::Failed, reason.to_string()),
                Progress::Unknown => (pb::DeliveryStatus::Unknown, String::new()),
            };
            delivery(conversation, message, status, reason)
        }
        Update::Receipt { conversation, message, kind, reason } => {
            delivery(conversation, message, convert::receipt(kind), reason)
        }
    }))
}

pub(super) fn wrap_up(left: WrapUp) -> desk_message::WrapUp {
    desk_message::WrapUp {
        assignment: left.assignment.to_string(),
        conversation: left.conversation.to_string(),
        until: convert::time(left.until),
    }
}

pub(super) fn snoozed(snooze: Snooze) -> desk_message::Snoozed {
    desk_message::Snoozed {
        conversation: snooze.conversation.to_string(),
        until: convert::time(snooze.until),
    }
}

pub(super) fn offered(offer: Offer) -> desk_message::Offered {
    desk_message::Offered {
        offer: offer.offer.to_string(),
        conversation: offer.conversation.to_string(),
        queue: offer.queue.to_string(),
        channel: convert::channel(offer.channel).into(),
        expires_at: convert::time(offer.expires_at),
    }
}

pub(super) async fn assigned(
    hub: &Hub,
    opener: &Opener,
    assignment: Assignment,
) -> Result<desk_message::Assigned, Status> {
    let channel = hub.channel(&opener.tenant, &assignment.inbox);
    let note = match &assignment.note {
        Some(note) => Some(opener.body(of_party(assignment.conversation.party), note).await?),
        None => None,
    };
    Ok(desk_message::Assigned {
        assignment: assignment.assignment.to_string(),
        conversation: assignment.conversation.to_string(),
        inbox: assignment.inbox.to_string(),
        channel: channel.map_or(pb::Channel::Unspecified, convert::channel).into(),
        note,
        answer_until: assignment.answer_until.and_then(convert::time),
    })
}

pub(super) async fn consult(
    hub: &Hub,
    opener: &Opener,
    consult: Consult,
) -> Result<desk_message::Consult, Status> {
    let channel = hub.channel(&opener.tenant, &consult.inbox);
    let note = match &consult.note {
        Some(note) => Some(opener.body(of_party(consult.conversation.party), note).await?),
        None => None,
    };
    Ok(desk_message::Consult {
        conversation: consult.conversation.to_string(),
        inbox: consult.inbox.to_string(),
        channel: channel.map_or(pb::Channel::Unspecified, convert::channel).into(),
        by: consult.by.to_string(),
        agent: consult.agent.to_string(),
        note,
    })
}

fn delivery(
    conversation: ConversationId,
    message: MessageId,
    status: pb::DeliveryStatus,
    reason: String,
) -> Item {
    Item::Delivery(note(conversation, message, status, reason))
}

fn note(
    conversation: ConversationId,
    message: MessageId,
    status: pb::DeliveryStatus,
    reason: String,
) -> desk_message::DeliveryNote {
    desk_message::DeliveryNote {
        conversation: conversation.to_string(),
        message: message.to_string(),
        status: status.into(),
        reason,
        held_until: None,
    }
}

pub(super) fn result(outcome: Outcome) -> answer::Result {
    match outcome {
        Outcome::Accepted { position } => answer::Result::Accepted(pb::Accepted { position }),
        Outcome::Rejected(rejection) => answer::Result::Rejected(convert::rejected(rejection)),
        Outcome::Unavailable(detail) | Outcome::Unanswered(detail) => {
            answer::Result::Unanswered(pb::Unanswered { detail })
        }
    }
}
