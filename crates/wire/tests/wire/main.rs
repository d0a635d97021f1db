//! Bytes and domain values: whatever is written is read back the same, what is damaged or unknown is an error, and
//! readers agree on what counts.

mod api;
mod garbage;
mod reader;
mod round_trip;
mod samples;
mod state;
mod strict;
