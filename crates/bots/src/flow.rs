//! What the built-in bot says to a turn. Pure: the same turn gets the same answer.

use domain::policy::Flow;

/// A turn, as the bot sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub text: &'a str,
    /// The machine-readable part of a tap.
    pub payload: Option<&'a str>,
    /// It is the first turn of its conversation.
    pub first: bool,
    /// What is to be said to who came by a link, instead of a greeting.
    pub to_link: Option<&'a str>,
    /// People are there now.
    pub open: bool,
}

/// The bot's answer: at most one message, and whether a person takes over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    pub text: Option<String>,
    pub quick_replies: Vec<String>,
    pub hand_off: bool,
}

/// A wish for a person comes before everything else, a matching keyword before what greets.
pub fn answer(flow: &Flow, asked: Asked) -> Said {
    let text = words_of(asked.text);
    let payload = asked.payload.map(words_of).unwrap_or_default();
    let says = |phrase: &String| {
        let phrase = words_of(phrase);
        contains(&text, &phrase) || contains(&payload, &phrase)
    };
    if flow.person_words.iter().any(says) {
        let text = if asked.open { &flow.hand_off_text } else { flow_away(flow) };
        return Said { text: text.clone(), hand_off: true, ..Said::default() };
    }
    if let Some(found) = flow.answers.iter().find(|answer| answer.words.iter().any(says)) {
        return Said { text: Some(found.text.clone()), ..Said::default() };
    }
    if let Some(text) = asked.to_link {
        let quick_replies = flow.quick_replies.clone();
        return Said { text: Some(text.to_owned()), quick_replies, hand_off: false };
    }
    if asked.first {
        return Said {
            text: flow.greeting.clone(),
            quick_replies: flow.quick_replies.clone(),
            hand_off: false,
        };
    }
    Said::default()
}

/// What is said when nobody is there; the hand-off text where no away text is configured.
fn flow_away(flow: &Flow) -> &Option<String> {
    if flow.away_text.is_some() { &flow.away_text } else { &flow.hand_off_text }
}

/// Lower case, words only: punctuation and the amount of white space do not matter.
fn words_of(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '\'' || c == '_';
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether the phrase stands in the text, word by word.
fn contains(text: &[String], phrase: &[String]) -> bool {
    !phrase.is_empty() && text.windows(phrase.len()).any(|window| window == phrase)
}

#[cfg(test)]
mod tests {
    use domain::policy::KeywordAnswer;

    use super::*;

    fn flow() -> Flow {
        Flow {
            greeting: Some("Welcome!".into()),
            quick_replies: vec!["I want a person".into()],
            answers: vec![KeywordAnswer {
                words: vec!["opening hours".into()],
                text: "Nine to five.".into(),
            }],
            person_words: vec!["person".into(), "human".into(), "HUMAN_AGENT".into()],
            hand_off_text: Some("One moment.".into()),
            hours: None,
            away_text: Some("We are back at nine.".into()),
        }
    }

    fn says(text: &str, first: bool) -> Said {
        answer(&flow(), Asked { text, payload: None, first, to_link: None, open: true })
    }

    #[test]
    fn the_first_message_is_greeted_with_one_message() {
        let said = says("Hello", true);
        assert_eq!(said.text.as_deref(), Some("Welcome!"));
        assert_eq!(said.quick_replies, ["I want a person"]);
        assert!(!said.hand_off);
    }

    #[test]
    fn a_later_message_that_nothing_matches_gets_no_answer() {
        assert_eq!(says("Thank you", false), Said::default());
    }

    #[test]
    fn who_asks_for_a_person_gets_one_whatever_else_matches() {
        for text in ["I want a person", "a PERSON, please!", "opening hours of a human?"] {
            let said = says(text, true);
            assert!(said.hand_off, "{text}");
            assert_eq!(said.text.as_deref(), Some("One moment."));
        }
        let tapped = answer(
            &flow(),
            Asked { text: "Talk", payload: Some("HUMAN_AGENT"), first: false, to_link: None, open: true },
        );
        assert!(tapped.hand_off);
    }

    #[test]
    fn words_are_whole_words() {
        assert!(!says("I have a personal question", false).hand_off);
        assert_eq!(says("Your Opening  Hours?", true).text.as_deref(), Some("Nine to five."));
    }

    #[test]
    fn who_comes_by_a_link_is_spoken_to_about_that_and_gets_a_person_all_the_same() {
        let says = |text, first| {
            answer(&flow(), Asked { text, payload: None, first, to_link: Some("The offer!"), open: true })
        };
        for first in [true, false] {
            assert_eq!(says("Hello", first).text.as_deref(), Some("The offer!"));
        }
        assert!(says("a person, please", true).hand_off);
        assert_eq!(says("opening hours?", true).text.as_deref(), Some("Nine to five."));
    }

    #[test]
    fn when_nobody_is_there_the_customer_is_told_and_still_waits_for_a_person() {
        let said =
            answer(&flow(), Asked { text: "human", payload: None, first: true, to_link: None, open: false });
        assert_eq!(said.text.as_deref(), Some("We are back at nine."));
        assert!(said.hand_off);
    }
}
