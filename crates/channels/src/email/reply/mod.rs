//! The parts of a reply: what is new in it, and what is quoted, signed or carried along.
//!
//! ```text
//! text ─▶ line ─▶ block (intro, words) ─▶ this grammar, signature ─▶ parts
//! ```
//!
//! Lines are gathered into blocks of text, of quotes, and of what introduces history. Then few rules say what is new:
//!
//! - An introduction with quotes below: these are folded, and the answer may stand above, below or between them.
//! - An introduction without quotes below: all that follows is history, if there is anything new above. If not, a mail
//!   was passed on, and is what is new.
//! - Quotes with an answer below stay beside it, unless an introduction says that they are the whole mail.
//! - Quotes right above an introduction were chosen by the sender, and stay.
//! - A signature ends the text that it stands in.
//! - Something always remains: where nothing would be new, everything is.
//!
//! Nothing is cut: the parts together are the text. An unsure case keeps more rather than less.

use std::ops::Range;

use block::{Block, Sort};
use line::Line;
use signature::Tail;

mod block;
mod intro;
mod line;
mod signature;
#[cfg(test)]
mod tests;
mod words;

/// What a part of a message is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PartKind {
    /// What the sender wrote.
    New,
    /// Quoted lines that the sender answers, or chose to show.
    Answered,
    /// Quoted lines, and what introduces them.
    Quote,
    /// An earlier message that follows unquoted, to the end.
    History,
    Signature,
    /// A legal notice that a company appends.
    Notice,
}

impl PartKind {
    /// Whether a reader wants to see it at once.
    pub fn is_shown(self) -> bool {
        matches!(self, PartKind::New | PartKind::Answered)
    }
}

/// A piece of a message's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    pub kind: PartKind,
    pub text: &'a str,
}

/// The parts of a message's readable text, in order; put together they are the text.
pub fn parts(body: &str) -> Vec<Part<'_>> {
    parts_between(body, &[])
}

/// The same where markup says in which places history is introduced.
pub(super) fn parts_between<'a>(body: &'a str, marks: &[Range<usize>]) -> Vec<Part<'a>> {
    let lines = line::lines(body, intro::split_within);
    let blocks = block::blocks(&lines, marks);
    let tails: Vec<Option<Tail>> = blocks
        .iter()
        .map(|block| (block.sort == Sort::Text).then(|| signature::tail(&lines, block.lines.clone())))
        .collect();
    // Whether a block says anything apart from a signature.
    let says = blocks.iter().zip(&tails).map(|(block, tail)| {
        tail.as_ref().is_some_and(|tail| is_filled(&lines[block.lines.start..tail.signature]))
    });
    let mut pieces: Vec<(PartKind, Range<usize>)> = Vec::new();
    for ((block, kind), tail) in blocks.iter().zip(kinds(&blocks, &says.collect::<Vec<_>>())).zip(&tails) {
        if let (PartKind::New, Some(tail)) = (kind, tail) {
            pieces.push((PartKind::New, block.lines.start..tail.signature));
            pieces.push((PartKind::Signature, tail.signature..tail.notice));
            pieces.push((PartKind::Notice, tail.notice..block.lines.end));
        } else {
            pieces.push((kind, block.lines.clone()));
        }
    }
    let says =
        |(kind, at): &(PartKind, Range<usize>)| *kind == PartKind::New && is_filled(&lines[at.clone()]);
    if !pieces.iter().any(says) {
        return Some(Part { kind: PartKind::New, text: body })
            .filter(|_| !body.is_empty())
            .into_iter()
            .collect();
    }
    let mut parts: Vec<(PartKind, Range<usize>)> = Vec::new();
    for (kind, at) in pieces.into_iter().filter(|(_, at)| !at.is_empty()) {
        let at = lines[at.start].at.start..lines[at.end - 1].at.end;
        match parts.last_mut() {
            Some((last, before)) if *last == kind => before.end = at.end,
            _ => parts.push((kind, at)),
        }
    }
    parts.into_iter().map(|(kind, at)| Part { kind, text: &body[at] }).collect()
}

/// What is shown of a message first. Blank only if its text is.
pub(super) fn new_part(body: &str, marks: &[Range<usize>]) -> String {
    let mut shown = String::new();
    let mut folded = false;
    for part in parts_between(body, marks) {
        if !part.kind.is_shown() {
            folded = true;
            continue;
        }
        if std::mem::take(&mut folded) && !shown.is_empty() {
            shown.truncate(shown.trim_end().len());
            shown.push_str("\n\n");
            shown.push_str(part.text.trim_start_matches(['\r', '\n']));
        } else {
            shown.push_str(part.text);
        }
    }
    let shown = if shown.contains('\r') { shown.replace("\r\n", "\n") } else { shown };
    shown.trim_matches('\n').trim_end().to_owned()
}

/// The grammar: what each block is, its signature included. `filled` are the blocks of text that say something.
fn kinds(blocks: &[Block], filled: &[bool]) -> Vec<PartKind> {
    let mut kinds = vec![PartKind::New; blocks.len()];
    let sort = |at: usize| blocks.get(at).map(|block| block.sort);
    let mut end = blocks.len();
    for at in (0..blocks.len()).filter(|at| blocks[*at].sort.is_intro()) {
        let above = filled[..at].contains(&true);
        if sort(at + 1) == Some(Sort::Quote) || !above && blocks[at].sort == Sort::Attribution {
            // Without anything above, the answer stands below; some programs do not mark what they quote there.
            kinds[at] = PartKind::Quote;
        } else {
            // Passed on without a word: all of it is what is new.
            if above {
                kinds[at..].fill(PartKind::History);
            }
            end = at;
            break;
        }
    }
    for at in (0..end).filter(|at| blocks[*at].sort == Sort::Quote) {
        let answered = at + 1 < end && filled[at + 1];
        let introduced = at > 0 && blocks[at - 1].sort.is_intro();
        // More quotes below the answer: answered piece by piece.
        let interleaved = sort(at + 2) == Some(Sort::Quote) && at + 2 < end;
        // What history follows, with an introduction of its own, is quoted by whoever wrote the text above.
        let chosen = at > 0 && filled[at - 1] && sort(at + 1).is_some_and(Sort::is_intro);
        let shown = if introduced { answered && interleaved } else { answered || chosen };
        kinds[at] = if shown { PartKind::Answered } else { PartKind::Quote };
    }
    kinds
}

fn is_filled(lines: &[Line<'_>]) -> bool {
    !lines.iter().all(Line::is_blank)
}
