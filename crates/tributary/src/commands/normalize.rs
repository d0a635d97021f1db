//! `tributary normalize`: what a connector makes of a raw payload, without any server.

use std::{
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

use channels::{Fact, Malformed, Profile, email, generic, messenger, smpp, twilio};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::exit;

const EXAMPLES: &str = "\
Examples:
  tributary normalize --channel messenger webhook.json
  tributary normalize --channel email --inbox support mails/*.eml | jq .text
  curl -s https://mail.example/raw/1 | tributary normalize --channel email

Exit codes: 0 understood (also where a fact is of kind `unknown`), 2 usage, 65 malformed input,
66 a file that cannot be read. Of several files the worst counts.";

/// Prints what a connector makes of a raw payload
///
/// Reads the body of a webhook, a message (RFC 5322) or a dump of SMPP units (octets or hexadecimal) from each FILE, or from standard input, and prints one JSON
/// object a fact: kind, channel, inbox, address, external_id, sent_at, text, attachments and so on, with its `file`
/// where several are given. An item that is not understood gives a fact of kind `unknown` with the reason. Malformed
/// input gives a message on standard error; the other files are read all the same.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct NormalizeArgs {
    /// Whose payload it is
    #[arg(long, value_enum, value_name = "KIND")]
    channel: Kind,
    /// The inbox that facts carry [default: the provider's own name for it]
    #[arg(long, value_name = "ID")]
    inbox: Option<String>,
    /// What to read [default: standard input]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    Messenger,
    Instagram,
    Whatsapp,
    Email,
    Twilio,
    Smpp,
    Generic,
}

type Normalize = fn(inbox: Option<&str>, raw: &[u8]) -> Result<Vec<Fact>, Malformed>;

impl Kind {
    /// The connector, as a function of the bytes.
    fn normalize(self) -> Normalize {
        match self {
            Kind::Messenger => |inbox, raw| messenger::normalize(messenger::Kind::Messenger, inbox, raw),
            Kind::Instagram => |inbox, raw| messenger::normalize(messenger::Kind::Instagram, inbox, raw),
            Kind::Whatsapp => |inbox, raw| messenger::normalize(messenger::Kind::Whatsapp, inbox, raw),
            Kind::Email => |inbox, raw| email::normalize(inbox, raw, None),
            Kind::Twilio => |inbox, raw| twilio::normalize(inbox, raw).map(short),
            Kind::Generic => generic::normalize,
            Kind::Smpp => |inbox, raw| smpp::normalize(inbox, raw).map(short),
        }
    }
}

/// What an inbox without settings of its own makes of short messages.
fn short(mut facts: Vec<Fact>) -> Vec<Fact> {
    let profile = Profile::default();
    facts.iter_mut().for_each(|fact| profile.apply(fact));
    facts
}

/// Why an input gave nothing.
enum Wrong {
    Unreadable(io::Error),
    Malformed(Malformed),
}

impl Wrong {
    fn code(&self) -> u8 {
        match self {
            Wrong::Unreadable(_) => exit::NO_INPUT,
            Wrong::Malformed(_) => exit::MALFORMED,
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wrong::Unreadable(error) => write!(f, "could not be read: {error}"),
            Wrong::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(flatten)]
    fact: &'a Fact,
}

pub fn run(args: &NormalizeArgs) -> anyhow::Result<u8> {
    let normalize = args.channel.normalize();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut inputs: Vec<Option<&Path>> = args.files.iter().map(|file| Some(file.as_path())).collect();
    if inputs.is_empty() {
        inputs.push(None);
    }
    let several = inputs.len() > 1;
    let mut worst = exit::DONE;
    for input in inputs {
        let facts = read(input).map_err(Wrong::Unreadable);
        match facts.and_then(|raw| normalize(args.inbox.as_deref(), &raw).map_err(Wrong::Malformed)) {
            Ok(facts) => {
                let file = input.filter(|_| several);
                print(&mut out, file, &facts).map_err(exit::writing)?;
            }
            Err(wrong) => {
                // What was printed so far comes first, also where both go to one place.
                out.flush().map_err(exit::writing)?;
                let name = input.map_or("standard input".into(), |file| file.display().to_string());
                exit::say(format_args!("error: {name}: {wrong}"));
                worst = worst.max(wrong.code());
            }
        }
    }
    out.flush().map_err(exit::writing)?;
    Ok(worst)
}

fn read(input: Option<&Path>) -> io::Result<Vec<u8>> {
    match input {
        Some(file) => std::fs::read(file),
        None => {
            let mut raw = Vec::new();
            io::stdin().lock().read_to_end(&mut raw).map(|_| raw)
        }
    }
}

fn print(out: &mut impl Write, file: Option<&Path>, facts: &[Fact]) -> io::Result<()> {
    for fact in facts {
        serde_json::to_writer(&mut *out, &Line { file, fact })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
