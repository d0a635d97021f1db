//! The bytes after DATA as a message: dots unstuffed, its end found (RFC 5321 section 4.5.2).
//!
//! Only `CR LF . CR LF` ends a message. A line that ends in a bare LF is remembered and the message refused at
//! its end, as Postfix does with `smtpd_forbid_bare_newline = reject`: servers that disagree on what ends a
//! message let one be smuggled inside another.

#[derive(Debug, Default)]
pub(super) struct Decoder {
    place: Place,
    pub(super) bare_lf: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    /// After `CR LF`, or at the very beginning.
    #[default]
    LineStart,
    Dot,
    DotCr,
    Line,
    LineCr,
}

impl Decoder {
    /// Appends to the message what these bytes hold of it. Returns how many were used, and whether the message
    /// has ended; then what follows is the client's next command.
    pub(super) fn feed(&mut self, bytes: &[u8], message: &mut Vec<u8>) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            match (self.place, bytes[at]) {
                (Place::LineStart, b'.') => (self.place, at) = (Place::Dot, at + 1),
                (Place::Dot, b'\r') => (self.place, at) = (Place::DotCr, at + 1),
                (Place::DotCr, b'\n') => return (at + 1, true),
                (Place::DotCr, _) => {
                    message.push(b'\r');
                    self.place = Place::LineCr;
                }
                (Place::LineCr, b'\n') => {
                    message.push(b'\n');
                    (self.place, at) = (Place::LineStart, at + 1);
                }
                // A line, or the rest of one: whole as far as it goes.
                (Place::LineStart | Place::Dot | Place::Line | Place::LineCr, _) => {
                    let end =
                        bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |found| at + found);
                    message.extend_from_slice(&bytes[at..end]);
                    let cr = if end > at { bytes[end - 1] == b'\r' } else { self.place == Place::LineCr };
                    at = end;
                    self.place = if cr { Place::LineCr } else { Place::Line };
                    if end < bytes.len() && !cr {
                        message.push(b'\n');
                        self.bare_lf = true;
                        at = end + 1;
                    }
                }
            }
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The message, what follows it, and whether a bare LF was seen.
    fn decode(bytes: &[u8], chunk: usize) -> (Vec<u8>, Option<Vec<u8>>, bool) {
        let (mut decoder, mut message, mut used) = (Decoder::default(), Vec::new(), 0);
        for piece in bytes.chunks(chunk) {
            let (taken, ended) = decoder.feed(piece, &mut message);
            used += taken;
            if ended {
                return (message, Some(bytes[used..].to_vec()), decoder.bare_lf);
            }
            assert_eq!(taken, piece.len());
        }
        (message, None, decoder.bare_lf)
    }

    fn check(bytes: &[u8], message: &[u8], rest: Option<&[u8]>, bare_lf: bool) {
        for chunk in 1..=bytes.len().max(1) {
            let (found, after, bare) = decode(bytes, chunk);
            assert_eq!(found, message, "{} by {chunk}", bytes.escape_ascii());
            assert_eq!((after.as_deref(), bare), (rest, bare_lf), "{} by {chunk}", bytes.escape_ascii());
        }
    }

    #[test]
    fn dots_are_unstuffed_and_the_end_is_found_however_it_is_cut() {
        check(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", Some(b"QUIT\r\n"), false);
        check(b".\r\n", b"", Some(b""), false);
        check(b"..\r\n...\r\nx.y\r\n.\r\n", b".\r\n..\r\nx.y\r\n", Some(b""), false);
        check(b".a\r\n.\r\n", b"a\r\n", Some(b""), false);
        check(b"a\r\r\n.\r\n", b"a\r\r\n", Some(b""), false);
        check(b".\rX\r\n.\r\n", b"\rX\r\n", Some(b""), false);
        check(b"no end\r\n.", b"no end\r\n", None, false);
    }

    #[test]
    fn nothing_else_ends_a_message() {
        check(b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", Some(b""), true);
        check(b"a\n.\r\nMAIL\r\n.\r\n", b"a\n.\r\nMAIL\r\n", Some(b""), true);
        check(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", Some(b""), true);
        check(b"a\r.\r\n.\r\n", b"a\r.\r\n", Some(b""), false);
        check(b"\n\r\n.\r\n", b"\n\r\n", Some(b""), true);
    }

    proptest! {
        #[test]
        fn every_message_of_whole_lines_comes_through(
            lines in proptest::collection::vec("[.a\\r]{0,4}", 0..8), chunk in 1usize..16,
        ) {
            // A line may hold CR, but an LF only in its own end.
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let stuffed: String = lines.iter()
                .map(|line| format!("{}{line}\r\n", if line.starts_with('.') { "." } else { "" }))
                .collect();
            let (found, rest, bare_lf) = decode(format!("{stuffed}.\r\nNOOP").as_bytes(), chunk);
            prop_assert_eq!(found, message.into_bytes());
            prop_assert_eq!((rest.as_deref(), bare_lf), (Some(&b"NOOP"[..]), false));
        }

        #[test]
        fn any_bytes_give_the_same_however_they_are_cut(bytes in "[.a\\r\\n]{0,40}", chunk in 1usize..8) {
            prop_assert_eq!(decode(bytes.as_bytes(), chunk), decode(bytes.as_bytes(), 64));
        }
    }
}
