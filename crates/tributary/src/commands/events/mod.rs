//! `tributary events`: the log, decoded.
//!
//! ```text
//! a partition's records ─▶ feed (which count) ─▶ tell (in words) ─▶ lines, merged by time ─▶ standard output
//! ```
//!
//! Nothing is opened: what is personal stays sealed.

mod cursor;
mod feed;
mod line;
mod tell;

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
};

use anyhow::Context as _;
use clap::Args;
use domain::{Kind, Peer, Topology};
use runtime::Points;
use tokio::sync::mpsc;

use self::{cursor::Cursor, feed::Feed, line::Line};
use crate::{args::Source, exit, signals, stores};

/// Lines that may wait to be printed while following; then the readers wait.
const WAITING: usize = 64;

const EXAMPLES: &str = "\
Examples:
  tributary events --data data
  tributary events --data data --follow --from end
  tributary events --data data --from 'conversation[3]@120'
  tributary events --data data --aggregate desk --json | jq 'select(.what == \"offered\")'

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Prints the log, decoded
///
/// One line an event: when it was decided, where it stands, the conversation, what happened, and its details. Only
/// what counts is printed: records of leaders that did not rule are passed over. Reads the local log, also beside a
/// running server. Message bodies and addresses stay sealed; their size is told.
///
/// What is there already comes merged by time; with --follow the rest comes as it happens. Where a line stands, such
/// as conversation[3]@120, is a cursor: --from begins with it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct EventsArgs {
    #[command(flatten)]
    source: Source,
    /// Begin here: places such as conversation[3]@120, separated by commas, each for its partition alone; or `end`
    #[arg(long, value_name = "CURSOR")]
    from: Option<Cursor>,
    /// Go on with what happens, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only this aggregate: conversation, desk, delivery, contact or workspace
    #[arg(long, value_name = "KIND", value_parser = kind)]
    aggregate: Option<Kind>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// At the end, say on standard error where to go on
    #[arg(long)]
    cursors: bool,
}

/// An aggregate by its name, or which there are.
pub fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name).ok_or_else(|| format!("there are {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

pub async fn run(args: EventsArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    let (log, topology) = installation.log()?;
    let points = Points::new(stores::snapshots(&installation.config, &installation.layout)?);
    let mut feeds: Vec<Feed> = Vec::new();
    for peer in peers(&topology, args.aggregate) {
        let end = log.end(runtime::log_of(peer)).await;
        let end = end.with_context(|| format!("could not find the end of the log of {peer}"))?;
        let from = match &args.from {
            None => Some(0),
            Some(Cursor::End) => Some(end),
            Some(Cursor::Places(places)) => places.get(&peer).copied(),
        };
        let Some(from) = from else { continue };
        let point = points.before(&*log, peer, from).await;
        feeds.push(Feed::new(log.clone(), peer, point, from, end));
    }
    let mut printer = Printer { out: BufWriter::new(io::stdout()), json: args.json };
    merge(&mut feeds, &mut printer).await?;
    let mut reached: BTreeMap<_, _> = feeds.iter().map(|feed| (feed.peer, feed.next_position())).collect();
    if args.follow {
        follow(feeds, &mut printer, &mut reached).await?;
    }
    if args.cursors {
        exit::say(format_args!("go on with --from '{}'", Cursor::Places(reached)));
    }
    Ok(exit::DONE)
}

/// Every partition, or those of one aggregate.
pub fn peers(topology: &Topology, only: Option<Kind>) -> Vec<Peer> {
    let wanted = Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| only == *kind));
    wanted
        .flat_map(|kind| (0..topology.partitions(kind)).map(move |partition| Peer { kind, partition }))
        .collect()
}

struct Printer<W: Write> {
    out: W,
    json: bool,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, line: &Line) -> anyhow::Result<()> {
        let printed = if self.json { line.print_json(&mut self.out) } else { line.print(&mut self.out) };
        printed.map_err(exit::writing)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.out.flush().map_err(exit::writing)
    }
}

/// What was there at the start: always the earliest line of all partitions next. Within a partition times never go
/// back, so the whole is in order.
async fn merge(feeds: &mut [Feed], printer: &mut Printer<impl Write>) -> anyhow::Result<()> {
    loop {
        let mut first = None;
        for (index, feed) in feeds.iter_mut().enumerate() {
            if let Some(line) = feed.head().await? {
                let order = (line.at, line.place);
                first = first.filter(|(earliest, _)| *earliest <= order).or(Some((order, index)));
            }
        }
        let Some((_, index)) = first else { return printer.flush() };
        feeds[index].pop().iter().try_for_each(|line| printer.print(line))?;
    }
}

/// What happens from here on, as it comes, until a signal.
async fn follow(
    feeds: Vec<Feed>,
    printer: &mut Printer<impl Write>,
    reached: &mut BTreeMap<Peer, u64>,
) -> anyhow::Result<()> {
    let stop = signals::stop()?;
    let (sender, mut batches) = mpsc::channel(WAITING);
    for mut feed in feeds {
        let (sender, stop) = (sender.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let lines = tokio::select! {
                    () = stop.cancelled() => return,
                    lines = feed.more() => lines,
                };
                let failed = lines.is_err();
                let batch = lines.map(|lines| (feed.peer, feed.next_position(), lines));
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        });
    }
    drop(sender);
    while let Some(batch) = batches.recv().await {
        let (peer, next, lines) = batch?;
        lines.iter().try_for_each(|line| printer.print(line))?;
        printer.flush()?;
        reached.insert(peer, next);
    }
    Ok(())
}
