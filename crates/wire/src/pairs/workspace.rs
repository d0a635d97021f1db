//! The workspace's command and event, and the policy document they carry.

use domain::policy::{
    Ageing, Agent, Bot, Capacity, Day, Flow, Holiday, Hours, Inbox, KeywordAnswer, Link, Needs, OpenSpan,
    Overflow, Policy, Queue, Relaxation, Selection, Special, Sticky, Vip,
};

use crate::message::{choice, enumeration, message, or_default, timers};

choice! { domain::workspace::Command => WorkspaceCommand, workspace_command {
    Apply(policy),
}}

choice! { domain::workspace::Event => WorkspaceEvent, workspace_event {
    PolicyApplied(policy),
}}

message! {
    Policy => Policy { tenant, version, inboxes, queues, agents, bots, hours, links }
    Link => Link { inbox, reference, campaign, queue, bot, people_only, first_message, text, tags }
    Inbox => Inbox { channel, address, bot, queue, reopen_within, sandbox, settings }
    Queue => Queue {
        priority, offer_timeout, ageing, needs, relaxations, selection, overflow, sticky, auto_accept, wrap_up,
        answer_within, default, hours, when_closed, away_after_expired, vip,
    }
    Vip => Vip { tag, priority }
    Special => Special { priority, needs }
    Ageing => Ageing { every, most }
    Relaxation => Relaxation { after, needs }
    Overflow => Overflow { to, after, refusals }
    Sticky => Sticky { within, grace }
    Agent => Agent { queues, capacity, skills, languages, supervises, name }
    Capacity => Capacity { total, per_channel, weights }
    Bot => Bot { answer_within, kind }
    Flow => Flow { greeting, quick_replies, answers, person_words, hand_off_text, hours, away_text }
    KeywordAnswer => KeywordAnswer { words, text }
    Hours => Hours { time_zone, open, holidays }
    Holiday => Holiday { first, last, from, to }
    Day => Day { year, month, day }
    OpenSpan => OpenSpan { weekday, from, to }
}

choice! { domain::policy::BotKind => BotKind, bot_kind {
    BuiltIn(flow),
    Stream {},
}}

choice! { domain::policy::WhenClosed => WhenClosed, when_closed {
    Say(text),
    Overflow(queue),
}}

// A queue of before there were needs has none, and asks the longest idle.
or_default! { Needs => Needs { skills, languages } }

enumeration! {
    Selection => Selection { LongestIdle, LeastLoaded, MostSkilled, RoundRobin }
}

impl crate::message::Wire<Option<i32>> for Selection {
    fn put(&self) -> Option<i32> {
        Some(crate::message::Wire::put(self))
    }

    fn take(wire: Option<i32>) -> Result<Self, crate::error::Flaw> {
        wire.map_or(Ok(Selection::default()), crate::message::Wire::take)
    }
}

timers! { domain::workspace::TimerId => Workspace {} }
