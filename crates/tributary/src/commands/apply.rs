//! `tributary apply`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use tonic::Code;
use wire::api::v1::{ApplyWorkspaceRequest, GetWorkspaceRequest, Policy, workspace_client::WorkspaceClient};

use super::remote::{RemoteArgs, refused};
use crate::{
    args::Source,
    config::read_workspace,
    exit::{self, Unusable},
};

const EXAMPLES: &str = "\
Examples:
  tributary apply --check workspace.toml
  tributary apply -c tributary.toml workspace.toml
  TRIBUTARY_TOKEN=dev tributary apply --addr http://127.0.0.1:7070 workspace.toml

Exit codes: 0 in force, 1 failed or refused, 2 the file or the configuration is at fault.";

/// Puts a workspace in force: inboxes, queues, agents, bots, hours
///
/// Reads and checks the file (a fault names its line and the nearest valid key), sends it to the running process with
/// an administrator's token, and prints what changed and the version that is in force. The file is the whole
/// workspace: what is not in it any more is removed. Applying it again changes nothing.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ApplyArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Only check the file; no server is needed
    #[arg(long)]
    check: bool,
    /// The workspace
    #[arg(value_name = "WORKSPACE")]
    file: PathBuf,
}

pub async fn run(args: ApplyArgs) -> anyhow::Result<u8> {
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Unusable(format!("could not read the workspace {}: {error}", args.file.display()))
    })?;
    let policy = read_workspace(&args.file, &text)?;
    let mut out = io::stdout().lock();
    if args.check {
        let (inboxes, agents) = (policy.inboxes.len(), policy.agents.len());
        writeln!(
            out,
            "{}: valid, {inboxes} inboxes and {agents} agents of {}",
            args.file.display(),
            policy.tenant
        )
        .map_err(exit::writing)?;
        return Ok(exit::DONE);
    }
    let mut workspace = WorkspaceClient::new(args.remote.connect(&args.source.config()?).await?);
    let before = match workspace.get(GetWorkspaceRequest {}).await {
        Ok(policy) => policy.into_inner(),
        Err(status) if status.code() == Code::NotFound => Policy::default(),
        Err(status) => return Err(refused(status)),
    };
    let after = api::policy_message(&policy);
    // The same document on the same version is the same command, so asking again after a lost answer is safe.
    let command_id = format!("apply {} {}", before.version, blake3::hash(text.as_bytes()).to_hex());
    let request = ApplyWorkspaceRequest { command_id, policy: Some(after.clone()) };
    let version = workspace.apply(request).await.map_err(refused)?.into_inner().version;
    let mut said = String::new();
    for line in changes(&before, &after) {
        said.push_str(&line);
        said.push('\n');
    }
    if said.is_empty() {
        said.push_str("nothing changed\n");
    }
    said.push_str(&format!("version {version} of the workspace of {} is in force\n", policy.tenant));
    out.write_all(said.as_bytes()).map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// A line for each thing that is not as it was.
fn changes(before: &Policy, after: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    compare("inbox", &before.inboxes, &after.inboxes, &mut lines);
    compare("queue", &before.queues, &after.queues, &mut lines);
    compare("agent", &before.agents, &after.agents, &mut lines);
    compare("bot", &before.bots, &after.bots, &mut lines);
    compare("hours", &before.hours, &after.hours, &mut lines);
    compare("link", &before.links, &after.links, &mut lines);
    lines
}

fn compare<T: PartialEq>(
    what: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    lines: &mut Vec<String>,
) {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let change = match (before.get(name), after.get(name)) {
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            (Some(was), Some(is)) if was != is => "changed",
            _ => continue,
        };
        lines.push(format!("{change:<8} {what} {name}"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const BEFORE: &str = r#"
tenant = "acme"
[inboxes.mail]
channel = "email"
address = "help@acme.example"
queue = "support/general"
[queues."support/general"]
[agents."support/anna"]
queues = ["support/general"]
capacity = 3
"#;

    fn message(text: &str) -> Policy {
        api::policy_message(&read_workspace(Path::new("w.toml"), text).unwrap())
    }

    #[test]
    fn what_changed_is_named() {
        let before = message(BEFORE);
        assert!(changes(&before, &message(BEFORE)).is_empty());
        let after =
            BEFORE.replace("capacity = 3", "capacity = 4").replace("[inboxes.mail]", "[inboxes.post]");
        assert_eq!(
            changes(&before, &message(&after)),
            ["removed  inbox mail", "added    inbox post", "changed  agent acme/support/anna"]
        );
        assert_eq!(changes(&Policy::default(), &before).len(), 3);
    }
}
