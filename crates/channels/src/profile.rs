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
}

/// The settings it is read from.
pub const SETTINGS: [&str; 5] = ["region", "words", "stop_words", "start_words", "help_words"];

/// Put in [`Fact::payload`] where a customer asks who writes and how to make it end.
pub const HELP: &str = "help";

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
        Ok(Profile { region, words })
    }

    /// Equal numbers become equal addresses, and a message that is nothing but one of the words what it means. A platform
    /// that has said so itself is believed.
    pub fn apply(&self, fact: &mut Fact) {
        fact.address = self.address(&fact.address);
        if fact.kind != FactKind::Message || !fact.attachments.is_empty() {
            return;
        }
        match fact.text.as_deref().and_then(|text| self.words.meaning(text)) {
            Some(Word::Stop) => fact.kind = FactKind::OptOut,
            Some(Word::Start) => fact.kind = FactKind::Optin,
            Some(Word::Help) => fact.payload = Some(HELP.to_owned()),
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
}
