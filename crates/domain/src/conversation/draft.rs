//! What the rules are written with: events under construction, a conversation found, and what the policy in force
//! says about it.

use std::sync::Arc;

use crate::{
    AgentId, Channel, Code, Context, ConversationId, InboxId, Policy, QueueId, Rejection, Sealed, TenantId,
    Timestamp,
    policy::{self, Special},
};

use super::{
    Conversation, Conversations, Correspondent, Customer, Event, HandOffReason, Outgoing, What,
    customer::KeptThread, special,
};

/// Events under construction, all of one customer's.
pub(super) struct Draft {
    tenant: TenantId,
    inbox: InboxId,
    events: Vec<Event>,
}

impl Draft {
    pub(super) fn of(customer: &Customer) -> Self {
        Draft {
            tenant: customer.endpoint.tenant.clone(),
            inbox: customer.endpoint.inbox.clone(),
            events: Vec::new(),
        }
    }

    pub(super) fn at(from: &Correspondent) -> Self {
        Draft { tenant: from.tenant.clone(), inbox: from.inbox.clone(), events: Vec::new() }
    }

    /// Begins with the customer's first sign of life, if it is that.
    pub(super) fn seen(state: &Conversations, context: &Context, from: &Correspondent) -> Self {
        let mut draft = Draft::at(from);
        if state.customer(from.party).is_none() {
            draft.push(What::CustomerSeen { from: from.clone(), at: context.now });
        }
        draft
    }

    pub(super) fn push(&mut self, what: What) {
        self.events.push(Event { tenant: self.tenant.clone(), inbox: self.inbox.clone(), what });
    }

    pub(super) fn extend(&mut self, what: Option<What>) {
        what.into_iter().for_each(|what| self.push(what));
    }

    pub(super) fn and(mut self, what: What) -> Self {
        self.push(what);
        self
    }

    pub(super) fn finish(self) -> Vec<Event> {
        self.events
    }
}

/// A conversation that may still go on.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) id: ConversationId,
    pub(super) customer: &'a Customer,
    pub(super) conversation: &'a Conversation,
}

impl<'a> Found<'a> {
    pub(super) fn find(state: &'a Conversations, id: ConversationId) -> Option<Self> {
        let (customer, conversation) = state.conversation(id)?;
        Some(Found { id, customer, conversation })
    }

    /// An id of another tenant's conversation is as good as none.
    pub(super) fn of_tenant(
        state: &'a Conversations,
        id: ConversationId,
        tenant: &TenantId,
    ) -> Result<Self, Rejection> {
        let found = Found::find(state, id).filter(|found| found.customer.endpoint.tenant == *tenant);
        found.ok_or_else(|| no_conversation(id))
    }

    pub(super) fn draft(&self) -> Draft {
        Draft::of(self.customer)
    }

    /// From whoever owns it now to a queue.
    pub(super) fn wanted(
        &self,
        context: &Context,
        queue: &QueueId,
        reason: HandOffReason,
        wish: Wish,
        since: Timestamp,
    ) -> What {
        self.wanted_specially(context, queue, reason, wish, since, self.conversation.special.as_deref())
    }

    /// The same, with what is special about it said in the same decision.
    pub(super) fn wanted_specially(
        &self,
        context: &Context,
        queue: &QueueId,
        reason: HandOffReason,
        wish: Wish,
        since: Timestamp,
        named: Option<&Special>,
    ) -> What {
        let next = self.conversation.owner_epoch + 1;
        let special = special::in_queue(context, Some(self.customer), named, queue);
        let wish = wish.specially(special);
        wanted(self.id, self.customer.endpoint.channel, next, queue, reason, wish, since)
    }

    /// Where it goes from its bot: to the queue of the link that the customer came by, or to the inbox's; see
    /// [`queue_of_inbox`] for `kept`.
    pub(super) fn queue_after_bot(&self, context: &Context<'a>, kept: &'a QueueId) -> &'a QueueId {
        let of_link = || {
            let policy = context.policies.of(&self.customer.endpoint.tenant)?;
            let link = policy.links.get(self.conversation.link.as_deref()?)?;
            link.queue.as_ref().filter(|queue| policy.queues.contains_key(*queue))
        };
        of_link().unwrap_or_else(|| queue_of_inbox(context, self.customer, kept))
    }

    pub(super) fn outgoing(&self, body: Sealed, by_person: bool) -> Outgoing {
        Outgoing {
            tenant: self.customer.endpoint.tenant.clone(),
            inbox: self.customer.endpoint.inbox.clone(),
            channel: self.customer.endpoint.channel,
            to: self.customer.address.sealed(),
            body,
            thread: self.conversation.thread.as_deref().map(KeptThread::thread_of),
            by_person,
            signed: None,
            window: self.customer.window(),
        }
    }
}

/// Whom of the people a conversation waits for.
#[derive(Default)]
pub(super) struct Wish {
    agent: Option<AgentId>,
    /// That agent is waited for until then; without it, for as long as the agent is there.
    until: Option<Timestamp>,
    /// That agent asked for it.
    by_request: bool,
    /// Who had a person already goes before those who never had.
    again: bool,
    /// What it has beyond others of the queue.
    special: Option<Arc<Special>>,
}

impl Wish {
    pub(super) fn anyone() -> Self {
        Wish::default()
    }

    pub(super) fn only(agent: Option<AgentId>) -> Self {
        Wish { agent, ..Wish::default() }
    }

    /// That agent, for so long; then anyone.
    pub(super) fn of(agent: &AgentId, until: Timestamp) -> Self {
        Wish { agent: Some(agent.clone()), until: Some(until), ..Wish::default() }
    }

    /// The agent wanted is who asked.
    pub(super) fn by_request(self) -> Self {
        Wish { by_request: self.agent.is_some(), ..self }
    }

    pub(super) fn specially(self, special: Option<Arc<Special>>) -> Self {
        Wish { special, ..self }
    }

    pub(super) fn again(self) -> Self {
        Wish { again: true, ..self }
    }

    /// The agent who knows the customer from not long ago, if the queue waits for such.
    pub(super) fn familiar(context: &Context, customer: &Customer, queue: &QueueId) -> Self {
        let wish = || {
            let policy = context.policies.of(&queue.desk.tenant)?;
            let sticky = policy.queues.get(queue)?.sticky?;
            // Outside of the hours nobody is waited for.
            let is_open = policy.is_open(queue, context.now);
            let known_by = customer.known_by.as_ref()?;
            let agent = AgentId::clone(&known_by.agent);
            let still = agent.desk == queue.desk && policy.agents.contains_key(&agent);
            let recent = context.now - known_by.at <= sticky.within;
            (still && recent && is_open).then(|| Wish::of(&agent, context.now + sticky.grace))
        };
        wish().unwrap_or_default()
    }

    /// Where a closed conversation goes on, and with whom: with the agent who had it, from the queue it came from or else
    /// from the inbox's, whichever waits for such.
    pub(super) fn goes_on<'a>(
        context: &Context,
        customer: &'a Customer,
        of_inbox: &'a QueueId,
    ) -> (&'a QueueId, Self) {
        let came_from = customer.known_by.as_ref().and_then(|known_by| known_by.queue.as_deref());
        let queues = came_from.into_iter().chain([of_inbox]);
        let mut wishes = queues.map(|queue| (queue, Wish::familiar(context, customer, queue)));
        wishes.find(|(_, wish)| wish.is_for_someone()).unwrap_or((of_inbox, Wish::anyone()))
    }

    pub(super) fn is_for_someone(&self) -> bool {
        self.agent.is_some()
    }
}

/// A person is wanted.
pub(super) fn wanted(
    conversation: ConversationId,
    channel: Channel,
    owner_epoch: u32,
    queue: &QueueId,
    reason: HandOffReason,
    wish: Wish,
    since: Timestamp,
) -> What {
    What::AgentWanted {
        conversation,
        channel,
        queue: queue.clone(),
        owner_epoch,
        reason,
        since,
        again: wish.again,
        agent: wish.agent,
        agent_until: wish.until,
        by_request: wish.by_request,
        special: wish.special,
    }
}

pub(super) fn no_conversation(id: ConversationId) -> Rejection {
    Rejection::new(Code::NotFound, format!("there is no open conversation {id}"))
}

pub(super) fn is_closed() -> Rejection {
    Rejection::new(Code::Closed, "the conversation is closed")
}

/// The tenant's policy in force.
pub(super) fn policy<'a>(context: &Context<'a>, tenant: &TenantId) -> Result<&'a Policy, Rejection> {
    let policy = context.policies.of(tenant).map(|policy| &**policy);
    policy.ok_or_else(|| Rejection::new(Code::NotFound, format!("tenant {tenant} has no workspace")))
}

pub(super) fn inbox<'a>(
    policy: &'a Policy,
    tenant: &TenantId,
    inbox: &InboxId,
) -> Result<&'a policy::Inbox, Rejection> {
    policy
        .inboxes
        .get(inbox)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("tenant {tenant} has no inbox {inbox}")))
}

/// The queue of the customer's inbox; `kept` where the policy in force no longer has that inbox. A conversation
/// always has somewhere to go.
pub(super) fn queue_of_inbox<'a>(
    context: &Context<'a>,
    customer: &Customer,
    kept: &'a QueueId,
) -> &'a QueueId {
    let policy = context.policies.of(&customer.endpoint.tenant);
    policy.and_then(|policy| policy.inboxes.get(&customer.endpoint.inbox)).map_or(kept, |inbox| &inbox.queue)
}

/// `kept`, or what stands for it where the policy in force no longer has that queue.
pub(super) fn queue_still_there<'a>(
    context: &Context<'a>,
    customer: &Customer,
    kept: &'a QueueId,
) -> &'a QueueId {
    let policy = context.policies.of(&customer.endpoint.tenant);
    let is_there = policy.is_some_and(|policy| policy.queues.contains_key(kept));
    if is_there { kept } else { queue_of_inbox(context, customer, kept) }
}
