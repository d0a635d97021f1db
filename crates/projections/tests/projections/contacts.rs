use domain::{Channel, CommandId, ContactId, ConversationId, Timestamp, contact, conversation::What};
use projections::{Address, ContactRow, EntryKind, TimelineOf};

use crate::world::*;

fn id(n: u8) -> ContactId {
    ContactId(party(n).0)
}

fn linked(contact: u8, n: u8, was: u8) -> contact::Event {
    contact::Event::Linked { tenant: acme(), contact: id(contact), party: party(n), was: id(was) }
}

fn tagged(contact: u8, tag: &str) -> contact::Event {
    contact::Event::Tagged { tenant: acme(), contact: id(contact), tag: tag.into() }
}

fn untagged(contact: u8, tag: &str) -> contact::Event {
    contact::Event::Untagged { tenant: acme(), contact: id(contact), tag: tag.into() }
}

/// Two customers, one in each partition of the conversations.
async fn two_strangers() -> World {
    let mut world = World::new();
    world.say(100, hello(1, 100)).await;
    world.say(110, hello(2, 110)).await;
    world.say(120, [received(first(1), 3)]).await;
    world.say(130, [received(first(2), 4)]).await;
    world.ledger(140, [created(1, 100), created(2, 110)]).await;
    world
}

#[tokio::test]
async fn a_contact_is_shown_whole() {
    let mut world = two_strangers().await;
    world.ledger(150, [tagged(1, "vip"), tagged(1, "beta"), tagged(1, "old"), untagged(1, "old")]).await;
    world.project().await;
    let address = Address {
        party: party(1),
        inbox: inbox(),
        channel: Channel::Messenger,
        sealed: sealed(1, "sealed address"),
        first_seen: Timestamp(100),
    };
    let expected = ContactRow {
        id: id(1),
        created_at: Timestamp(100),
        tags: vec!["beta".into(), "vip".into()],
        addresses: vec![address],
    };
    assert_eq!(world.store.contact(&acme(), id(1)).await.unwrap(), Some(expected.clone()));
    assert_eq!(world.store.contact(&acme(), id(9)).await.unwrap(), None);
    assert_eq!(world.store.contacts(&acme(), None, 100).await.unwrap()[0], expected);
}

#[tokio::test]
async fn two_addresses_are_one_contact_until_they_are_parted() {
    let mut world = two_strangers().await;
    world.ledger(150, [tagged(2, "press")]).await;
    world.project().await;
    let before = world.store.contact(&acme(), id(2)).await.unwrap().unwrap();
    let joined = contact::Event::Joined { tenant: acme(), contact: id(1), party: party(2), was: Some(id(2)) };
    let command = CommandId([7; 16]);
    let (here, other) = (first(1), first(2));
    let taken = What::TakenIn { conversation: other, into: here, by: agent(), command };
    world.say(160, [taken]).await;
    world.say(160, [What::AddressJoined { conversation: here, other, by: agent(), command }]).await;
    world.ledger(161, [joined]).await;
    world.project().await;
    assert_eq!(world.store.contact(&acme(), id(2)).await.unwrap(), None);
    let whole = world.timeline(TimelineOf::Contact(id(1))).await;
    let told = |conversation: ConversationId| {
        whole
            .iter()
            .filter(move |entry| entry.conversation == Some(conversation))
            .map(|entry| entry.kind)
            .last()
    };
    assert_eq!(told(here), Some(EntryKind::AddressJoined));
    assert_eq!(told(other), Some(EntryKind::TakenIn));

    let parted = contact::Event::Parted { tenant: acme(), contact: id(2), party: party(2), was: id(1) };
    world.ledger(170, [parted, tagged(2, "press")]).await;
    world.project().await;
    let after = world.store.contact(&acme(), id(2)).await.unwrap().unwrap();
    assert_eq!((after.tags, after.addresses), (before.tags, before.addresses));
    let left = world.store.contact(&acme(), id(1)).await.unwrap().unwrap();
    assert_eq!(left.addresses.len(), 1);
}

#[tokio::test]
async fn linking_an_address_moves_its_history_and_no_row() {
    let mut world = two_strangers().await;
    world.project().await;
    let of = |n| TimelineOf::Contact(id(n));
    let (first, second) = (world.timeline(of(1)).await, world.timeline(of(2)).await);
    assert_eq!((first.len(), second.len()), (4, 4));

    world.ledger(150, [tagged(2, "lost"), linked(1, 2, 2)]).await;
    world.project().await;
    let both = world.timeline(of(1)).await;
    assert_eq!(
        both.iter().map(|entry| entry.at.0).collect::<Vec<_>>(),
        [100, 100, 100, 110, 110, 110, 120, 130]
    );
    let mut expected = [first, second].concat();
    expected.sort_by_key(|entry| (entry.at, entry.id));
    assert_eq!(both, expected, "the entries are the same, ids included");

    // The contact that its only address left is gone, with its tags.
    assert_eq!(world.timeline(of(2)).await, []);
    assert_eq!(world.store.contact(&acme(), id(2)).await.unwrap(), None);
    let all = world.store.contacts(&acme(), None, 100).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].addresses.iter().map(|address| address.party).collect::<Vec<_>>(),
        [party(1), party(2)]
    );
    assert_eq!(all[0].tags, [""; 0]);
}

#[tokio::test]
async fn a_contact_that_keeps_an_address_stays() {
    let mut world = two_strangers().await;
    world.say(100, hello(3, 100)).await;
    world.ledger(150, [created(3, 150), linked(1, 2, 2), tagged(1, "vip"), linked(3, 1, 1)]).await;
    world.project().await;
    let all = world.store.contacts(&acme(), None, 100).await.unwrap();
    let parties = |n: usize| all[n].addresses.iter().map(|address| address.party).collect::<Vec<_>>();
    assert_eq!(all.iter().map(|contact| contact.id).collect::<Vec<_>>(), [id(1), id(3)]);
    assert_eq!((parties(0), parties(1)), (vec![party(2)], vec![party(1), party(3)]));
    assert_eq!(all[0].tags, ["vip"]);
}

#[tokio::test]
async fn a_contacts_timeline_pages_across_its_addresses() {
    let mut world = two_strangers().await;
    world.ledger(150, [linked(1, 2, 2)]).await;
    world.project().await;
    let of = TimelineOf::Contact(id(1));
    let whole = world.timeline(of).await;
    for limit in 1..=9 {
        let mut joined = Vec::new();
        let mut after = None;
        loop {
            let page = world.store.timeline(&acme(), &of, after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            joined.extend(page);
        }
        assert_eq!(joined, whole, "in pages of {limit}");
    }
}

#[tokio::test]
async fn contacts_page_in_the_order_of_their_ids() {
    let mut world = World::new();
    let parties = [5, 1, 4, 0, 3, 2];
    for n in parties {
        world.say(100, hello(n, 100)).await;
        world.ledger(100, [created(n, 100)]).await;
    }
    world.project().await;
    let mut found = Vec::new();
    loop {
        let page = world.store.contacts(&acme(), found.last().copied(), 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page.iter().map(|contact| contact.id));
    }
    assert_eq!(found, [0, 1, 2, 3, 4, 5].map(id));
}

/// The ledger may be further than the conversation the address stands in.
#[tokio::test]
async fn an_address_that_is_not_there_yet_is_left_out() {
    let mut world = World::new();
    world.ledger(100, [created(1, 100)]).await;
    world.project().await;
    let contact = world.store.contact(&acme(), id(1)).await.unwrap().unwrap();
    assert_eq!(contact.addresses, []);
    assert_eq!(world.timeline(TimelineOf::Contact(id(1))).await, []);

    world.say(100, hello(1, 100)).await;
    world.project().await;
    let contact = world.store.contact(&acme(), id(1)).await.unwrap().unwrap();
    assert_eq!(contact.addresses.len(), 1);
}
