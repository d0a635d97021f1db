//! Real mail that nobody here wrote, read by a connector that knows nothing of it. Prints the share that is read
//! as expected, per source, and fails below a floor. Without the corpora it says so and passes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

fn cases(root: &Path, name: &str) -> Vec<Value> {
    let lines = fs::read_to_string(root.join(name)).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Right and all, per source or kind.
struct Score {
    what: &'static str,
    counts: BTreeMap<String, (usize, usize)>,
}

impl Score {
    fn of(what: &'static str) -> Self {
        Score { what, counts: BTreeMap::new() }
    }

    fn count(&mut self, source: &str, right: bool) {
        let (good, all) = self.counts.entry(source.to_owned()).or_default();
        (*good, *all) = (*good + usize::from(right), *all + 1);
    }

    /// `missed` is what may go wrong: what goes wrong today.
    fn assert_misses_at_most(&self, missed: usize) {
        let (mut good, mut all) = (0, 0);
        for (source, (right, of)) in &self.counts {
            say(&format!("score {}: {right} of {of} from {source}", self.what));
            (good, all) = (good + right, all + of);
        }
        say(&format!("score {}: {good} of {all}, {:.1} %", self.what, good as f64 * 100.0 / all as f64));
        assert!(all - good <= missed, "{}: {good} of {all} is below the floor", self.what);
    }
}

fn read(raw: &[u8]) -> Option<Fact> {
    Some(normalize(Some("email"), raw, None).ok()?.remove(0))
}

fn dense(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Whether a reading is the expected one. Where the reference gave up on octets in no named character set, it
/// wrote U+FFFD for each of them; any letters there are a better reading.
fn fits(found: &str, expected: &str) -> bool {
    let (found, expected) = (dense(found), dense(expected));
    let mut rest = found.as_str();
    let mut pieces = expected.split('\u{fffd}');
    let Some(after) = pieces.next().and_then(|first| rest.strip_prefix(first)) else { return false };
    rest = after;
    let mut pieces = pieces.filter(|piece| !piece.is_empty()).peekable();
    if pieces.peek().is_none() {
        return expected.contains('\u{fffd}') || rest.is_empty();
    }
    pieces.all(|piece| match rest.find(piece) {
        Some(at) if rest[..at].chars().count() <= 8 => {
            rest = &rest[at + piece.len()..];
            true
        }
        _ => false,
    })
}

#[test]
fn headers_and_bodies_are_read() {
    let Some(root) = corpora() else { return };
    let mut score = Score::of("parse");
    for case in cases(&root, "parse.jsonl") {
        let raw = fs::read(root.join(case["file"].as_str().unwrap())).unwrap();
        let expected = &case["expected"];
        let mail = read(&raw).and_then(|fact| fact.mail).unwrap_or_default();
        let list = |name: &str| -> Vec<String> {
            let values = expected[name].as_array().into_iter().flatten();
            values.filter_map(|value| Some(value.as_str()?.to_lowercase())).collect()
        };
        let body = mail.body.as_deref().unwrap_or_default();
        let head = |head: &str| {
            let length = dense(head).chars().count();
            fits(&dense(body).chars().take(length).collect::<String>(), head)
        };
        let wrong: Vec<&str> = [
            (
                "subject",
                fits(
                    mail.subject.as_deref().unwrap_or_default(),
                    expected["subject"].as_str().unwrap_or_default(),
                ),
            ),
            ("from", mail.from.as_ref() == list("from").first()),
            ("to", mail.to == list("to")),
            ("body", expected["text_head"].as_str().is_none_or(head)),
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
        score.count(case["source"].as_str().unwrap(), wrong.is_empty());
    }
    score.assert_misses_at_most(2);
}

#[test]
fn new_parts_are_found() {
    let Some(root) = corpora() else { return };
    let (mut score, mut signed) = (Score::of("reply"), Score::of("reply, signature kept"));
    for case in cases(&root, "reply.jsonl") {
        let input = match case["input"].as_str() {
            Some(input) => input.as_bytes().to_vec(),
            None => fs::read(root.join(case["file"].as_str().unwrap())).unwrap(),
        };
        let page = |html: &str| {
            let readable = html::read(html);
            (readable.text, readable.marks)
        };
        let text = String::from_utf8_lossy(&input);
        let (body, marks) = match case["format"].as_str() {
            Some("eml") => (read(&input).and_then(|fact| fact.mail?.body).unwrap_or_default(), Vec::new()),
            Some("html") => page(&text),
            _ => (text.into_owned(), Vec::new()),
        };
        // An expected page is compared as the text that it shows.
        let expected = match (case["expected_reply"].as_str(), case["expected_html"].as_str()) {
            (Some(reply), _) => reply.to_owned(),
            (None, Some(html)) => page(html).0,
            _ => continue,
        };
        let found = reply::new_part(&body, &marks);
        let right = dense(&found) == dense(&expected);
        if !right {
            say(&format!("reply: {} gives {found:?}", case["id"]));
        }
        let source = format!("{} {}", case["source"].as_str().unwrap(), case["format"].as_str().unwrap());
        score.count(&source, right);
        let shown: String = reply::parts_between(&body, &marks)
            .iter()
            .filter(|part| part.kind.is_shown() || part.kind == reply::PartKind::Signature)
            .map(|part| part.text)
            .collect();
        signed.count(&source, right || dense(&shown) == dense(&expected));
    }
    score.assert_misses_at_most(5);
    signed.assert_misses_at_most(2);
}

#[test]
fn mail_from_machines_is_told_apart() {
    let Some(root) = corpora() else { return };
    let (mut kinds, mut hard) = (Score::of("machines"), Score::of("hard or soft"));
    let (mut status, mut class) = (Score::of("status"), Score::of("class of derived status"));
    for case in cases(&root, "bounce.jsonl") {
        let raw = fs::read(root.join(case["file"].as_str().unwrap())).unwrap();
        let fact = read(&raw);
        let found = fact.as_ref().map(|fact| fact.kind);
        let kind = case["kind"].as_str().unwrap();
        let right = found
            == Some(match kind {
                "bounce" => FactKind::Bounce,
                "feedback" => FactKind::Complaint,
                "vacation" => FactKind::AutoReply,
                _ => FactKind::Message,
            });
        if !right {
            say(&format!("machines: {} is {kind}, read as {found:?}", case["id"]));
        }
        kinds.count(kind, right);
        let Some(expected) = case["expected"].as_array().filter(|_| kind == "bounce") else { continue };
        let bounced = fact.and_then(|fact| fact.mail).map(|mail| mail.bounced).unwrap_or_default();
        let engine = case["engine"].as_str().unwrap_or("?").split('-').next().unwrap();
        for (at, one) in expected.iter().enumerate() {
            let found = bounced.get(at);
            let is = (found.is_some_and(|found| found.hard), found.map_or("", |found| &found.status));
            let dsn = one["dsn"].as_str().unwrap();
            let right = one["hard"].as_bool() == Some(is.0);
            // `5.0.9xx` are the reference's own codes, for reports that give none.
            let derived = dsn.split('.').nth(2).is_some_and(|detail| {
                detail.len() == 3 && detail.starts_with('9') && dsn[1..].starts_with(".0.")
            });
            let same = if derived { dsn[..1] == is.1[..is.1.len().min(1)] } else { dsn == is.1 };
            if !right || !same {
                let words = found.map(|found| (&found.cause, &found.diagnostic, &found.address));
                say(&format!(
                    "bounce: {} #{at} is {dsn} {} {}, read as {is:?} {words:?}",
                    case["id"], one["hard"], one["reason"]
                ));
            }
            hard.count(engine, right);
            if derived { class.count(engine, same) } else { status.count(engine, same) }
        }
    }
    kinds.assert_misses_at_most(0);
    hard.assert_misses_at_most(17);
    status.assert_misses_at_most(2);
    class.assert_misses_at_most(2);
}
