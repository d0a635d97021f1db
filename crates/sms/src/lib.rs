//! What a short message is, whoever carries it: pure functions from text to octets and back.
//!
//! ```text
//! text ─▶ Plan (encoding, segments) ─▶ octets of each segment      octets ─▶ Coding::read ─▶ Assembler ─▶ text
//! ```
//!
//! The channels send and read with it, and the API counts with it before anything is sent, so both say the same.
//!
//! Sources: 3GPP TS 23.038 (alphabets, data coding schemes), TS 23.040 (user data headers).

mod alphabet;
mod coding;
mod header;
mod numbers;
mod parts;
mod segments;
mod tables;
mod words;

pub use alphabet::{Alphabet, Language};
pub use coding::{Body, Coding};
pub use header::{Concatenation, Header, Malformed};
pub use numbers::{Address, Region, UnknownRegion};
pub use parts::{Assembled, Assembler, Key, Limits, Part};
pub use segments::{Count, Encoding, Options, Plan, TooLong};
pub use words::{Word, Words};
