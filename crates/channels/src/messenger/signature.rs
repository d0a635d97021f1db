//! Meta's signature: `X-Hub-Signature-256: sha256=<hex>`, an HMAC-SHA256 of the raw body under the app secret.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The header that carries it.
pub const HEADER: &str = "x-hub-signature-256";

/// True when any of the secrets signed exactly these bytes; there are several while one is being replaced. Takes
/// the same time wherever a wrong signature differs.
pub fn valid(secrets: &[String], header: &[u8], body: &[u8]) -> bool {
    let Some(hex) = header.strip_prefix(b"sha256=") else { return false };
    let mut given = [0; 32];
    if hex.len() != 64 || HEXLOWER_PERMISSIVE.decode_mut(hex, &mut given).is_err() {
        return false;
    }
    // Every secret is tried, so that the time does not tell which of them it was.
    secrets.iter().filter(|secret| signed_by(secret, &given, body)).count() > 0
}

fn signed_by(secret: &str, given: &[u8; 32], body: &[u8]) -> bool {
    // An HMAC takes a key of any length; an empty secret is a missing one and signs nothing.
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) if !secret.is_empty() => mac.chain_update(body).verify_slice(given).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Vec<String> {
        all.iter().map(|secret| (*secret).to_owned()).collect()
    }

    /// The example of GitHub's "Validating webhook deliveries", which uses the same header and scheme.
    #[test]
    fn the_published_example_is_valid() {
        let signature = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = secrets(&["It's a Secret to Everybody"]);
        assert!(valid(&secret, signature, b"Hello, World!"));
        assert!(!valid(&secret, signature, b"Hello, World"));
        assert!(!valid(&secret, signature, b"hello, World!"));
    }

    /// Made with Python: `hmac.new(b"dev", body.encode(), hashlib.sha256).hexdigest()`.
    #[test]
    fn any_of_several_secrets_will_do() {
        let body = "{\"text\":\"héllo\"}".as_bytes();
        let signature = b"sha256=3bb5825a557695bcbfe726cd60767d96754ebb0e9a2a6c690c1ca389213df82e";
        assert!(valid(&secrets(&["old", "dev"]), signature, body));
        assert!(valid(&secrets(&["dev", "new"]), signature, body));
        assert!(!valid(&secrets(&["old", "new"]), signature, body));
        assert!(!valid(&[], signature, body));
    }

    #[test]
    fn only_the_whole_header_counts() {
        let secret = secrets(&["It's a Secret to Everybody"]);
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let wrong = [
            String::new(),
            hex.to_owned(),
            format!("sha1={hex}"),
            format!("sha256={}", &hex[..62]),
            format!("sha256={hex}00"),
            format!("sha256={}zz", &hex[..62]),
            format!("sha256= {hex}"),
        ];
        for header in wrong {
            assert!(!valid(&secret, header.as_bytes(), b"Hello, World!"), "{header}");
        }
        assert!(valid(&secret, format!("sha256={}", hex.to_uppercase()).as_bytes(), b"Hello, World!"));
    }

    /// Made with Python: `hmac.new(b"", b"x", hashlib.sha256).hexdigest()`.
    #[test]
    fn an_empty_secret_signs_nothing() {
        let signature = b"sha256=4cbc96099a6467ce002461f10549b4898265ebe6188b45efacc44293516e62c4";
        assert!(!valid(&secrets(&[""]), signature, b"x"));
    }
}
