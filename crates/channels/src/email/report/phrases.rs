//! Many phrases looked for in one text, in one pass over it.

/// Places for phrases by their first two octets.
const PLACES: usize = 1024;

/// Phrases, each with what it stands for. Of several in a text the first of the table counts.
pub(super) struct Phrases<T: 'static> {
    places: Vec<Vec<usize>>,
    all: Vec<(&'static str, T)>,
}

impl<T: Copy> Phrases<T> {
    /// A table of meanings with their phrases, between `|`, each of at least two octets.
    pub(super) fn new(table: &[(T, &'static str)]) -> Self {
        let mut phrases = Phrases { places: vec![Vec::new(); PLACES], all: Vec::new() };
        for (meaning, words) in table {
            for phrase in words.split('|').filter(|phrase| phrase.len() >= 2) {
                phrases.places[place(phrase.as_bytes())].push(phrases.all.len());
                phrases.all.push((phrase, *meaning));
            }
        }
        phrases
    }

    /// What a text, in lower case, says.
    pub(super) fn said(&self, text: &str) -> Option<T> {
        let bytes = text.as_bytes();
        let mut best = usize::MAX;
        for at in 0..bytes.len().saturating_sub(1) {
            for candidate in &self.places[place(&bytes[at..])] {
                if *candidate < best && bytes[at..].starts_with(self.all[*candidate].0.as_bytes()) {
                    best = *candidate;
                }
            }
        }
        self.all.get(best).map(|(_, meaning)| *meaning)
    }
}

fn place(start: &[u8]) -> usize {
    (usize::from(start[0]) * 37 + usize::from(start[1])) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_table_counts() {
        let phrases = Phrases::new(&[(1, "user unknown|no such user"), (2, "unknown|é!")]);
        assert_eq!(phrases.said("an unknown thing: no such user"), Some(1));
        assert_eq!(phrases.said("unknown"), Some(2));
        assert_eq!(phrases.said("é!"), Some(2));
        assert_eq!(phrases.said("u"), None);
        assert_eq!(phrases.said(""), None);
    }
}
