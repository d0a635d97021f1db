//! What the projections hold, as the API shows it.

use std::time::Duration;

use tonic::{Code, Status};
use wire::api::v1::{
    self as pb, address, body, contacts_client::ContactsClient, get_timeline_request::Of,
    timelines_client::TimelinesClient,
};

use super::world::{World, soon};

/// Asks until the projection has come so far.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_timeline_is_paged_and_shows_what_the_caller_may_see() {
    let world = World::led().await;
    let conversation = world.write("acme", "alice", "one").await;
    world.write("acme", "alice", "two").await;
    let mut admin = TimelinesClient::new(world.with_token("admin").await);
    let request = |after: &str, include_pii| pb::GetTimelineRequest {
        of: Some(Of::Conversation(conversation.to_string())),
        after: after.into(),
        page_size: 1,
        include_pii,
    };
    let mut texts = Vec::new();
    let mut after = String::new();
    while texts.len() < 2 {
        let page = eventually("the next entry", async || {
            let page = admin.get(request(&after, true)).await.unwrap().into_inner();
            (!page.entries.is_empty()).then_some(page)
        })
        .await;
        assert_eq!(page.entries.len(), 1);
        after = page.next;
        let entry = &page.entries[0];
        assert_eq!(
            (entry.inbox.as_str(), entry.party.as_str()),
            ("acme-chat", &*conversation.party.to_string())
        );
        if entry.kind == "message_received" {
            assert_eq!(entry.author, "customer");
            match entry.body.clone().unwrap().state.unwrap() {
                body::State::Content(content) => texts.push(content.text),
                other => panic!("not shown: {other:?}"),
            }
        }
    }
    assert_eq!(texts, ["one", "two"]);

    let mut reader = TimelinesClient::new(world.with_token("reader").await);
    let whole = |include_pii| pb::GetTimelineRequest { page_size: 0, ..request("", include_pii) };
    assert_eq!(reader.get(whole(true)).await.unwrap_err().code(), Code::PermissionDenied);
    let entries = reader.get(whole(false)).await.unwrap().into_inner().entries;
    let bodies: Vec<_> = entries.into_iter().filter_map(|entry| entry.body?.state).collect();
    assert_eq!(bodies, vec![body::State::Withheld(()); 2]);

    let mut other = TimelinesClient::new(world.with_token("other-admin").await);
    assert!(other.get(whole(true)).await.unwrap().into_inner().entries.is_empty());
    for bad in [None, Some(Of::Party("nonsense".into()))] {
        let refused = admin.get(pb::GetTimelineRequest { of: bad, ..Default::default() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_conversation_tells_why_it_went_where_it_went() {
    let world = World::led().await;
    let conversation = world.write("acme", "alice", "hello").await.to_string();
    let mut reader = TimelinesClient::new(world.with_token("reader").await);
    let why = |conversation: &str| pb::WhyRequest { conversation: conversation.into() };
    // Known once it is in the timelines, and told by the desk a moment later.
    let told = eventually("the desk's part", async || {
        let told = reader.why(why(&conversation)).await.ok()?.into_inner();
        (told.sentences.len() > 2).then_some(told)
    });
    let told = told.await;
    let texts: Vec<_> = told.sentences.iter().map(|sentence| sentence.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "begins in inbox acme-chat (workspace version 1)",
            "waits for a person in queue acme/desk/all: no bot greets here",
            texts[2],
        ]
    );
    assert!(texts[2].starts_with("gets nobody in acme/desk/all: of the agents, 1 not there"), "{texts:?}");
    assert!(told.left_out == 0 && told.sentences.iter().all(|sentence| sentence.at.is_some()));

    let mut other = TimelinesClient::new(world.with_token("other-admin").await);
    assert_eq!(other.why(why(&conversation)).await.unwrap_err().code(), Code::NotFound);
    let never = "00000000000000000000000000000000-1";
    assert_eq!(reader.why(why(never)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(reader.why(why("nonsense")).await.unwrap_err().code(), Code::InvalidArgument);
    let mut bot = TimelinesClient::new(world.with_token("acme-helper").await);
    assert_eq!(bot.why(why(&conversation)).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn contacts_are_listed_tagged_linked_and_exported() {
    let world = World::led().await;
    world.write("acme", "alice", "hello").await;
    world.write("acme", "bob", "hello").await;
    let mut admin = ContactsClient::new(world.with_token("admin").await);
    let list = |page_size, after: &str| pb::ListContactsRequest {
        after: after.into(),
        page_size,
        include_pii: true,
    };
    let both = eventually("two contacts", async || {
        let page = admin.list(list(0, "")).await.unwrap().into_inner();
        let seen = page.contacts.iter().filter(|contact| contact.addresses.len() == 1).count();
        (seen == 2).then_some(page.contacts)
    })
    .await;
    let first = admin.list(list(1, "")).await.unwrap().into_inner();
    let second = admin.list(list(1, &first.next)).await.unwrap().into_inner();
    assert_eq!([&first.contacts[..], &second.contacts[..]].concat(), both);

    let address = |contact: &pb::Contact| contact.addresses[0].address.clone().unwrap().state.unwrap();
    let mut addresses: Vec<_> = both.iter().map(address).map(|state| format!("{state:?}")).collect();
    addresses.sort();
    let known = ["alice", "bob"].map(|who| format!("{:?}", address::State::Address(who.into())));
    assert_eq!(addresses, known);

    let tag = |command_id: &str, tag: &str| pb::TagContactRequest {
        command_id: command_id.into(),
        contact: both[0].id.clone(),
        tag: tag.into(),
    };
    admin.tag(tag("1", "vip")).await.unwrap();
    admin.tag(tag("2", "late")).await.unwrap();
    admin.untag(tag("3", "late")).await.unwrap();
    let party = both[1].addresses[0].party.clone();
    let link = |contact: &str| pb::LinkContactRequest {
        command_id: format!("link {contact}"),
        contact: contact.into(),
        party: party.clone(),
    };
    admin.link(link(&both[0].id)).await.unwrap();
    let joined = eventually("the joined contact", async || {
        let request = pb::GetContactRequest { contact: both[0].id.clone(), include_pii: false };
        let contact = admin.get(request).await.unwrap().into_inner();
        (contact.addresses.len() == 2 && contact.tags == ["vip"]).then_some(contact)
    })
    .await;
    let withheld = |address: &pb::ContactAddress| address.address.clone().unwrap().state.unwrap();
    assert!(joined.addresses.iter().all(|address| withheld(address) == address::State::Withheld(())));

    let mut exported =
        admin.export(pb::ExportContactsRequest { include_pii: true }).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(contact) = soon("the export", exported.message()).await.unwrap() {
        assert_eq!(contact.id, both[0].id, "the other has no address left");
        count += 1;
    }
    assert_eq!(count, 1);

    let unknown = admin.link(link("00000000000000000000000000000000")).await.unwrap_err();
    assert_eq!(unknown.metadata().get("tributary-code").unwrap(), "not_found");
    let mut reader = ContactsClient::new(world.with_token("reader").await);
    assert_eq!(denied(reader.tag(tag("4", "x")).await), Code::PermissionDenied);
    assert_eq!(denied(reader.export(pb::ExportContactsRequest::default()).await), Code::PermissionDenied);
    let mut other = ContactsClient::new(world.with_token("other-admin").await);
    assert!(other.list(list(0, "")).await.unwrap().into_inner().contacts.is_empty());
    let request = pb::GetContactRequest { contact: both[0].id.clone(), include_pii: false };
    assert_eq!(denied(other.get(request).await), Code::NotFound);
}

pub(crate) fn denied<T>(result: Result<T, Status>) -> Code {
    result.err().expect("refused").code()
}
