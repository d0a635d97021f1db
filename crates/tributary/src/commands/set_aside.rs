//! `tributary set-aside`: inputs that could not be handled.

use std::io::{self, Write};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use tonic::Code;
use wire::api::v1::{
    Body, GetSetAsideRequest, GetSetAsideResponse, ListSetAsideRequest, ReplaySetAsideRequest, SetAside,
    body::State, operator_client::OperatorClient, replay_set_aside_response::Outcome,
};

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
/// What cannot be read, or makes the rules fail, is kept whole inside the log with the reason, and the rest goes on;
/// so is a mail that cannot be understood. Asks the running process over its API, with an administrator's token.
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
    /// Prints what can be told of one of them
    Show(ShowArgs),
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

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Show what a message says: its subject, and how it begins. Needs a token with the scope `pii`
    #[arg(long)]
    pii: bool,
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
        Command::Show(ShowArgs { one, pii }) => show(one.ask.operator().await?, one.id, pii).await,
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
        exit::say("nothing is set aside");
    }
    Ok(exit::DONE)
}

async fn show(mut operator: Operator, input: String, include_pii: bool) -> anyhow::Result<u8> {
    let found = operator.get_set_aside(GetSetAsideRequest { input: input.clone(), include_pii }).await;
    let found = found.map_err(|status| match status.code() {
        Code::NotFound => {
            anyhow!("nothing is set aside under {input}; `tributary set-aside list` prints what is")
        }
        _ => refused(status),
    })?;
    io::stdout().write_all(told(&found.into_inner()).as_bytes()).map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// Line by line; what people wrote comes last.
fn told(found: &GetSetAsideResponse) -> String {
    let GetSetAsideResponse { input, message } = found;
    let input = input.clone().unwrap_or_default();
    let mut lines = vec![("id", input.id.clone()), ("at", at(&input))];
    match message {
        Some(message) => lines.extend([
            ("kind", "a message that could not be understood".into()),
            ("inbox", message.inbox.clone()),
            ("party", message.party.clone()),
        ]),
        None => {
            let aggregate = input.id.split('-').next().unwrap_or_default();
            lines.push(("kind", format!("an input that the {aggregate} worker could not handle")));
        }
    }
    lines.extend([
        ("size", format!("{} bytes, sealed where personal", input.size)),
        ("reason", printable(&input.reason)),
    ]);
    if let Some(message) = message {
        lines.push(("subject", subject(message.body.as_ref())));
        lines.extend(message.original.lines().map(|line| (">", printable(line))));
    }
    lines.into_iter().map(|(name, text)| format!("{}\n", format!("{name:<8} {text}").trim_end())).collect()
}

fn subject(body: Option<&Body>) -> String {
    match body.and_then(|body| body.state.as_ref()) {
        Some(State::Content(content)) => {
            printable(content.subject.as_deref().unwrap_or("(none could be read)"))
        }
        Some(State::Withheld(())) => "(withheld; --pii shows it)".into(),
        Some(State::Erased(())) => "(the customer was erased)".into(),
        Some(State::Unreadable(())) | None => "(it could not be opened)".into(),
    }
}

/// Anyone can send anything: nothing of it may steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

async fn replay(mut operator: Operator, input: String) -> anyhow::Result<u8> {
    let command_id = format!("replay {input}");
    let replayed =
        operator.replay_set_aside(ReplaySetAsideRequest { command_id, input: input.clone() }).await;
    let text = match replayed.map_err(refused)?.into_inner().outcome {
        Some(Outcome::Position(position)) => {
            format!("{input} was handed in again and accepted at position {position}")
        }
        Some(Outcome::Facts(1)) => format!("{input} was read again and taken"),
        Some(Outcome::Facts(facts)) => format!("{input} was read again and taken, as {facts} facts"),
        None => return Err(anyhow!("the API answered without saying what became of {input}")),
    };
    writeln!(io::stdout(), "{text}").map_err(exit::writing)?;
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
