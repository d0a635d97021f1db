//! How to reach a server, as a URL says it.
//!
//! The URL is libpq's (PostgreSQL's documentation, §32.1.1.2 "Connection URIs"), with two differences. TLS always
//! verifies the server's certificate, for its host's name, whatever else libpq's `require` would let through. And where
//! `sslmode` is left out, TLS is required unless the server is on this machine.

use std::{fmt, net::IpAddr, str::FromStr as _, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use crate::Error;

/// For one address; of several hosts, the next must have its turn.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection over which nothing came for so long is asked whether it lives.
const IDLE: Duration = Duration::from_secs(30);

/// A server and a database on it.
#[derive(Clone)]
pub struct Postgres {
    pub(super) config: Config,
    /// `None` with `sslmode=disable`.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Postgres {
    /// `postgres://USER:PASSWORD@HOST:PORT,HOST/DATABASE?OPTION=VALUE&…`. Options are libpq's; `sslmode` is one of
    /// `disable`, `prefer` and `require`, and `sslrootcert` a file of PEM certificates to trust instead of the web's.
    /// Reads that file.
    pub fn parse(url: &str) -> Result<Postgres, Error> {
        let (base, options) = url.split_once('?').unwrap_or((url, ""));
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            return Err(refused("it does not begin with postgres://"));
        }
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(ssl_mode(value)?),
                Some(("sslrootcert", path)) => roots = Some(path),
                _ => rest.push(option),
            }
        }
        let mut config = Config::from_str(&format!("{base}?{}", rest.join("&"))).map_err(unreadable)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refused("it names no host"));
        }
        let mode = mode.unwrap_or(if is_here(&config) { SslMode::Disable } else { SslMode::Require });
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(tls(roots)?),
        };
        config.ssl_mode(mode).keepalives_idle(IDLE);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("tributary");
        }
        // Of a primary and its standbys, the one that takes writes: what a standby says may be old.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Postgres { config, tls })
    }
}

/// As a URL, without the password.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let named = hosts.iter().map(|host| match host {
            Host::Tcp(host) => host.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let addressed = self.config.get_hostaddrs().iter().skip(hosts.len()).map(IpAddr::to_string);
        for (at, host) in named.chain(addressed).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let port = ports.get(at).or(ports.first()).unwrap_or(&5432);
            write!(f, "{comma}{host}:{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, Error> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-full" => Ok(SslMode::Require),
        _ => {
            Err(refused("sslmode is one of disable, prefer and require, which verifies as verify-full does"))
        }
    }
}

/// Nothing on the way could listen.
fn is_here(config: &Config) -> bool {
    let named = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    });
    named && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn tls(roots: Option<&str>) -> Result<Arc<ClientConfig>, Error> {
    let mut trusted = RootCertStore::empty();
    match roots {
        None => trusted.roots.extend_from_slice(webpki_roots::TLS_SERVER_ROOTS),
        Some(path) => {
            let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
            let unusable = |why: &dyn fmt::Display| refused(format!("sslrootcert={path}: {why}"));
            let certificates = CertificateDer::pem_file_iter(&*path).map_err(|error| unusable(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable(&error))?;
                trusted.add(certificate).map_err(|error| unusable(&error))?;
            }
            if trusted.is_empty() {
                return Err(unusable(&"there is no certificate in it"));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(unreadable)?;
    let mut config = config.with_root_certificates(trusted).with_no_client_auth();
    // Servers from version 17 on take TLS without being asked first, if it names their protocol.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(Arc::new(config))
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Url { reason: reason.into() }
}

/// What a parser says of a URL names its parts, and never the password.
fn unreadable(error: impl std::error::Error) -> Error {
    refused(error.source().map_or_else(|| error.to_string(), |why| format!("{error}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Postgres {
        Postgres::parse(url).unwrap()
    }

    #[test]
    fn tls_is_required_of_who_is_elsewhere() {
        let mode = |url: &str| parse(url).config.get_ssl_mode();
        for here in ["localhost", "127.0.0.1:1", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://u@{here}/keys")), SslMode::Disable, "{here}");
        }
        for elsewhere in ["db.example.com", "10.0.0.1", "localhost,db.example.com"] {
            assert_eq!(mode(&format!("postgres://u@{elsewhere}/keys")), SslMode::Require, "{elsewhere}");
        }
        assert_eq!(mode("postgres://u@10.0.0.1/keys?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u@10.0.0.1/keys?sslmode=prefer"), SslMode::Prefer);
        assert_eq!(mode("postgres://u@localhost/keys?sslmode=verify-full"), SslMode::Require);
    }

    #[test]
    fn it_is_shown_without_its_password() {
        let url = "postgresql://ann:hunter2@a:1,b:2/keys?sslmode=require&password=hunter2&connect_timeout=7";
        let postgres = parse(url);
        assert_eq!(postgres.to_string(), "postgres://ann@a:1,b:2/keys");
        assert_eq!(format!("{postgres:?}"), "postgres://ann@a:1,b:2/keys");
        assert_eq!(postgres.config.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(postgres.config.get_application_name(), Some("tributary"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_password() {
        for (url, named) in [
            ("mysql://ann:hunter2@a/keys", "postgres://"),
            ("postgres://ann:hunter2@a/keys?sslmode=allow", "sslmode"),
            ("postgres://ann:hunter2@a/keys?colour=blue", "colour"),
            ("postgres://ann:hunter2@a/keys?sslmode=require&sslrootcert=%2Fno%2Fwhere", "/no/where"),
            ("postgres:///keys?user=ann&password=hunter2", "host"),
        ] {
            let said = Postgres::parse(url).unwrap_err().to_string();
            assert!(said.contains(named) && !said.contains("hunter2"), "{url}: {said}");
        }
    }
}
