//! `Timelines`: what happened with a customer, from the projections.

use projections::{DeliveryStatus, Entry, TimelineOf};
use tonic::{Request, Response, Status};
use wire::api::v1::{self as pb, get_timeline_request::Of, timelines_server};

use crate::{
    auth::principal,
    commands::malformed,
    content::Opener,
    convert::{self, invalid, page_size, parse},
    server::{Shared, unreadable},
    why,
};

pub(crate) struct Timelines(pub(crate) Shared);

#[tonic::async_trait]
impl timelines_server::Timelines for Timelines {
    async fn get(
        &self,
        request: Request<pb::GetTimelineRequest>,
    ) -> Result<Response<pb::GetTimelineResponse>, Status> {
        let principal = principal(&request)?;
        principal.reader()?;
        let request = request.into_inner();
        let of = match request.of {
            Some(Of::Conversation(id)) => parse("conversation", &id).map(TimelineOf::Conversation),
            Some(Of::Party(id)) => parse("party", &id).map(TimelineOf::Party),
            Some(Of::Contact(id)) => parse("contact", &id).map(TimelineOf::Contact),
            None => Err(invalid("say whose timeline: a `conversation`, a `party` or a `contact`")),
        };
        let of = of.map_err(malformed)?;
        let after = match request.after.as_str() {
            "" => None,
            text => Some(parse("after", text).map_err(malformed)?),
        };
        let shown = principal.sees_pii(request.include_pii)?;
        let opener = Opener { vault: self.0.vault.clone(), tenant: principal.tenant.clone(), shown };
        let size = page_size(request.page_size);
        let found = self.0.store.timeline(&principal.tenant, &of, after, size).await;
        let found = found.map_err(|error| match error {
            projections::Error::NoEntry { .. } => malformed(invalid(format!("`after`: {error}"))),
            error => unreadable(error),
        })?;
        // The client goes on from where it was when nothing is new.
        let next = found.last().map_or(request.after, |last| last.id.to_string());
        let mut entries = Vec::with_capacity(found.len());
        for entry in found {
            entries.push(self::shown(&opener, entry).await?);
        }
        Ok(Response::new(pb::GetTimelineResponse { entries, next }))
    }

    async fn why(&self, request: Request<pb::WhyRequest>) -> Result<Response<pb::WhyResponse>, Status> {
        let principal = principal(&request)?;
        principal.reader()?;
        let (tenant, request) = (&principal.tenant, request.into_inner());
        let id = parse("conversation", &request.conversation).map_err(malformed)?;
        let unknown = || Status::not_found(format!("there is no conversation {id}"));
        // Its timeline says when it began, to whom it belongs to.
        let first = self.0.store.timeline(tenant, &TimelineOf::Conversation(id), None, 1).await;
        let began = first.map_err(unreadable)?.first().map(|entry| entry.at).ok_or_else(unknown)?;
        let story = why::read(&self.0, tenant, id, began).await?;
        if !story.is_known() {
            return Err(unknown());
        }
        let mut sentences = story.sentences();
        let left_out = sentences.len().saturating_sub(MOST_SENTENCES);
        sentences.truncate(MOST_SENTENCES);
        let told = sentences.into_iter().map(|(at, text)| pb::Sentence { at: convert::time(at), text });
        let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        Ok(Response::new(pb::WhyResponse { sentences: told.collect(), left_out }))
    }
}

/// A message is 4 MiB at most.
const MOST_SENTENCES: usize = 5_000;

async fn shown(opener: &Opener, entry: Entry) -> Result<pb::TimelineEntry, Status> {
    let (delivery, reason) = match entry.delivery {
        Some(delivery) => (status(delivery.status), delivery.reason.unwrap_or_default()),
        None => (pb::DeliveryStatus::Unspecified, String::new()),
    };
    let (held_until, delivery_reason) = match delivery {
        pb::DeliveryStatus::Held => {
            let until = reason.parse().ok().map(domain::Timestamp);
            (until.and_then(convert::time), String::new())
        }
        _ => (None, reason),
    };
    Ok(pb::TimelineEntry {
        id: entry.id.to_string(),
        at: convert::time(entry.at),
        conversation: entry.conversation.map(|id| id.to_string()).unwrap_or_default(),
        party: entry.party.to_string(),
        inbox: entry.inbox.to_string(),
        channel: entry.channel.map_or(pb::Channel::Unspecified, convert::channel).into(),
        kind: entry.kind.as_str().to_owned(),
        author: entry.author.to_string(),
        message: entry.message.map(|id| id.to_string()).unwrap_or_default(),
        body: match entry.body {
            Some(body) => Some(opener.body(body.item, &body.sealed).await?),
            None => None,
        },
        delivery: delivery.into(),
        delivery_reason,
        held_until,
        detail: entry.detail.unwrap_or_default(),
        about: entry.about.map(|id| id.to_string()).unwrap_or_default(),
        taken_back: entry.taken_back,
    })
}

fn status(status: DeliveryStatus) -> pb::DeliveryStatus {
    match status {
        DeliveryStatus::Held => pb::DeliveryStatus::Held,
        DeliveryStatus::Withheld => pb::DeliveryStatus::Withheld,
        DeliveryStatus::Unknown => pb::DeliveryStatus::Unknown,
        DeliveryStatus::Sent => pb::DeliveryStatus::Sent,
        DeliveryStatus::Failed => pb::DeliveryStatus::Failed,
        DeliveryStatus::Delivered => pb::DeliveryStatus::Delivered,
        DeliveryStatus::Read => pb::DeliveryStatus::Read,
    }
}
