//! A small business, its people and a few customers, to tell stories about and to let things happen to.

use crate::{
    AgentId, BotId, Channel, CommandId, ConversationId, DeskId, InboxId, MessageId, Millis, OfferId, Party,
    Policy, QueueId, Sealed, TenantId, Timestamp, TurnId,
    policy::{Agent, Bot, BotKind, Capacity, Inbox, Queue},
};

use super::Correspondent;

mod loops;
mod properties;
mod receipts;
mod stories;
mod story;
mod world;

/// A closed conversation goes on within this.
const REOPENS: Millis = Millis::hours(1);
/// The bot has this long to answer.
const PATIENCE: Millis = Millis::seconds(60);

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

fn desk(name: &str) -> DeskId {
    DeskId::new(tenant(), name).unwrap()
}

fn queue(name: &str) -> QueueId {
    let desk_name = if name == "care" { "night" } else { "team" };
    QueueId::new(desk(desk_name), name).unwrap()
}

/// Dee and Eve work at night, everyone else in the team.
fn agent(name: &str) -> AgentId {
    let desk_name = if matches!(name, "dee" | "eve") { "night" } else { "team" };
    AgentId::new(desk(desk_name), name).unwrap()
}

fn offer(number: u64) -> OfferId {
    OfferId { desk: desk("team"), number }
}

fn inbox() -> InboxId {
    "sms".parse().unwrap()
}

fn bot(name: &str) -> BotId {
    name.parse().unwrap()
}

fn party(n: u8) -> Party {
    Party([n; 16])
}

fn conversation(n: u8, number: u32) -> ConversationId {
    ConversationId { party: party(n), number }
}

fn message(n: u128) -> MessageId {
    MessageId(n.to_be_bytes())
}

fn command_id(n: u128) -> CommandId {
    CommandId(n.to_be_bytes())
}

/// What a customer wrote, or is written.
fn sealed(customer: u8, n: u128) -> Sealed {
    Sealed { subject: party(customer), bytes: n.to_be_bytes().to_vec().into() }
}

fn correspondent(n: u8) -> Correspondent {
    Correspondent {
        tenant: tenant(),
        inbox: inbox(),
        channel: Channel::Sms,
        party: party(n),
        address: sealed(n, 0),
    }
}

fn seconds(n: i64) -> Timestamp {
    Timestamp(n * 1_000)
}

/// One inbox: who greets in it, and where its conversations wait for a person. Ann serves sales and support, Bob
/// support, Dee the night's care; Cid and Eve serve no queue, nor does Sue, who supervises the team.
fn policy(version: u64, greeter: Option<&str>, waits_in: &str) -> Policy {
    let capacity = || Capacity { total: 5, ..Capacity::default() };
    let serving = |queues: &[&str]| Agent {
        queues: queues.iter().copied().map(queue).collect(),
        capacity: capacity(),
        ..Agent::default()
    };
    let inbox_of_greeter = Inbox {
        channel: Channel::Sms,
        address: "+15550100".into(),
        bot: greeter.map(bot),
        queue: queue(waits_in),
        reopen_within: REOPENS,
        sandbox: true,
        settings: [].into(),
    };
    let ordinary = || Queue { offer_timeout: Millis::seconds(30), ..Queue::default() };
    let stream = || Bot { answer_within: PATIENCE, kind: BotKind::Stream };
    Policy {
        tenant: tenant(),
        version,
        inboxes: [(inbox(), inbox_of_greeter)].into(),
        queues: ["sales", "support", "care"].map(|name| (queue(name), ordinary())).into(),
        agents: [
            (agent("ann"), serving(&["sales", "support"])),
            (agent("bob"), serving(&["support"])),
            (agent("cid"), serving(&[])),
            (agent("dee"), serving(&["care"])),
            (agent("eve"), serving(&[])),
            (agent("sue"), Agent { supervises: [desk("team")].into(), ..serving(&[]) }),
        ]
        .into(),
        bots: greeter.map(|name| (bot(name), stream())).into_iter().collect(),
        hours: [].into(),
        links: [].into(),
    }
}

fn turn(id: ConversationId, owner_epoch: u32, number: u32) -> TurnId {
    TurnId { conversation: id, owner_epoch, number }
}
