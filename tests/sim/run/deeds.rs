//! Doing what the plan says: each action, in terms of what an onlooker of the logs knows by then.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    FactId, Millis, Origin, Peer, Route, Timestamp, contact,
    conversation::{self, BotAction, Transfer},
    delivery,
    desk::{self, Presence},
    workspace,
};
use wire::Codec;

use super::{Fact, Posted, Town};
use crate::{
    action::{Action, BotSays, Tells, place},
    town::{self, PEERS, TOPOLOGY},
};

/// A fact older than this is not delivered again: from 14 days on it may count as new.
const REDELIVERED_FOR: Millis = Millis::hours(12 * 24);
/// A command older than this is not repeated. From six hours on its answer is forgotten, and it is refused.
const REPEATED_FOR: Millis = Millis::hours(48);
impl Town {
    fn post<A: Codec>(&mut self, route: &Route, origin: Origin, command: A::Command) {
        let version = self.watch.oracle.lock().unwrap().policies().version(&town::tenant());
        let to = TOPOLOGY.peer(route);
        let bytes = wire::encode_intake::<A>(&town::input(origin, self.now(), version, command));
        let fact = match origin {
            Origin::Fact(id) => Some(id),
            _ => None,
        };
        if matches!(origin, Origin::Command { .. }) {
            self.commands.push((to, bytes.clone(), self.now()));
        }
        if let Some(id) = fact {
            self.facts.push(Fact { to, id, bytes: bytes.clone(), at: self.now(), taken: false });
        }
        self.send(to, bytes, fact);
    }

    fn send(&mut self, to: Peer, bytes: Bytes, fact: Option<FactId>) {
        let mut posted = Posted { to, bytes, fact, appending: None };
        if !self.is_taken(&mut posted) {
            self.posted.push(posted);
        }
    }

    fn says(&mut self, customer: u8, number: u32, command: conversation::Command) {
        let route = Route::Party(town::party(customer));
        self.post::<conversation::Decider>(&route, Origin::Fact(town::fact(number)), command);
    }

    pub(super) fn act(&mut self, number: u32, action: Action) {
        if let Some(fault) = fault(action) {
            *self.tally.faults.entry(fault).or_default() += 1;
        }
        match action {
            Action::Writes { customer } => {
                let command = town::written(customer, number, self.now());
                self.says(customer, number, command);
            }
            Action::OptsOut { customer } => {
                self.says(customer, number, conversation::Command::OptOut { from: town::from(customer) });
            }
            Action::OptsIn { customer } => {
                self.says(customer, number, conversation::Command::OptIn { from: town::from(customer) });
            }
            Action::Redelivers { which } => {
                let Some(fact) = pick(&self.facts, which) else { return };
                if self.now() - fact.at <= REDELIVERED_FOR {
                    let (to, bytes, id) = (fact.to, fact.bytes.clone(), fact.id);
                    self.send(to, bytes, Some(id));
                }
            }
            Action::Garbles { peer } => {
                self.send(PEERS[usize::from(peer)], Bytes::from_static(b"\xff\xff\xff garbled"), None);
            }
            Action::BotAnswers { which, how, as_command } => self.bot_answers(number, which, how, as_command),
            Action::Shows { agent, presence } => self.shows(number, agent, presence),
            Action::Accepts { which } => self.answers_offer(number, which, true),
            Action::Declines { which } => self.answers_offer(number, which, false),
            Action::Replies { which } => self.agent_acts(number, which, |conversation, agent, assignment| {
                let (message, body) = (town::reply(number), town::sealed(conversation.party));
                conversation::Command::Reply { conversation, agent, assignment, message, body, by: None }
            }),
            Action::Transfers { which, to } => {
                self.agent_acts(number, which, |conversation, agent, assignment| {
                    let to = whom(to);
                    conversation::Command::Transfer { conversation, agent, assignment, to, note: None }
                })
            }
            Action::Reassigns { which, by, to, seen } => {
                let open = self.watch.oracle.lock().unwrap().open();
                let Some((conversation, owner_epoch)) = pick(&open, which).copied() else { return };
                let owner_epoch =
                    seen.map(|is_so| if is_so { owner_epoch } else { owner_epoch.wrapping_sub(1) });
                let (by, to, note) = (town::agent(by), whom(to), None);
                let reassign = conversation::Command::Reassign { conversation, by, owner_epoch, to, note };
                let route = Route::Party(conversation.party);
                self.post::<conversation::Decider>(&route, town::command(number), reassign);
            }
            Action::Snoozes { which, seconds } => {
                let until = self.now() + Millis::seconds(seconds.into());
                self.agent_acts(number, which, |conversation, agent, assignment| {
                    conversation::Command::Snooze { conversation, agent, assignment, until }
                })
            }
            Action::Wakes { which } => {
                let sleeping = self.watch.oracle.lock().unwrap().sleeping();
                let Some((conversation, agent)) = pick(&sleeping, which).cloned() else { return };
                let route = Route::Party(conversation.party);
                let wake = conversation::Command::Wake { conversation, agent };
                self.post::<conversation::Decider>(&route, town::command(number), wake);
            }
            Action::Closes { which } => self.agent_acts(number, which, |conversation, agent, assignment| {
                conversation::Command::Close { conversation, agent, assignment: Some(assignment) }
            }),
            Action::Consults { which, whom: to } => {
                let consult = |conversation, agent, assignment| {
                    let whom = whom(to);
                    conversation::Command::Consult { conversation, agent, assignment, whom, note: None }
                };
                self.agent_acts(number, which, consult);
            }
            Action::EndsConsult { which } => self.agent_acts(number, which, |conversation, agent, _| {
                conversation::Command::EndConsult { conversation, agent }
            }),
            Action::FindsWords { which } => {
                let unsaid = self.watch.oracle.lock().unwrap().unsaid();
                let Some((conversation, owner_epoch)) = pick(&unsaid, which).copied() else { return };
                let (message, body) = (town::reply(number), town::sealed(conversation.party));
                let words = conversation::Command::AwayText { conversation, owner_epoch, message, body };
                let route = Route::Party(conversation.party);
                self.post::<conversation::Decider>(&route, Origin::Report, words);
            }
            Action::Tags { customer, gold } => {
                let (tenant, contact, tag) = (town::tenant(), town::contact(customer), town::GOLD.into());
                let command = match gold {
                    true => contact::Command::Tag { tenant, contact, tag },
                    false => contact::Command::Untag { tenant, contact, tag },
                };
                let route = Route::Contacts(town::tenant());
                self.post::<contact::Decider>(&route, town::command(number), command);
            }
            Action::Links { customer, to } => {
                let (contact, party) = (town::contact(to), town::party(customer));
                let link = contact::Command::Link { tenant: town::tenant(), contact, party };
                let route = Route::Contacts(town::tenant());
                self.post::<contact::Decider>(&route, town::command(number), link);
            }
            Action::Repeats { which } => {
                if let Some((to, bytes, at)) = pick(&self.commands, which).cloned()
                    && self.now() - at <= REPEATED_FOR
                {
                    self.send(to, bytes, None);
                }
            }
            Action::ProviderTells { which, outcome } => self.provider_tells(which, outcome),
            Action::Applies { policy } => {
                let apply = workspace::Command::Apply(Arc::new(town::policy(policy)));
                let route = Route::Workspace(town::tenant());
                self.post::<workspace::Decider>(&route, town::command(number), apply);
            }
            // Time is let pass by whoever does the plan.
            Action::Passes { .. } => {}
            Action::Starts { peer, rival } => self.crew.start(peer, rival),
            Action::Stops { peer, rival } => self.crew.stop(peer, rival),
            Action::Crashes { peer, rival, after, done } => self.crew.doom(peer, rival, after, done),
            Action::GoesBlind { peer, rival } => {
                self.watch.oracle.lock().unwrap().cannot_measure_clocks();
                self.crew.blind(peer, rival);
            }
            Action::SeesAgain { peer, rival } => self.crew.unblind(peer, rival),
            Action::StandsBy { peer, rival } => self.crew.stand_by(peer, rival),
            Action::HandsOver { peer, to_rival } => self.crew.hand_over(peer, to_rival),
            Action::LosesSnapshots { rival } => self.crew.lose_snapshots(rival),
            Action::SpoilsSnapshots { rival } => self.crew.spoil_snapshots(rival),
            Action::ClockIsOff { rival, millis } => self.crew.set_ahead(rival, millis),
            Action::Breaks { place: at, fault } => self.log.fail_next_append(place(at), fault),
            Action::Stalls { place: at } => {
                self.watch.oracle.lock().unwrap().cannot_measure_clocks();
                self.log.stall(place(at));
            }
            Action::Flows { place: at } => {
                self.log.resume(place(at));
                self.look_at_logs();
            }
            Action::Lands => {
                self.log.land();
                self.look_at_logs();
            }
            Action::DiskFills => self.log.refuse(true),
            Action::DiskHasRoom => self.log.refuse(false),
        }
    }

    fn bot_answers(&mut self, number: u32, which: u32, how: BotSays, as_command: bool) {
        let turns = self.watch.oracle.lock().unwrap().turns();
        let Some(turn) = pick(&turns, which).copied() else { return };
        let party = turn.conversation.party;
        let say = BotAction::Say { message: town::reply(number), body: town::sealed(party) };
        let hand_off = BotAction::HandOff { queue: None, special: None };
        let actions = match how {
            BotSays::Something => vec![say],
            BotSays::SomethingAndHandsOver => vec![say, hand_off],
            BotSays::HandsOver => vec![hand_off],
            BotSays::Goodbye => vec![say, BotAction::Close],
        };
        let (tenant, bot) = (town::tenant(), town::greeter());
        let answer = conversation::Command::BotAnswer { turn, tenant, bot, actions };
        let origin = if as_command { town::command(number) } else { Origin::Report };
        self.post::<conversation::Decider>(&Route::Party(party), origin, answer);
    }

    fn shows(&mut self, number: u32, agent: u8, presence: Presence) {
        let until = Timestamp(self.now().0 + 120_000);
        let shows = desk::Command::SetPresence { agent: town::agent(agent), presence, until };
        self.post::<desk::Decider>(&Route::Desk(town::agent(agent).desk), town::command(number), shows);
    }

    fn answers_offer(&mut self, number: u32, which: u32, yes: bool) {
        let offers = self.watch.oracle.lock().unwrap().offers();
        let Some((offer, agent)) = pick(&offers, which).cloned() else { return };
        let route = Route::Desk(offer.desk.clone());
        let answer = match yes {
            true => desk::Command::Accept { agent, offer },
            false => desk::Command::Decline { agent, offer },
        };
        self.post::<desk::Decider>(&route, town::command(number), answer);
    }

    fn agent_acts(
        &mut self,
        number: u32,
        which: u32,
        act: impl FnOnce(domain::ConversationId, domain::AgentId, domain::OfferId) -> conversation::Command,
    ) {
        let held = self.watch.oracle.lock().unwrap().held();
        let Some((conversation, agent, assignment)) = pick(&held, which).cloned() else { return };
        let route = Route::Party(conversation.party);
        self.post::<conversation::Decider>(
            &route,
            town::command(number),
            act(conversation, agent, assignment),
        );
    }

    pub(super) fn provider_tells(&mut self, which: u32, outcome: Tells) {
        let told = self.outgoing.lock().unwrap().tell(which, outcome, &self.watch);
        let Some((party, report)) = told else { return };
        self.post::<delivery::Decider>(&town::lane(party), Origin::Report, report);
    }
}

/// To whom a conversation is given.
fn whom(to: u8) -> Transfer {
    match to.checked_sub(town::AGENTS) {
        None => Transfer::Agent(town::agent(to)),
        Some(0) => Transfer::Queue(town::queue()),
        Some(1) => Transfer::Agent(town::agent(town::AGENTS)),
        Some(2) => Transfer::Queue(town::late_queue()),
        Some(3) => Transfer::Desk(town::queue().desk),
        Some(_) => Transfer::Desk(town::late_queue().desk),
    }
}

fn pick<T>(from: &[T], which: u32) -> Option<&T> {
    from.get((which as usize).checked_rem(from.len())?)
}

/// The name under which an action is counted as a fault.
fn fault(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::Redelivers { .. } => "facts delivered again",
        Action::Repeats { .. } => "commands repeated",
        Action::Garbles { .. } => "unreadable inputs",
        Action::Starts { rival: true, .. } => "rivals started",
        Action::Stops { .. } => "workers stopped",
        Action::Crashes { .. } => "workers doomed to crash",
        Action::GoesBlind { .. } => "readers paused",
        Action::StandsBy { .. } => "workers that stand by",
        Action::HandsOver { .. } => "partitions handed over",
        Action::LosesSnapshots { .. } => "snapshots lost",
        Action::SpoilsSnapshots { .. } => "snapshots damaged",
        Action::ClockIsOff { millis: 1.. | ..=-1, .. } => "clocks put off",
        Action::Stalls { .. } => "partitions stalled",
        Action::DiskFills => "disks filled",
        _ => return None,
    })
}
