//! The key store that the configuration names: a SQLite file in the data directory, or one on PostgreSQL where this
//! build has it.

use std::path::Path;

use anyhow::Context as _;
use vault::KeyStore;

use crate::{
    config::{Config, KeysAt},
    exit::Unusable,
    layout::Layout,
    stores,
};

/// The key store must be one that this build can open, with a master key that is where the others have it, too.
pub fn check(config: &Config) -> Result<(), Unusable> {
    match &config.keys.store {
        KeysAt::Sqlite => Ok(()),
        #[cfg(not(feature = "kafka"))]
        KeysAt::Postgres(url) => Err(without_postgres(url)),
        #[cfg(not(feature = "kafka"))]
        KeysAt::Named(secret) => Err(without_postgres(secret)),
        #[cfg(feature = "kafka")]
        _ if config.vault.master_key.is_none() => Err(Unusable(
            "a key store on PostgreSQL is shared by many machines, and so must its master key be: put the same one on \
             each, and name it as vault.master_key = \"file:PATH\" or \"env:NAME\" (`openssl rand -hex 32` makes one)"
                .into(),
        )),
        #[cfg(feature = "kafka")]
        _ => Ok(()),
    }
}

/// What it takes to open the vault: the key store, the master key, and where blobs are.
pub fn vault(config: &Config, layout: &Layout) -> anyhow::Result<vault::Config> {
    check(config)?;
    let keys = at(&config.keys.store, &layout.key_store_file())?;
    let blobs = stores::blobs(config)?;
    Ok(vault::Config { keys, blobs, ..vault::Config::new(layout.keys(), layout.master_key(config)?) })
}

/// `file` is where a SQLite file is, if it is one.
pub fn at(at: &KeysAt, file: &Path) -> anyhow::Result<KeyStore> {
    match at {
        KeysAt::Sqlite => Ok(KeyStore::Sqlite(file.to_owned())),
        KeysAt::Postgres(url) => on_postgres(url, url),
        KeysAt::Named(secret) => {
            let url = secret.resolve().context("could not read the URL of the key store")?;
            on_postgres(&url, secret)
        }
    }
}

#[cfg(feature = "kafka")]
fn on_postgres(url: &str, named: impl std::fmt::Display) -> anyhow::Result<KeyStore> {
    let parsed = vault::Postgres::parse(url);
    let parsed = parsed.map_err(|error| Unusable(format!("keys.store = \"{named}\": {error}")))?;
    Ok(KeyStore::Postgres(Box::new(parsed)))
}

#[cfg(not(feature = "kafka"))]
fn on_postgres(_: &str, named: impl std::fmt::Display) -> anyhow::Result<KeyStore> {
    Err(without_postgres(named).into())
}

#[cfg(not(feature = "kafka"))]
fn without_postgres(named: impl std::fmt::Display) -> Unusable {
    Unusable(format!(
        "keys.store = \"{named}\": this build has no PostgreSQL; build one that has, with `cargo build --release \
         --features kafka`, or use store = \"sqlite\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Keys, Secret};

    fn config(store: KeysAt) -> Config {
        Config { keys: Keys { store }, ..Config::default() }
    }

    #[test]
    fn a_build_without_postgres_says_how_to_get_one() {
        check(&config(KeysAt::Sqlite)).unwrap();
        for store in
            [KeysAt::Postgres("postgres://db/keys".into()), KeysAt::Named(Secret::reference("env:KEYS_URL"))]
        {
            let mut config = config(store);
            config.vault.master_key = Some(Secret::reference("env:MASTER_KEY"));
            let refused = check(&config).err().map(|refused| refused.to_string());
            assert_eq!(refused.is_none(), cfg!(feature = "kafka"));
            if let Some(refused) = refused {
                assert!(refused.contains("keys.store") && refused.contains("--features kafka"), "{refused}");
            }
        }
    }

    #[test]
    fn a_url_that_is_of_no_use_is_said_without_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, "mysql://ann:hunter2@db/keys\n").unwrap();
        let named = KeysAt::Named(Secret::reference(format!("file:{}", file.display())));
        let refused = at(&named, Path::new("none")).unwrap_err();
        let said = refused.to_string();
        assert!(refused.is::<Unusable>() && said.contains("keys.store = \"file:"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn a_shared_key_store_needs_a_master_key_that_is_shared() {
        let data = tempfile::tempdir().unwrap();
        let config =
            Config { data: data.path().into(), ..config(KeysAt::Postgres("postgres://db/keys".into())) };
        let refused = vault(&config, &Layout::new(data.path())).map(drop).unwrap_err();
        assert!(refused.is::<Unusable>() && refused.to_string().contains("vault.master_key"), "{refused}");
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was made");
    }
}
