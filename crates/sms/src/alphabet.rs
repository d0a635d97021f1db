//! The GSM 7-bit alphabets: one septet a character, and two for what an escape leads to.

use crate::tables::{ESCAPE, LOCKING, SINGLE};

/// A national language, as a user data header names it (TS 23.038 §6.2.1.2.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Language {
    Turkish = 1,
    Spanish,
    Portuguese,
    Bengali,
    Gujarati,
    Hindi,
    Kannada,
    Malayalam,
    Oriya,
    Punjabi,
    Tamil,
    Telugu,
    Urdu,
}

impl Language {
    pub const ALL: [Language; 13] = [
        Language::Turkish,
        Language::Spanish,
        Language::Portuguese,
        Language::Bengali,
        Language::Gujarati,
        Language::Hindi,
        Language::Kannada,
        Language::Malayalam,
        Language::Oriya,
        Language::Punjabi,
        Language::Tamil,
        Language::Telugu,
        Language::Urdu,
    ];

    /// None for 0, which is the default alphabet, and for what is reserved.
    pub fn of(code: u8) -> Option<Language> {
        Language::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    pub fn code(self) -> u8 {
        self as u8
    }

    /// By its English name in lower case, as in `turkish`.
    pub fn named(name: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| format!("{language:?}").eq_ignore_ascii_case(name))
    }
}

/// Which tables septets are written in. The default is the default alphabet with its extension.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Alphabet {
    /// Replaces the default alphabet.
    pub locking: Option<Language>,
    /// Replaces the extension.
    pub single: Option<Language>,
}

impl Alphabet {
    /// Septets that the character takes: one or two; none where the tables do not hold it.
    pub fn septets(self, c: char) -> Option<usize> {
        self.place(c).map(|(escaped, _)| if escaped { 2 } else { 1 })
    }

    /// The text, one septet an octet.
    ///
    /// # Errors
    /// With the first character that the tables do not hold.
    pub fn write(self, text: &str) -> Result<Vec<u8>, char> {
        let mut septets = Vec::with_capacity(text.len());
        for c in text.chars() {
            let (escaped, place) = self.place(c).ok_or(c)?;
            if escaped {
                septets.push(ESCAPE);
            }
            septets.push(place);
        }
        Ok(septets)
    }

    /// What the septets say, one an octet; the highest bit is ignored. An escape that leads nowhere shows the character
    /// that would be there without it, as TS 23.038 wants; a place that holds nothing, and an escape at the end, a space.
    pub fn read(self, septets: &[u8]) -> String {
        let mut text = String::with_capacity(septets.len());
        let mut septets = septets.iter().map(|octet| octet & 0x7f);
        while let Some(septet) = septets.next() {
            let shown = match septet {
                ESCAPE => septets.next().and_then(|next| self.shifted(next).or_else(|| self.plain(next))),
                septet => self.plain(septet),
            };
            text.push(shown.unwrap_or(' '));
        }
        text
    }

    fn place(self, c: char) -> Option<(bool, u8)> {
        let locking = LOCKING[code(self.locking)].as_ref().or(LOCKING[0].as_ref())?;
        let plain = locking.places.get(&c).map(|place| (false, *place));
        plain.or_else(|| SINGLE[code(self.single)].places.get(&c).map(|place| (true, *place)))
    }

    fn plain(self, septet: u8) -> Option<char> {
        let locking = LOCKING[code(self.locking)].as_ref().or(LOCKING[0].as_ref())?;
        locking.chars[usize::from(septet)]
    }

    fn shifted(self, septet: u8) -> Option<char> {
        SINGLE[code(self.single)].chars[usize::from(septet)]
    }
}

fn code(language: Option<Language>) -> usize {
    language.map_or(0, |language| usize::from(language.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default one, and every pair of tables.
    fn alphabets() -> impl Iterator<Item = Alphabet> {
        let each = || std::iter::once(None).chain(Language::ALL.map(Some));
        each().flat_map(move |locking| each().map(move |single| Alphabet { locking, single }))
    }

    #[test]
    fn every_character_of_every_alphabet_goes_both_ways() {
        for alphabet in alphabets() {
            for septet in (0..128).filter(|septet| *septet != ESCAPE) {
                for (c, septets) in
                    [(alphabet.plain(septet), vec![septet]), (alphabet.shifted(septet), vec![ESCAPE, septet])]
                {
                    let Some(c) = c else { continue };
                    assert_eq!(alphabet.read(&septets), c.to_string(), "{alphabet:?} {septets:x?}");
                    let written = alphabet.write(&c.to_string()).unwrap();
                    assert_eq!(alphabet.read(&written), c.to_string(), "{alphabet:?} {c}");
                    assert_eq!(alphabet.septets(c), Some(written.len()));
                }
            }
        }
    }

    #[test]
    fn the_default_alphabet_is_the_published_one() {
        let all: Vec<u8> = (0..128).filter(|septet| *septet != ESCAPE).collect();
        let published = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                         ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
        assert_eq!(Alphabet::default().read(&all), published);
        assert_eq!(Alphabet::default().write(published).unwrap(), all);
        for c in "^{}\\[~]|€\u{c}".chars() {
            assert_eq!(Alphabet::default().septets(c), Some(2), "{c}");
        }
        assert_eq!(Alphabet::default().write("naïve"), Err('ï'));
    }

    /// A few places of each national table, from annex A.
    #[test]
    fn national_tables_are_the_published_ones() {
        use Language::*;
        for (language, text, septets) in [
            (Turkish, "ğışİ", vec![0x0c, 0x07, 0x1d, 0x40]),
            (Portuguese, "ãõÀ∞", vec![0x7b, 0x7c, 0x14, 0x15]),
            (Bengali, "অৎক", vec![0x03, 0x60, 0x15]),
            (Gujarati, "ક૱", vec![0x15, 0x7f]),
            (Hindi, "नमस्ते।", vec![0x2f, 0x42, 0x4c, 0x5f, 0x27, 0x59, 0x1b, 0x19]),
            (Kannada, "ಕೣ", vec![0x15, 0x7f]),
            (Malayalam, "കൗ", vec![0x15, 0x60]),
            (Oriya, "କ୍", vec![0x15, 0x5f]),
            (Punjabi, "ਕੴ", vec![0x15, 0x7f]),
            (Tamil, "கனௐ", vec![0x15, 0x3c, 0x60]),
            (Telugu, "కౣ", vec![0x15, 0x7f]),
            (Urdu, "اےژ", vec![0x00, 0x5b, 0x2f]),
        ] {
            let alphabet = Alphabet { locking: Some(language), single: Some(language) };
            assert_eq!(alphabet.write(text).as_ref(), Ok(&septets), "{language:?} {text}");
            assert_eq!(alphabet.read(&septets), text, "{language:?}");
        }
        let spanish = Alphabet { locking: None, single: Some(Spanish) };
        assert_eq!(spanish.write("aquí").unwrap(), [b'a', b'q', b'u', ESCAPE, b'i']);
    }

    #[test]
    fn what_leads_nowhere_is_still_shown() {
        let alphabet = Alphabet::default();
        assert_eq!(alphabet.read(&[ESCAPE, b'a']), "a");
        assert_eq!(alphabet.read(&[b'x', ESCAPE]), "x ");
        assert_eq!(alphabet.read(&[ESCAPE, ESCAPE]), " ");
        assert_eq!(alphabet.read(&[0xc1]), "A");
        assert_eq!(Alphabet { locking: Some(Language::Tamil), single: None }.read(&[0x16]), " ");
    }

    #[test]
    fn languages_have_names_and_codes() {
        for language in Language::ALL {
            assert_eq!(Language::of(language.code()), Some(language));
            assert_eq!(Language::named(&format!("{language:?}").to_lowercase()), Some(language));
        }
        assert_eq!(Language::of(0), None);
        assert_eq!(Language::of(14), None);
        assert_eq!(Language::of(255), None);
    }
}
