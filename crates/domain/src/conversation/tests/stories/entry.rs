//! Customers who come by a link.

use super::super::{
    story::{noted as story_noted, *},
    *,
};
use crate::{
    Aggregate, LinkId, TokenId,
    conversation::{
        BotAction, CloseReason, Closer, Command, Decider, Entry, Event, HandOffReason, NoteKind, Received,
        ShownToken, Token, Untied, What,
    },
    policy::{BotKind, Flow, Link},
};
use HandOffReason::{BotHandedOff, Entered, NoBot};

fn link(name: &str) -> LinkId {
    name.parse().unwrap()
}

/// `plain` changes nothing but tags; `offer` leads to sales, where the greeter speaks of it; `quick` to a bot of its own;
/// `vip` to people.
fn business(greeter: Option<&str>) -> Policy {
    let mut policy = policy(2, greeter, "support");
    let built_in = || Bot { answer_within: PATIENCE, kind: BotKind::BuiltIn(Flow::default()) };
    for name in greeter.into_iter().chain(["quick"]) {
        policy.bots.insert(bot(name), built_in());
    }
    let plain = || Link {
        inbox: inbox(),
        reference: Some("r".into()),
        campaign: None,
        queue: None,
        bot: None,
        people_only: false,
        first_message: None,
        text: None,
        tags: vec!["leaflet".into()],
    };
    let none = Vec::new;
    let offer = Link {
        queue: Some(queue("sales")),
        first_message: Some("The offer!".into()),
        tags: none(),
        ..plain()
    };
    let quick = Link { bot: Some(bot("quick")), tags: none(), ..plain() };
    let vip = Link { queue: Some(queue("sales")), people_only: true, tags: none(), ..plain() };
    let elsewhere = Link { inbox: "elsewhere".parse().unwrap(), ..plain() };
    policy.links =
        [("plain", plain()), ("offer", offer), ("quick", quick), ("vip", vip), ("elsewhere", elsewhere)]
            .map(|(name, it)| (link(name), it))
            .into();
    policy
}

fn by(name: &str) -> Option<Box<Entry>> {
    Some(Box::new(Entry { link: Some(link(name)), token: None }))
}

fn receive_by(n: u128, name: &str) -> Command {
    Command::Receive(Box::new(Received { entry: by(name), ..received(n) }))
}

fn follow_with(n: u128, entry: Option<Box<Entry>>) -> Command {
    Command::Note {
        from: correspondent(1),
        kind: NoteKind::Referral,
        message: message(n),
        content: Some(sealed(1, n)),
        at: seconds(0),
        suppresses: None,
        about: None,
        referral: None,
        entry,
    }
}

fn follow(n: u128, name: &str) -> Command {
    follow_with(n, by(name))
}

fn noted(n: u128) -> What {
    story_noted(None, NoteKind::Referral, message(n), Some(sealed(1, n)), seconds(0))
}

/// The same, in a conversation.
fn noted_within(n: u128) -> What {
    story_noted(Some(id(1)), NoteKind::Referral, message(n), Some(sealed(1, n)), seconds(0))
}

fn entered(number: Option<u32>, name: &str) -> What {
    What::Entered { party: party(1), conversation: number.map(id), link: link(name), tags: vec![] }
}

fn opened_2(number: u32) -> What {
    What::Opened { conversation: id(number), policy_version: 2 }
}

fn engaged_in(number: u32, owner_epoch: u32, name: &str, to: &str) -> What {
    What::BotEngaged { conversation: id(number), bot: bot(name), owner_epoch, queue: queue(to) }
}

/// A bot beside the leader is asked, about a link perhaps.
fn asked_about(turn: TurnId, name: &str, n: u128, about: Option<&str>, at: i64) -> What {
    What::TurnAsked {
        turn,
        bot: bot(name),
        content: Some(sealed(1, n)),
        message: message(n),
        answer_by: seconds(at) + PATIENCE,
        link: about.map(link),
    }
}

fn greeted() -> Story {
    given([]).under(business(Some("greeter")))
}

#[test]
fn a_link_chooses_who_speaks_first_about_what_and_where_a_person_is_waited_for() {
    let turn = turn(id(1), 1, 1);
    let story = greeted().when(receive_by(1, "offer")).then([
        seen(0),
        opened_2(1),
        entered(Some(1), "offer"),
        engaged_in(1, 1, "greeter", "sales"),
        message_received(1, 1),
        asked_about(turn, "greeter", 1, Some("offer"), 0),
    ]);
    // The bot hands over to no queue of its own: the link's it is.
    let hand_off = BotAction::HandOff { queue: None, special: None };
    story.when(answer(turn, &[hand_off])).then([answered(turn), wanted(1, 2, "sales", BotHandedOff, 0)]);
}

#[test]
fn a_link_past_every_bot() {
    greeted().when(receive_by(1, "vip")).then([
        seen(0),
        opened_2(1),
        entered(Some(1), "vip"),
        wanted(1, 1, "sales", Entered, 0),
        message_received(1, 1),
    ]);
}

#[test]
fn tags_go_to_the_ledger_once() {
    let gives = What::Entered {
        party: party(1),
        conversation: None,
        link: link("plain"),
        tags: vec!["leaflet".into()],
    };
    let event = Event { tenant: tenant(), inbox: inbox(), what: gives.clone() };
    let (route, relay) = Decider::relay(&event).unwrap();
    assert_eq!(route, crate::Route::Contacts(tenant()));
    let tags = vec!["leaflet".into()];
    let tag = crate::contact::Command::TagAddress { tenant: tenant(), party: party(1), tags };
    assert_eq!(relay, crate::Relay::Contact(tag));
    let story = given([]).under(business(None)).when(follow(1, "plain")).then([seen(0), noted(1), gives]);
    // What the message that comes of it says once more gives nothing more.
    story.at(5).when(receive(2)).then([
        opened_2(1),
        entered(Some(1), "plain"),
        wanted(1, 1, "support", NoBot, 5),
        message_received(1, 2),
    ]);
}

#[test]
fn who_only_follows_a_link_is_spoken_to_where_there_is_something_to_say() {
    let turn = turn(id(1), 1, 1);
    greeted().when(follow(1, "offer")).then([
        seen(0),
        noted(1),
        opened_2(1),
        entered(Some(1), "offer"),
        engaged_in(1, 1, "greeter", "sales"),
        asked_about(turn, "greeter", 1, Some("offer"), 0),
    ]);
    // Nobody has anything to say to this one: it counts with the customer's next message, for a day.
    let waits = || greeted().when(follow(1, "quick")).then([seen(0), noted(1), entered(None, "quick")]);
    let day = 24 * 3_600;
    waits().at(day).when(receive(2)).then([
        opened_2(1),
        entered(Some(1), "quick"),
        engaged_in(1, 1, "quick", "support"),
        message_received(1, 2),
        asked_about(turn, "quick", 2, None, day),
    ]);
    let late = waits().at(day + 1).when(receive(2)).then([
        opened_2(1),
        engaged_in(1, 1, "greeter", "support"),
        message_received(1, 2),
        asked_about(turn, "greeter", 2, None, day + 1),
    ]);
    assert!(late.state.customer(party(1)).unwrap().entered.is_none(), "it is forgotten with the message");
}

#[test]
fn who_wants_no_messages_is_not_spoken_to() {
    let story = greeted().and([seen(0), What::OptedOut { party: party(1) }]);
    story.when(follow(1, "offer")).then([noted(1), entered(None, "offer")]);
    // Nor who is answered by another application of the business.
    let (party, conversation, at) = (party(1), None, seconds(0));
    let held = What::ThreadHeld { party, conversation, elsewhere: true, app: None, note: None, at };
    let story = greeted().and([seen(0), held]);
    story.when(follow(1, "offer")).then([noted(1), entered(None, "offer")]);
}

#[test]
fn a_link_leads_on_what_a_bot_has() {
    let (first, second) = (turn(id(1), 1, 1), turn(id(1), 1, 2));
    let with_bot = || greeted().and([seen(0), opened_2(1), engaged(1, 1), message_received(1, 1)]);
    with_bot().when(follow(2, "offer")).then([
        noted_within(2),
        entered(Some(1), "offer"),
        asked_about(first, "greeter", 2, Some("offer"), 0),
    ]);
    with_bot().when(receive_by(2, "quick")).then([
        entered(Some(1), "quick"),
        engaged_in(1, 2, "quick", "support"),
        message_received(1, 2),
        asked_about(turn(id(1), 2, 1), "quick", 2, None, 0),
    ]);
    with_bot().when(receive_by(2, "vip")).then([
        entered(Some(1), "vip"),
        wanted(1, 2, "sales", Entered, 0),
        message_received(1, 2),
    ]);
    // A bot that is thinking finishes; where it hands over to is known by then.
    let thinking = with_bot().and([asked_about(first, "greeter", 1, None, 0)]);
    let story =
        thinking.when(receive_by(2, "offer")).then([entered(Some(1), "offer"), message_received(1, 2)]);
    let story =
        story.when(answer(first, &[])).then([answered(first), asked_about(second, "greeter", 2, None, 0)]);
    let hand_off = BotAction::HandOff { queue: None, special: None };
    let to_sales = wanted(1, 2, "sales", BotHandedOff, 0);
    story.when(answer(second, &[hand_off])).then([answered(second), to_sales]);
}

#[test]
fn who_waits_waits_where_the_link_leads_and_an_agent_keeps_what_the_agent_has() {
    let withdrawn = What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch: 1 };
    let moved = || waiting().under(business(None)).at(30);
    moved().when(follow(2, "offer")).then([
        noted_within(2),
        entered(Some(1), "offer"),
        withdrawn,
        wanted(1, 2, "sales", Entered, 0),
    ]);
    with_ann()
        .under(business(None))
        .when(receive_by(2, "vip"))
        .then([entered(Some(1), "vip"), message_received(1, 2)]);
}

#[test]
fn a_closed_conversation_goes_on_where_the_link_leads() {
    let (by, reason) = (Closer::Agent(agent("ann")), CloseReason::Done);
    let over = [released(1, 1), What::Closed { conversation: id(1), by, reason }];
    with_ann().under(business(Some("greeter"))).at(10).and(over).at(20).when(receive_by(2, "vip")).then([
        What::Reopened { conversation: id(1) },
        entered(Some(1), "vip"),
        wanted(1, 3, "sales", Entered, 20),
        message_received(1, 2),
    ]);
}

#[test]
fn a_link_that_is_gone_or_another_inboxs_changes_nothing() {
    for name in ["gone", "elsewhere"] {
        greeted().when(follow(1, name)).then([seen(0), noted(1)]);
        let plain = [
            seen(0),
            opened_2(1),
            engaged(1, 1),
            message_received(1, 1),
            asked_about(turn(id(1), 1, 1), "greeter", 1, None, 0),
        ];
        greeted().when(receive_by(1, name)).then(plain);
    }
}

fn token() -> Token {
    let about = Some(sealed(1, 77));
    let (id, contact) = (TokenId([5; 16]), crate::ContactId([6; 16]));
    Token { id, contact, expires_at: seconds(600), message: message(77), about }
}

fn shows(token: ShownToken) -> Option<Box<Entry>> {
    Some(Box::new(Entry { link: None, token: Some(token) }))
}

#[test]
fn what_a_token_means_is_for_the_ledger_to_say() {
    let ours = || shows(ShownToken::Ours(Box::new(token())));
    let shown = What::TokenShown { party: party(1), token: Box::new(token()) };
    let story = greeted().when(follow_with(1, ours())).then([seen(0), noted(1), shown]);
    let judged =
        |refused| Command::NoteTie { tenant: tenant(), party: party(1), token: Box::new(token()), refused };
    let tied = |conversation| What::Tied {
        party: party(1),
        conversation,
        contact: token().contact,
        message: message(77),
        about: Some(sealed(1, 77)),
    };
    let story = story.when(judged(None)).then([tied(None)]);
    let foreign = Command::NoteTie {
        tenant: "globex".parse().unwrap(),
        party: party(1),
        token: Box::new(token()),
        refused: None,
    };
    story.when(foreign).then([]);
    // What it is about is not told of who is not tied.
    let because = Untied::Expired;
    let not_tied = What::NotTied { party: party(1), conversation: Some(id(1)), because };
    waiting().when(judged(Some(because))).then([not_tied]);
    waiting().when(judged(None)).then([tied(Some(id(1)))]);
}

#[test]
fn a_token_that_nobody_knows_stops_nothing() {
    let entry = shows(ShownToken::Unknown);
    let message = Command::Receive(Box::new(Received { entry, ..received(1) }));
    let not_tied = What::NotTied { party: party(1), conversation: None, because: Untied::Unknown };
    given([]).under(business(None)).when(message).then([
        seen(0),
        opened_2(1),
        wanted(1, 1, "support", NoBot, 0),
        message_received(1, 1),
        not_tied,
    ]);
}
