//! What a platform says besides messages.

use domain::{
    MessageId, Timestamp,
    conversation::{NoteKind, Referral, What},
};
use projections::{Entry, TimelineOf};

use crate::world::*;

fn noted(kind: NoteKind, n: u8, about: Option<u8>) -> What {
    What::Noted {
        party: party(1),
        kind,
        message: message(n),
        content: Some(sealed(1, "sealed")),
        at: Timestamp(1),
        conversation: Some(first(1)),
        about: about.map(message),
        referral: None,
    }
}

fn begun() -> [What; 3] {
    [seen(1, 100), opened(first(1)), engaged(first(1))]
}

fn shown(timeline: &[Entry]) -> Vec<(Option<MessageId>, bool, bool)> {
    let messages = timeline.iter().filter(|entry| entry.message.is_some());
    messages.map(|entry| (entry.message, entry.body.is_some(), entry.taken_back)).collect()
}

#[tokio::test]
async fn what_was_taken_back_shows_no_more_whichever_came_first() {
    let told = [
        received(first(1), 1),
        noted(NoteKind::Edit, 2, Some(1)),
        noted(NoteKind::Reaction, 3, Some(1)),
        noted(NoteKind::Unsend, 4, Some(1)),
        received(first(1), 5),
    ];
    let mut orders = vec![told.clone(), told.clone()];
    orders[1].reverse();
    for order in orders {
        let mut world = World::new();
        world.say(100, begun()).await;
        for what in order {
            world.say(110, [what]).await;
        }
        world.project().await;
        let timeline = world.timeline(TimelineOf::Conversation(first(1))).await;
        let mut shown = shown(&timeline);
        shown.sort();
        let expected =
            [(1, false, true), (2, false, true), (3, true, false), (4, true, false), (5, true, false)];
        assert_eq!(shown, expected.map(|(n, body, gone)| (Some(message(n)), body, gone)));
        let edit = timeline.iter().find(|entry| entry.message == Some(message(2))).unwrap();
        assert_eq!((edit.about, edit.detail.as_deref()), (Some(message(1)), Some("edit")));
    }
}

#[tokio::test]
async fn nobody_takes_back_what_someone_else_wrote() {
    let mut world = World::new();
    world.say(100, begun()).await;
    world.say(110, [replied(first(1), 1), noted(NoteKind::Unsend, 2, Some(1))]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Conversation(first(1))).await;
    assert_eq!(shown(&timeline)[0], (Some(message(1)), true, false));
}

#[tokio::test]
async fn answers_from_elsewhere_and_who_has_the_thread_are_told() {
    let mut world = World::new();
    world.say(100, begun()).await;
    let (party, conversation, at) = (party(1), Some(first(1)), Timestamp(1));
    let content = Some(sealed(1, "sealed answer"));
    let held = |elsewhere| What::ThreadHeld {
        party,
        conversation,
        elsewhere,
        app: Some("263902037430900".into()),
        note: None,
        at,
    };
    let answered = What::AnsweredElsewhere { party, conversation, message: message(3), content, at };
    let mut came = noted(NoteKind::Referral, 4, None);
    if let What::Noted { referral, .. } = &mut came {
        let reference = Some("spring".into());
        *referral = Some(Box::new(Referral { reference, ..Referral::default() }));
    }
    let to = correspondent(acme(), 2);
    let known = What::KnownAs { party, to, moved: true, at };
    world.say(110, [held(true), answered, held(false), came, known]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Party(party)).await;
    let told = |entry: &Entry| {
        format!("{} {} {}", entry.kind.as_str(), entry.author, entry.detail.as_deref().unwrap_or_default())
    };
    let moved = format!("known_as customer {} moved", crate::world::party(2));
    assert_eq!(
        timeline[2..].iter().map(told).collect::<Vec<_>>(),
        [
            "thread_taken system 263902037430900",
            "answered_elsewhere system ",
            "thread_returned system 263902037430900",
            "noted customer referral spring",
            moved.as_str(),
        ]
    );
    assert!(timeline[3].body.is_some());
}
