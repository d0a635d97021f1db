//! `tributary watch`: queues and agents as they are now, drawn anew as they change. Asks the running process.

mod board;
mod json;

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use clap::Args;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use wire::api::v1::{WatchRequest, supervision_client::SupervisionClient};

use self::board::Board;
use super::remote::{Remote, RemoteArgs, refused};
use crate::{args::Source, config::Span, exit, signals};

/// Between asking a server that went away.
const AGAIN: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  TRIBUTARY_TOKEN=dev tributary watch
  tributary watch -c tributary.toml --desk service --every 5s
  tributary watch --once
  tributary watch --json | jq -c '.queues[] | select(.late > 0) | {queue, late}'

Exit codes: 0 stopped, 1 failed or refused, 2 usage or configuration.";

/// Shows queues and agents as they are now
///
/// Who waits and for how long, what is on offer, how many were answered in time within the last quarter of an hour and the
/// last hour, who is there and how busy. Drawn anew as it changes, until Ctrl-C; a server that goes away is asked again.
/// Asks the running process over its API, with the token of an administrator, or of an agent who supervises desks.
/// docs/supervision.md says what the figures mean.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Only these desks, as TENANT/DESK or the desk's name; may be said several times
    #[arg(long = "desk", value_name = "DESK")]
    desks: Vec<String>,
    /// How long changes are gathered: 200ms to 1m
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    every: Span,
    /// How things are now, and no more
    #[arg(long)]
    once: bool,
    /// One JSON object a line: everything, then what changed
    #[arg(long)]
    json: bool,
}

/// Why a stream of changes is not followed any further.
enum Ended {
    /// All that was asked for was shown, or a signal came.
    Done,
    /// The server went away, or dropped us.
    Lost(Status),
}

pub async fn run(args: WatchArgs) -> anyhow::Result<u8> {
    let config = args.source.config()?;
    let stop = signals::stop()?;
    let mut remote = Some(args.remote.connect(&config).await?);
    loop {
        let status = match remote.take() {
            Some(remote) => match follow(&args, remote, &stop).await? {
                Ended::Done => return Ok(exit::DONE),
                Ended::Lost(status) => status.message().to_owned(),
            },
            None => "nothing answers".to_owned(),
        };
        exit::say(format_args!("the server does not tell any more ({status}); asking again"));
        if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
            return Ok(exit::DONE);
        }
        remote = args.remote.connect(&config).await.ok();
    }
}

async fn follow(args: &WatchArgs, remote: Remote, stop: &CancellationToken) -> anyhow::Result<Ended> {
    let every = args.every.0.0;
    let asked = prost_types::Duration {
        seconds: i64::try_from(every / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(every % 1_000 * 1_000_000).unwrap_or_default(),
    };
    let request = WatchRequest { desks: args.desks.clone(), every: Some(asked) };
    let mut client = SupervisionClient::new(remote);
    let mut changes = match client.watch(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return ended(status),
    };
    // Who looks at it sees waiting grow while nothing else changes.
    let is_looked_at = io::stdout().is_terminal() && !args.once && !args.json;
    let mut board = Board::default();
    let mut drawn = Instant::now();
    loop {
        let told = tokio::select! {
            told = changes.message() => Some(told),
            () = tokio::time::sleep(Duration::from_millis(every)), if is_looked_at => None,
            () = stop.cancelled() => return Ok(Ended::Done),
        };
        let text = match told {
            None => {
                board.passes(drawn.elapsed());
                board.to_string()
            }
            Some(Ok(Some(told))) if args.json => json::line(&told)?,
            Some(Ok(Some(told))) => {
                board.hear(told);
                board.to_string()
            }
            Some(Ok(None)) => return Ok(Ended::Lost(Status::unavailable("the stream ended"))),
            Some(Err(status)) => return ended(status),
        };
        drawn = Instant::now();
        let screen = if is_looked_at { "\x1b[H\x1b[2J" } else { "" };
        let mut out = io::stdout().lock();
        write!(out, "{screen}{text}").and_then(|()| out.flush()).map_err(exit::writing)?;
        if args.once {
            return Ok(Ended::Done);
        }
    }
}

fn ended(status: Status) -> anyhow::Result<Ended> {
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::Unknown | Code::Cancelled => {
            Ok(Ended::Lost(status))
        }
        _ => Err(refused(status)),
    }
}
