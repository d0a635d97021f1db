//! `tributary set-aside`: inputs that could not be handled.

use std::io::{self, Write};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use wire::api::v1::{ListSetAsideRequest, ReplaySetAsideRequest, SetAside, operator_client::OperatorClient};

use super::remote::{Remote, RemoteArgs, refused};
use crate::{args::Source, exit};

const EXAMPLES: &str = "\
Examples:
  tributary set-aside list -c tributary.toml
  tributary set-aside show conversation-3-120-0
  tributary set-aside replay conversation-3-120-0

Exit codes: 0 done, 1 failed or refused, 2 usage or configuration.";

/// Lists and replays inputs that could not be handled
///
/// What cannot be read, or makes the rules fail, is kept whole inside the log with the reason, and the rest goes on.
/// Asks the running process over its API, with an administrator's token.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SetAsideArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints what is set aside: its id, when, its size and why
    List(AskArgs),
    /// Prints one of them in full
    Show(OneArgs),
    /// Hands one in again, after an upgrade or once what broke it is mended
    Replay(OneArgs),
}

#[derive(Args)]
struct AskArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args)]
struct OneArgs {
    #[command(flatten)]
    ask: AskArgs,
    /// The id that `list` prints
    #[arg(value_name = "ID")]
    id: String,
}

type Operator = OperatorClient<Remote>;

impl AskArgs {
    async fn operator(&self) -> anyhow::Result<Operator> {
        Ok(OperatorClient::new(self.remote.connect(&self.source.config()?).await?))
    }
}

pub async fn run(args: SetAsideArgs) -> anyhow::Result<u8> {
    match args.command {
        Command::List(ask) => list(ask.operator().await?).await,
        Command::Show(one) => show(one.ask.operator().await?, &one.id).await,
        Command::Replay(one) => replay(one.ask.operator().await?, one.id).await,
    }
}

async fn list(mut operator: Operator) -> anyhow::Result<u8> {
    let mut out = io::stdout().lock();
    let mut after = Some(String::new());
    let mut any = false;
    while let Some(from) = after {
        let (inputs, next) = page(&mut operator, from).await?;
        for input in &inputs {
            any = true;
            let (id, at, size, reason) = (&input.id, at(input), input.size, &input.reason);
            writeln!(out, "{id:<28} {at}  {size:>8} bytes  {reason}").map_err(exit::writing)?;
        }
        after = next;
    }
    if !any {
        eprintln!("nothing is set aside");
    }
    Ok(exit::DONE)
}

async fn show(mut operator: Operator, id: &str) -> anyhow::Result<u8> {
    let mut after = Some(String::new());
    while let Some(from) = after {
        let (inputs, next) = page(&mut operator, from).await?;
        if let Some(input) = inputs.iter().find(|input| input.id == id) {
            let text = format!(
                "id      {id}\nat      {}\nsize    {} bytes, sealed where personal\nreason  {}\n",
                at(input),
                input.size,
                input.reason
            );
            io::stdout().write_all(text.as_bytes()).map_err(exit::writing)?;
            return Ok(exit::DONE);
        }
        after = next;
    }
    Err(anyhow!("nothing is set aside under {id}; `tributary set-aside list` prints what is"))
}

async fn replay(mut operator: Operator, input: String) -> anyhow::Result<u8> {
    // Replaying the same input again within hours is the same command, and changes nothing.
    let command_id = format!("replay {input}");
    let accepted =
        operator.replay_set_aside(ReplaySetAsideRequest { command_id, input: input.clone() }).await;
    let position = accepted.map_err(refused)?.into_inner().position;
    writeln!(io::stdout(), "{input} was handed in again and accepted at position {position}")
        .map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// The inputs behind `after`, and where the next page begins.
async fn page(operator: &mut Operator, after: String) -> anyhow::Result<(Vec<SetAside>, Option<String>)> {
    let request = ListSetAsideRequest { after, page_size: 1_000 };
    let page = operator.list_set_aside(request).await.map_err(refused)?.into_inner();
    Ok((page.inputs, Some(page.next).filter(|next| !next.is_empty())))
}

fn at(input: &SetAside) -> String {
    let at = input.at.as_ref();
    let at = at.and_then(|at| jiff::Timestamp::new(at.seconds, at.nanos).ok());
    at.map_or_else(|| "-".into(), |at| format!("{at:.3}"))
}
