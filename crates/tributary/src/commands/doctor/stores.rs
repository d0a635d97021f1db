//! What lies in the data directory, or elsewhere: log, key store, object stores, read model.

use domain::{Kind, Topology};

use super::{super::installation::Installation, finding::Findings};
use crate::{
    config::{KeysAt, LogAt},
    stores,
};

/// Yields who writes the log now, if anybody.
pub(super) async fn log(installation: &Installation, findings: &mut Findings) -> Option<String> {
    let (about, layout) = ("log", &installation.layout);
    let writer = match layout.writer() {
        Ok(writer) => writer,
        Err(error) => {
            findings.fail(
                about,
                &error,
                "let the user that runs tributary read and write the data directory",
            );
            return None;
        }
    };
    if !installation.has_log() {
        findings.ok(about, "there is none yet; the first start makes it");
        return writer;
    }
    let (log, topology) = match installation.log() {
        Ok(opened) => opened,
        Err(error) => {
            findings.fail(
                about,
                &error,
                "`tributary verify` says more; a damaged file is restored from a backup",
            );
            return writer;
        }
    };
    let mut records = 0;
    for kind in Kind::ALL {
        for number in 0..topology.partitions(kind) {
            let partition = log::Topic(kind.log_topic()).partition(number);
            records += log.end(partition).await.unwrap_or_default();
        }
    }
    let written = match (&writer, &installation.config.log) {
        (Some(process), _) => format!("; {process} writes it"),
        (None, LogAt::Local) => "; nobody writes it now".into(),
        // Many may; `tributary lag` tells who leads.
        (None, LogAt::Kafka(_)) => String::new(),
    };
    findings.ok(about, format!("it opens, {records} decisions{written}"));
    let wanted = installation.config.partitions.topology();
    if wanted != topology {
        let counts =
            |of: Topology| Kind::ALL.map(|kind| format!("{kind} {}", of.partitions(kind))).join(", ");
        let error = anyhow::anyhow!("it has other partitions than the configuration: {}", counts(topology));
        findings.fail("partitions", &error, "partition counts are fixed when a log is made: configure these");
    }
    writer
}

pub(super) fn keys(installation: &Installation, findings: &mut Findings) {
    let (about, layout) = ("key store", &installation.layout);
    if installation.config.keys.store != KeysAt::Sqlite {
        return keys_on_a_server(installation, findings);
    }
    if installation.config.log != LogAt::Local {
        let what =
            format!("the keys are in {}, for processes of one machine", layout.key_store_file().display());
        findings.warn(about, what, "set keys.store to a PostgreSQL, unless all processes run here");
    }
    if !layout.has_keys() {
        match &installation.config.vault.master_key {
            None => {
                findings.ok(about, "there is none yet; the first start makes it, with a master key beside it")
            }
            Some(secret) => match layout.master_key(&installation.config) {
                Ok(_) => findings.ok(about, format!("there is none yet; the master key at {secret} is good")),
                Err(error) => findings.fail(
                    about,
                    &error,
                    format!("put a master key at {secret}: openssl rand -hex 32"),
                ),
            },
        }
        return;
    }
    match installation.vault() {
        Ok(_) => findings.ok(about, "it opens with the master key"),
        Err(error) => {
            findings.fail(about, &error, "without its master key every message is lost: find the right one")
        }
    }
    if installation.config.vault.master_key.is_none() {
        let advice = "keep it elsewhere (vault.master_key = \"file:…\" or \"env:…\") and back it up apart";
        findings.warn("master key", "it lies beside the keys that it wraps", advice);
    }
}

fn keys_on_a_server(installation: &Installation, findings: &mut Findings) {
    let about = "key store";
    let error = match installation.vault() {
        Ok(_) => return findings.ok(about, "it is on PostgreSQL, and opens with the master key"),
        Err(error) => error,
    };
    let advice = match error.downcast_ref() {
        Some(vault::Error::NoStore { place }) => {
            let what = format!("there is none yet at {place}; the first start makes it");
            return findings.ok(about, what);
        }
        Some(vault::Error::WrongMasterKey { .. }) => {
            "without its master key every message is lost: find the right one, the same for every process"
        }
        Some(vault::Error::Newer { .. }) => "a newer version of tributary opened it: use that one",
        Some(_) => "no process starts before this is mended: see to the server, or to keys.store",
        None => "mend keys.store or vault.master_key",
    };
    findings.fail(about, &error, advice);
}

/// Whether the stores that are configured can be written, read, listed and removed from. A probe is written for that, and
/// removed.
pub(super) async fn objects(installation: &Installation, findings: &mut Findings) {
    let config = &installation.config;
    let stores = [
        (
            "store of snapshots",
            &config.snapshots,
            "workers go on without; those of other machines begin further back",
        ),
        (
            "store of blobs",
            &config.blobs,
            "what is larger than 64 KiB is refused (503), and cannot be read, until it is there",
        ),
    ];
    for (about, objects, advice) in stores {
        let probed = async {
            let Some(store) = stores::open(config, objects)? else { return Ok(None) };
            store.probe(&format!("tributary-doctor-{}", std::process::id())).await?;
            anyhow::Ok(Some(store))
        };
        match probed.await {
            Ok(None) => {}
            Ok(Some(store)) => {
                findings.ok(about, format!("{store} can be written, read, listed and removed from"))
            }
            Err(error) => findings.fail(about, &error, advice),
        }
    }
    if config.log != LogAt::Local && config.blobs.store.is_none() {
        let what = format!(
            "what is larger than 64 KiB is in {}",
            installation.layout.keys().join("blobs").display()
        );
        let advice = "set blobs.store, unless all processes have this folder in common";
        findings.warn("store of blobs", what, advice);
    }
}

pub(super) async fn read_model(installation: &Installation, findings: &mut Findings) {
    let about = "read model";
    if !installation.has_log() {
        return;
    }
    if !installation.layout.has_read_model() {
        let advice = "a server with the role `projections` makes it, or `tributary rebuild`";
        findings.warn(about, "there is none", advice);
        return;
    }
    let behind = async {
        let (log, topology) = installation.log()?;
        let lags = projections::lag(&*log, &topology, &installation.read_model()?).await?;
        anyhow::Ok(lags.iter().map(|(_, lag)| lag.records).sum::<u64>())
    };
    match behind.await {
        Ok(0) => findings.ok(about, "it has everything"),
        Ok(records) => {
            findings.ok(about, format!("it is {records} records behind the log; a server catches up"))
        }
        Err(error) => findings.fail(about, &error, "make it anew with `tributary rebuild`"),
    }
}
