//! What can happen in the town, and how a seed becomes a day there.
//!
//! Actions name what they are about by small numbers, taken modulo what there is when they are done, so that a plan
//! from which actions were dropped still means something. What one brings into the world is named by its place in the
//! whole plan, dropped or not.

use std::fmt;

use domain::desk::Presence;
use log::memory::Fault;
use runtime::{intake, log_of};

use super::{
    dice::Dice,
    town::{AGENTS, CUSTOMERS, PEERS, POLICIES, POLICIES_BY_THE_HOUR},
};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Action {
    // Customers, and the providers between.
    Writes {
        customer: u8,
    },
    Redelivers {
        which: u32,
    },
    OptsOut {
        customer: u8,
    },
    OptsIn {
        customer: u8,
    },
    Garbles {
        peer: u8,
    },
    // Bots.
    BotAnswers {
        which: u32,
        how: BotSays,
        as_command: bool,
    },
    // Agents.
    Shows {
        agent: u8,
        presence: Presence,
    },
    Accepts {
        which: u32,
    },
    Declines {
        which: u32,
    },
    Replies {
        which: u32,
    },
    Transfers {
        which: u32,
        to: u8,
    },
    /// A supervisor, or one who is none, gives a conversation to someone, whoever has it.
    Reassigns {
        which: u32,
        by: u8,
        to: u8,
        /// As it was seen, or as it was before that.
        seen: Option<bool>,
    },
    Snoozes {
        which: u32,
        seconds: u32,
    },
    /// Whoever put it away wants it back.
    Wakes {
        which: u32,
    },
    Closes {
        which: u32,
    },
    /// The agent who has it asks another in, or someone of a queue.
    Consults {
        which: u32,
        whom: u8,
    },
    EndsConsult {
        which: u32,
    },
    /// Someone has words for a customer whose queue is closed, or was.
    FindsWords {
        which: u32,
    },
    // Whoever keeps the ledger.
    Tags {
        customer: u8,
        gold: bool,
    },
    /// An address becomes that of another's contact.
    Links {
        customer: u8,
        to: u8,
    },
    Repeats {
        which: u32,
    },
    // Whoever carries our messages out.
    ProviderTells {
        which: u32,
        outcome: Tells,
    },
    // The business.
    Applies {
        policy: u8,
    },
    // Time.
    Passes {
        millis: u64,
    },
    // Workers. A rival believes that it leads the same partition, or stands by for it.
    /// Starts, and leads. One that stands by is told to lead.
    Starts {
        peer: u8,
        rival: bool,
    },
    Stops {
        peer: u8,
        rival: bool,
    },
    /// At the worker's next use of the log but so many: before it, or once it has taken effect.
    Crashes {
        peer: u8,
        rival: bool,
        after: u8,
        done: bool,
    },
    GoesBlind {
        peer: u8,
        rival: bool,
    },
    SeesAgain {
        peer: u8,
        rival: bool,
    },
    /// It folds along. If it leads, because its group has taken the partition from it or is out of reach, it goes on until
    /// another does.
    StandsBy {
        peer: u8,
        rival: bool,
    },
    /// The partition is taken from the one and given to the other, which may have stood by.
    HandsOver {
        peer: u8,
        to_rival: bool,
    },
    LosesSnapshots {
        rival: bool,
    },
    /// The newest snapshot of each partition is damaged: what it was made of must do, and one before it.
    SpoilsSnapshots {
        rival: bool,
    },
    /// The clock that the workers, or the rivals, go by is off by so much from now on.
    ClockIsOff {
        rival: bool,
        millis: i64,
    },
    // The log.
    Breaks {
        place: u8,
        fault: Fault,
    },
    Stalls {
        place: u8,
    },
    Flows {
        place: u8,
    },
    Lands,
    DiskFills,
    DiskHasRoom,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum BotSays {
    Something,
    SomethingAndHandsOver,
    HandsOver,
    Goodbye,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Tells {
    Taken,
    Later,
    Refused,
    /// Nobody knows, though it was taken, or was not.
    Nothing {
        taken: bool,
    },
}

/// An action, and how it is told apart from all others of its plan.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Planned {
    pub(crate) number: u32,
    pub(crate) action: Action,
    /// The town comes to rest before the next.
    pub(crate) rests: bool,
}

/// The whole plan of a seed.
pub(crate) fn plan(seed: u64) -> Vec<Planned> {
    let mut dice = Dice::new(seed);
    let length = dice.between(40, 280);
    // Some days are calm, some are not; some have no rivals, in some these stand by from the beginning.
    let trouble = dice.roll(4);
    let rivals = dice.roll(3) > 0;
    let standing_by = if rivals && dice.roll(3) == 0 { PEERS.len() as u32 } else { 0 };
    let mut plan = Vec::with_capacity(length as usize);
    for number in 0..length {
        let action = match dice.roll(20 + trouble * 3) {
            _ if number < standing_by => Action::StandsBy { peer: number as u8, rival: true },
            ..20 => everyday(&mut dice),
            _ => misfortune(&mut dice, rivals),
        };
        plan.push(Planned { number, action, rests: dice.roll(3) > 0 });
    }
    let mut dice = Dice::new(!seed);
    for number in LATER..LATER + length / 10 {
        let at = dice.roll(plan.len() as u32 + 1) as usize;
        plan.insert(at, Planned { number, action: by_hand(&mut dice), rests: dice.roll(3) > 0 });
    }
    let mut dice = Dice::new(seed.rotate_left(32));
    for number in LATEST..LATEST + length / 8 {
        let at = dice.roll(plan.len() as u32 + 1) as usize;
        plan.insert(at, Planned { number, action: by_the_hour(&mut dice), rests: dice.roll(3) > 0 });
    }
    plan
}

/// What people do by hand stands between everything else, of numbers and dice of its own: it came later to this town,
/// and stories told before mean what they meant.
const LATER: u32 = 100_000;

/// So do hours, the ledger, and agents who ask others in.
const LATEST: u32 = 200_000;

fn by_the_hour(dice: &mut Dice) -> Action {
    let which = dice.roll(1_000);
    let customer = dice.roll(CUSTOMERS.into()) as u8;
    match dice.roll(14) {
        0..3 => Action::Applies { policy: POLICIES + dice.roll(POLICIES_BY_THE_HOUR.into()) as u8 },
        3..6 => Action::Consults { which, whom: dice.roll(u32::from(AGENTS) + 5) as u8 },
        6 => Action::EndsConsult { which },
        7..9 => Action::FindsWords { which },
        9..11 => Action::Tags { customer, gold: dice.roll(3) > 0 },
        11 => Action::Links { customer, to: dice.roll(CUSTOMERS.into()) as u8 },
        _ => Action::Passes { millis: u64::from(dice.between(1, 240)) * 1_000 },
    }
}

fn by_hand(dice: &mut Dice) -> Action {
    let which = dice.roll(1_000);
    let to = dice.roll(u32::from(AGENTS) + 5) as u8;
    match dice.roll(14) {
        10..12 => Action::Snoozes { which, seconds: dice.between(1, 900) },
        12 => Action::Wakes { which },
        0..3 => {
            let presence = if dice.roll(6) == 0 { Presence::Offline } else { Presence::Available };
            Action::Shows { agent: AGENTS - 1 + dice.roll(2) as u8, presence }
        }
        3..5 => Action::Transfers { which, to },
        _ => {
            let by = if dice.roll(8) == 0 { 0 } else { AGENTS - 1 + dice.roll(2) as u8 };
            let seen = [None, Some(true), Some(true), Some(false)][dice.roll(4) as usize];
            Action::Reassigns { which, by, to, seen }
        }
    }
}

fn everyday(dice: &mut Dice) -> Action {
    let which = dice.roll(1_000);
    let customer = dice.roll(CUSTOMERS.into()) as u8;
    match dice.roll(100) {
        0..24 => Action::Writes { customer },
        24..30 => Action::Redelivers { which },
        30 => Action::OptsOut { customer },
        31 => Action::OptsIn { customer },
        32..44 => {
            let how = match dice.roll(8) {
                0..2 => BotSays::Something,
                2..5 => BotSays::SomethingAndHandsOver,
                5..7 => BotSays::HandsOver,
                _ => BotSays::Goodbye,
            };
            Action::BotAnswers { which, how, as_command: dice.roll(2) == 0 }
        }
        44..50 => {
            let presence = match dice.roll(8) {
                0 => Presence::Offline,
                1 => Presence::Away,
                _ => Presence::Available,
            };
            Action::Shows { agent: dice.roll(AGENTS.into()) as u8, presence }
        }
        50..58 => Action::Accepts { which },
        58..60 => Action::Declines { which },
        60..66 => Action::Replies { which },
        66..68 => Action::Transfers { which, to: dice.roll(u32::from(AGENTS) + 1) as u8 },
        68..71 => Action::Closes { which },
        71..74 => Action::Repeats { which },
        74..86 => {
            let outcome = match dice.roll(10) {
                0 => Tells::Later,
                1 => Tells::Refused,
                2 => Tells::Nothing { taken: dice.roll(2) == 0 },
                _ => Tells::Taken,
            };
            Action::ProviderTells { which, outcome }
        }
        86 => Action::Applies { policy: dice.roll(POLICIES.into()) as u8 },
        _ => {
            let millis = match dice.roll(40) {
                0 => u64::from(dice.between(1, 30)) * 3_600_000,
                1..4 => u64::from(dice.between(1, 600)) * 1_000,
                4..10 => u64::from(dice.between(1, 35)) * 1_000,
                _ => u64::from(dice.between(1, 60)),
            };
            Action::Passes { millis }
        }
    }
}

fn misfortune(dice: &mut Dice, rivals: bool) -> Action {
    let peer = peer(dice);
    let rival = rivals && dice.roll(3) == 0;
    // Even numbers are logs, odd ones intakes; where decisions go is where it hurts.
    let place = peer * 2 + u8::from(dice.roll(3) == 0);
    match dice.roll(86) {
        0..14 => Action::Starts { peer, rival },
        14..16 => Action::Stops { peer, rival },
        16..26 => Action::Crashes { peer, rival, after: dice.roll(12) as u8, done: dice.roll(2) == 0 },
        26..30 => Action::GoesBlind { peer, rival },
        30..34 => Action::SeesAgain { peer, rival },
        34 => Action::LosesSnapshots { rival },
        63..65 => {
            let millis =
                i64::from(dice.between(1, 8)) * [250, 1_500, -1_500, 3_600_000][dice.roll(4) as usize];
            Action::ClockIsOff { rival, millis }
        }
        65..69 => Action::ClockIsOff { rival, millis: 0 },
        35..47 => Action::Breaks { place, fault: Fault::ALL[dice.roll(4) as usize] },
        47..52 => Action::Stalls { place },
        52..57 => Action::Flows { place },
        57..60 => Action::Lands,
        60 => Action::DiskFills,
        61..63 => Action::DiskHasRoom,
        72..76 => Action::StandsBy { peer, rival },
        76..84 => Action::HandsOver { peer, to_rival: rivals && dice.roll(2) == 0 },
        84 => Action::SpoilsSnapshots { rival },
        _ => Action::Garbles { peer },
    }
}

/// Mostly of those who have the most to do.
fn peer(dice: &mut Dice) -> u8 {
    match dice.roll(10) {
        0..4 => dice.roll(2) as u8,
        4..6 => 2,
        6..8 => dice.between(3, 4) as u8,
        _ => dice.roll(PEERS.len() as u32) as u8,
    }
}

pub(crate) fn place(number: u8) -> log::Partition {
    let peer = PEERS[usize::from(number / 2) % PEERS.len()];
    if number.is_multiple_of(2) { log_of(peer) } else { intake(peer) }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}  ", self.number)?;
        let who = |peer: u8, rival: bool| {
            let peer = PEERS[usize::from(peer) % PEERS.len()];
            if rival { format!("the rival worker of {peer}") } else { format!("the worker of {peer}") }
        };
        let all = |rivals| if rivals { "the rivals" } else { "the workers" };
        match self.action {
            Action::Writes { customer } => write!(f, "customer {customer} writes message {}", self.number),
            Action::Redelivers { which } => write!(f, "a provider delivers an earlier fact again ({which})"),
            Action::OptsOut { customer } => write!(f, "customer {customer} wants no more messages"),
            Action::OptsIn { customer } => write!(f, "customer {customer} wants messages again"),
            Action::Garbles { peer } => {
                write!(f, "something unreadable comes into the intake of {}", PEERS[usize::from(peer)])
            }
            Action::BotAnswers { which, how, as_command } => {
                let by = if as_command { "a command" } else { "a report" };
                write!(f, "the bot answers a turn ({which}) by {by}: {how:?}")
            }
            Action::Shows { agent, presence } => write!(f, "agent {agent} is {presence:?}"),
            Action::Accepts { which } => write!(f, "an agent accepts an offer ({which})"),
            Action::Declines { which } => write!(f, "an agent declines an offer ({which})"),
            Action::Replies { which } => write!(f, "an agent replies ({which})"),
            Action::Transfers { which, to } => {
                write!(f, "an agent transfers a conversation ({which}) to {to}")
            }
            Action::Reassigns { which, by, to, seen } => {
                let seen = match seen {
                    None => "",
                    Some(true) => ", as it was seen",
                    Some(false) => ", as it was seen before",
                };
                write!(f, "agent {by} gives a conversation ({which}) to {to}, whoever has it{seen}")
            }
            Action::Snoozes { which, seconds } => {
                write!(f, "an agent puts a conversation ({which}) away for {seconds} s")
            }
            Action::Wakes { which } => write!(f, "an agent wants a conversation ({which}) back"),
            Action::Closes { which } => write!(f, "an agent closes a conversation ({which})"),
            Action::Consults { which, whom } => {
                write!(f, "an agent asks {whom} in to a conversation ({which})")
            }
            Action::EndsConsult { which } => write!(f, "an agent asks nobody in any more ({which})"),
            Action::FindsWords { which } => {
                write!(f, "someone has words for a customer of a closed queue ({which})")
            }
            Action::Tags { customer, gold: true } => write!(f, "customer {customer} is gold"),
            Action::Tags { customer, gold: false } => write!(f, "customer {customer} is gold no more"),
            Action::Links { customer, to } => {
                write!(f, "the address of customer {customer} is also customer {to}'s")
            }
            Action::Repeats { which } => write!(f, "someone repeats an earlier command ({which})"),
            Action::ProviderTells { which, outcome } => {
                write!(f, "a provider tells of an attempt ({which}): {outcome:?}")
            }
            Action::Applies { policy } => write!(f, "policy {policy} is applied"),
            Action::Passes { millis } => write!(f, "{millis} ms pass"),
            Action::Starts { peer, rival } => write!(f, "{} starts", who(peer, rival)),
            Action::Stops { peer, rival } => write!(f, "{} stops in order", who(peer, rival)),
            Action::Crashes { peer, rival, after, done } => {
                let when = if done { "once it has taken effect" } else { "before it takes effect" };
                write!(f, "{} crashes at its next use of the log but {after}, {when}", who(peer, rival))
            }
            Action::GoesBlind { peer, rival } => {
                write!(f, "{} reads nothing new from now on", who(peer, rival))
            }
            Action::SeesAgain { peer, rival } => write!(f, "{} reads again", who(peer, rival)),
            Action::StandsBy { peer, rival } => write!(f, "{} stands by", who(peer, rival)),
            Action::HandsOver { peer, to_rival } => {
                write!(f, "{} is given the partition of the other", who(peer, to_rival))
            }
            Action::LosesSnapshots { rival } => write!(f, "the snapshots of {} are lost", all(rival)),
            Action::SpoilsSnapshots { rival } => {
                write!(f, "the newest snapshots of {} are damaged", all(rival))
            }
            Action::ClockIsOff { rival, millis } => {
                write!(f, "the clock of {} is {millis} ms ahead", all(rival))
            }
            Action::Breaks { place: at, fault } => {
                write!(f, "the next append to {} meets {fault:?}", place(at))
            }
            Action::Stalls { place: at } => write!(f, "appends to {} stall", place(at)),
            Action::Flows { place: at } => write!(f, "appends to {} flow again", place(at)),
            Action::Lands => write!(f, "what was on its way into the log lands"),
            Action::DiskFills => write!(f, "the disk is full"),
            Action::DiskHasRoom => write!(f, "the disk has room again"),
        }?;
        if self.rests { Ok(()) } else { write!(f, ", and at once") }
    }
}
