//! How a text is cut into short messages: the encoding that takes the fewest, and what stands in each.
//!
//! A short message has 140 octets. One that is a part gives some to its header; so does one in a national alphabet.

use std::{collections::BTreeMap, ops::Range};

use unicode_segmentation::UnicodeSegmentation as _;

use crate::{Alphabet, Concatenation, Header, Language};

const OCTETS: usize = 140;
/// As many parts as a header can tell apart.
const MOST: usize = 255;

/// What the way out can carry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// National alphabets that may be used where the default one does not do. Not every handset has them.
    pub languages: Vec<Language>,
    /// Latin-1 instead of the GSM alphabet.
    pub latin1: bool,
    /// References of 16 bits, which take an octet more.
    pub wide: bool,
}

impl Options {
    /// As an inbox's settings `alphabet` (what the message centre takes for its default) and `national` say.
    ///
    /// # Errors
    /// The setting that cannot be, and why.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Options, (&'static str, String)> {
        let latin1 = match settings.get("alphabet").map(String::as_str) {
            None | Some("gsm7") => false,
            Some("latin1") => true,
            Some(_) => return Err(("alphabet", "it is `gsm7` or `latin1`".to_owned())),
        };
        let national = settings.get("national").map_or("", String::as_str).split(',').map(str::trim);
        let languages = national.filter(|name| !name.is_empty()).map(|name| {
            Language::named(name).ok_or_else(|| {
                let names: Vec<_> = Language::ALL.iter().map(|it| format!("{it:?}").to_lowercase()).collect();
                let there_are = names.join(", ");
                ("national", format!("there is no alphabet of {name:?}; there are {there_are}"))
            })
        });
        Ok(Options { languages: languages.collect::<Result<_, _>>()?, latin1, wide: false })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    Gsm7(Alphabet),
    Latin1,
    /// UTF-16.
    Ucs2,
}

/// A text as the short messages it takes. Put together the segments are the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    pub encoding: Encoding,
    /// At least one.
    pub segments: Vec<&'a str>,
    wide: bool,
}

/// What a text takes, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    pub encoding: Encoding,
    pub segments: usize,
    /// Septets, octets or UTF-16 units of the text.
    pub units: usize,
    /// That many more go into the last segment.
    pub left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the text takes {segments} short messages; {MOST} are the most that one can be sent in")]
pub struct TooLong {
    pub segments: usize,
}

impl Options {
    /// The plan with the fewest segments. National alphabets are used only where they save some.
    ///
    /// # Errors
    /// [`TooLong`] for more than 255.
    pub fn plan<'a>(&self, text: &'a str) -> Result<Plan<'a>, TooLong> {
        let plan = self.shortest(text);
        match plan.segments.len() {
            segments if segments > MOST => Err(TooLong { segments }),
            _ => Ok(plan),
        }
    }

    /// What [`Options::plan`] would take, however much that is.
    pub fn count(&self, text: &str) -> Count {
        let Plan { encoding, segments, .. } = self.shortest(text);
        let last = segments.last().map_or(0, |last| encoding.units(last));
        let room = encoding.room(segments.len() > 1, self.wide);
        Count {
            encoding,
            segments: segments.len(),
            units: encoding.units(text),
            left: room.saturating_sub(last),
        }
    }

    fn shortest<'a>(&self, text: &'a str) -> Plan<'a> {
        let plain = if self.latin1 { Encoding::Latin1 } else { Encoding::Gsm7(Alphabet::default()) };
        if plain.holds(text) {
            return plain.plan(text, self.wide);
        }
        let ucs2 = Encoding::Ucs2.plan(text, self.wide);
        let national = || {
            let languages = self.languages.iter().copied();
            languages.flat_map(|language| {
                [(Some(language), None), (None, Some(language)), (Some(language), Some(language))]
                    .map(|(locking, single)| Encoding::Gsm7(Alphabet { locking, single }))
            })
        };
        let fitting = national().filter(|encoding| !self.latin1 && encoding.holds(text));
        let best =
            fitting.map(|encoding| encoding.plan(text, self.wide)).min_by_key(|plan| plan.segments.len());
        best.filter(|best| best.segments.len() < ucs2.segments.len()).unwrap_or(ucs2)
    }
}

impl Encoding {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gsm7(_) => "GSM-7",
            Encoding::Latin1 => "Latin-1",
            Encoding::Ucs2 => "UCS-2",
        }
    }

    fn holds(self, text: &str) -> bool {
        text.chars().all(|c| match self {
            Encoding::Gsm7(alphabet) => alphabet.septets(c).is_some(),
            Encoding::Latin1 => u32::from(c) < 0x100,
            Encoding::Ucs2 => true,
        })
    }

    fn units(self, text: &str) -> usize {
        match self {
            Encoding::Gsm7(alphabet) => text.chars().filter_map(|c| alphabet.septets(c)).sum(),
            Encoding::Latin1 => text.chars().count(),
            Encoding::Ucs2 => text.encode_utf16().count(),
        }
    }

    /// Units that go into one short message, be it a part or whole.
    fn room(self, is_part: bool, wide: bool) -> usize {
        let part = Concatenation::new(0, wide, 1, 1).filter(|_| is_part);
        let free = OCTETS - self.header(part).write().len();
        match self {
            Encoding::Gsm7(_) => free * 8 / 7,
            Encoding::Latin1 => free,
            Encoding::Ucs2 => free / 2,
        }
    }

    fn header(self, concatenation: Option<Concatenation>) -> Header {
        let alphabet = match self {
            Encoding::Gsm7(alphabet) => alphabet,
            Encoding::Latin1 | Encoding::Ucs2 => Alphabet::default(),
        };
        Header { concatenation, locking: alphabet.locking, single: alphabet.single, port: None }
    }

    fn plan(self, text: &str, wide: bool) -> Plan<'_> {
        let segments = match self.units(text) <= self.room(false, wide) {
            true => vec![text],
            false => cut(text, self, self.room(true, wide)),
        };
        Plan { encoding: self, segments, wide }
    }

    /// A segment's octets; septets one an octet. What the encoding does not hold becomes `?`.
    fn octets(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Gsm7(alphabet) => {
                let shown = |c| if alphabet.septets(c).is_some() { c } else { '?' };
                alphabet.write(&text.chars().map(shown).collect::<String>()).unwrap_or_default()
            }
            Encoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Encoding::Ucs2 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

impl Plan<'_> {
    /// The `data_coding` of SMPP that goes with the octets.
    pub fn data_coding(&self) -> u8 {
        match self.encoding {
            Encoding::Gsm7(_) => 0,
            Encoding::Latin1 => 3,
            Encoding::Ucs2 => 8,
        }
    }

    /// Each segment's header and its octets behind it. The header is empty for a text that needs none.
    pub fn octets(&self, reference: u16) -> impl Iterator<Item = (Header, Vec<u8>)> {
        let total = self.segments.len();
        let reference = if self.wide { reference } else { reference & 0xff };
        self.segments.iter().zip(1..).map(move |(segment, number)| {
            let part = u8::try_from(total).ok().and_then(|total| {
                Concatenation::new(reference, self.wide, total, number).filter(|_| total > 1)
            });
            (self.encoding.header(part), self.encoding.octets(segment))
        })
    }
}

/// Cuts between characters that a reader sees as one (grapheme clusters), and not within links, as long as either goes
/// into one segment at all.
fn cut(text: &str, encoding: Encoding, room: usize) -> Vec<&str> {
    let mut cutter = Cutter { text, encoding, room, begin: 0, used: 0, segments: Vec::new() };
    let mut at = 0;
    for link in links(text) {
        cutter.clusters(at..link.start);
        at = link.end;
        if encoding.units(&text[link.clone()]) <= room { cutter.add(link) } else { cutter.clusters(link) }
    }
    cutter.clusters(at..text.len());
    cutter.segments.push(&text[cutter.begin..]);
    cutter.segments
}

struct Cutter<'a> {
    text: &'a str,
    encoding: Encoding,
    room: usize,
    /// Where the segment under construction begins, and how many units it has.
    begin: usize,
    used: usize,
    segments: Vec<&'a str>,
}

impl Cutter<'_> {
    fn clusters(&mut self, range: Range<usize>) {
        let text = self.text;
        for (at, cluster) in text[range.clone()].grapheme_indices(true) {
            let at = range.start + at;
            if self.encoding.units(cluster) <= self.room {
                self.add(at..at + cluster.len());
            } else {
                cluster
                    .char_indices()
                    .for_each(|(within, c)| self.add(at + within..at + within + c.len_utf8()));
            }
        }
    }

    /// Adds what stays together.
    fn add(&mut self, range: Range<usize>) {
        let units = self.encoding.units(&self.text[range.clone()]);
        if self.used + units > self.room {
            self.segments.push(&self.text[self.begin..range.start]);
            (self.begin, self.used) = (range.start, 0);
        }
        self.used += units;
    }
}

/// Where links stand: words that begin as one does, without the punctuation behind them.
fn links(text: &str) -> impl Iterator<Item = Range<usize>> {
    let begins = |word: &str| ["https://", "http://", "www."].iter().any(|begin| word.starts_with(begin));
    text.split_whitespace().filter_map(move |word| {
        let word = word
            .trim_start_matches(['(', '<', '"', '\''])
            .trim_end_matches(['.', ',', ')', '>', '"', '\'', '!', '?']);
        begins(word).then(|| {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            start..start + word.len()
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Body, Coding};

    fn count(text: &str) -> (&'static str, usize, usize) {
        let Count { encoding, segments, left, .. } = Options::default().count(text);
        (encoding.name(), segments, left)
    }

    /// The table that operators and platforms publish: 160 / 153 septets, 70 / 67 units.
    #[test]
    fn segments_are_as_the_published_table_has_them() {
        for (characters, segments, left) in [
            (0, 1, 160),
            (1, 1, 159),
            (160, 1, 0),
            (161, 2, 145),
            (306, 2, 0),
            (307, 3, 152),
            (459, 3, 0),
            (460, 4, 152),
        ] {
            assert_eq!(count(&"a".repeat(characters)), ("GSM-7", segments, left), "{characters}");
        }
        for (characters, segments, left) in
            [(1, 1, 69), (70, 1, 0), (71, 2, 63), (134, 2, 0), (135, 3, 66), (201, 3, 0), (202, 4, 66)]
        {
            assert_eq!(count(&"я".repeat(characters)), ("UCS-2", segments, left), "{characters}");
        }
        // The extension takes two, and is not cut in the middle.
        assert_eq!(count(&"€".repeat(80)), ("GSM-7", 1, 0));
        assert_eq!(count(&"€".repeat(81)), ("GSM-7", 2, 143));
        assert_eq!(count(&format!("{}😀", "a".repeat(69))).1, 2);
        let wide = Options { wide: true, ..Options::default() };
        assert_eq!(wide.count(&"a".repeat(304)).segments, 2);
        assert_eq!(wide.count(&"a".repeat(305)).segments, 3);
        assert_eq!(wide.count(&"я".repeat(132)).segments, 2);
        assert_eq!(wide.count(&"я".repeat(133)).segments, 3);
        let latin1 = Options { latin1: true, ..Options::default() };
        assert_eq!(latin1.count(&"é".repeat(140)).segments, 1);
        assert_eq!(latin1.count(&"é".repeat(141)).segments, 2);
        assert_eq!(latin1.count(&"é".repeat(268)).segments, 2);
    }

    #[test]
    fn a_national_alphabet_is_used_where_it_saves_segments() {
        let turkish = Options { languages: vec![Language::Turkish], ..Options::default() };
        let text = "ş".repeat(100);
        assert_eq!(Options::default().count(&text).segments, 2);
        let counted = turkish.count(&text);
        assert_eq!((counted.segments, counted.left), (1, 55), "a header of four octets takes five septets");
        assert_eq!(turkish.count("ş").encoding, Encoding::Ucs2, "nothing is saved");
        let plan = turkish.plan(&text).unwrap();
        let (header, octets) = plan.octets(7).next().unwrap();
        assert_eq!(header.locking, Some(Language::Turkish));
        assert_eq!(octets, vec![0x1d; 100]);
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let family = "👨‍👩‍👧‍👦";
        let text = format!("{}{family}{}", "я".repeat(60), "я".repeat(40));
        let plan = Options::default().plan(&text).unwrap();
        assert_eq!(plan.segments[0], "я".repeat(60));
        assert!(plan.segments[1].starts_with(family));

        let link = "https://shop.example.test/parcels/8f14e45fceea167a5a36dedd4bea2543?from=sms";
        let text = format!("{} {link}. {}", "a".repeat(100), "b".repeat(90));
        let plan = Options::default().plan(&text).unwrap();
        assert_eq!(plan.segments.iter().filter(|segment| segment.contains(link)).count(), 1, "{plan:?}");
        assert_eq!(plan.segments.concat(), text);
        // One that goes into no segment is cut like anything else.
        let long = format!("http://x.test/{}", "c".repeat(400));
        assert_eq!(Options::default().plan(&long).unwrap().segments.len(), 3);
    }

    #[test]
    fn what_is_too_long_is_told_and_not_cut_off() {
        assert_eq!(Options::default().plan(&"a".repeat(255 * 153)).unwrap().segments.len(), 255);
        assert_eq!(Options::default().plan(&"a".repeat(255 * 153 + 1)), Err(TooLong { segments: 256 }));
        assert_eq!(Options::default().count(&"a".repeat(255 * 153 + 1)).segments, 256);
    }

    fn options() -> impl Strategy<Value = Options> {
        let languages = proptest::sample::subsequence(&Language::ALL[..], 0..3);
        (languages, any::<bool>(), any::<bool>()).prop_map(|(languages, latin1, wide)| Options {
            languages,
            latin1,
            wide,
        })
    }

    proptest! {
        #[test]
        fn any_text_that_is_cut_fits_and_is_whole_again(
            text in "(\\PC|[a-z €{]|[😀-🙏]|\u{200d}|ş|https://[a-z]{1,90}|\n){0,200}",
            options in options(),
        ) {
            let plan = options.plan(&text).unwrap();
            prop_assert_eq!(plan.segments.concat(), text.clone());
            prop_assert_eq!(options.count(&text).segments, plan.segments.len());
            prop_assert!(plan.segments.len() == 1 || plan.segments.iter().all(|segment| !segment.is_empty()));
            for (header, octets) in plan.octets(0x1234) {
                let header = header.write().len();
                let room = match plan.encoding {
                    Encoding::Gsm7(_) => (OCTETS - header) * 8 / 7,
                    _ => OCTETS - header,
                };
                prop_assert!(octets.len() <= room, "{} of {room}", octets.len());
            }
            let octets: Vec<u8> = plan.octets(7).flat_map(|(_, octets)| octets).collect();
            let (coding, alphabet) = match plan.encoding {
                Encoding::Gsm7(alphabet) => (Coding::Gsm7, alphabet),
                Encoding::Latin1 => (Coding::Latin1, Alphabet::default()),
                Encoding::Ucs2 => (Coding::Ucs2, Alphabet::default()),
            };
            // A text may begin with what looks like a byte order mark, and is read as one.
            prop_assert_eq!(coding.read(&octets, alphabet), Body::Text(text.trim_start_matches('\u{feff}').to_owned()));
        }
    }
}
