//! Who greets: a program, and what it says.

use serde::{Deserialize, Serialize};

use crate::{HoursId, Millis};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bot {
    /// A bot that has not answered a turn after this long loses the conversation to the queue.
    pub answer_within: Millis,
    pub kind: BotKind,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BotKind {
    /// Tributary's own bot, following this flow.
    BuiltIn(Flow),
    /// Someone's bot, connected to the `Bots` stream.
    Stream,
}

/// What the built-in bot says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// The answer to the first message of a conversation, unless something more fitting matches.
    pub greeting: Option<String>,
    /// Offered for tapping with the greeting.
    pub quick_replies: Vec<String>,
    pub answers: Vec<KeywordAnswer>,
    /// Phrases (or payloads) by which a customer asks for a person. Matched without regard to case.
    pub person_words: Vec<String>,
    /// Said when the conversation is handed to a person.
    pub hand_off_text: Option<String>,
    /// Within these hours people are there; outside `away_text` is said when someone asks for a person.
    pub hours: Option<HoursId>,
    pub away_text: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeywordAnswer {
    /// Any of these words in the message, without regard to case.
    pub words: Vec<String>,
    pub text: String,
}
