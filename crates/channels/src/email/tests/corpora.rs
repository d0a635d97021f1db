//! Real mail that nobody here wrote, read by a connector that knows nothing of it. Prints the share that is read
//! as expected, per source, and fails below a floor. Without the corpora it says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::email::{html, normalize, reply};
use crate::{Fact, FactKind};

fn corpora() -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora/email");
    let found = PathBuf::from(root).canonicalize().ok();
    if found.is_none() {
        say("SKIPPED: ../shared/corpora/email is not there, so no real mail was read");
    }
    found
}

#[allow(clippy::print_stderr)]
fn say(line: &str) {
    eprintln!("{line}");
}

fn cases(root: &std::path::Path, name: &str) -> Vec<Value> {
    let lines = fs::read_to_string(root.join(name)).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Right and all, per source.
#[derive(Default)]
struct Score(BTreeMap<String, (usize, usize)>);

impl Score {
    fn count(&mut self, source: &Value, right: bool) {
        let (good, all) = self.0.entry(source.as_str().unwrap_or("?").to_owned()).or_default();
        (*good, *all) = (*good + usize::from(right), *all + 1);
    }

    fn assert_at_least(&self, what: &str, percent: usize) {
        let (mut good, mut all) = (0, 0);
        for (source, (right, of)) in &self.0 {
            say(&format!("{what}: {right} of {of} from {source}"));
            (good, all) = (good + right, all + of);
        }
        assert!(good * 100 >= all * percent, "{what}: {good} of {all} is below {percent} %");
    }
}

fn read(raw: &[u8]) -> Option<Fact> {
    Some(normalize(Some("email"), raw, None).ok()?.remove(0))
}

fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn headers_and_bodies_are_read() {
    let Some(root) = corpora() else { return };
    let mut score = Score::default();
    for case in cases(&root, "parse.jsonl") {
        let raw = fs::read(root.join(case["file"].as_str().unwrap())).unwrap();
        let expected = &case["expected"];
        let mail = read(&raw).and_then(|fact| fact.mail).unwrap_or_default();
        let list = |name: &str| -> Vec<String> {
            let values = expected[name].as_array().into_iter().flatten();
            values.filter_map(|value| Some(value.as_str()?.to_lowercase())).collect()
        };
        let subject = dense(mail.subject.as_deref().unwrap_or_default());
        let body = dense(mail.body.as_deref().unwrap_or_default());
        let wrong: Vec<&str> = [
            ("subject", subject == dense(expected["subject"].as_str().unwrap_or_default())),
            ("from", mail.from.as_ref() == list("from").first()),
            ("to", mail.to == list("to")),
            ("body", expected["text_head"].as_str().is_none_or(|head| body.starts_with(&dense(head)))),
        ]
        .into_iter()
        .filter_map(|(name, right)| (!right).then_some(name))
        .collect();
        if !wrong.is_empty() {
            say(&format!(
                "parse: {} differs in {wrong:?}: {:?} {:?} {:?}",
                case["id"], mail.subject, mail.from, mail.to
            ));
        }
        score.count(&case["source"], wrong.is_empty());
    }
    score.assert_at_least("parse", 86);
}

#[test]
fn new_parts_are_found() {
    let Some(root) = corpora() else { return };
    let mut score = Score::default();
    for case in cases(&root, "reply.jsonl") {
        let (Some(expected), format) = (case["expected_reply"].as_str(), &case["format"]) else { continue };
        let input = match case["input"].as_str() {
            Some(input) => input.as_bytes().to_vec(),
            None => fs::read(root.join(case["file"].as_str().unwrap())).unwrap(),
        };
        let found = match format.as_str() {
            Some("eml") => read(&input).and_then(|fact| fact.text).unwrap_or_default(),
            Some("html") => reply::new_part(&html::to_text(&String::from_utf8_lossy(&input))),
            _ => reply::new_part(&String::from_utf8_lossy(&input)),
        };
        let right = dense(&found) == dense(expected);
        if !right {
            say(&format!("reply: {} gives {found:?}", case["id"]));
        }
        score.count(&case["source"], right);
    }
    score.assert_at_least("reply", 82);
}

#[test]
fn mail_from_machines_is_told_apart() {
    let Some(root) = corpora() else { return };
    let mut score = Score::default();
    for case in cases(&root, "bounce.jsonl") {
        let raw = fs::read(root.join(case["file"].as_str().unwrap())).unwrap();
        let found = read(&raw).map(|fact| fact.kind);
        let right = match case["kind"].as_str() {
            Some("bounce") => found == Some(FactKind::Bounce),
            Some("feedback") => found == Some(FactKind::Complaint),
            Some("vacation") => found == Some(FactKind::AutoReply),
            _ => found == Some(FactKind::Message),
        };
        score.count(&case["kind"], right);
    }
    score.assert_at_least("machines", 76);
}
