//! How a customer's stories are told: given what happened, when something comes in, then this follows.

use std::sync::Arc;

use super::*;
use crate::conversation::{
    Answers, BotAction, Command, Conversations, Correspondent, Decider, Event, HandOffReason, MessageKind,
    NoteKind, Outgoing, Progress, ReceiptKind, Received, Suppression, ThreadOf, Transfer, What,
};
use crate::{Aggregate, Code, Context, Policies, Rejection};

pub(super) struct Story {
    pub(super) state: Conversations,
    policies: Policies,
    now: Timestamp,
    outcome: Option<Result<Vec<Event>, Rejection>>,
}

/// What happened at second 0, in an inbox where a bot greets.
pub(super) fn given<const N: usize>(happened: [What; N]) -> Story {
    let story = Story {
        state: Conversations::default(),
        policies: Policies::default(),
        now: seconds(0),
        outcome: None,
    };
    story.under(policy(1, Some("greeter"), "support")).and(happened)
}

/// The same in an inbox without a bot.
pub(super) fn given_no_bot<const N: usize>(happened: [What; N]) -> Story {
    given(happened).under(policy(1, None, "support"))
}

impl Story {
    pub(super) fn under(mut self, policy: Policy) -> Self {
        self.policies.put(Arc::new(policy));
        self
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn at(mut self, second: i64) -> Self {
        self.now = seconds(second);
        self
    }

    pub(super) fn and<const N: usize>(mut self, happened: [What; N]) -> Self {
        for what in happened {
            Decider::evolve(&mut self.state, self.now, &of_acme(what));
        }
        self
    }

    pub(super) fn when(self, command: Command) -> Self {
        self.when_said(None, command)
    }

    /// By a command of this id.
    pub(super) fn when_asked(self, id: CommandId, command: Command) -> Self {
        self.when_said(Some(id), command)
    }

    fn when_said(mut self, id: Option<CommandId>, command: Command) -> Self {
        assert!(self.outcome.is_none(), "what followed before was looked at");
        let context = Context { now: self.now, policies: &self.policies, command: id };
        self.outcome = Some(Decider::decide(&self.state, &context, &command));
        self
    }

    /// Whatever follows.
    #[track_caller]
    pub(super) fn events(self) -> Vec<Event> {
        self.outcome.expect("something was asked").expect("it is not refused")
    }

    /// Whatever follows; the story goes on from there.
    #[track_caller]
    pub(super) fn and_tell(mut self) -> (Self, Vec<Event>) {
        let events = self.outcome.take().expect("something was asked").expect("it is not refused");
        for event in &events {
            Decider::evolve(&mut self.state, self.now, event);
        }
        (self, events)
    }

    /// Exactly this follows; the story goes on from there.
    #[track_caller]
    pub(super) fn then<const N: usize>(mut self, expected: [What; N]) -> Self {
        let events = self.outcome.take().expect("something was asked").expect("it is not refused");
        assert_eq!(events, expected.map(of_acme));
        for event in &events {
            Decider::evolve(&mut self.state, self.now, event);
        }
        self
    }

    /// It is refused; the story goes on as if it had not been asked.
    #[track_caller]
    pub(super) fn then_rejected(mut self, code: Code) -> Self {
        let rejection = self.outcome.take().expect("something was asked").expect_err("it is refused");
        assert_eq!(rejection.code, code, "{rejection}");
        self
    }

    /// It is refused, in these words.
    #[track_caller]
    pub(super) fn rejected(mut self, code: Code) -> String {
        let rejection = self.outcome.take().expect("something was asked").expect_err("it is refused");
        assert_eq!(rejection.code, code, "{rejection}");
        rejection.detail
    }

    /// The first timer comes due and is fired.
    #[track_caller]
    pub(super) fn when_time_comes(mut self) -> Self {
        let timer = self.state.timers.first().expect("a timer is set");
        self.state.timers.take(&timer);
        self.now = self.now.max(timer.due);
        self.when(Decider::fired(timer.id))
    }

    #[track_caller]
    pub(super) fn no_timer_is_set(self) -> Self {
        assert!(self.state.timers.is_empty());
        self
    }
}

fn of_acme(what: What) -> Event {
    Event { tenant: tenant(), inbox: inbox(), what }
}

// What the first customer and the business do and what happened to them, short. Conversations are the first
// customer's, by their number.

pub(super) fn id(number: u32) -> ConversationId {
    conversation(1, number)
}

pub(super) fn received(n: u128) -> Received {
    Received {
        from: correspondent(1),
        kind: MessageKind::Message,
        message: message(n),
        content: sealed(1, n),
        sent_at: seconds(0),
        authenticated: true,
        thread: None,
        placed: None,
        home: None,
        marks: None,
        answers: Answers::default(),
        entry: None,
        people_only: false,
        reply_to: None,
        referral: None,
        window: None,
    }
}

pub(super) fn note(
    from: Correspondent,
    kind: NoteKind,
    message: MessageId,
    content: Option<Sealed>,
    at: Timestamp,
    suppresses: Option<Suppression>,
) -> Command {
    Command::Note { from, kind, message, content, at, suppresses, about: None, referral: None, entry: None }
}

pub(super) fn noted(
    conversation: Option<ConversationId>,
    kind: NoteKind,
    message: MessageId,
    content: Option<Sealed>,
    at: Timestamp,
) -> What {
    let party = party(1);
    What::Noted { party, kind, message, content, at, conversation, about: None, referral: None }
}

pub(super) fn receive(n: u128) -> Command {
    Command::Receive(Box::new(received(n)))
}

pub(super) fn answer(turn: TurnId, actions: &[BotAction]) -> Command {
    answer_of("greeter", turn, actions)
}

/// What a bot says to a turn, whosever that is.
pub(super) fn answer_of(name: &str, turn: TurnId, actions: &[BotAction]) -> Command {
    Command::BotAnswer { turn, tenant: tenant(), bot: bot(name), actions: actions.to_vec() }
}

pub(super) fn say(n: u128) -> BotAction {
    BotAction::Say { message: message(n), body: sealed(1, n) }
}

pub(super) fn assign(number: u32, owner_epoch: u32, name: &str, n: u64) -> Command {
    let (conversation, agent) = (id(number), agent(name));
    Command::Assign { conversation, owner_epoch, offer: offer(n), agent, command: command_id(7) }
}

pub(super) fn reply(number: u32, name: &str, assignment: u64, n: u128) -> Command {
    Command::Reply {
        conversation: id(number),
        agent: agent(name),
        assignment: offer(assignment),
        message: message(n),
        body: sealed(1, n),
        by: None,
    }
}

/// Ann gives the first conversation away, which she has by offer 1.
pub(super) fn transfer(to: Transfer) -> Command {
    Command::Transfer {
        conversation: id(1),
        agent: agent("ann"),
        assignment: offer(1),
        to,
        note: Some(sealed(1, 99)),
    }
}

pub(super) fn close(number: u32, name: &str, assignment: u64) -> Command {
    Command::Close { conversation: id(number), agent: agent(name), assignment: Some(offer(assignment)) }
}

/// Ann puts the first conversation away, which she has by offer 1.
pub(super) fn snooze(until: i64) -> Command {
    Command::Snooze { conversation: id(1), agent: agent("ann"), assignment: offer(1), until: seconds(until) }
}

pub(super) fn wake(name: &str) -> Command {
    Command::Wake { conversation: id(1), agent: agent(name) }
}

pub(super) fn give_back(number: u32, assignment: u64) -> Command {
    Command::GiveBack { conversation: id(number), assignment: offer(assignment) }
}

pub(super) fn progress(n: u128, progress: Progress) -> Command {
    Command::Progress { conversation: id(1), message: message(n), progress }
}

pub(super) fn receipt(kind: ReceiptKind, provider_id: &str) -> Command {
    Command::Receipt {
        party: party(1),
        kind,
        provider_id: Some(provider_id.into()),
        watermark: None,
        at: seconds(50),
        reason: None,
        pricing: None,
    }
}

pub(super) fn seen(at: i64) -> What {
    What::CustomerSeen { from: correspondent(1), at: seconds(at) }
}

pub(super) fn opened(number: u32) -> What {
    What::Opened { conversation: id(number), policy_version: 1 }
}

pub(super) fn engaged(number: u32, owner_epoch: u32) -> What {
    What::BotEngaged { conversation: id(number), bot: bot("greeter"), owner_epoch, queue: queue("support") }
}

pub(super) fn message_received(number: u32, n: u128) -> What {
    What::MessageReceived {
        conversation: id(number),
        message: message(n),
        kind: MessageKind::Message,
        content: sealed(1, n),
        thread: None,
        sent_at: seconds(0),
        authenticated: true,
        marks: None,
        people_only: false,
        reply_to: None,
        referral: None,
    }
}

/// The bot is asked at a second, with its usual time to answer.
pub(super) fn asked(turn: TurnId, n: u128, at: i64) -> What {
    What::TurnAsked {
        turn,
        bot: bot("greeter"),
        content: None,
        message: message(n),
        answer_by: seconds(at) + PATIENCE,
        link: None,
    }
}

pub(super) fn answered(turn: TurnId) -> What {
    What::TurnAnswered { turn }
}

pub(super) fn outgoing(n: u128, by_person: bool, thread: Option<ThreadOf>) -> Outgoing {
    Outgoing {
        tenant: tenant(),
        inbox: inbox(),
        channel: Channel::Sms,
        to: sealed(1, 0),
        body: sealed(1, n),
        thread,
        by_person,
        signed: None,
        window: None,
    }
}

pub(super) fn bot_replied(number: u32, n: u128) -> What {
    What::BotReplied { conversation: id(number), message: message(n), outgoing: outgoing(n, false, None) }
}

pub(super) fn replied(number: u32, name: &str, n: u128) -> What {
    What::Replied {
        conversation: id(number),
        agent: agent(name),
        message: message(n),
        outgoing: outgoing(n, true, None),
    }
}

pub(super) fn wanted(number: u32, owner_epoch: u32, to: &str, reason: HandOffReason, since: i64) -> What {
    What::AgentWanted {
        conversation: id(number),
        channel: Channel::Sms,
        queue: queue(to),
        owner_epoch,
        reason,
        since: seconds(since),
        again: reason == HandOffReason::AgentGone,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    }
}

pub(super) fn assigned(number: u32, owner_epoch: u32, name: &str, n: u64) -> What {
    What::Assigned {
        conversation: id(number),
        agent: agent(name),
        assignment: offer(n),
        owner_epoch,
        command: command_id(7),
    }
}

/// To an agent of the night's, by an offer made there.
pub(super) fn assigned_at_night(number: u32, owner_epoch: u32, name: &str, n: u64) -> What {
    let assignment = OfferId { desk: desk("night"), number: n };
    let (conversation, agent, command) = (id(number), agent(name), command_id(7));
    What::Assigned { conversation, agent, assignment, owner_epoch, command }
}

pub(super) fn released(number: u32, assignment: u64) -> What {
    What::Released { conversation: id(number), assignment: offer(assignment) }
}

pub(super) fn snoozed(owner_epoch: u32, until: i64) -> What {
    What::Snoozed {
        conversation: id(1),
        agent: agent("ann"),
        assignment: offer(1),
        owner_epoch,
        until: seconds(until),
    }
}

pub(super) fn sent(n: u128, provider_id: &str) -> What {
    let progress = Progress::Sent { provider_id: provider_id.into() };
    What::DeliveryNoted { conversation: id(1), message: message(n), progress }
}

/// The customer wrote once, and the bot is thinking.
pub(super) fn bot_is_asked() -> Story {
    given([seen(0), opened(1), engaged(1, 1), message_received(1, 1), asked(turn(id(1), 1, 1), 1, 0)])
}

/// The customer wrote once, and waits for a person.
pub(super) fn waiting() -> Story {
    given_no_bot([
        seen(0),
        opened(1),
        wanted(1, 1, "support", HandOffReason::NoBot, 0),
        message_received(1, 1),
    ])
}

/// Ann has the conversation by offer 1.
pub(super) fn with_ann() -> Story {
    waiting().and([assigned(1, 2, "ann", 1)])
}
