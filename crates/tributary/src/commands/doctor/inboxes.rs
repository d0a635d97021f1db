//! Every inbox in force: whether what its channel needs is there.

use anyhow::{Context as _, anyhow};
use domain::{Channel, policy::Inbox};

use super::{
    super::installation::{Installation, policies},
    dns::Names,
    finding::Findings,
    mail, meta,
};
use crate::config::{Carrier, Config, Role, Secrets};

/// What a setting is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Receiving,
    Sending,
}

/// The settings that a channel cannot do without, and whether they name a secret.
fn needed(inbox: &Inbox) -> &'static [(&'static str, For, bool)] {
    use For::{Receiving, Sending};
    let has = |key| inbox.settings.contains_key(key);
    let carrier = Carrier::of(inbox).ok();
    match inbox.channel {
        Channel::Messenger | Channel::Instagram => &[
            ("app_secret", Receiving, true),
            ("verify_token", Receiving, true),
            ("access_token", Sending, true),
        ],
        Channel::Whatsapp => &[
            ("app_secret", Receiving, true),
            ("verify_token", Receiving, true),
            ("access_token", Sending, true),
            ("phone_number_id", Sending, false),
        ],
        Channel::Sms if carrier == Some(Carrier::Smpp) => {
            &[("smpp", Sending, false), ("system_id", Sending, false), ("password", Sending, true)]
        }
        Channel::Generic | Channel::Sms if has("signature") => {
            &[("signature_secret", Receiving, true), ("send_url", Sending, false)]
        }
        Channel::Generic | Channel::Sms if has("allow") => &[("send_url", Sending, false)],
        Channel::Sms if carrier == Some(Carrier::Http) => {
            &[("token", Receiving, true), ("send_url", Sending, false)]
        }
        Channel::Sms => &[("auth_token", Receiving, true), ("account_sid", Sending, true)],
        Channel::Email => &[("relay", Sending, false)],
        Channel::Generic => &[("token", Receiving, true), ("send_url", Sending, false)],
    }
}

/// Secrets that a channel may do without, but that must be there once they are named.
const OPTIONAL_SECRETS: [&str; 7] =
    ["app_secret_previous", "relay_password", "send_token", "token", "dkim_key", "dkim_key_2", "template"];

pub(super) async fn examine(installation: &Installation, findings: &mut Findings) {
    if !installation.has_log() {
        findings.skip("workspace", "there is no log yet, so no workspace is in force");
        return;
    }
    let in_force = async {
        let (log, topology) = installation.log()?;
        policies(&log, topology).await
    };
    let policies = match in_force.await {
        Ok(policies) => policies,
        Err(error) => {
            findings.fail("workspace", &error, "`tributary verify` says more");
            return;
        }
    };
    if policies.all().next().is_none() {
        findings.warn(
            "workspace",
            "none is in force: nobody can write",
            "`tributary apply … workspace.toml`",
        );
    }
    let names = Names::new(installation.config.dns);
    for policy in policies.all() {
        findings
            .ok(format!("workspace {}", policy.tenant), format!("version {} is in force", policy.version));
        let secrets = installation.config.secrets_of(&policy.tenant);
        for (id, inbox) in &policy.inboxes {
            let about = format!("inbox {id}");
            let problems = problems(&secrets, inbox);
            if problems.is_empty() {
                let how = if inbox.sandbox { "sandboxed: nothing is sent" } else { "its settings are there" };
                findings.ok(&about, format!("{}, {how}", inbox.channel.as_str()));
            }
            for error in problems {
                findings.fail(
                    &about,
                    &error,
                    "set it in workspace.toml and apply that, or put the secret where tributary.toml says",
                );
            }
            if meta::is_at_meta(inbox) && !inbox.sandbox {
                meta::examine(&secrets, id, inbox, findings).await;
            }
            if inbox.channel == Channel::Email && !inbox.sandbox {
                match &names {
                    Ok(names) => mail::examine(names, &secrets, id, inbox, findings).await,
                    Err(error) => findings.warn(&about, format!("{error:#}"), "set `dns` in tributary.toml"),
                }
            }
        }
    }
    let has_sms =
        policies.all().flat_map(|policy| policy.inboxes.values()).any(|inbox| inbox.channel == Channel::Sms);
    if has_sms {
        public_url(&installation.config, findings);
    }
}

fn problems(secrets: &Secrets, inbox: &Inbox) -> Vec<anyhow::Error> {
    let mut problems = Vec::new();
    for (key, purpose, is_secret) in needed(inbox) {
        if inbox.sandbox && *purpose == For::Sending {
            continue;
        }
        match inbox.settings.get(*key) {
            None => problems.push(anyhow!("the setting `{key}` is missing")),
            Some(value) if *is_secret => problems.extend(unresolved(secrets, key, value)),
            Some(_) => {}
        }
    }
    let optional = OPTIONAL_SECRETS.into_iter().filter_map(|key| Some((key, inbox.settings.get(key)?)));
    problems.extend(optional.filter_map(|(key, value)| unresolved(secrets, key, value)));
    if inbox.channel == Channel::Email && problems.is_empty() {
        problems.extend(crate::mail::letterhead(secrets, inbox, "").err());
        problems.extend(crate::mail::manners(inbox).err());
        problems.extend(crate::mail::relay(secrets, inbox).err().filter(|_| !inbox.sandbox));
    }
    problems
}

fn unresolved(secrets: &Secrets, key: &str, value: &str) -> Option<anyhow::Error> {
    secrets.resolve(value).with_context(|| format!("the setting `{key}`")).err()
}

/// Twilio signs the URL that it calls, so it must be known.
fn public_url(config: &Config, findings: &mut Findings) {
    let about = "public URL";
    match &config.public_url {
        Some(url) => findings.ok(about, url),
        None if config.roles.contains(&Role::Channels) => {
            let advice = "set public_url, as in public_url = \"https://hooks.example.com\"";
            findings.warn(
                about,
                "not set: Twilio's signatures hold for calls to the listening address only",
                advice,
            );
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use domain::Millis;

    use super::*;

    fn inbox(channel: Channel, sandbox: bool, settings: &[(&str, &str)]) -> Inbox {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Inbox {
            channel,
            address: "x".into(),
            bot: None,
            queue: "acme/support/all".parse().unwrap(),
            reopen_within: Millis::hours(1),
            sandbox,
            settings,
        }
    }

    fn told(inbox: &Inbox) -> Vec<String> {
        let secrets = [("dev", "text:dev"), ("gone", "file:/nowhere/at/all")];
        let secrets =
            Secrets::new(secrets.map(|(name, at)| (name.to_owned(), crate::config::Secret::reference(at))));
        problems(&secrets, inbox).iter().map(|error| format!("{error:#}")).collect()
    }

    #[test]
    fn a_sandboxed_inbox_needs_nothing_for_sending() {
        let settings = [("app_secret", "secret:dev"), ("verify_token", "secret:dev")];
        assert!(told(&inbox(Channel::Messenger, true, &settings)).is_empty());
        assert_eq!(
            told(&inbox(Channel::Messenger, false, &settings)),
            ["the setting `access_token` is missing"]
        );
    }

    #[test]
    fn a_secret_must_be_where_it_is_said_to_be() {
        let settings = [("relay", "mail.example:587"), ("relay_password", "secret:gone")];
        let told = told(&inbox(Channel::Email, false, &settings));
        assert!(
            told.len() == 1 && told[0].contains("relay_password") && told[0].contains("/nowhere"),
            "{told:?}"
        );
    }
}
