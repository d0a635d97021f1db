//! What was found: a line each, the worst of which decides.

use std::fmt;

/// As the first column shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Mark {
    Skip,
    Ok,
    Warn,
    Fail,
}

#[derive(Debug)]
struct Finding {
    mark: Mark,
    about: String,
    what: String,
    /// What to do about it.
    advice: Option<String>,
}

/// Everything found so far, in order.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.add(Mark::Ok, about, what.into(), None);
    }

    /// It works, but not as well as it should.
    pub(super) fn warn(
        &mut self,
        about: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Mark::Warn, about, what.into(), Some(advice.into()));
    }

    pub(super) fn fail(
        &mut self,
        about: impl Into<String>,
        error: &anyhow::Error,
        advice: impl Into<String>,
    ) {
        self.add(Mark::Fail, about, format!("{error:#}"), Some(advice.into()));
    }

    /// It was not looked at; `why` says why not.
    pub(super) fn skip(&mut self, about: impl Into<String>, why: impl Into<String>) {
        self.add(Mark::Skip, about, why.into(), None);
    }

    pub(super) fn failed(&self) -> bool {
        self.0.iter().any(|finding| finding.mark == Mark::Fail)
    }

    fn add(&mut self, mark: Mark, about: impl Into<String>, what: String, advice: Option<String>) {
        self.0.push(Finding { mark, about: about.into(), what, advice });
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|finding| finding.about.len()).max().unwrap_or(0);
        for Finding { mark, about, what, advice } in &self.0 {
            let mark = match mark {
                Mark::Skip => "skip",
                Mark::Ok => "ok",
                Mark::Warn => "warn",
                Mark::Fail => "fail",
            };
            writeln!(f, "{mark:<5} {about:<width$}  {what}")?;
            if let Some(advice) = advice {
                writeln!(f, "{:<5} {:<width$}  -> {advice}", "", "")?;
            }
        }
        let count = |mark| self.0.iter().filter(|finding| finding.mark == mark).count();
        writeln!(f, "{} fail, {} warn, {} ok", count(Mark::Fail), count(Mark::Warn), count(Mark::Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_each_with_what_to_do() {
        let mut findings = Findings::default();
        findings.ok("log", "opens");
        findings.warn("disk", "1 GiB free", "make room");
        assert!(!findings.failed());
        findings.fail("secret", &anyhow::anyhow!("not set"), "set it");
        assert!(findings.failed());
        let text = "ok    log     opens\n\
                    warn  disk    1 GiB free\n\
                    \x20             -> make room\n\
                    fail  secret  not set\n\
                    \x20             -> set it\n\
                    1 fail, 1 warn, 1 ok\n";
        assert_eq!(findings.to_string(), text);
    }
}
