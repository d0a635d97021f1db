//! Recorded history under a policy: the desk's own rules decide in virtual time, everyone else does what was recorded.
//!
//! ```text
//! agenda (arrivals, presence, answers, ends) ─▶ commands ─▶ rehearsal (the desk's rules) ─▶ events ─▶ what follows
//!                                                                    └─▶ course ─▶ report
//! ```
//!
//! What was never recorded is taken as it typically was: an agent who did not see an offer then takes as long to accept as
//! most, a conversation that nobody had takes as long as most of its queue.

mod follows;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use domain::{
    AgentId, ConversationId, Millis, OfferId, Party, Policy, QueueId, Timestamp,
    conversation::{self, CloseReason, Closer, HandOffReason, SNOOZE_GRACE, What},
    desk::{Command, Rehearsal},
};
use projections::statistics::Course;

use super::{
    history::{Case, History, Leg, Then},
    report::{Period, Report},
};

/// History is replayed from so long before the period, so that it begins with a desk at work.
const WARM_UP: Millis = Millis::hours(24);
/// Longer than any lease, and than clocks differ.
const LEASES: Millis = Millis::hours(1);
/// How often progress is told.
const TOLD_EVERY: u64 = 256;

pub struct Replay<'a> {
    history: &'a History,
    rehearsal: Rehearsal,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Next>,
    entered: u64,
    commands: VecDeque<Command>,
    /// By case.
    live: HashMap<usize, Live>,
    /// By the number of the assignment.
    held: HashMap<OfferId, usize>,
    /// Who had a customer last, and until when.
    known_by: HashMap<Party, (AgentId, Timestamp)>,
    course: Course,
    report: Report,
}

enum Next {
    Policy(Arc<Policy>),
    /// By its number in the history.
    Presence(usize),
    Comes(usize),
    Answers {
        offer: OfferId,
        agent: AgentId,
        refuses: bool,
    },
    Finishes {
        case: usize,
        assignment: OfferId,
    },
    FinishesWrapUp {
        assignment: OfferId,
        agent: AgentId,
    },
    GivesUp {
        case: usize,
        leg: usize,
    },
    /// What was put away is wanted from its agent again.
    ComesBack {
        case: usize,
        agent: AgentId,
    },
}

/// A case under way.
struct Live {
    leg: usize,
    owner_epoch: u32,
    queue: QueueId,
    /// Since when the customer has been waiting for a person.
    since: Timestamp,
    stage: Stage,
    /// What of the leg's work is done.
    worked: Millis,
    /// How many of the leg's offers were refused.
    refused: usize,
}

enum Stage {
    Waits,
    /// An agent has put it away.
    Away,
    Held {
        agent: AgentId,
        since: Timestamp,
    },
}

/// When the replay begins.
pub fn begin(period: Period) -> Timestamp {
    before(period.from, WARM_UP)
}

/// From when on a record must tell of what happens, for a period that begins then: leases run on from before the replay.
pub fn warmed_up(from: Timestamp) -> Timestamp {
    before(before(from, WARM_UP), LEASES)
}

fn before(at: Timestamp, span: Millis) -> Timestamp {
    Timestamp(at.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
}

impl<'a> Replay<'a> {
    /// `policies` are in force from when they say on; the last one from before the period, from its beginning.
    /// `judge` is the policy whose promises count.
    pub fn new(
        history: &'a History,
        policies: &[(Timestamp, Arc<Policy>)],
        judge: &Policy,
        period: Period,
    ) -> Replay<'a> {
        let begin = begin(period);
        let mut replay = Replay {
            history,
            rehearsal: Rehearsal::default(),
            now: begin,
            agenda: BTreeMap::new(),
            entered: 0,
            commands: VecDeque::new(),
            live: HashMap::new(),
            held: HashMap::new(),
            known_by: HashMap::new(),
            course: Course::default(),
            report: Report::new(period),
        };
        replay.course.policy(0, judge);
        for (at, policy) in policies.iter().filter(|(at, _)| *at <= period.to) {
            replay.enter((*at).max(begin), Next::Policy(policy.clone()));
        }
        // Who was there when it begins said so within the last lease.
        for (number, (at, _, _, until)) in history.presences.iter().enumerate() {
            if *until > begin && *at <= period.to {
                replay.enter((*at).max(begin), Next::Presence(number));
            }
        }
        for (number, case) in history.cases.iter().enumerate() {
            if (begin..=period.to).contains(&case.at) {
                replay.enter(case.at, Next::Comes(number));
            }
        }
        replay
    }

    /// Replays everything up to the end of the period. `told` hears how much is done, of how much.
    pub fn run(mut self, told: &dyn Fn(u64, u64)) -> Report {
        let mut done = 0;
        loop {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let due = self.rehearsal.next_due();
            let at = next.into_iter().chain(due).min().filter(|at| *at <= self.report.period().to);
            let Some(at) = at else { break };
            self.now = self.now.max(at);
            if due.is_some_and(|due| next.is_none_or(|next| due < next)) {
                let events = self.rehearsal.fire();
                self.hear(events);
            } else if let Some((_, next)) = self.agenda.pop_first() {
                done += 1;
                self.happens(next);
            }
            self.settle();
            if done % TOLD_EVERY == 0 {
                told(done, done + self.agenda.len() as u64);
            }
        }
        self.report.finish(self.course)
    }

    fn enter(&mut self, at: Timestamp, next: Next) {
        self.entered += 1;
        self.agenda.insert((at, self.entered), next);
    }

    /// Tells the desk what is to be told, and hears what follows, until nothing more does.
    fn settle(&mut self) {
        while let Some(command) = self.commands.pop_front() {
            // A refusal is what the desk would have said: an offer over by then, an agent whom the policy does not know.
            let events = self.rehearsal.tell(self.now, &command).unwrap_or_default();
            self.hear(events);
        }
    }

    fn happens(&mut self, next: Next) {
        let history = self.history;
        match next {
            Next::Policy(policy) => {
                let events = self.rehearsal.adopt(self.now, policy);
                self.hear(events);
            }
            Next::Presence(number) => {
                let Some((_, agent, presence, until)) = history.presences.get(number) else { return };
                let (agent, presence, until) = (agent.clone(), *presence, *until);
                self.commands.push_back(Command::SetPresence { agent, presence, until });
            }
            Next::Comes(case) => self.comes(case),
            Next::Answers { offer, agent, refuses } => self.commands.push_back(match refuses {
                true => Command::Decline { agent, offer },
                false => Command::Accept { agent, offer },
            }),
            Next::Finishes { case, assignment } => {
                if self.held.get(&assignment) == Some(&case) {
                    self.finishes(case, assignment);
                }
            }
            Next::FinishesWrapUp { assignment, agent } => {
                self.commands.push_back(Command::FinishWrapUp { agent, assignment });
            }
            Next::ComesBack { case, agent } => self.comes_back(case, agent),
            Next::GivesUp { case, leg } => {
                let waits = |live: &&Live| live.leg == leg && matches!(live.stage, Stage::Waits);
                let Some(live) = self.live.get(&case).filter(waits) else { return };
                let (owner_epoch, conversation) = (live.owner_epoch, self.id(case));
                self.commands.push_back(Command::Withdraw { conversation, owner_epoch });
                self.closes(case, Closer::Customer);
            }
        }
    }

    /// A customer wants a person: where the policy sends those who write to this inbox, or where a bot sent this one.
    fn comes(&mut self, number: usize) {
        let case = &self.history.cases[number];
        let queue = self.queue_of(case);
        let wish = self.familiar(case.party, &queue);
        let live = Live {
            leg: 0,
            owner_epoch: 1,
            queue,
            since: self.now,
            stage: Stage::Waits,
            worked: Millis(0),
            refused: 0,
        };
        self.live.insert(number, live);
        self.waits(number, HandOffReason::NoBot, wish);
        self.may_give_up(number);
    }

    fn may_give_up(&mut self, case: usize) {
        let Some(live) = self.live.get(&case) else { return };
        if let Some(Leg { patience: Some(patience), .. }) = self.history.cases[case].legs.get(live.leg) {
            let (at, leg) = (self.now + *patience, live.leg);
            self.enter(at, Next::GivesUp { case, leg });
        }
    }

    fn queue_of(&self, case: &Case) -> QueueId {
        let policies = self.rehearsal.policies();
        let Some(policy) = policies.of(&case.queue.desk.tenant) else { return case.queue.clone() };
        let recorded =
            self.history.policies.iter().rev().find(|(at, _)| *at <= case.at).map(|(_, policy)| policy);
        let usual = |policy: &Policy| policy.inboxes.get(&case.inbox).map(|inbox| inbox.queue.clone());
        let was_usual = recorded.and_then(|policy| usual(policy)).is_none_or(|queue| queue == case.queue);
        match usual(policy) {
            Some(queue) if was_usual || !policy.queues.contains_key(&case.queue) => queue,
            _ => case.queue.clone(),
        }
    }

    /// Where a case goes that is given to a queue which the policy does not have.
    fn elsewhere(&self, case: usize) -> Option<QueueId> {
        let recorded = &self.history.cases[case];
        let leg = recorded.legs.get(self.live.get(&case)?.leg)?;
        let Then::Transferred { queue, .. } = &leg.then else { return None };
        let policy = self.rehearsal.policies().of(&queue.desk.tenant)?;
        (!policy.queues.contains_key(queue)).then(|| self.queue_of(recorded))
    }

    /// The agent who had the customer not long ago, if the queue waits for such, and until when.
    fn familiar(&self, party: Party, queue: &QueueId) -> Option<(AgentId, Option<Timestamp>)> {
        let policy = self.rehearsal.policies().of(&queue.desk.tenant)?;
        let sticky = policy.queues.get(queue)?.sticky?;
        let (agent, at) = self.known_by.get(&party)?;
        let fits = agent.desk == queue.desk && policy.agents.contains_key(agent);
        // Outside of the hours nobody is waited for.
        let is_open = policy.is_open(queue, self.now);
        (fits && is_open && self.now - *at <= sticky.within)
            .then(|| (agent.clone(), Some(self.now + sticky.grace)))
    }

    /// The case waits in its queue, as its conversation would say.
    fn waits(&mut self, case: usize, reason: HandOffReason, wish: Option<(AgentId, Option<Timestamp>)>) {
        let conversation = self.id(case);
        let channel = self.history.cases[case].channel;
        let special = self.history.cases[case].special.clone();
        let Some(live) = self.live.get(&case) else { return };
        let (owner_epoch, queue, since) = (live.owner_epoch, live.queue.clone(), live.since);
        let (agent, agent_until) = wish.map_or((None, None), |(agent, until)| (Some(agent), until));
        let again = reason == HandOffReason::AgentGone;
        self.commands.push_back(Command::Enqueue {
            conversation,
            owner_epoch,
            channel,
            queue: queue.clone(),
            since,
            again,
            agent: agent.clone(),
            agent_until,
            by_request: false,
            special: special.clone(),
        });
        let wanted = What::AgentWanted {
            conversation,
            channel,
            queue,
            owner_epoch,
            reason,
            since,
            again,
            agent,
            agent_until,
            by_request: false,
            special,
        };
        self.say(case, wanted);
    }

    /// The agent is done with this leg.
    fn finishes(&mut self, case: usize, assignment: OfferId) {
        self.held.remove(&assignment);
        let conversation = self.id(case);
        if let Some(Then::PutAway { away }) = self.leg(case).map(|leg| &leg.then) {
            let away = *away;
            return self.puts_away(case, assignment, away);
        }
        self.commands.push_back(Command::Release { assignment: assignment.clone() });
        self.say(case, What::Released { conversation, assignment });
        let to = self.elsewhere(case);
        let Some(live) = self.live.get_mut(&case) else { return };
        let Stage::Held { agent, .. } = std::mem::replace(&mut live.stage, Stage::Waits) else { return };
        let legs = &self.history.cases[case].legs;
        let then = legs.get(live.leg).map(|leg| &leg.then);
        match then {
            Some(Then::Transferred { queue, agent: wanted }) => {
                live.leg += 1;
                live.owner_epoch += 1;
                (live.queue, live.since) = (to.unwrap_or_else(|| queue.clone()), self.now);
                (live.worked, live.refused) = (Millis(0), 0);
                self.known(case, &agent);
                self.say(case, What::Transferred { conversation, by: agent, note: None });
                self.waits(case, HandOffReason::Transferred, wanted.clone().map(|agent| (agent, None)));
                self.may_give_up(case);
            }
            _ => {
                self.known(case, &agent);
                self.closes(case, Closer::Agent(agent));
            }
        }
    }

    fn leg(&self, case: usize) -> Option<&'a Leg> {
        self.history.cases[case].legs.get(self.live.get(&case)?.leg)
    }

    /// The agent has nothing of it until then.
    fn puts_away(&mut self, case: usize, assignment: OfferId, away: Millis) {
        let (conversation, until) = (self.id(case), self.now + away);
        let Some(live) = self.live.get_mut(&case) else { return };
        let Stage::Held { agent, .. } = std::mem::replace(&mut live.stage, Stage::Away) else { return };
        live.leg += 1;
        live.owner_epoch += 1;
        (live.worked, live.refused) = (Millis(0), 0);
        let owner_epoch = live.owner_epoch;
        self.commands.push_back(Command::PutAway { assignment: assignment.clone() });
        self.known(case, &agent);
        let by = agent.clone();
        self.say(case, What::Snoozed { conversation, agent: by, assignment, owner_epoch, until });
        self.enter(until, Next::ComesBack { case, agent });
    }

    /// It is wanted from that agent for a while, if that agent still works there; then from anyone.
    fn comes_back(&mut self, case: usize, agent: AgentId) {
        let away = |live: &&mut Live| matches!(live.stage, Stage::Away);
        let Some(live) = self.live.get_mut(&case).filter(away) else { return };
        live.owner_epoch += 1;
        (live.since, live.stage) = (self.now, Stage::Waits);
        let queue = live.queue.clone();
        let policy = self.rehearsal.policies().of(&queue.desk.tenant);
        let works =
            agent.desk == queue.desk && policy.is_some_and(|policy| policy.agents.contains_key(&agent));
        let sticky = policy.and_then(|policy| policy.queues.get(&queue)?.sticky);
        let until = self.now + sticky.map_or(SNOOZE_GRACE, |sticky| sticky.grace);
        self.waits(case, HandOffReason::Woke, works.then_some((agent, Some(until))));
        self.may_give_up(case);
    }

    fn known(&mut self, case: usize, agent: &AgentId) {
        self.known_by.insert(self.history.cases[case].party, (agent.clone(), self.now));
    }

    fn closes(&mut self, case: usize, by: Closer) {
        let conversation = self.id(case);
        self.say(case, What::Closed { conversation, by, reason: CloseReason::Done });
        self.live.remove(&case);
    }

    /// The conversation decides.
    fn say(&mut self, case: usize, what: What) {
        let case = &self.history.cases[case];
        let event =
            conversation::Event { tenant: case.queue.desk.tenant.clone(), inbox: case.inbox.clone(), what };
        let report = &mut self.report;
        self.course.conversation(0, self.now, &event, &mut |at, measure| report.note(at, measure));
    }

    /// Each case is a conversation of its own here: one that was reopened may still be under way in a replay.
    fn id(&self, case: usize) -> ConversationId {
        let number = u32::try_from(case).unwrap_or(u32::MAX);
        ConversationId { party: self.history.cases[case].party, number }
    }
}

fn number(conversation: ConversationId) -> usize {
    conversation.number as usize
}
