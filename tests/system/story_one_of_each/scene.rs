//! One binary with all who talk to it, and how what it does is awaited.

use std::collections::BTreeSet;

use wire::api::v1::{self as pb, event::Kind, get_timeline_request::Of};

use crate::{
    clients::{Agent, Answer, Api, Channel, Message, Providers},
    count,
    outbox::{self, Sent},
    process::{Addresses, Binary, Place},
};

pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) binary: Binary,
    pub(super) providers: Providers,
    pub(super) admin: Api,
}

impl Scene {
    pub(super) async fn start() -> Scene {
        let place = Place::new();
        let binary = Binary::start(&place.data(), Addresses::any()).await;
        let (providers, admin) = (Providers::new(binary.at), Api::new(binary.at, "dev"));
        Scene { place, binary, providers, admin }
    }

    pub(super) async fn agent(&self, name: &str) -> Agent {
        let api = Api::new(self.binary.at, &format!("dev-{name}"));
        let agent = Agent::arrive(&api).await.unwrap();
        assert_eq!(agent.welcome.agent, format!("dev/support/{name}"));
        agent
    }

    pub(super) async fn receives(&self, message: &Message) {
        assert_eq!(self.providers.deliver(message).await, Answer::Taken, "{message:?}");
    }

    /// Awaits the `n`th message to this customer. The newest of them, by what was sent before.
    pub(super) async fn sends(&mut self, channel: Channel, to: &str, text: &str) -> Sent {
        let data = self.place.data();
        let awaited = format!("{text:?} to {to} in the outbox of {}", channel.inbox());
        self.binary
            .until(&awaited, async |_| {
                let fits = |sent: &Sent| {
                    sent.inbox == channel.inbox() && sent.to == to && sent.text.starts_with(text)
                };
                let mut found = outbox::sent(&data).into_iter().filter(fits);
                let first = found.next();
                assert!(found.next().is_none(), "twice: {awaited}");
                first
            })
            .await
    }

    /// The conversations of the customer so far.
    pub(super) async fn conversations(&self, channel: Channel, address: &str) -> BTreeSet<String> {
        let events = self.admin.events_after("").await.unwrap();
        let seen = |event: &&pb::Event| match &event.kind {
            Some(Kind::CustomerSeen(seen)) => {
                event.inbox == channel.inbox() && count::address(&seen.address) == Some(address)
            }
            _ => false,
        };
        let party = &events.iter().find(seen).expect("the customer was seen").party;
        let of_party = events.iter().filter(|event| event.party == *party);
        of_party.map(|event| event.conversation.clone()).filter(|id| !id.is_empty()).collect()
    }

    pub(super) async fn conversation(&self, channel: Channel, address: &str) -> String {
        let conversations = self.conversations(channel, address).await;
        assert_eq!(conversations.len(), 1, "{address} has one conversation: {conversations:?}");
        conversations.into_iter().next().unwrap()
    }

    /// Awaits a timeline that ends with this kind of entry.
    pub(super) async fn timeline(&mut self, of: Of, last: &[&str]) -> Vec<pb::TimelineEntry> {
        let admin = self.admin.clone();
        self.binary
            .until(&format!("a timeline that ends with {last:?}"), async |_| {
                let entries = admin.timeline(of.clone()).await.unwrap();
                let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
                kinds.ends_with(last).then_some(entries)
            })
            .await
    }
}
