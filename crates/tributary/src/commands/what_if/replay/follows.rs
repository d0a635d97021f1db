//! What follows from what the desk decides: agents answer offers, conversations say whose they are, customers wait on.

use domain::{
    AgentId, CommandId, ConversationId, Millis, OfferId, QueueId, Timestamp,
    conversation::{HandOffReason, What},
    desk::{Command, Event, acceptance_by_rule},
};

use super::{
    super::history::{Refusal, Work},
    Live, Next, Replay, Stage, number,
};

impl Replay<'_> {
    /// What the desk decided, and what everyone does about it.
    pub(super) fn hear(&mut self, events: Vec<Event>) {
        for event in events {
            let (now, report) = (self.now, &mut self.report);
            self.course.desk(now, &event, &mut |at, measure| report.note(at, measure));
            self.report.desk(now, &event);
            match event {
                Event::Offered { offer, conversation, agent, .. } => {
                    self.is_offered(offer, conversation, agent)
                }
                Event::AcceptRequested { offer, conversation, owner_epoch, agent, command } => {
                    self.is_accepted(offer, conversation, owner_epoch, agent, command);
                }
                Event::AcceptedByRule { offer, conversation, owner_epoch, agent } => {
                    let command = acceptance_by_rule(&offer);
                    self.is_accepted(offer, conversation, owner_epoch, agent, command);
                }
                Event::Overflowing { conversation, owner_epoch, to, since, .. } => {
                    self.overflows(conversation, owner_epoch, to, since);
                }
                Event::GivingBack { assignment, conversation, .. } => {
                    self.is_given_back(assignment, conversation)
                }
                Event::WrapUpBegan { assignment, agent, conversation, until } => {
                    // Without any record the whole time is taken: the desk ends it.
                    if let Some(took) = self.wrap_up(conversation).or(self.history.typical.wrap_up()) {
                        let at = (self.now + took).min(until);
                        self.enter(at, Next::FinishesWrapUp { assignment, agent });
                    }
                }
                _ => {}
            }
        }
    }

    fn is_offered(&mut self, offer: OfferId, conversation: ConversationId, agent: AgentId) {
        let case = number(conversation);
        let Some(live) = self.live.get_mut(&case) else { return };
        let leg = self.history.cases[case].legs.get(live.leg);
        let refusal = leg.and_then(|leg| leg.refusals.get(live.refused));
        live.refused += usize::from(refusal.is_some());
        let (after, refuses) = match refusal {
            // The desk lets it expire.
            Some((Refusal::Expired, _)) => return,
            Some((Refusal::Declined, after)) => (*after, true),
            None => {
                let after = leg.and_then(|leg| leg.accepted_after);
                (after.unwrap_or(self.history.typical.accepted_after()), false)
            }
        };
        self.enter(self.now + after, Next::Answers { offer, agent, refuses });
    }

    /// The conversation says whether it still waits for this.
    fn is_accepted(
        &mut self,
        offer: OfferId,
        conversation: ConversationId,
        owner_epoch: u32,
        agent: AgentId,
        command: CommandId,
    ) {
        let case = number(conversation);
        let typical = &self.history.typical;
        let waits = |live: &&mut Live| live.owner_epoch == owner_epoch && matches!(live.stage, Stage::Waits);
        let Some(live) = self.live.get_mut(&case).filter(waits) else {
            self.commands.push_back(Command::Refuse { offer, command });
            return;
        };
        live.owner_epoch += 1;
        live.stage = Stage::Held { agent: agent.clone(), since: self.now };
        let work = match self.history.cases[case].legs.get(live.leg).map(|leg| leg.work) {
            Some(Work::Took(took)) => Some(took),
            Some(Work::GoesOn) => None,
            Some(Work::Unknown) | None => Some(typical.work(&live.queue)),
        };
        let (owner_epoch, worked) = (live.owner_epoch, live.worked);
        self.held.insert(offer.clone(), case);
        if let Some(work) = work {
            let left = Millis(work.0.saturating_sub(worked.0));
            self.enter(self.now + left, Next::Finishes { case, assignment: offer.clone() });
        }
        let assignment = offer.clone();
        self.say(case, What::Assigned { conversation, agent, assignment, owner_epoch, command });
        self.commands.push_back(Command::Confirm { offer, command });
    }

    fn overflows(&mut self, conversation: ConversationId, owner_epoch: u32, to: QueueId, since: Timestamp) {
        let case = number(conversation);
        let waits = |live: &&mut Live| live.owner_epoch == owner_epoch && matches!(live.stage, Stage::Waits);
        let Some(live) = self.live.get_mut(&case).filter(waits) else { return };
        let queue = std::mem::replace(&mut live.queue, to);
        live.owner_epoch += 1;
        live.since = since;
        self.commands.push_back(Command::Withdraw { conversation, owner_epoch });
        self.say(case, What::Withdrawn { conversation, queue, owner_epoch });
        self.waits(case, HandOffReason::Overflowed, None);
    }

    /// The agent left: what was done is done, the rest waits for someone else.
    fn is_given_back(&mut self, assignment: OfferId, conversation: ConversationId) {
        let case = number(conversation);
        self.commands.push_back(Command::Release { assignment: assignment.clone() });
        if self.held.remove(&assignment).is_none() {
            return;
        }
        let now = self.now;
        let Some(live) = self.live.get_mut(&case) else { return };
        if let Stage::Held { since, .. } = std::mem::replace(&mut live.stage, Stage::Waits) {
            live.worked = Millis(live.worked.0 + (now - since).0);
        }
        live.owner_epoch += 1;
        live.since = now;
        self.say(case, What::Released { conversation, assignment });
        self.waits(case, HandOffReason::AgentGone, None);
    }

    /// How long was taken to finish what was left to do after a leg; that of a case that is over by now, its last.
    fn wrap_up(&self, conversation: ConversationId) -> Option<Millis> {
        let case = number(conversation);
        let legs = &self.history.cases[case].legs;
        let leg = match self.live.get(&case) {
            Some(live) => live.leg.checked_sub(1)?,
            None => legs.len().checked_sub(1)?,
        };
        legs.get(leg)?.wrap_up
    }
}
