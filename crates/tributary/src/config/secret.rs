//! Secrets by reference: configuration names where a secret is, and never holds it.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context as _, anyhow, bail};
use domain::policy::Inbox;
use serde::Deserialize;

/// The secrets that one tenant's workspace may name. The operator of the process says which they are and where
/// they lie: a workspace comes in over the API, and must not reach any file or variable it likes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = (String, Secret)>) -> Self {
        Secrets(secrets.into_iter().collect())
    }

    /// The secret that a workspace names as `secret:NAME`.
    pub fn resolve(&self, reference: &str) -> anyhow::Result<String> {
        let name = secret_name(reference).ok_or_else(|| {
            anyhow!("a workspace names a secret as `secret:NAME`, and never writes it down")
        })?;
        let secret = self.0.get(name).ok_or_else(|| {
            anyhow!("tributary.toml has no `{name}` under [secrets.TENANT] for this tenant")
        })?;
        secret.resolve().with_context(|| format!("the secret `{name}`"))
    }
}

/// What an inbox says under a key.
pub fn setting(inbox: &Inbox, key: &str) -> Option<String> {
    inbox.settings.get(key).cloned()
}

/// The secret that an inbox names under a key.
pub fn secret(secrets: &Secrets, inbox: &Inbox, key: &str) -> anyhow::Result<String> {
    let reference = setting(inbox, key).ok_or_else(|| anyhow!("the setting `{key}` is missing"))?;
    secrets.resolve(&reference).with_context(|| format!("the setting `{key}`"))
}

/// The NAME of `secret:NAME`.
pub fn secret_name(reference: &str) -> Option<&str> {
    reference.strip_prefix("secret:").filter(|name| !name.is_empty())
}

/// `env:NAME` or `file:PATH`; in `dev` also `text:…`, since nothing there is secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn reference(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret itself, without white space around it.
    pub fn resolve(&self) -> anyhow::Result<String> {
        let value = match self.0.split_once(':') {
            Some(("env", name)) => {
                std::env::var(name).with_context(|| format!("the environment has no (readable) {name}"))?
            }
            Some(("file", path)) => {
                std::fs::read_to_string(path).with_context(|| format!("could not read {path}"))?
            }
            Some(("text", text)) => text.to_owned(),
            _ => bail!("a secret is named by `env:NAME` or `file:PATH`, not written down"),
        };
        let value = value.trim();
        if value.is_empty() {
            bail!("the secret at {self} is empty");
        }
        Ok(value.to_owned())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(':') {
            Some((kind @ ("env" | "file"), name)) => write!(f, "{kind}:{name}"),
            _ => f.write_str("(not shown)"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_reaches_what_it_was_given_and_nothing_else() {
        let secrets = Secrets::new([("app".to_owned(), Secret::reference("text:hidden"))]);
        assert_eq!(secrets.resolve("secret:app").unwrap(), "hidden");
        for reference in ["secret:other", "secret:", "env:PATH", "file:/etc/hostname", "text:x", "hidden"] {
            let refused = secrets.resolve(reference).unwrap_err().to_string();
            assert!(!refused.contains("hidden"), "{reference}: {refused}");
        }
    }
}
