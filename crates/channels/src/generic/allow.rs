//! Networks that webhooks may come from, as `203.0.113.0/24, 2001:db8::/32, 198.51.100.7`.

use std::net::IpAddr;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Allowed(Vec<(u128, u32)>);

impl Allowed {
    pub(super) fn read(list: &str) -> Result<Allowed, String> {
        let networks = list.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| {
            let (address, prefix) = one.split_once('/').unwrap_or((one, ""));
            let address: IpAddr = address.parse().map_err(|_| format!("{one:?} is no network"))?;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = if prefix.is_empty() { Some(longest) } else { prefix.parse().ok() };
            let prefix =
                prefix.filter(|prefix| *prefix <= longest).ok_or(format!("{one:?} is no network"))?;
            Ok((number(address), prefix + 128 - longest))
        });
        let networks: Vec<_> = networks.collect::<Result<_, String>>()?;
        if networks.is_empty() { Err("it names no network".to_owned()) } else { Ok(Allowed(networks)) }
    }

    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let address = number(address);
        let mask = |prefix: u32| u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        self.0.iter().any(|(network, prefix)| (network ^ address) & mask(*prefix) == 0)
    }
}

/// An IPv4 address stands where IPv6 has it.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::Allowed;

    #[test]
    fn who_is_in_a_network_is_let_in() {
        let allowed = Allowed::read("203.0.113.0/24, 2001:db8::/32,198.51.100.7").unwrap();
        for (address, holds) in [
            ("203.0.113.9", true),
            ("203.0.114.9", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("::ffff:203.0.113.1", true),
            ("::1", false),
        ] {
            assert_eq!(allowed.holds(address.parse().unwrap()), holds, "{address}");
        }
        assert!(Allowed::read("0.0.0.0/0").unwrap().holds("192.0.2.1".parse().unwrap()));
        assert!(Allowed::read("::/0").unwrap().holds("192.0.2.1".parse().unwrap()));
        for wrong in ["", " , ", "x", "1.2.3.4/33", "1.2.3.4/-1", "::/129", "10.0.0.0/8,y"] {
            assert!(Allowed::read(wrong).is_err(), "{wrong}");
        }
    }
}
