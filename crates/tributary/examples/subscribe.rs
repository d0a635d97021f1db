//! A subscriber that misses nothing: `Events.Subscribe`, with the cursor of what was handled kept in a file.
//!
//! Handling here is printing. The cursor is stored after that, so a subscriber that dies in between sees the last
//! event again and none is lost; an event's id tells a repetition.

mod shared;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;
use shared::{clock, connect, exit, note, refused, say, text};
use tonic::Code;
use wire::api::v1::{
    Event, EventFilter, Source, StartAt, SubscribeRequest, event::Kind, events_client::EventsClient,
    subscribe_response::Item,
};

/// Prints what happens and goes on where it stopped, after a break of its own or of the server's.
#[derive(Parser)]
#[command(after_help = "Examples:
  subscribe                                    everything from the beginning, then what comes
  subscribe --all                              desks, contacts and the workspace too
  subscribe --kind replied --kind bot_replied  only what was said to customers
  subscribe --inbox email --once               what is there, and stop")]
struct Args {
    /// Where the cursor is kept; beside the data of `dev`, so that both begin again together. Remove it to begin again.
    #[arg(long, value_name = "FILE", default_value = "data/subscribe.cursor")]
    cursor: PathBuf,
    /// Without a cursor: begin with what happens from now on.
    #[arg(long)]
    from_now: bool,
    /// Stop once everything that was there has been printed.
    #[arg(long)]
    once: bool,
    /// Desks, contacts and the workspace besides the conversations.
    #[arg(long)]
    all: bool,
    /// Only events of this kind (`message_received`, `replied`, `assigned`, …); may be given several times.
    #[arg(long)]
    kind: Vec<String>,
    /// Only events of this inbox; may be given several times.
    #[arg(long)]
    inbox: Vec<String>,
    /// Only events of this conversation.
    #[arg(long, default_value = "")]
    conversation: String,
    /// Ask for no personal data: what people wrote shows as withheld. Needed with a token without the `pii` scope.
    #[arg(long)]
    withhold: bool,
    /// Where Tributary serves gRPC.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    addr: String,
    /// A bearer token; any role may subscribe.
    #[arg(long, env = "TRIBUTARY_TOKEN", default_value = "dev", hide_env_values = true)]
    token: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Args::parse()).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(folder) = args.cursor.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
    }
    loop {
        match follow(&args).await? {
            End::Done => return Ok(()),
            End::Broken(why) => {
                note(format_args!("{why}; going on from the cursor in a second"));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

enum End {
    Done,
    /// Worth another try from the cursor.
    Broken(String),
}

async fn follow(args: &Args) -> anyhow::Result<End> {
    let cursor = read(&args.cursor)?;
    // A subscriber that was under way waits for its server to come back.
    let connection = match connect(&args.addr, &args.token).await {
        Ok(connection) => connection,
        Err(error) if !cursor.is_empty() && !args.once => return Ok(End::Broken(shared::line(&error))),
        Err(error) => return Err(error),
    };
    let sources = if args.all {
        [Source::Conversation, Source::Desk, Source::Contact, Source::Workspace].map(i32::from).to_vec()
    } else {
        Vec::new()
    };
    let start_at = if args.from_now { StartAt::End } else { StartAt::Beginning };
    let request = SubscribeRequest {
        cursor,
        start_at: start_at.into(),
        filter: Some(EventFilter {
            sources,
            kinds: args.kind.clone(),
            inboxes: args.inbox.clone(),
            conversation: args.conversation.clone(),
        }),
        include_pii: !args.withhold,
    };
    let mut events = match EventsClient::new(connection).subscribe(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return ended(&status),
    };
    loop {
        let item = match events.message().await {
            Ok(Some(response)) => response.item,
            Ok(None) => return Ok(End::Broken("the server closed the stream".into())),
            Err(status) => return ended(&status),
        };
        match item {
            Some(Item::Event(event)) => {
                say!("{}", line(&event));
                write(&args.cursor, &event.cursor)?;
            }
            Some(Item::Checkpoint(checkpoint)) => write(&args.cursor, &checkpoint.cursor)?,
            Some(Item::CaughtUp(caught_up)) => {
                write(&args.cursor, &caught_up.cursor)?;
                if args.once {
                    return Ok(End::Done);
                }
                note(format_args!(
                    "caught up; waiting for more (Ctrl-C stops, the cursor is in {})",
                    args.cursor.display()
                ));
            }
            Some(Item::Heartbeat(_)) | None => {}
        }
    }
}

/// A server that is away or busy comes back, and the cursor says where to go on; anything else is for a person.
fn ended(status: &tonic::Status) -> anyhow::Result<End> {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::Unknown | Code::Cancelled => {
            Ok(End::Broken(refused(status).to_string()))
        }
        _ => Err(refused(status)),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("could not read the cursor in {}", path.display())),
    }
}

/// Whole or not at all: a half-written cursor would be none.
fn write(path: &Path, cursor: &str) -> anyhow::Result<()> {
    let aside = path.with_extension("new");
    fs::write(&aside, cursor)
        .and_then(|()| fs::rename(&aside, path))
        .with_context(|| format!("could not keep the cursor in {}", path.display()))
}

fn line(event: &Event) -> String {
    let (kind, what) = match &event.kind {
        Some(kind) => named(&format!("{kind:?}")),
        None => ("?".into(), "something newer than this example".into()),
    };
    // For reading along: what was said, and whose turn it is.
    let what = match &event.kind {
        Some(Kind::MessageReceived(it)) => text(it.body.as_ref()),
        Some(Kind::BotReplied(it)) => text(it.body.as_ref()),
        Some(Kind::Replied(it)) => format!("{}: {}", it.agent, text(it.body.as_ref())),
        Some(Kind::AgentWanted(it)) => format!("{:?}, in {}", it.reason(), it.queue),
        Some(Kind::Assigned(it)) => format!("to {}", it.agent),
        Some(Kind::DeliveryNoted(it)) => format!("{:?} {}", it.status(), it.reason),
        Some(Kind::OfferMade(it)) => format!("{} to {}", it.offer, it.agent),
        _ => what,
    };
    // An id's first digits are enough to tell the conversations on a screen apart.
    let conversation: String = event.conversation.chars().take(8).collect();
    format!("{}  {:<10} {conversation:<8}  {kind:<18} {what}", clock!(event.at), event.inbox)
}

/// `MessageReceived(MessageReceived { … })` as `message_received` and what is in it.
fn named(debug: &str) -> (String, String) {
    let (name, rest) = debug.split_once('(').unwrap_or((debug, ""));
    let mut kind = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kind.is_empty() {
            kind.push('_');
        }
        kind.push(letter.to_ascii_lowercase());
    }
    let what = rest.strip_suffix(')').unwrap_or(rest).trim_start_matches(name);
    let what = what.trim().trim_start_matches(['{', '(']).trim_end_matches(['}', ')']).trim();
    (kind, what.to_owned())
}
