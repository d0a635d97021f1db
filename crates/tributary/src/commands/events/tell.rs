//! Events in words: a name and its details. Every field that is no secret and no repetition is told; what is sealed
//! is told by its size.

use std::fmt::Debug;

use domain::{
    Cause, Sealed, Timestamp, contact,
    conversation::{self, Correspondent, OtherAddress, Outgoing, Progress, What},
    delivery, workspace,
};
use wire::Codec;

use super::line::Told;

mod desk;

/// An aggregate whose events can be told.
pub(super) trait Tell: Codec {
    fn tell(event: &Self::Event) -> Told;
}

fn referred(referral: &conversation::Referral) -> String {
    let parts = [&referral.source, &referral.reference, &referral.ad];
    let known: Vec<&str> = parts.into_iter().filter_map(Option::as_deref).collect();
    known.join(" ")
}

/// What a step follows from.
pub(super) fn cause<A: Codec>(cause: &Cause<A>) -> String {
    match cause {
        Cause::Fact(id) => format!("fact {id}"),
        Cause::Command { id, .. } => format!("command {id}"),
        Cause::Relay { source, number } => format!("relay {number} of {source}"),
        Cause::Report => "report".into(),
        Cause::Applied { by, through } => format!("applied by {by} through {through}"),
        Cause::Timer(timer) => format!("timer due {}", time(timer.due)),
        Cause::PolicyInForce(policy) => format!("policy {} of {}", policy.version, policy.tenant),
        Cause::Recovered => "new leader".into(),
        Cause::Memory => "memory".into(),
        Cause::Unreadable => "unreadable input".into(),
    }
}

impl Tell for conversation::Decider {
    fn tell(event: &conversation::Event) -> Told {
        let told = match &event.what {
            What::CustomerSeen { from, at } => seen("customer_seen", from, *at),
            What::Opened { policy_version, .. } => Told::new("opened").number("policy", *policy_version),
            What::Reopened { .. } => Told::new("reopened"),
            What::MessageReceived {
                message,
                kind,
                content,
                thread,
                sent_at,
                authenticated,
                people_only,
                reply_to,
                referral,
                ..
            } => Told::new("message_received")
                .with("message", message)
                .with("kind", word(kind))
                .with("content", sealed(content))
                .maybe("thread", thread.as_ref().map(sealed))
                .with("sent_at", time(*sent_at))
                .flag("unauthenticated", !authenticated)
                .flag("people_only", *people_only)
                .maybe("reply_to", reply_to.as_ref())
                .maybe("referral", referral.as_deref().map(referred)),
            What::Noted { party, kind, message, content, at, about, referral, .. } => Told::new("noted")
                .with("kind", word(kind))
                .with("party", party)
                .with("message", message)
                .maybe("content", content.as_ref().map(sealed))
                .with("sent_at", time(*at))
                .maybe("about", about.as_ref())
                .maybe("referral", referral.as_deref().map(referred)),
            What::AnsweredElsewhere { party, message, content, at, .. } => Told::new("answered_elsewhere")
                .with("party", party)
                .with("message", message)
                .maybe("content", content.as_ref().map(sealed))
                .with("sent_at", time(*at)),
            What::ThreadHeld { party, elsewhere, app, note, at, .. } => Told::new("thread_held")
                .with("party", party)
                .flag("elsewhere", *elsewhere)
                .maybe("app", app.as_ref())
                .maybe("note", note.as_ref().map(sealed))
                .with("sent_at", time(*at)),
            What::KnownAs { party, to, moved, at } => Told::new("known_as")
                .with("party", party)
                .with("to", to.party)
                .with("address", sealed(&to.address))
                .flag("moved", *moved)
                .with("sent_at", time(*at)),
            What::ReceiptNoted { kind, message, at, reason, .. } => Told::new("receipt_noted")
                .with("kind", word(kind))
                .with("message", message)
                .with("sent_at", time(*at))
                .maybe("reason", reason.as_ref()),
            What::ReceiptKept { party, provider_id, kind, at, reason } => Told::new("receipt_kept")
                .with("kind", word(kind))
                .with("party", party)
                .with("provider_id", provider_id)
                .with("sent_at", time(*at))
                .maybe("reason", reason.as_ref()),
            What::Redirected { to, received } => Told::new("redirected")
                .with("to", to)
                .with("message", received.message)
                .with("content", sealed(&received.content)),
            What::UnreadableKept { party, message, content, reason, at } => Told::new("unreadable_kept")
                .with("party", party)
                .with("message", message)
                .with("content", sealed(content))
                .with("sent_at", time(*at))
                .with("reason", reason),
            What::OptedOut { party } => Told::new("opted_out").with("party", party),
            What::OptedIn { party } => Told::new("opted_in").with("party", party),
            What::TagsNoted { party, tags } => {
                Told::new("tags_noted").with("party", party).number("tags", tags.hashes().len())
            }
            What::OthersNoted { party, others } => {
                Told::new("others_noted").with("party", party).number("others", others.len())
            }
            What::AddressTold { to, of } => other("address_told", of).with("to", to),
            What::AddressNoted { party, of } => other("address_noted", of).with("to", party),
            What::Suppressed { party, cause } => {
                Told::new("suppressed").with("party", party).with("cause", cause.as_str())
            }
            What::SuppressionLifted { party, cause, by } => Told::new("suppression_lifted")
                .with("party", party)
                .with("cause", cause.as_str())
                .maybe("by", by.as_ref()),
            What::Entered { party, link, tags, .. } => {
                Told::new("entered").with("party", party).with("link", link).number("tags", tags.len())
            }
            What::TokenShown { party, token } => {
                Told::new("token_shown").with("party", party).with("token", token.id)
            }
            What::Tied { party, contact, .. } => {
                Told::new("tied").with("party", party).with("contact", contact)
            }
            What::NotTied { party, because, .. } => {
                Told::new("not_tied").with("party", party).with("because", because.as_str())
            }
            What::Retired { party } => Told::new("retired").with("party", party),
            What::Returned { party, .. } => Told::new("returned").with("party", party),
            What::BotEngaged { bot, owner_epoch, .. } => {
                Told::new("bot_engaged").with("bot", bot).number("owner_epoch", *owner_epoch)
            }
            What::TurnAsked { turn, bot, content, message, answer_by, link } => Told::new("turn_asked")
                .maybe("link", link.as_ref())
                .with("turn", turn)
                .with("bot", bot)
                .with("message", message)
                .maybe("content", content.as_ref().map(sealed))
                .with("answer_by", time(*answer_by)),
            What::TurnAnswered { turn } => Told::new("turn_answered").with("turn", turn),
            What::BotReplied { message, outgoing, .. } => {
                leaving(Told::new("bot_replied").with("message", message), outgoing)
            }
            What::AgentWanted {
                channel,
                queue,
                owner_epoch,
                reason,
                since,
                again,
                agent,
                agent_until,
                by_request,
                special,
                ..
            } => Told::new("agent_wanted")
                .with("reason", word(reason))
                .with("queue", queue)
                .with("channel", channel.as_str())
                .number("owner_epoch", *owner_epoch)
                .with("since", time(*since))
                .flag("again", *again)
                .maybe("agent", agent.as_ref())
                .maybe("agent_until", agent_until.map(time))
                .flag("by_request", *by_request)
                .maybe("special", special.as_ref()),
            What::MarkedSpecial { special, .. } => Told::new("marked_special").with("special", special),
            What::Assigned { agent, assignment, owner_epoch, command, .. } => Told::new("assigned")
                .with("agent", agent)
                .with("assignment", assignment)
                .number("owner_epoch", *owner_epoch)
                .with("command", command),
            What::AssignmentRefused { offer, command, .. } => {
                Told::new("assignment_refused").with("offer", offer).with("command", command)
            }
            What::Released { assignment, .. } => Told::new("released").with("assignment", assignment),
            What::Withdrawn { queue, owner_epoch, .. } => {
                Told::new("withdrawn").with("queue", queue).number("owner_epoch", *owner_epoch)
            }
            What::Transferred { by, note, .. } => {
                Told::new("transferred").with("by", by).maybe("note", note.as_ref().map(sealed))
            }
            What::Snoozed { agent, assignment, owner_epoch, until, .. } => Told::new("snoozed")
                .with("agent", agent)
                .with("assignment", assignment)
                .number("owner_epoch", *owner_epoch)
                .with("until", time(*until)),
            What::Split { into, message, by, .. } => {
                Told::new("split").with("into", into).with("message", message).with("by", by)
            }
            What::Joined { other, by, .. } => Told::new("joined").with("other", other).with("by", by),
            What::JoinAsked { other, by, command, .. } => {
                Told::new("join_asked").with("other", other).with("by", by).with("command", command)
            }
            What::PartAsked { other, by, queue, command, .. } => Told::new("part_asked")
                .with("other", other)
                .with("by", by)
                .with("queue", queue)
                .with("command", command),
            What::AddressJoined { other, by, .. } => {
                Told::new("address_joined").with("other", other).with("by", by)
            }
            What::AddressParted { other, by, .. } => {
                Told::new("address_parted").with("other", other).with("by", by)
            }
            What::TakenIn { into, by, .. } => Told::new("taken_in").with("into", into).with("by", by),
            What::TakenOut { of, by, .. } => Told::new("taken_out").with("of", of).with("by", by),
            What::NotTaken { asked_by, why, .. } => {
                Told::new("not_taken").with("asked_by", asked_by).with("why", why)
            }
            What::JoinRefused { other, why, .. } => {
                Told::new("join_refused").with("other", other).with("why", why)
            }
            What::ConsultAsked { consult, by, whom, note, .. } => Told::new("consult_asked")
                .with("consult", consult)
                .with("by", by)
                .with("whom", given_to(whom))
                .maybe("note", note.as_ref().map(sealed)),
            What::ConsultBegan { consult, by, agent, note, .. } => Told::new("consult_began")
                .with("consult", consult)
                .with("by", by)
                .with("agent", agent)
                .maybe("note", note.as_ref().map(sealed)),
            What::ConsultFailed { consult, .. } => Told::new("consult_failed").with("consult", consult),
            What::ConsultEnded { consult, agent, because, .. } => Told::new("consult_ended")
                .with("consult", consult)
                .with("because", word(because))
                .maybe("agent", agent.as_ref()),
            What::Remarked { by, message, body, .. } => {
                Told::new("remarked").with("by", by).with("message", message).with("body", sealed(body))
            }
            What::Reassigned { by, note, .. } => {
                Told::new("reassigned").maybe("by", by.as_ref()).maybe("note", note.as_ref().map(sealed))
            }
            What::Replied { agent, message, outgoing, .. } => {
                leaving(Told::new("replied").with("agent", agent).with("message", message), outgoing)
            }
            What::WindowOpened { window, .. } => Told::new("window_opened")
                .with("until", time(window.until))
                .with("person_until", time(window.person_until)),
            What::ReplyHeld { reply, .. } => Told::new("reply_held")
                .with("agent", &reply.agent)
                .with("message", reply.message)
                .with("body", sealed(&reply.body)),
            What::HeldSent { agent, message, outgoing, .. } => {
                leaving(Told::new("held_sent").with("agent", agent).with("message", message), outgoing)
            }
            What::DeliveryNoted { message, progress, .. } => {
                let told = Told::new("delivery_noted").with("message", message);
                match progress {
                    Progress::Sent { provider_id } => {
                        told.with("progress", "sent").with("provider_id", provider_id)
                    }
                    Progress::Failed { code, reason, dead } => {
                        let told = told.with("progress", "failed").flag("dead", *dead);
                        told.with("code", code).with("reason", reason)
                    }
                    Progress::Unknown => told.with("progress", "unknown"),
                }
            }
            What::AwayAsked { owner_epoch, queue, until, again_at, .. } => Told::new("away_asked")
                .with("queue", queue)
                .number("owner_epoch", *owner_epoch)
                .maybe("until", until.map(time))
                .with("again_at", time(*again_at)),
            What::AwaySaid { message, outgoing, .. } => {
                leaving(Told::new("away_said").with("message", message), outgoing)
            }
            What::Closed { by, reason, .. } => {
                let by = match by {
                    conversation::Closer::Bot(bot) => format!("bot:{bot}"),
                    conversation::Closer::Agent(agent) => format!("agent:{agent}"),
                    conversation::Closer::Customer => "customer".into(),
                };
                Told::new("closed").with("by", by).with("reason", word(reason))
            }
        };
        let told = told.of(&event.tenant).with("inbox", &event.inbox);
        match event.conversation() {
            Some(conversation) => told.on(conversation),
            None => told,
        }
    }
}

impl Tell for delivery::Decider {
    fn tell(event: &delivery::Event) -> Told {
        use delivery::Event;
        match event {
            Event::Queued { conversation, message, outgoing } => {
                leaving(Told::new("queued").on(*conversation).with("message", message), outgoing)
                    .of(&outgoing.tenant)
                    .with("inbox", &outgoing.inbox)
            }
            Event::SendStarted { message, attempt } => {
                Told::new("send_started").with("message", message).number("attempt", *attempt)
            }
            Event::Sent { conversation, message, attempt, provider_id } => Told::new("sent")
                .on(*conversation)
                .with("message", message)
                .number("attempt", *attempt)
                .with("provider_id", provider_id),
            Event::RetryScheduled { message, attempt, due, code, reason, not_made } => {
                Told::new("retry_scheduled")
                    .with("message", message)
                    .number("attempt", *attempt)
                    .with("due", time(*due))
                    .flag("not_made", *not_made)
                    .with("code", code)
                    .with("reason", reason)
            }
            Event::Failed { conversation, message, attempt, code, reason, dead } => Told::new("failed")
                .on(*conversation)
                .flag("dead", *dead)
                .with("message", message)
                .number("attempt", *attempt)
                .with("code", code)
                .with("reason", reason),
            Event::OutcomeLost { message, attempt } => {
                Told::new("outcome_lost").with("message", message).number("attempt", *attempt)
            }
            Event::OutcomeUnknown { conversation, message, attempt, reason } => Told::new("outcome_unknown")
                .on(*conversation)
                .with("message", message)
                .number("attempt", *attempt)
                .with("reason", reason),
            Event::MailboxMarked { inbox, mark } => Told::new("mailbox_marked")
                .with("inbox", inbox)
                .with("mailbox", &mark.mailbox)
                .number("validity", mark.validity)
                .number("through", mark.through),
        }
    }
}

impl Tell for contact::Decider {
    fn tell(event: &contact::Event) -> Told {
        use contact::Event;
        match event {
            Event::Created { contact, from, at } => {
                seen("created", from, *at).of(&from.tenant).with("contact", contact)
            }
            Event::Linked { tenant, contact, party, was } => {
                Told::new("linked").of(tenant).with("contact", contact).with("party", party).with("was", was)
            }
            Event::Joined { tenant, contact, party, was } => Told::new("joined")
                .of(tenant)
                .with("contact", contact)
                .with("party", party)
                .maybe("was", was.as_ref()),
            Event::Parted { tenant, contact, party, was } => {
                Told::new("parted").of(tenant).with("contact", contact).with("party", party).with("was", was)
            }
            Event::Tagged { tenant, contact, tag } => {
                Told::new("tagged").of(tenant).with("contact", contact).with("tag", tag)
            }
            Event::Untagged { tenant, contact, tag } => {
                Told::new("untagged").of(tenant).with("contact", contact).with("tag", tag)
            }
            Event::TokenTaken { tenant, party, token, refused } => Told::new("token_taken")
                .of(tenant)
                .with("party", party)
                .with("token", token.id)
                .with("contact", token.contact)
                .maybe("refused", refused.map(|why| why.as_str())),
            Event::TagsTold { tenant, party, tags } => {
                Told::new("tags_told").of(tenant).with("party", party).number("tags", tags.hashes().len())
            }
            Event::OthersTold { tenant, party, others } => {
                Told::new("others_told").of(tenant).with("party", party).number("others", others.len())
            }
        }
    }
}

impl Tell for workspace::Decider {
    fn tell(event: &workspace::Event) -> Told {
        match event {
            workspace::Event::PolicyApplied(policy) => Told::new("policy_applied")
                .of(&policy.tenant)
                .number("version", policy.version)
                .number("inboxes", policy.inboxes.len())
                .number("queues", policy.queues.len())
                .number("agents", policy.agents.len())
                .number("bots", policy.bots.len()),
        }
    }
}

fn seen(what: &'static str, from: &Correspondent, at: Timestamp) -> Told {
    Told::new(what)
        .with("party", from.party)
        .with("channel", from.channel.as_str())
        .with("address", sealed(&from.address))
        .with("sent_at", time(at))
}

/// What an address tells another of the same contact.
fn other(what: &'static str, of: &OtherAddress) -> Told {
    Told::new(what)
        .with("party", of.from.party)
        .with("of_inbox", &of.from.inbox)
        .with("address", sealed(&of.from.address))
        .flag("writable", of.writable)
}

fn leaving(told: Told, outgoing: &Outgoing) -> Told {
    told.with("channel", outgoing.channel.as_str())
        .with("to", sealed(&outgoing.to))
        .with("body", sealed(&outgoing.body))
        .flag("in_thread", outgoing.thread.is_some())
}

fn given_to(to: &conversation::Transfer) -> String {
    match to {
        conversation::Transfer::Queue(queue) => queue.to_string(),
        conversation::Transfer::Agent(agent) => agent.to_string(),
        conversation::Transfer::Desk(desk) => desk.to_string(),
    }
}

fn sealed(sealed: &Sealed) -> String {
    format!("(sealed, {} bytes)", sealed.bytes.len())
}

fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}

/// A choice without fields, as everything else writes it: `BotHandedOff` is `bot_handed_off`.
fn word(choice: &impl Debug) -> String {
    let mut word = String::new();
    for letter in format!("{choice:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{ConversationId, Party};

    use super::*;

    #[test]
    fn what_is_sealed_stays_so() {
        let conversation = ConversationId { party: Party([1; 16]), number: 1 };
        let content = Sealed { subject: conversation.party, bytes: Bytes::from_static(b"secret") };
        let event = conversation::Event {
            tenant: "acme".parse().unwrap(),
            inbox: "mail".parse().unwrap(),
            what: What::MessageReceived {
                conversation,
                message: domain::MessageId([2; 16]),
                kind: conversation::MessageKind::Postback,
                content,
                thread: None,
                sent_at: Timestamp(0),
                authenticated: false,
                marks: None,
                people_only: false,
                reply_to: None,
                referral: None,
            },
        };
        let told = conversation::Decider::tell(&event);
        assert_eq!((told.what, told.conversation), ("message_received", Some(conversation)));
        let detail = |name: &str| {
            told.details.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        assert_eq!(detail("content"), Some("(sealed, 6 bytes)".into()));
        assert_eq!(detail("kind"), Some("postback".into()));
        assert_eq!(detail("unauthenticated"), Some(true.into()));
        assert_eq!(detail("thread"), None);
    }

    #[test]
    fn choices_are_written_as_words() {
        assert_eq!(word(&conversation::HandOffReason::BotHandedOff), "bot_handed_off");
        assert_eq!(word(&domain::desk::Presence::Away), "away");
    }
}
