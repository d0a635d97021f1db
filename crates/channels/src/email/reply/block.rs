//! Lines gathered into blocks: text, quotes, and what introduces history. Blank lines belong to what they follow.

use std::ops::Range;

use super::intro::{Intro, intro};
use super::line::Line;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    Text,
    Quote,
    /// What somebody said follows.
    Attribution,
    /// A whole mail follows.
    Carried,
}

impl Sort {
    pub(super) fn is_intro(self) -> bool {
        matches!(self, Sort::Attribution | Sort::Carried)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) sort: Sort,
    /// Indices of lines.
    pub(super) lines: Range<usize>,
}

/// The blocks of a text, in order and without a gap. `marks` are the places of the text where its markup says that
/// an introduction stands, or, when empty, that history begins.
pub(super) fn blocks(lines: &[Line<'_>], marks: &[Range<usize>]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut at, mut mark_used) = (0, None);
    while at < lines.len() {
        let line = &lines[at];
        if line.is_blank() && !blocks.is_empty() {
            blocks.last_mut().expect("there is one").lines.end = at + 1;
            at += 1;
            continue;
        }
        let marked = marks.iter().find(|mark| mark_used != Some(at) && line.at.contains(&mark.start));
        let marked = marked.map(|mark| Intro {
            end: lines.partition_point(|line| line.at.start < mark.end).max(at),
            carries: mark.is_empty(),
        });
        let quoted = line.is_quoted();
        let found = if quoted { None } else { intro(lines, at) };
        if let Some(intro) = found.max(marked) {
            let start = take_rule(&mut blocks, lines).unwrap_or(at);
            let sort = if intro.carries { Sort::Carried } else { Sort::Attribution };
            blocks.push(Block { sort, lines: start..intro.end });
            // An empty mark leaves its line: history itself.
            mark_used = Some(at);
            at = intro.end;
            continue;
        }
        let last = blocks.last_mut();
        let sort = match &last {
            _ if quoted => Sort::Quote,
            Some(last) if last.sort == Sort::Quote && is_torn_off(lines, at) => Sort::Quote,
            _ => Sort::Text,
        };
        match last {
            Some(last) if last.sort == sort => last.lines.end = at + 1,
            _ => blocks.push(Block { sort, lines: at..at + 1 }),
        }
        at += 1;
    }
    blocks
}

/// A rule above an introduction is a part of it: it is taken from the text that it stands in.
fn take_rule(blocks: &mut Vec<Block>, lines: &[Line<'_>]) -> Option<usize> {
    let last = blocks.last_mut().filter(|last| last.sort == Sort::Text)?;
    let rule =
        last.lines.clone().rev().find(|at| !lines[*at].is_blank()).filter(|at| lines[*at].is_rule())?;
    if rule == last.lines.start {
        blocks.pop();
    } else {
        last.lines.end = rule;
    }
    Some(rule)
}

/// A line between quoted lines that lost its mark: a program broke a long line, or wrote out where a link leads.
fn is_torn_off(lines: &[Line<'_>], at: usize) -> bool {
    let quoted = |at: Option<&Line<'_>>| at.is_some_and(Line::is_quoted);
    if at == 0 || !quoted(lines.get(at - 1)) || !quoted(lines.get(at + 1)) {
        return false;
    }
    let (before, text) = (lines[at - 1].text.trim_end(), lines[at].text.trim());
    let link = text.starts_with(['(', '<', '[']) && text.contains("http")
        || text.starts_with("http") && !text.contains(' ');
    let middle = text.starts_with(char::is_lowercase)
        && !before.ends_with(['.', '?', '!', ':', '>'])
        && before.len() > 55;
    link || middle
}

#[cfg(test)]
mod tests {
    use super::super::line::lines;
    use super::*;

    fn sorts(text: &str) -> Vec<(Sort, Range<usize>)> {
        let lines = lines(text, |_| None);
        blocks(&lines, &[]).into_iter().map(|block| (block.sort, block.lines)).collect()
    }

    #[test]
    fn blocks_follow_one_another() {
        assert_eq!(
            sorts("Hi\n\nOn 3 March 2026, A <a@x.test> wrote:\n\n> b\n\n> c\nd\n"),
            [(Sort::Text, 0..2), (Sort::Attribution, 2..4), (Sort::Quote, 4..7), (Sort::Text, 7..8)]
        );
        assert_eq!(
            sorts("\nHi\n______\nFrom: a@x.test\nSubject: b\n\nc"),
            [(Sort::Text, 0..2), (Sort::Carried, 2..6), (Sort::Text, 6..7)]
        );
    }

    #[test]
    fn lines_that_lost_their_mark_are_still_quoted() {
        let torn = "> a line that is as long as lines are before they are broken by\nprograms\n> and goes on";
        assert_eq!(sorts(torn), [(Sort::Quote, 0..3)]);
        assert_eq!(sorts("> a\n (http://x.test/) >\n> b"), [(Sort::Quote, 0..3)]);
        assert_eq!(sorts("> is it?\nyes\n> good").len(), 3, "an answer is not");
    }

    #[test]
    fn markup_says_where_history_begins() {
        let text = "Hi\nDunno 3.3.:\nold";
        let lines = lines(text, |_| None);
        let at = text.find("Dunno").unwrap();
        let sorts = |mark: Range<usize>| -> Vec<Sort> {
            blocks(&lines, std::slice::from_ref(&mark)).into_iter().map(|block| block.sort).collect()
        };
        assert_eq!(sorts(at..at + 12), [Sort::Text, Sort::Attribution, Sort::Text]);
        assert_eq!(sorts(at..at), [Sort::Text, Sort::Carried, Sort::Text]);
    }
}
