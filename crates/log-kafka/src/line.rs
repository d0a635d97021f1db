//! Who is next in line: of every partition that another member leads, who would be given it if that one went.
//!
//! Nobody is asked to stand by. A group shares out by a rule that every member knows, and lists its members with what each
//! of them has; so each works out for itself what would come to it, and can be warm where it is going to be needed. A
//! guess that is wrong costs whoever takes over some time, and nothing else.
//!
//! The rule is that of librdkafka's assignor `cooperative-sticky`: everybody keeps what they have, and what a member leaves
//! behind goes, from the highest number down, to whoever has the least, and among those to the first by member id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Buf as _;
use log::Error;
use rdkafka::{
    admin::AdminClient,
    groups::{GroupInfo, GroupMemberInfo},
};

use crate::{
    client::{Told, blocking, failed},
    membership::Member,
};

/// From when somebody came or went to a first look at the members; doubles, for as long as they cannot be seen.
const SETTLES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));
/// How long the brokers may take to list the members. All of them are asked, and one that is away does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a group's list says of one of its members.
#[derive(Clone, Debug)]
struct Listed {
    id: String,
    client_id: String,
    has: Vec<u32>,
}

/// Keeps telling a member for which partitions it is among the first `standbys` in line, until nobody listens.
pub(crate) async fn keep_telling(
    member: Member,
    admin: Arc<AdminClient<Told>>,
    group: String,
    standbys: usize,
) {
    let Member { client_id, share, rebalanced } = member;
    loop {
        tokio::select! {
            () = share.closed() => return,
            () = rebalanced.notified() => {}
        }
        let mut pause = SETTLES.0;
        loop {
            tokio::select! {
                () = share.closed() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(SETTLES.1),
            }
            let (admin, asked) = (admin.clone(), group.clone());
            match blocking(move || listed(&admin, &asked)).await {
                Ok(Some(members)) => {
                    let next = next(&members, &client_id, standbys);
                    share.send_if_modified(|share| {
                        let is_news = share.next != next;
                        share.next = next;
                        is_news
                    });
                    break;
                }
                // It shares out anew.
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(
                        group,
                        error = &error as &dyn std::error::Error,
                        "who is next in line is not known"
                    );
                }
            }
        }
    }
}

/// The members of a group that has settled. Blocks.
fn listed(admin: &AdminClient<Told>, group: &str) -> Result<Option<Vec<Listed>>, Error> {
    let groups = admin.inner().fetch_group_list(Some(group), PATIENCE);
    let groups = groups.map_err(failed("list the members of a group"))?;
    let is_settled = |found: &&GroupInfo| found.name() == group && found.state() == "Stable";
    let members = groups.groups().iter().find(is_settled).map(GroupInfo::members);
    let read = |member: &GroupMemberInfo| {
        let has = member.assignment().and_then(assigned)?;
        Some(Listed { id: member.id().to_owned(), client_id: member.client_id().to_owned(), has })
    };
    Ok(members.and_then(|members| members.iter().map(read).collect()))
}

/// The partitions of an assignment, as Kafka's protocol for consumers writes it (`ConsumerProtocolAssignment`): a version,
/// then topics, each by its name and numbers. There is one topic. None if it is anything else.
fn assigned(mut bytes: &[u8]) -> Option<Vec<u32>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let _version = bytes.try_get_i16().ok()?;
    let mut numbers = Vec::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let name = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        bytes = bytes.get(name..)?;
        for _ in 0..bytes.try_get_i32().ok()? {
            numbers.push(u32::try_from(bytes.try_get_i32().ok()?).ok()?);
        }
    }
    Some(numbers)
}

/// The partitions for which this client is among the first `standbys` in line, ascending. Who would follow those who follow
/// is reckoned as if they all had gone at once.
fn next(members: &[Listed], client_id: &str, standbys: usize) -> Vec<u32> {
    let mut next = BTreeSet::new();
    for gone in members.iter().filter(|gone| gone.client_id != client_id) {
        let left = members.iter().filter(|left| left.id != gone.id);
        let mut by_load: BTreeSet<_> = left.map(|left| (left.has.len(), &left.id, &left.client_id)).collect();
        let mut lines: BTreeMap<u32, Vec<&String>> =
            gone.has.iter().map(|number| (*number, Vec::new())).collect();
        for _ in 0..standbys {
            for (number, line) in lines.iter_mut().rev() {
                let Some(first) = by_load.iter().find(|(_, id, _)| !line.contains(id)).copied() else {
                    continue;
                };
                let (load, id, client) = first;
                by_load.remove(&first);
                by_load.insert((load + 1, id, client));
                line.push(id);
                if client == client_id {
                    next.insert(*number);
                }
            }
        }
    }
    next.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(all: &[(&str, &[u32])]) -> Vec<Listed> {
        let listed = |(name, has): &(&str, &[u32])| Listed {
            id: format!("id-{name}"),
            client_id: (*name).to_owned(),
            has: has.to_vec(),
        };
        all.iter().map(listed).collect()
    }

    #[test]
    fn what_one_leaves_behind_goes_to_who_has_least_from_the_highest_number_down() {
        let group = group(&[("a", &[0, 3, 6]), ("b", &[1, 4]), ("c", &[2, 5])]);
        // If a goes: 6 to b, 3 to c, 0 to b. If b goes: 4 to c, 1 to a, the first of equals. If c goes: 5 to b, 2 to a.
        assert_eq!(next(&group, "a", 1), [1, 2]);
        assert_eq!(next(&group, "b", 1), [0, 5, 6]);
        assert_eq!(next(&group, "c", 1), [3, 4]);
        assert_eq!(next(&group, "nobody", 1), [0; 0]);
        assert_eq!(next(&group, "a", 0), [0; 0]);
    }

    #[test]
    fn as_many_are_in_line_as_are_wanted_and_there_are() {
        let group = group(&[("a", &[0, 1, 2, 3]), ("b", &[]), ("c", &[4, 5, 6]), ("d", &[7])]);
        let led: BTreeSet<u32> = (0..8).collect();
        for standbys in 1..=5 {
            let mut in_line: BTreeMap<u32, usize> = BTreeMap::new();
            for member in &group {
                let next = next(&group, &member.client_id, standbys);
                assert!(next.iter().all(|number| !member.has.contains(number)), "nobody follows himself");
                next.iter().for_each(|number| *in_line.entry(*number).or_default() += 1);
            }
            assert_eq!(in_line.keys().copied().collect::<BTreeSet<_>>(), led);
            assert!(in_line.values().all(|count| *count == standbys.min(3)), "{in_line:?}");
        }
        assert_eq!(next(&group[..1], "a", 1), [0; 0], "who is alone follows nobody");
    }

    #[test]
    fn an_assignment_is_read_as_kafka_writes_it() {
        let one = [&[0, 1, 0, 0, 0, 1, 0, 2][..], b"ab", &[0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0]]
            .concat();
        assert_eq!(assigned(&one), Some(vec![7, 256]));
        assert_eq!(assigned(&[]), Some(Vec::new()));
        for end in 1..one.len() - 4 {
            assert_eq!(assigned(&one[..end]), None, "{end}");
        }
        let negative = [0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(assigned(&negative), Some(Vec::new()));
    }
}
