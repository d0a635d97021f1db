//! What is known of one customer address, in as little memory as can be: there may be millions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, BotId, Channel, CommandId, DeskId, InboxId, Kept, LinkId, MessageId, OfferId, Party, QueueId,
    Sealed, Tags, TenantId, Timestamp, policy::Special, relay::fnv1a,
};

use super::{
    HeldReply, ReceiptKind, Suppression, Thread, ThreadOf, Window,
    mails::{Earlier, Mails},
    others::{OtherAddress, Others},
    window::Reach,
};

/// Messages of ours whose receipts can still be told apart, per customer.
const SENT_KEPT: usize = 16;

/// Receipts that wait for the message they speak of, per customer.
const EARLY_KEPT: usize = 8;

/// One address in one inbox.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Customer {
    /// Where it writes to; many share it.
    pub endpoint: Arc<Endpoint>,
    pub address: Kept,
    pub opted_out: bool,
    /// The latest conversation. Where there is no thread to tell them apart, every earlier one is closed for good.
    pub latest: Option<Conversation>,
    /// E-mail: earlier conversations, which may go on or be open beside the latest.
    pub(super) earlier: Option<Box<Earlier>>,
    /// Since when nothing has been open here.
    pub(super) quiet_since: Option<Timestamp>,
    /// Most customers get no answer while they wait for one.
    pub(super) letters: Option<Box<Letters>>,
    /// Who had a conversation with the customer last, of people.
    pub(super) known_by: Option<Box<KnownBy>>,
    /// Most have none.
    tags: Option<Box<Tags>>,
    /// Chat platforms: until when the customer may be answered, and what waits for that.
    pub(super) reach: Option<Box<Reach>>,
    /// Other addresses of the same contact. Most have none.
    pub(super) others: Option<Box<Others>>,
    /// Where other applications answer, too.
    thread: Option<Box<Thread>>,
    /// The link that the customer followed, and has not written since.
    pub(super) entered: Option<Box<Entered>>,
}

/// A link that was followed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entered {
    pub link: LinkId,
    pub at: Timestamp,
}

/// An agent who had a conversation with the customer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownBy {
    pub agent: Arc<AgentId>,
    /// When the agent let go of it.
    pub at: Timestamp,
    /// The queue it came from. None in what was kept before that was.
    pub queue: Option<Arc<QueueId>>,
}

/// An inbox of a tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub channel: Channel,
}

/// What became of what we wrote.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Letters {
    /// Messages that a provider took, newest last.
    pub(super) sent: Vec<Sent>,
    /// Receipts of messages that are not known to have been sent, newest last; of one message each says more than
    /// the one before.
    early: Vec<Early>,
    /// Why nothing is sent there, in the order it came.
    suppressed: Vec<Suppression>,
    automatic: Option<Automatic>,
}

/// What was sent by mail without a person, since a person last wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Automatic {
    /// When the last left.
    pub at: Timestamp,
    /// How many in a row; several of one turn are one.
    pub in_a_row: u32,
}

/// A message of ours that a provider took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// The provider's id of it, hashed (see [`Sent::hash`]): it need only be told from a few others of this customer.
    pub provider: u64,
    pub conversation: u32,
    pub message: MessageId,
    pub at: Timestamp,
    /// The furthest receipt so far.
    pub receipt: Option<ReceiptKind>,
}

/// A receipt that came before its message was known to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Early {
    pub provider_id: Arc<str>,
    pub kind: ReceiptKind,
    pub at: Timestamp,
    pub reason: Option<Arc<str>>,
}

/// What is left of a customer for whom nothing is under way, to be kept outside of memory: everything.
#[derive(Clone, PartialEq, Debug)]
pub struct Tombstone {
    pub channel: Channel,
    pub address: Sealed,
    pub opted_out: bool,
    pub latest: Option<ClosedConversation>,
    pub sent: Vec<Sent>,
    pub early: Vec<Early>,
    pub known_by: Option<KnownBy>,
    /// Earlier conversations by mail, oldest first.
    pub earlier: Vec<ClosedConversation>,
    pub tags: Tags,
    pub suppressed: Vec<Suppression>,
    pub automatic: Option<Automatic>,
    pub entered: Option<Entered>,
    pub window: Option<Window>,
    pub held: Vec<HeldReply>,
    /// The other addresses of the same contact.
    pub others: Vec<Party>,
    /// What is known of addresses that are, or were, or will be the contact's.
    pub addresses: Vec<OtherAddress>,
    pub thread: Option<Thread>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ClosedConversation {
    pub number: u32,
    pub owner_epoch: u32,
    pub turns: u32,
    pub closed_at: Timestamp,
    pub thread: Option<ThreadOf>,
    pub mails: Option<Mails>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conversation {
    pub number: u32,
    /// Grows with every change of owner.
    pub owner_epoch: u32,
    /// Turns asked so far.
    pub turns: u32,
    pub stage: Stage,
    /// E-mail: the thread an answer stands in.
    pub(super) thread: Option<Box<KeptThread>>,
    /// E-mail: what later mails are told to belong here by.
    pub(super) mails: Option<Box<Mails>>,
    /// What a bot said is special about it, as long as it is open.
    pub(super) special: Option<Box<Special>>,
    /// Only a person may answer the customer's last message.
    pub(super) people_only: bool,
    /// The link that the customer came by, as long as it is open.
    pub(super) link: Option<Box<LinkId>>,
}

/// See [`ThreadOf`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct KeptThread {
    message: MessageId,
    thread: Kept,
}

/// An open conversation has exactly one owner; a closed one has none.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Stage {
    Open(Owner),
    Closed { at: Timestamp },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Owner {
    Bot {
        bot: BotId,
        /// Where the conversation goes from the bot if the inbox is gone by then.
        queue: Arc<QueueId>,
        turn: Option<Box<Turn>>,
    },
    Queue {
        queue: Arc<QueueId>,
        /// Since when the customer has been waiting for a person.
        since: Timestamp,
        /// What the customer is to be told, and was not yet.
        away: Option<Box<Away>>,
    },
    Agent {
        agent: Arc<AgentId>,
        assignment: Box<OfferId>,
        /// Where the conversation goes if the agent vanishes.
        queue: Arc<QueueId>,
        /// Who was asked in.
        consult: Option<Box<Consult>>,
    },
    /// An agent who put it away, and holds nothing of it meanwhile.
    Snoozed {
        agent: Arc<AgentId>,
        /// Where it waits for that agent, or for others, once it is back.
        queue: Arc<QueueId>,
    },
}

impl Owner {
    /// Where it waits, or did before, or will.
    pub fn queue(&self) -> &QueueId {
        match self {
            Owner::Bot { queue, .. }
            | Owner::Queue { queue, .. }
            | Owner::Agent { queue, .. }
            | Owner::Snoozed { queue, .. } => queue,
        }
    }
}

/// Another agent, asked in by the one who has the conversation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Consult {
    pub id: CommandId,
    /// Where it was asked.
    pub desk: DeskId,
    /// None until that desk has answered.
    pub agent: Option<AgentId>,
    /// For that agent, until then.
    pub(super) note: Option<Kept>,
}

/// A queue is closed, and nobody has put that into words yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Away {
    pub queue: QueueId,
    /// When it opens, as far as that is known.
    pub until: Option<Timestamp>,
    pub asked_at: Timestamp,
    /// When it is asked again.
    pub again_at: Timestamp,
}

/// The turn that the bot has not answered yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Turn {
    pub number: u32,
    pub message: MessageId,
    /// For a bot that answers beside the leader; see [`What::TurnAsked`](super::What::TurnAsked).
    pub content: Option<Kept>,
    /// See there.
    pub link: Option<LinkId>,
    /// The newest message that came while the bot was thinking: the next turn.
    pub next: Option<Box<Next>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Next {
    pub message: MessageId,
    /// As the turn's.
    pub content: Option<Kept>,
}

/// Without spare room: most lists are short, and stay so.
pub(super) fn keep_newest<T>(list: &mut Vec<T>, item: T, most: usize) {
    if list.len() >= most {
        list.remove(0);
    }
    list.reserve_exact(1);
    list.push(item);
}

impl Sent {
    /// FNV-1a, 64 bits, of a provider's id. Stable for ever: it stands in the log.
    pub fn hash(provider_id: &str) -> u64 {
        fnv1a([provider_id.as_bytes()])
    }
}

impl Customer {
    pub(super) fn new(endpoint: Arc<Endpoint>, address: &Sealed) -> Self {
        Customer {
            endpoint,
            address: Kept::new(address),
            opted_out: false,
            latest: None,
            earlier: None,
            quiet_since: None,
            letters: None,
            known_by: None,
            tags: None,
            reach: None,
            others: None,
            entered: None,
            thread: None,
        }
    }

    /// Which application answers the customer; none where no other one can, or ever did.
    pub fn thread(&self) -> Option<Thread> {
        self.thread.as_deref().copied()
    }

    /// Another application has, or had, the customer's thread at that time; or this one had.
    pub(super) fn shows_thread(&mut self, elsewhere: bool, at: Timestamp) {
        let shared = matches!(self.endpoint.channel, Channel::Messenger | Channel::Instagram);
        match &mut self.thread {
            Some(thread) => **thread = thread.shown(elsewhere, at),
            None if elsewhere || shared => self.thread = Some(Box::new(Thread { elsewhere, at })),
            None => {}
        }
    }

    /// What the ledger says of the customer.
    pub fn tags(&self) -> Option<&Tags> {
        self.tags.as_deref()
    }

    pub(super) fn note_tags(&mut self, tags: &Tags) {
        self.tags = (!tags.is_empty()).then(|| Box::new(tags.clone()));
    }

    pub(super) fn has_open(&self) -> bool {
        self.conversations().any(|conversation| conversation.owner().is_some())
    }

    /// All that are still known, oldest first.
    pub fn conversations(&self) -> impl DoubleEndedIterator<Item = &Conversation> {
        self.earlier.iter().flat_map(|earlier| &earlier.0).chain(&self.latest)
    }

    pub(super) fn conversations_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Conversation> {
        self.earlier.iter_mut().flat_map(|earlier| &mut earlier.0).chain(&mut self.latest)
    }

    pub(super) fn conversation(&self, number: u32) -> Option<&Conversation> {
        self.conversations().rfind(|conversation| conversation.number == number)
    }

    pub(super) fn conversation_mut(&mut self, number: u32) -> Option<&mut Conversation> {
        self.conversations_mut().rfind(|conversation| conversation.number == number)
    }

    /// The messages that a provider took, oldest first.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.letters.iter().flat_map(|letters| &letters.sent)
    }

    /// The receipts that wait for this message, each saying more than the one before.
    pub(super) fn early(&self, provider_id: &str) -> impl Iterator<Item = &Early> {
        let early = self.letters.iter().flat_map(|letters| &letters.early);
        early.filter(move |early| *early.provider_id == *provider_id)
    }

    /// Why nothing is sent there, in the order it came.
    pub fn suppressed(&self) -> &[Suppression] {
        self.letters.as_ref().map_or(&[], |letters| &letters.suppressed)
    }

    pub(super) fn suppress(&mut self, cause: Suppression) {
        let letters = self.letters.get_or_insert_default();
        if !letters.suppressed.contains(&cause) {
            letters.suppressed.push(cause);
        }
    }

    pub(super) fn lift(&mut self, cause: Suppression) {
        self.letters.iter_mut().for_each(|letters| letters.suppressed.retain(|known| *known != cause));
    }

    pub(super) fn automatic(&self) -> Option<Automatic> {
        self.letters.as_ref()?.automatic
    }

    pub(super) fn has_answered_by_itself(&mut self, at: Timestamp) {
        let automatic = &mut self.letters.get_or_insert_default().automatic;
        let before = automatic.filter(|automatic| automatic.at != at);
        let in_a_row = match (before, *automatic) {
            (None, Some(of_same_turn)) => of_same_turn.in_a_row,
            (before, _) => before.map_or(0, |before| before.in_a_row).saturating_add(1),
        };
        *automatic = Some(Automatic { at, in_a_row });
    }

    pub(super) fn was_answered_by_a_person(&mut self) {
        self.letters.iter_mut().for_each(|letters| letters.automatic = None);
    }

    /// A provider took a message; what came early for it is noted behind this, in the same decision.
    pub(super) fn has_sent(&mut self, provider_id: &str, sent: Sent) {
        let letters = self.letters.get_or_insert_default();
        letters.early.retain(|early| *early.provider_id != *provider_id);
        if letters.sent.iter().any(|known| (known.provider, known.message) == (sent.provider, sent.message)) {
            // It was shown to us before its sender was answered.
            return;
        }
        keep_newest(&mut letters.sent, sent, SENT_KEPT);
    }

    pub(super) fn has_heard(&mut self, message: MessageId, kind: ReceiptKind) {
        let sent = self.letters.iter_mut().flat_map(|letters| &mut letters.sent);
        sent.filter(|sent| sent.message == message)
            .for_each(|sent| sent.receipt = sent.receipt.max(Some(kind)));
    }

    pub(super) fn keep_early(&mut self, early: Early) {
        let letters = self.letters.get_or_insert_default();
        keep_newest(&mut letters.early, early, EARLY_KEPT);
    }

    /// None while a conversation is open.
    pub(super) fn tombstone(&self) -> Option<Tombstone> {
        let latest = self.latest.as_ref().map(Conversation::closed);
        let earlier = self.earlier.iter().flat_map(|earlier| &earlier.0);
        let letters = self.letters.as_deref();
        Some(Tombstone {
            channel: self.endpoint.channel,
            address: self.address.sealed(),
            opted_out: self.opted_out,
            latest: match latest {
                Some(latest) => Some(latest?),
                None => None,
            },
            sent: letters.map(|letters| letters.sent.clone()).unwrap_or_default(),
            early: letters.map(|letters| letters.early.clone()).unwrap_or_default(),
            known_by: self.known_by.as_deref().cloned(),
            earlier: earlier.map(Conversation::closed).collect::<Option<_>>()?,
            tags: self.tags.as_deref().cloned().unwrap_or_default(),
            suppressed: self.suppressed().to_vec(),
            automatic: self.automatic(),
            entered: self.entered.as_deref().cloned(),
            window: self.window(),
            held: self.held(),
            others: self.others.as_ref().map(|others| others.parties.clone()).unwrap_or_default(),
            addresses: self.others.iter().flat_map(|others| others.told()).collect(),
            thread: self.thread(),
        })
    }

    pub(super) fn returned(endpoint: Arc<Endpoint>, tombstone: &Tombstone) -> Self {
        let Tombstone {
            channel: _,
            address,
            opted_out,
            latest,
            sent,
            early,
            known_by,
            earlier,
            tags,
            suppressed,
            automatic,
            entered,
            window,
            held,
            others,
            addresses,
            thread,
        } = tombstone;
        let earlier = Earlier(earlier.iter().map(Conversation::returned).collect());
        let letters = Letters {
            sent: sent.clone(),
            early: early.clone(),
            suppressed: suppressed.clone(),
            automatic: *automatic,
        };
        Customer {
            opted_out: *opted_out,
            latest: latest.as_ref().map(Conversation::returned),
            earlier: (!earlier.0.is_empty()).then(|| Box::new(earlier)),
            letters: (letters != Letters::default()).then(|| Box::new(letters)),
            known_by: known_by.clone().map(Box::new),
            tags: (!tags.is_empty()).then(|| Box::new(tags.clone())),
            entered: entered.clone().map(Box::new),
            reach: Reach::returned(*window, held),
            others: Others::returned(others, addresses).map(Box::new),
            thread: thread.map(Box::new),
            ..Customer::new(endpoint, address)
        }
    }
}

impl KeptThread {
    pub(super) fn new(message: MessageId, thread: &Sealed) -> Self {
        KeptThread { message, thread: Kept::new(thread) }
    }

    pub(super) fn thread_of(&self) -> ThreadOf {
        ThreadOf { message: self.message, thread: self.thread.sealed() }
    }
}

impl Conversation {
    pub(super) fn new(number: u32, at: Timestamp) -> Self {
        // Its first owner stands in the next event of the same decision.
        let stage = Stage::Closed { at };
        Conversation {
            number,
            owner_epoch: 0,
            turns: 0,
            stage,
            thread: None,
            mails: None,
            special: None,
            people_only: false,
            link: None,
        }
    }

    /// None while it is open.
    fn closed(&self) -> Option<ClosedConversation> {
        let Stage::Closed { at } = self.stage else { return None };
        Some(ClosedConversation {
            number: self.number,
            owner_epoch: self.owner_epoch,
            turns: self.turns,
            closed_at: at,
            thread: self.thread.as_deref().map(KeptThread::thread_of),
            mails: self.mails.as_deref().cloned(),
        })
    }

    fn returned(closed: &ClosedConversation) -> Self {
        let kept = |thread: &ThreadOf| Box::new(KeptThread::new(thread.message, &thread.thread));
        Conversation {
            number: closed.number,
            owner_epoch: closed.owner_epoch,
            turns: closed.turns,
            stage: Stage::Closed { at: closed.closed_at },
            thread: closed.thread.as_ref().map(kept),
            mails: closed.mails.clone().map(Box::new),
            special: None,
            // The message that brings it back says so.
            people_only: false,
            link: None,
        }
    }

    pub fn owner(&self) -> Option<&Owner> {
        match &self.stage {
            Stage::Open(owner) => Some(owner),
            Stage::Closed { .. } => None,
        }
    }

    pub(super) fn turn_mut(&mut self) -> Option<&mut Option<Box<Turn>>> {
        match &mut self.stage {
            Stage::Open(Owner::Bot { turn, .. }) => Some(turn),
            _ => None,
        }
    }
}
