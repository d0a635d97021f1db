//! Who should lead what: a member of a consumer group that never fetches anything. What the group gives it is passed
//! on; nothing is decided here, and nothing waits for what anybody does about it.
//!
//! A partition that the group takes back is no longer this member's. One that is *lost*, because the group was out of reach
//! for a session or went on without it, may be another's or nobody's, so the member is adrift with what it had. Once it is
//! in the group again it has what it is given then, and nothing else.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use log::{Error, Membership, Share};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use tokio::sync::{Notify, watch};

use crate::client::{Told, failed};

/// Between looks at whether anybody still wants to know, and whether a heartbeat is due.
const LOOK: Duration = Duration::from_millis(50);

/// A member of a group, for who tells it more than the group does.
pub(crate) struct Member {
    /// By which the group's list of its members knows it.
    pub(crate) client_id: String,
    pub(crate) share: watch::Sender<Share>,
    /// Somebody came or went.
    pub(crate) rebalanced: Arc<Notify>,
}

/// Joins the group of `config` on a topic, until nobody listens any more or `stopped`. It has left the group once its
/// thread ends: a process that is gone before is missed only after its session. Blocks a little.
pub(crate) fn join(
    mut config: ClientConfig,
    topic: &str,
    stopped: Arc<AtomicBool>,
) -> Result<(Member, watch::Receiver<Share>, JoinHandle<()>), Error> {
    // Nothing but randomness.
    let unique = RandomState::new().hash_one(topic);
    let client_id = format!("{}-{unique:016x}", config.get("client.id").unwrap_or_default());
    config.set("client.id", &client_id);
    let ((share, given), rebalanced) = (watch::channel(Share::default()), Arc::<Notify>::default());
    let context = Context { share: share.clone(), rebalanced: rebalanced.clone() };
    let native = BaseConsumer::from_config_and_context(&config, context).map_err(failed("open a member"))?;
    native.subscribe(&[topic]).map_err(failed("join a group"))?;
    let thread = std::thread::Builder::new().name("kafka-member".into());
    let report = share.clone();
    let run = move || {
        while !report.is_closed() && !stopped.load(Relaxed) {
            if let Some(Err(error)) = native.poll(LOOK) {
                tracing::debug!(%error, "a member of a group is told");
            }
            // librdkafka sends its heartbeats when something wakes it, or once a second, however often they are due; and by
            // them a member hears that its group shares out anew. To be asked wakes it.
            let _ = native.assignment();
        }
        // It leaves the group as it is dropped, so that the others need not wait for its session.
        drop(native);
    };
    let source =
        |error: std::io::Error| Error::Storage { operation: "start a member's thread", source: error.into() };
    let thread = thread.spawn(run).map_err(source)?;
    Ok((Member { client_id, share, rebalanced }, given, thread))
}

struct Context {
    share: watch::Sender<Share>,
    rebalanced: Arc<Notify>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Told("member").log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Told("member").error(error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        native: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let numbers: Vec<u32> =
            partitions.elements().iter().filter_map(|one| u32::try_from(one.partition()).ok()).collect();
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.share.send_modify(|share| given(share, &numbers));
                // From their ends, and paused at once: a member reads nothing.
                let placed = partitions.set_all_offsets(Offset::End);
                placed
                    .and_then(|()| native.incremental_assign(partitions))
                    .and_then(|()| native.pause(partitions))
            }
            _ => {
                let is_lost = native.assignment_lost();
                self.share.send_modify(|share| taken(share, &numbers, is_lost));
                native.incremental_unassign(partitions)
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, "a member could not take what its group gave");
        }
        self.rebalanced.notify_one();
    }
}

/// The group gives these beside what the member has, which is nothing if it was adrift.
fn given(share: &mut Share, numbers: &[u32]) {
    if share.membership == Membership::Adrift {
        share.led.clear();
    }
    share.membership = Membership::Member;
    share.led.extend(numbers);
    share.led.sort_unstable();
    share.led.dedup();
}

/// The group takes these back, or the member lost them with its place in the group.
fn taken(share: &mut Share, numbers: &[u32], is_lost: bool) {
    match is_lost {
        true => share.membership = Membership::Adrift,
        false => share.led.retain(|number| !numbers.contains(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_kept_until_the_group_gives_again_and_what_is_taken_is_not() {
        let mut share = Share::default();
        assert_eq!(share.membership, Membership::Joining);
        given(&mut share, &[]);
        assert_eq!(
            (share.membership, &share.led[..]),
            (Membership::Member, &[][..]),
            "it has nothing to lead"
        );
        given(&mut share, &[4, 1]);
        given(&mut share, &[2]);
        assert_eq!(share.led, [1, 2, 4]);
        taken(&mut share, &[1], false);
        assert_eq!((share.membership, &share.led[..]), (Membership::Member, &[2, 4][..]));
        taken(&mut share, &[2, 4], true);
        assert_eq!((share.membership, &share.led[..]), (Membership::Adrift, &[2, 4][..]));
        given(&mut share, &[4, 7]);
        assert_eq!((share.membership, &share.led[..]), (Membership::Member, &[4, 7][..]));
    }
}
