//! A short story without fault, written down as the topics would hold it: a customer writes, the bot greets and hands over,
//! an agent takes it and answers, both messages leave.

use crate::{
    records::*,
    topics::{self, Stored, Topics},
};

pub(super) const CONVERSATION: Peer = Peer { kind: 1, partition: 0 };
pub(super) const DESK: Peer = Peer { kind: 2, partition: 0 };
pub(super) const DELIVERY: Peer = Peer { kind: 3, partition: 0 };
pub(super) const CONTACT: Peer = Peer { kind: 4, partition: 0 };
pub(super) const AGENT: &str = "dev/support/ann";
pub(super) const QUEUE: &str = "dev/support/general";
/// Well before anything of the story is overdue.
pub(super) const NOW: i64 = 5_000;

/// One partition as it is written.
#[derive(Clone, Default)]
pub(super) struct Pages {
    pub(super) intake: Vec<Intake>,
    pub(super) log: Vec<Record>,
}

#[derive(Clone)]
pub(super) struct Story {
    pub(super) conversation: Pages,
    pub(super) desk: Pages,
    pub(super) delivery: Pages,
    pub(super) contact: Pages,
}

impl Pages {
    fn begun() -> Pages {
        let mut pages = Pages::default();
        pages.announce(1, None);
        pages
    }

    pub(super) fn announce(&mut self, epoch: u8, follows: Option<u8>) {
        let follows = follows.map(|epoch| vec![epoch]);
        let announce = Announce { epoch: vec![epoch], follows, leader: "one".into() };
        self.log.push(Record { kind: Some(Written::Announce(announce)) });
    }

    /// Decides what follows from an input that comes for it, as the ruling leader goes on.
    pub(super) fn takes(&mut self, cause: Cause, events: Vec<Recorded>) -> &mut Step {
        self.intake.push(intake(&cause));
        self.decides(cause, events)
    }

    /// The same for what is no input.
    pub(super) fn decides(&mut self, cause: Cause, events: Vec<Recorded>) -> &mut Step {
        let (epoch, seq) = self.log.iter().fold((Vec::new(), 0), |(epoch, seq), record| match &record.kind {
            Some(Written::Announce(announce)) => (announce.epoch.clone(), 0),
            Some(Written::Decision(decision)) => (decision.epoch.clone(), decision.seq),
            None => (epoch, seq),
        });
        let step = Step { cause: Some(CauseOf { kind: Some(cause) }), events, ..Step::default() };
        let decision = Decision {
            epoch,
            seq: seq + 1,
            intake_through: self.intake.len() as u64,
            decided_at: self.log.len() as i64 * 10,
            steps: vec![step],
        };
        self.log.push(Record { kind: Some(Written::Decision(decision)) });
        &mut self.last().steps[0]
    }

    pub(super) fn last(&mut self) -> &mut Decision {
        let at = self.log.len() - 1;
        self.decision(at)
    }

    /// The decision at this place.
    pub(super) fn decision(&mut self, at: usize) -> &mut Decision {
        match &mut self.log[at].kind {
            Some(Written::Decision(decision)) => decision,
            other => panic!("{other:?} stands at {at}"),
        }
    }

    fn stored(&self) -> topics::Written {
        fn all<M: prost::Message>(records: &[M]) -> Vec<Stored> {
            let stored = |(at, record): (usize, &M)| Stored {
                offset: at as u64,
                appended_at: at as i64 * 10,
                bytes: record.encode_to_vec(),
            };
            records.iter().enumerate().map(stored).collect()
        }
        topics::Written { intake: all(&self.intake), log: all(&self.log) }
    }
}

impl Story {
    pub(super) fn topics(&self) -> Topics {
        let all = [
            (CONVERSATION, &self.conversation),
            (DESK, &self.desk),
            (DELIVERY, &self.delivery),
            (CONTACT, &self.contact),
        ];
        all.into_iter().map(|(peer, pages)| (peer, pages.stored())).collect()
    }
}

pub(super) fn story() -> Story {
    let mut conversation = Pages::begun();
    conversation.takes(
        Cause::Fact(vec![1]),
        vec![
            sent(What::CustomerSeen(CustomerOf { from: Some(Correspondent { party: party() }) }), CONTACT, 1),
            said(What::Opened(of())),
            said(What::BotEngaged(BotEngaged { conversation: id(), owner_epoch: 1 })),
            said(What::MessageReceived(message(1))),
            said(What::TurnAsked(turn())),
        ],
    );
    conversation.takes(
        Cause::Report(Nothing {}),
        vec![
            said(What::TurnAnswered(turn())),
            sent(What::BotReplied(message(2)), DELIVERY, 1),
            sent(What::AgentWanted(AgentWanted { conversation: id(), owner_epoch: 2 }), DESK, 1),
        ],
    );
    let assigned = Assigned { conversation: id(), agent: AGENT.into(), assignment: offer(1), owner_epoch: 3 };
    conversation.takes(relay(DESK, 1), vec![sent(What::Assigned(assigned), DESK, 2)]);
    let replied = Replied { conversation: id(), agent: AGENT.into(), message: vec![3] };
    let step = conversation.takes(command(7), vec![sent(What::Replied(replied), DELIVERY, 2)]);
    step.answers = vec![done(7)];
    for number in [1, 2] {
        let noted = What::DeliveryNoted(message(1 + number as u8));
        conversation.takes(relay(DELIVERY, number), vec![said(noted)]);
    }
    conversation.takes(Cause::Applied(Applied { by: Some(DESK), through: 2 }), Vec::new());

    let mut desk = Pages::begun();
    desk.decides(Cause::Policy(policy(1)), Vec::new());
    let here = PresenceSet { agent: AGENT.into(), presence: AVAILABLE, until: 60_000 };
    desk.takes(command(8), vec![happens(Desk::PresenceSet(here))]).answers = vec![done(8)];
    desk.takes(relay(CONVERSATION, 1), vec![happens(waits(id())), happens(offered(1))]);
    let asked = happens(Desk::AcceptRequested(step_of(1)));
    desk.takes(command(9), vec![Recorded { relayed: relayed(CONVERSATION, 1), ..asked }]);
    desk.takes(relay(CONVERSATION, 2), vec![happens(Desk::Accepted(step_of(1)))]).answers = vec![done(9)];

    let mut delivery = Pages::begun();
    for number in [1, 2] {
        let message = 1 + number as u8;
        delivery
            .takes(relay(CONVERSATION, number), vec![leaves(queued(message)), leaves(started(message, 1))]);
        let gone = leaves(Delivery::Sent(ending(message, 1)));
        delivery.takes(
            Cause::Report(Nothing {}),
            vec![Recorded { relayed: relayed(CONVERSATION, number), ..gone }],
        );
    }

    let mut contact = Pages::begun();
    contact.takes(relay(CONVERSATION, 1), vec![known()]);
    Story { conversation, desk, delivery, contact }
}

fn intake(cause: &Cause) -> Intake {
    let origin = match cause.clone() {
        Cause::Fact(id) => Origin::Fact(id),
        Cause::Command(asked) => Origin::Command(asked),
        Cause::Relay(relay) => Origin::Relay(relay),
        Cause::Report(nothing) => Origin::Report(nothing),
        Cause::Applied(applied) => return Intake { kind: Some(Taken::Applied(applied)) },
        other => panic!("{other:?} is no input"),
    };
    Intake { kind: Some(Taken::Input(Input { origin: Some(OriginOf { kind: Some(origin) }) })) }
}

// --- Words ---

pub(super) fn party() -> Id {
    vec![0xab]
}

pub(super) fn id() -> Option<ConversationId> {
    Some(ConversationId { party: party(), number: 1 })
}

pub(super) fn of() -> Of {
    Of { conversation: id() }
}

pub(super) fn message(number: u8) -> MessageOf {
    MessageOf { conversation: id(), message: vec![number] }
}

pub(super) fn turn() -> Turn {
    Turn { turn: Some(TurnId { conversation: id(), owner_epoch: 1, number: 1 }), answer_by: 30_000 }
}

pub(super) fn offer(number: u64) -> Option<OfferId> {
    Some(OfferId { desk: "dev/support".into(), number })
}

pub(super) fn step_of(number: u64) -> OfferStep {
    OfferStep { offer: offer(number) }
}

pub(super) fn waits(conversation: Option<ConversationId>) -> Desk {
    let queue = QUEUE.to_owned();
    Desk::Enqueued(Enqueued {
        conversation,
        owner_epoch: 2,
        channel: 1,
        queue,
        since: 20,
        again: false,
        agent: None,
    })
}

pub(super) fn offered(number: u64) -> Desk {
    let (offer, conversation, agent) = (offer(number), id(), AGENT.to_owned());
    Desk::Offered(Offered { offer, conversation, agent, channel: 1, expires_at: 30_000 })
}

pub(super) fn queued(message: u8) -> Delivery {
    Delivery::Queued(MessageOf { conversation: id(), message: vec![message] })
}

pub(super) fn started(message: u8, attempt: u32) -> Delivery {
    Delivery::SendStarted(Attempt { message: vec![message], attempt, due: 0 })
}

pub(super) fn ending(message: u8, attempt: u32) -> Ending {
    Ending { conversation: id(), message: vec![message], attempt }
}

pub(super) fn policy(capacity: u32) -> Policy {
    let capacity = Some(Capacity { total: capacity, ..Capacity::default() });
    Policy {
        tenant: "dev".into(),
        version: 1,
        queues: [(QUEUE.to_owned(), Nothing {})].into(),
        agents: [(AGENT.to_owned(), Agent { queues: vec![QUEUE.into()], capacity })].into(),
    }
}

pub(super) fn relay(source: Peer, number: u64) -> Cause {
    Cause::Relay(Relay { source: Some(source), number })
}

pub(super) fn command(id: u8) -> Cause {
    Cause::Command(Asked { id: vec![id], content: vec![id] })
}

pub(super) fn done(command: u8) -> Answer {
    Answer { command: vec![command], content: vec![command], done: Some(Nothing {}), rejected: None }
}

fn recorded(event: Event) -> Recorded {
    Recorded { event: Some(EventOf { kind: Some(event) }), relayed: None }
}

pub(super) fn relayed(to: Peer, number: u64) -> Option<Relayed> {
    Some(Relayed { to: Some(to), number })
}

pub(super) fn said(what: What) -> Recorded {
    recorded(Event::Conversation(ConversationEvent { what: Some(WhatOf { kind: Some(what) }) }))
}

pub(super) fn sent(what: What, to: Peer, number: u64) -> Recorded {
    Recorded { relayed: relayed(to, number), ..said(what) }
}

pub(super) fn happens(event: Desk) -> Recorded {
    recorded(Event::Desk(DeskEvent { kind: Some(event) }))
}

pub(super) fn leaves(event: Delivery) -> Recorded {
    recorded(Event::Delivery(DeliveryEvent { kind: Some(event) }))
}

pub(super) fn known() -> Recorded {
    let created = Created { from: Some(Correspondent { party: party() }) };
    recorded(Event::Contact(ContactEvent { kind: Some(Contact::Created(created)) }))
}
