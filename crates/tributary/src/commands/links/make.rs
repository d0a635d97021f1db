//! `tributary links make`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use domain::{LinkId, Policy, policy::Link};

use super::code::Code;
use crate::{
    config::read_workspace,
    exit::{self, Unusable},
};

const EXAMPLES: &str = "\
Examples:
  tributary links make workspace.toml
  tributary links make workspace.toml summer winter --out posters --format svg

Exit codes: 0 done, 1 failed, 2 usage, or the workspace is at fault.";

/// Writes a code for each link, as NAME.png and NAME.svg, and prints where the links lead
///
/// Reads and checks the workspace as `tributary apply --check` does; no server is needed. An image is a thousand pixels wide
/// or more; a drawing has any size. Files of the same name are written anew: the same link gives the same file.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MakeArgs {
    /// The workspace
    #[arg(value_name = "WORKSPACE")]
    file: PathBuf,
    /// Only these links [default: all]
    #[arg(value_name = "LINK")]
    links: Vec<LinkId>,
    /// The folder that the codes are written to; created when missing
    #[arg(long, value_name = "DIR", default_value = "links")]
    out: PathBuf,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "png,svg", value_name = "FORMAT")]
    #[arg(help = "How codes are written")]
    format: Vec<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Png,
    Svg,
}

pub(super) fn run(args: &MakeArgs) -> anyhow::Result<u8> {
    let text = fs::read_to_string(&args.file).map_err(|error| {
        Unusable(format!("could not read the workspace {}: {error}", args.file.display()))
    })?;
    let policy = read_workspace(&args.file, &text)?;
    if policy.links.is_empty() {
        return Err(Unusable(format!("{} has no [links.NAME]", args.file.display())).into());
    }
    if let Some(unknown) = args.links.iter().find(|name| !policy.links.contains_key(*name)) {
        let known = policy.links.keys().map(LinkId::as_str).collect::<Vec<_>>().join(", ");
        return Err(Unusable(format!("there is no link {unknown}; there are {known}")).into());
    }
    fs::create_dir_all(&args.out).with_context(|| format!("could not make {}", args.out.display()))?;
    let mut rows = vec![["LINK", "CAMPAIGN", "INBOX", "LEADS TO", "CODES"].map(str::to_owned)];
    for (name, link) in
        policy.links.iter().filter(|(name, _)| args.links.is_empty() || args.links.contains(name))
    {
        let url = address(&policy, name, link)?;
        let code = Code::of(&url)?;
        let mut written = Vec::new();
        for (format, ending) in [(Format::Png, "png"), (Format::Svg, "svg")] {
            if args.format.contains(&format) {
                let bytes = match format {
                    Format::Png => code.png()?,
                    Format::Svg => code.svg().into_bytes(),
                };
                let path = args.out.join(format!("{name}.{ending}"));
                write(&path, &bytes)?;
                written.push(path.display().to_string());
            }
        }
        let campaign = link.campaign.as_deref().unwrap_or("-").to_owned();
        rows.push([name.to_string(), campaign, link.inbox.to_string(), url, written.join(" ")]);
    }
    io::stdout().lock().write_all(table(&rows).as_bytes()).map_err(exit::writing)?;
    Ok(exit::DONE)
}

fn address(policy: &Policy, name: &LinkId, link: &Link) -> anyhow::Result<String> {
    let inbox = policy.inboxes.get(&link.inbox);
    let url = inbox.and_then(|inbox| link.url(inbox, None));
    url.ok_or_else(|| Unusable(format!("link {name} leads nowhere")).into())
}

/// Whole or not at all: whoever prints a poster has no half of a code.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_extension("part");
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("could not write {}", path.display()))
}

/// Columns as wide as what stands in them; the last as it is.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
