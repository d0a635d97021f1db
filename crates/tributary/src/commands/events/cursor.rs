//! Where to begin: a place for each partition that is wanted, written as lines show it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use domain::{Kind, Peer};

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cursor {
    /// Behind all that is there now.
    End,
    /// The next position to print, for these partitions and no others.
    Places(BTreeMap<Peer, u64>),
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "end" {
            return Ok(Cursor::End);
        }
        let place = |part: &str| {
            place(part.trim()).ok_or_else(|| {
                format!("{part:?} is no place in the log; write `end`, or AGGREGATE[PARTITION]@POSITION as lines show it")
            })
        };
        Ok(Cursor::Places(text.split(',').map(place).collect::<Result<_, _>>()?))
    }
}

fn place(text: &str) -> Option<(Peer, u64)> {
    let (peer, position) = text.split_once('@')?;
    let (kind, partition) = peer.strip_suffix(']')?.split_once('[')?;
    Some((Peer { kind: Kind::named(kind)?, partition: partition.parse().ok()? }, position.parse().ok()?))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cursor::End => f.write_str("end"),
            Cursor::Places(places) => {
                let places: Vec<_> =
                    places.iter().map(|(peer, position)| format!("{peer}@{position}")).collect();
                f.write_str(&places.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_are_written() {
        for text in ["end", "conversation[3]@120", "conversation[0]@0,desk[1]@7"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        for text in
            ["", "conversation", "conversation[3]", "queue[3]@1", "desk[x]@1", "desk[1]@-1", "desk[1]@1,"]
        {
            assert!(text.parse::<Cursor>().unwrap_err().contains("AGGREGATE[PARTITION]@POSITION"), "{text}");
        }
    }
}
