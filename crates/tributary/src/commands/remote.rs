//! A running process, asked over its API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{
    config::{Config, Secret},
    exit::Unusable,
};

/// How to reach the API.
#[derive(Args)]
pub struct RemoteArgs {
    /// The API of the running process [default: the configuration's grpc.listen]
    #[arg(long, value_name = "URL")]
    addr: Option<String>,
    /// An administrator's token, named as env:NAME or file:PATH [default: the text in TRIBUTARY_TOKEN]
    #[arg(long, value_name = "SECRET")]
    token: Option<String>,
}

/// A channel whose calls carry the token.
pub type Remote = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl RemoteArgs {
    pub async fn connect(&self, config: &Config) -> anyhow::Result<Remote> {
        let token = match &self.token {
            Some(reference) => Secret::reference(reference)
                .resolve()
                .map_err(|error| Unusable(format!("--token: {error:#}")))?,
            None => std::env::var("TRIBUTARY_TOKEN").map_err(|_| {
                Unusable(
                    "name an administrator's token by --token env:NAME or --token file:PATH, or put it into \
                     TRIBUTARY_TOKEN (of `tributary dev` it is `dev`)"
                        .into(),
                )
            })?,
        };
        let bearer = MetadataValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| Unusable("the token has characters that no token has".into()))?;
        let addr = match &self.addr {
            Some(addr) if addr.contains("://") => addr.clone(),
            Some(addr) => format!("http://{addr}"),
            None => format!("http://{}", listens_at(config)?),
        };
        if !addr.starts_with("http://") {
            return Err(Unusable(format!("{addr}: this version speaks to http:// addresses only")).into());
        }
        let endpoint = Endpoint::from_shared(addr.clone())
            .map_err(|error| Unusable(format!("{addr} is not an address: {error}")))?;
        let channel = endpoint.connect().await.with_context(|| {
            format!("nothing answers at {addr}; is `tributary serve` running there with the role `api`?")
        })?;
        Ok(InterceptedService::new(channel, Bearer(bearer)))
    }
}

/// Where to reach what listens there: "everywhere" includes here.
fn listens_at(config: &Config) -> Result<SocketAddr, Unusable> {
    let mut at = config.grpc.listen.ok_or_else(|| Unusable("say where the API is by --addr".into()))?;
    match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(at)
}

/// What a refusal by the API means for whoever typed the command.
pub fn refused(status: Status) -> anyhow::Error {
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied | Code::FailedPrecondition | Code::NotFound => {
            anyhow!("refused: {}", status.message())
        }
        code => anyhow!("the API answered {code:?}: {}", status.message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listen;

    #[test]
    fn everywhere_includes_here() {
        let at = |listen: &str| {
            let listen = Some(listen.parse().unwrap());
            listens_at(&Config { grpc: Listen { listen }, ..Config::default() }).unwrap().to_string()
        };
        assert_eq!(at("0.0.0.0:7070"), "127.0.0.1:7070");
        assert_eq!(at("[::]:7070"), "[::1]:7070");
        assert_eq!(at("192.0.2.1:7070"), "192.0.2.1:7070");
    }
}
