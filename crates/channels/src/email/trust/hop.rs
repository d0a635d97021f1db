//! Who sent a mail to us: the client of the connection, or, where that is a mail server of our own, whoever sent it
//! there, as that server wrote above the mail (RFC 5321 section 4.4).

use std::net::IpAddr;

use mail_auth::AuthenticatedMessage;

use super::setting::Hosts;
use crate::email::Envelope;

/// Servers of our own that a mail may come by.
const MOST_HOPS: usize = 16;

/// The first server outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub(super) ip: IpAddr,
    /// The name it gave.
    pub(super) helo: String,
    /// The return path, empty for `<>`.
    pub(super) sender: String,
}

/// None where that cannot be told: then a mail has its signatures only.
pub(super) fn of(raw: &[u8], envelope: Option<&Envelope>, hosts: &Hosts) -> Option<Hop> {
    let client = envelope.and_then(|envelope| envelope.client.as_ref());
    let head = AuthenticatedMessage::parse_with_opts(head(raw), None, true);
    let headers = head.as_ref().map_or(&[][..], |message| message.headers.as_slice());
    let sender = match envelope {
        Some(envelope) => envelope.sender.clone(),
        // Whoever put the mail into a mailbox wrote it above (RFC 5321 section 4.4).
        None => return_path(first(headers, "return-path").next()?)?,
    };
    if let Some(client) = client.filter(|client| !hosts.has(client.ip)) {
        return Some(Hop { ip: client.ip, helo: client.helo.clone(), sender });
    }
    for line in first(headers, "received").take(MOST_HOPS) {
        let (ip, helo) = came_from(line)?;
        if !hosts.has(ip) {
            return Some(Hop { ip, helo, sender });
        }
    }
    None
}

/// What stands above the blank line, which is all that is read here.
fn head(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").map_or(raw.len(), |at| at + 4);
    &raw[..end]
}

/// The fields of that name, from the top.
pub(super) fn first<'a>(
    headers: &'a [(&'a [u8], &'a [u8])],
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    let named = move |(field, _): &&(&[u8], &[u8])| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    headers.iter().filter(named).map(|(_, value)| *value)
}

fn return_path(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim();
    Some(text.strip_prefix('<')?.strip_suffix('>')?.trim().to_lowercase())
}

/// `from HELO (name [192.0.2.1]) by …`: what the server saw stands in the comment, since the rest is what the client
/// said of itself. Only if there is no address in the comment is one beside it the server's own word
/// (`from [192.0.2.1] (helo=NAME) by …`, as Exim writes it).
fn came_from(value: &[u8]) -> Option<(IpAddr, String)> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_start();
    let from = text.get(..5).filter(|word| word.eq_ignore_ascii_case("from ")).map(|_| &text[5..])?;
    let helo = from.split_whitespace().next()?;
    let rest = from.trim_start().strip_prefix(helo)?.trim_start();
    let comment = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(comment, _)| comment);
    let seen = comment.and_then(|comment| {
        let said = |word: &&str| {
            let word = word.to_ascii_lowercase();
            !word.starts_with("helo=") && !word.starts_with("ehlo=")
        };
        comment.split_whitespace().filter(said).filter_map(literal).next_back()
    });
    let says = |comment: &str| {
        comment.split_whitespace().find_map(|word| Some(word.strip_prefix("helo=")?.to_owned()))
    };
    match (seen, comment) {
        (Some(ip), _) => Some((ip, helo.to_owned())),
        (None, Some(comment)) => Some((literal(helo)?, says(comment)?)),
        (None, None) => None,
    }
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, `192.0.2.1`, with a port or not.
fn literal(word: &str) -> Option<IpAddr> {
    let word = word.trim_matches([',', ';']);
    let inner = match word.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => word,
    };
    let inner = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => &inner[5..],
        _ => inner,
    };
    inner.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(line: &str) -> Option<(String, String)> {
        came_from(line.as_bytes()).map(|(ip, helo)| (ip.to_string(), helo))
    }

    fn some(ip: &str, helo: &str) -> Option<(String, String)> {
        Some((ip.into(), helo.into()))
    }

    #[test]
    fn the_address_that_the_server_saw_is_told_from_what_the_client_said() {
        let postfix = " from mx.a.test (mx.a.test [192.0.2.1])\r\n\tby us.test (Postfix) with ESMTPS id 1";
        assert_eq!(from(postfix), some("192.0.2.1", "mx.a.test"));
        assert_eq!(
            from("from mx.a.test (unknown [IPv6:2001:db8::1]) by us.test"),
            some("2001:db8::1", "mx.a.test")
        );
        assert_eq!(from("from [10.0.0.1] (unknown [192.0.2.1]) by us.test"), some("192.0.2.1", "[10.0.0.1]"));
        assert_eq!(
            from("from mx.a.test ([192.0.2.1] helo=[10.0.0.1]) by us.test"),
            some("192.0.2.1", "mx.a.test")
        );
        assert_eq!(from("from [192.0.2.1] (helo=mx.a.test) by us.test"), some("192.0.2.1", "mx.a.test"));
        assert_eq!(from("from mx.a.test (192.0.2.1) by us.test with SMTP"), some("192.0.2.1", "mx.a.test"));
        for unclear in [
            "from [192.0.2.1] by us.test",
            "by us.test (Postfix, from userid 1000)",
            "from",
            "",
            "from a (b) by c",
        ] {
            assert_eq!(from(unclear), None, "{unclear}");
        }
    }
}
