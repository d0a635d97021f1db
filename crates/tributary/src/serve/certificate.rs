//! The certificate by which a listener proves who it is, read again when its files change: authorities give them for
//! weeks only.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, anyhow};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::Instant;

use crate::config::Tls;

/// Between looks at the files.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What a listener needs to speak TLS, with the certificate and key that these files hold now.
pub(super) fn server(files: &Tls) -> anyhow::Result<Arc<ServerConfig>> {
    let certificate = Certificate::read(files.clone(), LOOK_AGAIN)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificate));
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Certificate {
    files: Tls,
    look_again: Duration,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    key: Arc<CertifiedKey>,
    written: Option<SystemTime>,
    looked: Instant,
}

impl Certificate {
    fn read(files: Tls, look_again: Duration) -> anyhow::Result<Self> {
        let written = written(&files.certificate);
        let known = Known { key: load(&files)?, written, looked: Instant::now() };
        Ok(Certificate { files, look_again, known: Mutex::new(known) })
    }

    fn key(&self) -> Arc<CertifiedKey> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() >= self.look_again {
            known.looked = Instant::now();
            let written = written(&self.files.certificate);
            if written != known.written {
                match load(&self.files) {
                    Ok(key) => {
                        (known.key, known.written) = (key, written);
                        tracing::info!(certificate = %self.files.certificate.display(), "a new certificate");
                    }
                    // Perhaps only one of the two files is there yet.
                    Err(error) => tracing::warn!("the old certificate stays: {error:#}"),
                }
            }
        }
        known.key.clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

fn written(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|about| about.modified()).ok()
}

fn load(files: &Tls) -> anyhow::Result<Arc<CertifiedKey>> {
    let of = |file: &PathBuf| format!("could not read {}", file.display());
    let chain = CertificateDer::pem_file_iter(&files.certificate).with_context(|| of(&files.certificate))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(|| of(&files.certificate))?;
    if chain.is_empty() {
        return Err(anyhow!("{} holds no certificate", files.certificate.display()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).with_context(|| of(&files.key))?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
    Ok(Arc::new(key.with_context(|| format!("{} and {}", files.certificate.display(), files.key.display()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../channels/src/email/samples/tls/cert.pem");
    const KEY: &[u8] = include_bytes!("../../../channels/src/email/samples/tls/key.pem");

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = Tls { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
        assert!(server(&files).is_err(), "there is none yet");
        std::fs::write(&files.certificate, CERTIFICATE).unwrap();
        std::fs::write(&files.key, KEY).unwrap();
        let certificate = Certificate::read(files.clone(), Duration::ZERO).unwrap();
        let patient = Certificate::read(files.clone(), LOOK_AGAIN).unwrap();
        let (first, patients) = (certificate.key(), patient.key());
        // The clock of files is coarse: what was written is told by a time of its own.
        let at = |seconds| {
            let file = std::fs::File::options().write(true).open(&files.certificate).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        std::fs::write(&files.certificate, b"half of it").unwrap();
        at(1);
        assert!(Arc::ptr_eq(&certificate.key(), &first), "half a certificate is none");
        std::fs::write(&files.certificate, CERTIFICATE).unwrap();
        at(2);
        assert!(!Arc::ptr_eq(&certificate.key(), &first));
        assert!(Arc::ptr_eq(&patient.key(), &patients), "the files are looked at once a minute");
    }
}
