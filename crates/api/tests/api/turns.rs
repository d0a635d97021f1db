//! `Bots.Serve`: turns out, answers in, each turn once.

use domain::TurnId;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use wire::api::v1::{
    self as pb, body,
    bot_message::{self, Item as Say, action::Action},
    bots_client::BotsClient,
    turn_message::{self, Item, answered},
};

use super::{
    supervision::known,
    world::{World, soon},
};

struct Bot {
    say: mpsc::Sender<pb::BotMessage>,
    hear: Streaming<pb::TurnMessage>,
}

impl Bot {
    async fn connect(world: &World, name: &str, token: &'static str) -> Result<Bot, Status> {
        let (say, said) = mpsc::channel(64);
        let hello = Say::Hello(bot_message::Hello { bot: name.into() });
        say.send(pb::BotMessage { item: Some(hello) }).await.unwrap();
        let mut client = BotsClient::new(world.with_token(token).await);
        let hear = client.serve(ReceiverStream::new(said)).await?.into_inner();
        let mut bot = Bot { say, hear };
        assert!(matches!(bot.next().await, Item::Welcome(welcome) if welcome.bot == name));
        Ok(bot)
    }

    async fn next(&mut self) -> Item {
        let message = soon("the bot's next message", self.hear.message()).await.unwrap();
        message.expect("the stream goes on").item.expect("an item")
    }

    async fn turn(&mut self) -> turn_message::Turn {
        match self.next().await {
            Item::Turn(turn) => turn,
            other => panic!("a turn was due, not {other:?}"),
        }
    }

    async fn answer(&mut self, turn: &str, actions: Vec<Action>) -> answered::Result {
        let actions =
            actions.into_iter().map(|action| bot_message::Action { action: Some(action) }).collect();
        let answer = bot_message::Answer { turn: turn.into(), actions };
        self.say.send(pb::BotMessage { item: Some(Say::Answer(answer)) }).await.unwrap();
        match self.next().await {
            Item::Answered(answered) if answered.turn == turn => answered.result.unwrap(),
            other => panic!("an answer was due, not {other:?}"),
        }
    }
}

fn say(text: &str) -> Action {
    Action::Say(bot_message::Say { text: text.into(), ..Default::default() })
}

fn code(result: answered::Result) -> String {
    match result {
        answered::Result::Rejected(rejected) => rejected.code,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_bot_answers_its_turns_and_hands_over() {
    let world = World::led().await;
    let mut bot = Bot::connect(&world, "helper", "other-helper").await.unwrap();
    world.write("other", "alice", "hello").await;
    let turn = bot.turn().await;
    assert!(matches!(turn.body.unwrap().state, Some(body::State::Content(said)) if said.text == "hello"));
    assert_eq!(turn.inbox, "other-chat");

    let accepted = bot.answer(&turn.turn, vec![say("Hi!"), say("How can I help?")]).await;
    assert!(matches!(accepted, answered::Result::Accepted(_)), "{accepted:?}");
    let again = bot.answer(&turn.turn, vec![say("Hi!"), say("How can I help?")]).await;
    assert!(matches!(again, answered::Result::Accepted(_)), "the same answer is one answer: {again:?}");
    assert_eq!(code(bot.answer(&turn.turn, vec![say("Bye!")]).await), "conflict");

    world.write("other", "alice", "a person please").await;
    let turn = bot.turn().await;
    let hand_off = Action::HandOff(bot_message::HandOff::default());
    let accepted = bot.answer(&turn.turn, vec![say("One moment"), hand_off]).await;
    assert!(matches!(accepted, answered::Result::Accepted(_)), "{accepted:?}");
}

#[tokio::test]
async fn a_bot_says_what_a_person_must_know_and_is_told_if_nobody_does() {
    let world = World::led().await;
    known(&world).await;
    let mut bot = Bot::connect(&world, "helper", "other-helper").await.unwrap();
    world.write("other", "alice", "hello").await;
    let turn = bot.turn().await;
    let hand_off = |skill: &str, priority| {
        let skills = [(skill.to_owned(), 3)].into();
        Action::HandOff(bot_message::HandOff { skills, priority, ..Default::default() })
    };
    for impossible in [hand_off("law", 1), hand_off("no skill", 1)] {
        assert_eq!(code(bot.answer(&turn.turn, vec![impossible]).await), "invalid");
    }
    // That was no answer yet.
    let urgent = Action::HandOff(bot_message::HandOff { priority: 7, ..Default::default() });
    let accepted = bot.answer(&turn.turn, vec![say("One moment"), urgent]).await;
    assert!(matches!(accepted, answered::Result::Accepted(_)), "{accepted:?}");
}

#[tokio::test]
async fn an_unanswered_turn_comes_again_on_the_next_stream() {
    let world = World::led().await;
    let mut bot = Bot::connect(&world, "helper", "other-helper").await.unwrap();
    world.write("other", "alice", "hello").await;
    let turn = bot.turn().await;
    drop(bot);
    let mut bot = Bot::connect(&world, "helper", "other-helper").await.unwrap();
    assert_eq!(bot.turn().await, turn);
    let accepted = bot.answer(&turn.turn, vec![]).await;
    assert!(matches!(accepted, answered::Result::Accepted(_)), "{accepted:?}");
}

#[tokio::test]
async fn a_turn_is_its_own_bots_alone() {
    let world = World::led().await;
    let mut theirs = Bot::connect(&world, "helper", "other-helper").await.unwrap();
    let mut namesake = Bot::connect(&world, "helper", "acme-helper").await.unwrap();
    world.write("other", "alice", "hello").await;
    let turn = theirs.turn().await;
    let mut rival = Bot::connect(&world, "rival", "other-rival").await.unwrap();
    // The same words, so that only who says them tells the answers apart.
    assert_eq!(code(namesake.answer(&turn.turn, vec![say("Mine.")]).await), "not_found");
    assert_eq!(code(rival.answer(&turn.turn, vec![say("Mine.")]).await), "not_owner");
    assert_eq!(code(theirs.answer("nonsense", vec![]).await), "invalid");
    assert_eq!(code(theirs.answer(&turn.turn, vec![say("")]).await), "invalid");
    let foreign =
        Action::HandOff(bot_message::HandOff { queue: "acme/desk/all".into(), ..Default::default() });
    assert_eq!(code(theirs.answer(&turn.turn, vec![foreign]).await), "not_found");
    let accepted = theirs.answer(&turn.turn, vec![say("Mine.")]).await;
    assert!(matches!(accepted, answered::Result::Accepted(_)), "{accepted:?}");
    // Nor does it help to name a turn that nobody waits for.
    let next: TurnId = turn.turn.parse().unwrap();
    let next = TurnId { number: next.number + 1, ..next }.to_string();
    assert_eq!(code(namesake.answer(&next, vec![say("Mine!")]).await), "not_found");
    assert_eq!(code(rival.answer(&next, vec![say("Mine!")]).await), "not_owner");
    assert_eq!(code(theirs.answer(&next, vec![say("Mine!")]).await), "stale");

    assert_eq!(Bot::connect(&world, "helper", "ann").await.err().unwrap().code(), Code::PermissionDenied);
}
