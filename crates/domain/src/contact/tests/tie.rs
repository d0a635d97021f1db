//! Tokens in links: whose the address is that shows one.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    MessageId, Millis, TokenId,
    conversation::{Token, Untied},
};

fn token(n: u8, contact: ContactId, expires_at: Timestamp) -> Token {
    Token { id: TokenId([n; 16]), contact, expires_at, message: MessageId([n; 16]), about: None }
}

fn show(n: u8, token: &Token) -> Command {
    Command::Tie { tenant: acme(), party: party(n), token: Box::new(token.clone()) }
}

fn taken(n: u8, token: &Token, refused: Option<Untied>) -> Event {
    Event::TokenTaken { tenant: acme(), party: party(n), token: Box::new(token.clone()), refused }
}

fn linked(party: u8, contact: u8) -> Event {
    Event::Linked { tenant: acme(), contact: id(contact), party: self::party(party), was: id(party) }
}

fn later() -> Timestamp {
    NOW + Millis::seconds(600)
}

fn seen(parties: &[u8]) -> Story {
    let mut story = Story::default();
    for n in parties {
        story.when(see(*n)).unwrap();
    }
    story
}

#[test]
fn who_shows_a_token_first_is_the_contact_and_brings_along_what_was_known() {
    let mut story = seen(&[1, 2, 3]);
    story.when(tag(1, "vip")).unwrap();
    story.when(tag(2, "leaflet")).unwrap();
    let good = token(9, id(1), later());
    let tagged = Event::Tagged { tenant: acme(), contact: id(1), tag: "leaflet".into() };
    let both = ["leaflet", "vip"];
    let other =
        |n: u8, other: u8| Event::OthersTold { tenant: acme(), party: party(n), others: vec![party(other)] };
    let (first, second) = (other(1, 2), other(2, 1));
    let expected =
        vec![linked(2, 1), told(1, &both), tagged, told(2, &both), first, second, taken(2, &good, None)];
    assert_eq!(story.when(show(2, &good)), Ok(expected));
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(1)));
    assert_eq!(story.when(show(2, &good)), Ok(vec![]), "who follows the link twice stays who it is");
    assert_eq!(story.when(show(3, &good)), Ok(vec![taken(3, &good, Some(Untied::Used))]));
    assert_eq!(story.0.owner(&acme(), party(3)), Some(id(3)));
}

#[test]
fn a_token_that_came_too_late_or_names_nobody_is_refused() {
    let mut story = seen(&[1, 2]);
    let late = token(9, id(1), NOW);
    assert_eq!(story.when(show(2, &late)), Ok(vec![taken(2, &late, Some(Untied::Expired))]));
    let nobody = token(8, id(7), later());
    assert_eq!(story.when(show(2, &nobody)), Ok(vec![taken(2, &nobody, Some(Untied::NoContact))]));
    let ours = token(7, id(1), later());
    let mut foreign = show(2, &ours);
    if let Command::Tie { tenant, .. } = &mut foreign {
        *tenant = globex();
    }
    assert!(matches!(
        &story.when(foreign).unwrap()[..],
        [Event::TokenTaken { refused: Some(Untied::NoContact), .. }]
    ));
    assert_eq!(story.0.owner(&acme(), party(2)), Some(id(2)));
}

#[test]
fn an_address_that_is_someones_stays_theirs() {
    let mut story = seen(&[1, 2, 3, 4]);
    // The second was tied, or linked, to the first before.
    story.when(link(1, 2)).unwrap();
    let other = token(9, id(3), later());
    for shows in [1, 2] {
        let other = Token { id: TokenId([shows; 16]), ..other.clone() };
        let refused = taken(shows, &other, Some(Untied::AnothersAddress));
        assert_eq!(story.when(show(shows, &other)), Ok(vec![refused.clone()]));
        // It is of no more use to whom it was meant for: it has been in other hands.
        let again = taken(4, &other, Some(Untied::Used));
        assert_eq!(story.when(show(4, &other)), Ok(vec![again]));
    }
    // Even where it is the only one of a contact that came about by another.
    story.when(link(4, 1)).unwrap();
    let fifth = token(5, id(3), later());
    assert_eq!(story.when(show(2, &fifth)), Ok(vec![taken(2, &fifth, Some(Untied::AnothersAddress))]));
}

#[test]
fn a_link_gives_tags_as_far_as_there_is_room() {
    let mut story = seen(&[1]);
    let give = |tags: &[&str]| Command::TagAddress {
        tenant: acme(),
        party: party(1),
        tags: tags.iter().map(|tag| Arc::from(*tag)).collect(),
    };
    let tagged = |tag: &str| Event::Tagged { tenant: acme(), contact: id(1), tag: tag.into() };
    assert_eq!(story.when(give(&["a", "b"])), Ok(vec![tagged("a"), tagged("b"), told(1, &["a", "b"])]));
    assert_eq!(story.when(give(&["a"])), Ok(vec![]));
    let many: Vec<_> = (0..120).map(|n| format!("t{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    story.when(give(&many)).unwrap();
    assert_eq!(story.tags(1), 100);
    let nobody = Command::TagAddress { tenant: acme(), party: party(9), tags: vec!["a".into()] };
    assert_eq!(story.when(nobody), Ok(vec![]));
}

proptest! {
    /// Whoever shows whichever tokens, whenever: each token moves at most one address, once and in time, to the contact it
    /// was made for, and no address ever leaves a contact that it was given to.
    #[test]
    fn a_token_ties_once(shown in prop::collection::vec((0..6u8, 0..8u8, 0..40u64), 0..60)) {
        let mut story = seen(&[0, 1, 2, 3, 4, 5]);
        let expires_at = |n: u8| NOW + Millis::seconds(u64::from(n) * 100 + 50);
        let tokens: Vec<_> = (0..8).map(|n| token(n, id(n % 3), expires_at(n))).collect();
        let mut now = NOW;
        let (mut used, mut tied) = (BTreeSet::new(), BTreeMap::new());
        for (who, which, passes) in shown {
            now = now + Millis::seconds(passes);
            let token = &tokens[usize::from(which)];
            let before = story.0.owner(&acme(), party(who));
            let policies = Policies::default();
            let context = Context { now, policies: &policies, command: None };
            let events = Decider::decide(&story.0, &context, &show(who, token)).unwrap();
            events.iter().for_each(|event| Decider::evolve(&mut story.0, now, event));
            let after = story.0.owner(&acme(), party(who));
            if before != after {
                prop_assert_eq!(after, Some(token.contact));
                prop_assert!(now < token.expires_at, "too late");
                prop_assert!(used.insert(which), "a second time");
                prop_assert!(tied.insert(who, token.contact).is_none(), "it was someone's");
            }
            let taken = events.iter().any(|event| matches!(event, Event::TokenTaken { .. }));
            if taken {
                used.insert(which);
            }
            for (who, contact) in &tied {
                prop_assert_eq!(story.0.owner(&acme(), party(*who)), Some(*contact));
            }
        }
    }
}
