//! What a message shows beyond its text, where the channel can: buttons, cards, a list to choose from, or a template that
//! the platform has approved.

use serde::Serialize;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Rich {
    /// Under the text.
    pub buttons: Vec<Button>,
    /// Side by side, instead of a text.
    pub cards: Vec<Card>,
    /// Under the text, opened by a tap.
    pub list: Option<ChoiceList>,
    /// Instead of a text.
    pub template: Option<Template>,
    /// What the platform knows of the customer, and tells us once the customer taps on it.
    pub asks: Vec<AskFor>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Button {
    pub title: String,
    pub does: ButtonDoes,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonDoes {
    /// Opens this page.
    Open(String),
    /// Comes back to us, with this payload.
    Post(String),
    /// Calls this number.
    Call(String),
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Card {
    pub title: String,
    pub subtitle: Option<String>,
    /// Where its picture is.
    pub image: Option<String>,
    pub buttons: Vec<Button>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChoiceList {
    /// What the button says that opens it.
    pub button: String,
    pub rows: Vec<Choice>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Choice {
    /// What comes back when it is chosen.
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

/// A text that the platform has approved, with what is filled in.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Template {
    pub name: String,
    /// As the platform writes it: `en_US`.
    pub language: String,
    /// For the places of its body, in order.
    pub parameters: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AskFor {
    Email,
    Phone,
}
