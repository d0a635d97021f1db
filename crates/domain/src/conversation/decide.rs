//! The rules of a conversation, command by command.

use crate::{Channel, Context, Rejection};

use super::{
    Command, Conversations, Event, NoteKind, TimerId, What, across, agents, away, bots, consult, elsewhere,
    entry, facts, others, receipts, snooze, special, supervisors, suppression, threads,
};

pub(super) type Decided = Result<Vec<Event>, Rejection>;

pub(super) const NOTHING: Decided = Ok(Vec::new());

pub(super) fn decide(state: &Conversations, context: &Context, command: &Command) -> Decided {
    rules(state, context, command).map(|events| others::with_news(state, events))
}

fn rules(state: &Conversations, context: &Context, command: &Command) -> Decided {
    match command {
        Command::Receive(received) => facts::receive(state, context, received),
        // By mail it is our own, brought back by a list.
        Command::Note { from, kind: NoteKind::Echo, message, content, at, .. }
            if from.channel != Channel::Email =>
        {
            Ok(elsewhere::answered(state, from, *message, content.clone(), *at))
        }
        Command::Note { from, kind, message, content, at, suppresses, about, referral, entry } => {
            let mut events = facts::note(
                state,
                context,
                from,
                What::Noted {
                    party: from.party,
                    kind: *kind,
                    message: *message,
                    content: content.clone(),
                    at: *at,
                    conversation: facts::belongs_to(state, from.party),
                    about: about.map(|mention| facts::mentioned(state, from.party, mention)),
                    referral: referral.clone(),
                },
            );
            if let Some(entry) = entry {
                events.extend(entry::follow(state, context, from, *message, content.as_ref(), entry));
            }
            events
                .extend(suppresses.iter().flat_map(|cause| suppression::suppress(state, from.party, *cause)));
            Ok(events)
        }
        Command::HoldThread { from, elsewhere, app, note, at } => {
            Ok(elsewhere::held(state, context, from, *elsewhere, app.clone(), note.clone(), *at))
        }
        Command::KnowAs { from, to, moved, at } => {
            Ok(elsewhere::known_as(state, context, from, to, *moved, *at))
        }
        Command::Suppress { tenant, party, cause } => suppression::ask(state, tenant, *party, *cause),
        Command::LiftSuppression { tenant, party, by } => suppression::lift(state, tenant, *party, by),
        Command::Unreadable { from, message, content, reason, at } => {
            Ok(facts::keep_unreadable(from, *message, content.clone(), reason.clone(), *at))
        }
        Command::OptOut { from } => Ok(facts::opt_out(state, context, from)),
        Command::OptIn { from } => Ok(facts::opt_in(state, context, from)),
        Command::Receipt { party, kind, provider_id, watermark, at, reason, pricing } => Ok(
            receipts::receipt(state, *party, *kind, provider_id.as_ref(), *watermark, *at, reason, pricing),
        ),
        Command::Echoed { party, message, provider_id } => {
            Ok(receipts::echoed(state, *party, *message, provider_id))
        }
        Command::Progress { conversation, message, progress } => {
            Ok(receipts::progress(state, *conversation, *message, progress))
        }

        Command::NoteTie { tenant, party, token, refused } => {
            Ok(entry::tied(state, tenant, *party, token, *refused))
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
        Command::Join { conversation, agent, assignment, other, same_person } => {
            threads::join(state, context, *conversation, agent, assignment, *other, *same_person)
        }
        Command::Part { conversation, agent, assignment, other } => {
            across::part(state, context, *conversation, agent, assignment, *other)
        }
        Command::TakeIn { conversation, into, inbox, agent, command } => {
            let asker = across::Asker { conversation: *into, inbox, agent, command: *command };
            Ok(across::take_in(state, *conversation, &asker))
        }
        Command::TakeOut { conversation, of, inbox, agent, queue, command } => {
            let asker = across::Asker { conversation: *of, inbox, agent, command: *command };
            Ok(across::take_out(state, context, *conversation, queue, &asker))
        }
        Command::Taken { conversation, other, command, outcome } => {
            across::taken(state, *conversation, *other, *command, outcome)
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
