//! Customers who go before others, and what a bot said is special about a conversation.

use std::sync::Arc;

use super::super::{story::*, *};
use crate::{
    Code, Tags,
    conversation::{BotAction, CloseReason, Closer, Command, HandOffReason, Transfer, What},
    policy::{Needs, Special, Vip},
};
use HandOffReason::{BotHandedOff, NoBot, Overflowed, Transferred};

/// Sales and support put gold customers first; Ann knows about taxes, and German.
fn business(greeter: Option<&str>) -> Policy {
    let mut policy = policy(2, greeter, "support");
    for (name, gold) in [("sales", 50), ("support", 5)] {
        let vip = |tag: &str, priority| Vip { tag: tag.into(), priority };
        policy.queues.get_mut(&queue(name)).unwrap().vip = vec![vip("old", 1), vip("gold", gold)];
    }
    let ann = policy.agents.get_mut(&agent("ann")).unwrap();
    ann.skills.insert("tax".parse().unwrap(), 3);
    ann.languages.insert("de".parse().unwrap());
    policy
}

fn told(tags: &[&str]) -> Command {
    let tags = Tags::of(tags.iter().copied());
    Command::NoteTags { tenant: tenant(), party: party(1), tags }
}

fn noted(tags: &[&str]) -> What {
    What::TagsNoted { party: party(1), tags: Tags::of(tags.iter().copied()) }
}

fn points(priority: u32) -> Special {
    Special { priority, ..Special::default() }
}

fn taxes(priority: u32, level: u8) -> Special {
    let skills = [("tax".parse().unwrap(), level)].into();
    Special { priority, needs: Needs { skills, ..Needs::default() } }
}

fn with(special: Special, mut wanted: What) -> What {
    if let What::AgentWanted { special: kept, .. } = &mut wanted {
        *kept = Some(Arc::new(special));
    }
    wanted
}

fn hand_off(special: Special) -> BotAction {
    BotAction::HandOff { queue: None, special: Some(Box::new(special)) }
}

#[test]
fn who_has_a_tag_goes_before_others_from_the_next_time_on() {
    let story = given_no_bot([seen(0)]).under(business(None)).when(told(&["gold", "old"]));
    let story = story.then([noted(&["gold", "old"])]).when(told(&["old", "gold"])).then([]);
    let story = story.when(receive(1)).then([
        What::Opened { conversation: id(1), policy_version: 2 },
        with(points(5), wanted(1, 1, "support", NoBot, 0)),
        message_received(1, 1),
    ]);
    // Another queue has its own rule, and the word of now counts.
    let to = queue("sales");
    let overflow =
        || Command::Overflow { conversation: id(1), owner_epoch: 1, to: to.clone(), since: seconds(0) };
    let withdrawn = What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch: 1 };
    let sent_on = wanted(1, 2, "sales", Overflowed, 0);
    let (other, more) = (story.and([noted(&["old"])]), [withdrawn, with(points(1), sent_on)]);
    other.when(overflow()).then(more);
}

#[test]
fn another_tenants_ledger_says_nothing() {
    let tags = Tags::of(["gold"]);
    let foreign = Command::NoteTags { tenant: "globex".parse().unwrap(), party: party(1), tags };
    given([seen(0)]).when(foreign).then([]).when(told(&[])).then([]);
}

#[test]
fn what_a_bot_says_stays_until_the_end() {
    let turn = turn(id(1), 1, 1);
    let marked = What::MarkedSpecial { conversation: id(1), special: Box::new(taxes(2, 3)) };
    let story = bot_is_asked().under(business(Some("greeter"))).and([noted(&["gold"])]);
    let story = story.when(answer(turn, &[hand_off(taxes(2, 3))])).then([
        answered(turn),
        marked,
        with(taxes(7, 3), wanted(1, 2, "support", BotHandedOff, 0)),
    ]);
    let story = story.and([assigned(1, 3, "ann", 1)]).when(transfer(Transfer::Queue(queue("sales"))));
    let given_away = What::Transferred { conversation: id(1), by: agent("ann"), note: Some(sealed(1, 99)) };
    let story =
        story.then([released(1, 1), given_away, with(taxes(52, 3), wanted(1, 4, "sales", Transferred, 0))]);
    // At night nobody knows about taxes: it is not asked for there, rather than waited for in vain.
    let to_the_night = |owner_epoch| Command::Overflow {
        conversation: id(1),
        owner_epoch,
        to: queue("care"),
        since: seconds(0),
    };
    let withdrawn = What::Withdrawn { conversation: id(1), queue: queue("sales"), owner_epoch: 4 };
    let at_night = with(points(2), wanted(1, 5, "care", Overflowed, 0));
    let story = story.when(to_the_night(4)).then([withdrawn, at_night]);
    // What comes after it is closed is another matter.
    let by = Closer::Agent(agent("ann"));
    let closed = What::Closed { conversation: id(1), by, reason: CloseReason::Done };
    let story = story.and([assigned(1, 6, "ann", 2), released(1, 2), closed]).under(business(None));
    story.at(10).when(receive(2)).then([
        What::Reopened { conversation: id(1) },
        with(points(5), wanted(1, 7, "support", NoBot, 10)),
        message_received(1, 2),
    ]);
}

#[test]
fn a_bot_that_asks_for_what_nobody_has_is_told() {
    let turn = turn(id(1), 1, 1);
    let story = || bot_is_asked().under(business(Some("greeter")));
    let speaks = |name: &str| Special {
        priority: 0,
        needs: Needs { languages: [name.parse().unwrap()].into(), ..Needs::default() },
    };
    let skill = |name: &str, level| Special {
        priority: 0,
        needs: Needs { skills: [(name.parse().unwrap(), level)].into(), ..Needs::default() },
    };
    for impossible in [taxes(0, 4), taxes(0, 0), skill("law", 1), speaks("fr"), points(1_000_001)] {
        story().when(answer(turn, &[hand_off(impossible)])).then_rejected(Code::Invalid);
    }
    // Each is there, though not in one person.
    let mut apart = business(Some("greeter"));
    apart.agents.get_mut(&agent("ann")).unwrap().languages.clear();
    apart.agents.get_mut(&agent("bob")).unwrap().languages.insert("de".parse().unwrap());
    let mut both = taxes(0, 1);
    both.needs.languages.insert("de".parse().unwrap());
    let story = bot_is_asked().under(apart).when(answer(turn, &[hand_off(both)]));
    // The turn waits on: the bot may say something else.
    let story = story.then_rejected(Code::Invalid).when(answer(turn, &[hand_off(points(1))]));
    let marked = What::MarkedSpecial { conversation: id(1), special: Box::new(points(1)) };
    story.then([answered(turn), marked, with(points(1), wanted(1, 2, "support", BotHandedOff, 0))]);
}
