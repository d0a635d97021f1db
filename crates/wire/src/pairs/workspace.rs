//! The workspace's command and event, and the policy document they carry.

use domain::policy::{Agent, Bot, Capacity, Flow, Hours, Inbox, KeywordAnswer, OpenSpan, Policy, Queue};

use crate::message::{choice, message, timers};

choice! { domain::workspace::Command => WorkspaceCommand, workspace_command {
    Apply(policy),
}}

choice! { domain::workspace::Event => WorkspaceEvent, workspace_event {
    PolicyApplied(policy),
}}

message! {
    Policy => Policy { tenant, version, inboxes, queues, agents, bots, hours }
    Inbox => Inbox { channel, address, bot, queue, reopen_within, sandbox, settings }
    Queue => Queue { priority, offer_timeout }
    Agent => Agent { queues, capacity }
    Capacity => Capacity { total, per_channel }
    Bot => Bot { answer_within, kind }
    Flow => Flow { greeting, quick_replies, answers, person_words, hand_off_text, hours, away_text }
    KeywordAnswer => KeywordAnswer { words, text }
    Hours => Hours { time_zone, open }
    OpenSpan => OpenSpan { weekday, from, to }
}

choice! { domain::policy::BotKind => BotKind, bot_kind {
    BuiltIn(flow),
    Stream {},
}}

timers! { domain::workspace::TimerId => Workspace {} }
