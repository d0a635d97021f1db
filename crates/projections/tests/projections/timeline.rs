use domain::{
    ConversationId, MessageId, Sealed, Timestamp, TurnId,
    conversation::{CloseReason, Closer, HandOffReason, MessageKind, NoteKind, Progress, ReceiptKind, What},
};
use projections::{Body, DeliveryStatus, Entry, Error, Owner, TimelineOf};

use crate::world::*;

/// An entry in one line.
fn line(entry: &Entry) -> String {
    let mut line = format!("{} {} {}", entry.at.0, entry.kind.as_str(), entry.author);
    if let Some(detail) = &entry.detail {
        line += &format!(" ({detail})");
    }
    if let Some(delivery) = &entry.delivery {
        line += &format!(" {:?}", delivery.status);
        line += &delivery.reason.as_ref().map(|reason| format!(" because {reason}")).unwrap_or_default();
    }
    line
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(line).collect()
}

fn noted(n: u8, progress: Progress) -> What {
    What::DeliveryNoted { conversation: first(1), message: message(n), progress }
}

fn receipt(n: u8, kind: ReceiptKind) -> What {
    What::ReceiptNoted {
        conversation: first(1),
        kind,
        message: message(n),
        at: Timestamp(1),
        reason: None,
        pricing: None,
    }
}

fn sent() -> Progress {
    Progress::Sent { provider_id: "m_1".into() }
}

#[tokio::test]
async fn a_story_is_told_in_order() {
    let mut world = World::new();
    let id = first(1);
    let turn = TurnId { conversation: id, owner_epoch: 1, number: 1 };
    let asked = What::TurnAsked {
        turn,
        bot: bot(),
        content: None,
        message: message(1),
        answer_by: Timestamp(900),
        link: None,
    };
    world.say(100, hello(1, 100).into_iter().chain([asked])).await;
    world
        .say(110, [What::TurnAnswered { turn }, bot_replied(id, 2), wanted(id, HandOffReason::BotHandedOff)])
        .await;
    world.say(120, [noted(2, sent())]).await;
    world.say(130, [assigned(id)]).await;
    world.say(140, [replied(id, 3)]).await;
    world.say(150, [receipt(2, ReceiptKind::Read)]).await;
    let failed = Progress::Failed { code: "551".into(), reason: "not available".into(), dead: false };
    world.say(160, [noted(3, failed)]).await;
    let reference = What::Noted {
        party: party(1),
        kind: NoteKind::Referral,
        message: message(4),
        content: None,
        at: Timestamp(1),
        conversation: None,
        about: None,
        referral: None,
    };
    world.say(170, [reference]).await;
    let note = Some(sealed(1, "sealed note"));
    let released = What::Released { conversation: id, assignment: offer() };
    let transferred = What::Transferred { conversation: id, by: agent(), note };
    world.say(180, [released.clone(), transferred, wanted(id, HandOffReason::Transferred)]).await;
    world.say(190, [assigned(id)]).await;
    let closed = What::Closed { conversation: id, by: Closer::Agent(agent()), reason: CloseReason::Done };
    world.say(200, [released, closed]).await;
    world.say(210, [What::Reopened { conversation: id }, engaged(id), received(id, 5)]).await;
    world.say(220, [What::OptedOut { party: party(1) }]).await;
    world.project().await;

    let timeline = world.timeline(TimelineOf::Party(party(1))).await;
    let told = [
        "100 opened system",
        "100 bot_engaged bot:greeter",
        "100 message_received customer",
        "110 bot_replied bot:greeter Read",
        "110 agent_wanted system (bot_handed_off acme/support/general)",
        "130 assigned agent:acme/support/ann",
        "140 replied agent:acme/support/ann Failed because 551: not available",
        "170 noted customer (referral)",
        "180 transferred agent:acme/support/ann",
        "180 agent_wanted system (transferred acme/support/general)",
        "190 assigned agent:acme/support/ann",
        "200 closed agent:acme/support/ann (done)",
        "210 reopened system",
        "210 bot_engaged bot:greeter",
        "210 message_received customer",
        "220 opted_out customer",
    ];
    assert_eq!(lines(&timeline), told);

    // What is sealed comes with the item it opens under: the message's or, without a message, the party's.
    assert_eq!(timeline[2].message, Some(message(1)));
    let body = Sealed { subject: party(1), bytes: vec![1; 40].into() };
    assert_eq!(timeline[2].body, Some(Body { item: message(1), sealed: body }));
    let note = Body { item: MessageId(party(1).0), sealed: sealed(1, "sealed note") };
    assert_eq!(timeline[8].body, Some(note));
    assert_eq!((&timeline[0].body, &timeline[0].message), (&None, &None));
    assert_eq!((&timeline[2].inbox, timeline[2].channel), (&inbox(), Some(domain::Channel::Messenger)));

    // What belongs to no conversation stands in the party's timeline only.
    let of_conversation = world.timeline(TimelineOf::Conversation(id)).await;
    let expected: Vec<_> = timeline.iter().filter(|entry| entry.conversation == Some(id)).cloned().collect();
    assert_eq!(of_conversation, expected);
    assert_eq!(of_conversation.len(), timeline.len() - 2);

    let found = world.store.conversation(&acme(), id).await.unwrap().unwrap();
    assert_eq!((found.opened_at, found.updated_at, found.closed_at), (Timestamp(100), Timestamp(210), None));
    assert_eq!(found.owner, Some(Owner::Bot(bot())));
}

#[tokio::test]
async fn a_supervisors_hand_shows_with_what_it_left() {
    let mut world = World::new();
    world.say(100, hello(1, 100)).await;
    let (conversation, note) = (first(1), Some(sealed(1, "sealed note")));
    let reassigned = What::Reassigned { conversation, by: Some(agent()), note };
    world.say(110, [reassigned, wanted(conversation, HandOffReason::Reassigned)]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Conversation(conversation)).await;
    assert_eq!(
        lines(&timeline[3..]),
        [
            "110 reassigned agent:acme/support/ann",
            "110 agent_wanted system (reassigned acme/support/general)",
        ]
    );
    let note = Body { item: MessageId(party(1).0), sealed: sealed(1, "sealed note") };
    assert_eq!(timeline[3].body, Some(note));
}

#[tokio::test]
async fn what_is_put_away_shows_by_whom_and_until_when() {
    let mut world = World::new();
    let conversation = first(1);
    world.say(100, hello(1, 100)).await;
    world.say(110, [wanted(conversation, HandOffReason::BotSilent), assigned(conversation)]).await;
    let (assignment, until) = (offer(), Timestamp(900));
    let snoozed = What::Snoozed { conversation, agent: agent(), assignment, owner_epoch: 4, until };
    world.say(120, [snoozed]).await;
    world.project().await;
    let found = world.store.conversation(&acme(), conversation).await.unwrap().unwrap();
    assert_eq!(found.owner, Some(Owner::Snoozed(agent())));
    world.say(900, [wanted(conversation, HandOffReason::Woke)]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Conversation(conversation)).await;
    assert_eq!(
        lines(&timeline[5..]),
        ["120 snoozed agent:acme/support/ann (900)", "900 agent_wanted system (woke acme/support/general)"]
    );
    let found = world.store.conversation(&acme(), conversation).await.unwrap().unwrap();
    assert_eq!(found.owner, Some(Owner::Queue(queue())));
}

#[tokio::test]
async fn what_is_split_off_and_joined_shows_where_it_stands_now() {
    let mut world = World::new();
    let (first, second) = (first(1), ConversationId { number: 2, ..first(1) });
    world.say(100, hello(1, 100)).await;
    world.say(110, [received(first, 2), replied(first, 3), received(first, 4)]).await;
    let messages = async |world: &World, of: ConversationId| {
        world.project().await;
        let entries = world.timeline(TimelineOf::Conversation(of)).await;
        entries.iter().filter_map(|entry| entry.message).collect::<Vec<_>>()
    };
    assert_eq!(messages(&world, first).await.len(), 4);
    let split = What::Split { conversation: first, into: second, message: message(2), by: agent() };
    world.say(120, [opened(second), split, wanted(second, HandOffReason::Split)]).await;
    assert_eq!(messages(&world, first).await, [message(1)]);
    assert_eq!(messages(&world, second).await, [2, 3, 4].map(message));
    let told = lines(&world.timeline(TimelineOf::Conversation(first)).await);
    let expected = format!("120 split agent:acme/support/ann ({second} {})", message(2));
    assert_eq!(told.last(), Some(&expected));

    world.say(130, [received(second, 5)]).await;
    let (by, reason) = (Closer::Agent(agent()), CloseReason::Joined);
    let joined = What::Joined { conversation: first, other: second, by: agent() };
    world.say(140, [What::Closed { conversation: second, by, reason }, joined]).await;
    assert_eq!(messages(&world, second).await, []);
    assert_eq!(messages(&world, first).await, [1, 2, 3, 4, 5].map(message));
    let whole = lines(&world.timeline(TimelineOf::Party(party(1))).await);
    assert_eq!(whole.last(), Some(&format!("140 joined agent:acme/support/ann ({second})")));
}

#[tokio::test]
async fn a_conversation_shows_its_owner_until_it_is_closed() {
    let mut world = World::new();
    let owner = async |world: &World| {
        world.project().await;
        world.store.conversation(&acme(), first(1)).await.unwrap().unwrap().owner
    };
    world.say(100, hello(1, 100)).await;
    assert_eq!(owner(&world).await, Some(Owner::Bot(bot())));
    world.say(110, [wanted(first(1), HandOffReason::BotSilent)]).await;
    assert_eq!(owner(&world).await, Some(Owner::Queue(queue())));
    world.say(120, [assigned(first(1))]).await;
    assert_eq!(owner(&world).await, Some(Owner::Agent(agent())));
    let closed = What::Closed { conversation: first(1), by: Closer::Customer, reason: CloseReason::OptedOut };
    world.say(130, [closed]).await;
    assert_eq!(owner(&world).await, None);

    let second = ConversationId { number: 2, ..first(1) };
    world.say(140, [opened(second), engaged(second), received(second, 2)]).await;
    assert_eq!(owner(&world).await, None);
    let all = world.store.conversations_of_party(&acme(), party(1)).await.unwrap();
    assert_eq!(
        all.iter().map(|found| (found.id, found.closed_at)).collect::<Vec<_>>(),
        [(first(1), Some(Timestamp(130))), (second, None)]
    );
    assert_eq!(
        lines(&world.timeline(TimelineOf::Conversation(second)).await),
        ["140 opened system", "140 bot_engaged bot:greeter", "140 message_received customer"]
    );
}

#[tokio::test]
async fn a_message_is_one_entry_however_often_it_is_delivered() {
    let mut world = World::new();
    world.say(100, hello(1, 100)).await;
    world.say(110, [received(first(1), 2), received(first(1), 2)]).await;
    world.say(999, [received(first(1), 1)]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party(1))).await;
    let messages: Vec<_> = timeline.iter().filter_map(|entry| Some((entry.at.0, entry.message?))).collect();
    assert_eq!(messages, [(100, message(1)), (110, message(2))]);
}

#[tokio::test]
async fn another_partys_message_of_the_same_id_is_its_own() {
    let mut world = World::new();
    world.say(100, hello(1, 100)).await;
    world.say(100, [seen(2, 100), opened(first(2)), received(first(2), 1)]).await;
    world.project().await;
    for n in [1, 2] {
        let timeline = world.timeline(TimelineOf::Party(party(n))).await;
        assert!(timeline.iter().any(|entry| entry.message == Some(message(1))), "party {n}");
    }
}

#[tokio::test]
async fn what_became_of_a_message_only_moves_forward() {
    use DeliveryStatus::*;
    let stories: [(&[What], DeliveryStatus); 6] = [
        (&[noted(2, Progress::Unknown)], Unknown),
        (&[noted(2, Progress::Unknown), noted(2, sent())], Sent),
        (&[noted(2, sent()), receipt(2, ReceiptKind::Failed)], Failed),
        (&[receipt(2, ReceiptKind::Read), noted(2, sent()), receipt(2, ReceiptKind::Delivered)], Read),
        (&[noted(2, sent()), receipt(2, ReceiptKind::Failed), receipt(2, ReceiptKind::Delivered)], Delivered),
        (&[noted(2, sent()), noted(3, Progress::Unknown)], Sent),
    ];
    for (events, expected) in stories {
        let mut world = World::new();
        world.say(100, hello(1, 100)).await;
        world.say(110, [bot_replied(first(1), 2)]).await;
        for event in events {
            world.say(120, [event.clone()]).await;
        }
        world.project().await;
        let timeline = world.timeline(TimelineOf::Conversation(first(1))).await;
        assert_eq!(timeline.last().unwrap().delivery.as_ref().unwrap().status, expected, "{events:?}");
    }
}

#[tokio::test]
async fn doubtful_senders_and_postbacks_are_marked() {
    let mut world = World::new();
    let mut events = hello(1, 100).to_vec();
    for (n, of_kind, sure) in [(2, MessageKind::Postback, true), (3, MessageKind::Message, false)] {
        let What::MessageReceived { conversation, content, thread, sent_at, .. } = received(first(1), n)
        else {
            unreachable!()
        };
        let (message, kind, authenticated) = (message(n), of_kind, sure);
        events.push(What::MessageReceived {
            conversation,
            message,
            kind,
            content,
            thread,
            sent_at,
            authenticated,
            marks: None,
            people_only: false,
            reply_to: None,
            referral: None,
        });
    }
    world.say(100, events).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party(1))).await;
    assert_eq!(
        lines(&timeline)[3..],
        ["100 message_received customer (postback)", "100 message_received customer (unauthenticated)"]
    );
}

#[tokio::test]
async fn a_body_may_be_sealed_under_another_subject() {
    let mut world = World::new();
    world.say(100, [seen(1, 100), opened(first(1)), engaged(first(1))]).await;
    let colleagues = sealed(2, "sealed by a colleague");
    let mut what = received(first(1), 2);
    if let What::MessageReceived { content, .. } = &mut what {
        *content = colleagues.clone();
    }
    world.say(110, [what]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party(1))).await;
    assert_eq!(timeline.last().unwrap().body, Some(Body { item: message(2), sealed: colleagues }));
}

#[tokio::test]
async fn a_bounce_is_noted_without_making_its_sender_a_customer() {
    let mut world = World::new();
    let content = Some(sealed(4, "sealed report"));
    let kind = NoteKind::Bounce;
    world
        .say(
            100,
            [What::Noted {
                party: party(4),
                kind,
                message: message(4),
                content,
                at: Timestamp(1),
                conversation: None,
                about: None,
                referral: None,
            }],
        )
        .await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party(4))).await;
    assert_eq!(lines(&timeline), ["100 noted system (bounce)"]);
    assert_eq!((timeline[0].channel, timeline[0].conversation), (None, None));

    // The sign of life may still come.
    world.say(110, hello(4, 110)).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party(4))).await;
    assert_eq!(timeline[0].channel, Some(domain::Channel::Messenger));
}

#[tokio::test]
async fn pages_join_into_the_whole() {
    let mut world = World::new();
    for n in 1..=40 {
        let events = if n == 1 { hello(1, 100).to_vec() } else { vec![received(first(1), n)] };
        world.say(100 + i64::from(n) / 4, events).await;
    }
    world.project().await;
    for of in [TimelineOf::Party(party(1)), TimelineOf::Conversation(first(1))] {
        let whole = world.timeline(of).await;
        assert_eq!(whole.len(), 42);
        for limit in [1, 3, 42, 100] {
            let mut joined: Vec<Entry> = Vec::new();
            loop {
                let after = joined.last().map(|entry| entry.id);
                let page = world.store.timeline(&acme(), &of, after, limit).await.unwrap();
                assert!(page.len() <= limit);
                if page.is_empty() {
                    break;
                }
                joined.extend(page);
            }
            assert_eq!(joined, whole, "in pages of {limit}");
        }
    }
}

#[tokio::test]
async fn another_tenants_ids_are_as_good_as_none() {
    let mut world = World::new();
    world.say(100, hello(1, 100)).await;
    world.ledger(101, [created(1, 101)]).await;
    world.project().await;
    let contact = domain::ContactId(party(1).0);
    for of in [TimelineOf::Party(party(1)), TimelineOf::Conversation(first(1)), TimelineOf::Contact(contact)]
    {
        assert_eq!(world.timeline(of).await.len(), 3);
        assert_eq!(world.store.timeline(&globex(), &of, None, 100).await.unwrap(), []);
    }
    let theirs = world.timeline(TimelineOf::Party(party(1))).await[0].id;
    let refused = world.store.timeline(&globex(), &TimelineOf::Party(party(2)), Some(theirs), 100).await;
    assert!(matches!(refused, Err(Error::NoEntry { id }) if id == theirs), "{refused:?}");

    assert_eq!(world.store.conversation(&globex(), first(1)).await.unwrap(), None);
    assert_eq!(world.store.conversations_of_party(&globex(), party(1)).await.unwrap(), []);
    assert_eq!(world.store.contact(&globex(), contact).await.unwrap(), None);
    assert_eq!(world.store.contacts(&globex(), None, 100).await.unwrap(), []);
}
