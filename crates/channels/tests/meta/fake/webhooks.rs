//! What it tells whoever subscribed: signed, in batches, and as badly as the platform may: late, twice, out of order.

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Fake, Inner, Plays, State, Taken};

/// After so many webhooks in a row that were not taken, it sends no more until it is subscribed to again. (The platform
/// counts an hour.)
const PATIENCE: u32 = 5;

/// How it delivers what waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) twice: bool,
    pub(crate) backwards: bool,
    /// Items of one webhook; 0: all.
    pub(crate) batch: usize,
}

impl Fake {
    /// The customer writes: the window is open again, and a webhook waits to be delivered.
    pub(crate) fn writes(&self, customer: &str, text: &str) -> String {
        self.does(customer, false, |id| match self.inner.settings.plays {
            Plays::Whatsapp => json!({ "id": id, "type": "text", "text": { "body": text } }),
            _ => json!({ "message": { "mid": id, "text": text } }),
        })
    }

    /// The customer comes by an advertisement.
    pub(crate) fn comes_by_ad(&self, customer: &str, text: &str, ad: &str) -> String {
        self.does(customer, true, |id| match self.inner.settings.plays {
            Plays::Whatsapp => json!({
                "id": id, "type": "text", "text": { "body": text },
                "referral": { "source_type": "ad", "source_id": ad, "ctwa_clid": "click" },
            }),
            _ => json!({ "message": {
                "mid": id, "text": text,
                "referral": { "source": "ADS", "type": "OPEN_THREAD", "ad_id": ad },
            } }),
        })
    }

    fn does(&self, customer: &str, by_ad: bool, item: impl FnOnce(&str) -> Value) -> String {
        let now = self.inner.now();
        let mut state = self.inner.state();
        state.numbers += 1;
        let id = format!("m_in_{}", state.numbers);
        let known = state.customers.entry(customer.to_owned()).or_default();
        known.wrote_at = Some(now);
        if by_ad {
            known.ad_at = Some(now);
        }
        let mut item = item(&id);
        match self.inner.settings.plays {
            Plays::Whatsapp => {
                item["from"] = json!(customer);
                item["timestamp"] = json!((now / 1000).to_string());
                state.waiting.push(json!({ "messages": item }));
            }
            _ => {
                item["sender"] = json!({ "id": customer });
                item["recipient"] = json!({ "id": self.inner.settings.page });
                item["timestamp"] = json!(now);
                state.waiting.push(item);
            }
        }
        id
    }

    /// The customer reads what was sent so far.
    pub(crate) fn reads(&self, customer: &str) {
        let now = self.inner.now();
        let mut state = self.inner.state();
        let item = match self.inner.settings.plays {
            Plays::Whatsapp => {
                let last = state.taken.iter().rfind(|taken| taken.to == customer).cloned();
                last.map(|taken| status(&taken, "read", now))
            }
            _ => Some(json!({
                "sender": { "id": customer }, "recipient": { "id": self.inner.settings.page },
                "timestamp": now, "read": { "watermark": now },
            })),
        };
        state.waiting.extend(item);
    }

    /// Webhooks that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.state().waiting.len()
    }

    /// Delivers what waits to `url`, and yields each webhook's status. What was not taken with a 200 waits on.
    pub(crate) async fn deliver(&self, url: &str, manner: Manner) -> Vec<u16> {
        let mut items = std::mem::take(&mut self.inner.state().waiting);
        if manner.backwards {
            items.reverse();
        }
        let size = if manner.batch == 0 { items.len().max(1) } else { manner.batch };
        let client = client();
        let mut statuses = Vec::new();
        for items in items.chunks(size) {
            if !self.is_subscribed() {
                self.inner.state().waiting.extend_from_slice(items);
                continue;
            }
            for _ in 0..=u8::from(manner.twice) {
                let body = self.body(items).to_string();
                let signature = self.signature(body.as_bytes());
                let request = client
                    .post(url)
                    .header("content-type", "application/json")
                    .header("x-hub-signature-256", signature)
                    .body(body);
                let status = request.send().await.map_or(0, |response| response.status().as_u16());
                statuses.push(status);
                let mut state = self.inner.state();
                if status == 200 {
                    state.failures = 0;
                    continue;
                }
                state.waiting.extend_from_slice(items);
                state.failures += 1;
                if state.failures >= PATIENCE {
                    state.subscribed = false;
                }
            }
        }
        statuses
    }

    /// `sha256=` and the HMAC of the body under the app's secret.
    pub(crate) fn signature(&self, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.inner.settings.app_secret.as_bytes()).unwrap();
        format!("sha256={}", HEXLOWER.encode(&mac.chain_update(body).finalize().into_bytes()))
    }

    fn body(&self, items: &[Value]) -> Value {
        let settings = &self.inner.settings;
        let entry = |of: Value| json!({ "id": settings.page, "time": self.inner.now(), "messaging": of });
        match settings.plays {
            Plays::Messenger => json!({ "object": "page", "entry": [entry(json!(items))] }),
            Plays::Instagram => json!({ "object": "instagram", "entry": [entry(json!(items))] }),
            Plays::Whatsapp => {
                let of = |kind: &str| -> Vec<Value> {
                    items.iter().filter_map(|item| item.get(kind).cloned()).collect()
                };
                let mut value = json!({
                    "messaging_product": "whatsapp",
                    "metadata": { "display_phone_number": "15550100", "phone_number_id": settings.page },
                });
                for kind in ["messages", "statuses"] {
                    let items = of(kind);
                    if !items.is_empty() {
                        value[kind] = json!(items);
                    }
                }
                let changes = json!([{ "field": "messages", "value": value }]);
                let entry = json!([{ "id": "WABA", "changes": changes }]);
                json!({ "object": "whatsapp_business_account", "entry": entry })
            }
        }
    }
}

/// Only ever used without TLS, which it will not be made without.
pub(crate) fn client() -> reqwest::Client {
    // The second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// An echo and a delivery, or the statuses, of what was taken.
pub(super) fn of_taken(inner: &Inner, state: &mut State, taken: &Taken) {
    let page = &inner.settings.page;
    if inner.settings.plays == Plays::Whatsapp {
        state.waiting.push(status(taken, "sent", taken.at));
        state.waiting.push(status(taken, "delivered", taken.at));
        return;
    }
    let mut message = json!({ "mid": taken.id, "is_echo": true, "app_id": inner.settings.app_id });
    for (name, value) in [("metadata", &taken.metadata), ("text", &taken.text)] {
        if let Some(value) = value {
            message[name] = json!(value);
        }
    }
    state.waiting.push(json!({
        "sender": { "id": page }, "recipient": { "id": taken.to }, "timestamp": taken.at, "message": message,
    }));
    state.waiting.push(json!({
        "sender": { "id": taken.to }, "recipient": { "id": page }, "timestamp": taken.at,
        "delivery": { "mids": [taken.id], "watermark": taken.at },
    }));
}

fn status(taken: &Taken, status: &str, at: i64) -> Value {
    let mut told = json!({
        "id": taken.id, "status": status, "recipient_id": taken.to, "timestamp": (at / 1000).to_string(),
    });
    if let Some(data) = &taken.metadata {
        told["biz_opaque_callback_data"] = json!(data);
    }
    json!({ "statuses": told })
}
