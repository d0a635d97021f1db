//! Customers who come by a link of the workspace: where it leads, who speaks first, and whose contact they are.
//!
//! A platform tells of a link with the customer's first message, or, to whom we have spoken before, on its own. Then nothing
//! is asked yet: only a bot with something to say to it speaks first; otherwise the link waits for the customer's message.

use crate::{
    BotId, Context, ConversationId, InboxId, LinkId, MessageId, Millis, Party, Policy, QueueId, Sealed,
    TenantId, Timestamp, TurnId,
    policy::{BotKind, Link},
};

use super::{
    Conversations, Correspondent, Customer, Entry, Event, HandOffReason, Owner, ShownToken, Token, Untied,
    What, bots,
    draft::{Draft, Found, Wish, policy},
};

/// A message this long after a link was followed is still about that.
const COUNTS_FOR: Millis = Millis::hours(24);

/// A link that a customer came by.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) id: &'a LinkId,
    pub(super) link: &'a Link,
    /// It is news: what it gives is not given yet.
    is_new: bool,
}

impl<'a> Way<'a> {
    /// The link that a message came by: its own, or one that was followed shortly before.
    pub(super) fn of_message(
        context: &Context,
        policy: &'a Policy,
        inbox: &InboxId,
        customer: Option<&'a Customer>,
        entry: Option<&'a Entry>,
    ) -> Option<Way<'a>> {
        let followed = entry.and_then(|entry| entry.link.as_ref());
        let before = customer.and_then(|customer| customer.entered.as_deref());
        let before = before.filter(|entered| context.now - entered.at <= COUNTS_FOR).map(|it| &it.link);
        Way::known(policy, inbox, followed, true).or_else(|| Way::known(policy, inbox, before, false))
    }

    fn known(policy: &'a Policy, inbox: &InboxId, id: Option<&'a LinkId>, is_new: bool) -> Option<Way<'a>> {
        let id = id?;
        let link = policy.links.get(id).filter(|link| link.inbox == *inbox)?;
        Some(Way { id, link, is_new })
    }

    pub(super) fn entered(&self, party: Party, conversation: Option<ConversationId>) -> What {
        let tags = if self.is_new { self.link.tags.clone() } else { Vec::new() };
        What::Entered { party, conversation, link: self.id.clone(), tags }
    }

    /// Who greets, where `usual` does otherwise.
    pub(super) fn greeter(&self, usual: Option<&'a BotId>) -> Option<&'a BotId> {
        match self.link.people_only {
            true => None,
            false => self.link.bot.as_ref().or(usual),
        }
    }

    /// The link, for a turn: there is something to say to it.
    pub(super) fn to_speak_to(&self) -> Option<LinkId> {
        self.link.first_message.as_ref().map(|_| self.id.clone())
    }

    /// Takes an open conversation where the link leads, unless a person has it. The bot to ask now, if one has it and is not
    /// thinking, and under which owner epoch.
    pub(super) fn take_over(
        &self,
        context: &Context,
        found: &Found<'a>,
        draft: &mut Draft,
    ) -> Option<(&'a BotId, u32)> {
        let id = found.id;
        let owner_epoch = found.conversation.owner_epoch;
        match found.conversation.owner()? {
            Owner::Bot { bot, turn: None, queue } => {
                let to = self.link.queue.as_ref().unwrap_or(queue);
                let Some(greeter) = self.greeter(Some(bot)) else {
                    draft.push(self.wanted(context, found, to, context.now));
                    return None;
                };
                if greeter == bot {
                    return Some((bot, owner_epoch));
                }
                let (bot, queue, owner_epoch) = (greeter.clone(), QueueId::clone(to), owner_epoch + 1);
                draft.push(What::BotEngaged { conversation: id, bot, owner_epoch, queue });
                Some((greeter, owner_epoch))
            }
            Owner::Queue { queue, since, .. } => {
                let to = self.link.queue.as_ref().filter(|to| **to != **queue)?;
                let queue = QueueId::clone(queue);
                draft.push(What::Withdrawn { conversation: id, queue, owner_epoch });
                draft.push(self.wanted(context, found, to, *since));
                None
            }
            Owner::Bot { .. } | Owner::Agent { .. } | Owner::Snoozed { .. } => None,
        }
    }

    fn wanted(&self, context: &Context, found: &Found, to: &QueueId, since: Timestamp) -> What {
        let wish = Wish::familiar(context, found.customer, to);
        found.wanted(context, to, HandOffReason::Entered, wish, since)
    }
}

/// The customer followed a link, and has said nothing.
pub(super) fn follow(
    state: &Conversations,
    context: &Context,
    from: &Correspondent,
    message: MessageId,
    content: Option<&Sealed>,
    entry: &Entry,
) -> Vec<Event> {
    let mut draft = Draft::at(from);
    let customer = state.customer(from.party);
    if let Ok(policy) = policy(context, &from.tenant)
        && let Some(way) = Way::known(policy, &from.inbox, entry.link.as_ref(), true)
    {
        let says = way.to_speak_to().zip(content);
        match customer.and_then(|customer| open(state, from.party, customer)) {
            Some(found) => {
                draft.push(way.entered(from.party, Some(found.id)));
                let asked = way.take_over(context, &found, &mut draft);
                if let (Some((bot, owner_epoch)), Some((link, content))) = (asked, says)
                    && is_built_in(policy, bot)
                {
                    let number = found.conversation.turns + 1;
                    let turn = TurnId { conversation: found.id, owner_epoch, number };
                    let content = Some(content.clone());
                    draft.push(bots::ask(context, &from.tenant, bot, turn, message, content, Some(link)));
                }
            }
            None => {
                let usual = policy.inboxes.get(&from.inbox);
                let greeter = way.greeter(usual.and_then(|inbox| inbox.bot.as_ref()));
                let greeter = greeter.filter(|bot| is_built_in(policy, bot));
                let is_elsewhere =
                    |customer: &Customer| customer.thread().is_some_and(|thread| thread.elsewhere);
                let wants_it = customer.is_none_or(|customer| !customer.opted_out && !is_elsewhere(customer));
                match (greeter, says, usual) {
                    (Some(bot), Some((link, content)), Some(inbox)) if wants_it => {
                        let latest = customer.and_then(|customer| customer.latest.as_ref());
                        let number = latest.map_or(1, |latest| latest.number + 1);
                        let id = ConversationId { party: from.party, number };
                        draft.push(What::Opened { conversation: id, policy_version: policy.version });
                        draft.push(way.entered(from.party, Some(id)));
                        let queue = way.link.queue.as_ref().unwrap_or(&inbox.queue).clone();
                        let engaged =
                            What::BotEngaged { conversation: id, bot: bot.clone(), owner_epoch: 1, queue };
                        draft.push(engaged);
                        let turn = TurnId { conversation: id, owner_epoch: 1, number: 1 };
                        let content = Some(content.clone());
                        draft.push(bots::ask(context, &from.tenant, bot, turn, message, content, Some(link)));
                    }
                    _ => draft.push(way.entered(from.party, None)),
                }
            }
        }
    }
    show(&mut draft, from.party, customer, Some(entry));
    draft.finish()
}

/// A token in the link is for the ledger to judge, unless nobody could.
pub(super) fn show(draft: &mut Draft, party: Party, customer: Option<&Customer>, entry: Option<&Entry>) {
    match entry.and_then(|entry| entry.token.as_ref()) {
        None => {}
        Some(ShownToken::Ours(token)) => draft.push(What::TokenShown { party, token: token.clone() }),
        Some(ShownToken::Unknown) => {
            let conversation = customer.and_then(|customer| open_id(party, customer));
            draft.push(What::NotTied { party, conversation, because: Untied::Unknown });
        }
    }
}

/// What the ledger made of a token.
pub(super) fn tied(
    state: &Conversations,
    tenant: &TenantId,
    party: Party,
    token: &Token,
    refused: Option<Untied>,
) -> Vec<Event> {
    let customer = state.customer(party).filter(|customer| customer.endpoint.tenant == *tenant);
    let Some(customer) = customer else { return Vec::new() };
    let conversation = open_id(party, customer);
    let what = match refused {
        // What the token is about is its contact's business, and nobody else's.
        Some(because) => What::NotTied { party, conversation, because },
        None => What::Tied {
            party,
            conversation,
            contact: token.contact,
            message: token.message,
            about: token.about.clone(),
        },
    };
    Draft::of(customer).and(what).finish()
}

fn open_id(party: Party, customer: &Customer) -> Option<ConversationId> {
    let latest = customer.latest.as_ref().filter(|latest| latest.owner().is_some())?;
    Some(ConversationId { party, number: latest.number })
}

fn open<'a>(state: &'a Conversations, party: Party, customer: &Customer) -> Option<Found<'a>> {
    Found::find(state, open_id(party, customer)?)
}

fn is_built_in(policy: &Policy, bot: &BotId) -> bool {
    policy.bots.get(bot).is_some_and(|bot| matches!(bot.kind, BotKind::BuiltIn(_)))
}
