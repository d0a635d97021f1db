//! The manual is what the commands say of themselves.

use std::{fs, path::Path};

use super::*;

const COMMANDS: [&[&str]; 30] = [
    &[],
    &["dev"],
    &["serve"],
    &["topics"],
    &["topics", "create"],
    &["topics", "check"],
    &["apply"],
    &["normalize"],
    &["events"],
    &["why"],
    &["watch"],
    &["what-if"],
    &["verify"],
    &["lag"],
    &["contacts"],
    &["contacts", "export"],
    &["set-aside"],
    &["set-aside", "list"],
    &["set-aside", "show"],
    &["set-aside", "replay"],
    &["suppressed"],
    &["suppressed", "lift"],
    &["backup"],
    &["restore"],
    &["keys"],
    &["keys", "copy"],
    &["log"],
    &["log", "copy"],
    &["rebuild"],
    &["doctor"],
];

/// `UPDATE_DOCS=1` writes `docs/cli.md` anew.
#[test]
fn the_manual_is_what_the_commands_say() {
    let mut manual = String::from(
        "# The command line\n\nWhat every command says of itself; this page is made from `--help`.\n",
    );
    for names in COMMANDS {
        let args: Vec<_> = names.iter().copied().chain(["--help"]).collect();
        let output = run(&args);
        expect(&output, 0);
        let title: Vec<_> = ["tributary"].iter().chain(names).copied().collect();
        let text = stdout(&output);
        let lines: Vec<_> = text.trim().lines().map(str::trim_end).collect();
        manual.push_str(&format!("\n## {}\n\n```text\n{}\n```\n", title.join(" "), lines.join("\n")));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &manual).unwrap();
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    assert!(known == manual, "docs/cli.md is not what the commands say: run this test with UPDATE_DOCS=1");
}

#[test]
fn every_command_is_in_the_manual() {
    let help = stdout(&run(&["--help"]));
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(!names.is_empty(), "{help}");
    for name in names {
        assert!(COMMANDS.iter().any(|known| known.first() == Some(&name)), "{name} is not in the manual");
    }
}
