//! From what was found to what it is worth. Pure.

use domain::{Check, CheckResult, Method, Verdict};
use mail_auth::AuthenticatedMessage;

use super::hop;
use super::results::Results;

/// Nobody vouches for it, since nobody could.
pub(super) fn unchecked(because: &str) -> Verdict {
    Verdict { authenticated: false, by: OURSELVES.into(), because: because.into(), checks: Vec::new() }
}

const OURSELVES: &str = "tributary";

/// Whether `from`, as it was read in the mail, is the one sender that those who check it see, too. A mail with several
/// senders, or several fields of them, may show one and be signed for another.
pub(super) fn is_only_sender(message: &AuthenticatedMessage<'_>, from: Option<&str>) -> bool {
    matches!((message.froms(), from), ([one], Some(from)) if one == from)
        && hop::first(&message.headers, "from").count() == 1
}

/// What was found by ourselves.
pub(super) fn by_checks(checks: Vec<Check>) -> Verdict {
    let (authenticated, because) = decide(&checks);
    Verdict { authenticated, by: OURSELVES.into(), because, checks }
}

/// What the server `named` wrote into the mail. Only the topmost field of its name counts: those below it were there when
/// the mail came, for all that can be told here.
pub(super) fn by_header(named: &str, from: Option<&str>, raw: &[u8]) -> Verdict {
    let told = |because: String| Verdict { by: named.to_owned(), ..unchecked(&because) };
    let Some(message) = AuthenticatedMessage::parse(raw) else { return told("it has no header".into()) };
    let Some(domain) = from.filter(|from| is_only_sender(&message, Some(from))).and_then(domain_of) else {
        return told("who wrote it is not one clear address".into());
    };
    let fields = hop::first(&message.headers, "authentication-results");
    let Some(results) = fields.filter_map(Results::read).find(|results| results.server == named) else {
        return told(format!("{named} wrote no Authentication-Results into it"));
    };
    let checks = aligned(results.checks, domain);
    let (authenticated, because) = decide(&checks);
    Verdict { authenticated, by: named.to_owned(), because, checks }
}

/// What who passed the mail on found when it came there. `None` where that authenticates nobody.
pub(super) fn by_sealer(results: Results, domain: &str) -> bool {
    decide(&aligned(results.checks, domain)).0
}

fn aligned(mut checks: Vec<Check>, from: &str) -> Vec<Check> {
    for check in &mut checks {
        check.aligned = check.domain.as_deref().is_some_and(|domain| match check.method {
            Method::Dmarc => domain == from,
            Method::Spf | Method::Dkim => speaks_for(domain, from),
            Method::Arc => false,
        });
    }
    checks
}

/// Whoever has a domain has those below it. That a domain below speaks for one above is for the latter's DMARC record to
/// say; without one it does not.
pub(super) fn speaks_for(domain: &str, from: &str) -> bool {
    let below = || from.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    domain.contains('.') && (domain == from || below())
}

/// Whether these checks show that the sender's domain sent it, and why as a sentence.
fn decide(checks: &[Check]) -> (bool, String) {
    let passed = |method: Method| {
        checks.iter().find(|of| of.method == method && of.aligned && of.result == CheckResult::Pass)
    };
    if let Some(Check { domain: Some(domain), .. }) = passed(Method::Dmarc) {
        return (true, format!("{domain} vouches for it (DMARC)"));
    }
    // Who passed it on may have changed it, which breaks the sender's own proofs.
    if let Some(Check { domain: Some(domain), .. }) = passed(Method::Arc) {
        return (true, format!("{domain}, who passed it on, found it in order (ARC)"));
    }
    let dmarc = checks.iter().find(|of| of.method == Method::Dmarc);
    match dmarc.map(|dmarc| dmarc.result) {
        None | Some(CheckResult::None) => {}
        Some(CheckResult::TempError) => return (false, "the name servers could not tell".into()),
        Some(_) => return (false, "the sender's domain does not vouch for it (DMARC)".into()),
    }
    if let Some(Check { domain: Some(domain), .. }) = passed(Method::Dkim) {
        return (true, format!("{domain} signed it (DKIM)"));
    }
    if let Some(Check { domain: Some(domain), .. }) = passed(Method::Spf) {
        return (true, format!("it came from a server of {domain} (SPF)"));
    }
    let failed_for_now = checks.iter().any(|of| of.result == CheckResult::TempError);
    let because = if failed_for_now {
        "the name servers could not tell"
    } else {
        "nothing shows that the sender's domain sent it"
    };
    (false, because.into())
}

pub(super) fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain).filter(|domain| !domain.is_empty())
}
