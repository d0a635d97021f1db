//! What Meta asks of the endpoint itself, before it sends events.

use subtle::ConstantTimeEq as _;

/// The challenge to answer, as text, when the query subscribes with our verify token.
pub(crate) fn challenge(query: &str, verify_token: &str) -> Option<String> {
    let (mut subscribes, mut known, mut challenge) = (false, false, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "hub.mode" => subscribes = value == "subscribe",
            "hub.verify_token" => known = value.as_bytes().ct_eq(verify_token.as_bytes()).into(),
            "hub.challenge" => challenge = Some(value.into_owned()),
            _ => {}
        }
    }
    challenge.filter(|_| subscribes && known && !verify_token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::challenge;

    #[test]
    fn the_right_token_gets_its_challenge_back() {
        let query = "hub.mode=subscribe&hub.challenge=115%2B83&hub.verify_token=a%20b";
        assert_eq!(challenge(query, "a b").as_deref(), Some("115+83"));
    }

    #[test]
    fn anything_else_gets_nothing() {
        for query in [
            "",
            "hub.mode=subscribe&hub.challenge=1",
            "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
            "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=dev",
            "hub.challenge=1&hub.verify_token=dev",
            "hub.mode=subscribe&hub.verify_token=dev",
        ] {
            assert_eq!(challenge(query, "dev"), None, "{query}");
        }
        assert_eq!(challenge("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", ""), None);
    }
}
