//! Why a conversation went to whom it went to, as a story: from what its own partition decided and what the desks did. One
//! story, for callers of the API and for the command line alike.

mod read;
mod story;

use domain::{ConversationId, Timestamp, conversation, desk};

pub(crate) use read::read;

/// What is told of one conversation, in the order in which it is heard.
#[derive(Debug)]
pub struct Story {
    id: ConversationId,
    is_known: bool,
    told: Vec<(Timestamp, String)>,
}

impl Story {
    pub fn of(id: ConversationId) -> Self {
        Story { id, is_known: false, told: Vec::new() }
    }

    /// Something happened to conversations, decided at that time. Others are passed over.
    pub fn hear(&mut self, at: Timestamp, event: &conversation::Event) {
        if event.conversation() == Some(self.id) {
            self.is_known = true;
            self.told.extend(story::of(event).map(|sentence| (at, sentence)));
        }
    }

    /// Something happened at a desk.
    pub fn hear_desk(&mut self, at: Timestamp, event: &desk::Event) {
        let sentence = story::at_desk(self.id, event).flatten();
        self.told.extend(sentence.map(|sentence| (at, sentence)));
    }

    /// Whether anything at all was heard of the conversation itself.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// One sentence for everything that bears on who had it, oldest first. Each log must have been heard in its order.
    pub fn sentences(mut self) -> Vec<(Timestamp, String)> {
        // A conversation and its desk tell each other, so what follows is never decided before what it follows from; the
        // sort keeps the order of each log.
        self.told.sort_by_key(|(at, _)| *at);
        self.told
    }
}
