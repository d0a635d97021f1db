//! The rules of a conversation, command by command.

use crate::{Context, Rejection};

use super::{
    Command, Conversations, Event, TimerId, agents, away, bots, consult, facts, help, others, receipts,
    snooze, special, supervisors, suppression, threads,
};

pub(super) type Decided = Result<Vec<Event>, Rejection>;

pub(super) const NOTHING: Decided = Ok(Vec::new());

pub(super) fn decide(state: &Conversations, context: &Context, command: &Command) -> Decided {
    rules(state, context, command).map(|events| others::with_news(state, events))
}

fn rules(state: &Conversations, context: &Context, command: &Command) -> Decided {
    match command {
        Command::Receive(received) => facts::receive(state, context, received),
        Command::Note { from, kind, message, content, at, suppresses } => {
            let mut events = facts::note(state, context, from, *kind, *message, content.clone(), *at);
            events
                .extend(suppresses.iter().flat_map(|cause| suppression::suppress(state, from.party, *cause)));
            Ok(events)
        }
        Command::Suppress { tenant, party, cause } => suppression::ask(state, tenant, *party, *cause),
        Command::LiftSuppression { tenant, party, by } => suppression::lift(state, tenant, *party, by),
        Command::Unreadable { from, message, content, reason, at } => {
            Ok(facts::keep_unreadable(from, *message, content.clone(), reason.clone(), *at))
        }
        Command::Help { received, answer, body } => help::asked(state, context, received, *answer, body),
        Command::OptOut { from } => Ok(facts::opt_out(state, context, from)),
        Command::OptIn { from } => Ok(facts::opt_in(state, context, from)),
        Command::Receipt { party, kind, provider_id, watermark, at, reason } => {
            Ok(receipts::receipt(state, *party, *kind, provider_id.as_ref(), *watermark, *at, reason))
        }
        Command::Progress { conversation, message, progress } => {
            Ok(receipts::progress(state, *conversation, *message, progress))
        }

        Command::NoteTags { tenant, party, tags } => Ok(special::note_tags(state, tenant, *party, tags)),
        Command::NoteOthers { tenant, party, others } => Ok(others::note(state, tenant, *party, others)),
        Command::NoteAddress { party, of } => Ok(others::note_address(state, *party, of)),

        Command::BotAnswer { turn, tenant, bot, actions } => {
            bots::answer(state, context, *turn, tenant, bot, actions)
        }
        Command::TimerFired(TimerId::BotSilent(conversation)) => bots::silent(state, context, *conversation),

        Command::TellAway { conversation, owner_epoch, queue, until } => {
            away::tell(state, context, *conversation, *owner_epoch, queue, *until)
        }
        Command::AwayText { conversation, owner_epoch, message, body } => {
            away::said(state, context, *conversation, *owner_epoch, *message, body)
        }
        Command::TimerFired(TimerId::AwayUnsaid(conversation)) => away::unsaid(state, context, *conversation),

        Command::Assign { conversation, owner_epoch, offer, agent, command } => {
            agents::assign(state, *conversation, *owner_epoch, offer, agent, *command)
        }
        Command::Reply { conversation, agent, assignment, message, body, by } => {
            agents::reply(state, context, *conversation, agent, assignment, *message, body.clone(), *by)
        }
        Command::Transfer { conversation, agent, assignment, to, note } => {
            agents::transfer(state, context, *conversation, agent, assignment, to, note.clone())
        }
        Command::Close { conversation, agent, assignment } => {
            agents::close(state, *conversation, agent, assignment.as_ref())
        }
        Command::Snooze { conversation, agent, assignment, until } => {
            snooze::snooze(state, context, *conversation, agent, assignment, *until)
        }
        Command::Split { conversation, agent, assignment, message } => {
            threads::split(state, context, *conversation, agent, assignment, *message)
        }
        Command::Join { conversation, agent, assignment, other } => {
            threads::join(state, *conversation, agent, assignment, *other)
        }
        Command::Wake { conversation, agent } => snooze::wake(state, context, *conversation, agent),
        Command::TimerFired(TimerId::Snoozed(conversation)) => snooze::over(state, context, *conversation),

        Command::Consult { conversation, agent, assignment, whom, note } => {
            consult::ask(state, context, *conversation, agent, assignment, whom, note.clone())
        }
        Command::ConsultAnswer { conversation, consult, agent } => {
            consult::answered(state, *conversation, *consult, agent.as_ref())
        }
        Command::ConsultGone { conversation, consult } => consult::gone(state, *conversation, *consult),
        Command::EndConsult { conversation, agent } => consult::end(state, *conversation, agent),
        Command::Remark { conversation, agent, message, body } => {
            consult::remark(state, *conversation, agent, *message, body.clone())
        }

        Command::Reassign { conversation, by, owner_epoch, to, note } => {
            supervisors::reassign(state, context, *conversation, by, *owner_epoch, to, note.clone())
        }
        Command::Override { conversation, tenant, owner_epoch, to, note } => {
            supervisors::override_owner(state, context, *conversation, tenant, *owner_epoch, to, note.clone())
        }
        Command::Overflow { conversation, owner_epoch, to, since } => {
            agents::overflow(state, context, *conversation, *owner_epoch, to, *since)
        }
        Command::GiveBack { conversation, assignment } => {
            agents::give_back(state, context, *conversation, assignment)
        }
    }
}
