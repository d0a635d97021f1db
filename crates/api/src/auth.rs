//! Who is calling: a bearer token stands for a principal of one tenant, looked up before any service is asked.

use std::{collections::HashMap, sync::Arc};

use domain::{AgentId, BotId, TenantId};
use tonic::{Request, Status, metadata::MetadataMap, service::Interceptor};

use crate::metrics;

/// Who may do what: the holder of a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    pub tenant: TenantId,
    /// Stable for as long as the holder should be one and the same: it scopes the holder's command ids.
    pub name: Arc<str>,
    pub role: Role,
    /// May see message bodies and addresses.
    pub pii: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Everything in the tenant, except acting as an agent or a bot.
    Admin,
    /// Works as this agent, reads timelines and contacts.
    Agent(AgentId),
    /// Serves as this bot.
    Bot(BotId),
    /// Reads.
    Reader,
}

/// The tokens in force. Only their hashes are kept.
#[derive(Clone, Default)]
pub struct Tokens(Arc<HashMap<[u8; 32], Arc<Principal>>>);

impl Tokens {
    /// Tokens by the hash that [`Tokens::hash`] gives them.
    pub fn new(tokens: impl IntoIterator<Item = ([u8; 32], Principal)>) -> Tokens {
        Tokens(Arc::new(tokens.into_iter().map(|(hash, principal)| (hash, Arc::new(principal))).collect()))
    }

    /// BLAKE3 of the token's text: what configuration may hold in its place.
    pub fn hash(token: &str) -> [u8; 32] {
        *blake3::hash(token.as_bytes()).as_bytes()
    }

    fn read(&self, metadata: &MetadataMap) -> Result<Arc<Principal>, Status> {
        let header = metadata
            .get("authorization")
            .ok_or_else(|| Status::unauthenticated("send `authorization: Bearer TOKEN` with every call"))?;
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| Status::unauthenticated("the authorization must be `Bearer TOKEN`"))?;
        // Looking up a hash tells nothing about a token by the time it takes.
        let found = self.0.get(&Tokens::hash(token));
        found.cloned().ok_or_else(|| Status::unauthenticated("this token is not known"))
    }
}

impl Interceptor for Tokens {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let principal = self.read(request.metadata()).inspect_err(|_| metrics::unauthenticated())?;
        request.extensions_mut().insert(principal);
        Ok(request)
    }
}

/// The caller, as the interceptor found it.
pub(crate) fn principal<T>(request: &Request<T>) -> Result<Arc<Principal>, Status> {
    let found = request.extensions().get::<Arc<Principal>>();
    found
        .cloned()
        .ok_or_else(|| Status::unauthenticated("send `authorization: Bearer TOKEN` with every call"))
}

impl Principal {
    pub(crate) fn agent(&self) -> Result<&AgentId, Status> {
        match &self.role {
            Role::Agent(agent) => Ok(agent),
            _ => Err(denied("an agent's")),
        }
    }

    pub(crate) fn bot(&self) -> Result<&BotId, Status> {
        match &self.role {
            Role::Bot(bot) => Ok(bot),
            _ => Err(denied("a bot's")),
        }
    }

    pub(crate) fn admin(&self) -> Result<(), Status> {
        match self.role {
            Role::Admin => Ok(()),
            _ => Err(denied("an administrator's")),
        }
    }

    /// May read timelines and contacts.
    pub(crate) fn reader(&self) -> Result<(), Status> {
        match self.role {
            Role::Admin | Role::Agent(_) | Role::Reader => Ok(()),
            Role::Bot(_) => Err(denied("an administrator's, an agent's or a reader's")),
        }
    }

    /// May change contacts.
    pub(crate) fn editor(&self) -> Result<(), Status> {
        match self.role {
            Role::Admin | Role::Agent(_) => Ok(()),
            Role::Bot(_) | Role::Reader => Err(denied("an administrator's or an agent's")),
        }
    }

    /// Whether personal data is to be shown to a caller who did or did not ask for it.
    pub(crate) fn sees_pii(&self, asked: bool) -> Result<bool, Status> {
        if asked && !self.pii {
            return Err(Status::permission_denied(
                "this token lacks the `pii` scope; ask without `include_pii`",
            ));
        }
        Ok(asked)
    }
}

fn denied(whose: &str) -> Status {
    Status::permission_denied(format!("this call needs {whose} token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let principal = Principal {
            tenant: "acme".parse().unwrap(),
            name: "ann".into(),
            role: Role::Agent("acme/desk/ann".parse().unwrap()),
            pii: false,
        };
        Tokens::new([(Tokens::hash("secret"), principal)])
    }

    fn call(authorization: Option<&str>) -> Result<Request<()>, Status> {
        let mut request = Request::new(());
        if let Some(text) = authorization {
            request.metadata_mut().insert("authorization", text.parse().unwrap());
        }
        tokens().call(request)
    }

    #[test]
    fn only_a_known_bearer_token_passes() {
        for bad in [None, Some("secret"), Some("Basic secret"), Some("Bearer secrets"), Some("Bearer ")] {
            assert_eq!(call(bad).unwrap_err().code(), tonic::Code::Unauthenticated, "{bad:?}");
        }
        let request = call(Some("bearer secret")).unwrap();
        assert_eq!(&*principal(&request).unwrap().name, "ann");
    }

    #[test]
    fn a_role_is_not_another() {
        let ann = principal(&call(Some("Bearer secret")).unwrap()).unwrap();
        assert_eq!(ann.agent().unwrap().to_string(), "acme/desk/ann");
        assert!(ann.reader().is_ok() && ann.editor().is_ok());
        for refused in [ann.admin().unwrap_err(), ann.bot().unwrap_err(), ann.sees_pii(true).unwrap_err()] {
            assert_eq!(refused.code(), tonic::Code::PermissionDenied);
        }
        assert!(!ann.sees_pii(false).unwrap());
    }
}
