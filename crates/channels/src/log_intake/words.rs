//! What facts are called in the log, and what of them stands there in the open.

use std::sync::Arc;

use domain::{
    MailThread, Timestamp,
    conversation::{NoteKind, Referral as Referred, Suppression},
};

use super::Author;
use crate::{Fact, FactKind, email::Bounced};

/// Characters of a mail that an answer quotes: it is kept for every conversation.
const QUOTED: usize = 600;

/// Whether a report shows beyond doubt that no more should be sent: it brings back what only the mail it speaks of could
/// tell. Anyone can write that a mail came back.
pub(super) fn suppresses(fact: &Fact, author: &Author) -> Option<Suppression> {
    author.placed.filter(|placed| placed.party == author.party)?;
    let bounced = fact.mail.iter().flat_map(|mail| &mail.bounced);
    match fact.kind {
        FactKind::Complaint => Some(Suppression::Complaint),
        FactKind::Bounce => {
            let dead = |bounced: &Bounced| {
                bounced.hard
                    && !bounced.delayed
                    && (bounced.address.is_empty() || bounced.address == fact.address)
            };
            bounced.into_iter().any(dead).then_some(Suppression::DeadAddress)
        }
        _ => None,
    }
}

/// What an answer by e-mail must repeat.
pub(super) fn thread_of(fact: &Fact) -> Option<MailThread> {
    let mail = fact.mail.as_ref()?;
    Some(MailThread {
        subject: mail.subject.clone().unwrap_or_default(),
        message_id: mail.message_id.clone().unwrap_or_default(),
        references: mail.references.clone(),
        quote: quote(fact.text.as_deref().unwrap_or_default()),
        written_at: fact.sent_at.map(Timestamp),
    })
}

/// How a text begins; what is left out shows.
fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.trim_end().to_owned(),
        Some((end, _)) => {
            let cut = text[..end].rfind(char::is_whitespace).filter(|at| *at > end / 2).unwrap_or(end);
            format!("{} …", text[..cut].trim_end())
        }
    }
}

/// Longest part of a referral that is kept in the open, in bytes. Messenger's refs have 250 characters at most.
const LONGEST_PART: usize = 300;

/// What the business made itself may stand in the log as it is; what could not be a ref of anyone's may not.
pub(super) fn referral(fact: &Fact) -> Option<Box<Referred>> {
    let referral = fact.referral.as_ref()?;
    let part = |text: &Option<String>| {
        text.as_deref().filter(|text| !text.is_empty() && text.len() <= LONGEST_PART).map(Arc::from)
    };
    let is_ref =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || REF_SIGNS.contains(&byte));
    Some(Box::new(Referred {
        reference: part(&referral.reference).filter(|text: &Arc<str>| is_ref(text)),
        source: part(&referral.source),
        kind: part(&referral.kind),
        ad: part(&referral.ad_id),
        title: part(&referral.title),
        // Elsewhere it is where the customer was, and may say who that is.
        url: part(&referral.url).filter(|_| referral.ad_id.is_some()),
    }))
}

/// What a ref may have besides letters and digits (Messenger Platform, "m.me links").
const REF_SIGNS: &[u8] = b"+/=-.:_";

pub(super) fn note_kind(fact: &Fact) -> NoteKind {
    match fact.kind {
        FactKind::Message | FactKind::Postback => NoteKind::Overheard,
        FactKind::Edit => NoteKind::Edit,
        FactKind::Unsend => NoteKind::Unsend,
        FactKind::Notice => NoteKind::Notice,
        FactKind::Referral => NoteKind::Referral,
        FactKind::Optin => NoteKind::Optin,
        FactKind::Echo => NoteKind::Echo,
        FactKind::Reaction => NoteKind::Reaction,
        FactKind::Link => NoteKind::Link,
        FactKind::Bounce => NoteKind::Bounce,
        FactKind::AutoReply => NoteKind::AutoReply,
        FactKind::Complaint => NoteKind::Complaint,
        FactKind::Unknown => NoteKind::Unknown,
        _ => NoteKind::Handover,
    }
}
