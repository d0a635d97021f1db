//! `tributary links`: the ways into Messenger, Instagram and WhatsApp, as addresses and as codes to print.

mod code;
mod make;
mod token;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  tributary links make workspace.toml                       every link, with codes under ./links
  tributary links make workspace.toml summer --format svg --out poster
  tributary links token --link summer --contact 5f1c…       for a customer who is logged in

Exit codes: 0 done, 1 failed or refused, 2 usage, the workspace or the configuration is at fault.";

/// Makes links into Messenger, Instagram and WhatsApp, with codes to print
///
/// Links stand in the workspace, under [links.NAME]: the inbox, the reference (`ref`) that the platform tells when a link is
/// followed, and what is different for who comes by it: queue, bot, first message, tags. They count once the workspace is
/// applied.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct LinksArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Make(make::MakeArgs),
    Token(token::TokenArgs),
}

pub async fn run(args: LinksArgs) -> anyhow::Result<u8> {
    match args.command {
        Command::Make(args) => make::run(&args),
        Command::Token(args) => token::run(args).await,
    }
}
