//! Whether Meta still takes our token and still sends us webhooks: tokens expire and are revoked, and a subscription is
//! switched off when its webhooks fail for too long. Asked of the Graph API, which tells all of it.

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::Sha256;

use super::Kind;
use crate::{
    Outcome, metrics,
    outbound::{self, Outbound},
};

/// A token that is good for less than this wants renewing.
const SOON: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What a member of the family needs. Sources: developers.facebook.com, "Permissions Reference", "Webhooks for Messenger
/// Platform", "Webhooks for Instagram Messaging" and "WhatsApp Cloud API: Webhooks"; seen 2026-11.
struct Needs {
    /// Each of these, by any of its names.
    permissions: &'static [&'static [&'static str]],
    /// Without these nothing comes in.
    fields: &'static [&'static str],
    /// Without these something is not known.
    useful: &'static [&'static str],
}

fn needs(kind: Kind) -> Needs {
    match kind {
        Kind::Messenger => Needs {
            permissions: &[&["pages_messaging"], &["pages_manage_metadata"]],
            fields: &["messages", "messaging_postbacks"],
            useful: &["message_deliveries", "message_reads", "messaging_referrals", "message_echoes"],
        },
        Kind::Instagram => Needs {
            permissions: &[&["instagram_manage_messages", "instagram_business_manage_messages"]],
            fields: &["messages", "messaging_postbacks"],
            useful: &["messaging_seen", "messaging_referral"],
        },
        Kind::Whatsapp => {
            Needs { permissions: &[&["whatsapp_business_messaging"]], fields: &["messages"], useful: &[] }
        }
    }
}

/// What there is to ask about.
#[derive(Clone)]
pub struct Checked {
    pub kind: Kind,
    /// `https://graph.facebook.com`, or what stands in for it.
    pub base_url: String,
    /// `v23.0`.
    pub version: String,
    /// Whose subscription it is: a Page's or an account's id; on WhatsApp the business account's, if it is known.
    pub subscriber: Option<String>,
    pub token: String,
    pub app_secret: String,
    /// None: the token's own app is asked for.
    pub app_id: Option<String>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    pub troubles: Vec<Trouble>,
    /// When the token ends, or its access to data, in milliseconds since the epoch; none for one that does not.
    pub expires_at: Option<i64>,
}

/// What is wrong, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    #[error("the platform cannot be asked: {0}")]
    Unreachable(String),
    #[error("the app's secret is not what the platform has: {0}")]
    Secret(String),
    #[error("the access token is not good any more: {0}")]
    Token(String),
    #[error("the access token is good until {0} only")]
    Expires(String),
    #[error("the access token may not {0}")]
    Permission(String),
    #[error("the platform sends no webhooks: {0}")]
    Silent(String),
    #[error("the platform does not tell of {0}")]
    Unsubscribed(String),
}

impl Trouble {
    /// A few words, for metrics.
    pub fn about(&self) -> &'static str {
        match self {
            Trouble::Unreachable(_) => "reach",
            Trouble::Secret(_) => "secret",
            Trouble::Token(_) => "token",
            Trouble::Expires(_) => "expiry",
            Trouble::Permission(_) => "permission",
            Trouble::Silent(_) => "webhooks",
            Trouble::Unsubscribed(_) => "fields",
        }
    }

    pub const ABOUT: [&str; 7] = ["reach", "secret", "token", "expiry", "permission", "webhooks", "fields"];

    /// Messages are lost, or will not leave: not only less is known.
    pub fn is_grave(&self) -> bool {
        !matches!(self, Trouble::Unreachable(_) | Trouble::Expires(_) | Trouble::Unsubscribed(_))
    }

    pub fn advice(&self) -> &'static str {
        match self {
            Trouble::Unreachable(_) => "look at the network, and at the setting base_url",
            Trouble::Secret(_) => "copy the app's secret anew, and look at the setting app_id",
            Trouble::Token(_) | Trouble::Expires(_) => "make a new token, and put it where the secret lies",
            Trouble::Permission(_) => "ask for it in the app's review, and make a new token",
            Trouble::Silent(_) | Trouble::Unsubscribed(_) => {
                "subscribe in the app's settings for webhooks, and for the Page or account itself"
            }
        }
    }
}

#[derive(Deserialize)]
struct Listed<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Told {
    data: Token,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    is_valid: bool,
    /// Seconds; 0 is never.
    #[serde(default)]
    expires_at: i64,
    #[serde(default)]
    data_access_expires_at: i64,
    #[serde(default)]
    scopes: Vec<String>,
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    whatsapp_business_api_data: Option<Box<Named>>,
    #[serde(default)]
    subscribed_fields: Vec<String>,
}

#[derive(Deserialize)]
struct Subscription {
    object: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
}

#[derive(Deserialize)]
struct Refused {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// Asks about everything. `now`: milliseconds since the epoch.
pub async fn examine(checked: &Checked, outbound: &Outbound, now: i64) -> Health {
    let mut health = Health::default();
    if let Err(trouble) = (Asking { checked, outbound, now }).ask(&mut health).await {
        health.troubles.push(trouble);
    }
    health
}

/// Asks, tells the log and the metrics of it, and what was found.
pub async fn look(inbox: &str, checked: &Checked, outbound: &Outbound) -> Health {
    let now = log::clock::now();
    let health = examine(checked, outbound, now).await;
    metrics::health(inbox, &health, now);
    for trouble in &health.troubles {
        if trouble.is_grave() {
            tracing::error!(%inbox, about = trouble.about(), "{trouble}: {}", trouble.advice());
        } else {
            tracing::warn!(%inbox, about = trouble.about(), "{trouble}: {}", trouble.advice());
        }
    }
    health
}

struct Asking<'a> {
    checked: &'a Checked,
    outbound: &'a Outbound,
    now: i64,
}

impl Asking<'_> {
    /// An error is what keeps from asking further.
    async fn ask(&self, health: &mut Health) -> Result<(), Trouble> {
        let Checked { kind, token, app_secret, .. } = self.checked;
        let app = match &self.checked.app_id {
            Some(app) => app.clone(),
            None => {
                let own: Named = self.as_page("app", &[("fields", "id")]).await?;
                own.id.ok_or_else(|| Trouble::Unreachable("it names no app".into()))?
            }
        };
        let of_app = format!("{app}|{app_secret}");
        let told = self.get("debug_token", &[("input_token", token), ("access_token", &of_app)]).await;
        let Told { data: found } = told.map_err(|said| match said {
            Trouble::Token(why) => Trouble::Secret(why),
            other => other,
        })?;
        if !found.is_valid {
            let why = found.error.map(|said| said.message).unwrap_or_default();
            return Err(Trouble::Token(why));
        }
        let ends = [found.expires_at, found.data_access_expires_at].into_iter().filter(|at| *at > 0);
        health.expires_at = ends.min().map(|seconds| seconds.saturating_mul(1_000));
        if let Some(at) = health.expires_at.filter(|at| at - self.now < SOON) {
            let at =
                jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string());
            health.troubles.push(Trouble::Expires(at));
        }
        let Needs { permissions, fields, useful } = needs(*kind);
        let object = kind.object();
        let lacks = |any: &&&[&str]| !any.iter().any(|one| found.scopes.iter().any(|scope| scope == one));
        let lacking: Vec<_> =
            permissions.iter().filter(lacks).filter_map(|any| any.first().copied()).collect();
        if !lacking.is_empty() {
            health.troubles.push(Trouble::Permission(lacking.join(", ")));
        }

        // What is subscribed twice over: by the app for all its Pages, and by each Page for the app.
        let subscriptions: Listed<Subscription> =
            self.get(&format!("{app}/subscriptions"), &[("access_token", &of_app)]).await?;
        let of_object = subscriptions.data.iter().find(|it| it.object == object);
        let mut told = match of_object {
            Some(subscription) if subscription.active => {
                subscription.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
            }
            Some(_) => {
                return Err(Trouble::Silent(format!("the app's webhooks for {object} are switched off")));
            }
            None => return Err(Trouble::Silent(format!("the app has no webhooks for {object}"))),
        };
        if let Some(subscriber) = &self.checked.subscriber {
            let apps: Listed<Named> = self.as_page(&format!("{subscriber}/subscribed_apps"), &[]).await?;
            let id = |named: &Named| {
                let inner = named.whatsapp_business_api_data.as_ref().and_then(|inner| inner.id.clone());
                named.id.clone().or(inner)
            };
            match apps.data.iter().find(|named| id(named).as_ref() == Some(&app)) {
                None => return Err(Trouble::Silent(format!("{subscriber} is not subscribed to the app"))),
                // A business account names no fields of its own.
                Some(named) if named.subscribed_fields.is_empty() => {}
                Some(named) => told.retain(|field| named.subscribed_fields.contains(field)),
            }
        }
        let untold = |fields: &[&str]| {
            let untold = fields.iter().filter(|field| !told.iter().any(|known| known == *field));
            untold.copied().collect::<Vec<_>>().join(", ")
        };
        let (missing, less) = (untold(fields), untold(useful));
        if !missing.is_empty() {
            health.troubles.push(Trouble::Silent(format!("nothing is subscribed to {missing}")));
        }
        if !less.is_empty() {
            health.troubles.push(Trouble::Unsubscribed(less));
        }
        Ok(())
    }

    /// With the inbox's own token, and the proof that we have the app's secret (Graph API, "Securing Graph API calls").
    async fn as_page<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Trouble> {
        let Checked { token, app_secret, .. } = self.checked;
        let mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes());
        let mac = mac.map_err(|error| Trouble::Secret(error.to_string()))?;
        let proof = HEXLOWER.encode(&mac.chain_update(token.as_bytes()).finalize().into_bytes());
        let own = [("access_token", token.as_str()), ("appsecret_proof", &proof)];
        self.get(path, &[query, &own].concat()).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Trouble> {
        let Checked { base_url, version, .. } = self.checked;
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let url = format!("{}/{version}/{path}?{query}", base_url.trim_end_matches('/'));
        let reply = outbound::call(self.outbound.request(Method::GET, &url)).await;
        let reply = reply.map_err(|outcome| Trouble::Unreachable(reason(outcome)))?;
        if reply.status.is_success() {
            let strange = || Trouble::Unreachable(format!("what it says of {path} is not understood"));
            return reply.json().ok_or_else(strange);
        }
        let Some(Refused { error: Said { code, message } }) = reply.json() else {
            return Err(Trouble::Unreachable(format!("{path}: HTTP {}", reply.status.as_u16())));
        };
        let said = format!("{message} ({code})");
        // Graph API, "Handle errors": 190 is a token that is no good, 10 and 200 to 299 a permission that is missing.
        Err(match code {
            190 => Trouble::Token(said),
            10 | 200..=299 => Trouble::Permission(format!("see {path}: {said}")),
            100 if message.contains("appsecret_proof") => Trouble::Secret(said),
            _ => Trouble::Unreachable(said),
        })
    }
}

fn reason(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retry { reason, .. }
        | Outcome::NotYet { reason, .. }
        | Outcome::Refused { reason, .. }
        | Outcome::Dead { reason, .. }
        | Outcome::Unknown { reason } => reason,
        Outcome::Sent { .. } => String::new(),
    }
}
