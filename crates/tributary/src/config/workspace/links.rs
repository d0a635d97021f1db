//! Links that customers come in by, as `workspace.toml` writes them.

use domain::{TenantId, policy};
use serde::Deserialize;

use super::{Wrong, queue_id};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    inbox: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    campaign: Option<String>,
    queue: Option<String>,
    bot: Option<String>,
    #[serde(default)]
    people_only: bool,
    first_message: Option<String>,
    text: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Link {
    pub(super) fn policy(self, tenant: &TenantId) -> Result<policy::Link, Wrong> {
        Ok(policy::Link {
            inbox: self.inbox.parse()?,
            reference: self.reference.map(Into::into),
            campaign: self.campaign.map(Into::into),
            queue: self.queue.map(|queue| queue_id(tenant, &queue)).transpose()?,
            bot: self.bot.map(|bot| bot.parse()).transpose()?,
            people_only: self.people_only,
            first_message: self.first_message,
            text: self.text,
            tags: self.tags.into_iter().map(Into::into).collect(),
        })
    }
}
