//! `Authorization: Bearer TOKEN` (RFC 6750 §2.1).

use subtle::ConstantTimeEq as _;

/// True when the header's value carries exactly this token. Takes the same time wherever a wrong one differs.
pub fn valid(token: &str, header: &[u8]) -> bool {
    let Some((scheme, given)) = header.split_at_checked(7) else { return false };
    !token.is_empty() && scheme.eq_ignore_ascii_case(b"bearer ") && given.ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::valid;

    #[test]
    fn only_the_exact_token_counts() {
        assert!(valid("dev", b"Bearer dev"));
        assert!(valid("dev", b"bearer dev"));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer de",
            "Bearer devs",
            "Bearer dev ",
            "Basic dev",
            "dev",
            "Bearer  dev",
        ] {
            assert!(!valid("dev", header.as_bytes()), "{header}");
        }
        assert!(!valid("", b"Bearer "));
    }
}
