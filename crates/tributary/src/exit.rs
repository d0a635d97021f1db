//! What the shell is told: an exit code, and on standard error one line that says what is wrong, then its causes.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use crate::config;

pub const DONE: u8 = 0;
pub const FAILED: u8 = 1;
/// The command line or the configuration is at fault.
pub const USAGE: u8 = 2;
/// `EX_DATAERR` of sysexits(3): the input is malformed.
pub const MALFORMED: u8 = 65;
/// `EX_NOINPUT`: the input cannot be read.
pub const NO_INPUT: u8 = 66;

/// Something that the user must say differently, on the command line or in the configuration.
#[derive(Debug)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// Standard output was closed by whoever read it (`| head`): no failure of ours.
#[derive(Debug)]
pub struct ReaderGone;

impl fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// What a failure to write to standard output means.
pub fn writing(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ReaderGone.into(),
        _ => anyhow::Error::new(error).context("could not write to standard output"),
    }
}

/// A line on standard error, for a person. That nobody reads it is no failure, nor a reason to panic.
pub fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says what went wrong, if anything did.
pub fn report(outcome: anyhow::Result<u8>) -> ExitCode {
    let code = match outcome {
        Ok(code) => code,
        Err(error) if error.is::<ReaderGone>() => DONE,
        Err(error) => {
            say(explain(&error));
            code_of(&error)
        }
    };
    ExitCode::from(code)
}

/// The error, and its causes in lines of their own; a cause that only repeats the one above says nothing.
fn explain(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = error.chain().map(ToString::to_string).collect();
    said.dedup();
    format!("error: {}", said.join("\n  because: "))
}

fn code_of(error: &anyhow::Error) -> u8 {
    let at_fault =
        |cause: &(dyn std::error::Error + 'static)| cause.is::<Unusable>() || cause.is::<config::Error>();
    // A context hides what it wraps from the chain's types, but not from `is`.
    let usage = error.is::<Unusable>() || error.is::<config::Error>() || error.chain().any(at_fault);
    if usage { USAGE } else { FAILED }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn faults_of_the_user_are_told_from_failures() {
        let unusable = || anyhow::Error::new(Unusable("say it differently".into()));
        assert_eq!(code_of(&unusable()), USAGE);
        assert_eq!(code_of(&unusable().context("could not begin")), USAGE);
        let fault = config::Error { path: "t.toml".into(), line: Some(1), message: "no".into() };
        assert_eq!(code_of(&Err::<(), _>(fault).context("could not begin").unwrap_err()), USAGE);
        assert_eq!(code_of(&anyhow::anyhow!("disk on fire")), FAILED);
    }

    #[test]
    fn causes_stand_below_each_said_once() {
        let error =
            anyhow::anyhow!("refused").context("tcp error").context("tcp error").context("nothing answers");
        assert_eq!(explain(&error), "error: nothing answers\n  because: tcp error\n  because: refused");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = writing(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report(Err(error)), ExitCode::from(DONE));
        let error = writing(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(report(Err(error)), ExitCode::from(FAILED));
    }
}
