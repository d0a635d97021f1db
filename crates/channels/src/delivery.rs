//! The effects of the delivery worker: attempts are made here, once they were announced and read back.
//!
//! Every attempt runs in a task of its own and reports what came of it into `delivery.in`; the report counts even
//! if another worker leads by then.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Channel, Content, ConversationId, InboxId, MessageId, Millis, Origin, Partition, Peer, Policies, Route,
    Sealed, Timestamp,
    conversation::{self, Outgoing as Decided},
    delivery::{Command, Decider, Event, Outcome as Reported},
};
use futures::FutureExt as _;
use log::clock;
use runtime::{Effects, Post};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;
use vault::{Opened, Subject, Vault};

use crate::email::imap::Pulls;
use crate::{Chat, Lookup, Outcome, Outgoing, Sender, Thread, dead, log_intake, metrics, withhold::withhold};

/// Attempts under way at once in this process by one inbox: a slow provider holds up nobody else's.
const MOST_AT_ONCE: usize = 256;
/// From so many inboxes on, those without attempts are forgotten.
const MANY_INBOXES: usize = 64;

/// Finds the way out of an inbox.
pub trait Senders: Send + Sync + 'static {
    fn sender(&self, inbox: &InboxId) -> Option<Arc<dyn Sender>>;
}

/// Makes the attempts that the log has announced.
#[derive(Clone)]
pub struct Deliverer {
    post: Post,
    vault: Vault,
    senders: Arc<dyn Senders>,
    tasks: TaskTracker,
    rooms: Arc<Mutex<HashMap<InboxId, Arc<Semaphore>>>>,
    /// Messages with an attempt running in this process. Such an attempt will report; nobody need ask about it.
    running: Arc<Mutex<HashSet<MessageId>>>,
    /// Whoever leads an inbox's first lane reads its mailbox.
    pulls: Pulls,
    /// Those of the business's mailboxes that an address is dead for are told in theirs.
    policies: Option<watch::Receiver<Policies>>,
}

/// One attempt, with all it needs.
struct Attempt {
    conversation: ConversationId,
    message: MessageId,
    number: u32,
    decided: Decided,
    at: Timestamp,
}

impl Deliverer {
    /// `tasks` lets a shutdown wait for the attempts under way.
    pub fn new(post: Post, vault: Vault, senders: Arc<dyn Senders>, tasks: TaskTracker) -> Self {
        let (rooms, running, pulls) = Default::default();
        Deliverer { post, vault, senders, tasks, rooms, running, pulls, policies: None }
    }

    /// Tells `pulls` what is led here.
    #[must_use]
    pub fn with_pulls(self, pulls: Pulls) -> Self {
        Deliverer { pulls, ..self }
    }

    /// Tells all mailboxes in `policies` of addresses at which there is nobody.
    #[must_use]
    pub fn with_policies(self, policies: watch::Receiver<Policies>) -> Self {
        Deliverer { policies: Some(policies), ..self }
    }

    fn begin(
        &self,
        partition: &Partition<Decider>,
        message: MessageId,
        number: u32,
        at: Timestamp,
        lost: bool,
    ) {
        let running = &mut *self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(message) {
            return;
        }
        // Resolved meanwhile: the state may be ahead of the event.
        let Some(delivery) = partition.state().get(message) else {
            running.remove(&message);
            return;
        };
        let attempt = Attempt {
            conversation: delivery.conversation,
            message,
            number,
            decided: delivery.outgoing.as_ref().clone(),
            at,
        };
        let this = self.clone();
        self.tasks.spawn(async move {
            let room = room(&this.rooms, &attempt.decided.inbox);
            // The semaphore is never closed.
            let _place = room.acquire().await;
            let made = async { if lost { this.ask(&attempt).await } else { this.send(&attempt).await } };
            // Without a report the party's line would stand still.
            let outcome = AssertUnwindSafe(made).catch_unwind().await.unwrap_or_else(|_| Reported::Unknown {
                reason: "the sender panicked".into(),
                resend: false,
            });
            metrics::delivered(attempt.decided.channel.as_str(), &outcome);
            // Before the report: what follows from it may be the next attempt.
            this.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&message);
            this.report(&attempt, outcome).await;
        });
    }

    async fn send(&self, attempt: &Attempt) -> Reported {
        let Some(sender) = self.senders.sender(&attempt.decided.inbox) else {
            return retry("no_sender", "this inbox has no way out configured");
        };
        match self.plaintext(attempt).await {
            Ok(outgoing) => {
                let outcome = sender.send(&outgoing).await;
                if matches!(outcome, Outcome::Dead { .. }) && attempt.decided.channel == Channel::Email {
                    self.tell_elsewhere(attempt, &outgoing.to).await;
                }
                reported(outcome, sender.deduplicates(), &outgoing.to)
            }
            Err(outcome) => outcome,
        }
    }

    /// A mailbox that does not hear of it finds out by itself.
    async fn tell_elsewhere(&self, attempt: &Attempt, address: &str) {
        let (tenant, inbox) = (&attempt.decided.tenant, &attempt.decided.inbox);
        let at = Timestamp(clock::now());
        let told = self
            .policies
            .as_ref()
            .map(|policies| dead::elsewhere(&self.vault, &policies.borrow(), tenant, inbox, address, at));
        for (party, intake) in told.into_iter().flatten() {
            let route = Route::Party(party);
            if let Err(error) = self.post.report::<conversation::Decider>(&route, &intake).await {
                tracing::warn!(%error, "that an address is dead could not be recorded for every mailbox");
            }
        }
    }

    /// What became of an attempt whose outcome was lost.
    async fn ask(&self, attempt: &Attempt) -> Reported {
        let Some(sender) = self.senders.sender(&attempt.decided.inbox) else {
            return Reported::Unknown {
                reason: "this inbox has no way out configured".into(),
                resend: false,
            };
        };
        looked_up(sender.lookup(&attempt.message.to_string()).await, sender.deduplicates())
    }

    async fn plaintext(&self, attempt: &Attempt) -> Result<Outgoing, Reported> {
        let decided = &attempt.decided;
        let to = self.open(decided, &decided.to, MessageId(decided.to.subject.0)).await?;
        let to = String::from_utf8(to).map_err(|_| refused("address", "the address is not text"))?;
        let body = self.open(decided, &decided.body, attempt.message).await?;
        let content: Content =
            wire::decode_content(&body).map_err(|error| refused("content", &error.to_string()))?;
        let brings_files = content.attachments.iter().any(|attachment| attachment.data.is_some());
        let takes_files = matches!(
            decided.channel,
            Channel::Email | Channel::Messenger | Channel::Instagram | Channel::Whatsapp
        );
        if brings_files && !takes_files {
            return Err(refused("attachment", "this channel takes attachments by their address only"));
        }
        let shows = matches!(decided.channel, Channel::Messenger | Channel::Instagram | Channel::Whatsapp);
        if content.rich.is_some() && !shows {
            return Err(refused("unsupported", "this channel shows texts and attachments only"));
        }
        let chat = Chat {
            rich: content.rich,
            window: decided.window,
            signed: decided.signed.as_deref().map(str::to_owned),
        };
        // To another address of the same contact: what comes back from there belongs there.
        let party = decided.to.subject;
        let reference = || match party == attempt.conversation.party {
            true => log_intake::reference(&self.vault, attempt.conversation),
            false => log_intake::reference(&self.vault, ConversationId { party, number: 0 }),
        };
        let signed = decided.signed.as_deref().map(str::to_owned);
        let thread = match &decided.thread {
            Some(of) => {
                let bytes = self.open(decided, &of.thread, of.message).await?;
                let thread = wire::decode_mail_thread(&bytes)
                    .map_err(|error| refused("thread", &error.to_string()))?;
                Some(Thread {
                    subject: thread.subject,
                    in_reply_to: Some(thread.message_id).filter(|id| !id.is_empty()),
                    references: thread.references,
                    reference: reference(),
                    quote: thread.quote,
                    written_at: thread.written_at.map(|at| at.0),
                    signed,
                    unsubscribe: None,
                })
            }
            None if decided.channel == Channel::Email => Some(Thread {
                reference: reference(),
                signed,
                // Whose address it is, whatever conversation it was written in.
                unsubscribe: Some(log_intake::unsubscribe_reference(&self.vault, &decided.inbox, party)),
                ..Thread::default()
            }),
            None => None,
        };
        Ok(Outgoing {
            key: attempt.message.to_string(),
            to,
            text: content.text,
            quick_replies: content.quick_replies,
            attachments: content.attachments,
            at: attempt.at.0,
            by_person: decided.by_person,
            thread,
            chat,
        })
    }

    async fn open(&self, decided: &Decided, sealed: &Sealed, item: MessageId) -> Result<Vec<u8>, Reported> {
        let subject = Subject { tenant: decided.tenant.shared(), party: sealed.subject.0 };
        match self.vault.open_sealed(&subject, &item.0, &sealed.bytes).await {
            Ok(Opened::Plain(bytes)) => Ok(bytes),
            Ok(Opened::Erased) => Err(refused("erased", "the customer was erased")),
            Err(error) if error.is_unavailable() => Err(retry("vault", &error.to_string())),
            Err(error) => Err(refused("sealed", &error.to_string())),
        }
    }

    async fn report(&self, attempt: &Attempt, outcome: Reported) {
        let inbox = attempt.decided.inbox.clone();
        let route = Route::Lane(domain::Lane::of(inbox, attempt.conversation.party));
        let intake = domain::Intake::Input {
            origin: Origin::Report,
            at: Timestamp(clock::now()),
            tenant: attempt.decided.tenant.clone(),
            policy_version: 0,
            command: Command::Report { message: attempt.message, attempt: attempt.number, outcome },
        };
        if let Err(error) = self.post.report::<Decider>(&route, &intake).await {
            // The log is closed: the next leader asks.
            tracing::warn!(%error, "an attempt's outcome could not be recorded");
        }
    }
}

impl Effects<Decider> for Deliverer {
    fn perform(&self, partition: &Partition<Decider>, at: Timestamp, event: &Event) {
        match event {
            Event::SendStarted { message, attempt } => self.begin(partition, *message, *attempt, at, false),
            Event::OutcomeLost { message, attempt } => self.begin(partition, *message, *attempt, at, true),
            _ => {}
        }
    }

    fn hold(&self, peer: Peer, partition: &Partition<Decider>) -> Option<Box<dyn Any + Send>> {
        Some(self.pulls.lead(peer, partition.state().marks().clone()))
    }
}

/// Where the attempts of an inbox take their places. Kept as long as somebody holds it.
fn room(rooms: &Mutex<HashMap<InboxId, Arc<Semaphore>>>, inbox: &InboxId) -> Arc<Semaphore> {
    let rooms = &mut *rooms.lock().unwrap_or_else(PoisonError::into_inner);
    if rooms.len() >= MANY_INBOXES {
        rooms.retain(|_, room| Arc::strong_count(room) > 1);
    }
    rooms.entry(inbox.clone()).or_insert_with(|| Arc::new(Semaphore::new(MOST_AT_ONCE))).clone()
}

fn reported(outcome: Outcome, deduplicates: bool, to: &str) -> Reported {
    let told = |reason: String| withhold(&reason, to).into();
    match outcome {
        Outcome::Sent { provider_id } => Reported::Sent { provider_id: provider_id.into() },
        Outcome::Retry { code, reason, after } => {
            Reported::Retry { code: code.into(), reason: told(reason), after: after.map(Millis) }
        }
        Outcome::NotYet { code, reason, after } => {
            Reported::NotYet { code: code.into(), reason: told(reason), after: Millis(after) }
        }
        Outcome::Refused { code, reason } => {
            Reported::Refused { code: code.into(), reason: told(reason), dead: false }
        }
        Outcome::Dead { code, reason } => {
            Reported::Refused { code: code.into(), reason: told(reason), dead: true }
        }
        Outcome::Unknown { reason } => Reported::Unknown { reason: told(reason), resend: deduplicates },
    }
}

fn looked_up(found: Lookup, deduplicates: bool) -> Reported {
    match found {
        Lookup::Sent { provider_id } => Reported::Sent { provider_id: provider_id.into() },
        Lookup::NotSent => Reported::Retry {
            code: "not_sent".into(),
            reason: "the attempt had not begun".into(),
            after: Some(Millis(0)),
        },
        Lookup::CannotTell => Reported::Unknown {
            reason: "the sender stopped before it learnt the outcome".into(),
            resend: deduplicates,
        },
    }
}

fn retry(code: &str, reason: &str) -> Reported {
    Reported::Retry { code: code.into(), reason: reason.into(), after: None }
}

fn refused(code: &str, reason: &str) -> Reported {
    Reported::Refused { code: code.into(), reason: reason.into(), dead: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender that says nothing about keys, as most are.
    struct Unsure;

    #[async_trait::async_trait]
    impl Sender for Unsure {
        async fn send(&self, _: &Outgoing) -> Outcome {
            Outcome::Unknown { reason: "the connection broke".into() }
        }
    }

    /// DESIGN invariant 11.
    #[tokio::test]
    async fn what_an_unsure_sender_was_about_is_never_sent_again() {
        let lost = looked_up(Unsure.lookup("key").await, Unsure.deduplicates());
        let message = Outgoing {
            key: "key".into(),
            to: "+15550123".into(),
            text: "Hello".into(),
            quick_replies: Vec::new(),
            attachments: Vec::new(),
            at: 0,
            by_person: true,
            thread: None,
            chat: Chat::default(),
        };
        let broken = reported(Unsure.send(&message).await, Unsure.deduplicates(), &message.to);
        for outcome in [lost, broken] {
            assert!(matches!(outcome, Reported::Unknown { resend: false, .. }), "{outcome:?}");
        }
        assert!(matches!(looked_up(Lookup::CannotTell, true), Reported::Unknown { resend: true, .. }));
    }

    #[test]
    fn an_inbox_that_is_full_holds_up_no_other_and_none_is_kept_for_ever() {
        let rooms = Mutex::default();
        let inbox = |at: usize| format!("inbox-{at}").parse().unwrap();
        let slow = room(&rooms, &inbox(0));
        let _places = slow.try_acquire_many(MOST_AT_ONCE as u32).unwrap();
        assert_eq!(room(&rooms, &inbox(0)).available_permits(), 0);
        for at in 1..10 * MANY_INBOXES {
            assert_eq!(room(&rooms, &inbox(at)).available_permits(), MOST_AT_ONCE);
        }
        assert!(rooms.lock().unwrap().len() <= MANY_INBOXES);
        assert_eq!(room(&rooms, &inbox(0)).available_permits(), 0, "what is in use stays");
    }
}
