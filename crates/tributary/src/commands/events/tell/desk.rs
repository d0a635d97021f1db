//! What happened at a desk, in words.

use domain::desk::{Decider, Event, Why};

use super::{Tell, Told, time, word};

impl Tell for Decider {
    fn tell(event: &Event) -> Told {
        match event {
            Event::Enqueued {
                conversation,
                owner_epoch,
                channel,
                queue,
                priority,
                since,
                again,
                agent,
                agent_until,
                by_request,
                special,
            } => Told::new("enqueued")
                .of(&queue.desk.tenant)
                .on(*conversation)
                .with("queue", queue)
                .with("channel", channel.as_str())
                .number("priority", *priority)
                .number("owner_epoch", *owner_epoch)
                .with("since", time(*since))
                .flag("again", *again)
                .maybe("agent", agent.as_ref())
                .maybe("agent_until", agent_until.map(time))
                .flag("by_request", *by_request)
                .maybe("special", special.as_ref()),
            Event::Waits { conversation, queue, why } => {
                reasons(Told::new("waits").of(&queue.desk.tenant).on(*conversation).with("queue", queue), why)
            }
            Event::Stranded { conversation, queue, because } => Told::new("stranded")
                .of(&queue.desk.tenant)
                .on(*conversation)
                .with("because", word(because))
                .with("queue", queue),
            Event::PreferenceEnded { conversation, queue, agent, because } => Told::new("preference_ended")
                .of(&queue.desk.tenant)
                .on(*conversation)
                .with("because", word(because))
                .with("agent", agent)
                .with("queue", queue),
            Event::Overflowing { conversation, owner_epoch, queue, to, since, because } => {
                Told::new("overflowing")
                    .of(&queue.desk.tenant)
                    .on(*conversation)
                    .with("because", word(because))
                    .with("queue", queue)
                    .with("to", to)
                    .number("owner_epoch", *owner_epoch)
                    .with("since", time(*since))
            }
            Event::QueueClosed { conversation, owner_epoch, queue, until, say } => Told::new("queue_closed")
                .of(&queue.desk.tenant)
                .on(*conversation)
                .with("queue", queue)
                .number("owner_epoch", *owner_epoch)
                .maybe("until", until.map(time))
                .flag("say", *say),
            Event::LookSet { queue, at } => {
                Told::new("look_set").of(&queue.desk.tenant).with("queue", queue).with("look_at", time(*at))
            }
            Event::Dequeued { conversation, queue, because } => Told::new("dequeued")
                .of(&queue.desk.tenant)
                .on(*conversation)
                .with("because", word(because))
                .with("queue", queue),
            Event::PresenceSet { agent, presence, until } => Told::new("presence_set")
                .of(&agent.desk.tenant)
                .with("agent", agent)
                .with("presence", word(presence))
                .with("until", time(*until)),
            Event::SentAway { agent, expired } => {
                Told::new("sent_away").of(&agent.desk.tenant).with("agent", agent).number("expired", *expired)
            }
            Event::LeaseLapsed { agent } => {
                Told::new("lease_lapsed").of(&agent.desk.tenant).with("agent", agent)
            }
            Event::Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at, why } => {
                let told = held("offered", offer, agent)
                    .on(*conversation)
                    .with("queue", queue)
                    .with("channel", channel.as_str())
                    .number("owner_epoch", *owner_epoch)
                    .with("expires_at", time(*expires_at));
                match why {
                    Some(why) => reasons(told, why),
                    None => told,
                }
            }
            Event::AcceptedByRule { offer, conversation, owner_epoch, agent } => {
                held("accepted_by_rule", offer, agent).on(*conversation).number("owner_epoch", *owner_epoch)
            }
            Event::WrapUpBegan { assignment, agent, conversation, until } => {
                held("wrap_up_began", assignment, agent).on(*conversation).with("until", time(*until))
            }
            Event::AcceptRequested { offer, conversation, owner_epoch, agent, command } => {
                held("accept_requested", offer, agent)
                    .on(*conversation)
                    .number("owner_epoch", *owner_epoch)
                    .with("command", command)
            }
            Event::Accepted { offer, conversation, agent, command } => {
                held("accepted", offer, agent).on(*conversation).with("command", command)
            }
            Event::Declined { offer, conversation, agent } => {
                held("declined", offer, agent).on(*conversation)
            }
            Event::Expired { offer, conversation, agent } => held("expired", offer, agent).on(*conversation),
            Event::Withdrawn { offer, conversation, agent, because, command } => {
                held("withdrawn", offer, agent)
                    .on(*conversation)
                    .with("because", word(because))
                    .maybe("command", command.as_ref())
            }
            Event::AssignmentEnded { assignment, agent, conversation } => {
                held("assignment_ended", assignment, agent).on(*conversation)
            }
            Event::GivingBack { assignment, agent, conversation } => {
                held("giving_back", assignment, agent).on(*conversation)
            }
            Event::ConsultBegan { consult, conversation, agent } => Told::new("consult_began")
                .of(&agent.desk.tenant)
                .on(*conversation)
                .with("consult", consult)
                .with("agent", agent),
            Event::ConsultFailed { desk, consult, conversation } => Told::new("consult_failed")
                .of(&desk.tenant)
                .on(*conversation)
                .with("consult", consult)
                .with("desk", desk),
            Event::ConsultEnded { consult, conversation, agent, gone } => Told::new("consult_ended")
                .of(&agent.desk.tenant)
                .on(*conversation)
                .with("consult", consult)
                .with("agent", agent)
                .flag("gone", *gone),
            Event::WorkDeferred { desk } => Told::new("work_deferred").of(&desk.tenant).with("desk", desk),
        }
    }
}

fn held(what: &'static str, offer: &domain::OfferId, agent: &domain::AgentId) -> Told {
    Told::new(what).of(&agent.desk.tenant).with("agent", agent).with("offer", offer)
}

fn reasons(told: Told, why: &Why) -> Told {
    told.number("policy", why.policy)
        .with("selection", word(&why.selection))
        .number("stage", why.stage)
        .number("waited_ms", why.waited.0)
        .flag("wanted", why.wanted)
        .number("free", why.considered.free)
        .number("refused", why.considered.refused)
        .number("full", why.considered.full)
        .number("away", why.considered.away)
        .number("offline", why.considered.offline)
        .number("unable", why.considered.unable)
}
