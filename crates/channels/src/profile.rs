//! What every inbox of short messages knows, whoever carries them: where its numbers are from, and which words stop it.
//! Applied to facts on their way from a `normalize` to the intake.

use std::collections::BTreeMap;

use sms::{Address, Region, Word, Words};

use crate::{Fact, FactKind};

/// One inbox's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    pub region: Option<Region>,
    words: Words,
    /// What HELP is answered with; none: it is a message like any other.
    help: Option<String>,
}

/// The settings it is read from.
pub const SETTINGS: [&str; 7] =
    ["region", "words", "stop_words", "start_words", "help_words", "help_answer", "business"];

/// In [`Fact::answer`]: where the business's name stands.
pub(crate) const BUSINESS: &str = "{business}";

/// Put in [`Fact::payload`] where a customer asks who writes and how to make it end.
pub const HELP: &str = "help";

/// Who writes, how to reach a person, how to make it end, and what it costs: what operators want to be told.
const ANSWER: &str = "{business}: write here what we can do for you, and we will answer. Reply STOP for no more messages, \
                      START to get them again. Msg & data rates may apply.";
/// In segments: it is an answer, not a brochure.
const LONGEST: usize = 4;

impl Profile {
    /// # Errors
    /// The setting that cannot be, and why.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Profile, (&'static str, String)> {
        let region = settings.get("region").map(|region| region.parse::<Region>()).transpose();
        let region = region.map_err(|error| ("region", error.to_string()))?;
        let mut words = match settings.get("words").map(String::as_str) {
            None | Some("country") => Words::of(region),
            Some("none") => Words::none(),
            Some(other) => return Err(("words", format!("{other:?}: it is `country` or `none`"))),
        };
        let own = [("stop_words", Word::Stop), ("start_words", Word::Start), ("help_words", Word::Help)];
        for (setting, meaning) in own {
            let listed = settings.get(setting).map_or("", String::as_str).split(',');
            for word in listed.map(str::trim).filter(|word| !word.is_empty()) {
                words = words.with(meaning, word);
            }
        }
        let help = match settings.get("help_answer").map(String::as_str) {
            Some("none") => None,
            Some(text) if text.trim().is_empty() => {
                return Err(("help_answer", "it is a text, or `none`".to_owned()));
            }
            Some(text) if sms::Options::default().count(text).segments > LONGEST => {
                return Err(("help_answer", format!("it takes more than {LONGEST} short messages")));
            }
            Some(text) => Some(text),
            None => Some(ANSWER),
        };
        let help = help.map(|text| match settings.get("business") {
            Some(business) => text.replace(BUSINESS, business),
            None => text.to_owned(),
        });
        Ok(Profile { region, words, help })
    }

    /// Equal numbers become equal addresses, and a message that is nothing but one of the words what it means. A platform
    /// that has said so itself is believed.
    pub fn apply(&self, fact: &mut Fact) {
        fact.address = self.address(&fact.address);
        // A platform that says it is HELP has answered.
        if fact.kind != FactKind::Message || !fact.attachments.is_empty() || fact.payload.is_some() {
            return;
        }
        match fact.text.as_deref().and_then(|text| self.words.meaning(text)) {
            Some(Word::Stop) => fact.kind = FactKind::OptOut,
            Some(Word::Start) => fact.kind = FactKind::Optin,
            Some(Word::Help) => {
                fact.payload = Some(HELP.to_owned());
                fact.answer = self.help.clone();
            }
            None => {}
        }
    }

    /// As it names a party: numbers in E.164. What stands before a colon, such as `whatsapp:`, stays.
    pub fn address(&self, text: &str) -> String {
        match text.split_once(':') {
            Some((channel, number)) => {
                format!("{channel}:{}", Address::read(number, self.region).into_string())
            }
            None => Address::read(text, self.region).into_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channel;

    fn profile(settings: &[(&str, &str)]) -> Result<Profile, (&'static str, String)> {
        Profile::read(&settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    fn applied(profile: &Profile, address: &str, text: &str) -> Fact {
        let mut fact = Fact::new(FactKind::Message, Channel::Sms, "sms", address);
        fact.text = Some(text.to_owned());
        profile.apply(&mut fact);
        fact
    }

    #[test]
    fn numbers_are_one_however_they_are_written_and_words_mean_something() {
        let german = profile(&[("region", "DE")]).unwrap();
        assert_eq!(applied(&german, "0151 12345678", "hi").address, "+4915112345678");
        assert_eq!(applied(&german, "whatsapp:+49 151 12345678", "hi").address, "whatsapp:+4915112345678");
        assert_eq!(applied(&german, "ACME", "hi").address, "ACME");
        assert_eq!(applied(&german, "1", "Stopp!").kind, FactKind::OptOut);
        assert_eq!(applied(&german, "1", "start").kind, FactKind::Optin);
        let help = applied(&german, "1", "Hilfe");
        assert_eq!((help.kind, help.payload.as_deref()), (FactKind::Message, Some(HELP)));
        assert!(help.answer.is_some_and(|text| text.starts_with("{business}: ") && text.contains("STOP")));
        assert_eq!(applied(&german, "1", "Stopp the parcel").kind, FactKind::Message);
    }

    #[test]
    fn an_inbox_may_have_words_of_its_own_or_none() {
        let own = profile(&[("words", "none"), ("stop_words", "genug, Schluss jetzt")]).unwrap();
        assert_eq!(applied(&own, "1", "STOP").kind, FactKind::Message);
        assert_eq!(applied(&own, "1", "schluss  JETZT").kind, FactKind::OptOut);
        assert_eq!(profile(&[("region", "Mars")]).unwrap_err().0, "region");
        assert_eq!(profile(&[("words", "some")]).unwrap_err().0, "words");
    }

    #[test]
    fn help_is_answered_in_the_business_s_own_words_or_by_nobody() {
        let answer = |settings: &[(&str, &str)]| applied(&profile(settings).unwrap(), "1", "help").answer;
        let answered = answer(&[("business", "Acme Inc.")]).unwrap();
        assert!(answered.starts_with("Acme Inc.: "), "{answered}");
        assert_eq!(sms::Options::default().count(&answered).segments, 1, "{answered}");
        let own = ("help_answer", "{business} here. STOP ends this.");
        assert_eq!(answer(&[own, ("business", "Acme")]).unwrap(), "Acme here. STOP ends this.");
        assert_eq!(answer(&[("help_answer", "none")]), None);
        for text in ["", " ", &"long ".repeat(200)] {
            assert_eq!(profile(&[("help_answer", text)]).unwrap_err().0, "help_answer");
        }
        // The platform has answered already.
        let mut fact = Fact::new(FactKind::Message, Channel::Sms, "sms", "1");
        (fact.text, fact.payload) = (Some("help".to_owned()), Some(HELP.to_owned()));
        profile(&[]).unwrap().apply(&mut fact);
        assert_eq!(fact.answer, None);
    }
}
