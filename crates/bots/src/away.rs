//! What customers are told while a queue is closed. Pure: the same queue and time give the same words.

use domain::{
    Policy, QueueId, Timestamp,
    policy::{Calendar, WhenClosed},
};

/// The words of a queue's policy, with when it opens in its own zone; none where nothing is to be said, or where it would
/// speak of a time that nobody knows.
pub(crate) fn away(policy: &Policy, queue: &QueueId, until: Option<Timestamp>) -> Option<String> {
    let queue = policy.queues.get(queue)?;
    let Some(WhenClosed::Say(text)) = &queue.when_closed else { return None };
    if !text.contains("{date}") && !text.contains("{time}") {
        return Some(text.clone());
    }
    let calendar = Calendar::of(policy.hours.get(queue.hours.as_ref()?)?).ok()?;
    let (date, time) = calendar.written(until?)?;
    Some(text.replace("{date}", &date).replace("{time}", &time))
}

#[cfg(test)]
mod tests {
    use domain::policy::{Hours, OpenSpan, Queue};

    use super::*;

    fn said(text: &str, until: Option<Timestamp>) -> Option<String> {
        let id: QueueId = "acme/service/general".parse().unwrap();
        let hours = Hours {
            time_zone: "Europe/Berlin".into(),
            open: vec![OpenSpan { weekday: 1, from: 540, to: 1020 }],
            ..Hours::default()
        };
        let queue = Queue {
            hours: Some("office".parse().unwrap()),
            when_closed: Some(WhenClosed::Say(text.into())),
            ..Queue::default()
        };
        let policy = Policy {
            tenant: "acme".parse().unwrap(),
            version: 1,
            inboxes: [].into(),
            queues: [(id.clone(), queue)].into(),
            agents: [].into(),
            bots: [].into(),
            hours: [("office".parse().unwrap(), hours)].into(),
            links: [].into(),
        };
        away(&policy, &id, until)
    }

    #[test]
    fn a_time_is_told_as_local_clocks_show_it() {
        // 2026-11-30 is a Monday; Berlin is an hour ahead in winter.
        let monday = Some(Timestamp(1_796_025_600_000));
        assert_eq!(said("Back {date}, {time}.", monday).as_deref(), Some("Back 2026-11-30, 09:00."));
        assert_eq!(said("We are closed.", None).as_deref(), Some("We are closed."));
    }

    #[test]
    fn nothing_is_said_of_a_time_that_nobody_knows() {
        assert_eq!(said("Back at {time}.", None), None);
    }
}
