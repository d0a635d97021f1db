//! The object stores that the configuration names: for the mirror of the snapshots, and for the blobs.

use anyhow::{Context as _, bail};
use objects::{Credentials, Store};
use runtime::{Mirror, Snapshots};

use crate::{
    config::{Config, Objects},
    exit::Unusable,
    layout::Layout,
};

/// The snapshots in the data directory, with their mirror if there is to be one.
pub fn snapshots(config: &Config, layout: &Layout) -> anyhow::Result<Snapshots> {
    let snapshots = Snapshots::new(layout.snapshots());
    let store = open(config, &config.snapshots).context("snapshots.store")?;
    Ok(match store {
        Some(store) => snapshots.mirrored(Mirror::new(store)),
        None => snapshots,
    })
}

/// Where blobs are, unless it is the data directory.
pub fn blobs(config: &Config) -> anyhow::Result<Option<Store>> {
    open(config, &config.blobs).context("blobs.store")
}

/// Of a bucket nothing is asked yet.
pub fn open(config: &Config, objects: &Objects) -> anyhow::Result<Option<Store>> {
    let Some(at) = &objects.store else { return Ok(None) };
    let s3 = &config.s3;
    let credentials = match (&s3.access_key_id, &s3.secret_access_key) {
        (None, None) => None,
        (Some(key_id), Some(secret)) => Some(Credentials {
            key_id: key_id.resolve().context("s3.access_key_id")?,
            secret: secret.resolve().context("s3.secret_access_key")?,
        }),
        _ => bail!(Unusable("s3.access_key_id and s3.secret_access_key go together".into())),
    };
    let endpoint = s3.endpoint.as_ref().map(|endpoint| endpoint.0.clone());
    let s3 = objects::S3 { endpoint, region: s3.region.clone(), credentials };
    match Store::open(&at.0, &s3) {
        Ok(store) => Ok(Some(store)),
        Err(error @ objects::Error::NotBuilt { .. }) => bail!(Unusable(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{S3, Secret, StoreAt};

    fn config(store: &str, s3: S3) -> Config {
        let objects = Objects { store: Some(StoreAt(store.parse().unwrap())) };
        Config { snapshots: objects.clone(), blobs: objects, s3, ..Config::default() }
    }

    #[test]
    fn a_build_without_object_stores_says_how_to_get_one() {
        let opened = blobs(&config("s3://bucket/blobs", S3::default()));
        assert_eq!(opened.is_ok(), cfg!(feature = "kafka"));
        if let Err(error) = opened {
            let told = format!("{error:#}");
            assert!(told.contains("blobs.store") && told.contains("--features kafka"), "{told}");
        }
        let dir = tempfile::tempdir().unwrap();
        let here = format!("file://{}", dir.path().display());
        assert!(blobs(&config(&here, S3::default())).unwrap().is_some());
        assert!(blobs(&Config::default()).unwrap().is_none());
    }

    #[test]
    fn half_of_the_credentials_is_a_mistake_and_none_is_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let secret = Some(Secret::reference(format!("file:{}", file.path().display())));
        let half = S3 { secret_access_key: secret.clone(), ..S3::default() };
        let told = format!("{:#}", blobs(&config("s3://bucket", half)).unwrap_err());
        assert!(told.contains("go together") && !told.contains("hunter2"), "{told}");
        let gone = Some(Secret::reference("file:/nowhere/at/all"));
        let gone = S3 { access_key_id: gone, secret_access_key: secret, ..S3::default() };
        let told = format!("{:#}", blobs(&config("s3://bucket", gone)).unwrap_err());
        assert!(told.contains("s3.access_key_id") && told.contains("/nowhere"), "{told}");
    }
}
