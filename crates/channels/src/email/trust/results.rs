//! What a mail server found and wrote into the mail: one `Authentication-Results` field (RFC 8601), or the field of the
//! same form in a set of ARC (RFC 8617 section 4.1.1).

use domain::{Check, CheckResult, Method};

/// One field, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Results {
    /// The server's name, lower case.
    pub(super) server: String,
    pub(super) checks: Vec<Check>,
}

/// Checks of one field that are kept.
const MOST: usize = 32;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Semicolon,
    Equals,
}

impl Results {
    /// None for what is not of that form. No check is `aligned` yet.
    pub(super) fn read(value: &[u8]) -> Option<Results> {
        let tokens = tokens(std::str::from_utf8(value).ok()?)?;
        let mut parts = tokens.split(|token| *token == Token::Semicolon);
        let [Token::Word(server), ..] = parts.next()? else { return None };
        let checks = parts.filter_map(check).take(MOST).collect();
        Some(Results { server: server.to_ascii_lowercase(), checks })
    }

    /// Of a set of ARC: the same behind `i=N;`.
    pub(super) fn of_arc(value: &[u8]) -> Option<Results> {
        let at = value.iter().position(|b| *b == b';')?;
        Results::read(&value[at + 1..])
    }
}

/// `method[/version]=result [reason=…] *(type.property=value)`
fn check(part: &[Token]) -> Option<Check> {
    let mut pairs = Vec::new();
    let mut rest = part;
    while let [first, others @ ..] = rest {
        match (first, others) {
            (Token::Word(name), [Token::Equals, Token::Word(value), tail @ ..]) => {
                pairs.push((name.to_ascii_lowercase(), value.as_str()));
                rest = tail;
            }
            _ => rest = others,
        }
    }
    let ((method, result), properties) = pairs.split_first()?;
    let method = match method.split('/').next()? {
        "spf" => Method::Spf,
        "dkim" => Method::Dkim,
        "dmarc" => Method::Dmarc,
        "arc" => Method::Arc,
        _ => return None,
    };
    let result = match result.to_ascii_lowercase().as_str() {
        "pass" => CheckResult::Pass,
        "fail" | "hardfail" => CheckResult::Fail,
        "softfail" => CheckResult::SoftFail,
        "neutral" | "policy" => CheckResult::Neutral,
        "temperror" => CheckResult::TempError,
        "permerror" => CheckResult::PermError,
        _ => CheckResult::None,
    };
    let property = |name: &str| properties.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let domain = match method {
        Method::Spf => property("smtp.mailfrom"),
        Method::Dkim => property("header.d").or_else(|| property("header.i")),
        Method::Dmarc => property("header.from"),
        Method::Arc => None,
    };
    let domain = domain.map(|text| text.rsplit_once('@').map_or(text, |(_, domain)| domain));
    let domain = domain.map(|domain| domain.trim_end_matches('.').to_ascii_lowercase());
    Some(Check {
        method,
        result,
        domain: domain.filter(|domain| !domain.is_empty()),
        aligned: false,
        detail: None,
    })
}

/// Words, `;` and `=`, without comments; what is quoted is one word. None where quotes or comments do not end.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars();
    let mut word = String::new();
    let end = |word: &mut String, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '(' => {
                end(&mut word, &mut tokens);
                let mut depth = 1;
                while depth > 0 {
                    match letters.next()? {
                        '\\' => drop(letters.next()?),
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                }
            }
            '"' => loop {
                match letters.next()? {
                    '\\' => word.push(letters.next()?),
                    '"' => break,
                    other => word.push(other),
                }
            },
            ';' | '=' => {
                end(&mut word, &mut tokens);
                tokens.push(if letter == ';' { Token::Semicolon } else { Token::Equals });
            }
            space if space.is_whitespace() => end(&mut word, &mut tokens),
            other => word.push(other),
        }
    }
    end(&mut word, &mut tokens);
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Method, CheckResult, Option<String>)> {
        let results = Results::read(text.as_bytes()).unwrap();
        results.checks.into_iter().map(|check| (check.method, check.result, check.domain)).collect()
    }

    #[test]
    fn fields_as_servers_write_them_are_read() {
        let field = " mx.us.test;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=a.test header.i=@a.test \
            header.b=\"Ab=;c\";\r\n\tspf=pass (us.test: domain of x@b.a.test designates 192.0.2.1) \
            smtp.mailfrom=x@B.a.test; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=a.test; iprev=pass";
        let some = |domain: &str| Some(domain.to_owned());
        assert_eq!(
            read(field),
            [
                (Method::Dkim, CheckResult::Pass, some("a.test")),
                (Method::Spf, CheckResult::Pass, some("b.a.test")),
                (Method::Dmarc, CheckResult::Pass, some("a.test")),
            ]
        );
        let odd = "mx.us.test 1; dkim / 1 = fail reason = \"signature; dkim=pass header.d=evil.test\" header.i = @a.test";
        assert_eq!(read("mx.us.test; none"), []);
        assert_eq!(read(odd).len(), 0, "white space around the slash is not what anyone writes");
        let quoted = "mx.us.test; dkim=fail reason=\"bad; dkim=pass header.d=evil.test\" header.d=a.test";
        assert_eq!(read(quoted), [(Method::Dkim, CheckResult::Fail, some("a.test"))]);
        let commented = "mx.us.test; spf=fail (x; dmarc=pass header.from=a.test) smtp.mailfrom=a.test";
        assert_eq!(read(commented), [(Method::Spf, CheckResult::Fail, some("a.test"))]);
    }

    #[test]
    fn what_does_not_end_says_nothing() {
        for broken in ["", ";", "mx (", "mx; dkim=pass header.d=\"a.test", "mx; spf=pass (\\"] {
            assert_eq!(Results::read(broken.as_bytes()), None, "{broken}");
        }
        assert_eq!(
            Results::of_arc(b"i=1; mx.us.test; spf=pass").map(|of| of.server),
            Some("mx.us.test".into())
        );
    }
}
