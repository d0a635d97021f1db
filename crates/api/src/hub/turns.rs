//! The turns that bots have not answered yet, and the sessions that are told of new ones. What a turn is about was received
//! before it was asked: the newest message of each conversation that a bot has is kept until the bot is asked about it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    BotId, ConversationId, InboxId, Kept, MessageId, TenantId, Timestamp, TurnId,
    conversation::{Event, What},
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Turns that may wait for one session. A session that lets more come is dropped.
const WAITING: usize = 4_096;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) turn: TurnId,
    pub(crate) tenant: TenantId,
    pub(crate) inbox: InboxId,
    pub(crate) bot: BotId,
    pub(crate) message: MessageId,
    pub(crate) content: Kept,
    pub(crate) answer_by: Timestamp,
}

/// A bot's name is its own only within its tenant.
type Whose = (TenantId, BotId);

/// The conversations that bots have, each with the message that its bot was not asked about yet.
pub(super) type Unasked = BTreeMap<ConversationId, Option<Box<(MessageId, Kept)>>>;

#[derive(Default)]
pub(super) struct Turns {
    pending: BTreeMap<TurnId, Arc<Turn>>,
    unasked: Unasked,
    sessions: HashMap<Whose, Vec<mpsc::Sender<Arc<Turn>>>>,
}

impl Turns {
    /// The turns the bot has not answered, oldest first, and those that come from there on.
    pub(super) fn join(
        &mut self,
        tenant: &TenantId,
        bot: &BotId,
    ) -> (Vec<Arc<Turn>>, mpsc::Receiver<Arc<Turn>>) {
        let (session, turns) = mpsc::channel(WAITING);
        let sessions = self.sessions.entry((tenant.clone(), bot.clone())).or_default();
        sessions.retain(|session| !session.is_closed());
        sessions.push(session);
        let mine = |turn: &&Arc<Turn>| turn.bot == *bot && turn.tenant == *tenant;
        let mut pending: Vec<_> = self.pending.values().filter(mine).cloned().collect();
        pending.sort_by_key(|turn| turn.answer_by);
        (pending, turns)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = Arc<Turn>> {
        self.pending.values().cloned()
    }

    pub(super) fn unasked(&self) -> &Unasked {
        &self.unasked
    }

    pub(super) fn restore(&mut self, pending: Vec<Arc<Turn>>, unasked: Unasked) {
        self.pending = pending.into_iter().map(|turn| (turn.turn, turn)).collect();
        self.unasked = unasked;
    }

    pub(super) fn fold(&mut self, event: &Event) {
        match &event.what {
            What::BotEngaged { conversation, .. } => {
                self.forget(*conversation);
                self.unasked.insert(*conversation, None);
            }
            What::MessageReceived { conversation, message, content, .. } => {
                if let Some(unasked) = self.unasked.get_mut(conversation) {
                    *unasked = Some(Box::new((*message, Kept::new(content))));
                }
            }
            What::TurnAsked { turn, bot, content, message, answer_by, link: _ } => {
                let unasked = self.unasked.get_mut(&turn.conversation).and_then(Option::take);
                let received = unasked.filter(|unasked| unasked.0 == *message).map(|unasked| unasked.1);
                let Some(content) = content.as_ref().map(Kept::new).or(received) else {
                    // Its time runs out, and a person gets the conversation.
                    tracing::error!(%turn, %message, "a bot is asked about a message that was not received before");
                    return;
                };
                let asked = Arc::new(Turn {
                    turn: *turn,
                    tenant: event.tenant.clone(),
                    inbox: event.inbox.clone(),
                    bot: bot.clone(),
                    message: *message,
                    content,
                    answer_by: *answer_by,
                });
                self.pending.insert(*turn, asked.clone());
                self.tell(asked);
            }
            What::TurnAnswered { turn } => {
                self.pending.remove(turn);
            }
            // Another owner: what the former one was asked is not waited for any more.
            What::AgentWanted { conversation, .. }
            | What::Assigned { conversation, .. }
            | What::Closed { conversation, .. } => {
                self.forget(*conversation);
                self.unasked.remove(conversation);
            }
            _ => {}
        }
    }

    /// The inbox of a turn that is not answered.
    pub(super) fn inbox(&self, turn: TurnId) -> Option<InboxId> {
        self.pending.get(&turn).map(|turn| turn.inbox.clone())
    }

    fn forget(&mut self, conversation: ConversationId) {
        let first = TurnId { conversation, owner_epoch: 0, number: 0 };
        let last = TurnId { conversation, owner_epoch: u32::MAX, number: u32::MAX };
        while let Some((turn, _)) = self.pending.range(first..=last).next() {
            let turn = *turn;
            self.pending.remove(&turn);
        }
    }

    fn tell(&mut self, turn: Arc<Turn>) {
        let whose = (turn.tenant.clone(), turn.bot.clone());
        let Some(sessions) = self.sessions.get_mut(&whose) else { return };
        sessions.retain(|session| session.try_send(turn.clone()).is_ok());
        if sessions.is_empty() {
            self.sessions.remove(&whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Party, Sealed, conversation::MessageKind};

    use super::*;

    const CONVERSATION: ConversationId = ConversationId { party: Party([9; 16]), number: 1 };

    fn message(n: u8) -> MessageId {
        MessageId([n; 16])
    }

    fn received(n: u8) -> What {
        What::MessageReceived {
            conversation: CONVERSATION,
            message: message(n),
            kind: MessageKind::Message,
            content: Sealed { subject: CONVERSATION.party, bytes: vec![n; 3].into() },
            thread: None,
            sent_at: Timestamp(1),
            authenticated: true,
            marks: None,
            people_only: false,
            reply_to: None,
            referral: None,
        }
    }

    fn asked(number: u32, n: u8) -> What {
        let turn = TurnId { conversation: CONVERSATION, owner_epoch: 1, number };
        let bot = "helper".parse().unwrap();
        What::TurnAsked { turn, bot, content: None, message: message(n), answer_by: Timestamp(9), link: None }
    }

    fn answered(number: u32) -> What {
        What::TurnAnswered { turn: TurnId { conversation: CONVERSATION, owner_epoch: 1, number } }
    }

    fn engaged() -> What {
        let queue = "acme/desk/all".parse().unwrap();
        What::BotEngaged { conversation: CONVERSATION, bot: "helper".parse().unwrap(), owner_epoch: 1, queue }
    }

    fn closed() -> What {
        use domain::conversation::{CloseReason, Closer};
        let by = Closer::Bot("helper".parse().unwrap());
        What::Closed { conversation: CONVERSATION, by, reason: CloseReason::Done }
    }

    /// What the bot is asked about after these, if it is asked. The hub is stopped and started again after each of them.
    fn open_after(story: impl IntoIterator<Item = What>) -> Option<Vec<u8>> {
        let mut turns = Turns::default();
        for what in story {
            let (tenant, inbox) = ("acme".parse().unwrap(), "chat".parse().unwrap());
            turns.fold(&Event { tenant, inbox, what });
            let kept = (turns.pending().collect::<Vec<_>>(), turns.unasked());
            let (pending, unasked) = postcard::from_bytes(&postcard::to_allocvec(&kept).unwrap()).unwrap();
            turns = Turns::default();
            turns.restore(pending, unasked);
        }
        turns.pending().next().map(|turn| turn.content.sealed().bytes.to_vec())
    }

    #[test]
    fn a_turn_says_what_was_received_before_it() {
        assert_eq!(open_after([engaged(), received(1), asked(1, 1)]), Some(vec![1; 3]));
        let thinks = [engaged(), received(1), asked(1, 1), received(2), received(3)];
        assert_eq!(open_after(thinks.clone()), Some(vec![1; 3]));
        assert_eq!(open_after(thinks.clone().into_iter().chain([answered(1)])), None);
        assert_eq!(open_after(thinks.into_iter().chain([answered(1), asked(2, 3)])), Some(vec![3; 3]));
    }

    #[test]
    fn what_no_bot_will_be_asked_about_is_not_kept() {
        let mut turns = Turns::default();
        let (tenant, inbox): (TenantId, InboxId) = ("acme".parse().unwrap(), "chat".parse().unwrap());
        for what in [received(1), engaged(), received(2), closed(), received(3)] {
            turns.fold(&Event { tenant: tenant.clone(), inbox: inbox.clone(), what });
        }
        assert!(turns.unasked().is_empty());
    }
}
