//! The public gRPC API, as the holder of a token.

use std::time::Duration;

use tonic::{
    Request, Status, Streaming,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use wire::api::v1::{
    self as pb, contacts_client::ContactsClient, desk_client::DeskClient, events_client::EventsClient,
    get_timeline_request::Of, operator_client::OperatorClient, supervision_client::SupervisionClient,
    timelines_client::TimelinesClient,
};

use crate::process::Addresses;

type Authorized = InterceptedService<Channel, Bearer>;

#[derive(Clone)]
pub(crate) struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

/// Connects when asked, and again when the connection is gone.
#[derive(Clone)]
pub(crate) struct Api {
    channel: Channel,
    bearer: Bearer,
}

impl Api {
    pub(crate) fn new(at: Addresses, token: &str) -> Api {
        let endpoint = Endpoint::from_shared(format!("http://{}", at.grpc)).unwrap();
        let channel = endpoint.connect_timeout(Duration::from_secs(5)).connect_lazy();
        Api { channel, bearer: Bearer(token.to_owned()) }
    }

    /// The connection itself, without a token.
    pub(crate) fn anonymous(&self) -> Channel {
        self.channel.clone()
    }

    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    pub(crate) fn desk(&self) -> DeskClient<Authorized> {
        DeskClient::new(self.authorized())
    }

    pub(crate) fn contacts(&self) -> ContactsClient<Authorized> {
        ContactsClient::new(self.authorized())
    }

    pub(crate) fn operator(&self) -> OperatorClient<Authorized> {
        OperatorClient::new(self.authorized())
    }

    pub(crate) fn supervision(&self) -> SupervisionClient<Authorized> {
        SupervisionClient::new(self.authorized())
    }

    pub(crate) fn timelines(&self) -> TimelinesClient<Authorized> {
        TimelinesClient::new(self.authorized())
    }

    /// A whole timeline, page by page.
    pub(crate) async fn timeline(&self, of: Of) -> Result<Vec<pb::TimelineEntry>, Status> {
        let mut entries = Vec::new();
        let mut after = String::new();
        loop {
            // Small pages, so that turning them is tried as well.
            let of = Some(of.clone());
            let request = pb::GetTimelineRequest { of, after, page_size: 7, include_pii: true };
            let page = self.timelines().get(request).await?.into_inner();
            if page.entries.is_empty() {
                return Ok(entries);
            }
            entries.extend(page.entries);
            after = page.next;
        }
    }

    /// All contacts, page by page.
    pub(crate) async fn all_contacts(&self) -> Result<Vec<pb::Contact>, Status> {
        let mut contacts = Vec::new();
        let mut after = String::new();
        loop {
            let request = pb::ListContactsRequest { after, page_size: 50, include_pii: true };
            let page = self.contacts().list(request).await?.into_inner();
            contacts.extend(page.contacts);
            if page.next.is_empty() {
                return Ok(contacts);
            }
            after = page.next;
        }
    }

    /// Every event there is to see, from behind the cursor on.
    pub(crate) async fn subscribe(&self, cursor: &str) -> Result<Streaming<pb::SubscribeResponse>, Status> {
        let sources =
            [pb::Source::Conversation, pb::Source::Desk, pb::Source::Contact, pb::Source::Workspace];
        let filter = pb::EventFilter { sources: sources.map(Into::into).to_vec(), ..Default::default() };
        let request = pb::SubscribeRequest {
            cursor: cursor.to_owned(),
            filter: Some(filter),
            include_pii: true,
            ..Default::default()
        };
        Ok(EventsClient::new(self.authorized()).subscribe(request).await?.into_inner())
    }

    /// The events from behind the cursor to the end that there is now.
    pub(crate) async fn events_after(&self, cursor: &str) -> Result<Vec<pb::Event>, Status> {
        use pb::subscribe_response::Item;
        let mut stream = self.subscribe(cursor).await?;
        let mut events = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), stream.message());
            match next.await.expect("`CaughtUp` within 20 s")?.and_then(|response| response.item) {
                Some(Item::Event(event)) => events.push(event),
                Some(Item::CaughtUp(_)) => return Ok(events),
                Some(_) => {}
                None => return Err(Status::unavailable("the subscription ended before `CaughtUp`")),
            }
        }
    }
}
