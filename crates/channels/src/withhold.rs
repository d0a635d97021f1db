//! Reasons are for people and stand in the log unsealed, so the customer's address must not stand in them. Providers like
//! to name it: "550 <ann@example.org>: user unknown", "'+15550123' is not a valid phone number".

/// In characters: longer explanations are cut off.
const LONGEST: usize = 300;

/// The reason without the address, whatever its case, and without a number's plus sign.
pub(crate) fn withhold(reason: &str, address: &str) -> String {
    let bare = address.strip_prefix('+').unwrap_or(address).to_ascii_lowercase();
    let mut rest = first(reason, 10 * LONGEST);
    let mut text = String::new();
    if !bare.is_empty() {
        // Lower-casing ASCII moves no byte.
        while let Some(at) = rest.to_ascii_lowercase().find(&bare) {
            text.push_str(rest[..at].strip_suffix('+').unwrap_or(&rest[..at]));
            text.push_str("(address)");
            rest = &rest[at + bare.len()..];
        }
    }
    text.push_str(rest);
    first(&text, LONGEST).to_owned()
}

fn first(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::withhold;

    #[test]
    fn an_address_is_withheld_however_it_is_written() {
        let mail = "550 5.1.1 <Ann@Example.org>: no Ánn here; tell ann@example.org so";
        assert_eq!(
            withhold(mail, "ann@example.org"),
            "550 5.1.1 <(address)>: no Ánn here; tell (address) so"
        );
        assert_eq!(withhold("'To' +15550123 / 15550123", "+15550123"), "'To' (address) / (address)");
        assert_eq!(withhold("nothing of it", "+15550123"), "nothing of it");
        assert_eq!(withhold("nobody's", ""), "nobody's");
    }

    #[test]
    fn a_long_explanation_is_cut_off() {
        assert_eq!(withhold(&"é".repeat(10_000), "ann").chars().count(), super::LONGEST);
    }
}
