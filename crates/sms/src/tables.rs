//! The tables of 3GPP TS 23.038: the default alphabet (§6.2.1) and the national ones (annex A), made once.
//!
//! The ten Indic scripts lie in Unicode in one order, and their tables follow it: each is told by its block, what its
//! block lacks, and the few places that are its own.

use std::{collections::HashMap, sync::LazyLock};

use crate::Language;

/// The escape to the table of single shifts.
pub(crate) const ESCAPE: u8 = 0x1b;

/// A table of 128 places, both ways. A place that holds nothing is `None`.
pub(crate) struct Table {
    pub(crate) chars: [Option<char>; 128],
    pub(crate) places: HashMap<char, u8>,
}

pub(crate) static LOCKING: LazyLock<[Option<Table>; 14]> = LazyLock::new(|| {
    std::array::from_fn(|at| Language::of(at as u8).map_or(Some(DEFAULT), locking).map(Table::of))
});
pub(crate) static SINGLE: LazyLock<[Table; 14]> = LazyLock::new(|| {
    std::array::from_fn(|at| Table::of(Language::of(at as u8).map_or_else(extension, single)))
});

type Places = [Option<char>; 128];

impl Table {
    fn of(chars: Places) -> Table {
        // Of a character with two places (`*` in the Indic tables) the first is written.
        let mut places = HashMap::new();
        for (at, c) in chars.iter().enumerate() {
            if let Some(c) = c {
                places.entry(*c).or_insert(at as u8);
            }
        }
        Table { chars, places }
    }
}

const DEFAULT: Places = row(
    [
        '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ',
        'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', NONE, 'Æ', 'æ', 'ß', 'É',
    ],
    '¤',
    ['¡', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'ä', 'ö', 'ñ', 'ü', 'à'],
);
const TURKISH: Places = row(
    [
        '@', '£', '$', '¥', '€', 'é', 'ù', 'ı', 'ò', 'Ç', '\n', 'Ğ', 'ğ', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ',
        'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', NONE, 'Ş', 'ş', 'ß', 'É',
    ],
    '¤',
    ['İ', 'Ä', 'Ö', 'Ñ', 'Ü', '§', 'ç', 'ä', 'ö', 'ñ', 'ü', 'à'],
);
const PORTUGUESE: Places = row(
    [
        '@', '£', '$', '¥', 'ê', 'é', 'ú', 'í', 'ó', 'ç', '\n', 'Ô', 'ô', '\r', 'Á', 'á', 'Δ', '_', 'ª', 'Ç',
        'À', '∞', '^', '\\', '€', 'Ó', '|', NONE, 'Â', 'â', 'Ê', 'É',
    ],
    'º',
    ['Í', 'Ã', 'Õ', 'Ú', 'Ü', '§', '~', 'ã', 'õ', '`', 'ü', 'à'],
);

/// Stands for a place that holds nothing, where a `char` is wanted.
const NONE: char = '\u{ffff}';

/// A table of the default alphabet's build: 32 places of its own, ASCII with one sign at 0x24, and twelve places around
/// the letters.
const fn row(first: [char; 32], sign: char, around: [char; 12]) -> Places {
    let mut chars = [None; 128];
    let mut at = 0;
    while at < 128 {
        let c = match at {
            0x00..=0x1f => first[at],
            0x24 => sign,
            0x40 => around[0],
            0x5b..=0x60 => around[at - 0x5a],
            0x7b..=0x7f => around[at - 0x74],
            _ => at as u8 as char,
        };
        chars[at] = if c == NONE { None } else { Some(c) };
        at += 1;
    }
    chars
}

/// An Indic script: where its block begins, which of the shared places it lacks, what is its own in the locking table (at
/// 0x60 and from 0x7B), and in the single shifts (from 0x19, past the digits, and what follows).
struct Indic {
    block: u32,
    lacks: &'static [u8],
    own: [u32; 6],
    shifts: &'static [(u8, u32)],
}

/// Offsets into the block, for the places 0x00 to 0x5F that hold letters of the script.
const LETTERS: [&[(u8, u8, u8)]; 6] = [
    // (first place, first offset, how many)
    &[(0x00, 0x01, 3), (0x03, 0x05, 7), (0x0b, 0x0c, 2), (0x0e, 0x0e, 2)],
    &[(0x10, 0x10, 11), (0x1c, 0x1b, 4)],
    &[(0x22, 0x1f, 6), (0x2a, 0x25, 2), (0x2d, 0x27, 1), (0x2f, 0x28, 1)],
    &[(0x3c, 0x29, 3)],
    &[(0x40, 0x2c, 14), (0x4e, 0x3c, 2)],
    &[(0x50, 0x3e, 16)],
];

fn indic(language: Language) -> Option<Indic> {
    use Language::*;
    Some(match language {
        Bengali => Indic {
            block: 0x0980,
            lacks: &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4a],
            own: [0x09ce, 0x09d7, 0x09dc, 0x09dd, 0x09f0, 0x09f1],
            shifts: &[
                (0x19, 0x09e6),
                (0x1a, 0x09e7),
                (0x1c, 0x09e8),
                (0x1d, 0x09e9),
                (0x1e, 0x09ea),
                (0x1f, 0x09eb),
                (0x20, 0x09ec),
                (0x21, 0x09ed),
                (0x22, 0x09ee),
                (0x23, 0x09ef),
                (0x24, 0x09df),
                (0x25, 0x09e0),
                (0x26, 0x09e1),
                (0x27, 0x09e2),
                (0x2a, 0x09e3),
                (0x2b, 0x09f2),
                (0x2c, 0x09f3),
                (0x2d, 0x09f4),
                (0x2e, 0x09f5),
                (0x30, 0x09f6),
                (0x31, 0x09f7),
                (0x32, 0x09f8),
                (0x33, 0x09f9),
                (0x34, 0x09fa),
            ],
        },
        Gujarati => Indic {
            block: 0x0a80,
            lacks: &[0x0e, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4a],
            own: [0x0ad0, 0x0ae0, 0x0ae1, 0x0ae2, 0x0ae3, 0x0af1],
            shifts: &[],
        },
        Hindi => Indic {
            block: 0x0900,
            lacks: &[],
            own: [0x0950, 0x0972, 0x097b, 0x097c, 0x097e, 0x097f],
            shifts: &[
                (0x26, 0x0951),
                (0x27, 0x0952),
                (0x2a, 0x0953),
                (0x2b, 0x0954),
                (0x2c, 0x0958),
                (0x2d, 0x0959),
                (0x2e, 0x095a),
                (0x30, 0x095b),
                (0x31, 0x095c),
                (0x32, 0x095d),
                (0x33, 0x095e),
                (0x34, 0x095f),
                (0x35, 0x0960),
                (0x36, 0x0961),
                (0x37, 0x0962),
                (0x38, 0x0963),
                (0x39, 0x0970),
                (0x3a, 0x0971),
            ],
        },
        Kannada => Indic {
            block: 0x0c80,
            lacks: &[0x01, 0x0d, 0x11, 0x29, 0x34, 0x45, 0x49],
            own: [0x0cd5, 0x0cd6, 0x0ce0, 0x0ce1, 0x0ce2, 0x0ce3],
            shifts: &[(0x26, 0x0cde), (0x27, 0x0cf1), (0x2a, 0x0cf2)],
        },
        Malayalam => Indic {
            block: 0x0d00,
            lacks: &[0x01, 0x0d, 0x11, 0x29, 0x3c, 0x45, 0x49],
            own: [0x0d57, 0x0d60, 0x0d61, 0x0d62, 0x0d63, 0x0d79],
            shifts: &[
                (0x26, 0x0d70),
                (0x27, 0x0d71),
                (0x2a, 0x0d72),
                (0x2b, 0x0d73),
                (0x2c, 0x0d74),
                (0x2d, 0x0d75),
                (0x2e, 0x0d7a),
                (0x30, 0x0d7b),
                (0x31, 0x0d7c),
                (0x32, 0x0d7d),
                (0x33, 0x0d7e),
                (0x34, 0x0d7f),
            ],
        },
        Oriya => Indic {
            block: 0x0b00,
            lacks: &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4a],
            own: [0x0b56, 0x0b57, 0x0b60, 0x0b61, 0x0b62, 0x0b63],
            shifts: &[(0x26, 0x0b5c), (0x27, 0x0b5d), (0x2a, 0x0b5f), (0x2b, 0x0b70), (0x2c, 0x0b71)],
        },
        Punjabi => Indic {
            block: 0x0a00,
            lacks: &[
                0x0b, 0x0c, 0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3d, 0x43, 0x44, 0x45, 0x46,
                0x49, 0x4a,
            ],
            own: [0x0a51, 0x0a70, 0x0a71, 0x0a72, 0x0a73, 0x0a74],
            shifts: &[
                (0x26, 0x0a59),
                (0x27, 0x0a5a),
                (0x2a, 0x0a5b),
                (0x2b, 0x0a5c),
                (0x2c, 0x0a5e),
                (0x2d, 0x0a75),
            ],
        },
        Tamil => Indic {
            block: 0x0b80,
            lacks: &[
                0x01, 0x0b, 0x0c, 0x0d, 0x11, 0x16, 0x17, 0x18, 0x1b, 0x1d, 0x20, 0x21, 0x22, 0x25, 0x26,
                0x27, 0x2b, 0x2c, 0x2d, 0x3c, 0x3d, 0x43, 0x44, 0x45, 0x49,
            ],
            own: [0x0bd0, 0x0bd7, 0x0bf0, 0x0bf1, 0x0bf2, 0x0bf9],
            shifts: &[
                (0x26, 0x0bf3),
                (0x27, 0x0bf4),
                (0x2a, 0x0bf5),
                (0x2b, 0x0bf6),
                (0x2c, 0x0bf7),
                (0x2d, 0x0bf8),
                (0x2e, 0x0bfa),
            ],
        },
        Telugu => Indic {
            block: 0x0c00,
            lacks: &[0x0d, 0x11, 0x29, 0x34, 0x3c, 0x45, 0x49],
            own: [0x0c55, 0x0c56, 0x0c60, 0x0c61, 0x0c62, 0x0c63],
            shifts: &[
                (0x26, 0x0c58),
                (0x27, 0x0c59),
                (0x2a, 0x0c78),
                (0x2b, 0x0c79),
                (0x2c, 0x0c7a),
                (0x2d, 0x0c7b),
                (0x2e, 0x0c7c),
                (0x30, 0x0c7d),
                (0x31, 0x0c7e),
                (0x32, 0x0c7f),
            ],
        },
        Turkish | Spanish | Portuguese | Urdu => return None,
    })
}

/// None: the language has none, and keeps to the default alphabet.
fn locking(language: Language) -> Option<Places> {
    Some(match language {
        Language::Turkish => TURKISH,
        Language::Spanish => return None,
        Language::Portuguese => PORTUGUESE,
        Language::Urdu => {
            // Escaped, since it is written from right to left.
            let letters = concat!(
                "\u{627}\u{622}\u{628}\u{67b}\u{680}\u{67e}\u{6a6}\u{62a}\u{6c2}\u{67f}\n\u{679}",
                "\u{67d}\r\u{67a}\u{67c}\u{62b}\u{62c}\u{681}\u{684}\u{683}\u{685}\u{686}\u{687}",
                "\u{62d}\u{62e}\u{62f}\u{ffff}\u{68c}\u{688}\u{689}\u{68a} !\u{68f}\u{68d}\u{630}",
                "\u{631}\u{691}\u{693})(\u{699}\u{632},\u{696}.\u{698}0123456789:;\u{69a}\u{633}",
                "\u{634}?\u{635}\u{636}\u{637}\u{638}\u{639}\u{641}\u{642}\u{6a9}\u{6aa}\u{6ab}",
                "\u{6af}\u{6b3}\u{6b1}\u{644}\u{645}\u{646}\u{6ba}\u{6bb}\u{6bc}\u{648}\u{6c4}",
                "\u{6d5}\u{6c1}\u{6be}\u{621}\u{6cc}\u{6d0}\u{6d2}\u{64d}\u{650}\u{64f}\u{657}",
                "\u{654}",
            );
            let last = ['\u{655}', '\u{651}', '\u{653}', '\u{656}', '\u{670}'];
            let mut chars = [None; 128];
            let all = letters.chars().chain('a'..='z').chain(last);
            for (place, c) in chars.iter_mut().zip(all) {
                *place = (c != NONE).then_some(c);
            }
            chars
        }
        _ => indic_locking(&indic(language)?),
    })
}

fn indic_locking(script: &Indic) -> Places {
    let mut chars = [None; 128];
    for (place, c) in (0x30..).zip('0'..='9') {
        chars[place] = Some(c);
    }
    for (place, c) in (0x61..).zip('a'..='z') {
        chars[place] = Some(c);
    }
    let signs = [
        (0x0a, '\n'),
        (0x0d, '\r'),
        (0x20, ' '),
        (0x21, '!'),
        (0x28, ')'),
        (0x29, '('),
        (0x2c, ','),
        (0x2e, '.'),
        (0x3a, ':'),
        (0x3b, ';'),
        (0x3f, '?'),
    ];
    for (place, c) in signs {
        chars[place] = Some(c);
    }
    for (first, offset, count) in LETTERS.into_iter().flatten() {
        for (place, offset) in (usize::from(*first)..).zip(*offset..offset + count) {
            if !script.lacks.contains(&offset) {
                chars[place] = char::from_u32(script.block + u32::from(offset));
            }
        }
    }
    for (place, code) in [0x60, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f].into_iter().zip(script.own) {
        chars[place] = char::from_u32(code);
    }
    chars
}

/// The extension of the default alphabet (§6.2.1.1), which all single shifts hold.
fn extension() -> Places {
    let mut chars = [None; 128];
    let signs = [
        (0x0a, '\u{c}'),
        (0x14, '^'),
        (0x28, '{'),
        (0x29, '}'),
        (0x2f, '\\'),
        (0x3c, '['),
        (0x3d, '~'),
        (0x3e, ']'),
        (0x40, '|'),
        (0x65, '€'),
    ];
    for (place, c) in signs {
        chars[place] = Some(c);
    }
    chars
}

fn single(language: Language) -> Places {
    let mut chars = extension();
    let mut put = |places: &[(usize, char)]| places.iter().for_each(|(place, c)| chars[*place] = Some(*c));
    match language {
        Language::Turkish => {
            put(&[(0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'), (0x63, 'ç'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş')])
        }
        Language::Spanish => put(&[
            (0x09, 'ç'),
            (0x41, 'Á'),
            (0x49, 'Í'),
            (0x4f, 'Ó'),
            (0x55, 'Ú'),
            (0x61, 'á'),
            (0x69, 'í'),
            (0x6f, 'ó'),
            (0x75, 'ú'),
        ]),
        Language::Portuguese => put(&[
            (0x05, 'ê'),
            (0x09, 'ç'),
            (0x0b, 'Ô'),
            (0x0c, 'ô'),
            (0x0e, 'Á'),
            (0x0f, 'á'),
            (0x12, 'Φ'),
            (0x13, 'Γ'),
            (0x15, 'Ω'),
            (0x16, 'Π'),
            (0x17, 'Ψ'),
            (0x18, 'Σ'),
            (0x19, 'Θ'),
            (0x1f, 'Ê'),
            (0x41, 'À'),
            (0x49, 'Í'),
            (0x4f, 'Ó'),
            (0x55, 'Ú'),
            (0x5b, 'Ã'),
            (0x5c, 'Õ'),
            (0x61, 'Â'),
            (0x69, 'í'),
            (0x6f, 'ó'),
            (0x75, 'ú'),
            (0x7b, 'ã'),
            (0x7c, 'õ'),
            (0x7f, 'â'),
        ]),
        _ => {
            // What these have in common: signs that the letters took the places of, and capitals.
            for (place, c) in "@£$¥¿\"¤%&'\u{c}*+".chars().enumerate() {
                put(&[(place, c)]);
            }
            for (place, c) in (0x0e..).zip("-/<=>¡^¡_#*".chars()) {
                put(&[(place, c)]);
            }
            for (place, c) in (0x41..).zip('A'..='Z') {
                put(&[(place, c)]);
            }
            let digits = |zero: u32| (0x1c..=0x25).zip(zero..).collect::<Vec<(usize, u32)>>();
            let mut codes: Vec<(usize, u32)> = match language {
                Language::Urdu => {
                    let mut codes = vec![(0x19, 0x0600), (0x1a, 0x0601)];
                    codes.extend(digits(0x06f0));
                    let more = [0x060c, 0x060d].into_iter().zip(0x26..);
                    codes.extend(more.map(|(code, place)| (place, code)));
                    let more = [0x060e, 0x060f, 0x0610, 0x0611, 0x0612].into_iter().zip(0x2a..);
                    codes.extend(more.map(|(code, place)| (place, code)));
                    let more = [
                        0x0613, 0x0614, 0x061b, 0x061f, 0x0640, 0x0652, 0x0658, 0x066b, 0x066c, 0x0672,
                        0x0673, 0x06cd,
                    ];
                    codes.extend(more.into_iter().zip(0x30..).map(|(code, place)| (place, code)));
                    codes.push((0x3f, 0x06d4));
                    codes
                }
                Language::Bengali => Vec::new(),
                Language::Telugu => digits(0x0c66),
                other => {
                    let mut codes = vec![(0x19, 0x0964), (0x1a, 0x0965)];
                    let block = indic(other).map_or(0, |script| script.block);
                    codes.extend(digits(block + 0x66));
                    codes
                }
            };
            let own = indic(language).map_or(&[][..], |script| script.shifts);
            codes.extend(own.iter().map(|(place, code)| (usize::from(*place), *code)));
            for (place, code) in codes {
                chars[place] = char::from_u32(code);
            }
        }
    }
    chars
}
