//! Why bytes are not what they should be.

use std::{fmt, str::FromStr};

use domain::Kind;

type BadId = <domain::TenantId as FromStr>::Err;

/// What could not be read, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} is not protobuf")]
    Protobuf {
        what: &'static str,
        #[source]
        source: prost::DecodeError,
    },
    #[error("{what} is protobuf, but says nothing that makes sense")]
    Flawed {
        what: &'static str,
        #[source]
        flaw: Flaw,
    },
    /// A reader must stop here: skipping what was accepted would tear its state from everyone else's.
    #[error("the record at position {position} cannot be read")]
    Record {
        position: u64,
        #[source]
        source: Box<Error>,
    },
    #[error("the record at position {position} was read before: the next one is at {next} or later")]
    Backwards { position: u64, next: u64 },
    #[error("state of version {found} cannot be read: this is version {known}")]
    StateVersion { found: u16, known: u16 },
    #[error("state cannot be read")]
    State {
        #[source]
        source: postcard::Error,
    },
    #[error("state ends before its version, or goes on behind its end")]
    StateLength,
}

/// What is wrong with a message, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("in {path}")]
pub struct Flaw {
    /// The names of the fields from the record down to the flaw, joined by `.`.
    pub path: String,
    #[source]
    pub problem: Problem,
}

/// What is wrong with one field.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Absent, or a choice that this version does not know.
    #[error("missing, or of a kind unknown here")]
    Missing,
    #[error("{number} is no number of a {name}")]
    UnknownNumber { name: &'static str, number: i32 },
    #[error("{found} bytes instead of 16")]
    Length { found: usize },
    #[error("{number} is too large")]
    TooLarge { number: u32 },
    #[error(transparent)]
    BadId(BadId),
    #[error("belongs to another aggregate than {kind}")]
    Foreign { kind: Kind },
}

impl From<Problem> for Flaw {
    fn from(problem: Problem) -> Self {
        Flaw { path: String::new(), problem }
    }
}

impl Flaw {
    /// A message that must be one of several kinds, and is none that is known.
    pub(crate) fn no_kind() -> Flaw {
        Flaw::from(Problem::Missing).within("kind")
    }

    /// The same flaw, seen from one level further up.
    pub(crate) fn within(mut self, field: impl fmt::Display) -> Flaw {
        self.path = if self.path.is_empty() { field.to_string() } else { format!("{field}.{}", self.path) };
        self
    }
}
