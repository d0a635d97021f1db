//! How a mailbox's user proves itself: by password, or by a token that an authorization server gives (OAuth 2.0, RFC
//! 6749; XOAUTH2 as Google and Microsoft document it).

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_imap::Authenticator;
use serde::Deserialize;
use tokio::time::Instant;

use super::Error;
use crate::Outbound;
use crate::outbound::call;

/// A token is not used in its last minute.
const MARGIN: Duration = Duration::from_secs(60);
/// For a token that does not say how long it lasts.
const USUAL_LIFE: Duration = Duration::from_secs(5 * 60);

/// Compared, so that an inbox whose access stayed as it was keeps its connection.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    Password(String),
    /// An access token that somebody else renews.
    Token(String),
    OAuth2(OAuth2),
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuth2 {
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    /// Without one the client's own credentials are used (RFC 6749 section 4.4).
    pub refresh_token: Option<String>,
    pub scope: Option<String>,
}

/// Says which, and no secret.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Password(_) => "Password",
            Access::Token(_) => "Token",
            Access::OAuth2(_) => "OAuth2",
        })
    }
}

/// The tokens of one mailbox, as long as they last.
pub(super) struct Tokens {
    outbound: Outbound,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    token: Option<(String, Instant)>,
    /// Some servers give another refresh token each time. A restart begins with the configured one.
    refresh: Option<String>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
    error_description: Option<String>,
}

impl Tokens {
    pub(super) fn new(outbound: Outbound) -> Self {
        Tokens { outbound, known: Mutex::default() }
    }

    /// One that lasts for a while yet.
    pub(super) async fn token(&self, at: &OAuth2) -> Result<String, Error> {
        let refresh = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            match &known.token {
                Some((token, until)) if Instant::now() < *until => return Ok(token.clone()),
                _ => known.refresh.clone().or_else(|| at.refresh_token.clone()),
            }
        };
        let mut form = vec![("client_id", at.client_id.as_str())];
        match &refresh {
            Some(refresh) => form.extend([("grant_type", "refresh_token"), ("refresh_token", refresh)]),
            None => form.push(("grant_type", "client_credentials")),
        }
        form.extend(at.client_secret.as_deref().map(|secret| ("client_secret", secret)));
        form.extend(at.scope.as_deref().map(|scope| ("scope", scope)));
        let request = self.outbound.post(&at.token_url).form(&form);
        let reply = call(request)
            .await
            .map_err(|_| Error::Token("the authorization server does not answer".into()))?;
        let Some(granted) = reply.json::<Granted>().filter(|_| reply.status.is_success()) else {
            return Err(match reply.json::<Denied>() {
                // It is the configured grant that does not hold (RFC 6749 section 5.2).
                Some(Denied { error, error_description }) if reply.status.is_client_error() => {
                    Error::Refused(format!("{error}: {}", error_description.unwrap_or_default()))
                }
                _ => Error::Token(format!("the authorization server answers {}", reply.status)),
            });
        };
        let life = granted.expires_in.map_or(USUAL_LIFE, Duration::from_secs).saturating_sub(MARGIN);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.token = Some((granted.access_token.clone(), Instant::now() + life));
        known.refresh = granted.refresh_token.or(refresh);
        Ok(granted.access_token)
    }

    /// The server did not take it.
    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).token = None;
    }
}

/// Says one thing, and nothing more where the server asks again: that is how it tells that it will not do.
pub(super) struct Sasl(Option<String>);

impl Sasl {
    /// RFC 4616.
    pub(super) fn plain(user: &str, password: &str) -> Self {
        Sasl(Some(format!("\0{user}\0{password}")))
    }

    pub(super) fn xoauth2(user: &str, token: &str) -> Self {
        Sasl(Some(format!("user={user}\x01auth=Bearer {token}\x01\x01")))
    }
}

impl Authenticator for Sasl {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.0.take().unwrap_or_default()
    }
}
