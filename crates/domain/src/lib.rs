//! The pure core: what Tributary decides, and nothing of how it is done.
//!
//! Five aggregates, each a pair of pure functions: `decide` turns a command into events, `evolve` folds an
//! event into state. A [`Partition`] is what one worker leads: an aggregate's state together with what every
//! partition keeps (inputs already taken, answers given, relays in and out). No clock, no randomness, no I/O.

// What everything speaks of.
mod content;
mod ids;
pub mod policy;
mod rejection;
mod rich;
mod tags;
mod time;

// What every aggregate is made of.
mod aggregate;
mod departed;
mod facts;
mod outbox;
mod partition;
mod relay;
mod shared;
mod step;
mod timers;

// The five aggregates.
pub mod contact;
pub mod conversation;
pub mod delivery;
pub mod desk;
pub mod workspace;

pub use aggregate::{Aggregate, Context, Settles};
pub use content::{
    Attachment, Channel, Check, CheckResult, Content, Kept, MailThread, Method, Sealed, Verdict,
};
pub use departed::{Departed, Question};
pub use facts::{Batch, FACTS_KEPT};
pub use ids::{
    AgentId, BadId, BotId, CommandId, ContactId, ContentHash, ConversationId, DeskId, Epoch, FactId, HoursId,
    InboxId, Lane, LanguageId, LinkId, MessageId, OfferId, Party, QueueId, SkillId, TenantId, TokenId,
    TurnId,
};
pub use outbox::Outbox;
pub use partition::{MOST_RETIRED, Partition, Taken};
pub use policy::{Policies, Policy};
pub use rejection::{Code, Rejection};
pub use relay::{Kind, Peer, Relay, Route, Topology};
pub use rich::{AskFor, Button, ButtonDoes, Card, Choice, ChoiceList, Rich, Template};
pub use step::{Answer, Cause, Intake, Origin, Recorded, SetAside, Step};
pub use tags::Tags;
pub use time::{Millis, Timestamp};
pub use timers::{Timer, Timers};
