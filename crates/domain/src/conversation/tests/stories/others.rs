//! Other addresses of the same contact: each tells the others what it is, and whether it may be written to.

use super::super::{story::*, *};
use crate::conversation::{Command, Conversations, Correspondent, OtherAddress, Suppression, What, Withheld};
use crate::{Channel, Sealed};

/// Of another inbox than the first customer's.
fn by_mail(n: u8) -> Correspondent {
    Correspondent { inbox: "mail".parse().unwrap(), channel: Channel::Email, ..correspondent(n) }
}

fn other(n: u8, writable: bool) -> OtherAddress {
    OtherAddress { from: by_mail(n), writable }
}

fn own(writable: bool) -> OtherAddress {
    OtherAddress { from: correspondent(1), writable }
}

fn others_are(others: &[u8]) -> Command {
    let others = others.iter().copied().map(party).collect();
    Command::NoteOthers { tenant: tenant(), party: party(1), others }
}

fn noted(others: &[u8]) -> What {
    What::OthersNoted { party: party(1), others: others.iter().copied().map(party).collect() }
}

fn says(n: u8, writable: bool) -> Command {
    Command::NoteAddress { party: party(1), of: other(n, writable) }
}

fn heard(n: u8, writable: bool) -> What {
    What::AddressNoted { party: party(1), of: other(n, writable) }
}

fn told(to: u8, writable: bool) -> What {
    What::AddressTold { to: party(to), of: own(writable) }
}

/// The addresses that the first customer could be written to as well.
fn known(state: &Conversations) -> Vec<(Party, Sealed)> {
    let customer = state.customer(party(1)).unwrap();
    customer.others().map(|other| (other.party(), other.address())).collect()
}

fn address(n: u8) -> (Party, Sealed) {
    (party(n), by_mail(n).address)
}

#[test]
fn the_others_are_known_once_the_ledger_and_they_have_spoken_in_any_order() {
    let story = given([seen(0)]).when(says(3, true)).then([heard(3, true)]);
    assert_eq!(known(&story.state), [], "it may be anybody's");
    let story = story.when(others_are(&[2, 3])).then([noted(&[2, 3]), told(2, true), told(3, true)]);
    assert_eq!(known(&story.state), [address(3)]);
    let story = story.when(says(2, true)).then([heard(2, true)]).when(says(2, true)).then([]);
    assert_eq!(known(&story.state), [address(3), address(2)]);
    // It became someone else's.
    let story =
        story.when(others_are(&[2])).then([noted(&[2]), told(2, true)]).when(others_are(&[2])).then([]);
    assert_eq!(known(&story.state), [address(2)]);
}

#[test]
fn an_address_that_wants_silence_is_not_written_to_until_it_speaks_again() {
    let story = given([seen(0)]).and([noted(&[2]), heard(2, true)]);
    let story = story.when(says(2, false)).then([heard(2, false)]);
    assert_eq!(known(&story.state), []);
    let story = story.when(says(2, true)).then([heard(2, true)]);
    assert_eq!(known(&story.state), [address(2)]);
}

#[test]
fn the_others_learn_when_an_address_may_be_written_to_no_more_and_again() {
    let (dead, complaint) = (Suppression::DeadAddress, Suppression::Complaint);
    let suppress = |cause| Command::Suppress { tenant: tenant(), party: party(1), cause };
    let suppressed = |cause| What::Suppressed { party: party(1), cause };
    let lifted = |cause| What::SuppressionLifted { party: party(1), cause, by: Some("ops".into()) };
    let lift = Command::LiftSuppression { tenant: tenant(), party: party(1), by: "ops".into() };
    given([seen(0), noted(&[2, 3])])
        .when(suppress(dead))
        .then([suppressed(dead), withhold(dead.into()), told(2, false), told(3, false)])
        .when(suppress(complaint))
        .then([suppressed(complaint), withhold(complaint.into())])
        .when(lift)
        .then([lifted(dead), lifted(complaint), told(2, true), told(3, true)])
        .when(Command::OptOut { from: correspondent(1) })
        .then([
            What::OptedOut { party: party(1) },
            withhold(Withheld::OptedOut),
            told(2, false),
            told(3, false),
        ])
        .when(Command::OptIn { from: correspondent(1) })
        .then([What::OptedIn { party: party(1) }, told(2, true), told(3, true)]);
}

#[test]
fn another_tenants_words_say_nothing() {
    let globex: TenantId = "globex".parse().unwrap();
    let foreign = Command::NoteOthers { tenant: globex.clone(), party: party(1), others: vec![party(2)] };
    let mut of = other(2, true);
    of.from.tenant = globex;
    given([seen(0)]).when(foreign).then([]).when(Command::NoteAddress { party: party(1), of }).then([]);
}

/// What is known is kept beside memory as it was in it.
#[test]
fn who_is_retired_comes_back_with_the_others() {
    let story = given([seen(0), noted(&[2, 3]), heard(3, false), heard(2, true), heard(9, true)]);
    let (before, customer) = (known(&story.state), story.state.customer(party(1)).unwrap());
    let tombstone = customer.tombstone().expect("nothing is open");
    let after = story.and([
        What::Retired { party: party(1) },
        What::Returned { party: party(1), tombstone: Box::new(tombstone.clone()) },
    ]);
    assert_eq!((known(&after.state), before), (vec![address(2)], vec![address(2)]));
    assert_eq!(after.state.customer(party(1)).unwrap().tombstone(), Some(tombstone));
}

/// Anyone's word may come before the ledger's; of so many, the last are kept.
#[test]
fn what_is_kept_of_addresses_is_bounded() {
    let mut story = given([seen(0)]);
    for n in 2..=100 {
        story = story.and([heard(n, true)]);
    }
    let all: Vec<u8> = (2..=100).collect();
    let story = story.and([noted(&all)]);
    assert_eq!(known(&story.state), (69..=100).map(address).collect::<Vec<_>>());
}
