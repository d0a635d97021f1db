//! Who should lead what: a member of a consumer group that never fetches anything. What the group gives it is passed
//! on; nothing is decided here, and nothing waits for what anybody does about it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use log::Error;
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use tokio::sync::watch;

use crate::{
    client::{Told, failed},
    slot::lock,
};

/// Between looks at whether anybody still wants to know.
const LOOK: Duration = Duration::from_millis(100);

/// Joins the group of `config` on a topic, until nobody listens any more or `stopped`. It has left the group once its
/// thread ends: a process that is gone before is missed only after its session. Blocks a little.
pub(crate) fn join(
    config: &ClientConfig,
    topic: &str,
    stopped: Arc<AtomicBool>,
) -> Result<(watch::Receiver<Vec<u32>>, JoinHandle<()>), Error> {
    let (report, given) = watch::channel(Vec::new());
    let member = Member { mine: Mutex::default(), report: report.clone() };
    let native = BaseConsumer::from_config_and_context(config, member).map_err(failed("open a member"))?;
    native.subscribe(&[topic]).map_err(failed("join a group"))?;
    let thread = std::thread::Builder::new().name("kafka-member".into());
    let run = move || {
        while !report.is_closed() && !stopped.load(Relaxed) {
            if let Some(Err(error)) = native.poll(LOOK) {
                tracing::debug!(%error, "a member of a group is told");
            }
        }
        // It leaves the group as it is dropped, so that the others need not wait for its session.
        drop(native);
    };
    let source =
        |error: std::io::Error| Error::Storage { operation: "start a member's thread", source: error.into() };
    Ok((given, thread.spawn(run).map_err(source)?))
}

struct Member {
    mine: Mutex<BTreeSet<u32>>,
    report: watch::Sender<Vec<u32>>,
}

impl Member {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<u32>)) {
        let mut mine = lock(&self.mine);
        change(&mut mine);
        self.report.send_replace(mine.iter().copied().collect());
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Told("member").log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Told("member").error(error, reason);
    }
}

impl ConsumerContext for Member {
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
                self.change(|mine| mine.extend(numbers));
                // From their ends, and paused at once: a member reads nothing.
                let placed = partitions.set_all_offsets(Offset::End);
                placed
                    .and_then(|()| native.incremental_assign(partitions))
                    .and_then(|()| native.pause(partitions))
            }
            _ => {
                self.change(|mine| mine.retain(|number| !numbers.contains(number)));
                native.incremental_unassign(partitions)
            }
        };
        if let Err(error) = done {
            tracing::warn!(%error, "a member could not take what its group gave");
        }
    }
}
