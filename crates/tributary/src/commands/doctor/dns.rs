//! What the DNS says, for whoever has to mend it.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    lookup::Lookup,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};

/// For one answer of a name server.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A resolver. Nothing is remembered from one command to the next.
pub(super) struct Names(TokioResolver);

impl Names {
    /// That asks this name server, or without one those that the machine uses.
    pub(super) fn new(server: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut builder = match server {
            None => TokioResolver::builder_tokio()
                .context("could not read which name servers this machine uses")?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.into());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        (options.timeout, options.attempts, options.ndots) = (ANSWER_WITHIN, 2, 0);
        Ok(Names(builder.build().context("could not set up the name resolver")?))
    }

    /// The texts at a name, each of its strings put together; none where there are none.
    pub(super) async fn texts(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let found = found(self.0.txt_lookup(absolute(name)).await, name)?;
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        };
        Ok(records(found.as_ref()).filter_map(text).collect())
    }

    /// The mail servers of a domain, best first; `.` is the one that says that it takes no mail (RFC 7505).
    pub(super) async fn mail_servers(&self, domain: &str) -> anyhow::Result<Vec<String>> {
        let found = found(self.0.mx_lookup(absolute(domain)).await, domain)?;
        let server = |data: &RData| match data {
            RData::MX(server) => Some((server.preference, server.exchange.to_string())),
            _ => None,
        };
        let mut servers: Vec<(u16, String)> = records(found.as_ref()).filter_map(server).collect();
        servers.sort();
        Ok(servers.into_iter().map(|(_, name)| name).collect())
    }
}

/// No search list is asked.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn found(lookup: Result<Lookup, NetError>, name: &str) -> anyhow::Result<Option<Lookup>> {
    match lookup {
        Ok(lookup) => Ok(Some(lookup)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("the DNS does not answer for {name}")),
    }
}

fn records(lookup: Option<&Lookup>) -> impl Iterator<Item = &RData> {
    lookup.into_iter().flat_map(Lookup::answers).map(|record| &record.data)
}
