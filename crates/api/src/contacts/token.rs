//! Tokens in links, for customers whom the business knows already.

use std::ops::RangeInclusive;

use domain::{ContactId, Millis, Policy, Timestamp, TokenId};
use log::clock;
use tonic::Status;
use vault::Vault;
use wire::{
    LONGEST_ABOUT, LinkToken,
    api::v1::{MakeTokenRequest, MakeTokenResponse},
};

use crate::{
    commands::malformed,
    convert::{self, invalid, parse},
};

/// Short: whoever has the link can follow it.
const VALID_FOR: RangeInclusive<Millis> = Millis::seconds(60)..=Millis::hours(24);
const USUALLY: Millis = Millis::seconds(15 * 60);

pub(super) fn make(
    vault: &Vault,
    policy: &Policy,
    contact: ContactId,
    request: &MakeTokenRequest,
) -> Result<MakeTokenResponse, Status> {
    let no_link = |what: String| Status::not_found(what);
    let name: domain::LinkId = parse("link", &request.link).map_err(malformed)?;
    let link = policy.links.get(&name).ok_or_else(|| no_link(format!("there is no link {name}")))?;
    let inbox = policy.inboxes.get(&link.inbox);
    let inbox = inbox.ok_or_else(|| no_link(format!("there is no inbox {}", link.inbox)))?;
    let valid_for = match &request.valid_for {
        None => USUALLY,
        Some(span) => Millis(
            u64::try_from(span.seconds).unwrap_or_default().saturating_mul(1_000)
                + u64::try_from(span.nanos).unwrap_or_default() / 1_000_000,
        ),
    };
    if !VALID_FOR.contains(&valid_for) {
        return Err(malformed(invalid("`valid_for` is between a minute and a day")));
    }
    let about = request.about.trim();
    if about.len() > LONGEST_ABOUT || about.chars().any(char::is_control) {
        let what = format!("`about` has at most {LONGEST_ABOUT} bytes, and no control characters");
        return Err(malformed(invalid(what)));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Status::unavailable(format!("no random bytes: {error}")))?;
    let now = Timestamp(clock::now());
    // In whole seconds, as it is written down.
    let expires_at = Timestamp((now + valid_for).0 / 1_000 * 1_000);
    let token = LinkToken { id: TokenId(id), contact, expires_at, about: about.to_owned() };
    let written = vault.reference(&LinkToken::purpose(&policy.tenant), &token.encode());
    let url = link.url(inbox, Some(&written)).ok_or_else(|| {
        Status::failed_precondition(format!(
            "say in settings.link_name of inbox {} what links call it",
            link.inbox
        ))
    })?;
    let told = link.told(inbox.channel, Some(&written));
    Ok(MakeTokenResponse { url, r#ref: told, expires_at: convert::time(expires_at) })
}
