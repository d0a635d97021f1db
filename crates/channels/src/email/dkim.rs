//! Mails signed with the domain's key (RFC 6376, and RFC 8463 for Ed25519), so that whoever gets one can tell that the
//! domain vouches for it. Deterministic: the same mail is signed with the same octets.

use std::fmt::Write as _;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

/// Header fields that are signed where they stand. Those of [`ONCE`] are signed once more than they stand, so that
/// nobody adds another (RFC 6376 section 5.4.2).
const SIGNED: [&str; 17] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    // RFC 8058 section 4 wants these two signed.
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Sender",
    "Cc",
];
const ONCE: [&str; 7] = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To"];

/// Columns of a line of the signature.
const WIDE: usize = 72;

/// Signs for one domain with one key.
#[derive(Clone)]
pub struct DkimSigner {
    domain: String,
    selector: String,
    key: Arc<Key>,
}

enum Key {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    #[error("reading the DKIM key: it is no private key in PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("reading the DKIM key: neither RSA of 2048 bits or more, nor Ed25519 ({0})")]
    Kind(ring::error::KeyRejected),
    #[error("reading the DKIM key: it is of another kind than RSA and Ed25519")]
    Other,
    #[error("{0:?} is no name of a DKIM selector")]
    Selector(String),
    #[error("signing by DKIM")]
    Sign,
}

impl DkimSigner {
    /// `pem` is a private key: RSA (PKCS #1 or #8) or Ed25519 (PKCS #8).
    ///
    /// # Errors
    /// When the key cannot be read, or the selector is no name in the DNS.
    pub fn new(domain: &str, selector: &str, pem: &str) -> Result<Self, DkimError> {
        let in_dns = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if selector.is_empty() || selector.len() > 63 || !selector.chars().all(in_dns) {
            return Err(DkimError::Selector(selector.to_owned()));
        }
        let of = |error: ring::error::KeyRejected| DkimError::Kind(error);
        let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(DkimError::Pem)? {
            PrivateKeyDer::Pkcs1(der) => Key::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(of)?),
            PrivateKeyDer::Pkcs8(der) => match RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()) {
                Ok(key) => Key::Rsa(key),
                Err(_) => Key::Ed25519(
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(of)?,
                ),
            },
            _ => return Err(DkimError::Other),
        };
        Ok(DkimSigner {
            domain: domain.to_ascii_lowercase(),
            selector: selector.to_owned(),
            key: Arc::new(key),
        })
    }

    /// Where the public key is looked for.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The TXT record to publish there (RFC 6376 section 3.6.1).
    pub fn record(&self) -> String {
        match &*self.key {
            Key::Rsa(key) => {
                format!("v=DKIM1; k=rsa; p={}", BASE64.encode(&public_key_info(key.public_key().as_ref())))
            }
            Key::Ed25519(key) => {
                format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(key.public_key().as_ref()))
            }
        }
    }

    /// The field to put above the mail, with the end of its line. `at` is in seconds since the epoch.
    pub(super) fn sign(&self, mail: &[u8], at: u64) -> Result<String, DkimError> {
        let end = mail.windows(4).position(|four| four == b"\r\n\r\n").map_or(mail.len(), |at| at + 2);
        let (head, body) = mail.split_at(end);
        let body = body.strip_prefix(b"\r\n").unwrap_or(body);
        let fields = fields(head);
        let body_hash = BASE64.encode(&Sha256::digest(relaxed_body(body)));
        let names = signed_names(&fields);
        let algorithm = match *self.key {
            Key::Rsa(_) => "rsa-sha256",
            Key::Ed25519(_) => "ed25519-sha256",
        };
        let mut signature = format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={};\r\n\ts={}; t={at};\r\n\th=",
            self.domain, self.selector
        );
        let mut column = 3;
        for (at, name) in names.iter().enumerate() {
            let piece = if at == 0 { name.clone() } else { format!(":{name}") };
            if column + piece.len() > WIDE {
                signature.push_str("\r\n\t ");
                column = 2;
            }
            column += piece.len();
            signature.push_str(&piece);
        }
        _ = write!(signature, ";\r\n\tbh={body_hash};\r\n\tb=");

        let mut signed = Vec::new();
        // Of several fields of a name the last is signed first (section 5.4.2).
        let mut taken: Vec<usize> = Vec::new();
        for name in &names {
            let field =
                fields.iter().enumerate().rev().find(|(index, (of, _))| {
                    of.eq_ignore_ascii_case(name.as_bytes()) && !taken.contains(index)
                });
            if let Some((index, (name, value))) = field {
                taken.push(index);
                relaxed_field(&mut signed, name, value);
                signed.extend_from_slice(b"\r\n");
            }
        }
        let (name, value) = signature.split_once(':').unwrap_or((&signature, ""));
        relaxed_field(&mut signed, name.as_bytes(), value.as_bytes());

        let made = BASE64.encode(&self.seal(&signed)?);
        for (at, piece) in made.as_bytes().chunks(WIDE).enumerate() {
            if at > 0 {
                signature.push_str("\r\n\t ");
            }
            signature.push_str(&String::from_utf8_lossy(piece));
        }
        signature.push_str("\r\n");
        Ok(signature)
    }

    fn seal(&self, signed: &[u8]) -> Result<Vec<u8>, DkimError> {
        match &*self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                // Blinding alone is random, not the signature.
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature)
                    .map_err(|_| DkimError::Sign)?;
                Ok(signature)
            }
            // RFC 8463 section 3: what is signed is the hash.
            Key::Ed25519(key) => Ok(key.sign(&Sha256::digest(signed)).as_ref().to_vec()),
        }
    }
}

impl std::fmt::Debug for DkimSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DkimSigner({})", self.record_name())
    }
}

/// Name and value of each field, as they stand.
fn fields(head: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        // A field ends where a line does that no folded line follows.
        let ends = rest.windows(2).enumerate().filter(|(_, two)| *two == b"\r\n").map(|(at, _)| at);
        let mut ends = ends.filter(|at| !matches!(rest.get(at + 2), Some(b' ' | b'\t')));
        let end = ends.next().unwrap_or(rest.len());
        let field = &rest[..end];
        rest = rest.get(end + 2..).unwrap_or_default();
        if let Some(colon) = field.iter().position(|byte| *byte == b':') {
            fields.push((&field[..colon], &field[colon + 1..]));
        }
    }
    fields
}

fn signed_names(fields: &[(&[u8], &[u8])]) -> Vec<String> {
    let count = |name: &str| fields.iter().filter(|(of, _)| of.eq_ignore_ascii_case(name.as_bytes())).count();
    let once_more = |name: &&str| ONCE.contains(name);
    let stands = SIGNED.iter().flat_map(|name| std::iter::repeat_n(*name, count(name)));
    stands.chain(SIGNED.iter().filter(|name| once_more(name)).copied()).map(str::to_ascii_lowercase).collect()
}

/// Section 3.4.2: the name in lower case, the value in one line with single spaces.
fn relaxed_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend(name.trim_ascii().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let words = value.split(is_space).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// Section 3.4.4: single spaces, none at the end of a line, no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    let mut empty = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1);
        if end == 0 {
            empty += 1;
            continue;
        }
        out.extend(std::iter::repeat_n(*b"\r\n", empty).flatten());
        empty = 0;
        let mut space = false;
        for byte in &line[..end] {
            if matches!(byte, b' ' | b'\t') {
                space = true;
                continue;
            }
            if std::mem::take(&mut space) {
                out.push(b' ');
            }
            out.push(*byte);
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A `SubjectPublicKeyInfo` (RFC 5280 section 4.1) around an `RSAPublicKey`: what verifiers expect.
fn public_key_info(key: &[u8]) -> Vec<u8> {
    // rsaEncryption, without parameters.
    const ALGORITHM: [u8; 15] =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = der(0x03, &[&[0][..], key].concat());
    der(0x30, &[&ALGORITHM[..], &bits].concat())
}

/// One element in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
    }
    out.extend_from_slice(length);
    out.extend_from_slice(content);
    out
}
