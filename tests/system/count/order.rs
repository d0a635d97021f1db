//! What a subscriber handled, beside what there is.

use std::collections::BTreeMap;

use wire::api::v1 as pb;

use super::Violations;

/// 8 and 10: how what a subscriber handled differs from what there is: a gap, a repetition, something made up, or
/// another order within a conversation.
pub(crate) fn differences(handled: &[pb::Event], all: &[pb::Event]) -> Violations {
    let by_id = |events: &[pb::Event]| -> BTreeMap<String, pb::Event> {
        events.iter().map(|event| (event.id.clone(), bare(event))).collect()
    };
    let (had, is) = (by_id(handled), by_id(all));
    let mut differences = Violations::new();
    if had.len() != handled.len() {
        differences.push(format!("10: {} events came again", handled.len() - had.len()));
    }
    for (id, event) in &is {
        match had.get(id) {
            None => differences.push(format!("10: {id} is missing: {event:?}")),
            Some(other) if other != event => differences.push(format!("8: {id} was {other:?}, is {event:?}")),
            Some(_) => {}
        }
    }
    let made_up = had.iter().filter(|(id, _)| !is.contains_key(*id));
    differences.extend(made_up.map(|(id, event)| format!("8: {id} is in the log no more: {event:?}")));
    let (had, is) = (by_conversation(handled, &is), by_conversation(all, &had));
    for (conversation, order) in &is {
        if had.get(conversation).is_some_and(|other| other != order) {
            differences.push(format!("10: {conversation:?} came in another order"));
        }
    }
    differences
}

/// Without its cursor, which may be written in more than one way.
fn bare(event: &pb::Event) -> pb::Event {
    pb::Event { cursor: String::new(), ..event.clone() }
}

/// The ids of each conversation's events, in order, for each log they stand in; only of those that `others` has too.
fn by_conversation<'a>(
    events: &'a [pb::Event],
    others: &BTreeMap<String, pb::Event>,
) -> BTreeMap<(String, &'a str), Vec<&'a str>> {
    let mut order: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for event in events.iter().filter(|event| others.contains_key(&event.id)) {
        let aggregate = event.id.split('/').next().unwrap_or_default().to_owned();
        order.entry((aggregate, event.conversation.as_str())).or_default().push(&event.id);
    }
    // Events of no conversation have no order across partitions.
    order.retain(|(_, conversation), _| !conversation.is_empty());
    order
}
