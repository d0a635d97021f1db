//! How a provider signs its webhooks: an HMAC over what its documentation says, or a JSON Web Token that names the body's
//! hash.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

/// One inbox's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Signature {
    pub(super) over: Over,
    pub(super) key: String,
    /// In lower case.
    pub(super) header: String,
    /// What stands before it in the header, as in `sha256=`.
    pub(super) prefix: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Hmac {
        hash: Hash,
        parts: Vec<Piece>,
        base64: bool,
    },
    /// HS256 (RFC 7519), whose claim `payload_hash` is the SHA-256 of the body.
    Jwt,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

/// Of what is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    Body,
    /// The public URL of the request.
    Url,
    Header(String),
    Text(String),
}

/// What a request brings for its signature to be checked.
pub(crate) struct Signed<'a> {
    pub(crate) public_url: &'a str,
    /// With its query.
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) header: &'a dyn Fn(&str) -> &'a [u8],
}

impl Over {
    /// `template` as in `{header:x-timestamp}.{body}`.
    pub(super) fn hmac(name: &str, template: &str, encoding: &str) -> Result<Over, String> {
        let hash = match name {
            "hmac-sha1" => Hash::Sha1,
            "hmac-sha512" => Hash::Sha512,
            _ => Hash::Sha256,
        };
        let base64 = match encoding {
            "hex" => false,
            "base64" => true,
            other => return Err(format!("signature_encoding = {other:?}: it is `hex` or `base64`")),
        };
        let (mut parts, mut rest) = (Vec::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("a `{` without its `}`")?;
            parts.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
            parts.push(match name.split_once(':') {
                Some(("header", header)) => Piece::Header(header.to_ascii_lowercase()),
                _ if name == "body" => Piece::Body,
                _ if name == "url" => Piece::Url,
                _ => {
                    return Err(format!(
                        "`{{{name}}}`: there are `{{body}}`, `{{url}}` and `{{header:NAME}}`"
                    ));
                }
            });
            rest = behind;
        }
        parts.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        if !parts.contains(&Piece::Body) {
            return Err("what does not hold `{body}` protects no message".to_owned());
        }
        Ok(Over::Hmac { hash, parts, base64 })
    }
}

impl Signature {
    /// Takes the same time wherever a wrong one differs.
    pub(crate) fn holds(&self, signed: &Signed<'_>) -> bool {
        let given = (signed.header)(&self.header);
        let Some(given) = given.strip_prefix(self.prefix.as_bytes()).filter(|_| !self.key.is_empty()) else {
            return false;
        };
        match &self.over {
            Over::Jwt => self.holds_token(given, signed.body),
            Over::Hmac { hash, parts, base64 } => {
                let encoding = if *base64 { &BASE64 } else { &HEXLOWER_PERMISSIVE };
                let Ok(given) = encoding.decode(given) else { return false };
                let mut all = Vec::with_capacity(signed.body.len() + 256);
                for part in parts {
                    match part {
                        Piece::Body => all.extend_from_slice(signed.body),
                        Piece::Url => {
                            all.extend_from_slice(signed.public_url.trim_end_matches('/').as_bytes());
                            all.extend_from_slice(signed.path.as_bytes());
                        }
                        Piece::Header(name) => all.extend_from_slice((signed.header)(name)),
                        Piece::Text(text) => all.extend_from_slice(text.as_bytes()),
                    }
                }
                self.mac(*hash, &all).ct_eq(&given).into()
            }
        }
    }

    fn mac(&self, hash: Hash, all: &[u8]) -> Vec<u8> {
        fn of<M: Mac + hmac::digest::KeyInit>(key: &str, all: &[u8]) -> Vec<u8> {
            // A key of any length will do.
            <M as Mac>::new_from_slice(key.as_bytes())
                .map(|mac: M| mac.chain_update(all).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        match hash {
            Hash::Sha1 => of::<Hmac<Sha1>>(&self.key, all),
            Hash::Sha256 => of::<Hmac<Sha256>>(&self.key, all),
            Hash::Sha512 => of::<Hmac<Sha512>>(&self.key, all),
        }
    }

    fn holds_token(&self, given: &[u8], body: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Head {
            alg: String,
        }
        #[derive(Deserialize)]
        struct Claims {
            payload_hash: Option<String>,
        }
        let Ok(token) = std::str::from_utf8(given) else { return false };
        let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
        let Some((content, mac)) = token.rsplit_once('.') else { return false };
        let Some((head, claims)) = content.split_once('.') else { return false };
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        let Some(mac) = decode(mac) else { return false };
        let is_ours: bool = self.mac(Hash::Sha256, content.as_bytes()).ct_eq(&mac).into();
        let alg = decode(head).and_then(|head| serde_json::from_slice::<Head>(&head).ok());
        let claims = decode(claims).and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
        let (Some(head), Some(claims)) = (alg, claims) else { return false };
        // An empty body needs no hash.
        let covers = match claims.payload_hash {
            Some(hash) => HEXLOWER.encode(&Sha256::digest(body)) == hash.to_ascii_lowercase(),
            None => body.is_empty(),
        };
        is_ours && head.alg == "HS256" && covers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(signature: &Signature, header: &str, body: &[u8]) -> bool {
        let value = |name: &str| -> &[u8] {
            match name {
                "x-signature" => header.as_bytes(),
                "x-time" => b"1700000000",
                _ => b"",
            }
        };
        signature.holds(&Signed {
            public_url: "https://hooks.example.test/",
            path: "/w?a=1",
            body,
            header: &value,
        })
    }

    fn signature(over: Over, prefix: &str) -> Signature {
        Signature { over, key: "key".into(), header: "x-signature".into(), prefix: prefix.into() }
    }

    /// The values are Python's: `hmac.new(b"key", …, "sha256")`.
    #[test]
    fn what_is_signed_is_as_the_settings_say() {
        let plain = signature(Over::hmac("hmac-sha256", "{body}", "hex").unwrap(), "sha256=");
        // RFC 2104's usual example.
        let body = b"The quick brown fox jumps over the lazy dog";
        let valid = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert!(holds(&plain, valid, body));
        assert!(!holds(&plain, valid, b"The quick brown fox jumps over the lazy cat"));
        assert!(!holds(&plain, &valid[7..], body), "without its prefix");
        assert!(
            !holds(&plain, "sha256=", body) && !holds(&plain, "", body) && !holds(&plain, "sha256=zz", body)
        );
        let sha1 = signature(Over::hmac("hmac-sha1", "{body}", "hex").unwrap(), "");
        assert!(holds(&sha1, "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", body));
        assert!(!holds(
            &Signature { key: String::new(), ..sha1 },
            "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9",
            body
        ));
        let all = signature(Over::hmac("hmac-sha256", "{header:X-Time}.{url}.{body}", "base64").unwrap(), "");
        let mac = all.mac(Hash::Sha256, b"1700000000.https://hooks.example.test/w?a=1.hi");
        assert!(holds(&all, &BASE64.encode(&mac), b"hi"));
        for wrong in ["{header:x-time}", "{body", "{secret}{body}"] {
            assert!(Over::hmac("hmac-sha256", wrong, "hex").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_speaks_for_the_body_it_names() {
        let jwt = signature(Over::Jwt, "");
        let token = |alg: &str, hash: &str| {
            let head = BASE64URL_NOPAD.encode(format!(r#"{{"alg":"{alg}"}}"#).as_bytes());
            let claims = BASE64URL_NOPAD.encode(format!(r#"{{"iat":1,"payload_hash":"{hash}"}}"#).as_bytes());
            let mac = jwt.mac(Hash::Sha256, format!("{head}.{claims}").as_bytes());
            format!("Bearer {head}.{claims}.{}", BASE64URL_NOPAD.encode(&mac))
        };
        let hash = HEXLOWER.encode(&Sha256::digest(b"hi"));
        assert!(holds(&jwt, &token("HS256", &hash), b"hi"));
        assert!(holds(&jwt, token("HS256", &hash).trim_start_matches("Bearer "), b"hi"));
        assert!(!holds(&jwt, &token("HS256", &hash), b"ho"));
        assert!(!holds(&jwt, &token("none", &hash), b"hi"));
        let other = Signature { key: "other".into(), ..jwt.clone() };
        assert!(!holds(&other, &token("HS256", &hash), b"hi"));
        for wrong in ["", "a.b", "a.b.c", "Bearer ", "..", "é.é.é"] {
            assert!(!holds(&jwt, wrong, b"hi"), "{wrong}");
        }
    }
}
