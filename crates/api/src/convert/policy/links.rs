//! Links that customers come in by.

use domain::{Rejection, policy::Link};
use wire::api::v1::policy as doc;

use super::{super::parse, optional};

pub(super) fn link_message(link: &Link) -> doc::Link {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    doc::Link {
        inbox: link.inbox.to_string(),
        r#ref: text(&link.reference),
        campaign: text(&link.campaign),
        queue: link.queue.as_ref().map(ToString::to_string).unwrap_or_default(),
        bot: link.bot.as_ref().map(ToString::to_string).unwrap_or_default(),
        people_only: link.people_only,
        first_message: link.first_message.clone(),
        text: link.text.clone().unwrap_or_default(),
        tags: link.tags.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn link(at: &str, link: doc::Link) -> Result<Link, Rejection> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Link {
        inbox: parse(&format!("{at}.inbox"), &link.inbox)?,
        reference: some(link.r#ref).map(Into::into),
        campaign: some(link.campaign).map(Into::into),
        queue: optional(&format!("{at}.queue"), &link.queue)?,
        bot: optional(&format!("{at}.bot"), &link.bot)?,
        people_only: link.people_only,
        first_message: link.first_message,
        text: some(link.text),
        tags: link.tags.into_iter().map(Into::into).collect(),
    })
}
