//! `tributary why`: who had a conversation and why, told from the log: the conversation's own partition and the desks'.

mod story;

use std::{
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use domain::{Aggregate, ConversationId, Kind, Peer, Route, Timestamp, conversation, desk};
use log::Log;
use wire::Codec;

use self::story::Telling;
use super::{decisions::read_decisions, events::peers};
use crate::{args::Source, exit};

const EXAMPLES: &str = "\
Examples:
  tributary why 7f3c09b1a4de4c1f8f2b6d5e00112233-1 --data data
  tributary events --data data --aggregate conversation | grep opened     which conversations there are

Exit codes: 0 done, 1 failed or no such conversation, 2 usage or configuration.";

/// Tells why a conversation went to whom it went to
///
/// One line for everything that decided it: who had it, where it waited and for how long, to whom it was offered, how
/// many others were considered, and under which version of the workspace. Reads the log, also beside a running server;
/// what was written in the conversation stays sealed and is not told.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WhyArgs {
    #[command(flatten)]
    source: Source,
    /// The conversation (PARTY-NUMBER)
    #[arg(value_name = "CONVERSATION")]
    conversation: ConversationId,
}

pub async fn run(args: WhyArgs) -> anyhow::Result<u8> {
    let (log, topology) = args.source.installation()?.log()?;
    let id = args.conversation;
    let home = topology.peer(&Route::Party(id.party));
    let mut told: Vec<(Timestamp, Telling)> = Vec::new();
    let of_conversation =
        |event: &conversation::Event| (event.conversation() == Some(id)).then(|| story::of(event));
    told.extend(gather::<conversation::Decider, _>(&log, home, of_conversation).await?);
    if told.is_empty() {
        anyhow::bail!("there is no conversation {id} in this log");
    }
    for peer in peers(&topology, Some(Kind::Desk)) {
        let of_desk = |event: &desk::Event| story::at_desk(id, event);
        told.extend(gather::<desk::Decider, _>(&log, peer, of_desk).await?);
    }
    // A conversation and its desk tell each other, so what follows is never decided before what it follows from; the
    // sort keeps the order of each log.
    told.sort_by_key(|(at, _)| *at);
    print(id, &told).map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// What counts in a partition's log and is to be told, and when it was decided.
async fn gather<A: Codec, F>(
    log: &Arc<dyn Log>,
    peer: Peer,
    tell: F,
) -> anyhow::Result<Vec<(Timestamp, Telling)>>
where
    F: Fn(&<A as Aggregate>::Event) -> Option<Telling>,
{
    let end = log.end(runtime::log_of(peer)).await;
    let end = end.with_context(|| format!("could not find the end of the log of {peer}"))?;
    let mut told = Vec::new();
    read_decisions::<A>(log, peer, end, &|_| (), |decision| {
        let events = decision.steps.iter().flat_map(|step| &step.events);
        told.extend(events.filter_map(|recorded| Some((decision.decided_at, tell(&recorded.event)?))));
        ControlFlow::Continue(())
    })
    .await?;
    Ok(told)
}

fn print(id: ConversationId, told: &[(Timestamp, Telling)]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "Conversation {id}")?;
    for (at, telling) in told {
        let Some(sentence) = telling else { continue };
        let at = jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "-".into(), |at| format!("{at:.3}"));
        writeln!(out, "{at}  {sentence}")?;
    }
    out.flush()
}
