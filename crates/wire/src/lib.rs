//! The one place where bytes become domain values and back.
//!
//! Intake and log records are protobuf (`proto/tributary/log/v1`), so are the plaintexts that get sealed; state is
//! postcard. What cannot be read whole is an error, never a default. The types of the public API
//! (`proto/tributary/v1`) are generated here as well, for whoever serves or calls it.

// The public API's messages and services.
pub mod api;

// What stands in the log.
mod intake;
mod reader;
mod record;
mod step;

// What is sealed, handed out, and kept beside the log.
mod content;
mod link_token;
mod state;

// How a domain value becomes its message: one trait, and the pairs of all types.
mod codec;
mod error;
mod message;
mod pairs;
mod pb;

pub use codec::Codec;
pub use content::{decode_content, decode_mail_thread, encode_content, encode_mail_thread};
pub use error::{Error, Flaw, Problem};
pub use intake::{decode_intake, decode_origin, encode_intake, encode_relay};
pub use link_token::{LONGEST_ABOUT, LinkToken};
pub use reader::{Ignored, Judgement, Point, Reader, Verdict};
pub use record::{
    Announce, Decision, Header, Record, decode_event, decode_header, decode_record, encode_announce,
    encode_decision, encode_event,
};
pub use state::{STATE_VERSION, decode_state, digest, digest_of, digest_of_state, encode_state, write_state};
