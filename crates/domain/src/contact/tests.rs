use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use crate::{
    Aggregate, Channel, Code, ContactId, Context, Party, Policies, Rejection, Relay, Route, Sealed, Tags,
    TenantId, Timestamp,
    conversation::{self, Correspondent},
};

use super::{Command, Contacts, Decider, Event};

mod tie;

const NOW: Timestamp = Timestamp(1_000);

#[derive(Default)]
struct Story(Contacts);

impl Story {
    /// Decides and folds.
    fn when(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        let policies = Policies::default();
        let events =
            Decider::decide(&self.0, &Context { now: NOW, policies: &policies, command: None }, &command)?;
        for event in &events {
            Decider::evolve(&mut self.0, NOW, event);
        }
        Ok(events)
    }

    fn refused(&mut self, command: Command) -> Code {
        self.when(command).unwrap_err().code
    }

    fn tags(&self, contact: u8) -> usize {
        self.0.get(&acme(), id(contact)).unwrap().tags.len()
    }
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn globex() -> TenantId {
    "globex".parse().unwrap()
}

fn party(n: u8) -> Party {
    Party([n; 16])
}

/// The contact that the party's first sign of life created.
fn id(n: u8) -> ContactId {
    ContactId(party(n).0)
}

fn from(tenant: TenantId, n: u8) -> Correspondent {
    Correspondent {
        tenant,
        inbox: "email".parse().unwrap(),
        channel: Channel::Email,
        party: party(n),
        address: Sealed { subject: party(n), bytes: Bytes::from_static(b"sealed") },
    }
}

fn see(n: u8) -> Command {
    Command::See { from: from(acme(), n), at: NOW }
}

fn link(contact: u8, to: u8) -> Command {
    Command::Link { tenant: acme(), contact: id(contact), party: party(to) }
}

fn tag(contact: u8, tag: &str) -> Command {
    Command::Tag { tenant: acme(), contact: id(contact), tag: tag.into() }
}

fn untag(contact: u8, tag: &str) -> Command {
    Command::Untag { tenant: acme(), contact: id(contact), tag: tag.into() }
}

/// The conversations of an address learn of these tags.
fn told(n: u8, tags: &[&str]) -> Event {
    Event::TagsTold { tenant: acme(), party: party(n), tags: Tags::of(tags.iter().copied()) }
}

/// The conversations of an address learn of these other addresses.
fn others(n: u8, others: &[u8]) -> Event {
    Event::OthersTold { tenant: acme(), party: party(n), others: others.iter().copied().map(party).collect() }
}

/// Whatever an address is linked to, and in whichever order, its conversations know the tags of its contact.
#[test]
fn whoever_has_a_new_address_stays_the_same_contact() {
    let mut story = Story::default();
    let follow = |from_party: u8, to: u8, moved| Command::Follow {
        party: party(from_party),
        to: from(acme(), to),
        moved,
        at: NOW,
    };
    assert_eq!(story.when(follow(1, 2, true)), Ok(vec![]), "nobody is known");
    story.when(Command::See { from: from(acme(), 1), at: NOW }).unwrap();
    story.when(Command::Tag { tenant: acme(), contact: id(1), tag: "vip".into() }).unwrap();
    let events = story.when(follow(1, 2, true)).unwrap();
    let linked = Event::Linked { tenant: acme(), contact: id(1), party: party(2), was: id(2) };
    assert!(
        matches!(&events[..], [Event::Created { .. }, it, Event::TagsTold { .. }, ..] if *it == linked),
        "{events:?}"
    );
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(1)));
    let learns = |event: &&Event| matches!(event, Event::OthersTold { others, .. } if others.len() == 1);
    assert_eq!(events.iter().filter(learns).count(), 2, "both addresses learn of each other: {events:?}");
    assert_eq!(story.when(follow(1, 2, false)), Ok(vec![]), "it is no news");
}

#[test]
fn a_number_that_was_someone_elses_stays_theirs() {
    let mut story = Story::default();
    for n in [1, 2] {
        story.when(Command::See { from: from(acme(), n), at: NOW }).unwrap();
    }
    let follow = |moved| Command::Follow { party: party(1), to: from(acme(), 2), moved, at: NOW };
    assert_eq!(story.when(follow(true)), Ok(vec![]));
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(2)));
    // What the platform tells of one person at one time is that person.
    story.when(follow(false)).unwrap();
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(1)));
}

#[test]
fn all_addresses_of_a_contact_learn_of_its_tags() {
    let mut story = Story::default();
    for n in [1, 2, 3] {
        story.when(see(n)).unwrap();
    }
    let linked = |party: u8, was: u8| Event::Linked {
        tenant: acme(),
        contact: id(1),
        party: self::party(party),
        was: id(was),
    };
    let first = vec![linked(2, 2), others(1, &[2]), others(2, &[1])];
    assert_eq!(story.when(link(1, 2)), Ok(first), "neither had any");
    let tagged = Event::Tagged { tenant: acme(), contact: id(1), tag: "vip".into() };
    let both = vec![tagged, told(1, &["vip"]), told(2, &["vip"])];
    assert_eq!(story.when(tag(1, "vip")), Ok(both));
    story.when(tag(3, "old")).unwrap();
    let all = [others(1, &[2, 3]), others(2, &[1, 3]), others(3, &[1, 2])];
    let third = [vec![linked(3, 3), told(3, &["vip"])], all.to_vec()].concat();
    assert_eq!(story.when(link(1, 3)), Ok(third));
    story.when(tag(1, "old")).unwrap();
    let untagged = Event::Untagged { tenant: acme(), contact: id(1), tag: "vip".into() };
    let rest = [1, 2, 3].map(|n| told(n, &["old"]));
    assert_eq!(story.when(untag(1, "vip")), Ok([vec![untagged], rest.to_vec()].concat()));

    let (route, relay) = Decider::relay(&told(3, &["old"])).expect("it is told");
    let tags = Tags::of(["old"]);
    let note = conversation::Command::NoteTags { tenant: acme(), party: party(3), tags };
    assert_eq!((route, relay), (Route::Party(party(3)), Relay::Conversation(note)));
}

/// Who leaves a contact is another's other, and none of those it leaves.
#[test]
fn all_addresses_of_a_contact_learn_of_each_other() {
    let mut story = Story::default();
    for n in [1, 2, 3, 4] {
        story.when(see(n)).unwrap();
    }
    story.when(link(1, 2)).unwrap();
    story.when(link(1, 3)).unwrap();
    let linked = Event::Linked { tenant: acme(), contact: id(4), party: party(2), was: id(1) };
    let told = [others(2, &[4]), others(4, &[2]), others(1, &[3]), others(3, &[1])];
    assert_eq!(story.when(link(4, 2)), Ok([vec![linked], told.to_vec()].concat()));
    assert_eq!(story.when(see(2)), Ok(vec![others(2, &[4])]), "who comes again may not know");

    let (route, relay) = Decider::relay(&others(1, &[3])).expect("it is told");
    let note = conversation::Command::NoteOthers { tenant: acme(), party: party(1), others: vec![party(3)] };
    assert_eq!((route, relay), (Route::Party(party(1)), Relay::Conversation(note)));
}

#[test]
fn a_contact_has_only_so_many_addresses() {
    let mut story = Story::default();
    let party = |n: u16| Party([n.to_be_bytes(); 8].concat().try_into().unwrap());
    let link = |n: u16| Command::Link { tenant: acme(), contact: ContactId(party(0).0), party: party(n) };
    for n in 0..=256 {
        let from = Correspondent { party: party(n), ..from(acme(), 1) };
        story.when(Command::See { from, at: NOW }).unwrap();
    }
    for n in 1..256 {
        let told = story.when(link(n)).unwrap();
        for event in told {
            let Event::OthersTold { others, .. } = event else { continue };
            assert!(others.len() <= 15, "each is told of a few: what is decided at once is bounded");
        }
    }
    assert_eq!(story.refused(link(256)), Code::Invalid);
    let words: Vec<String> = (0..100).map(|n| format!("{n:064}")).collect();
    for word in &words {
        let tagged =
            Command::Tag { tenant: acme(), contact: ContactId(party(0).0), tag: word.as_str().into() };
        assert_eq!(story.when(tagged).unwrap().len(), 257);
    }
}

#[test]
fn first_sight_of_a_party_creates_its_contact() {
    let mut story = Story::default();
    let created = Event::Created { contact: id(1), from: from(acme(), 1), at: NOW };
    assert_eq!(story.when(see(1)), Ok(vec![created]));
    assert_eq!(story.0.owner(&acme(), party(1)), Some(id(1)));
    assert_eq!(story.0.get(&acme(), id(1)).unwrap().parties, [party(1)]);

    assert_eq!(story.when(see(1)), Ok(Vec::new()));
}

#[test]
fn a_linked_address_moves_and_an_empty_contact_is_gone() {
    let mut story = Story::default();
    for n in [1, 2, 3] {
        story.when(see(n)).unwrap();
    }
    let linked = Event::Linked { tenant: acme(), contact: id(1), party: party(2), was: id(2) };
    assert_eq!(story.when(link(1, 2)), Ok(vec![linked, others(1, &[2]), others(2, &[1])]));
    assert_eq!(story.0.get(&acme(), id(1)).unwrap().parties, [party(1), party(2)]);
    assert_eq!(story.0.get(&acme(), id(2)), None);

    assert_eq!(story.when(link(1, 2)), Ok(Vec::new()), "it is there already");
    assert_eq!(story.when(see(2)), Ok(vec![others(2, &[1])]), "the address is known, whosever it is");
    assert_eq!(story.refused(link(2, 3)), Code::NotFound, "nobody links to a contact that is gone");
    assert_eq!(story.refused(link(1, 9)), Code::NotFound, "nobody wrote from this address");

    // A contact keeps its id when the address it was named after leaves it.
    story.when(link(3, 1)).unwrap();
    assert_eq!(story.0.get(&acme(), id(1)).unwrap().parties, [party(2)]);
    assert_eq!(story.0.owner(&acme(), party(1)), Some(id(3)));
}

#[test]
fn tags_come_once_and_go_once() {
    let mut story = Story::default();
    story.when(see(1)).unwrap();
    let tagged = Event::Tagged { tenant: acme(), contact: id(1), tag: "vip".into() };
    assert_eq!(story.when(tag(1, "vip")), Ok(vec![tagged, told(1, &["vip"])]));
    assert_eq!(story.when(tag(1, "vip")), Ok(Vec::new()));

    let untagged = Event::Untagged { tenant: acme(), contact: id(1), tag: "vip".into() };
    assert_eq!(story.when(untag(1, "vip")), Ok(vec![untagged, told(1, &[])]));
    assert_eq!(story.when(untag(1, "vip")), Ok(Vec::new()));
    assert_eq!(story.tags(1), 0);

    assert_eq!(story.refused(tag(2, "vip")), Code::NotFound);
    assert_eq!(story.refused(untag(2, "vip")), Code::NotFound);
}

#[test]
fn tags_have_limits() {
    let mut story = Story::default();
    story.when(see(1)).unwrap();
    for bad in ["", "two\nlines", "\u{7f}", "\u{85}", &"x".repeat(65), &"ß".repeat(33)] {
        assert_eq!(story.refused(tag(1, bad)), Code::Invalid, "{bad:?}");
    }
    for n in 0..99 {
        story.when(tag(1, &format!("tag {n}"))).unwrap();
    }
    story.when(tag(1, &"ß".repeat(32))).unwrap();
    assert_eq!(story.tags(1), 100);
    assert_eq!(story.refused(tag(1, "one more")), Code::Invalid);
    assert_eq!(story.when(tag(1, "tag 7")), Ok(Vec::new()), "a tag that is there needs no room");

    story.when(untag(1, "tag 7")).unwrap();
    story.when(tag(1, "one more")).unwrap();
}

#[test]
fn tenants_do_not_see_each_others_contacts() {
    let mut story = Story::default();
    story.when(see(1)).unwrap();
    story.when(see(2)).unwrap();
    let theirs = story.0.clone();

    let link = Command::Link { tenant: globex(), contact: id(1), party: party(2) };
    let tag: Arc<str> = "vip".into();
    assert_eq!(story.refused(link), Code::NotFound);
    assert_eq!(
        story.refused(Command::Tag { tenant: globex(), contact: id(1), tag: tag.clone() }),
        Code::NotFound
    );
    assert_eq!(story.refused(Command::Untag { tenant: globex(), contact: id(1), tag }), Code::NotFound);
    assert_eq!(story.0, theirs);

    // Their own ledger begins with their own first sight, even of an address another tenant knows.
    assert_eq!(story.when(Command::See { from: from(globex(), 1), at: NOW }).unwrap().len(), 1);
    story.when(Command::Tag { tenant: globex(), contact: id(1), tag: "vip".into() }).unwrap();
    assert_eq!(story.tags(1), 0);
}

proptest! {
    /// Every address seen is exactly one contact's, and every contact has at least one address.
    #[test]
    fn every_address_is_one_contacts(links in prop::collection::vec((0..6u8, 0..6u8), 0..60)) {
        let mut story = Story::default();
        for n in 0..5 {
            story.when(see(n)).unwrap();
        }
        for (contact, to) in links {
            let before = story.0.clone();
            let known = before.get(&acme(), id(contact)).is_some() && to < 5;
            match story.when(link(contact, to)) {
                Ok(_) => prop_assert!(known && story.0.owner(&acme(), party(to)) == Some(id(contact))),
                Err(rejection) => prop_assert!(!known && rejection.code == Code::NotFound && story.0 == before),
            }
            let contacts: Vec<_> = (0..5).filter_map(|n| Some((id(n), story.0.get(&acme(), id(n))?))).collect();
            let mut linked = Vec::new();
            for (contact, found) in contacts {
                prop_assert!(!found.parties.is_empty());
                linked.extend(found.parties.iter().map(|party| (*party, Some(contact))));
            }
            linked.sort();
            let seen: Vec<_> = (0..5).map(|n| (party(n), story.0.owner(&acme(), party(n)))).collect();
            prop_assert_eq!(linked, seen);
        }
    }
}

proptest! {
    /// Whatever was linked and tagged before: a join that is taken back leaves the ledger as it was.
    #[test]
    fn a_join_that_is_parted_leaves_no_trace(
        before in prop::collection::vec((0..6u8, 0..5u8, any::<bool>()), 0..30), party in 0..5u8, to in 0..5u8,
    ) {
        let mut story = Story::default();
        for n in 0..5 {
            story.when(see(n)).unwrap();
        }
        for (contact, what, links) in before {
            let command = if links { link(contact, what) } else { tag(contact, &format!("tag {what}")) };
            _ = story.when(command);
        }
        let (before, party, to) = (story.0.clone(), self::party(party), self::party(to));
        let joined = story.when(Command::Join { tenant: acme(), party, to }).unwrap();
        prop_assert_eq!(story.0.owner(&acme(), party), story.0.owner(&acme(), to));
        if !joined.is_empty() {
            let parted = story.when(Command::Part { tenant: acme(), party, of: to }).unwrap();
            let tags = before.get(&acme(), before.owner(&acme(), party).unwrap()).unwrap().tags.clone();
            let tags = Tags::of(tags.iter().map(|tag| &**tag));
            let told = Event::TagsTold { tenant: acme(), party, tags };
            prop_assert!(parted.contains(&told), "{:?}", parted);
        }
        prop_assert_eq!(story.0, before);
    }
}

/// An agent may be faster than the first sign of life of an address.
#[test]
fn an_address_may_be_joined_before_it_is_seen() {
    let mut story = Story::default();
    story.when(see(1)).unwrap();
    story.when(Command::Join { tenant: acme(), party: party(2), to: party(1) }).unwrap();
    let created = |event: &Event| matches!(event, Event::Created { .. });
    assert!(!story.when(see(2)).unwrap().iter().any(created), "it is known by then");
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(1)));
    story.when(Command::Part { tenant: acme(), party: party(2), of: party(1) }).unwrap();
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(2)), "a contact of its own");
    assert_eq!(story.when(Command::Part { tenant: acme(), party: party(2), of: party(1) }), Ok(Vec::new()));
}

#[test]
fn events_about_unknown_contacts_change_nothing() {
    let mut state = Contacts::default();
    Decider::evolve(&mut state, NOW, &Event::Created { contact: id(1), from: from(acme(), 1), at: NOW });
    let before = state.clone();
    for tenant in [acme(), globex()] {
        for event in [
            Event::Linked { tenant: tenant.clone(), contact: id(2), party: party(1), was: id(1) },
            Event::Tagged { tenant: tenant.clone(), contact: id(2), tag: "vip".into() },
            Event::Untagged { tenant, contact: id(2), tag: "vip".into() },
        ] {
            Decider::evolve(&mut state, NOW, &event);
            assert_eq!(state, before, "{event:?}");
        }
    }
}
