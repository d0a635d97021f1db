//! The turns that bots have not answered yet, and the sessions that are told of new ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    BotId, ConversationId, InboxId, MessageId, Sealed, TenantId, Timestamp, TurnId,
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
    pub(crate) content: Sealed,
    pub(crate) answer_by: Timestamp,
}

/// A bot's name is its own only within its tenant.
type Whose = (TenantId, BotId);

#[derive(Default)]
pub(super) struct Turns {
    pending: BTreeMap<TurnId, Arc<Turn>>,
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

    pub(super) fn restore(&mut self, pending: Vec<Arc<Turn>>) {
        self.pending = pending.into_iter().map(|turn| (turn.turn, turn)).collect();
    }

    pub(super) fn fold(&mut self, event: &Event) {
        match &event.what {
            What::TurnAsked { turn, bot, content, message, answer_by } => {
                let asked = Arc::new(Turn {
                    turn: *turn,
                    tenant: event.tenant.clone(),
                    inbox: event.inbox.clone(),
                    bot: bot.clone(),
                    message: *message,
                    content: content.clone(),
                    answer_by: *answer_by,
                });
                self.pending.insert(*turn, asked.clone());
                self.tell(asked);
            }
            What::TurnAnswered { turn } => {
                self.pending.remove(turn);
            }
            // Another owner: what the former one was asked is not waited for any more.
            What::BotEngaged { conversation, .. }
            | What::AgentWanted { conversation, .. }
            | What::Assigned { conversation, .. }
            | What::Closed { conversation, .. } => self.forget(*conversation),
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
