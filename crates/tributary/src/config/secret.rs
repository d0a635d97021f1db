//! Secrets by reference: configuration names where a secret is, and never holds it.

use std::fmt;

use anyhow::{Context as _, bail};
use serde::Deserialize;

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
