//! Messenger's and Twilio's webhooks, signed and ready to be written before any clock starts.

use channels::{Fact, messenger, twilio};
use domain::FactId;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use vault::Vault;

use super::Outcome;

/// The inbox and its secret, as in the sample workspace.
pub(crate) const INBOX: &str = "messenger";
const SECRET: &[u8] = b"dev";
/// Twilio signs the URL it was given, whose beginning the configuration names.
pub(crate) const PUBLIC_URL: &str = "https://bench.example.test";
const SMS: &str = "sms";

/// One HTTP request a message, each with its own id.
pub(crate) struct Webhooks {
    platform: Platform,
    bytes: Vec<u8>,
    /// Where each request ends, and where its body begins.
    places: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Platform {
    Messenger,
    Twilio,
}

impl Webhooks {
    fn of(platform: Platform, count: usize) -> Webhooks {
        Webhooks { platform, bytes: Vec::with_capacity(count * 512), places: Vec::with_capacity(count) }
    }

    /// So many messages, ids beginning with `run`. One in `new_every` is the first of its customer; the others come
    /// from any of the customers so far.
    pub(crate) fn prepare(run: &str, count: usize, new_every: usize, text: &str) -> Webhooks {
        let mut webhooks = Webhooks::of(Platform::Messenger, count);
        let at = log::clock::now();
        for number in 0..count {
            let customer = customer(number, new_every);
            let body = format!(
                r#"{{"object":"page","entry":[{{"id":"1","time":{at},"messaging":[{{"sender":{{"id":"psid-{run}-{customer}"}},"recipient":{{"id":"1"}},"timestamp":{at},"message":{{"mid":"m-{run}-{number}","text":"{text} ({number})"}}}}]}}]}}"#
            );
            webhooks.push_meta(&body);
        }
        webhooks
    }

    /// So many batches of a thousand messages each, every one from a new party.
    #[allow(dead_code, reason = "not every bench sends batches")]
    pub(crate) fn batches(run: &str, count: usize) -> Webhooks {
        let mut webhooks = Webhooks::of(Platform::Messenger, count);
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
            webhooks.push_meta(&format!(
                r#"{{"object":"page","entry":[{{"id":"1","time":{at},"messaging":[{items}]}}]}}"#
            ));
        }
        webhooks
    }

    /// The same by Twilio.
    pub(crate) fn twilio(run: &str, count: usize, new_every: usize, text: &str) -> Webhooks {
        let mut webhooks = Webhooks::of(Platform::Twilio, count);
        let path = format!("/webhooks/twilio/{SMS}");
        // Numbers of eight digits behind 49151: as many customers as there may be, and another's in each round.
        let first = 10_000_000 + run.bytes().map(usize::from).sum::<usize>() * 1_000_000 % 80_000_000;
        for number in 0..count {
            let from = format!("+49151{:08}", first + customer(number, new_every));
            let (sid, said) = (format!("SM-{run}-{number}"), format!("{text} ({number})"));
            // In the order in which they are signed.
            let fields = [
                ("AccountSid", "AC1"),
                ("Body", &said),
                ("From", &from),
                ("MessageSid", &sid),
                ("NumMedia", "0"),
                ("NumSegments", "1"),
                ("SmsStatus", "received"),
                ("To", "+15550100"),
            ];
            let signed =
                fields.iter().fold(format!("{PUBLIC_URL}{path}"), |text, (name, value)| text + name + value);
            let mac = Hmac::<sha1::Sha1>::new_from_slice(SECRET).expect("an HMAC takes a key of any length");
            let mac = data_encoding::BASE64.encode(&mac.chain_update(signed).finalize().into_bytes());
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let signature = format!("X-Twilio-Signature: {mac}");
            webhooks.push(&path, "application/x-www-form-urlencoded", &signature, &body);
        }
        webhooks
    }

    fn push_meta(&mut self, body: &str) {
        let signature = format!("X-Hub-Signature-256: sha256={}", sign(body.as_bytes()));
        self.push(&format!("/webhooks/meta/{INBOX}"), "application/json", &signature, body);
    }

    fn push(&mut self, path: &str, content_type: &str, signature: &str, body: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n{signature}\r\n\r\n",
            body.len(),
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
        let inbox = if self.platform == Platform::Messenger { INBOX } else { SMS };
        Ok(FactId(vault.fact(inbox, fact.kind.as_str(), &fact.identity())))
    }

    /// The customer's address.
    pub(crate) fn address(&self, number: usize) -> Outcome<String> {
        Ok(self.read(number)?.address)
    }

    fn read(&self, number: usize) -> Outcome<Fact> {
        let body = self.body(number);
        let facts = match self.platform {
            Platform::Messenger => messenger::normalize(messenger::Kind::Messenger, Some(INBOX), body)?,
            Platform::Twilio => twilio::normalize(Some(SMS), body)?,
        };
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
