//! `tributary serve`.

use std::path::PathBuf;

use clap::Args;

use super::installation;
use crate::{
    config::{Layer, Role},
    exit::{self, Unusable},
    key_store, observe, opened, serve, signals,
};

const EXAMPLES: &str = "\
Examples:
  tributary serve -c /etc/tributary/tributary.toml
  tributary serve --roles channels --set http.listen=0.0.0.0:8080
  TRIBUTARY__HTTP__LISTEN=0.0.0.0:8080 tributary serve

Exit codes: 0 stopped by a signal, 1 failed, 2 the configuration is at fault.";

/// Runs the roles of this process
///
/// Serves the channels' edges, leads partitions, keeps the read models, answers the API: whatever its roles are.
/// SIGTERM or Ctrl-C stops it in order: no more intake, then what is under way, then the readers.
///
/// The configuration comes in layers, each over the one before: the built-in defaults, the file, the environment
/// (TRIBUTARY__HTTP__LISTEN is the key http.listen), --roles and --set.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// The configuration of this process
    #[arg(short, long, value_name = "FILE", default_value = "tributary.toml")]
    config: PathBuf,
    /// What this process does, separated by commas [default: what the configuration says, else everything]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE")]
    roles: Vec<Role>,
    /// A single value of the configuration, over what the file and the environment say
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    sets: Vec<(String, String)>,
}

pub async fn run(args: ServeArgs) -> anyhow::Result<u8> {
    let config = installation::read(&args.config, layers(&args))?;
    opened::check(&config)?;
    key_store::check(&config)?;
    if config.roles.is_empty() {
        return Err(
            Unusable("this process has no roles: leave `roles` out to have all of them".into()).into()
        );
    }
    observe::record()?;
    serve::run(config, signals::stop()?).await.map(|()| exit::DONE)
}

fn layers(args: &ServeArgs) -> Vec<Layer> {
    let mut layers = Vec::new();
    if !args.roles.is_empty() {
        let names: Vec<_> = args.roles.iter().filter_map(clap::ValueEnum::to_possible_value).collect();
        let names: Vec<_> = names.iter().map(|name| format!("{:?}", name.get_name())).collect();
        layers.push(Layer {
            key: "roles".into(),
            value: format!("[{}]", names.join(", ")),
            from: "--roles".into(),
        });
    }
    let set = |(key, value): &(String, String)| Layer {
        key: key.clone(),
        value: value.clone(),
        from: format!("--set {key}"),
    };
    layers.extend(args.sets.iter().map(set));
    layers
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write KEY=VALUE, as in http.listen=127.0.0.1:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn arguments_are_laid_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, "roles = [\"api\"]\n[partitions]\ndesk = 1\n").unwrap();
        let args = ServeArgs {
            config: path.clone(),
            roles: vec![Role::Channels, Role::Router],
            sets: vec![key_and_value("partitions.desk = 8").unwrap()],
        };
        let config: Config = installation::read(&path, layers(&args)).unwrap();
        assert_eq!(config.roles, [Role::Channels, Role::Router]);
        assert_eq!(config.partitions.desk, 8);
    }

    #[test]
    fn a_value_needs_its_key() {
        assert!(key_and_value("=1").is_err() && key_and_value("http.listen").is_err());
        assert_eq!(key_and_value("a.b=c=d"), Ok(("a.b".into(), "c=d".into())));
    }
}
