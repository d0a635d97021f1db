//! One line of a client as a command (RFC 5321 section 4.1, RFC 2033 section 4.1). Lenient where real clients
//! are careless (a space after `FROM:`, no angle brackets), strict where a guess could misdeliver.

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// With the name that the client gives itself.
    Helo(String),
    Ehlo(String),
    Lhlo(String),
    /// The return path, lower case, empty for `<>`; and how large the message says it will be, in octets.
    Mail {
        from: String,
        size: Option<u64>,
    },
    /// The recipient, lower case.
    Rcpt(String),
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
    StartTls,
    Unknown,
}

/// The command, or the reply to a line that is none.
pub(super) fn parse(line: &str) -> Result<Command, &'static str> {
    let line = line.trim_end();
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let bare =
        |command| if rest.is_empty() { Ok(command) } else { Err("501 5.5.4 This command takes no argument") };
    let named = |command: fn(String) -> Command| match rest.split_whitespace().next() {
        Some(name) => Ok(command(name.to_owned())),
        None => Err("501 5.5.4 Say your name"),
    };
    match verb.to_ascii_uppercase().as_str() {
        "HELO" => named(Command::Helo),
        "EHLO" => named(Command::Ehlo),
        "LHLO" => named(Command::Lhlo),
        "MAIL" => mail(rest),
        "RCPT" => rcpt(rest),
        "DATA" => bare(Command::Data),
        "RSET" => bare(Command::Rset),
        "STARTTLS" => bare(Command::StartTls),
        "QUIT" => Ok(Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "VRFY" => Ok(Command::Vrfy),
        "HELP" => Ok(Command::Help),
        _ => Ok(Command::Unknown),
    }
}

fn mail(rest: &str) -> Result<Command, &'static str> {
    let (from, parameters) = path(rest, "FROM:").ok_or("501 5.1.7 Bad sender address syntax")?;
    let mut size = None;
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SIZE", value) => {
                size = Some(value.parse().map_err(|_| "501 5.5.4 SIZE is a number of octets")?)
            }
            ("BODY", "7BIT" | "8BITMIME") | ("SMTPUTF8", "") => {}
            ("BODY", _) => return Err("501 5.5.4 BODY is 7BIT or 8BITMIME"),
            _ => return Err("555 5.5.4 Unknown parameter"),
        }
    }
    Ok(Command::Mail { from, size })
}

fn rcpt(rest: &str) -> Result<Command, &'static str> {
    let (to, parameters) = path(rest, "TO:").ok_or("501 5.1.3 Bad recipient address syntax")?;
    match (to.is_empty(), parameters.is_empty()) {
        (true, _) => Err("501 5.1.3 Bad recipient address syntax"),
        (_, false) => Err("555 5.5.4 Unknown parameter"),
        (false, true) => Ok(Command::Rcpt(to)),
    }
}

/// `FROM:<address> parameters`. A source route (`<@relay:user@domain>`) is ignored, as RFC 5321 appendix C asks.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let rest = rest.get(..keyword.len()).filter(|word| word.eq_ignore_ascii_case(keyword)).map(|_| rest)?;
    let rest = rest[keyword.len()..].trim_start();
    let (address, parameters) = match rest.strip_prefix('<') {
        Some(inner) => {
            let mut quoted = false;
            let end = inner.bytes().position(|b| {
                quoted ^= b == b'"';
                b == b'>' && !quoted
            })?;
            (&inner[..end], &inner[end + 1..])
        }
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    if !(parameters.is_empty() || parameters.starts_with(' ') || !rest.starts_with('<')) {
        return None;
    }
    let address = match address.strip_prefix('@').and_then(|route| route.split_once(':')) {
        Some((_, address)) => address,
        None => address,
    };
    let clean =
        address.len() <= 320 && !address.contains(|c: char| c.is_control() || c.is_whitespace() || c == '<');
    let whole = rest.starts_with('<') || !address.is_empty();
    (clean && whole).then(|| (address.to_lowercase(), parameters.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(line: &str) -> String {
        match parse(line) {
            Ok(Command::Mail { from, .. }) => from,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn senders_as_clients_write_them() {
        assert_eq!(sender("MAIL FROM:<A@X.test>"), "a@x.test");
        assert_eq!(sender("mail from: <a@x.test> BODY=8BITMIME SMTPUTF8"), "a@x.test");
        assert_eq!(sender("MAIL FROM:a@x.test SIZE=5"), "a@x.test");
        assert_eq!(sender("MAIL FROM:<@relay.test,@b.test:a@x.test>"), "a@x.test");
        assert_eq!(sender("MAIL FROM:<\"a>b\"@x.test>"), "\"a>b\"@x.test");
        assert_eq!(sender("MAIL FROM:<jörg@x.test> SMTPUTF8"), "jörg@x.test");
        assert_eq!(sender("MAIL FROM:<>"), "");
        assert_eq!(
            parse("MAIL FROM:<a@x.test> SIZE=1000"),
            Ok(Command::Mail { from: "a@x.test".into(), size: Some(1000) })
        );
    }

    #[test]
    fn what_cannot_be_read_gets_a_reply_that_says_so() {
        for line in
            ["MAIL", "MAIL FROM:", "MAIL TO:<a@x.test>", "MAIL FROM:<a@x.test", "MAIL FROM:<a b@x.test>"]
        {
            assert_eq!(parse(line), Err("501 5.1.7 Bad sender address syntax"), "{line}");
        }
        for line in ["RCPT TO:<>", "RCPT TO:<a@x.test>b", "RCPT FROM:<a@x.test>", "RCPT é"] {
            assert_eq!(parse(line), Err("501 5.1.3 Bad recipient address syntax"), "{line}");
        }
        assert_eq!(parse("MAIL FROM:<a@x.test> BODY=BINARYMIME"), Err("501 5.5.4 BODY is 7BIT or 8BITMIME"));
        assert_eq!(parse("MAIL FROM:<a@x.test> SIZE=x"), Err("501 5.5.4 SIZE is a number of octets"));
        assert_eq!(parse("RCPT TO:<a@x.test> NOTIFY=NEVER"), Err("555 5.5.4 Unknown parameter"));
        assert_eq!(parse("DATA now"), Err("501 5.5.4 This command takes no argument"));
        assert_eq!(parse("EHLO"), Err("501 5.5.4 Say your name"));
        assert_eq!(parse(""), Ok(Command::Unknown));
        assert_eq!(parse("ETRN x"), Ok(Command::Unknown));
    }
}
