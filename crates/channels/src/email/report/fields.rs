//! The header-like lines of a report part (RFC 3464, RFC 5965): blocks of fields, one block a recipient.

/// Fields in order, names in lower case. Lookups give the first of a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(text: &str) -> Self {
        let mut fields = Fields::default();
        text.lines().for_each(|line| fields.add(line));
        fields
    }

    /// The recipients' blocks. Programs forget the blank line between two, or write several: a field that only
    /// comes once for each begins the next.
    pub(super) fn recipients(text: &str) -> Vec<Self> {
        const ONCE: [&str; 4] = ["final-recipient", "original-recipient", "action", "status"];
        let mut blocks = vec![Fields::default()];
        for line in text.lines() {
            let name =
                line.split_once(':').map(|(name, _)| name.trim().to_ascii_lowercase()).unwrap_or_default();
            let last = blocks.last().expect("there is one");
            let begins = line.trim().is_empty() && last.is_recipient()
                || ONCE.contains(&name.as_str()) && last.get(&name).is_some();
            if begins {
                blocks.push(Fields::default());
            }
            blocks.last_mut().expect("there is one").add(line);
        }
        blocks.retain(Fields::is_recipient);
        blocks
    }

    fn is_recipient(&self) -> bool {
        ["final-recipient", "original-recipient", "action", "diagnostic-code", "status"]
            .iter()
            .any(|name| self.get(name).is_some())
    }

    fn add(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn address(&self, name: &str) -> Option<String> {
        self.get(name).and_then(address)
    }
}

/// `rfc822; User@X.test` gives `user@x.test`.
pub(super) fn address(value: &str) -> Option<String> {
    let address = after_type(value).trim_matches(['<', '>', ' ', '"', '\'']).to_lowercase();
    (address.contains('@') && !address.contains(char::is_whitespace)).then_some(address)
}

pub(super) fn after_type(value: &str) -> &str {
    value
        .split_once(';')
        .filter(|(kind, _)| kind.len() <= 20 && !kind.trim().contains(' '))
        .map_or(value, |(_, value)| value)
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_told_apart() {
        let text = "Reporting-MTA: dns; x.test\n\n\nFinal-Recipient: rfc822; <A@x.test>\nAction: failed\nStatus: 5.1.1\n\n\
            Final-Recipient: rfc822;b@x.test\nStatus: 4.4.1\nDiagnostic-Code: smtp; 421\n later\n";
        let found = Fields::recipients(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].address("final-recipient").as_deref(), Some("a@x.test"));
        assert_eq!(found[1].get("diagnostic-code"), Some("smtp; 421 later"));
        let close = "Reporting-MTA: dns; x.test\nFinal-Recipient: rfc822;a@x.test\nAction: failed\n\
            Final-Recipient: rfc822;b@x.test\nAction: failed\n";
        assert_eq!(Fields::recipients(close).len(), 2);
    }
}
