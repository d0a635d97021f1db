//! What an inbox must know to let a webhook in: how its provider signs, and how it is read.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::{Failure, Route};
use crate::messenger::{self, Kind};
use crate::{Channel, Fact, generic, twilio};

/// The inboxes that are in force, by their ids. Asked for every webhook, so it must answer from memory.
pub trait Inboxes: Send + Sync + 'static {
    fn http(&self, inbox: &str) -> Option<HttpInbox>;
}

/// One inbox's secrets, shared so that it is cheap to clone. An empty secret lets nobody in.
#[derive(Clone)]
pub enum HttpInbox {
    Meta {
        kind: Kind,
        /// More than one while the app's secret is being replaced.
        app_secrets: Arc<[String]>,
        verify_token: Arc<str>,
    },
    Twilio {
        auth_tokens: Arc<[String]>,
        /// Scheme, host and, if any, port and path under which Twilio reaches this edge: what stands before
        /// `/webhooks/…`. Nothing in a request can change it.
        public_url: Arc<str>,
    },
    Generic {
        bearer: Arc<str>,
    },
}

impl HttpInbox {
    pub fn channel(&self) -> Channel {
        match self {
            HttpInbox::Meta { kind, .. } => kind.channel(),
            HttpInbox::Twilio { .. } => Channel::Sms,
            HttpInbox::Generic { .. } => Channel::Generic,
        }
    }

    pub(super) fn route(&self) -> Route {
        match self {
            HttpInbox::Meta { .. } => Route::Meta,
            HttpInbox::Twilio { .. } => Route::Twilio,
            HttpInbox::Generic { .. } => Route::Generic,
        }
    }

    /// Lets the webhook in and reads it. Nothing of a body is looked at as facts before it is known to be signed.
    pub(super) fn facts(&self, inbox: &str, head: &Parts, body: &[u8]) -> Result<Vec<Fact>, Failure> {
        let signed = |valid: bool| if valid { Ok(()) } else { Err(Failure::Unsigned(self.route())) };
        let inbox = Some(inbox);
        let facts = match self {
            HttpInbox::Meta { kind, app_secrets, .. } => {
                let given = header(&head.headers, messenger::signature::HEADER);
                signed(messenger::signature::valid(app_secrets, given, body))?;
                messenger::normalize(*kind, inbox, body)?
            }
            HttpInbox::Twilio { auth_tokens, public_url } => {
                let given = header(&head.headers, twilio::signature::HEADER);
                let path = head.uri.path_and_query().map_or("", |path| path.as_str());
                let form = twilio::Form::parse(body);
                signed(twilio::signature::valid(auth_tokens, given, public_url, path, &form))?;
                twilio::facts(inbox, &form, body)?
            }
            HttpInbox::Generic { bearer } => {
                signed(generic::bearer::valid(bearer, header(&head.headers, "authorization")))?;
                generic::normalize(inbox, body)?
            }
        };
        Ok(facts)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a [u8] {
    headers.get(name).map_or(&[], |value| value.as_bytes())
}
