//! An inbox's connection to its message centre, as `workspace.toml` says it.

use std::{collections::BTreeMap, time::Duration};

use sms::{Coding, Options};

use super::message::Reading;

/// Everything about one inbox's binds.
#[derive(Clone, Debug)]
pub struct Config {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// What a certificate may lead to besides the web's roots: PEM. No setting says so.
    pub ca: Option<String>,
    pub system_id: String,
    pub password: String,
    pub system_type: String,
    /// A transmitter and a receiver each time, instead of a transceiver.
    pub apart: bool,
    pub binds: usize,
    /// Messages under way on one bind.
    pub window: usize,
    /// Messages a second over all binds; none: as many as the message centre takes.
    pub rate: Option<u32>,
    /// Between messages, and between `enquire_link`s where there are none.
    pub enquire: Duration,
    /// For an answer.
    pub patience: Duration,
    /// Sends again what nobody knows the outcome of: it may arrive twice.
    pub resend: bool,
    /// Our own address.
    pub from: String,
    pub(super) long: Long,
    pub(super) ids: Ids,
    pub(super) options: Options,
    pub(super) reading: Reading,
}

/// How a text that is too long for one message goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Long {
    /// In parts with a user data header each.
    Header,
    /// In parts told by TLVs.
    Sar,
    /// As one, for the message centre to cut.
    Payload,
}

/// How the id in a receipt is written, compared with the one that a message was answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ids {
    Same,
    /// Answered in hexadecimal, told in decimal.
    Decimal,
    /// Answered in decimal, told in hexadecimal.
    Hexadecimal,
}

/// The settings, besides those of every SMS inbox.
pub const SETTINGS: [&str; 16] = [
    "smpp",
    "tls",
    "system_id",
    "password",
    "system_type",
    "bind",
    "binds",
    "window",
    "rate",
    "enquire_link",
    "response_timeout",
    "unknown",
    "long",
    "receipt_ids",
    "alphabet",
    "national",
];

/// A setting that cannot be, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting} = {value:?}: {why}")]
pub struct Wrong {
    pub setting: &'static str,
    pub value: String,
    pub why: String,
}

impl Config {
    /// Reads the settings of an inbox at `from`; `region` is its default one. The password is not looked up here.
    ///
    /// # Errors
    /// The first setting that cannot be.
    pub fn read(
        from: &str,
        region: Option<sms::Region>,
        password: String,
        settings: &BTreeMap<String, String>,
    ) -> Result<Config, Wrong> {
        let settings = Settings(settings);
        let server = settings.text("smpp");
        let place = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = place
            .filter(|(host, port)| !host.is_empty() && *port != 0)
            .ok_or_else(|| settings.wrong("smpp", "it is HOST:PORT"))?;
        let system_id = settings.text("system_id");
        if system_id.is_empty() || system_id.len() > 15 {
            return Err(settings.wrong("system_id", "it has 1 to 15 characters"));
        }
        let options = Options::read(settings.0).map_err(|(setting, why)| settings.wrong(setting, &why))?;
        let default = if options.latin1 { Coding::Latin1 } else { Coding::Gsm7 };
        let rate = settings.number("rate", 0, 0..=100_000)?;
        Ok(Config {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls: settings.one_of("tls", &[("no", false), ("yes", true)])?,
            ca: None,
            system_id,
            password,
            system_type: settings.text("system_type"),
            apart: settings.one_of("bind", &[("transceiver", false), ("apart", true)])?,
            binds: settings.number("binds", 1, 1..=32)? as usize,
            window: settings.number("window", 10, 1..=1_000)? as usize,
            rate: Some(rate).filter(|rate| *rate > 0),
            enquire: Duration::from_secs(settings.number("enquire_link", 30, 1..=3_600)?.into()),
            patience: Duration::from_secs(settings.number("response_timeout", 15, 1..=300)?.into()),
            resend: settings.one_of("unknown", &[("leave", false), ("resend", true)])?,
            from: from.to_owned(),
            long: settings
                .one_of("long", &[("udh", Long::Header), ("sar", Long::Sar), ("payload", Long::Payload)])?,
            ids: settings.one_of(
                "receipt_ids",
                &[("same", Ids::Same), ("decimal", Ids::Decimal), ("hexadecimal", Ids::Hexadecimal)],
            )?,
            options,
            reading: Reading { region, default },
        })
    }
}

impl Ids {
    /// The id as a receipt is looked for by.
    pub(super) fn answered(self, id: &str) -> String {
        let plain = plain(id);
        match self {
            Ids::Same => plain,
            Ids::Decimal => u128::from_str_radix(&plain, 16).map_or(plain, |id| id.to_string()),
            Ids::Hexadecimal => plain.parse::<u128>().map_or(plain, |id| format!("{id:x}")),
        }
    }

    /// The id in a receipt, as its message is known by.
    pub(super) fn told(self, id: &str) -> String {
        plain(id)
    }
}

/// Message centres write the same id in either case, and with zeros before it or without.
fn plain(id: &str) -> String {
    let id = id.trim();
    let bare = id.trim_start_matches('0');
    if bare.is_empty() { id.to_owned() } else { bare.to_lowercase() }
}

struct Settings<'a>(&'a BTreeMap<String, String>);

impl Settings<'_> {
    fn text(&self, setting: &str) -> String {
        self.0.get(setting).cloned().unwrap_or_default()
    }

    fn wrong(&self, setting: &'static str, why: &str) -> Wrong {
        Wrong { setting, value: self.text(setting), why: why.to_owned() }
    }

    /// The first is the default.
    fn one_of<T: Copy>(&self, setting: &'static str, choices: &[(&str, T)]) -> Result<T, Wrong> {
        let text = self.0.get(setting).map_or(choices[0].0, String::as_str);
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.wrong(setting, &format!("it is {}", names.join(" or ")))
        })
    }

    fn number(
        &self,
        setting: &'static str,
        default: u32,
        within: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, Wrong> {
        let Some(text) = self.0.get(setting) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.ok_or_else(|| self.wrong(setting, &format!("it is {} to {}", within.start(), within.end())))
    }
}

#[cfg(test)]
mod tests {
    use sms::Language;

    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
        let mut all = BTreeMap::from([("smpp".to_owned(), "smsc.example:2775".to_owned())]);
        all.insert("system_id".to_owned(), "acme".to_owned());
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Config::read("+15550100", None, "secret".to_owned(), &all).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn little_must_be_said_and_what_is_wrong_is_told() {
        let config = read(&[]).unwrap();
        assert_eq!(
            (config.host.as_str(), config.port, config.binds, config.window),
            ("smsc.example", 2775, 1, 10)
        );
        assert!(!config.tls && !config.apart && !config.resend && config.rate.is_none());
        let config = read(&[("smpp", "[::1]:2775"), ("national", "turkish, urdu"), ("rate", "50")]).unwrap();
        assert_eq!((config.host.as_str(), config.rate), ("::1", Some(50)));
        assert_eq!(config.options.languages, [Language::Turkish, Language::Urdu]);
        for (setting, value) in [
            ("smpp", "smsc.example"),
            ("smpp", ":2775"),
            ("smpp", "x:0"),
            ("smpp", "x:99999"),
            ("system_id", ""),
            ("system_id", "0123456789abcdef"),
            ("tls", "true"),
            ("bind", "receiver"),
            ("binds", "0"),
            ("window", "-1"),
            ("rate", "fast"),
            ("enquire_link", "0"),
            ("unknown", "twice"),
            ("long", "cut"),
            ("receipt_ids", "auto"),
            ("alphabet", "utf8"),
            ("national", "klingon"),
        ] {
            let wrong = read(&[(setting, value)]).unwrap_err();
            assert!(wrong.starts_with(setting), "{wrong}");
        }
    }

    #[test]
    fn ids_are_known_however_they_are_written() {
        for (ids, answered, told) in [
            (Ids::Same, "7A0F", "7a0f"),
            (Ids::Same, "0000042", "42"),
            (Ids::Same, "a-b-1", "A-B-1"),
            (Ids::Decimal, "1a", "0000000026"),
            (Ids::Hexadecimal, "26", "0000001A"),
            (Ids::Decimal, "not a number", "not a number"),
            (Ids::Same, "0", "0"),
        ] {
            assert_eq!(ids.answered(answered), ids.told(told), "{ids:?}");
        }
    }
}
