//! What there is to ask Meta about an inbox.

use std::time::Duration;

use anyhow::Context as _;
use channels::{
    Outbound,
    messenger::{
        self,
        health::{self, Checked},
    },
};
use domain::{Policies, policy::Inbox};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Secrets, secret, setting};

/// Often enough to be told within the hour that a subscription is switched off, which Meta does after an hour of failures
/// (developers.facebook.com, "Webhooks for Messenger Platform", seen 2026-11).
const EVERY: Duration = Duration::from_secs(15 * 60);

pub const GRAPH: &str = "https://graph.facebook.com";
pub const VERSION: &str = "v23.0";

/// What is asked of an inbox with all of its secrets.
pub fn checked(secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<Checked> {
    let kind = messenger::Kind::of(inbox.channel).context("it is not at Meta")?;
    Ok(Checked {
        kind,
        base_url: setting(inbox, "base_url").unwrap_or_else(|| GRAPH.into()),
        version: setting(inbox, "api_version").unwrap_or_else(|| VERSION.into()),
        subscriber: match kind {
            messenger::Kind::Whatsapp => setting(inbox, "business_account_id"),
            _ => Some(inbox.address.clone()),
        },
        token: secret(secrets, inbox, "access_token")?,
        app_secret: secret(secrets, inbox, "app_secret")?,
        app_id: setting(inbox, "app_id"),
    })
}

/// Looks after every inbox at Meta until it is told to stop: at the start, every quarter of an hour, and soon after the
/// workspace has changed.
pub async fn watch_over(
    config: Config,
    outbound: Outbound,
    mut policies: watch::Receiver<Policies>,
    stop: CancellationToken,
) {
    loop {
        let known = policies.borrow_and_update().clone();
        for policy in known.all() {
            let secrets = config.secrets_of(&policy.tenant);
            let at_meta = policy
                .inboxes
                .iter()
                .filter(|(_, inbox)| !inbox.sandbox && messenger::Kind::of(inbox.channel).is_some());
            for (id, inbox) in at_meta {
                // What is missing of its settings is told where it is set up.
                let Ok(checked) = checked(&secrets, inbox) else { continue };
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = health::look(id.as_str(), &checked, &outbound) => {}
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(EVERY) => {}
            changed = policies.changed() => if changed.is_err() { return },
        }
    }
}
