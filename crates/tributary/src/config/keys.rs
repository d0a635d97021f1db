//! Where the key store is.

use serde::Deserialize;

use super::Secret;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    pub store: KeysAt,
}

/// A URL with a password in it is a secret as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum KeysAt {
    /// In the data directory.
    #[default]
    Sqlite,
    /// The URL of a PostgreSQL server's database.
    Postgres(String),
    /// Where such a URL is.
    Named(Secret),
}

impl TryFrom<String> for KeysAt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "sqlite" => Ok(KeysAt::Sqlite),
            Some(("postgres" | "postgresql", _)) if has_password(&text) => {
                Err("a password is never written down: put the whole URL into an environment variable or a file, and \
                     name that as `env:NAME` or `file:PATH`"
                    .to_owned())
            }
            Some(("postgres" | "postgresql", _)) => Ok(KeysAt::Postgres(text)),
            Some(("env" | "file", _)) => Ok(KeysAt::Named(Secret::reference(text))),
            // It may be a secret that was meant to be named.
            _ => Err("that is not a key store: `sqlite`, `postgres://USER@HOST/DATABASE`, or `env:NAME` or \
                      `file:PATH` of such a URL"
                .to_owned()),
        }
    }
}

fn has_password(url: &str) -> bool {
    let (base, options) = url.split_once('?').unwrap_or((url, ""));
    let user = base.rsplit_once('@').map_or("", |(user, _)| user);
    let user = user.split_once("://").map_or(user, |(_, user)| user);
    user.contains(':') || options.split('&').any(|option| option.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_store_is_named_and_its_password_never_written_down() {
        let at = |text: &str| KeysAt::try_from(text.to_owned());
        assert_eq!(at("sqlite"), Ok(KeysAt::Sqlite));
        for url in ["postgres://keys@db:5432/keys?sslmode=require", "postgresql://%2Frun%2Fpg/keys"] {
            assert_eq!(at(url), Ok(KeysAt::Postgres(url.into())));
        }
        assert_eq!(at("env:KEYS_URL"), Ok(KeysAt::Named(Secret::reference("env:KEYS_URL"))));
        for url in ["postgres://keys:hunter2@db/keys", "postgres://db/keys?user=keys&password=hunter2"] {
            let refused = at(url).unwrap_err();
            assert!(refused.contains("env:NAME") && !refused.contains("hunter2"), "{refused}");
        }
        for text in ["mysql://ann:hunter2@db", "", "data/keys.sqlite", "sqlite:x"] {
            let refused = at(text).unwrap_err();
            assert!(refused.contains("`sqlite`") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
