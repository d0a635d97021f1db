//! What is known of each customer address, as a fold of its events.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, BotId, Channel, ConversationId, Kept, Millis, Party, QueueId, Timers, Timestamp, TurnId,
};

use super::{
    Away, Consult, Conversation, Customer, Early, Endpoint, Entered, Event, KnownBy, Marks, Next, NoteKind,
    Outgoing, Owner, Progress, Sent, Stage, TimerId, Turn, What, customer::KeptThread, customers::Customers,
    mails::KnownMail,
};

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Conversations {
    customers: Customers,
    /// The customers without an open conversation, by since when that has been so: they may be retired.
    quiet: BTreeSet<(Timestamp, Party)>,
    pub(super) timers: Timers<TimerId>,
}

impl Conversations {
    pub fn customer(&self, party: Party) -> Option<&Customer> {
        self.customers.get(party)
    }

    pub fn customers(&self) -> impl Iterator<Item = (Party, &Customer)> {
        self.customers.iter()
    }

    /// The conversation, if it may still go on: its customer's latest, or by mail one of those before.
    pub fn conversation(&self, id: ConversationId) -> Option<(&Customer, &Conversation)> {
        let customer = self.customers.get(id.party)?;
        Some((customer, customer.conversation(id.number)?))
    }

    /// The turns that bots have not answered yet.
    pub fn open_turns(&self) -> impl Iterator<Item = (TurnId, &Customer, &BotId, &Turn)> {
        // Every unanswered turn has its timer, and only those have.
        self.timers.ids().filter_map(|timer| {
            let TimerId::BotSilent(id) = timer else { return None };
            let (customer, conversation) = self.conversation(*id)?;
            let Some(Owner::Bot { bot, turn: Some(turn), .. }) = conversation.owner() else { return None };
            let turn_id =
                TurnId { conversation: *id, owner_epoch: conversation.owner_epoch, number: turn.number };
            Some((turn_id, customer, bot, turn.as_ref()))
        })
    }

    /// What customers are to be told of queues that are closed, and were not yet.
    pub fn open_aways(&self) -> impl Iterator<Item = (ConversationId, &Customer, u32, &Away)> {
        self.timers.ids().filter_map(|timer| {
            let TimerId::AwayUnsaid(id) = timer else { return None };
            let (customer, conversation) = self.conversation(*id)?;
            let Some(Owner::Queue { away: Some(away), .. }) = conversation.owner() else { return None };
            Some((*id, customer, conversation.owner_epoch, away.as_ref()))
        })
    }

    /// Those for whom nothing has been under way for this long, longest first.
    pub(super) fn quiet(&self, now: Timestamp, span: Millis) -> impl Iterator<Item = (Party, &Customer)> {
        let long_enough = self.quiet.iter().take_while(move |(since, _)| now - *since >= span);
        long_enough.filter_map(|(_, party)| Some((*party, self.customer(*party)?)))
    }

    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        match &event.what {
            What::CustomerSeen { from, .. } => {
                if !self.customers.has(from.party) {
                    let (tenant, inbox, channel) = (from.tenant.clone(), from.inbox.clone(), from.channel);
                    let endpoint = self.customers.names.endpoint(&Endpoint { tenant, inbox, channel });
                    self.customers.put(from.party, Customer::new(endpoint, &from.address));
                    self.settle(from.party, at);
                }
            }
            What::Returned { party, tombstone } => {
                if !self.customers.has(*party) {
                    let (tenant, inbox) = (event.tenant.clone(), event.inbox.clone());
                    let channel = tombstone.channel;
                    let endpoint = self.customers.names.endpoint(&Endpoint { tenant, inbox, channel });
                    let mut customer = Customer::returned(endpoint, tombstone);
                    self.customers.names.adopt(&mut customer);
                    self.customers.put(*party, customer);
                    self.settle(*party, at);
                }
            }
            What::Retired { party } => {
                if let Some(customer) = self.customers.get(*party).filter(|customer| !customer.has_open()) {
                    if let Some(since) = customer.quiet_since {
                        self.quiet.remove(&(since, *party));
                    }
                    self.customers.remove(*party);
                }
            }
            What::OptedOut { party } => self.customers.get_mut(*party).into_iter().for_each(|c| {
                c.opted_out = true;
                c.release(None);
            }),
            What::WindowOpened { conversation, window } => self
                .customers
                .get_mut(conversation.party)
                .into_iter()
                .for_each(|c| c.may_be_answered(*window)),
            What::ReplyHeld { conversation, reply } => {
                self.customers.get_mut(conversation.party).into_iter().for_each(|c| c.hold(reply))
            }
            What::HeldSent { conversation, message, .. } => {
                self.customers.get_mut(conversation.party).into_iter().for_each(|c| c.release(Some(*message)))
            }
            What::OptedIn { party } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.opted_out = false)
            }
            What::TagsNoted { party, tags } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.note_tags(tags))
            }
            What::OthersNoted { party, others } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.others_mut().are(others))
            }
            What::AddressNoted { party, of } => {
                let from = &of.from;
                let (tenant, inbox, channel) = (from.tenant.clone(), from.inbox.clone(), from.channel);
                let endpoint = self.customers.names.endpoint(&Endpoint { tenant, inbox, channel });
                self.customers
                    .get_mut(*party)
                    .into_iter()
                    .for_each(|c| c.others_mut().know(endpoint.clone(), of))
            }
            What::MarkedSpecial { conversation, special } => {
                if let Some(found) = self.get_mut(*conversation) {
                    found.special = Some(special.clone());
                }
            }
            What::Suppressed { party, cause } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.suppress(*cause))
            }
            What::SuppressionLifted { party, cause, .. } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.lift(*cause))
            }
            What::Opened { conversation, .. } => {
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.begins(Conversation::new(conversation.number, at));
                }
            }
            What::MessageReceived {
                conversation,
                message,
                content,
                thread,
                marks,
                people_only,
                sent_at,
                ..
            } => {
                // Who is written to has the thread.
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.shows_thread(false, *sent_at);
                    customer.entered = None;
                }
                let Some(found) = self.get_mut(*conversation) else { return };
                found.people_only = *people_only;
                if let Some(Marks { id, topic }) = *marks {
                    found.has_mail(KnownMail { message: *message, id, at }, topic);
                }
                if let Some(thread) = thread {
                    found.thread = Some(Box::new(KeptThread::new(*message, thread)));
                }
                if let Some(Some(turn)) = found.turn_mut() {
                    let content = turn.content.is_some().then(|| Kept::new(content));
                    turn.next = Some(Box::new(Next { message: *message, content }));
                }
            }
            What::BotEngaged { conversation, bot, owner_epoch, queue } => {
                let names = &mut self.customers.names;
                let owner = Owner::Bot { bot: names.bot(bot), queue: names.queue(queue), turn: None };
                self.own(*conversation, *owner_epoch, owner, at);
            }
            What::TurnAsked { turn, content, message, answer_by, link, .. } => {
                let Some(found) = self.get_mut(turn.conversation) else { return };
                found.turns = turn.number;
                if let Some(pending) = found.turn_mut() {
                    *pending = Some(Box::new(Turn {
                        number: turn.number,
                        message: *message,
                        content: content.as_ref().map(Kept::new),
                        link: link.clone(),
                        next: None,
                    }));
                    self.timers.set(TimerId::BotSilent(turn.conversation), *answer_by);
                }
            }
            What::TurnAnswered { turn } => {
                if let Some(pending) = self.get_mut(turn.conversation).and_then(Conversation::turn_mut) {
                    *pending = None;
                }
                self.timers.cancel(&TimerId::BotSilent(turn.conversation));
            }
            What::AgentWanted { conversation, queue, owner_epoch, since, .. } => {
                let queue = self.customers.names.queue(queue);
                let owner = Owner::Queue { queue, since: *since, away: None };
                self.own(*conversation, *owner_epoch, owner, at);
            }
            What::Assigned { conversation, agent, assignment, owner_epoch, .. } => {
                // Only a waiting conversation is ever assigned.
                let waiting = self.get_mut(*conversation).and_then(|found| match &found.stage {
                    Stage::Open(Owner::Queue { queue, .. }) => Some(queue.clone()),
                    _ => None,
                });
                if let Some(queue) = waiting {
                    let names = &mut self.customers.names;
                    let (agent, assignment) = (names.agent(agent), Box::new(names.offer(assignment)));
                    let owner = Owner::Agent { agent, assignment, queue, consult: None };
                    self.own(*conversation, *owner_epoch, owner, at);
                }
            }
            What::ConsultAsked { conversation, consult, whom, note, .. } => {
                if let Some(asked) = self.consult_mut(*conversation) {
                    let (desk, note) = (whom.desk().clone(), note.as_ref().map(Kept::new));
                    *asked = Some(Box::new(Consult { id: *consult, desk, agent: None, note }));
                }
            }
            What::ConsultBegan { conversation, agent, .. } => {
                if let Some(Some(asked)) = self.consult_mut(*conversation) {
                    (asked.agent, asked.note) = (Some(agent.clone()), None);
                }
            }
            What::ConsultFailed { conversation, .. } | What::ConsultEnded { conversation, .. } => {
                if let Some(asked) = self.consult_mut(*conversation) {
                    *asked = None;
                }
            }
            What::Released { conversation, .. } => {
                self.lets_go(*conversation, at);
            }
            What::Snoozed { conversation, owner_epoch, until, .. } => {
                // Only who holds a conversation puts it away.
                if let Some((agent, queue)) = self.lets_go(*conversation, at) {
                    self.own(*conversation, *owner_epoch, Owner::Snoozed { agent, queue }, at);
                    self.timers.set(TimerId::Snoozed(*conversation), *until);
                }
            }
            What::Closed { conversation, .. } => {
                if let Some(found) = self.get_mut(*conversation) {
                    found.stage = Stage::Closed { at };
                    found.special = None;
                    found.link = None;
                }
                self.forget_timers(*conversation);
                self.settle(conversation.party, at);
            }
            What::AwayAsked { conversation, queue, until, again_at, .. } => {
                if let Some(Stage::Open(Owner::Queue { away, .. })) =
                    self.get_mut(*conversation).map(|found| &mut found.stage)
                {
                    let (queue, until, again_at) = (queue.clone(), *until, *again_at);
                    *away = Some(Box::new(Away { queue, until, asked_at: at, again_at }));
                    // What would be news no more is not asked again.
                    if until.is_none_or(|until| again_at < until) {
                        self.timers.set(TimerId::AwayUnsaid(*conversation), again_at);
                    }
                }
            }
            What::AwaySaid { conversation, outgoing, .. } => {
                self.sent_by_itself(*conversation, outgoing, at);
                if let Some(Stage::Open(Owner::Queue { away, .. })) =
                    self.get_mut(*conversation).map(|found| &mut found.stage)
                {
                    *away = None;
                }
                self.timers.cancel(&TimerId::AwayUnsaid(*conversation));
            }
            What::BotReplied { conversation, outgoing, .. } => {
                self.sent_by_itself(*conversation, outgoing, at);
            }
            What::Replied { conversation, .. } => {
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.was_answered_by_a_person();
                }
            }
            What::DeliveryNoted { conversation, message, progress: Progress::Sent { provider_id } } => {
                let Some(customer) = self.customers.get_mut(conversation.party) else { return };
                let sent = Sent {
                    provider: Sent::hash(provider_id),
                    conversation: conversation.number,
                    message: *message,
                    at,
                    receipt: None,
                };
                customer.has_sent(provider_id, sent);
            }
            What::ReceiptNoted { conversation, kind, message, .. } => {
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.has_heard(*message, *kind);
                }
            }
            What::ReceiptKept { party, provider_id, kind, at, reason } => {
                let Some(customer) = self.customers.get_mut(*party) else { return };
                let (provider_id, reason) = (provider_id.clone(), reason.clone());
                customer.keep_early(Early { provider_id, kind: *kind, at: *at, reason });
            }
            What::ThreadHeld { party, elsewhere, at, .. } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.shows_thread(*elsewhere, *at))
            }
            What::Noted { party, kind: NoteKind::Overheard, at, .. } => {
                self.customers.get_mut(*party).into_iter().for_each(|c| c.shows_thread(true, *at))
            }
            What::AnsweredElsewhere { party, conversation, .. } => {
                if let Some(customer) = self.customers.get_mut(*party) {
                    customer.was_answered_by_a_person();
                }
                // Who has an answer need not be told that nobody is there.
                let Some(conversation) = *conversation else { return };
                if let Some(Stage::Open(Owner::Queue { away, .. })) =
                    self.get_mut(conversation).map(|found| &mut found.stage)
                {
                    *away = None;
                }
                self.timers.cancel(&TimerId::AwayUnsaid(conversation));
            }
            What::Split { conversation, into, message, .. } => {
                let Some(customer) = self.customers.get_mut(conversation.party) else { return };
                customer.splits(conversation.number, into.number, *message);
            }
            What::Joined { conversation, other, .. } => {
                let Some(customer) = self.customers.get_mut(conversation.party) else { return };
                customer.joins(other.number, conversation.number);
            }
            What::TakenIn { conversation, into, by, .. } => {
                // Who has the one knows the other: what comes next comes to that agent.
                let agent = self.customers.names.agent(by);
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.is_taken(conversation.number, Some(*into));
                    customer.known_by = Some(Box::new(KnownBy { agent, at, queue: None }));
                }
            }
            What::TakenOut { conversation, .. } => {
                if let Some(customer) = self.customers.get_mut(conversation.party) {
                    customer.is_taken(conversation.number, None);
                }
            }
            What::Entered { party, conversation, link, .. } => {
                let Some(customer) = self.customers.get_mut(*party) else { return };
                match conversation {
                    None => customer.entered = Some(Box::new(Entered { link: link.clone(), at })),
                    Some(conversation) => {
                        customer.entered = None;
                        if let Some(found) = customer.conversation_mut(conversation.number) {
                            found.link = Some(Box::new(link.clone()));
                        }
                    }
                }
            }
            What::JoinAsked { .. }
            | What::PartAsked { .. }
            | What::NotTaken { .. }
            | What::AddressJoined { .. }
            | What::AddressParted { .. }
            | What::JoinRefused { .. }
            | What::TokenShown { .. }
            | What::Tied { .. }
            | What::NotTied { .. }
            | What::Reopened { .. }
            | What::AddressTold { .. }
            | What::Noted { .. }
            | What::KnownAs { .. }
            | What::Redirected { .. }
            | What::UnreadableKept { .. }
            | What::AssignmentRefused { .. }
            | What::Withdrawn { .. }
            | What::Transferred { .. }
            | What::Remarked { .. }
            | What::Reassigned { .. }
            | What::DeliveryNoted { .. } => {}
        }
    }

    fn get_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.customers.get_mut(id.party)?.conversation_mut(id.number)
    }

    fn consult_mut(&mut self, id: ConversationId) -> Option<&mut Option<Box<Consult>>> {
        match &mut self.get_mut(id)?.stage {
            Stage::Open(Owner::Agent { consult, .. }) => Some(consult),
            _ => None,
        }
    }

    /// Counted where a machine may be at the other end.
    fn sent_by_itself(&mut self, id: ConversationId, outgoing: &Outgoing, at: Timestamp) {
        if outgoing.channel == Channel::Email
            && let Some(customer) = self.customers.get_mut(id.party)
        {
            customer.has_answered_by_itself(at);
        }
    }

    fn own(&mut self, id: ConversationId, owner_epoch: u32, owner: Owner, at: Timestamp) {
        if let Some(conversation) = self.get_mut(id) {
            conversation.stage = Stage::Open(owner);
            conversation.owner_epoch = owner_epoch;
        }
        self.forget_timers(id);
        self.settle(id.party, at);
    }

    /// An owner's timers are the owner's.
    fn forget_timers(&mut self, id: ConversationId) {
        self.timers.cancel(&TimerId::BotSilent(id));
        self.timers.cancel(&TimerId::Snoozed(id));
        self.timers.cancel(&TimerId::AwayUnsaid(id));
    }

    /// Notes who knows the customer now, if an agent has the conversation: that one, and from which queue.
    fn lets_go(&mut self, id: ConversationId, at: Timestamp) -> Option<(Arc<AgentId>, Arc<QueueId>)> {
        let Stage::Open(Owner::Agent { agent, queue, .. }) = &self.get_mut(id)?.stage else { return None };
        let (agent, queue) = (agent.clone(), queue.clone());
        let known_by = KnownBy { agent: agent.clone(), at, queue: Some(queue.clone()) };
        self.customers.get_mut(id.party)?.known_by = Some(Box::new(known_by));
        Some((agent, queue))
    }

    /// Notes whether the customer is quiet now, and if so since when.
    fn settle(&mut self, party: Party, at: Timestamp) {
        let Some(customer) = self.customers.get_mut(party) else { return };
        match (customer.has_open(), customer.quiet_since) {
            (false, None) => {
                customer.quiet_since = Some(at);
                self.quiet.insert((at, party));
            }
            (true, Some(since)) => {
                customer.quiet_since = None;
                self.quiet.remove(&(since, party));
            }
            _ => {}
        }
    }
}
