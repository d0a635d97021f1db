//! How a desk's stories are told: given what happened, when something comes in, then this follows.

use super::*;
use crate::desk::{
    Command, Decider, Desks, Event, LeftQueue, PreferenceEnded, Presence, StrandedBecause, WithdrawnBecause,
};
use crate::{Aggregate, Code, Context, Policies, Rejection};

use Channel::{Email, Sms};

pub(super) struct Story {
    pub(super) desks: Desks,
    pub(super) policies: Policies,
    pub(super) now: Timestamp,
    outcome: Option<Result<Vec<Event>, Rejection>>,
}

/// Ann serves both queues and has room for two, one of them e-mail; Bob has room for one from support; Cid has
/// none, yet.
pub(super) fn usual() -> Arc<Policy> {
    team(2, 1, 0)
}

pub(super) fn team(ann: u32, bob: u32, cid: u32) -> Arc<Policy> {
    let (sales, support) = (queue("sales"), queue("support"));
    policy(
        1,
        &[(sales.clone(), 10), (support.clone(), 0)],
        &[
            (agent("ann"), serving(&[sales.clone(), support.clone()], ann, &[(Email, 1)])),
            (agent("bob"), serving(std::slice::from_ref(&support), bob, &[])),
            (agent("cid"), serving(&[support], cid, &[])),
        ],
    )
}

/// What happened at second 0.
pub(super) fn given<const N: usize>(events: [Event; N]) -> Story {
    let story =
        Story { desks: Desks::default(), policies: Policies::default(), now: seconds(0), outcome: None };
    story.under(usual()).and(events)
}

impl Story {
    pub(super) fn under(mut self, policy: Arc<Policy>) -> Self {
        self.policies.put(policy);
        self
    }

    pub(super) fn at(mut self, second: i64) -> Self {
        self.now = seconds(second);
        self
    }

    pub(super) fn and<const N: usize>(mut self, events: [Event; N]) -> Self {
        for event in &events {
            Decider::evolve(&mut self.desks, self.now, event);
        }
        self
    }

    pub(super) fn when(mut self, command: Command) -> Self {
        let context = Context { now: self.now, policies: &self.policies, command: Some(command_id(7)) };
        self.outcome = Some(Decider::decide(&self.desks, &context, &command));
        self
    }

    /// Lets what followed happen, whatever it was.
    pub(super) fn follow(mut self) -> (Self, Vec<Event>) {
        let events = self.outcome.take().expect("something was asked").expect("it is not refused");
        for event in &events {
            Decider::evolve(&mut self.desks, self.now, event);
        }
        (self, events)
    }

    /// Exactly these events follow; the story goes on from there.
    #[track_caller]
    pub(super) fn then<const N: usize>(self, expected: [Event; N]) -> Self {
        let (story, events) = self.follow();
        assert_eq!(events.into_iter().filter_map(bare).collect::<Vec<_>>(), expected);
        story
    }

    #[track_caller]
    pub(super) fn then_rejected(self, code: Code) {
        let rejection = self.outcome.expect("something was asked").expect_err("it is refused");
        assert_eq!(rejection.code, code, "{rejection}");
    }

    /// The first timer comes due and is fired.
    pub(super) fn when_time_comes(mut self) -> Self {
        let timer = self.desks.timers.first().expect("a timer is set");
        self.desks.timers.take(&timer);
        self.now = self.now.max(timer.due);
        self.when(Decider::fired(timer.id))
    }
}

/// An event without its reasons: those have stories of their own.
fn bare(event: Event) -> Option<Event> {
    match event {
        Event::Waits { .. } => None,
        Event::Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at, why } => {
            assert!(why.is_some(), "an offer has its reason");
            let why = None;
            Some(Event::Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at, why })
        }
        event => Some(event),
    }
}

// Commands and events of the team, short.

pub(super) fn enqueue(n: u8, to: &str) -> Command {
    Command::Enqueue {
        conversation: conversation(n),
        owner_epoch: 1,
        channel: Sms,
        queue: queue(to),
        since: seconds(0),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    }
}

pub(super) fn enqueued(n: u8, to: &str) -> Event {
    waits(n, to, Sms, 0, false, None)
}

pub(super) fn waits(
    n: u8,
    to: &str,
    channel: Channel,
    since: i64,
    again: bool,
    wanted: Option<&str>,
) -> Event {
    Event::Enqueued {
        conversation: conversation(n),
        owner_epoch: 1,
        channel,
        queue: queue(to),
        priority: if to == "sales" { 10 } else { 0 },
        since: seconds(since),
        again,
        agent: wanted.map(agent),
        agent_until: None,
        by_request: false,
        special: None,
    }
}

pub(super) fn dequeued(n: u8, from: &str) -> Event {
    Event::Dequeued { conversation: conversation(n), queue: queue(from), because: LeftQueue::Withdrawn }
}

pub(super) fn stranded(n: u8, at: &str, because: StrandedBecause) -> Event {
    Event::Stranded { conversation: conversation(n), queue: queue(at), because }
}

pub(super) fn no_longer_wanted(n: u8, name: &str, because: PreferenceEnded) -> Event {
    let (conversation, queue) = (conversation(n), queue("support"));
    Event::PreferenceEnded { conversation, queue, agent: agent(name), because }
}

pub(super) fn present(name: &str, presence: Presence) -> Event {
    Event::PresenceSet { agent: agent(name), presence, until: seconds(200) }
}

pub(super) fn set_presence(name: &str, presence: Presence, until: i64) -> Command {
    Command::SetPresence { agent: agent(name), presence, until: seconds(until) }
}

/// An offer made `at` a second, with 30 s to answer.
pub(super) fn offered(number: u64, n: u8, from: &str, name: &str, at: i64) -> Event {
    Event::Offered {
        offer: offer(number),
        conversation: conversation(n),
        owner_epoch: 1,
        agent: agent(name),
        queue: queue(from),
        channel: Sms,
        expires_at: seconds(at + 30),
        why: None,
    }
}

pub(super) fn accept_requested(number: u64, n: u8, name: &str) -> Event {
    Event::AcceptRequested {
        offer: offer(number),
        conversation: conversation(n),
        owner_epoch: 1,
        agent: agent(name),
        command: command_id(7),
    }
}

pub(super) fn accepted(number: u64, n: u8, name: &str) -> Event {
    Event::Accepted {
        offer: offer(number),
        conversation: conversation(n),
        agent: agent(name),
        command: command_id(7),
    }
}

pub(super) fn declined(number: u64, n: u8, name: &str) -> Event {
    Event::Declined { offer: offer(number), conversation: conversation(n), agent: agent(name) }
}

pub(super) fn expired(number: u64, n: u8, name: &str) -> Event {
    Event::Expired { offer: offer(number), conversation: conversation(n), agent: agent(name) }
}

pub(super) fn withdrawn(number: u64, n: u8, name: &str, because: WithdrawnBecause) -> Event {
    let (offer, conversation, agent) = (offer(number), conversation(n), agent(name));
    Event::Withdrawn { offer, conversation, agent, because, command: None }
}

pub(super) fn giving_back(number: u64, n: u8, name: &str) -> Event {
    Event::GivingBack { assignment: offer(number), agent: agent(name), conversation: conversation(n) }
}

pub(super) fn ended(number: u64, n: u8, name: &str) -> Event {
    Event::AssignmentEnded { assignment: offer(number), agent: agent(name), conversation: conversation(n) }
}

pub(super) fn accept(name: &str, number: u64) -> Command {
    Command::Accept { agent: agent(name), offer: offer(number) }
}

pub(super) fn decline(name: &str, number: u64) -> Command {
    Command::Decline { agent: agent(name), offer: offer(number) }
}

pub(super) fn confirm(number: u64) -> Command {
    Command::Confirm { offer: offer(number), command: command_id(7) }
}

pub(super) fn refuse(number: u64) -> Command {
    Command::Refuse { offer: offer(number), command: command_id(7) }
}
