//! What Meta says of an inbox: whether its token is good, and whether its webhooks are switched on.

use std::time::Duration;

use channels::{
    Outbound,
    messenger::{self, health},
};
use domain::{InboxId, policy::Inbox};

use super::finding::Findings;
use crate::{config::Secrets, meta};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn is_at_meta(inbox: &Inbox) -> bool {
    messenger::Kind::of(inbox.channel).is_some()
}

pub(super) async fn examine(secrets: &Secrets, id: &InboxId, inbox: &Inbox, findings: &mut Findings) {
    let about = format!("inbox {id} at Meta");
    // What is missing of its settings was found before.
    let Ok(checked) = meta::checked(secrets, inbox) else { return };
    let outbound = match Outbound::new(PATIENCE) {
        Ok(outbound) => outbound,
        Err(error) => {
            findings.fail(&about, &error.into(), "whether its token is good could not be asked");
            return;
        }
    };
    let health = health::examine(&checked, &outbound, log::clock::now()).await;
    if health.troubles.is_empty() {
        let until = health.expires_at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let until = until.map_or_else(|| "does not end".to_owned(), |at| format!("is good until {at:.0}"));
        findings.ok(&about, format!("its token {until}, its webhooks are switched on"));
    }
    for trouble in health.troubles {
        let advice = trouble.advice();
        if trouble.is_grave() {
            findings.fail(&about, &trouble.into(), advice);
        } else {
            findings.warn(&about, trouble.to_string(), advice);
        }
    }
    if checked.subscriber.is_none() {
        findings
            .skip(about, "set business_account_id to be told whether the account is subscribed to the app");
    }
}
