//! Tokens in links: made here, shown by customers, and what the timelines say of both.

use domain::{
    Content, MessageId, Route, TenantId,
    conversation::{Entry, ShownToken, Token},
    policy::Link,
};
use tonic::Code;
use wire::{
    LinkToken,
    api::v1::{
        self as pb, body, contacts_client::ContactsClient, get_timeline_request::Of,
        timelines_client::TimelinesClient, workspace_client::WorkspaceClient,
    },
};

use super::{
    reads::eventually,
    world::{TOPOLOGY, World, append, policy},
};

impl World {
    /// With a link into the inbox of `acme`.
    async fn with_link() -> World {
        let world = World::led().await;
        let mut policy = policy("acme");
        let link = Link {
            inbox: "acme-chat".parse().unwrap(),
            reference: Some("summer".into()),
            campaign: None,
            queue: None,
            bot: None,
            people_only: false,
            first_message: None,
            text: None,
            tags: vec![],
        };
        policy.links = [("summer".parse().unwrap(), link)].into();
        let request = pb::ApplyWorkspaceRequest {
            command_id: "link".into(),
            policy: Some(api::policy_message(&policy)),
        };
        WorkspaceClient::new(world.with_token("admin").await).apply(request).await.unwrap();
        world
    }

    /// A customer writes, by a link with what stands in it.
    async fn shows(&self, who: &str, reference: &str) {
        let mut received = self.received("acme", who, &format!("hello by {reference}")).await;
        let (_, written) = LinkToken::split(reference);
        let acme: TenantId = "acme".parse().unwrap();
        let read = self.vault.read_reference(&LinkToken::purpose(&acme), written.unwrap());
        let LinkToken { id, contact, expires_at, about } = LinkToken::decode(&read.unwrap()).unwrap();
        let message = MessageId([9; 16]);
        let content = wire::encode_content(&Content { text: about, ..Content::default() });
        let about = Some(self.seal("acme", received.from.party, message, &content).await);
        let token = Token { id, contact, expires_at, message, about };
        let token = Some(ShownToken::Ours(Box::new(token)));
        received.entry = Some(Box::new(Entry { link: None, token }));
        let peer = TOPOLOGY.peer(&Route::Party(received.from.party));
        append(&self.log, peer.kind.intake_topic(), peer.partition, self.fact(received)).await;
    }

    /// The entry of this kind in a contact's timeline.
    async fn entry_of(&self, contact: &str, kind: &str) -> pb::TimelineEntry {
        let mut timelines = TimelinesClient::new(self.with_token("admin").await);
        eventually(kind, async || {
            let request = pb::GetTimelineRequest {
                of: Some(Of::Contact(contact.to_owned())),
                page_size: 100,
                include_pii: true,
                ..Default::default()
            };
            let entries = timelines.get(request).await.unwrap().into_inner().entries;
            entries.into_iter().find(|entry| entry.kind == kind)
        })
        .await
    }

    /// The contact that the customer's first message made.
    async fn contact_of(&self, who: &str) -> String {
        self.write("acme", who, "hello").await;
        let id = domain::ContactId(self.party("acme", who).0).to_string();
        let mut contacts = ContactsClient::new(self.with_token("admin").await);
        eventually("the contact", async || {
            contacts.get(pb::GetContactRequest { contact: id.clone(), include_pii: false }).await.ok()
        })
        .await;
        id
    }
}

fn request(contact: &str) -> pb::MakeTokenRequest {
    let (contact, about) = (contact.to_owned(), "order 4711".to_owned());
    pb::MakeTokenRequest { contact, link: "summer".into(), about, valid_for: None }
}

#[tokio::test]
async fn who_follows_a_link_with_a_token_first_is_the_contact_and_the_timelines_say_so() {
    let world = World::with_link().await;
    let (alice, carol) = (world.contact_of("alice").await, world.contact_of("carol").await);
    let mut admin = ContactsClient::new(world.with_token("admin").await);
    let made = admin.make_token(request(&alice)).await.unwrap().into_inner();
    assert!(made.r#ref.starts_with("summer.tk1-") && made.r#ref.len() <= 250, "{}", made.r#ref);
    assert_eq!(made.url, format!("https://m.me/page?ref={}", made.r#ref));
    assert!(!made.r#ref.contains(&alice), "the contact does not show");

    world.shows("alice-on-messenger", &made.r#ref).await;
    let tied = world.entry_of(&alice, "tied").await;
    assert_eq!(tied.detail, alice);
    match tied.body.unwrap().state.unwrap() {
        body::State::Content(content) => assert_eq!(content.text, "order 4711"),
        other => panic!("not shown: {other:?}"),
    }
    let contact = eventually("two addresses", async || {
        let request = pb::GetContactRequest { contact: alice.clone(), include_pii: false };
        let contact = admin.get(request).await.unwrap().into_inner();
        (contact.addresses.len() == 2).then_some(contact)
    })
    .await;
    let parties = ["alice", "alice-on-messenger"].map(|who| world.party("acme", who).to_string());
    assert!(contact.addresses.iter().all(|address| parties.contains(&address.party)));

    // Somebody else with the same link is who they were.
    world.shows("carol", &made.r#ref).await;
    let not_tied = world.entry_of(&carol, "not_tied").await;
    assert_eq!((not_tied.detail.as_str(), not_tied.body), ("used", None));
    let request = pb::GetContactRequest { contact: alice.clone(), include_pii: false };
    assert_eq!(admin.get(request).await.unwrap().into_inner().addresses.len(), 2);
}

#[tokio::test]
async fn tokens_are_made_for_contacts_of_the_tenant_by_who_may_change_them() {
    let world = World::with_link().await;
    let alice = world.contact_of("alice").await;
    let code = async |token, request: pb::MakeTokenRequest| {
        let mut contacts = ContactsClient::new(world.with_token(token).await);
        contacts.make_token(request).await.map(drop).map_err(|status| status.code())
    };
    assert_eq!(code("ann", request(&alice)).await, Ok(()));
    assert_eq!(code("reader", request(&alice)).await, Err(Code::PermissionDenied));
    assert_eq!(code("acme-helper", request(&alice)).await, Err(Code::PermissionDenied));
    assert_eq!(code("other-admin", request(&alice)).await, Err(Code::NotFound));
    let nobody = "00000000000000000000000000000000";
    assert_eq!(code("admin", request(nobody)).await, Err(Code::NotFound));
    let no_link = pb::MakeTokenRequest { link: "winter".into(), ..request(&alice) };
    assert_eq!(code("admin", no_link).await, Err(Code::NotFound));
    for seconds in [-1, 59, 86_401] {
        let valid_for = Some(prost_types::Duration { seconds, nanos: 0 });
        let asked = pb::MakeTokenRequest { valid_for, ..request(&alice) };
        assert!(code("admin", asked).await.is_err(), "{seconds} s");
    }
    for about in ["x".repeat(49), "two\nlines".into()] {
        assert!(code("admin", pb::MakeTokenRequest { about, ..request(&alice) }).await.is_err());
    }
}
