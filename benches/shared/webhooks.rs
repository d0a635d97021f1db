//! Messenger webhooks, signed and ready to be written before any clock starts.

use channels::{Fact, messenger};
use domain::FactId;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use vault::Vault;

use super::Outcome;

/// The inbox and its secret, as in the sample workspace.
pub(crate) const INBOX: &str = "messenger";
const SECRET: &[u8] = b"dev";

/// One HTTP request a message, each with its own id.
pub(crate) struct Webhooks {
    bytes: Vec<u8>,
    /// Where each request ends, and where its body begins.
    places: Vec<(usize, usize)>,
}

impl Webhooks {
    /// So many messages, ids beginning with `run`. One in `new_every` is the first of its customer; the others come
    /// from any of the customers so far.
    pub(crate) fn prepare(run: &str, count: usize, new_every: usize, text: &str) -> Webhooks {
        let mut webhooks =
            Webhooks { bytes: Vec::with_capacity(count * 512), places: Vec::with_capacity(count) };
        let at = log::clock::now();
        for number in 0..count {
            let customer = customer(number, new_every);
            let body = format!(
                r#"{{"object":"page","entry":[{{"id":"1","time":{at},"messaging":[{{"sender":{{"id":"psid-{run}-{customer}"}},"recipient":{{"id":"1"}},"timestamp":{at},"message":{{"mid":"m-{run}-{number}","text":"{text} ({number})"}}}}]}}]}}"#
            );
            webhooks.push(&body);
        }
        webhooks
    }

    /// So many batches of a thousand messages each, every one from a new party.
    #[allow(dead_code, reason = "not every bench sends batches")]
    pub(crate) fn batches(run: &str, count: usize) -> Webhooks {
        let mut webhooks = Webhooks { bytes: Vec::new(), places: Vec::with_capacity(count) };
        let at = log::clock::now();
        for batch in 0..count {
            let items: Vec<String> = (0..1_000)
                .map(|item| {
                    format!(
                        r#"{{"sender":{{"id":"batch-{run}-{batch}-{item}"}},"recipient":{{"id":"1"}},"timestamp":{at},"message":{{"mid":"b-{run}-{batch}-{item}","text":"Where is my parcel?"}}}}"#
                    )
                })
                .collect();
            let items = items.join(",");
            webhooks.push(&format!(
                r#"{{"object":"page","entry":[{{"id":"1","time":{at},"messaging":[{items}]}}]}}"#
            ));
        }
        webhooks
    }

    fn push(&mut self, body: &str) {
        let head = format!(
            "POST /webhooks/meta/{INBOX} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nX-Hub-Signature-256: sha256={}\r\n\r\n",
            body.len(),
            sign(body.as_bytes()),
        );
        self.bytes.extend_from_slice(head.as_bytes());
        let body_at = self.bytes.len();
        self.bytes.extend_from_slice(body.as_bytes());
        self.places.push((self.bytes.len(), body_at));
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn request(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).map_or(0, |before| self.places[before].0);
        &self.bytes[begin..self.places[number].0]
    }

    fn body(&self, number: usize) -> &[u8] {
        let (end, body) = self.places[number];
        &self.bytes[body..end]
    }

    /// What the router knows this message by.
    pub(crate) fn fact(&self, vault: &Vault, number: usize) -> Outcome<FactId> {
        let fact = self.read(number)?;
        Ok(FactId(vault.fact(INBOX, fact.kind.as_str(), &fact.identity())))
    }

    /// The customer's address.
    pub(crate) fn address(&self, number: usize) -> Outcome<String> {
        Ok(self.read(number)?.address)
    }

    fn read(&self, number: usize) -> Outcome<Fact> {
        let facts = messenger::normalize(messenger::Kind::Messenger, Some(INBOX), self.body(number))?;
        Ok(facts.into_iter().next().ok_or("a webhook without a fact")?)
    }
}

/// The header's value without its `sha256=`.
fn sign(body: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&mac().chain_update(body).finalize().into_bytes())
}

/// Whether the header's value signs these bytes.
pub(crate) fn is_signed(header: &str, body: &[u8]) -> bool {
    let given =
        header.strip_prefix("sha256=").and_then(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok());
    given.is_some_and(|given| mac().chain_update(body).verify_slice(&given).is_ok())
}

fn mac() -> Hmac<Sha256> {
    Hmac::new_from_slice(SECRET).expect("an HMAC takes a key of any length")
}

fn customer(number: usize, new_every: usize) -> usize {
    let newest = number / new_every;
    if number.is_multiple_of(new_every) {
        return newest;
    }
    // Scattered, and the same in every run.
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    scattered as usize % (newest + 1)
}
