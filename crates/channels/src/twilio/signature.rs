//! Twilio's signature: `X-Twilio-Signature`, the base64 of an HMAC-SHA1 under the auth token, over the URL and then
//! each parameter's name and value in order of their names, repeated values once each in their own order.
//!
//! The URL is the one Twilio was given, so it is configured: nothing in the request may say what it was. As
//! Twilio's own validators do, it is tried without a port and with one, since either may have been signed.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Form;

/// The query parameter of the URL that holds the hash of a JSON body.
const BODY_HASH: &str = "bodySHA256";

/// The header that carries it.
pub const HEADER: &str = "x-twilio-signature";

/// True when any of the auth tokens signed this form for `public_url` followed by `path` (with its query). Takes
/// the same time wherever a wrong signature differs.
pub fn valid(auth_tokens: &[String], header: &[u8], public_url: &str, path: &str, form: &Form<'_>) -> bool {
    let Ok(given) = BASE64.decode(header) else { return false };
    holds(auth_tokens, &given, public_url, path, |mac| {
        for (name, value) in form.iter() {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
    })
}

/// The same for a body of JSON: the URL alone is signed, and its `bodySHA256` is the body's hash in hexadecimal.
pub fn valid_json(auth_tokens: &[String], header: &[u8], public_url: &str, path: &str, body: &[u8]) -> bool {
    let Ok(given) = BASE64.decode(header) else { return false };
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let told = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_HASH);
    let is_whole = told.is_some_and(|(_, hash)| {
        HEXLOWER.encode(&Sha256::digest(body)).as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes()).into()
    });
    is_whole && holds(auth_tokens, &given, public_url, path, |_| {})
}

fn holds(
    auth_tokens: &[String],
    given: &[u8],
    public_url: &str,
    path: &str,
    parameters: impl Fn(&mut Hmac<Sha1>),
) -> bool {
    let base = public_url.trim_end_matches('/');
    let (without, with) = ports(base);
    let signed = |token: &String, base: &[&str]| {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.as_bytes()) else { return false };
        base.iter().chain([&path]).for_each(|part| mac.update(part.as_bytes()));
        parameters(&mut mac);
        mac.verify_slice(given).is_ok()
    };
    auth_tokens
        .iter()
        .filter(|token| !token.is_empty())
        .any(|token| signed(token, &without) || signed(token, &with))
}

/// The base URL without any port and with one (its own, or the scheme's), in parts to be put together.
fn ports(base: &str) -> ([&str; 3], [&str; 3]) {
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let (host, path) = base.split_at(end);
    let port = host[authority..].rfind(':').map(|at| authority + at).filter(|at| !host[*at..].contains(']'));
    match port {
        Some(at) => ([&host[..at], "", path], [host, "", path]),
        None => ([host, "", path], [host, if base.starts_with("https:") { ":443" } else { ":80" }, path]),
    }
}
