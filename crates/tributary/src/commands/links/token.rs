//! `tributary links token`.

use std::io::{self, Write};

use clap::Args;
use domain::{ContactId, LinkId};
use wire::api::v1::{MakeTokenRequest, contacts_client::ContactsClient};

use super::super::remote::{RemoteArgs, refused};
use crate::{args::Source, config::Span, exit};

const EXAMPLES: &str = "\
Examples:
  tributary links token --link summer --contact 5f1c0a…
  TRIBUTARY_TOKEN=dev tributary links token --addr http://127.0.0.1:7070 --link summer --contact 5f1c0a… \\
    --about 'order 4711' --valid-for 10m

Exit codes: 0 done, 1 failed or refused, 2 usage or configuration.";

/// Makes a link for one customer whom the business knows
///
/// Whoever follows it first, and in time, is taken for the contact: their address in the inbox is the contact's from then
/// on, and the timeline says so. So it is for the eyes of one person, who is logged in at your own site, say; your site
/// makes such links itself by `Contacts.MakeToken`. A link that came too late, was followed before or was altered ties
/// nobody, and the timeline says why. Prints the link; until it is followed, nothing is stored.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    remote: RemoteArgs,
    /// A link of the workspace that is in force
    #[arg(long, value_name = "LINK")]
    link: LinkId,
    /// The contact, by its id (see `tributary contacts export`)
    #[arg(long, value_name = "ID")]
    contact: ContactId,
    /// What the customer comes about, for the timeline: 48 bytes at most
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    about: String,
    /// How long the link is good for: 1m to 24h
    #[arg(long, value_name = "TIME", default_value = "15m")]
    valid_for: Span,
}

pub(super) async fn run(args: TokenArgs) -> anyhow::Result<u8> {
    let mut contacts = ContactsClient::new(args.remote.connect(&args.source.config()?).await?);
    let seconds = i64::try_from(args.valid_for.0.0 / 1_000).unwrap_or(i64::MAX);
    let request = MakeTokenRequest {
        contact: args.contact.to_string(),
        link: args.link.to_string(),
        about: args.about,
        valid_for: Some(prost_types::Duration { seconds, nanos: 0 }),
    };
    let made = contacts.make_token(request).await.map_err(refused)?.into_inner();
    writeln!(io::stdout().lock(), "{}", made.url).map_err(exit::writing)?;
    Ok(exit::DONE)
}
