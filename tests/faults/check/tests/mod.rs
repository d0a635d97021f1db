//! The count itself: a story without fault has no violations, and each one that is planted is seen.

mod story;

use wire::api::v1::{
    self as pb,
    event::{self, Kind},
};

use self::story::*;
use super::judge;
use crate::{outbox, records::*};

#[track_caller]
fn clean(story: &Story) {
    assert_eq!(judge(&story.topics(), NOW).violations, Vec::<String>::new());
}

/// Something of each of these kinds is seen, and nothing else: a violation begins with the number of its invariant.
#[track_caller]
fn seen(story: &Story, expected: &[&str]) {
    seen_at(story, NOW, expected);
}

#[track_caller]
fn seen_at(story: &Story, now: i64, expected: &[&str]) {
    let violations = judge(&story.topics(), now).violations;
    for one in expected {
        let (number, words) = one.split_once(' ').unwrap_or((one, ""));
        let fits =
            |violation: &String| violation.starts_with(&format!("{number}: ")) && violation.contains(words);
        assert!(violations.iter().any(fits), "{one:?} is not among {violations:#?}");
    }
    let numbers: Vec<_> = expected.iter().map(|one| one.split(' ').next().unwrap_or_default()).collect();
    let other = violations.iter().find(|it| !numbers.contains(&it.split(':').next().unwrap_or_default()));
    assert_eq!(other, None, "expected only {expected:?}");
}

#[test]
fn a_story_without_fault_has_no_violations() {
    clean(&story());
    let judged = judge(&story().topics(), NOW);
    assert_eq!((judged.reigns(), judged.ignored(), judged.received()), (4, 0, 1));
}

#[test]
fn what_a_deposed_leader_writes_counts_nowhere() {
    let mut story = story();
    // Another takes over; the first one writes on, and a third announces itself late.
    story.conversation.announce(2, Some(1));
    let mut late = story.conversation.decision(1).clone();
    late.seq = 99;
    story.conversation.log.push(Record { kind: Some(Written::Decision(late)) });
    story.conversation.announce(3, Some(1));
    clean(&story);
    assert_eq!(judge(&story.topics(), NOW).ignored(), 2);
}

#[test]
fn an_epoch_that_rules_twice_and_a_damaged_record_are_seen() {
    let mut story = story();
    story.contact.announce(2, Some(1));
    story.contact.announce(1, Some(2));
    seen(&story, &["6 rules a second time"]);
    let mut topics = self::story::story().topics();
    topics.get_mut(&CONTACT).unwrap().log.last_mut().unwrap().bytes = vec![0xff];
    let violations = judge(&topics, NOW).violations;
    assert!(violations.iter().any(|it| it.starts_with("6: contact/0: the record at 1")), "{violations:#?}");
}

#[test]
fn a_fact_that_is_lost_is_seen() {
    // Nobody ever reads it.
    let mut unread = story();
    let another = Origin::Fact(vec![77]);
    let another =
        Intake { kind: Some(Taken::Input(Input { origin: Some(OriginOf { kind: Some(another) }) })) };
    unread.conversation.intake.push(another.clone());
    seen(&unread, &["1 never decided"]);
    // It is read, and passed over.
    let mut skipped = unread;
    skipped.conversation.intake.push(another_report());
    skipped.conversation.decides(Cause::Report(Nothing {}), Vec::new());
    seen(&skipped, &["8 nothing came of it"]);
}

fn another_report() -> Intake {
    let origin = Some(OriginOf { kind: Some(Origin::Report(Nothing {})) });
    Intake { kind: Some(Taken::Input(Input { origin })) }
}

#[test]
fn a_fact_that_is_delivered_again_may_not_be_applied_again() {
    let mut again = story();
    let repeated = again.conversation.intake[0].clone();
    again.conversation.intake.push(repeated);
    clean(&again);
    again.conversation.decides(Cause::Fact(vec![1]), vec![said(What::MessageReceived(message(1)))]);
    seen(&again, &["2 applied again", "2 applied a second time", "2 is received 2 times"]);
}

#[test]
fn an_intake_that_is_read_backwards_or_ahead_is_seen() {
    let mut story = story();
    story.conversation.last().intake_through = 3;
    seen(&story, &["8 again"]);
    story.conversation.last().intake_through = 99;
    seen(&story, &["8 is not there"]);
}

#[test]
fn relays_that_are_lost_doubled_or_made_up_are_seen() {
    let mut lost = story();
    lost.contact = Pages::default();
    lost.contact.announce(1, None);
    seen(&lost, &["8 sent 1 relays to contact/0, which applied 0", "8 customers"]);
    let mut doubled = story();
    doubled.contact.takes(relay(CONVERSATION, 1), vec![known()]);
    seen(&doubled, &["8 applied again"]);
    let mut made_up = story();
    made_up.contact.takes(relay(CONVERSATION, 2), Vec::new());
    seen(&made_up, &["8 which sent 1"]);
    let mut gap = story();
    gap.conversation.last().steps[0].events = vec![Recorded {
        relayed: relayed(CONTACT, 3),
        ..said(What::Reopened(Of { conversation: Some(ConversationId { party: vec![9], number: 1 }) }))
    }];
    seen(&gap, &["8 leaves after 1", "8 which applied 1", "3 owned by None"]);
}

#[test]
fn answers_that_are_missing_or_change_are_seen() {
    let mut missing = story();
    missing.conversation.takes(command(50), Vec::new());
    seen(&missing, &["8 never answered"]);
    let mut other = story();
    let rejected = Answer { done: None, rejected: Some(Rejection { code: 3 }), ..done(7) };
    other.conversation.takes(command(7), Vec::new()).answers = vec![rejected];
    seen(&other, &["8 another answer"]);
    let mut same = story();
    same.conversation.takes(command(7), Vec::new()).answers = vec![done(7)];
    clean(&same);
}

#[test]
fn what_is_set_aside_is_seen() {
    let mut story = story();
    let step = story.contact.takes(relay(CONVERSATION, 2), Vec::new());
    step.set_aside = Some(SetAside { reason: "the rules failed".into() });
    seen(&story, &["8 the rules failed"]);
}

#[test]
fn timers_that_fire_early_twice_or_never_are_seen() {
    let timer = |due, generation| Cause::Timer(Timer { due, generation });
    let mut early = story();
    early.desk.decides(timer(1_000_000, 1), Vec::new());
    seen(&early, &["9 before its time"]);
    let mut twice = story();
    twice.desk.decides(timer(1, 4), Vec::new());
    twice.desk.decides(timer(1, 4), Vec::new());
    seen(&twice, &["9 a second time"]);
    seen_at(&story(), 100_000, &["9 should have lapsed"]);
    let mut backwards = story();
    backwards.desk.last().decided_at = 1;
    seen(&backwards, &["9 before the decision"]);
    let mut ahead = story();
    ahead.desk.last().decided_at = 9_000;
    seen(&ahead, &["9 a clock that is ahead"]);
}

#[test]
fn a_silent_bot_and_an_open_offer_are_noticed_in_time() {
    let mut silent = story();
    silent.conversation.log.truncate(2);
    let violations = judge(&silent.topics(), 100_000).violations;
    assert!(violations.iter().any(|it| it.starts_with("9: ") && it.contains("is silent")), "{violations:#?}");
    let mut open = story();
    open.desk.log.truncate(4);
    let violations = judge(&open.topics(), 100_000).violations;
    assert!(
        violations.iter().any(|it| it.starts_with("9: ") && it.contains("should have expired")),
        "{violations:#?}"
    );
}

#[test]
fn a_second_owner_or_none_is_seen() {
    let mut second = story();
    let assigned = Assigned {
        conversation: id(),
        agent: "dev/support/ben".into(),
        assignment: offer(2),
        owner_epoch: 4,
    };
    second.conversation.decides(Cause::Recovered(Nothing {}), vec![said(What::Assigned(assigned))]);
    seen(&second, &["3 takes what does not wait", "5 offers that were taken"]);
    let mut none = story();
    let released = What::Released(OfOffer { conversation: id(), offer: offer(1) });
    none.conversation.decides(Cause::Recovered(Nothing {}), vec![said(released)]);
    seen(&none, &["3 owned by None", "5 assignments held"]);
    let mut skipped = story();
    skipped.conversation.decides(
        Cause::Recovered(Nothing {}),
        vec![
            said(What::Released(OfOffer { conversation: id(), offer: offer(1) })),
            said(What::BotEngaged(BotEngaged { conversation: id(), owner_epoch: 9 })),
        ],
    );
    seen(&skipped, &["15 does not follow", "5 assignments held"]);
}

#[test]
fn who_speaks_without_owning_is_seen() {
    let mut bot = story();
    bot.conversation.decides(Cause::Recovered(Nothing {}), vec![said(What::BotReplied(message(60)))]);
    seen(&bot, &["15 a bot speaks", "11 messages to leave"]);
    let mut late = story();
    late.conversation.decides(Cause::Recovered(Nothing {}), vec![said(What::TurnAnswered(turn()))]);
    seen(&late, &["15 another time"]);
    let mut agent = story();
    let replied = Replied { conversation: id(), agent: "dev/support/ben".into(), message: vec![60] };
    agent.conversation.decides(Cause::Recovered(Nothing {}), vec![said(What::Replied(replied))]);
    seen(&agent, &["3 an agent speaks", "11 messages to leave"]);
}

#[test]
fn offers_beyond_the_room_and_offers_that_end_twice_are_seen() {
    let mut beyond = story();
    let other = Some(ConversationId { party: vec![9], number: 1 });
    let mut second = offered(2);
    if let Desk::Offered(offered) = &mut second {
        offered.conversation.clone_from(&other);
    }
    beyond.desk.decides(Cause::Recovered(Nothing {}), vec![happens(waits(other)), happens(second)]);
    seen(&beyond, &["4 no room", "8 wait at a desk"]);
    let mut twice = story();
    let ended = || happens(Desk::AssignmentEnded(step_of(1)));
    twice.desk.decides(Cause::Recovered(Nothing {}), vec![ended(), ended()]);
    seen(&twice, &["5 ends a second time", "5 assignments held"]);
    let mut unasked = story();
    unasked.desk.decides(Cause::Recovered(Nothing {}), vec![happens(offered(3))]);
    seen(&unasked, &["5 does not wait", "4 no room"]);
    let mut again = story();
    let events = vec![ended(), happens(waits(id())), happens(offered(1))];
    again.desk.decides(Cause::Recovered(Nothing {}), events);
    seen(&again, &["5 made a second time", "5 assignments held", "8 wait at a desk"]);
}

#[test]
fn who_waits_for_nothing_and_who_is_passed_over_are_seen() {
    let another = |party: u8| Some(ConversationId { party: vec![party], number: 1 });
    let mut waiting = story();
    let ended = happens(Desk::AssignmentEnded(step_of(1)));
    waiting.desk.decides(Cause::Recovered(Nothing {}), vec![ended.clone(), happens(waits(another(5)))]);
    // For a moment it may.
    seen(&waiting, &["12 waits while", "5 assignments held", "8 wait at a desk"]);
    let violations = judge(&waiting.topics(), 1_000).violations;
    assert!(!violations.iter().any(|it| it.starts_with("12: ")), "{violations:#?}");
    let mut passed_over = story();
    let mut later = offered(2);
    if let Desk::Offered(offered) = &mut later {
        offered.conversation = another(6);
    }
    let events = vec![ended, happens(waits(another(5))), happens(waits(another(6))), happens(later)];
    passed_over.desk.decides(Cause::Recovered(Nothing {}), events);
    seen(&passed_over, &["12 who came first", "5 assignments held", "8 wait at a desk"]);
}

#[test]
fn sending_again_without_a_reason_is_seen() {
    let mut again = story();
    again.delivery.decides(Cause::Recovered(Nothing {}), vec![leaves(started(2, 2))]);
    seen(&again, &["11 begins out of turn"]);
    let mut twice = story();
    twice.delivery.decides(Cause::Recovered(Nothing {}), vec![leaves(Delivery::Sent(ending(2, 1)))]);
    seen(&twice, &["11 ends it a second time"]);
    let mut queued_again = story();
    queued_again.delivery.decides(
        Cause::Recovered(Nothing {}),
        vec![leaves(queued(2)), leaves(started(2, 1)), leaves(Delivery::Sent(ending(2, 1)))],
    );
    seen(&queued_again, &["11 queued a second time"]);
    let mut nobody = story();
    nobody.delivery.decides(Cause::Recovered(Nothing {}), vec![leaves(queued(50)), leaves(started(50, 1))]);
    seen(&nobody, &["11 messages to leave", "11 not known"]);
    let mut for_ever = story();
    let retry = Delivery::RetryScheduled(Attempt { message: vec![50], attempt: 1, due: 100 });
    for_ever.delivery.decides(
        Cause::Recovered(Nothing {}),
        vec![leaves(queued(50)), leaves(started(50, 1)), leaves(retry)],
    );
    for_ever.desk.last().steps[0].events.push(happens(Desk::LeaseLapsed(OfAgent { agent: AGENT.into() })));
    seen_at(&for_ever, 20_000, &["9 overdue", "11 messages to leave"]);
}

#[test]
fn what_the_world_saw_is_held_against_the_topics() {
    let message = |number: u8| super::short(&[number]);
    let told = |at: u64, kind: Kind| pb::Event {
        id: format!("conversation/0/{at}/0"),
        kind: Some(kind),
        ..Default::default()
    };
    let all = vec![
        told(1, Kind::MessageReceived(event::MessageReceived { message: message(1), ..Default::default() })),
        told(2, Kind::BotReplied(event::BotReplied { message: message(2), ..Default::default() })),
        told(4, Kind::Replied(event::Replied { message: message(3), ..Default::default() })),
    ];
    let attempt = |number: u8, at: i64| outbox::Attempt {
        at: jiff::Timestamp::from_millisecond(at).unwrap(),
        inbox: "generic".into(),
        idempotency_key: message(number),
        to: "ann".into(),
    };
    let attempts = vec![attempt(2, 100), attempt(3, 100)];
    let judged = judge(&story().topics(), NOW);
    let first = |told: &[pb::Event], attempts: &[outbox::Attempt]| {
        judged.outside(told, attempts).first().cloned().unwrap_or_default()
    };
    assert_eq!(first(&all, &attempts), "");
    assert!(first(&all[1..], &attempts).starts_with("10: conversation/0, at 1"));
    let made_up = [&all[..], &[told(40, Kind::Reopened(()))]].concat();
    assert!(first(&made_up, &attempts).starts_with("6: a subscriber was told of conversation/0 at 40"));
    let too_often = [&attempts[..], &[attempt(2, 200)]].concat();
    assert!(first(&all, &too_often).contains("attempt 2 was made before it was announced"));
    assert!(first(&all, &[attempt(2, 5)]).contains("attempt 1 was made before it was announced"));
    assert!(first(&all, &[attempt(40, 100)]).contains("nobody announced it"));
}

#[test]
fn the_longest_gap_is_that_of_one_partition_around_the_fault() {
    let judged = judge(&story().topics(), NOW);
    assert_eq!(judged.longest_gap(35, 45), Some(10));
    assert_eq!(judged.longest_gap(1_000, 2_000), None);
}
