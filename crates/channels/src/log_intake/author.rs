//! Who wrote, and what a mail belongs to, as far as the edge can tell.

use bytes::Bytes;
use domain::{
    Channel, ConversationId, InboxId, MessageId, Party, Verdict,
    conversation::{Answers, Correspondent, Marks},
    policy::Country,
};
use vault::Vault;

use super::{LogIntake, Place};
use crate::{
    Fact, FactKind, Mail, Refused,
    email::{Authentication, answered_of_ours, topic},
};

/// The purpose under which references to conversations are signed.
const REFERENCE: &str = "conversation";
/// The purpose under which references to customers who may unsubscribe are signed.
const UNSUBSCRIBE: &str = "unsubscribe";
/// Before the address of a sender who may be anyone: such mail has a party of its own, so that it never joins
/// the timeline of the customer it claims to be from (DESIGN invariant 14).
const UNVERIFIED: &str = "unverified:";
/// Mails that one mail answers and that are looked for, nearest first.
const MOST_ANSWERED: usize = 16;

/// Who wrote, as far as the edge can tell.
pub(super) struct Author {
    pub(super) party: Party,
    pub(super) authenticated: bool,
    /// The party of the address, whether or not it is this one who wrote.
    pub(super) own: Party,
    /// E-mail: a conversation of `party` that a reference of ours names.
    pub(super) placed: Option<ConversationId>,
    /// E-mail: what was told of who wrote.
    pub(super) verdict: Option<Verdict>,
}

impl LogIntake {
    pub(super) fn unsubscriber(&self, reference: &str) -> Option<(InboxId, Party)> {
        let bytes = self.vault.read_reference(UNSUBSCRIBE, &reference.to_ascii_lowercase())?;
        let (party, inbox) = bytes.split_at_checked(16)?;
        Some((std::str::from_utf8(inbox).ok()?.parse().ok()?, Party(party.try_into().ok()?)))
    }

    pub(super) async fn author(&self, place: &Place, fact: &Fact, raw: Option<&Bytes>) -> Author {
        let party =
            |address: &str| Party(self.vault.party(place.tenant.as_str(), place.id.as_str(), address));
        let own = party(&fact.address);
        if place.channel != Channel::Email {
            // The platform's signature vouches for the sender.
            return Author { party: own, authenticated: true, own, placed: None, verdict: None };
        }
        let unverified = party(&format!("{UNVERIFIED}{}", fact.address));
        let references = fact.mail.iter().flat_map(|mail| &mail.our_references);
        let mut ours = references.filter_map(|text| self.conversation(text));
        // Whoever passes a complaint on hides whose it is, but knows our mail.
        let hidden = fact.kind == FactKind::Complaint;
        let placed = ours.find(|placed| hidden || placed.party == own || placed.party == unverified);
        if fact.kind != FactKind::Message {
            // Notes stand where what they speak of stands. They are never taken for what someone said.
            let trusted = place.authentication == Authentication::Trusted;
            let party = match placed {
                Some(placed) => placed.party,
                None if trusted => own,
                None => unverified,
            };
            return Author { party, authenticated: trusted, own, placed, verdict: None };
        }
        let from = fact.mail.as_ref().and_then(|mail| mail.from.as_deref());
        let envelope = fact.mail.as_ref().and_then(|mail| mail.envelope.as_ref());
        let nothing = Bytes::new();
        let judged = self.verifier.verdict(
            &place.authentication,
            from.filter(|from| *from == fact.address),
            raw.unwrap_or(&nothing),
            envelope,
        );
        let verdict = judged.await;
        let authenticated = verdict.authenticated;
        // A reference tells where a mail belongs, never whose it is: who passes a mail of ours on passes on what is in it.
        let (party, placed) = match placed {
            // What was begun without proof goes on where it is.
            Some(placed) if placed.party == unverified => (unverified, Some(placed)),
            _ if authenticated => (own, placed),
            _ => (unverified, None),
        };
        Author { party, authenticated, own, placed, verdict: Some(verdict) }
    }

    /// The conversation that a reference of ours names, if it is one.
    fn conversation(&self, text: &str) -> Option<ConversationId> {
        read_reference(&self.vault.read_reference(REFERENCE, text)?)
    }

    /// What later mails are told to belong to this one by, and what this one says it answers. As keyed hashes, so that
    /// they say nothing to whoever reads the log.
    pub(super) fn threading(
        &self,
        place: &Place,
        author: &Author,
        reply_to: Option<&str>,
        mail: &Mail,
    ) -> (Marks, Answers) {
        let hash = |kind: &str, text: &str| {
            let hash = self.vault.fact(place.id.as_str(), kind, text.as_bytes());
            u64::from_be_bytes(std::array::from_fn(|at| hash[at]))
        };
        let of_id = |id: &str| hash("message_id", id);
        let marks = Marks {
            id: mail.message_id.as_deref().map(of_id),
            topic: hash("topic", &topic(mail.subject.as_deref().unwrap_or_default())),
        };
        let answered = reply_to.into_iter().chain(mail.references.iter().rev().map(String::as_str));
        let mut mails: Vec<u64> = Vec::new();
        for id in answered.take(MOST_ANSWERED).map(of_id) {
            if !mails.contains(&id) {
                mails.push(id);
            }
        }
        let of_author = |reference: &str| {
            self.conversation(reference).is_some_and(|conversation| conversation.party == author.party)
        };
        let ours = answered_of_ours(reply_to, mail);
        let ours = ours.into_iter().filter(|(reference, _)| of_author(reference)).map(|(_, message)| message);
        (marks, Answers { mails, ours: ours.collect() })
    }

    pub(super) async fn correspondent(
        &self,
        place: &Place,
        author: &Author,
        address: &str,
    ) -> Result<Correspondent, Refused> {
        let party = author.party;
        let number = address.rsplit_once(':').map_or(address, |(_, number)| number);
        let written = (place.channel == Channel::Sms).then(|| sms::Address::read(number, None));
        Ok(Correspondent {
            tenant: place.tenant.clone(),
            inbox: place.id.clone(),
            channel: place.channel,
            party,
            address: self.seal(place, party, MessageId(party.0), address.as_bytes()).await?,
            country: written.as_ref().filter(|_| place.is_quiet).and_then(country),
            unanswerable: written.is_some_and(|address| !address.can_be_answered()),
        })
    }
}

fn country(address: &sms::Address) -> Option<Country> {
    address.region()?.code().parse().ok()
}

/// A signed reference to a customer of an inbox, for the address under which the customer unsubscribes.
pub(crate) fn unsubscribe_reference(vault: &Vault, inbox: &InboxId, party: Party) -> String {
    vault.reference(UNSUBSCRIBE, &[&party.0[..], inbox.as_str().as_bytes()].concat())
}

/// A signed reference to a conversation, for Message-IDs and Reply-To addresses.
pub(crate) fn reference(vault: &Vault, conversation: ConversationId) -> String {
    let mut bytes = conversation.party.0.to_vec();
    bytes.extend(conversation.number.to_be_bytes());
    vault.reference(REFERENCE, &bytes)
}

fn read_reference(bytes: &[u8]) -> Option<ConversationId> {
    let (party, number) = bytes.split_at_checked(16)?;
    let party = Party(party.try_into().ok()?);
    Some(ConversationId { party, number: u32::from_be_bytes(number.try_into().ok()?) })
}
