//! The sockets of a process, bound before anything else starts, so that a taken port is said at once.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::config::{Config, Role};

#[derive(Default)]
pub struct Listeners {
    pub http: Option<TcpListener>,
    pub smtp: Option<TcpListener>,
    pub lmtp: Option<TcpListener>,
    pub grpc: Option<TcpListener>,
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    pub async fn bind(config: &Config) -> anyhow::Result<Listeners> {
        let channels = config.roles.contains(&Role::Channels);
        let api = config.roles.contains(&Role::Api);
        Ok(Listeners {
            http: bind("HTTP", config.http.listen.filter(|_| channels)).await?,
            smtp: bind("SMTP", config.smtp.listen.filter(|_| channels)).await?,
            lmtp: bind("LMTP", config.lmtp.listen.filter(|_| channels)).await?,
            grpc: bind("gRPC", config.grpc.listen.filter(|_| api)).await?,
            metrics: bind("metrics", config.metrics.listen).await?,
        })
    }
}

/// Where a listener really listens (port 0 is given a free one).
pub fn address(listener: &Option<TcpListener>) -> Option<SocketAddr> {
    listener.as_ref()?.local_addr().ok()
}

async fn bind(what: &str, address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| {
        format!("could not listen on {address} for {what}; if the port is taken, choose another one")
    })
}
