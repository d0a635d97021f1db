//! What is fetched by one command, and how it is asked for.

use std::fmt::Write as _;

use domain::delivery::MailboxMark;

use super::Limits;

/// A message as the server lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    pub(super) uid: u32,
    pub(super) size: usize,
    /// In milliseconds; none where the server told no date that can be read.
    pub(super) arrived: Option<i64>,
}

/// Whether this message is ours to read at all.
pub(super) fn is_wanted(message: &Listed, mark: &MailboxMark) -> bool {
    let was_there = message.uid <= mark.sifted_through;
    !was_there || message.arrived.is_none_or(|arrived| arrived >= mark.since.0)
}

/// The messages in their order, cut so that none is too much at once. A message beyond the limit is a batch of its own.
pub(super) fn batches(listed: &[Listed], limits: &Limits) -> Vec<Vec<Listed>> {
    let mut batches: Vec<Vec<Listed>> = Vec::new();
    let (mut bytes, mut is_open) = (0, false);
    for message in listed {
        let too_large = message.size > limits.max_message;
        let fits = bytes + message.size <= limits.batch_bytes
            && batches.last().is_some_and(|batch| batch.len() < limits.batch_messages);
        match batches.last_mut().filter(|_| is_open && fits && !too_large) {
            Some(batch) => batch.push(*message),
            None => {
                batches.push(vec![*message]);
                bytes = 0;
            }
        }
        bytes += message.size;
        is_open = !too_large;
    }
    batches
}

/// The messages as a set of the protocol: `3:5,9`.
pub(super) fn uid_set(uids: impl IntoIterator<Item = u32>) -> String {
    let mut set = String::new();
    let mut run: Option<(u32, u32)> = None;
    let close = |set: &mut String, run: Option<(u32, u32)>| {
        let Some((first, last)) = run else { return };
        let comma = if set.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ =
            if first == last { write!(set, "{comma}{first}") } else { write!(set, "{comma}{first}:{last}") };
    };
    for uid in uids {
        run = match run {
            Some((first, last)) if last.checked_add(1) == Some(uid) => Some((first, uid)),
            _ => {
                close(&mut set, run);
                Some((uid, uid))
            }
        };
    }
    close(&mut set, run);
    set
}
