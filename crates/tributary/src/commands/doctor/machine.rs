//! What the process is given: tokens, disk, ports.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;

use super::finding::Findings;
use crate::config::{Config, Role};

/// Less is too little for a log that is never to stop.
const LOW: u64 = 2 << 30;
const TOO_LOW: u64 = 256 << 20;

pub(super) fn tokens(config: &Config, findings: &mut Findings) {
    for token in &config.tokens {
        let about = format!("token {}", token.name);
        let roles = token.agent_id().and_then(|agent| Ok((agent, token.bot_id()?)));
        match token.token.resolve().and(roles) {
            Ok((agent, bot)) => {
                let more_than_one =
                    [token.admin, agent.is_some(), bot.is_some()].into_iter().filter(|is| *is).count() > 1;
                if more_than_one {
                    let error = anyhow!("it has more than one of `admin`, `agent` and `bot`");
                    findings.fail(about, &error, "make a token for each");
                } else {
                    findings.ok(about, format!("{} is there", token.token));
                }
            }
            Err(error) => findings.fail(about, &error, format!("put the token at {}", token.token)),
        }
    }
    if config.roles.contains(&Role::Api) && config.tokens.is_empty() {
        findings.warn("tokens", "nobody may call the API", "add a [[tokens]] table to the configuration");
    }
}

pub(super) fn data_directory(data: &Path, findings: &mut Findings) {
    let about = "data directory";
    // One that is not there yet will be made in the nearest folder above that is.
    let full = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let Some(there) = full.ancestors().find(|folder| folder.exists()) else {
        findings.fail(about, &anyhow!("{} is nowhere", data.display()), "set `data` to a folder");
        return;
    };
    let probe = there.join(format!(".tributary-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"may I?").and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written.with_context(|| format!("could not write in {}", there.display())) {
        findings.fail(about, &error, "let the user that runs tributary write there");
        return;
    }
    let shown = data.display();
    let free = match fs4::available_space(there) {
        Ok(free) => free,
        Err(error) => {
            findings.warn(
                about,
                format!("{shown}: its free space is not known: {error}"),
                "look at the disk",
            );
            return;
        }
    };
    let told = format!("{shown} can be written, {:.1} GiB free", free as f64 / f64::from(1 << 30));
    match free {
        0..TOO_LOW => findings.fail(about, &anyhow!(told), "make room: a full disk stops all intake (503)"),
        TOO_LOW..LOW => findings.warn(about, told, "make room: a full disk stops all intake (503)"),
        _ => findings.ok(about, told),
    }
}

/// `writer`: who writes the log now, and so most likely has the ports.
pub(super) async fn ports(config: &Config, writer: Option<&str>, findings: &mut Findings) {
    let has = |role| config.roles.contains(&role);
    let channels = |listen: Option<SocketAddr>| listen.filter(|_| has(Role::Channels));
    let ports = [
        ("HTTP", channels(config.http.listen)),
        ("SMTP", channels(config.smtp.listen)),
        ("LMTP", channels(config.lmtp.listen)),
        ("gRPC", config.grpc.listen.filter(|_| has(Role::Api))),
        ("metrics", config.metrics.listen),
    ];
    for (what, address) in ports {
        let Some(address) = address else { continue };
        let about = format!("port {what}");
        match TcpListener::bind(address).await {
            Ok(_) => findings.ok(about, format!("{address} is free")),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => match writer {
                Some(process) => {
                    findings.ok(about, format!("{address} is taken, by tributary ({process}) it seems"))
                }
                None => {
                    let error = anyhow!("{address} is taken by another program");
                    findings.fail(about, &error, "stop it, or choose another address");
                }
            },
            Err(error) => {
                let error = anyhow::Error::new(error).context(format!("could not listen on {address}"));
                findings.fail(
                    about,
                    &error,
                    "choose an address of this machine and a port that this user may have",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Listen, Mail};

    fn nowhere() -> Config {
        Config {
            http: Listen::default(),
            smtp: Mail::default(),
            lmtp: Mail::default(),
            grpc: Listen::default(),
            metrics: Listen::default(),
            ..Config::default()
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_ours_or_a_fault() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config { metrics: Listen { listen: taken.local_addr().ok() }, ..nowhere() };
        let mut findings = Findings::default();
        ports(&config, Some("process 7"), &mut findings).await;
        assert!(!findings.failed() && findings.to_string().contains("process 7"), "{findings}");
        ports(&config, None, &mut findings).await;
        assert!(findings.failed() && findings.to_string().contains("another program"), "{findings}");
    }

    #[test]
    fn a_data_directory_to_be_is_probed_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let mut findings = Findings::default();
        data_directory(&dir.path().join("not/yet"), &mut findings);
        assert!(!dir.path().join("not").exists());
        assert!(findings.to_string().contains("GiB free"), "{findings}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
