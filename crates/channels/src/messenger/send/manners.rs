//! How an inbox behaves towards customers and the platform, as its settings say.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::conversation::{AFTER_WINDOW, AfterWindow};

/// The setting that says that the app may use the tag for what a person writes.
pub const HUMAN_AGENT: &str = "human_agent";

/// The settings that [`Manners::read`] knows, and what the conversation itself reads.
pub const SETTINGS: [&str; 7] =
    [AFTER_WINDOW, HUMAN_AGENT, "persona_picture", "rate", "seen", "typing", "unknown_outcome"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Messages a second, where that is not what the platform allows in general.
    pub rate: Option<u32>,
    /// The app may use the tag for what a person writes after the window.
    pub human_agent: bool,
    /// The customer sees that a message was read, before it is answered.
    pub seen: bool,
    /// A bot's answer is announced so long before, as somebody who types.
    pub typing: Duration,
    /// Messenger: where an agent's picture is, `{name}` standing for the name. Agents are shown by name where it is set.
    pub persona_picture: Option<String>,
    /// What was perhaps taken is sent again, and perhaps seen twice.
    pub resends_unknown: bool,
}

impl Manners {
    /// # Errors
    /// With the setting's name and what is wrong with it.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Manners, (&'static str, String)> {
        let word = |key: &str| settings.get(key).map(|word| word.trim());
        let number = |key: &'static str, most: u32| match word(key) {
            None => Ok(None),
            Some(word) => match word.parse::<u32>() {
                Ok(number) if number <= most => Ok(Some(number)),
                _ => Err((key, format!("a whole number, {most} at most"))),
            },
        };
        let flag = |key: &'static str| match word(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err((key, "`true` or `false`".to_owned())),
        };
        if let Some(rule) = word(AFTER_WINDOW) {
            AfterWindow::read(rule).map_err(|why| (AFTER_WINDOW, why))?;
        }
        let picture = word("persona_picture");
        if picture.is_some_and(|url| !url.starts_with("https://")) {
            return Err(("persona_picture", "an address that begins with `https://`".to_owned()));
        }
        Ok(Manners {
            rate: number("rate", 1_000_000)?.filter(|rate| *rate > 0),
            human_agent: flag(HUMAN_AGENT)?,
            seen: flag("seen")?,
            typing: Duration::from_secs(number("typing", 20)?.unwrap_or_default().into()),
            persona_picture: picture.map(str::to_owned),
            resends_unknown: match word("unknown_outcome") {
                None | Some("hold") => false,
                Some("resend") => true,
                Some(_) => return Err(("unknown_outcome", "`hold` or `resend`".to_owned())),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Manners, (&'static str, String)> {
        let owned = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Manners::read(&owned.collect())
    }

    #[test]
    fn nothing_said_is_the_careful_way() {
        assert_eq!(read(&[]).unwrap(), Manners::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (key, value) in [
            (AFTER_WINDOW, "whatever"),
            ("rate", "fast"),
            (HUMAN_AGENT, "yes"),
            ("seen", "1"),
            ("typing", "21"),
            ("persona_picture", "ada.png"),
            ("unknown_outcome", "maybe"),
        ] {
            assert_eq!(read(&[(key, value)]).unwrap_err().0, key);
        }
        for key in SETTINGS {
            assert!(key == AFTER_WINDOW || read(&[(key, "…")]).is_err(), "{key} is read");
        }
    }
}
