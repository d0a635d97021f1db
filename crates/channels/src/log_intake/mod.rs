//! From facts to the log: each fact becomes one sealed, encoded input in the partition of its customer.
//!
//! This is where plaintext ends. What is appended names no one: the party is a keyed hash, address and content
//! are sealed under the party's own key.

mod author;
mod entry;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Channel, Content, FactId, InboxId, MessageId, Millis, Origin, Party, Peer, Policies, Policy, Route,
    Sealed, TenantId, Timestamp, Verdict,
    conversation::{
        Answers, Command, Decider, Mention, MessageKind, Pricing, ReceiptKind, Received, Sent, Suppression,
        Window,
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use log::clock;
use runtime::Post;
use tokio::sync::watch;
use vault::{Subject, Vault};

use crate::{
    Fact, FactKind, Intake, KnownAs, Referral, Refused, Unsubscribe, dead,
    email::{Authentication, Verifier},
    messenger::{HUMAN_AGENT, Kind},
    profile::BUSINESS,
    withhold::withhold,
};

/// Facts of one batch that are sealed at a time, so that new parties share the key store's commits.
const AT_ONCE: usize = 256;

pub(crate) use self::author::{reference, unsubscribe_reference};
use self::{
    author::Author,
    words::{note_kind, referral, suppresses, thread_of},
};
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
                is_quiet: inbox.settings.contains_key("quiet_hours"),
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
    /// It has quiet hours: where its customers are matters.
    is_quiet: bool,
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

impl LogIntake {
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
        let entry = self.entry(place, author.party, message, &mut fact).await?;
        let mut elsewhere = Vec::new();
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
                let answer = fact.answer.take();
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
                let received = Box::new(Received {
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
                });
                match answer {
                    Some(text) => self.help(place, id, received, &text).await?,
                    None => Command::Receive(received),
                }
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

    /// The customer asks who writes: the answer goes with the question.
    async fn help(
        &self,
        place: &Place,
        asked: FactId,
        received: Box<Received>,
        text: &str,
    ) -> Result<Command, Refused> {
        let answer = MessageId(self.vault.fact(place.id.as_str(), "help_answer", &asked.0));
        let text = text.replace(BUSINESS, place.tenant.as_str());
        let content = wire::encode_content(&Content { text, ..Content::default() });
        let body = self.seal(place, received.from.party, answer, &content).await?;
        Ok(Command::Help { received, answer, body })
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
