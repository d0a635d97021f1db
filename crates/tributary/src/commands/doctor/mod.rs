//! `tributary doctor`: what stands between an installation and going live, and what to do about it.
//!
//! Looks, and changes nothing: a log or key store that is not there yet is no fault.

mod dns;
mod finding;
mod inboxes;
mod machine;
mod mail;
mod meta;
mod stores;

use std::io::{self, Write as _};

use clap::Args;

use self::finding::Findings;
use super::installation::Installation;
use crate::{args::Source, config::Config, exit, key_store, layout::Layout, opened};

const EXAMPLES: &str = "\
Examples:
  tributary doctor -c tributary.toml
  tributary doctor --data data

Exit codes: 0 nothing fails (warnings are no failure), 1 something fails, 2 usage.";

/// Checks an installation and says what to fix
///
/// Looks at the configuration and the secrets it names, the data directory and its free space, the log and who writes
/// it, the key store and its master key, the object stores, the read models, the ports, and the settings of every inbox
/// in force; of a mailbox also what the DNS says of its domain, and whether its relay and the server it is read from answer; of an inbox at Meta whether its token
/// is good, for how long and for what, and whether its webhooks are switched on. Prints a line each: ok, warn or fail, and what to do. Works beside a running server and changes nothing,
/// but that it writes a small object to each store and removes it again.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    #[command(flatten)]
    source: Source,
}

pub async fn run(args: DoctorArgs) -> anyhow::Result<u8> {
    let mut findings = Findings::default();
    if let Some(config) = configuration(&args.source, &mut findings) {
        let installation = Installation { layout: Layout::new(&config.data), config };
        // A data directory alone says nothing of who may call.
        if args.source.data.is_none() {
            machine::tokens(&installation.config, &mut findings);
        }
        examine(&installation, &mut findings).await;
    }
    io::stdout().write_all(findings.to_string().as_bytes()).map_err(exit::writing)?;
    Ok(if findings.failed() { exit::FAILED } else { exit::DONE })
}

fn configuration(source: &Source, findings: &mut Findings) -> Option<Config> {
    let config = source.config();
    let checked = config.and_then(|config| {
        opened::check(&config)?;
        key_store::check(&config)?;
        Ok(config)
    });
    match checked {
        Ok(config) => {
            findings.ok(
                "configuration",
                match (&source.config, &source.data) {
                    (Some(path), _) => format!("{} is valid", path.display()),
                    _ => format!("the data directory is {}", config.data.display()),
                },
            );
            Some(config)
        }
        Err(error) => {
            findings.fail("configuration", &error, "mend the configuration; the rest was not looked at");
            None
        }
    }
}

async fn examine(installation: &Installation, findings: &mut Findings) {
    let config = &installation.config;
    machine::data_directory(installation.layout.data(), findings);
    let writer = stores::log(installation, findings).await;
    stores::keys(installation, findings);
    stores::objects(installation, findings).await;
    stores::read_model(installation, findings).await;
    machine::ports(config, writer.as_deref(), findings).await;
    inboxes::examine(installation, findings).await;
}
