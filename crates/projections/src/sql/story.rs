//! What a conversation's events do to the rows: the customer's story, and how its conversations stand. Every stored
//! event applies: an update of what is not there changes nothing.

use std::borrow::Cow;

use domain::{
    AgentId, ConversationId, MessageId, Party, Sealed, Timestamp,
    conversation::{
        CloseReason, Closer, Correspondent, Event, HandOffReason, MessageKind, Progress, ReceiptKind,
        What as Happened,
    },
};
use rusqlite::{Connection, OptionalExtension, params};

use super::write::{Kept, execute, set_aside};
use crate::{Author, DeliveryStatus, EntryKind, Owner, change::Place};

pub(super) fn conversation(
    db: &Connection,
    place: Place,
    id: i64,
    at: Timestamp,
    event: &Event,
) -> rusqlite::Result<()> {
    let party = event.party();
    let new =
        |kind| New { id, party, number: event.conversation().map(|id| id.number), at, kind, ..New::NOTHING };
    match &event.what {
        Happened::CustomerSeen { from, at } => seen(db, from, *at),
        Happened::Opened { conversation, .. } => {
            let sql = "INSERT OR REPLACE INTO conversations (party, number, opened_at, updated_at) VALUES (?, ?, ?3, ?3)";
            execute(db, sql, params![party.0, conversation.number, at.0])?;
            new(EntryKind::Opened).insert(db)
        }
        // Who owns it from here on stands in the next event, which opens its row again.
        Happened::Reopened { .. } => new(EntryKind::Reopened).insert(db),
        Happened::MessageReceived {
            conversation, message, kind, content, authenticated, reply_to, ..
        } => {
            touch(db, *conversation, at)?;
            let detail = match kind {
                _ if !authenticated => Some("unauthenticated"),
                MessageKind::Postback => Some("postback"),
                MessageKind::Message => None,
            };
            New {
                author: Some(CUSTOMER),
                message: Some(*message),
                about: *reply_to,
                body: Some(content),
                detail: detail.map(Cow::from),
                ..new(EntryKind::MessageReceived)
            }
            .insert(db)
        }
        Happened::Noted { kind, message, content, about, referral, .. } => {
            appears(db, event)?;
            let reference = referral.as_ref().and_then(|referral| referral.reference.as_deref());
            let detail = match reference {
                Some(reference) => format!("{} {reference}", kind.as_str()).into(),
                None => kind.as_str().into(),
            };
            New {
                author: kind.by_customer().then_some(CUSTOMER),
                message: Some(*message),
                about: *about,
                body: content.as_ref(),
                detail: Some(detail),
                ..new(EntryKind::Noted)
            }
            .insert(db)
        }
        Happened::AnsweredElsewhere { conversation, message, content, .. } => {
            appears(db, event)?;
            if let Some(conversation) = conversation {
                touch(db, *conversation, at)?;
            }
            let answered = new(EntryKind::AnsweredElsewhere);
            New { message: Some(*message), body: content.as_ref(), ..answered }.insert(db)
        }
        Happened::ThreadHeld { elsewhere, app, note, .. } => {
            appears(db, event)?;
            let kind = if *elsewhere { EntryKind::ThreadTaken } else { EntryKind::ThreadReturned };
            New { detail: app.as_deref().map(Cow::from), body: note.as_ref(), ..new(kind) }.insert(db)
        }
        Happened::KnownAs { to, moved, .. } => {
            let detail = format!("{}{}", to.party, if *moved { " moved" } else { "" });
            New { author: Some(CUSTOMER), detail: Some(detail.into()), ..new(EntryKind::KnownAs) }.insert(db)
        }
        Happened::UnreadableKept { message, content, reason, .. } => {
            appears(db, event)?;
            let kept = New {
                author: Some(CUSTOMER),
                message: Some(*message),
                body: Some(content),
                detail: Some((&**reason).into()),
                ..new(EntryKind::UnreadableKept)
            };
            if kept.insert_once(db)? {
                set_aside(db, place, Some(&event.tenant), at, reason, Kept::Entry(id))?;
            }
            Ok(())
        }
        Happened::OptedOut { .. } => New { author: Some(CUSTOMER), ..new(EntryKind::OptedOut) }.insert(db),
        Happened::OptedIn { .. } => New { author: Some(CUSTOMER), ..new(EntryKind::OptedIn) }.insert(db),
        Happened::Suppressed { cause, .. } => {
            New { detail: Some(cause.as_str().into()), ..new(EntryKind::Suppressed) }.insert(db)
        }
        Happened::SuppressionLifted { cause, by, .. } => {
            let detail = match by {
                Some(by) => format!("{} {by}", cause.as_str()).into(),
                None => cause.as_str().into(),
            };
            let author = by.is_none().then_some(CUSTOMER);
            New { author, detail: Some(detail), ..new(EntryKind::SuppressionLifted) }.insert(db)
        }
        Happened::Entered { link, .. } => {
            appears(db, event)?;
            let detail = Some(link.to_string().into());
            New { author: Some(CUSTOMER), detail, ..new(EntryKind::Entered) }.insert(db)
        }
        Happened::Tied { contact, message, about, .. } => {
            let (message, detail) = (about.as_ref().map(|_| *message), Some(contact.to_string().into()));
            New { message, body: about.as_ref(), detail, ..new(EntryKind::Tied) }.insert(db)
        }
        Happened::NotTied { because, .. } => {
            New { detail: Some(because.as_str().into()), ..new(EntryKind::NotTied) }.insert(db)
        }
        Happened::BotEngaged { conversation, bot, .. } => {
            own(db, *conversation, at, &Owner::Bot(bot.clone()))?;
            let author = Author::Bot(bot.clone()).to_string();
            New { author: Some(&author), ..new(EntryKind::BotEngaged) }.insert(db)
        }
        Happened::AgentWanted { conversation, queue, reason, .. } => {
            own(db, *conversation, at, &Owner::Queue(queue.clone()))?;
            let detail = format!("{} {queue}", hand_off(*reason));
            New { detail: Some(detail.into()), ..new(EntryKind::AgentWanted) }.insert(db)
        }
        Happened::Assigned { conversation, agent, .. } => {
            own(db, *conversation, at, &Owner::Agent(agent.clone()))?;
            let author = Author::Agent(agent.clone()).to_string();
            New { author: Some(&author), ..new(EntryKind::Assigned) }.insert(db)
        }
        Happened::Transferred { by, note, .. } => {
            let author = Author::Agent(by.clone()).to_string();
            New { author: Some(&author), body: note.as_ref(), ..new(EntryKind::Transferred) }.insert(db)
        }
        Happened::Snoozed { conversation, agent, until, .. } => {
            own(db, *conversation, at, &Owner::Snoozed(agent.clone()))?;
            let author = Author::Agent(agent.clone()).to_string();
            let detail = Some(until.0.to_string().into());
            New { author: Some(&author), detail, ..new(EntryKind::Snoozed) }.insert(db)
        }
        Happened::ConsultBegan { by, agent, note, .. } => {
            let (author, detail) = (Author::Agent(by.clone()).to_string(), Some(agent.to_string().into()));
            let began = new(EntryKind::ConsultBegan);
            New { author: Some(&author), body: note.as_ref(), detail, ..began }.insert(db)
        }
        // Nobody saw anything of what ended before anyone was in.
        Happened::ConsultEnded { agent: None, .. } => Ok(()),
        Happened::ConsultEnded { agent: Some(agent), .. } => {
            let author = Author::Agent(agent.clone()).to_string();
            New { author: Some(&author), ..new(EntryKind::ConsultEnded) }.insert(db)
        }
        Happened::Remarked { by, message, body, .. } => {
            let author = Author::Agent(by.clone()).to_string();
            let (message, body) = (Some(*message), Some(body));
            New { author: Some(&author), message, body, ..new(EntryKind::Remarked) }.insert(db)
        }
        Happened::Reassigned { by, note, .. } => {
            // An administrator is nobody among the agents.
            let author = by.clone().map_or(Author::System, Author::Agent).to_string();
            New { author: Some(&author), body: note.as_ref(), ..new(EntryKind::Reassigned) }.insert(db)
        }
        Happened::Split { conversation, into, message, by } => {
            // Everything since, whoever said it: the customer's message is where the other matter begins. The rows keep
            // their order, and their place in the log as id.
            let sql = "UPDATE entries SET number = ?3 WHERE party = ?1 AND number = ?2 AND id >=
                       (SELECT id FROM entries WHERE party = ?1 AND message = ?4)
                       AND message IS NOT NULL";
            execute(db, sql, params![party.0, conversation.number, into.number, message.0])?;
            let sql = "UPDATE conversations SET opened_at = min(opened_at,
                       (SELECT at FROM entries WHERE party = ?1 AND message = ?3))
                       WHERE party = ?1 AND number = ?2
                       AND EXISTS (SELECT 1 FROM entries WHERE party = ?1 AND message = ?3)";
            execute(db, sql, params![party.0, into.number, message.0])?;
            let author = Author::Agent(by.clone()).to_string();
            let detail = Some(format!("{into} {message}").into());
            New { author: Some(&author), detail, ..new(EntryKind::Split) }.insert(db)
        }
        Happened::Joined { conversation, other, by } => {
            let sql = "UPDATE entries SET number = ?3 WHERE party = ?1 AND number = ?2";
            execute(db, sql, params![party.0, other.number, conversation.number])?;
            let sql = "UPDATE conversations SET opened_at = min(opened_at,
                       (SELECT opened_at FROM conversations WHERE party = ?1 AND number = ?2))
                       WHERE party = ?1 AND number = ?3
                       AND EXISTS (SELECT 1 FROM conversations WHERE party = ?1 AND number = ?2)";
            execute(db, sql, params![party.0, other.number, conversation.number])?;
            touch(db, *conversation, at)?;
            let author = Author::Agent(by.clone()).to_string();
            let detail = Some(other.to_string().into());
            New { author: Some(&author), detail, ..new(EntryKind::Joined) }.insert(db)
        }
        Happened::AddressJoined { other, by, .. } => mended(db, new(EntryKind::AddressJoined), by, *other),
        Happened::AddressParted { other, by, .. } => mended(db, new(EntryKind::AddressParted), by, *other),
        Happened::TakenIn { into, by, .. } => mended(db, new(EntryKind::TakenIn), by, *into),
        Happened::TakenOut { of, by, .. } => mended(db, new(EntryKind::TakenOut), by, *of),
        Happened::BotReplied { conversation, message, outgoing } => {
            // Only the bot that owns a conversation may write in it, and an owner is written as an author is.
            let bot = owner(db, *conversation)?.filter(|owner| owner.starts_with("bot:"));
            touch(db, *conversation, at)?;
            New {
                author: bot.as_deref(),
                message: Some(*message),
                body: Some(&outgoing.body),
                ..new(EntryKind::BotReplied)
            }
            .insert(db)
        }
        // No one's words: the business's own.
        Happened::AwaySaid { conversation, message, outgoing } => {
            touch(db, *conversation, at)?;
            let (message, body) = (Some(*message), Some(&outgoing.body));
            New { message, body, ..new(EntryKind::AwaySaid) }.insert(db)
        }
        Happened::Replied { conversation, agent, message, outgoing }
        | Happened::HeldSent { conversation, agent, message, outgoing } => {
            touch(db, *conversation, at)?;
            let author = Author::Agent(agent.clone()).to_string();
            New {
                author: Some(&author),
                message: Some(*message),
                body: Some(&outgoing.body),
                ..new(EntryKind::Replied)
            }
            .insert(db)
        }
        Happened::DeliveryNoted { message, progress, .. } => match progress {
            Progress::Sent { .. } => delivery(db, party, *message, DeliveryStatus::Sent, None),
            Progress::Failed { code, reason, .. } => {
                delivery(db, party, *message, DeliveryStatus::Failed, Some(&format!("{code}: {reason}")))
            }
            Progress::Unknown => delivery(db, party, *message, DeliveryStatus::Unknown, None),
        },
        Happened::ReceiptNoted { kind, message, reason, .. } => {
            let status = match kind {
                ReceiptKind::Delivered => DeliveryStatus::Delivered,
                ReceiptKind::Read => DeliveryStatus::Read,
                ReceiptKind::Failed => DeliveryStatus::Failed,
            };
            delivery(db, party, *message, status, reason.as_deref())
        }
        Happened::Closed { conversation, by, reason } => {
            let sql = "UPDATE conversations SET owner = NULL, closed_at = ?3, updated_at = ?3
                       WHERE party = ?1 AND number = ?2";
            execute(db, sql, params![party.0, conversation.number, at.0])?;
            let author = match by {
                Closer::Bot(bot) => Author::Bot(bot.clone()).to_string(),
                Closer::Agent(agent) => Author::Agent(agent.clone()).to_string(),
                Closer::Customer => CUSTOMER.to_owned(),
            };
            let detail = match reason {
                CloseReason::Done => "done",
                CloseReason::OptedOut => "opted_out",
                CloseReason::Joined => "joined",
            };
            New { author: Some(&author), detail: Some(detail.into()), ..new(EntryKind::Closed) }.insert(db)
        }
        Happened::Redirected { .. }
        | Happened::TagsNoted { .. }
        | Happened::TokenShown { .. }
        | Happened::OthersNoted { .. }
        | Happened::AddressTold { .. }
        | Happened::AddressNoted { .. }
        | Happened::MarkedSpecial { .. }
        | Happened::ConsultAsked { .. }
        | Happened::ConsultFailed { .. }
        | Happened::JoinAsked { .. }
        | Happened::PartAsked { .. }
        | Happened::NotTaken { .. }
        | Happened::JoinRefused { .. }
        | Happened::ReceiptKept { .. }
        | Happened::Retired { .. }
        | Happened::Returned { .. }
        | Happened::TurnAsked { .. }
        | Happened::TurnAnswered { .. }
        | Happened::AwayAsked { .. }
        | Happened::WindowOpened { .. }
        | Happened::ReplyHeld { .. }
        | Happened::AssignmentRefused { .. }
        | Happened::Released { .. }
        | Happened::Withdrawn { .. } => Ok(()),
    }
}

/// As [`Author::Customer`] is written.
const CUSTOMER: &str = "customer";

/// An agent took two conversations for one, or took that back.
fn mended(db: &Connection, new: New<'_>, by: &AgentId, other: ConversationId) -> rusqlite::Result<()> {
    let author = Author::Agent(by.clone()).to_string();
    New { author: Some(&author), detail: Some(other.to_string().into()), ..new }.insert(db)
}

/// A row of `entries` to be.
struct New<'a> {
    id: i64,
    party: Party,
    number: Option<u32>,
    at: Timestamp,
    kind: EntryKind,
    /// None is the system.
    author: Option<&'a str>,
    message: Option<MessageId>,
    about: Option<MessageId>,
    detail: Option<Cow<'a, str>>,
    body: Option<&'a Sealed>,
}

impl New<'_> {
    const NOTHING: New<'static> = New {
        id: 0,
        party: Party([0; 16]),
        number: None,
        at: Timestamp(0),
        kind: EntryKind::Opened,
        author: None,
        message: None,
        about: None,
        detail: None,
        body: None,
    };

    fn insert(&self, db: &Connection) -> rusqlite::Result<()> {
        self.insert_once(db).map(drop)
    }

    /// False if the message has its entry already.
    fn insert_once(&self, db: &Connection) -> rusqlite::Result<bool> {
        let sql =
            "INSERT INTO entries (id, party, number, at, kind, author, message, about, detail, subject, body)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (party, message) WHERE message IS NOT NULL DO NOTHING";
        let subject = self.body.map(|body| body.subject).filter(|subject| *subject != self.party);
        let inserted = execute(
            db,
            sql,
            params![
                self.id,
                self.party.0,
                self.number,
                self.at.0,
                self.kind.as_str(),
                self.author,
                self.message.map(|message| message.0),
                self.about.map(|message| message.0),
                self.detail,
                subject.map(|subject| subject.0),
                self.body.map(|body| &*body.bytes),
            ],
        )?;
        Ok(inserted > 0)
    }
}

fn seen(db: &Connection, from: &Correspondent, at: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO parties (party, tenant, inbox, channel, address, first_seen)
               VALUES (?, ?, ?, ?, ?, ?)";
    let (tenant, inbox) = (from.tenant.as_str(), from.inbox.as_str());
    execute(
        db,
        sql,
        params![from.party.0, tenant, inbox, from.channel.as_str(), &*from.address.bytes, at.0],
    )?;
    Ok(())
}

/// Someone is in a timeline who perhaps never gave a sign of life.
fn appears(db: &Connection, event: &Event) -> rusqlite::Result<()> {
    let sql = "INSERT INTO parties (party, tenant, inbox) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    execute(db, sql, params![event.party().0, event.tenant.as_str(), event.inbox.as_str()])?;
    Ok(())
}

fn touch(db: &Connection, id: ConversationId, at: Timestamp) -> rusqlite::Result<()> {
    let sql = "UPDATE conversations SET updated_at = ?3 WHERE party = ?1 AND number = ?2";
    execute(db, sql, params![id.party.0, id.number, at.0])?;
    Ok(())
}

fn own(db: &Connection, id: ConversationId, at: Timestamp, owner: &Owner) -> rusqlite::Result<()> {
    let sql = "UPDATE conversations SET owner = ?4, closed_at = NULL, updated_at = ?3
               WHERE party = ?1 AND number = ?2";
    execute(db, sql, params![id.party.0, id.number, at.0, owner.to_string()])?;
    Ok(())
}

fn owner(db: &Connection, id: ConversationId) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT owner FROM conversations WHERE party = ? AND number = ?";
    let owner = db.prepare_cached(sql)?.query_row(params![id.party.0, id.number], |row| row.get(0));
    owner.optional().map(Option::flatten)
}

fn delivery(
    db: &Connection,
    party: Party,
    message: MessageId,
    status: DeliveryStatus,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "UPDATE entries SET delivery = ?3, delivery_reason = ?4
               WHERE party = ?1 AND message = ?2 AND coalesce(delivery, 0) < ?3";
    execute(db, sql, params![party.0, message.0, status as i64, reason])?;
    Ok(())
}

fn hand_off(reason: HandOffReason) -> &'static str {
    match reason {
        HandOffReason::NoBot => "no_bot",
        HandOffReason::BotHandedOff => "bot_handed_off",
        HandOffReason::BotSilent => "bot_silent",
        HandOffReason::Transferred => "transferred",
        HandOffReason::AgentGone => "agent_gone",
        HandOffReason::Overflowed => "overflowed",
        HandOffReason::Returned => "returned",
        HandOffReason::Reassigned => "reassigned",
        HandOffReason::Woke => "woke",
        HandOffReason::Split => "split",
        HandOffReason::HeldBack => "held_back",
        HandOffReason::Entered => "entered",
    }
}
