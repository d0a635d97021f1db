//! What comes in from anyone, made to do harm: every reader of bytes takes any bytes, in little time and memory, and reads
//! them soundly. [`harness`] is the same for all of them; `TRIBUTARY_FUZZ_SECONDS` makes it run for so long more, each.

mod bodies;
mod harness;
mod mail;
