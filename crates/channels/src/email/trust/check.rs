//! SPF, DKIM, DMARC and ARC of one mail, by `mail-auth`.

use domain::{Check, CheckResult, Method};
use mail_auth::common::crypto::Algorithm;
use mail_auth::dmarc::{Policy, verify::DmarcParameters};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, DkimResult, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput,
    SpfResult,
};

use super::hop::Hop;
use super::judge::{by_sealer, domain_of, speaks_for};
use super::results::Results;

/// Signatures of one mail that are looked at; each costs a question and a computation.
const MOST_SIGNATURES: usize = 8;
/// Sets of ARC; a longer chain is not looked at.
const MOST_SETS: usize = 16;

/// Everything that can be checked, in the order in which it is shown. `hop` is who sent it to us, where that is known.
pub(super) async fn all(
    dns: &MessageAuthenticator,
    mut message: AuthenticatedMessage<'_>,
    hop: Option<&Hop>,
    sealers: &[String],
) -> Vec<Check> {
    message.dkim_headers.retain(|signed| {
        // RFC 8301 section 3.1; and what does not sign the sender says nothing of it (RFC 6376 section 5.4).
        let signs_sender = signed.header.h.iter().any(|field| field.trim().eq_ignore_ascii_case("from"));
        signed.header.a != Algorithm::RsaSha1 && signs_sender
    });
    message.dkim_headers.truncate(MOST_SIGNATURES);
    let sender = message.from().to_owned();
    let spf = match hop {
        Some(hop) => Some(dns.verify_spf(spf_of(hop)).await),
        None => None,
    };
    let dkim = dns.verify_dkim(&message).await;
    let (unknown, returned_to) = (SpfOutput::new(String::new()), hop.map_or("", return_domain));
    let asked = DmarcParameters::new(&message, &dkim, returned_to, spf.as_ref().unwrap_or(&unknown));
    let dmarc = dns.verify_dmarc(asked).await;
    let from = match dmarc.domain() {
        "" => domain_of(&sender).unwrap_or_default(),
        domain => domain,
    };

    let mut checks = Vec::new();
    checks.extend(spf.as_ref().map(|spf| spf_check(spf, returned_to, &dmarc, from)));
    // Those that say something, and of the others one, so that it is seen that there was one.
    let mut telling: Vec<Check> = Vec::new();
    for output in dkim.iter().filter(|output| output.signature().is_some()).take(MOST_SIGNATURES) {
        let domain = output.signature().map(|signature| signature.d.to_ascii_lowercase());
        let agreed = *dmarc.dkim_result() == DmarcResult::Pass;
        let aligned = domain.as_deref().is_some_and(|domain| is_aligned(domain, from, agreed));
        let (result, detail) = outcome(output.result());
        telling.push(Check { method: Method::Dkim, result, domain, aligned, detail });
    }
    checks.append(&mut telling);
    checks.push(dmarc_check(&dmarc, from));
    if (1..=MOST_SETS).contains(&message.as_headers.len()) {
        let arc = dns.verify_arc(&message).await;
        checks.push(arc_check(&arc, sealers, from));
    }
    checks
}

fn spf_of(hop: &Hop) -> SpfParameters<'_> {
    if hop.sender.is_empty() {
        SpfParameters::verify_ehlo(hop.ip, &hop.helo, &hop.helo)
    } else {
        SpfParameters::verify_mail_from(hop.ip, &hop.helo, &hop.helo, &hop.sender)
    }
}

/// The domain that SPF is asked of (RFC 7489 section 3.1.2).
fn return_domain(hop: &Hop) -> &str {
    domain_of(&hop.sender).unwrap_or(&hop.helo)
}

/// By what can be told without asking, or, where the sender's DMARC record has `agreed` to one of them, by the look of
/// it: which one it was is not said.
fn is_aligned(domain: &str, from: &str, agreed: bool) -> bool {
    let top = |domain: &str| domain.rsplitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
    speaks_for(domain, from) || agreed && top(domain) == top(from)
}

fn spf_check(spf: &SpfOutput, domain: &str, dmarc: &DmarcOutput, from: &str) -> Check {
    let result = match spf.result() {
        SpfResult::Pass => CheckResult::Pass,
        SpfResult::Fail => CheckResult::Fail,
        SpfResult::SoftFail => CheckResult::SoftFail,
        SpfResult::Neutral => CheckResult::Neutral,
        SpfResult::TempError => CheckResult::TempError,
        SpfResult::PermError => CheckResult::PermError,
        SpfResult::None => CheckResult::None,
    };
    let domain = Some(domain.trim_end_matches('.').to_ascii_lowercase()).filter(|domain| !domain.is_empty());
    let agreed = *dmarc.spf_result() == DmarcResult::Pass;
    let aligned = domain.as_deref().is_some_and(|domain| is_aligned(domain, from, agreed));
    Check { method: Method::Spf, result, domain, aligned, detail: None }
}

fn dmarc_check(dmarc: &DmarcOutput, from: &str) -> Check {
    let (result, error) = match dmarc.result() {
        DmarcResult::Pass => (CheckResult::Pass, None),
        DmarcResult::Fail(error) => (CheckResult::Fail, Some(error)),
        DmarcResult::TempError(error) => (CheckResult::TempError, Some(error)),
        DmarcResult::PermError(error) => (CheckResult::PermError, Some(error)),
        DmarcResult::None => (CheckResult::None, None),
    };
    let policy = dmarc.dmarc_record().map(|_| match dmarc.policy() {
        Policy::Reject => "policy reject".to_owned(),
        Policy::Quarantine => "policy quarantine".to_owned(),
        Policy::None | Policy::Unspecified => "policy none".to_owned(),
    });
    let detail = policy.or_else(|| error.map(|error| error.to_string()));
    Check { method: Method::Dmarc, result, domain: Some(from.to_owned()), aligned: true, detail }
}

/// Aligned if the chain holds, and the oldest of those at its end who are all believed found the mail in order when it
/// came there: whoever stands before them may have written anything.
fn arc_check(arc: &ArcOutput<'_>, sealers: &[String], from: &str) -> Check {
    let (result, detail) = outcome(arc.result());
    let believed = |domain: &str| sealers.iter().any(|sealer| sealer.eq_ignore_ascii_case(domain));
    let chain = arc.sets().iter().rev();
    let oldest =
        chain.take_while(|set| believed(&set.seal.header.d) && believed(&set.signature.header.d)).last();
    let found = oldest.and_then(|set| Results::of_arc(set.results.value));
    let aligned = result == CheckResult::Pass && found.is_some_and(|found| by_sealer(found, from));
    let last = oldest.or(arc.sets().last());
    let domain = last.map(|set| set.seal.header.d.to_ascii_lowercase());
    Check { method: Method::Arc, result, domain, aligned, detail }
}

fn outcome(result: &DkimResult) -> (CheckResult, Option<String>) {
    match result {
        DkimResult::Pass => (CheckResult::Pass, None),
        DkimResult::Neutral(error) => (CheckResult::Neutral, Some(error.to_string())),
        DkimResult::Fail(error) => (CheckResult::Fail, Some(error.to_string())),
        DkimResult::PermError(error) => (CheckResult::PermError, Some(error.to_string())),
        DkimResult::TempError(error) => (CheckResult::TempError, Some(error.to_string())),
        DkimResult::None => (CheckResult::None, None),
    }
}
