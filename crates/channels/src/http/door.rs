//! What an inbox must know to let a webhook in: how its provider signs, and how it is read.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::meta::{MetaInbox, MetaInboxes};
use super::{Failure, Route};
use crate::generic::signature::Signed;
use crate::{Channel, Fact, Malformed, Profile, generic, twilio};

/// The inboxes that are in force, by their ids. Asked for every webhook, so it must answer from memory.
pub trait Inboxes: Send + Sync + 'static {
    fn http(&self, inbox: &str) -> Option<HttpInbox>;

    /// Those of Meta's that share a path.
    fn meta(&self) -> Arc<MetaInboxes> {
        Arc::default()
    }
}

/// One inbox's secrets, shared so that it is cheap to clone. An empty secret lets nobody in.
#[derive(Clone)]
pub enum HttpInbox {
    Meta(MetaInbox),
    Twilio {
        auth_tokens: Arc<[String]>,
        /// Scheme, host and, if any, port and path under which Twilio reaches this edge: what stands before
        /// `/webhooks/…`. Nothing in a request can change it.
        public_url: Arc<str>,
        profile: Arc<Profile>,
    },
    /// Must be let in by at least one of: a token, a signature, a network; by all that it has.
    Generic {
        bearer: Option<Arc<str>>,
        provider: Arc<generic::Provider>,
        /// What its provider carries: [`Channel::Generic`], or SMS.
        channel: Channel,
        /// As for Twilio.
        public_url: Arc<str>,
        /// Of an inbox for short messages.
        profile: Option<Arc<Profile>>,
    },
}

/// Whose connection a request came over, where the server says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl HttpInbox {
    /// Our own protocol of JSON, behind a token.
    pub fn own(token: &str) -> Self {
        HttpInbox::Generic {
            bearer: Some(token.into()),
            provider: Arc::new(generic::Provider::own()),
            channel: Channel::Generic,
            public_url: "".into(),
            profile: None,
        }
    }

    pub fn channel(&self) -> Channel {
        match self {
            HttpInbox::Meta(inbox) => inbox.kind.channel(),
            HttpInbox::Twilio { .. } => Channel::Sms,
            HttpInbox::Generic { channel, .. } => *channel,
        }
    }

    pub(super) fn route(&self) -> Route {
        match self {
            HttpInbox::Meta(_) => Route::Meta,
            HttpInbox::Twilio { .. } => Route::Twilio,
            HttpInbox::Generic { .. } => Route::Generic,
        }
    }

    /// Lets the webhook in and reads it. Nothing of a body is looked at as facts before it is known to be signed.
    pub(super) fn facts(&self, inbox: &str, head: &Parts, body: &[u8]) -> Result<Vec<Fact>, Failure> {
        let signed = |valid: bool| if valid { Ok(()) } else { Err(Failure::Unsigned(self.route())) };
        let (id, inbox) = (inbox, Some(inbox));
        let facts = match self {
            HttpInbox::Meta(inbox) => inbox.facts(id, head, body)?,
            HttpInbox::Twilio { auth_tokens, public_url, profile } => {
                let given = header(&head.headers, twilio::signature::HEADER);
                let path = path(head);
                let form = if header(&head.headers, "content-type").starts_with(b"application/json") {
                    signed(twilio::signature::valid_json(auth_tokens, given, public_url, path, body))?;
                    let reason = || "a body of JSON that is no object".to_owned();
                    twilio::Form::from_json(body)
                        .ok_or_else(|| Malformed { what: "Twilio webhook", reason: reason() })?
                } else {
                    let form = twilio::Form::parse(body);
                    signed(twilio::signature::valid(auth_tokens, given, public_url, path, &form))?;
                    form
                };
                let mut facts = twilio::facts(inbox, &form, body)?;
                twilio::tell_apart(&mut facts, header(&head.headers, twilio::IDEMPOTENCY));
                profiled(profile, facts)
            }
            HttpInbox::Generic { bearer, provider, channel, public_url, profile } => {
                signed(lets_in(bearer.as_deref(), provider, public_url, head, body))?;
                let facts = match &provider.reader {
                    Some(reader) => reader.facts(*channel, id, body)?,
                    None => generic::normalize(inbox, body)?,
                };
                match profile {
                    Some(profile) => profiled(profile, facts),
                    None => facts,
                }
            }
        };
        Ok(facts)
    }

    /// What its provider wants to read when all is well, where that is its own.
    pub(super) fn answer(&self) -> Option<(Arc<str>, Arc<str>)> {
        match self {
            HttpInbox::Generic { provider, .. } => Some(provider.answer.clone()),
            HttpInbox::Meta(_) | HttpInbox::Twilio { .. } => None,
        }
    }
}

fn lets_in(
    bearer: Option<&str>,
    provider: &generic::Provider,
    public_url: &str,
    head: &Parts,
    body: &[u8],
) -> bool {
    let header = |name: &str| header(&head.headers, name);
    let signed = Signed { public_url, path: path(head), body, header: &header };
    let token = bearer.map(|token| generic::bearer::valid(token, header("authorization")));
    let signature = provider.signature.as_ref().map(|signature| signature.holds(&signed));
    let peer = head.extensions.get::<Peer>();
    let network = provider.allowed.as_ref().map(|it| peer.is_some_and(|peer| it.holds(peer.0)));
    let checks = [token, signature, network];
    checks.iter().any(Option::is_some) && checks.into_iter().flatten().all(|holds| holds)
}

fn profiled(profile: &Profile, mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.iter_mut().for_each(|fact| profile.apply(fact));
    facts
}

/// With its query.
fn path(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("", |path| path.as_str())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a [u8] {
    headers.get(name).map_or(&[], |value| value.as_bytes())
}
