//! How an inbox is told whose word counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// An inbox's settings `authentication`, `trusted_hosts` and `trusted_sealers`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Authentication {
    /// Tributary checks.
    Verify {
        /// Our own mail servers: what they say of where a mail came from counts.
        hosts: Hosts,
        /// Domains, lower case, that pass mail on and are believed in what they found when it came to them.
        sealers: Vec<String>,
    },
    /// Whoever hands mail in has checked it, and drops what fails.
    Trusted,
    /// What the mail server of this name wrote into the mail counts.
    Header(String),
    /// Nobody checks.
    None,
}

/// A setting that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadSetting {
    /// Which one.
    pub key: &'static str,
    what: String,
}

impl Authentication {
    /// What these settings say; without any, that Tributary checks.
    ///
    /// # Errors
    /// Names the setting that says nothing.
    pub fn of(settings: &BTreeMap<String, String>) -> Result<Self, BadSetting> {
        let text = |key: &str| settings.get(key).map(String::as_str);
        let bad = |key, what: String| BadSetting { key, what };
        let hosts = Hosts::named(text("trusted_hosts").unwrap_or_default());
        let hosts = hosts.map_err(|what| bad("trusted_hosts", what))?;
        let sealers = list(text("trusted_sealers").unwrap_or_default()).map(str::to_ascii_lowercase);
        let sealers: Vec<String> = sealers.collect();
        if let Some(odd) = sealers.iter().find(|sealer| !is_name(sealer)) {
            return Err(bad("trusted_sealers", format!("{odd:?} is not a domain")));
        }
        match text("authentication").map(str::trim) {
            None | Some("verify") => Ok(Authentication::Verify { hosts, sealers }),
            Some("trusted") => Ok(Authentication::Trusted),
            Some("none") => Ok(Authentication::None),
            Some(other) => match other.strip_prefix("header:").map(str::trim) {
                Some(server) if is_name(server) => Ok(Authentication::Header(server.to_ascii_lowercase())),
                _ => Err(bad(
                    "authentication",
                    format!(
                        "{other:?} is none of `verify`, `trusted`, `none` and `header:NAME-OF-YOUR-SERVER`"
                    ),
                )),
            },
        }
    }
}

/// Between commas or white space.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t', '\n']).filter(|one| !one.is_empty())
}

fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Networks of mail servers. This machine's own addresses are always among them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts(Vec<(IpAddr, u8)>);

impl Hosts {
    /// `192.0.2.7, 10.0.0.0/8, 2001:db8::/32`
    fn named(text: &str) -> Result<Self, String> {
        list(text)
            .map(|one| {
                let (ip, bits) = one.split_once('/').map_or((one, None), |(ip, bits)| (ip, Some(bits)));
                let odd = || format!("{one:?} is not an address or a network, such as 10.0.0.0/8");
                let ip = canonical(ip.parse().map_err(|_| odd())?);
                let most = if ip.is_ipv4() { 32 } else { 128 };
                let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| odd()))?;
                if bits <= most { Ok((ip, bits)) } else { Err(odd()) }
            })
            .collect::<Result<_, _>>()
            .map(Hosts)
    }

    pub(super) fn has(&self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        ip.is_loopback() || self.0.iter().any(|(network, bits)| is_within(ip, *network, *bits))
    }
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (ip, network, width) = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            (u128::from(u32::from(ip)), u128::from(u32::from(network)), 32)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => (u128::from(ip), u128::from(network), 128),
        _ => return false,
    };
    let spare = width - u32::from(bits);
    ip.checked_shr(spare) == network.checked_shr(spare)
}
