//! Whose mail it is: what the bytes, the connection and the DNS tell of who wrote, judged once, when it comes.
//!
//! ```text
//! bytes, envelope ─▶ hop (who sent it to us) ─▶ check (SPF, DKIM, DMARC, ARC) ─┐
//!                └─▶ results (what a server before us wrote into it) ──────────┴─▶ judge ─▶ Verdict
//! ```
//!
//! Anything that is not clear is not authenticated: a customer whose mail stands apart is joined with a click, a stranger
//! in a customer's timeline is a breach. Sources: RFC 7208 (SPF), RFC 6376 and 8301 (DKIM), RFC 7489 and 9989 (DMARC),
//! RFC 8617 (ARC), RFC 8601 (Authentication-Results).

mod check;
mod hop;
mod judge;
mod results;
mod setting;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use domain::Verdict;
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::{AuthenticatedMessage, MessageAuthenticator};

pub use self::setting::{Authentication, BadSetting, Hosts};
use super::Envelope;

/// For all that is asked of the DNS about one mail. Who is late counts as one who does not answer: the mail is kept, and
/// its sender not authenticated.
const WITHIN: Duration = Duration::from_secs(8);
/// For one answer of a name server.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Answers that are remembered, for as long as they say.
const REMEMBERED: u64 = 16_384;
/// A larger message is hashed on a thread of its own, so that no other waits for it.
const ASIDE: usize = 256 * 1024;

/// Checks who wrote mails. Cheap to clone; clones share what they remember of the DNS.
#[derive(Clone, Default)]
pub struct Verifier {
    /// None where nothing can be asked.
    dns: Option<MessageAuthenticator>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read which name servers this machine uses")]
    SystemDns(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not set up the name resolver")]
    Resolver(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Verifier {
    /// One that asks this name server, or without one those that the machine uses.
    pub fn new(dns: Option<SocketAddr>) -> Result<Verifier, Error> {
        let (config, mut options) = match dns {
            None => read_system_conf().map_err(|error| Error::SystemDns(error.into()))?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.into());
                (ResolverConfig::from_parts(None, Vec::new(), vec![server]), ResolverOpts::default())
            }
        };
        options.timeout = ANSWER_WITHIN;
        options.attempts = 1;
        options.cache_size = REMEMBERED;
        // Names in mails are whole, and no business of this machine's own table of hosts.
        options.ndots = 0;
        let dns =
            MessageAuthenticator::new(config, options).map_err(|error| Error::Resolver(error.into()))?;
        Ok(Verifier { dns: Some(dns) })
    }

    /// One that has no name server: it authenticates nobody by itself.
    pub fn offline() -> Verifier {
        Verifier::default()
    }

    /// Whether this mail is from `from`, the sender that was read in it (bare, lower case). Takes seconds at most, and
    /// never fails: what could not be told is said so.
    pub async fn verdict(
        &self,
        how: &Authentication,
        from: Option<&str>,
        raw: &Bytes,
        envelope: Option<&Envelope>,
    ) -> Verdict {
        match how {
            Authentication::Trusted => Verdict {
                authenticated: true,
                by: "inbox".into(),
                because: "the inbox trusts whoever hands mail in".into(),
                checks: Vec::new(),
            },
            Authentication::None => judge::unchecked("the inbox has nobody check mail"),
            Authentication::Header(server) => judge::by_header(server, from, raw),
            Authentication::Verify { hosts, sealers } => {
                let Some(dns) = self.dns.clone() else {
                    return judge::unchecked("there is no name server to ask");
                };
                let work = Work {
                    dns,
                    from: from.map(str::to_owned),
                    raw: raw.clone(),
                    hop: hop::of(raw, envelope, hosts),
                    sealers: sealers.clone(),
                };
                let verdict = tokio::time::timeout(WITHIN, work.run());
                verdict.await.unwrap_or_else(|_| judge::unchecked("the name servers took too long"))
            }
        }
    }
}

/// All that is needed to check one mail.
struct Work {
    dns: MessageAuthenticator,
    from: Option<String>,
    raw: Bytes,
    hop: Option<hop::Hop>,
    sealers: Vec<String>,
}

impl Work {
    async fn run(self) -> Verdict {
        if self.raw.len() < ASIDE {
            return self.check().await;
        }
        let runtime = tokio::runtime::Handle::current();
        let aside = tokio::task::spawn_blocking(move || runtime.block_on(self.check()));
        aside.await.unwrap_or_else(|_| judge::unchecked("it could not be checked"))
    }

    async fn check(self) -> Verdict {
        let Some(message) = AuthenticatedMessage::parse(&self.raw) else {
            return judge::unchecked("it has no header");
        };
        if !judge::is_only_sender(&message, self.from.as_deref()) {
            return judge::unchecked("who wrote it is not one clear address");
        }
        let found = check::all(&self.dns, message, self.hop.as_ref(), &self.sealers).await;
        judge::by_checks(found)
    }
}
