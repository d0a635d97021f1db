//! The words by which mail programs introduce history, and people and their devices sign: one table a language,
//! a few files of them. All is lower case. A further language, or a further program, is a further word here.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

mod asian;
mod germanic;
mod romance;
mod slavic;

/// What one language says; alternatives stand between `|`.
pub(super) struct Language {
    /// Starts of an attribution (`On Friday, A wrote:`).
    opens: &'static str,
    /// Its verb, where that ends it.
    said: &'static str,
    /// Its verb, or a part of it, where the name follows (`Am Freitag schrieb A:`).
    inside: &'static str,
    /// Names of the sender's line in a block of headers above the history.
    from: &'static str,
    /// Names of its lines that only a mail has: subject, and when it was sent.
    telling: &'static str,
    /// Names of its other lines.
    fields: &'static str,
    /// Between dashes, or before a colon: `-----Original Message-----`.
    separators: &'static str,
    /// What devices and programs add at the end. `…` stands for anything, at one end or at both.
    devices: &'static str,
    /// What people end with, before their name.
    farewells: &'static str,
    /// Starts of the paragraphs that companies append.
    disclaimers: &'static str,
}

const NONE: Language = Language {
    opens: "",
    said: "",
    inside: "",
    from: "",
    telling: "",
    fields: "",
    separators: "",
    devices: "",
    farewells: "",
    disclaimers: "",
};

/// All languages together: who writes in one language may use a program in another.
pub(super) static WORDS: LazyLock<Words> = LazyLock::new(Words::collect);

#[derive(Default)]
pub(super) struct Words {
    opens: Starts<&'static str>,
    said: Vec<&'static str>,
    inside: Vec<&'static str>,
    fields: HashMap<&'static str, Field>,
    separators: HashSet<&'static str>,
    devices: Starts<Shape>,
    farewells: HashSet<&'static str>,
    disclaimers: Starts<&'static str>,
}

/// What the name of a header line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    From,
    /// Only a mail has it.
    Telling,
    Other,
}

/// `start…end`; either may be empty.
struct Shape {
    start: &'static str,
    end: &'static str,
    exact: bool,
}

/// Things that are told by how they start, by their first octet: most lines start like none of them.
struct Starts<T> {
    by_octet: Vec<Vec<T>>,
    /// Those that may start in any way.
    any: Vec<T>,
}

impl<T> Default for Starts<T> {
    fn default() -> Self {
        Starts { by_octet: (0..256).map(|_| Vec::new()).collect(), any: Vec::new() }
    }
}

impl<T> Starts<T> {
    fn add(&mut self, start: &str, what: T) {
        match start.bytes().next() {
            Some(first) => self.by_octet[usize::from(first)].push(what),
            None => self.any.push(what),
        }
    }

    /// What a text may start with.
    fn of(&self, text: &str) -> impl Iterator<Item = &T> {
        let first = text.bytes().next().map(usize::from);
        first.into_iter().flat_map(|first| &self.by_octet[first]).chain(&self.any)
    }
}

impl Words {
    fn collect() -> Self {
        let mut words = Words::default();
        let tables = [germanic::LANGUAGES, romance::LANGUAGES, slavic::LANGUAGES, asian::LANGUAGES];
        for language in tables.into_iter().flatten() {
            each(language.opens).for_each(|word| words.opens.add(word, word));
            words.said.extend(each(language.said));
            words.inside.extend(each(language.inside));
            let fields = [
                (language.fields, Field::Other),
                (language.telling, Field::Telling),
                (language.from, Field::From),
            ];
            for (name, field) in
                fields.into_iter().flat_map(|(names, field)| each(names).map(move |name| (name, field)))
            {
                // Where languages differ, the meaning that says more stays.
                let known = words.fields.entry(name).or_insert(field);
                if *known == Field::Other {
                    *known = field;
                }
            }
            words.separators.extend(each(language.separators));
            for shape in each(language.devices).map(Shape::read) {
                words.devices.add(shape.start, shape);
            }
            words.farewells.extend(each(language.farewells));
            each(language.disclaimers).for_each(|word| words.disclaimers.add(word, word));
        }
        words
    }

    /// Whether a text in lower case starts like an attribution.
    pub(super) fn opens(&self, text: &str) -> bool {
        self.opens.of(text).any(|start| text.starts_with(start))
    }

    /// Whether a text in lower case, without its last punctuation, ends with a verb of writing.
    pub(super) fn ends_said(&self, text: &str) -> bool {
        self.said.iter().any(|verb| {
            text.strip_suffix(verb).is_some_and(|before| is_boundary(before.chars().next_back(), verb))
        })
    }

    /// Whether a text in lower case has a verb of writing somewhere.
    pub(super) fn said_inside(&self, text: &str) -> bool {
        self.inside.iter().any(|verb| {
            text.match_indices(verb).any(|(at, _)| {
                is_boundary(text[..at].chars().next_back(), verb)
                    && is_boundary(text[at + verb.len()..].chars().next(), verb)
            })
        })
    }

    /// What a name before a colon, in lower case, says.
    pub(super) fn field(&self, name: &str) -> Option<Field> {
        self.fields.get(name).copied()
    }

    pub(super) fn is_separator(&self, text: &str) -> bool {
        self.separators.contains(text)
    }

    /// Whether a line in lower case is one that a device adds.
    pub(super) fn is_device(&self, line: &str) -> bool {
        self.devices.of(line).any(|shape| shape.fits(line))
    }

    pub(super) fn is_farewell(&self, line: &str) -> bool {
        self.farewells.contains(line)
    }

    pub(super) fn is_disclaimer(&self, paragraph: &str) -> bool {
        self.disclaimers.of(paragraph).any(|start| paragraph.starts_with(start))
    }
}

impl Shape {
    fn read(pattern: &'static str) -> Self {
        match pattern.split_once('…') {
            Some((start, end)) => Shape { start, end, exact: false },
            None => Shape { start: pattern, end: "", exact: true },
        }
    }

    fn fits(&self, line: &str) -> bool {
        if self.exact {
            return line == self.start;
        }
        line.len() > self.start.len() + self.end.len()
            && line.starts_with(self.start)
            && line.ends_with(self.end.trim_end())
    }
}

fn each(words: &'static str) -> impl Iterator<Item = &'static str> {
    words.split('|').filter(|word| !word.trim().is_empty())
}

/// Whether a word may end beside this letter. Scripts from Thai onwards (U+0E00) put no space between words.
fn is_boundary(beside: Option<char>, word: &str) -> bool {
    word.chars().next().is_some_and(|first| first >= '\u{e00}')
        || beside.is_none_or(|letter| !letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_as_they_are_looked_up() {
        let words = &*WORDS;
        let starts = words.opens.by_octet.iter().chain(&words.disclaimers.by_octet);
        let all = starts.chain([&words.said, &words.inside]);
        let sets = words.separators.iter().chain(&words.farewells).chain(words.fields.keys());
        for word in all.flatten().chain(sets) {
            assert_eq!(word.to_lowercase(), **word, "not lower case");
            assert!(!word.contains("  "), "{word:?} has a gap");
            assert_eq!(word.trim_start(), *word, "{word:?} begins with a space");
        }
    }

    #[test]
    fn a_verb_is_a_word_of_its_own() {
        assert!(WORDS.ends_said("ana wrote") && WORDS.ends_said("ana님이 작성"));
        assert!(!WORDS.ends_said("the typewrote"), "a part of a word");
        assert!(WORDS.said_inside("am 3. märz schrieb ana"));
        assert!(!WORDS.said_inside("am 3. märz schriebst du"));
    }
}
