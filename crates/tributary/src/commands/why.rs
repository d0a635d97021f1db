//! `tributary why`: who had a conversation and why, told from the log: the conversation's own partition and the desks'.

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
    let mut story = api::Story::of(id);
    gather::<conversation::Decider>(&log, home, |at, event| story.hear(at, event)).await?;
    if !story.is_known() {
        anyhow::bail!("there is no conversation {id} in this log");
    }
    for peer in peers(&topology, Some(Kind::Desk)) {
        gather::<desk::Decider>(&log, peer, |at, event| story.hear_desk(at, event)).await?;
    }
    print(id, &story.sentences()).map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// What counts in a partition's log, and when it was decided.
async fn gather<A: Codec>(
    log: &Arc<dyn Log>,
    peer: Peer,
    mut hear: impl FnMut(Timestamp, &<A as Aggregate>::Event),
) -> anyhow::Result<()> {
    let end = log.end(runtime::log_of(peer)).await;
    let end = end.with_context(|| format!("could not find the end of the log of {peer}"))?;
    read_decisions::<A>(log, peer, end, &|_| (), |decision| {
        for recorded in decision.steps.iter().flat_map(|step| &step.events) {
            hear(decision.decided_at, &recorded.event);
        }
        ControlFlow::Continue(())
    })
    .await
}

fn print(id: ConversationId, told: &[(Timestamp, String)]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "Conversation {id}")?;
    for (at, sentence) in told {
        let at = jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| "-".into(), |at| format!("{at:.3}"));
        writeln!(out, "{at}  {sentence}")?;
    }
    out.flush()
}
