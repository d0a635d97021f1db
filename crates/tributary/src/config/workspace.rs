//! `workspace.toml`: what the business is. Read into a [`Policy`] and checked before anything is sent.

mod hours;
mod links;
mod routing;

use std::{collections::BTreeMap, path::Path};

use channels::{Profile, email::imap, generic, messenger, smpp};
use domain::{
    AgentId, BotId, Channel, DeskId, HoursId, InboxId, LinkId, Millis, Policy, QueueId, TenantId, policy,
    workspace::check,
};
use serde::Deserialize;

use super::{carrier::Carrier, process::TenantIdText, secret::secret_name, span::Span, strict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tenant: TenantIdText,
    #[serde(default)]
    inboxes: BTreeMap<String, Inbox>,
    /// Named `DESK/QUEUE`.
    #[serde(default)]
    queues: BTreeMap<String, routing::Queue>,
    /// Named `DESK/AGENT`.
    #[serde(default)]
    agents: BTreeMap<String, routing::Agent>,
    #[serde(default)]
    bots: BTreeMap<String, Bot>,
    #[serde(default)]
    hours: BTreeMap<String, hours::Hours>,
    #[serde(default)]
    links: BTreeMap<String, links::Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inbox {
    channel: Channel,
    address: String,
    bot: Option<String>,
    queue: String,
    reopen_within: Option<Span>,
    #[serde(default)]
    sandbox: bool,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bot {
    kind: BotKind,
    answer_within: Option<Span>,
    greeting: Option<String>,
    #[serde(default)]
    quick_replies: Vec<String>,
    #[serde(default)]
    answers: Vec<KeywordAnswer>,
    #[serde(default)]
    person_words: Vec<String>,
    hand_off_text: Option<String>,
    hours: Option<String>,
    away_text: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum BotKind {
    BuiltIn,
    Stream,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeywordAnswer {
    words: Vec<String>,
    text: String,
}

/// The policy that the document describes, and that the rules of a workspace accept.
pub fn read_workspace(path: &Path, text: &str) -> Result<Policy, strict::Error> {
    let document: Document = strict::read(path, text, &[])?;
    let policy = document.policy().map_err(|fault| fault.at(path, text))?;
    // Ids are whole in a policy; the file leaves the tenant out.
    let in_file = |at: String| {
        let whole = |section: &str| format!("{section}.{}/", policy.tenant);
        let cut = |section| Some(format!("{section}.{}", at.strip_prefix(&whole(section))?));
        cut("queues").or_else(|| cut("agents")).unwrap_or(at)
    };
    let mut problems: Vec<_> =
        check(&policy).into_iter().map(|problem| (in_file(problem.at), problem.what)).collect();
    problems.extend(wrong_settings(&policy));
    match problems.into_iter().next() {
        None => Ok(policy),
        Some((key, what)) => Err(Fault { key, what }.at(path, text)),
    }
}

/// Something that cannot be, and the key it stands under.
struct Fault {
    key: String,
    what: String,
}

impl Fault {
    /// Finds the line of the innermost part of the key that the file names.
    fn at(self, path: &Path, text: &str) -> strict::Error {
        let line = line_of(text, &self.key);
        strict::Error { path: path.into(), line, message: format!("{}: {}", self.key, self.what) }
    }
}

/// The line of a table or key such as `inboxes.email.queue`, or of the nearest thing around it.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let mut table = String::new();
    let mut best: Option<(usize, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let here = if let Some(header) = line.strip_prefix('[') {
            table = header.trim_start_matches('[').split(']').next().unwrap_or_default().replace('"', "");
            table.clone()
        } else if let Some((name, _)) = line.split_once('=') {
            let name = name.trim().trim_matches('"');
            if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
        } else {
            continue;
        };
        let fits =
            key == here || key.starts_with(&format!("{here}.")) || key.starts_with(&format!("{here}["));
        if fits && best.is_none_or(|(length, _)| here.len() > length) {
            best = Some((here.len(), number + 1));
        }
    }
    best.map(|(_, line)| line)
}

impl Document {
    fn policy(self) -> Result<Policy, Fault> {
        let tenant = self.tenant.0;
        let inboxes = each("inboxes", self.inboxes, |name, inbox| {
            let id: InboxId = name.parse()?;
            Ok((
                id,
                policy::Inbox {
                    channel: inbox.channel,
                    address: inbox.address,
                    bot: inbox.bot.map(|bot| bot.parse()).transpose()?,
                    queue: queue_id(&tenant, &inbox.queue)?,
                    reopen_within: inbox.reopen_within.map_or(Millis::hours(24), |span| span.0),
                    sandbox: inbox.sandbox,
                    settings: inbox.settings,
                },
            ))
        })?;
        let queues = each("queues", self.queues, |name, queue| {
            Ok((queue_id(&tenant, name)?, queue.policy(&tenant)?))
        })?;
        let agents = each("agents", self.agents, |name, agent| {
            let id: AgentId = format!("{tenant}/{name}").parse()?;
            Ok((id, agent.policy(&tenant)?))
        })?;
        let bots = each("bots", self.bots, |name, bot| {
            let id: BotId = name.parse()?;
            Ok((
                id,
                policy::Bot {
                    answer_within: bot.answer_within.map_or(Millis::seconds(30), |span| span.0),
                    kind: match bot.kind {
                        BotKind::Stream => policy::BotKind::Stream,
                        BotKind::BuiltIn => policy::BotKind::BuiltIn(policy::Flow {
                            greeting: bot.greeting,
                            quick_replies: bot.quick_replies,
                            answers: bot
                                .answers
                                .into_iter()
                                .map(|it| policy::KeywordAnswer { words: it.words, text: it.text })
                                .collect(),
                            person_words: bot.person_words,
                            hand_off_text: bot.hand_off_text,
                            hours: bot.hours.map(|hours| hours.parse()).transpose()?,
                            away_text: bot.away_text,
                        }),
                    },
                },
            ))
        })?;
        let hours = each("hours", self.hours, |name, hours| Ok((name.parse::<HoursId>()?, hours.policy()?)))?;
        let links =
            each("links", self.links, |name, link| Ok((name.parse::<LinkId>()?, link.policy(&tenant)?)))?;
        Ok(Policy { tenant, version: 0, inboxes, queues, agents, bots, hours, links })
    }
}

/// Why an entry cannot be; from whatever said so.
struct Wrong {
    /// The key within the entry, where it is about one.
    key: Option<&'static str>,
    what: String,
}

impl<E: ToString> From<E> for Wrong {
    fn from(error: E) -> Self {
        Wrong { key: None, what: error.to_string() }
    }
}

impl Wrong {
    fn at(key: &'static str, what: String) -> Self {
        Wrong { key: Some(key), what }
    }
}

fn each<T, K: Ord, V>(
    section: &str,
    entries: BTreeMap<String, T>,
    mut make: impl FnMut(&str, T) -> Result<(K, V), Wrong>,
) -> Result<BTreeMap<K, V>, Fault> {
    let made = entries.into_iter().map(|(name, entry)| {
        make(&name, entry).map_err(|Wrong { key, what }| {
            let key = key.map(|key| format!(".{key}")).unwrap_or_default();
            Fault { key: format!("{section}.{name}{key}"), what }
        })
    });
    made.collect()
}

fn queue_id(tenant: &TenantId, text: &str) -> Result<QueueId, domain::BadId> {
    let bad = || domain::BadId { what: "a queue (DESK/QUEUE)", text: text.into() };
    let (desk, name) = text.split_once('/').ok_or_else(bad)?;
    QueueId::new(DeskId::new(tenant.clone(), desk).map_err(|_| bad())?, name).map_err(|_| bad())
}

fn desk_id(tenant: &TenantId, name: &str) -> Result<DeskId, domain::BadId> {
    DeskId::new(tenant.clone(), name)
}

/// The settings a channel knows; anything else is a mistake worth naming.
pub fn known_settings(channel: Channel) -> Vec<&'static str> {
    match channel {
        Channel::Messenger | Channel::Instagram => {
            let own = [
                "app_secret",
                "app_secret_previous",
                "verify_token",
                "access_token",
                "api_version",
                "base_url",
                "link_name",
                "app_id",
            ];
            own.into_iter().chain(messenger::SETTINGS).collect()
        }
        Channel::Whatsapp => {
            let own =
                ["app_secret", "app_secret_previous", "verify_token", "access_token", "phone_number_id"];
            own.into_iter()
                .chain(["api_version", "base_url", "link_name", "app_id", "business_account_id"])
                .chain(messenger::SETTINGS)
                .collect()
        }
        Channel::Sms => {
            let twilio = ["provider", "account_sid", "auth_token", "base_url"];
            let carried = channels::PROFILE_SETTINGS.into_iter().chain(smpp::SETTINGS);
            twilio.into_iter().chain(carried).chain(generic::SETTINGS).chain(generic::CODES).collect()
        }
        Channel::Email => {
            let own = [
                "authentication",
                "trusted_hosts",
                "trusted_sealers",
                "same_subject_days",
                "name",
                "relay",
                "relay_tls",
                "relay_user",
                "relay_password",
                "relay_connections",
                "per_minute",
                "unknown_outcome",
                "automatic_return_path",
                "automatic_period_minutes",
                "template",
                "sign_with",
                "quote_intro",
                "dkim_selector",
                "dkim_key",
                "dkim_selector_2",
                "dkim_key_2",
            ];
            own.into_iter().chain(imap::SETTINGS).collect()
        }
        Channel::Generic => generic::SETTINGS.into_iter().chain(generic::CODES).collect(),
    }
}

/// The settings that are secrets, whatever the channel.
const SECRETS: [&str; 17] = [
    "app_secret",
    "app_secret_previous",
    "verify_token",
    "access_token",
    "auth_token",
    "imap_password",
    "imap_token",
    "imap_client_secret",
    "imap_refresh_token",
    "relay_password",
    "token",
    "send_token",
    "signature_secret",
    "password",
    "dkim_key",
    "dkim_key_2",
    // Not secret, but a file of this machine's: a workspace must not reach any it likes.
    "template",
];

fn wrong_settings(policy: &Policy) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (id, inbox) in &policy.inboxes {
        let known = known_settings(inbox.channel);
        for key in inbox.settings.keys().filter(|key| !known.contains(&key.as_str())) {
            let nearest = known
                .iter()
                .max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)))
                .map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
            wrong.push((format!("inboxes.{id}.settings.{key}"), format!("unknown setting{nearest}")));
        }
        let bad = match inbox.channel {
            Channel::Sms => short_messages(inbox).err().into_iter().collect(),
            Channel::Generic => provider(inbox).err().into_iter().collect(),
            Channel::Email => bad_email(inbox),
            Channel::Messenger | Channel::Instagram | Channel::Whatsapp => {
                messenger::Manners::read(&inbox.settings).err().into_iter().collect()
            }
        };
        wrong.extend(bad.into_iter().map(|(key, what)| (format!("inboxes.{id}.settings.{key}"), what)));
    }
    let secrets = policy.inboxes.iter().flat_map(|(id, inbox)| {
        inbox.settings.iter().filter(|(key, _)| SECRETS.contains(&key.as_str())).map(move |it| (id, it))
    });
    for (id, (key, _)) in secrets.filter(|(_, (_, value))| secret_name(value).is_none()) {
        wrong.push((
            format!("inboxes.{id}.settings.{key}"),
            "a secret is named as `secret:NAME`; tributary.toml says under [secrets.TENANT] where it lies"
                .into(),
        ));
    }
    wrong
}

/// A setting, and what is wrong with it.
type Bad = (&'static str, String);

/// Whether the settings describe who carries an inbox's short messages.
fn short_messages(inbox: &policy::Inbox) -> Result<(), Bad> {
    let carrier = Carrier::of(inbox)?;
    let profile = Profile::read(&inbox.settings)?;
    match carrier {
        Carrier::Twilio => Ok(()),
        Carrier::Smpp => {
            let read = smpp::Config::read(&inbox.address, profile.region, String::new(), &inbox.settings);
            read.map(|_| ()).map_err(|wrong| (wrong.setting, wrong.why))
        }
        Carrier::Http => provider(inbox),
    }
}

fn bad_email(inbox: &policy::Inbox) -> Vec<Bad> {
    let mut bad = Vec::new();
    if let Err(error) = imap::Place::read(&inbox.settings) {
        bad.push((error.key, error.what));
    }
    if let Err(error) = channels::email::Authentication::of(&inbox.settings) {
        bad.push((error.key, error.to_string()));
    }
    if inbox.settings.get("same_subject_days").is_some_and(|days| days.trim().parse::<u16>().is_err()) {
        bad.push(("same_subject_days", "a number of whole days".to_owned()));
    }
    let period = inbox.settings.get("automatic_period_minutes");
    if period.is_some_and(|minutes| !matches!(minutes.trim().parse::<u16>(), Ok(1..))) {
        bad.push(("automatic_period_minutes", "a number of whole minutes, at least 1".to_owned()));
    }
    bad
}

/// Whether the settings describe a provider; where its secrets lie is looked at elsewhere.
fn provider(inbox: &policy::Inbox) -> Result<(), Bad> {
    let named = |key: &str| match inbox.settings.contains_key(key) {
        true => Ok(String::new()),
        false => Err("it is missing".to_owned()),
    };
    generic::Provider::read(&inbox.settings, named)?;
    generic::request(&inbox.settings, &inbox.address).map(|_| ())
}

#[cfg(test)]
mod tests;
