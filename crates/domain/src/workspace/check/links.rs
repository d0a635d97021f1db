//! Whether links lead somewhere, and whether whoever follows one can be told from others.

use crate::{
    Channel, LinkId, Policy, contact,
    policy::{BotKind, Link},
};

use super::Problem;

/// Characters of what a link says, in the customer's words or in ours.
const LONGEST_TEXT: usize = 1_000;
const LONGEST_CAMPAIGN: usize = 64;
const MOST_TAGS: usize = 16;

pub(super) fn check(policy: &Policy, problems: &mut Vec<Problem>) {
    for (name, link) in &policy.links {
        let mut wrong =
            |key: &str, what: String| problems.push(Problem::new(format!("links.{name}.{key}"), what));
        match policy.inboxes.get(&link.inbox) {
            None => wrong("inbox", format!("there is no inbox {}", link.inbox)),
            Some(inbox) if !Link::leads_to(inbox.channel) => {
                wrong("inbox", format!("no link leads into an inbox for {}", inbox.channel.as_str()));
            }
            Some(inbox) => {
                if Link::name_of(inbox).is_none() {
                    let what = match inbox.channel {
                        Channel::Whatsapp => "a phone number, with its country's code",
                        _ => "a user name",
                    };
                    wrong(
                        "inbox",
                        format!(
                            "say in settings.link_name of inbox {} what links call it: {what}",
                            link.inbox
                        ),
                    );
                }
                known_by(link, inbox.channel).into_iter().for_each(|(key, what)| wrong(key, what));
                speaks(policy, link, inbox.bot.as_ref()).into_iter().for_each(|(key, what)| wrong(key, what));
            }
        }
        let others = || policy.links.iter().take_while(|(other, _)| *other < name);
        let same = |is: fn(&Link) -> Option<&str>| {
            let same = |(_, other): &(&LinkId, &Link)| {
                other.inbox == link.inbox && is(other).is_some() && is(other) == is(link)
            };
            others().find(same).map(|(other, _)| other.clone())
        };
        if let Some(other) = same(|link| link.reference.as_deref()) {
            wrong("ref", format!("link {other} has it already"));
        }
        if let Some(other) =
            same(|link| link.text.as_deref().map(str::trim).filter(|_| link.reference.is_none()))
        {
            wrong("text", format!("link {other} has it already"));
        }
        if let Some(queue) = link.queue.as_ref().filter(|queue| !policy.queues.contains_key(*queue)) {
            wrong("queue", format!("there is no queue {queue}"));
        }
        if let Some(bot) = link.bot.as_ref().filter(|bot| !policy.bots.contains_key(*bot)) {
            wrong("bot", format!("there is no bot {bot}"));
        }
        if let Some(campaign) = &link.campaign
            && (campaign.trim().is_empty() || campaign.chars().count() > LONGEST_CAMPAIGN)
        {
            wrong("campaign", format!("has 1 to {LONGEST_CAMPAIGN} characters"));
        }
        if link.tags.len() > MOST_TAGS {
            wrong("tags", format!("gives at most {MOST_TAGS} tags"));
        }
        for what in link.tags.iter().filter_map(|tag| contact::tag_problem(tag)) {
            wrong("tags", what);
        }
    }
}

/// What is wrong with how the link is told from others.
fn known_by(link: &Link, channel: Channel) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let text = link.text.as_deref();
    match (&link.reference, channel) {
        (Some(_), Channel::Whatsapp) => {
            wrong
                .push(("ref", "WhatsApp tells nothing of a link but the customer's text: say `text`".into()));
        }
        (None, Channel::Whatsapp) if text.is_none() => {
            wrong.push(("text", "what the customer is to send, by which the link is known".into()));
        }
        (None, Channel::Messenger | Channel::Instagram) => {
            wrong.push(("ref", "what the platform is to tell of the link".into()));
        }
        (Some(reference), _) => {
            wrong.extend(Link::reference_problem(reference).map(|what| ("ref", what)));
        }
        _ => {}
    }
    if text.is_some() && channel == Channel::Instagram {
        wrong.push(("text", "Instagram's links cannot bring a text along".into()));
    }
    if text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > LONGEST_TEXT) {
        wrong.push(("text", format!("has 1 to {LONGEST_TEXT} characters")));
    }
    wrong
}

/// What is wrong with who speaks first.
fn speaks(policy: &Policy, link: &Link, greeter: Option<&crate::BotId>) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if link.people_only && link.bot.is_some() {
        wrong.push(("people_only", "no bot greets, yet one is named".into()));
    }
    let Some(first) = &link.first_message else { return wrong };
    if first.trim().is_empty() || first.chars().count() > LONGEST_TEXT {
        wrong.push(("first_message", format!("has 1 to {LONGEST_TEXT} characters")));
    }
    let bot = link.bot.as_ref().or(greeter).filter(|_| !link.people_only);
    let is_built_in = |bot| policy.bots.get(bot).is_some_and(|bot| matches!(bot.kind, BotKind::BuiltIn(_)));
    if !bot.is_some_and(is_built_in) {
        wrong.push(("first_message", "nobody says it: no bot of kind `built_in` greets here".into()));
    }
    wrong
}
