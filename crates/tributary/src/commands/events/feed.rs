//! One partition's records, as lines. Reading begins at a point where it is known who rules, at or before what is wanted;
//! what is not wanted is judged by its header alone.

use std::{collections::VecDeque, sync::Arc};

use anyhow::Context as _;
use domain::{Kind, Peer, Timestamp, contact, conversation, delivery, desk, workspace};
use log::{Log, Record, Tail};
use wire::{Announce, Decision, Point, Reader, Verdict};

use super::{
    line::{Line, Place, Told},
    tell::{Tell, cause},
};

pub(super) struct Feed {
    pub(super) peer: Peer,
    tail: Tail,
    /// Where what was there at the start ends.
    until: u64,
    decode: Box<Decode>,
    lines: VecDeque<Line>,
}

/// What a record says, if it counts and is wanted.
type Decode = dyn FnMut(&Record, &mut VecDeque<Line>) -> Result<(), wire::Error> + Send;

impl Feed {
    /// Reads from `point` and prints from position `from` on; what is there now ends at `until`.
    pub(super) fn new(log: Arc<dyn Log>, peer: Peer, point: Point, from: u64, until: u64) -> Self {
        let decode: Box<Decode> = match peer.kind {
            Kind::Conversation => Box::new(decoder::<conversation::Decider>(peer, point, from)),
            Kind::Desk => Box::new(decoder::<desk::Decider>(peer, point, from)),
            Kind::Delivery => Box::new(decoder::<delivery::Decider>(peer, point, from)),
            Kind::Contact => Box::new(decoder::<contact::Decider>(peer, point, from)),
            Kind::Workspace => Box::new(decoder::<workspace::Decider>(peer, point, from)),
        };
        let tail = Tail::new(log, runtime::log_of(peer), point.position);
        Feed { peer, tail, until, decode, lines: VecDeque::new() }
    }

    /// The next line of what was there at the start.
    pub(super) async fn head(&mut self) -> anyhow::Result<Option<&Line>> {
        while self.lines.is_empty() && self.tail.next_position() < self.until {
            let records = self.tail.ready().await;
            let records = records.with_context(|| format!("could not read the log of {}", self.peer))?;
            if records.is_empty() {
                break;
            }
            self.take(&records)?;
        }
        Ok(self.lines.front())
    }

    pub(super) fn pop(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    /// Waits for lines.
    pub(super) async fn more(&mut self) -> anyhow::Result<VecDeque<Line>> {
        while self.lines.is_empty() {
            let records = self.tail.batch().await;
            let records = records.with_context(|| format!("could not read the log of {}", self.peer))?;
            self.take(&records)?;
        }
        Ok(std::mem::take(&mut self.lines))
    }

    /// Where the next record stands that was not read yet.
    pub(super) fn next_position(&self) -> u64 {
        self.tail.next_position()
    }

    fn take(&mut self, records: &[Record]) -> anyhow::Result<()> {
        for record in records {
            (self.decode)(record, &mut self.lines).with_context(|| {
                format!("the log of {} has a record that this version cannot read", self.peer)
            })?;
        }
        Ok(())
    }
}

fn decoder<A: Tell>(
    peer: Peer,
    point: Point,
    from: u64,
) -> impl FnMut(&Record, &mut VecDeque<Line>) -> Result<(), wire::Error> + Send {
    let mut reader = Reader::<A>::new(point);
    move |record, lines| {
        if record.position < from {
            return reader.judge(record.position, &record.bytes).map(drop);
        }
        let place = Place { peer, position: record.position };
        match reader.read(record.position, &record.bytes)? {
            Verdict::Ignored(_) => {}
            Verdict::Ruling(announce) => lines.push_back(announced(place, &announce)),
            Verdict::Accepted(decision) => decided(place, &decision, lines),
        }
        Ok(())
    }
}

fn announced(place: Place, announce: &Announce) -> Line {
    let told = Told::new("leader_announced").with("leader", &announce.leader).with("epoch", announce.epoch);
    Line { at: announce.at, place, cause: None, told: told.number("version", announce.version) }
}

fn decided<A: Tell>(place: Place, decision: &Decision<A>, lines: &mut VecDeque<Line>) {
    let at: Timestamp = decision.decided_at;
    for step in &decision.steps {
        let mut line = |told| lines.push_back(Line { at, place, cause: Some(cause(&step.cause)), told });
        if let domain::Cause::PolicyInForce(policy) = &step.cause {
            line(Told::new("policy_in_force").of(&policy.tenant).number("version", policy.version));
        }
        for recorded in &step.events {
            line(A::tell(&recorded.event));
        }
        for answer in &step.answers {
            if let Err(rejection) = &answer.result {
                let told = Told::new("command_rejected").with("command", answer.command);
                line(told.with("code", rejection.code).with("reason", &rejection.detail));
            }
        }
        if let Some(kept) = &step.set_aside {
            let told = Told::new("set_aside").with("reason", &kept.reason);
            line(told.with("input", format_args!("(kept, {} bytes)", kept.bytes.len())));
        }
    }
}
