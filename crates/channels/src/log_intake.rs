//! From facts to the log: each fact becomes one sealed, encoded input in the partition of its customer.
//!
//! This is where plaintext ends. What is appended names no one: the party is a keyed hash, address and content
//! are sealed under the party's own key.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Channel, Content, ConversationId, FactId, InboxId, MailThread, MessageId, Millis, Origin, Party, Peer,
    Policies, Policy, Route, Sealed, TenantId, Timestamp, Verdict,
    conversation::{
        Answers, Command, Correspondent, Decider, Entry, Marks, Mention, MessageKind, NoteKind, Pricing,
        ReceiptKind, Received, Referral as Referred, Sent, ShownToken, Suppression, Token, Window,
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use log::clock;
use runtime::Post;
use tokio::sync::watch;
use vault::{Subject, Vault};
use wire::LinkToken;

use crate::{
    Fact, FactKind, Intake, KnownAs, Mail, Referral, Refused, Unsubscribe, dead,
    email::{Authentication, Bounced, Verifier, answered_of_ours, topic},
    entry::{self, Way},
    messenger::{HUMAN_AGENT, Kind},
    withhold::withhold,
};

/// The purpose under which references to conversations are signed.
const REFERENCE: &str = "conversation";
/// The purpose under which references to customers who may unsubscribe are signed.
const UNSUBSCRIBE: &str = "unsubscribe";
/// Characters of a mail that an answer quotes: it is kept for every conversation.
const QUOTED: usize = 600;
/// Before the address of a sender who may be anyone: such mail has a party of its own, so that it never joins
/// the timeline of the customer it claims to be from (DESIGN invariant 14).
const UNVERIFIED: &str = "unverified:";

/// Mails that one mail answers and that are looked for, nearest first.
const MOST_ANSWERED: usize = 16;

/// Facts of one batch that are sealed at a time, so that new parties share the key store's commits.
const AT_ONCE: usize = 256;

/// The production [`Intake`].
#[derive(Clone)]
pub struct LogIntake {
    pub post: Post,
    pub vault: Vault,
    pub policies: watch::Receiver<Policies>,
    pub verifier: Verifier,
}

#[async_trait]
impl Unsubscribe for LogIntake {
    fn inbox_of(&self, reference: &str) -> Option<String> {
        self.unsubscriber(reference).map(|(inbox, _)| inbox.to_string())
    }

    async fn unsubscribe(&self, reference: &str) -> Result<(), Refused> {
        let unknown = || Refused::UnknownInbox(String::new());
        let (inbox, party) = self.unsubscriber(reference).ok_or_else(unknown)?;
        let (tenant, policy_version) = {
            let policies = self.policies.borrow();
            let (policy, _) = policies.inbox(&inbox).ok_or_else(unknown)?;
            (policy.tenant.clone(), policy.version)
        };
        let command = Command::Suppress { tenant: tenant.clone(), party, cause: Suppression::Unsubscribed };
        let at = Timestamp(clock::now());
        // The conversation itself knows whether this is news.
        let intake = domain::Intake::Input { origin: Origin::Report, at, tenant, policy_version, command };
        self.post.report::<Decider>(&Route::Party(party), &intake).await.map_err(unavailable)
    }
}

#[async_trait]
impl Intake for LogIntake {
    async fn accept(&self, inbox: &str, facts: Vec<Fact>, raw: Option<Bytes>) -> Result<(), Refused> {
        let unknown = || Refused::UnknownInbox(inbox.to_owned());
        let place = {
            let policies = self.policies.borrow();
            let id: InboxId = inbox.parse().map_err(|_| unknown())?;
            let (policy, inbox) = policies.inbox(&id).ok_or_else(unknown)?;
            Place {
                tenant: policy.tenant.clone(),
                policy: policy.clone(),
                channel: inbox.channel,
                human_agent: inbox.settings.get(HUMAN_AGENT).is_some_and(|word| word == "true"),
                // What says nothing authenticates nobody; that it says nothing is told where it is applied.
                authentication: Authentication::of(&inbox.settings).unwrap_or(Authentication::None),
                id,
            }
        };
        let sealed = match <[Fact; 1]>::try_from(facts) {
            Ok([fact]) => vec![self.input(&place, fact, raw).await?],
            Err(facts) => {
                let inputs = facts.into_iter().map(|fact| self.input(&place, fact, raw.clone()));
                // In the order of the facts, whichever is sealed first.
                stream::iter(inputs).buffered(AT_ONCE).try_collect().await?
            }
        };
        let mut inputs: BTreeMap<Peer, Vec<Bytes>> = BTreeMap::new();
        for (peer, input) in sealed.into_iter().flatten() {
            inputs.entry(peer).or_default().push(input);
        }
        // All appends are begun before the first is waited for: they share a commit.
        let appends: Vec<_> =
            inputs.into_iter().map(|(peer, inputs)| self.post.append(peer, inputs)).collect();
        for append in appends {
            append.await.map_err(unavailable)?;
        }
        Ok(())
    }
}

/// The inbox that facts came in by, as configured now.
struct Place {
    tenant: TenantId,
    policy: Arc<Policy>,
    id: InboxId,
    channel: Channel,
    /// E-mail: whose word counts of who wrote.
    authentication: Authentication,
    /// Meta's: the app may answer for longer with what a person writes.
    human_agent: bool,
}

impl Place {
    /// Until when the customer may be answered who wrote this then, by the platform's rules.
    fn window(&self, fact: &Fact, wrote: Timestamp) -> Option<Window> {
        let windows = Kind::of(self.channel)?.platform().windows;
        let by_ad = fact.referral.as_ref().is_some_and(Referral::is_ad);
        let anyone = match windows.from_ad {
            Some(from_ad) if by_ad => from_ad.is,
            _ => windows.anyone.is,
        };
        let person =
            windows.person.filter(|_| self.human_agent).map_or(anyone, |person| person.is.max(anyone));
        Some(Window { until: wrote + Millis(anyone), person_until: wrote + Millis(person) })
    }
}

/// Who wrote, as far as the edge can tell.
struct Author {
    party: Party,
    authenticated: bool,
    /// The party of the address, whether or not it is this one who wrote.
    own: Party,
    /// E-mail: a conversation of `party` that a reference of ours names.
    placed: Option<ConversationId>,
    /// E-mail: what was told of who wrote.
    verdict: Option<Verdict>,
}

impl LogIntake {
    fn unsubscriber(&self, reference: &str) -> Option<(InboxId, Party)> {
        let bytes = self.vault.read_reference(UNSUBSCRIBE, &reference.to_ascii_lowercase())?;
        let (party, inbox) = bytes.split_at_checked(16)?;
        Some((std::str::from_utf8(inbox).ok()?.parse().ok()?, Party(party.try_into().ok()?)))
    }

    /// The input that a fact is, and where it goes; none for what needs no decision.
    async fn input(
        &self,
        place: &Place,
        mut fact: Fact,
        raw: Option<Bytes>,
    ) -> Result<Vec<(Peer, Bytes)>, Refused> {
        if fact.kind == FactKind::Ignored {
            return Ok(Vec::new());
        }
        let author = self.author(place, &fact, raw.as_ref()).await;
        let id = FactId(self.vault.fact(place.id.as_str(), fact.kind.as_str(), &fact.identity()));
        let at = Timestamp(clock::now());
        // A platform tells what was; whatever it says of the future is not so. What a mail says of its time is its own.
        let past = |then: i64| {
            if place.channel == Channel::Email { Timestamp(then) } else { at.min(Timestamp(then)) }
        };
        let sent_at = fact.sent_at.map_or(at, past);
        let message = self.message(place, &fact).unwrap_or(MessageId(id.0));
        let mut elsewhere = Vec::new();
        let entry = self.entry(place, author.party, message, &mut fact).await?;
        let command = match fact.kind {
            FactKind::Echo if fact.echo_of.is_some() => {
                // Our own message, told back to us. A key of anything else is none of ours.
                let ours = fact.echo_of.and_then(|key| key.parse().ok());
                let provider_id = fact.external_id.filter(|_| place.channel != Channel::Email);
                let (Some(message), Some(provider_id)) = (ours, provider_id) else { return Ok(Vec::new()) };
                Command::Echoed { party: author.party, message, provider_id: provider_id.into() }
            }
            FactKind::Handover if fact.elsewhere.is_some() => Command::HoldThread {
                elsewhere: fact.elsewhere == Some(true),
                app: fact.app.as_deref().map(Arc::from),
                note: match &fact.text {
                    Some(text) => {
                        let content =
                            wire::encode_content(&Content { text: text.clone(), ..Content::default() });
                        Some(self.seal(place, author.party, MessageId(author.party.0), &content).await?)
                    }
                    None => None,
                },
                from: self.correspondent(place, &author, &fact.address).await?,
                at: sent_at,
            },
            FactKind::KnownAs => {
                let Some(KnownAs { address, moved }) = fact.known_as else { return Ok(Vec::new()) };
                let from = self.correspondent(place, &author, &fact.address).await?;
                let other = Fact { address, ..Fact::new(FactKind::KnownAs, place.channel, "", "") };
                let author = self.author(place, &other, None).await;
                let to = self.correspondent(place, &author, &other.address).await?;
                Command::KnowAs { from, to, moved, at: sent_at }
            }
            FactKind::Message | FactKind::Postback if !fact.standby => {
                let kind = match fact.kind {
                    FactKind::Postback => MessageKind::Postback,
                    _ => MessageKind::Message,
                };
                let thread = match thread_of(&fact) {
                    Some(thread) => Some(
                        self.seal(place, author.party, message, &wire::encode_mail_thread(&thread)).await?,
                    ),
                    None => None,
                };
                let (marks, answers) = match &fact.mail {
                    Some(mail) => {
                        let (marks, answers) = self.threading(place, &author, fact.reply_to.as_deref(), mail);
                        (Some(marks), answers)
                    }
                    None => (None, Answers::default()),
                };
                let from = self.correspondent(place, &author, &fact.address).await?;
                let window = place.window(&fact, sent_at.min(at));
                let people_only = fact.mail.as_ref().is_some_and(|mail| mail.people_only);
                let (reply_to, referral) = (self.mention(place, &fact), referral(&fact));
                let verdict = author.verdict.clone();
                let content = self.content(place, author.party, message, fact, raw, verdict).await?;
                Command::Receive(Box::new(Received {
                    from,
                    kind,
                    message,
                    content,
                    sent_at,
                    authenticated: author.authenticated,
                    thread,
                    placed: author.placed,
                    home: (author.party != author.own).then_some(author.own),
                    marks,
                    answers,
                    people_only,
                    entry,
                    reply_to,
                    referral,
                    window,
                }))
            }
            FactKind::Delivery | FactKind::Read | FactKind::Failed => Command::Receipt {
                party: author.party,
                kind: match fact.kind {
                    FactKind::Delivery => ReceiptKind::Delivered,
                    FactKind::Read => ReceiptKind::Read,
                    _ => ReceiptKind::Failed,
                },
                provider_id: fact.external_id.map(Arc::from),
                watermark: fact.watermark.map(past),
                at: sent_at,
                reason: fact.reason.map(|reason| withhold(&reason, &fact.address).into()),
                pricing: fact.pricing.map(|pricing| Pricing {
                    billable: pricing.billable,
                    category: pricing.category.map(Arc::from),
                    model: pricing.model.map(Arc::from),
                }),
            },
            FactKind::OptOut => {
                Command::OptOut { from: self.correspondent(place, &author, &fact.address).await? }
            }
            FactKind::Optin if place.channel == Channel::Sms => {
                Command::OptIn { from: self.correspondent(place, &author, &fact.address).await? }
            }
            FactKind::Unknown if fact.channel == Channel::Email => {
                let reason = fact.reason.take().unwrap_or_else(|| "it could not be understood".to_owned());
                let from = self.correspondent(place, &author, &fact.address).await?;
                let content = self.content(place, author.party, message, fact, raw, None).await?;
                Command::Unreadable { from, message, content, reason: reason.into(), at }
            }
            _ => {
                let kind = note_kind(&fact);
                let suppresses = suppresses(&fact, &author);
                if suppresses == Some(Suppression::DeadAddress) {
                    let policies = self.policies.borrow();
                    let (tenant, inbox) = (&place.tenant, &place.id);
                    elsewhere = dead::elsewhere(&self.vault, &policies, tenant, inbox, &fact.address, at);
                }
                let (about, referral) = (self.mention(place, &fact), referral(&fact));
                let from = self.correspondent(place, &author, &fact.address).await?;
                let raw = raw.filter(|_| matches!(fact.kind, FactKind::Unknown | FactKind::Bounce));
                let content = Some(self.content(place, author.party, message, fact, raw, None).await?);
                Command::Note {
                    from,
                    kind,
                    message,
                    content,
                    at: sent_at,
                    suppresses,
                    about,
                    referral,
                    entry,
                }
            }
        };
        // A message is known again where its address is at home, whatever is told of its sender the second time.
        let home = match &command {
            Command::Receive(_) => author.own,
            _ => author.party,
        };
        let route = Route::Party(home);
        let intake = domain::Intake::Input {
            origin: Origin::Fact(id),
            at,
            tenant: place.tenant.clone(),
            policy_version: place.policy.version,
            command,
        };
        let told = elsewhere.into_iter().map(|(party, intake)| (Route::Party(party), intake));
        let all = std::iter::once((route, intake)).chain(told);
        let encode =
            |(route, intake)| (self.post.topology.peer(&route), wire::encode_intake::<Decider>(&intake));
        Ok(all.map(encode).collect())
    }

    /// What a message is known by here, whichever kind of fact brings it: so that what speaks of it later can name it.
    fn message(&self, place: &Place, fact: &Fact) -> Option<MessageId> {
        let is_message = matches!(fact.kind, FactKind::Message | FactKind::Postback | FactKind::Echo);
        let id = fact.external_id.as_deref().filter(|_| is_message && place.channel != Channel::Email)?;
        Some(self.message_of(place, id))
    }

    fn message_of(&self, place: &Place, provider_id: &str) -> MessageId {
        let mut fact = Fact::new(FactKind::Message, place.channel, "", "");
        fact.external_id = Some(provider_id.to_owned());
        MessageId(self.vault.fact(place.id.as_str(), fact.kind.as_str(), &fact.identity()))
    }

    /// The message that the fact speaks of.
    fn mention(&self, place: &Place, fact: &Fact) -> Option<Mention> {
        let id = fact.reply_to.as_deref().filter(|_| place.channel != Channel::Email)?;
        Some(Mention { provider: Sent::hash(id), message: self.message_of(place, id) })
    }

    async fn author(&self, place: &Place, fact: &Fact, raw: Option<&Bytes>) -> Author {
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
    fn threading(
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

    /// By which link the customer came, and with what in it. A token is for once: it stays out of what is kept.
    async fn entry(
        &self,
        place: &Place,
        party: Party,
        message: MessageId,
        fact: &mut Fact,
    ) -> Result<Option<Box<Entry>>, Refused> {
        let Some(Way { link, token }) = entry::way(&place.policy, &place.id, fact) else { return Ok(None) };
        let token = match token {
            None => None,
            Some(text) => Some(self.shown(place, party, message, &text).await?),
        };
        Ok(Some(Box::new(Entry { link, token })))
    }

    async fn shown(
        &self,
        place: &Place,
        party: Party,
        message: MessageId,
        text: &str,
    ) -> Result<ShownToken, Refused> {
        let read = self.vault.read_reference(&LinkToken::purpose(&place.tenant), text);
        let Some(LinkToken { id, contact, expires_at, about }) =
            read.and_then(|bytes| LinkToken::decode(&bytes))
        else {
            return Ok(ShownToken::Unknown);
        };
        // An item of its own, beside what was said.
        let item = MessageId(self.vault.fact(place.id.as_str(), "token", &message.0));
        let about = match about.is_empty() {
            true => None,
            false => {
                let content = wire::encode_content(&Content { text: about, ..Content::default() });
                Some(self.seal(place, party, item, &content).await?)
            }
        };
        Ok(ShownToken::Ours(Box::new(Token { id, contact, expires_at, message: item, about })))
    }

    async fn correspondent(
        &self,
        place: &Place,
        author: &Author,
        address: &str,
    ) -> Result<Correspondent, Refused> {
        let party = author.party;
        Ok(Correspondent {
            tenant: place.tenant.clone(),
            inbox: place.id.clone(),
            channel: place.channel,
            party,
            address: self.seal(place, party, MessageId(party.0), address.as_bytes()).await?,
        })
    }

    async fn content(
        &self,
        place: &Place,
        party: Party,
        message: MessageId,
        fact: Fact,
        raw: Option<Bytes>,
        verdict: Option<Verdict>,
    ) -> Result<Sealed, Refused> {
        let (subject, body) = fact.mail.map_or((None, None), |mail| (mail.subject, mail.body));
        let text = fact.text.or(fact.reason).unwrap_or_default();
        let content = Content {
            body: body.filter(|body| *body != text),
            text,
            payload: fact.payload.or_else(|| fact.referral.and_then(|it| it.reference.or(it.click))),
            attachments: fact.attachments,
            quick_replies: Vec::new(),
            subject,
            raw: fact.raw.or(raw),
            verdict,
            rich: None,
        };
        let encoded = wire::encode_content(&content);
        // It may be large, and be nobody else's any more.
        drop(content);
        let subject = Subject { tenant: place.tenant.shared(), party: party.0 };
        let sealed = self.vault.seal_owned(&subject, &message.0, encoded).await;
        Ok(Sealed { subject: party, bytes: sealed.map_err(unavailable)?.into() })
    }

    async fn seal(
        &self,
        place: &Place,
        party: Party,
        item: MessageId,
        plaintext: &[u8],
    ) -> Result<Sealed, Refused> {
        let subject = Subject { tenant: place.tenant.shared(), party: party.0 };
        let sealed = self.vault.seal(&subject, &item.0, plaintext).await;
        Ok(Sealed { subject: party, bytes: sealed.map_err(unavailable)?.into() })
    }
}

/// With every cause, since what is wrong with a disk stands at the end of the chain.
fn unavailable(error: impl std::error::Error) -> Refused {
    let mut cause = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        cause = format!("{cause}: {source}");
        next = source.source();
    }
    Refused::Unavailable(cause)
}

/// Whether a report shows beyond doubt that no more should be sent: it brings back what only the mail it speaks of could
/// tell. Anyone can write that a mail came back.
fn suppresses(fact: &Fact, author: &Author) -> Option<Suppression> {
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

/// What an answer by e-mail must repeat.
fn thread_of(fact: &Fact) -> Option<MailThread> {
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
fn referral(fact: &Fact) -> Option<Box<Referred>> {
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

fn note_kind(fact: &Fact) -> NoteKind {
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
