//! `tributary suppressed`: addresses that nothing is sent to.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use wire::api::v1::{LiftSuppressionRequest, operator_client::OperatorClient};

use super::remote::{RemoteArgs, refused};
use crate::{args::Source, exit};

const EXAMPLES: &str = "\
Examples:
  tributary suppressed lift --inbox support ann@example.org

Exit codes: 0 done, 1 failed or refused, 2 usage or configuration.";

/// Sends again to an address whose mail came back, who complained, or who unsubscribed
///
/// Mail that comes back as undeliverable for good, a complaint, or a click on \"unsubscribe\" end what is sent to an address,
/// and an agent who writes there is told why. The first two end by themselves when the customer writes; this ends all of
/// them. Asks the running process over its API, with an administrator's token.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SuppressedArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lifts whatever holds mail to an address back
    Lift(LiftArgs),
}

#[derive(Args)]
struct LiftArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    remote: RemoteArgs,
    /// The inbox that it is held back in
    #[arg(long, value_name = "INBOX")]
    inbox: String,
    /// The customer's address, as the inbox's channel writes it
    #[arg(value_name = "ADDRESS")]
    address: String,
}

pub async fn run(args: SuppressedArgs) -> anyhow::Result<u8> {
    let Command::Lift(LiftArgs { source, remote, inbox, address }) = args.command;
    let mut operator = OperatorClient::new(remote.connect(&source.config()?).await?);
    // As often as it is asked it may have to be done again.
    let command_id = format!("lift {}", log::clock::now());
    let request = LiftSuppressionRequest { command_id, inbox: inbox.clone(), address: address.clone() };
    operator.lift_suppression(request).await.map_err(refused)?;
    writeln!(io::stdout(), "{address} is sent to again in inbox {inbox}").map_err(exit::writing)?;
    Ok(exit::DONE)
}
