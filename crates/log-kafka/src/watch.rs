//! Who looks after the tail. librdkafka may lose sight of a partition when its leader fails, and says nothing: then it brings
//! no more of it, for minutes or for ever, and whoever leads by it stands still.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use crate::tail::Inner;

pub(crate) struct Watch {
    tail: Arc<Inner>,
    /// What each followed partition awaited at the last look, and whether the cluster had it even then.
    seen: BTreeMap<usize, (u64, bool)>,
}

impl Watch {
    pub(crate) fn new(tail: Arc<Inner>) -> Self {
        Watch { tail, seen: BTreeMap::new() }
    }

    /// Looks until `ended` says that nobody follows any more.
    pub(crate) fn run(mut self, ended: &mpsc::Receiver<()>, every: Duration, stuck: impl Fn(usize)) {
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(every) {
            self.look().into_iter().for_each(&stuck);
        }
    }

    /// Those who have brought nothing since the last look but one, and had something to bring all the while.
    fn look(&mut self) -> Vec<usize> {
        let tail = &self.tail;
        let awaited = tail.followed().into_iter();
        let awaited: BTreeMap<usize, u64> =
            awaited.filter_map(|index| Some((index, tail.slot(index).awaits()?))).collect();
        let seen = std::mem::take(&mut self.seen);
        let before = |index: &usize| seen.get(index).filter(|(next, _)| awaited.get(index) == Some(next));
        let silent: Vec<usize> = awaited.keys().filter(|index| before(index).is_some()).copied().collect();
        let ends = if silent.is_empty() { Ok(BTreeMap::new()) } else { tail.ends_of(&silent) };
        let ends = ends.unwrap_or_else(|error| {
            // They are out of reach; that is told elsewhere.
            tracing::debug!(%error, "the brokers do not say how far partitions reach");
            BTreeMap::new()
        });
        let behind = |index: &usize| ends.get(index).is_some_and(|end| *end > awaited[index]);
        let was_behind = |index: &usize| before(index).is_some_and(|(_, behind)| *behind);
        let (stuck, rest): (Vec<usize>, Vec<usize>) =
            awaited.keys().partition(|index| behind(index) && was_behind(index));
        self.seen = rest.into_iter().map(|index| (index, (awaited[&index], behind(&index)))).collect();
        stuck
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use log::{Limit, Log as _, Topic};
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::{KafkaConfig, KafkaLog};

    const TOPIC: Topic = Topic("notes.log");

    /// It is held as librdkafka is when it loses sight of a partition: nothing fails, and nothing comes.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_partition_that_is_lost_sight_of_is_followed_anew() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("tributary.notes.log", 2, 1).unwrap();
        let config =
            KafkaConfig { look: Duration::from_millis(200), ..KafkaConfig::new(cluster.bootstrap_servers()) };
        let open = || async {
            let config = config.clone();
            tokio::task::spawn_blocking(move || KafkaLog::open(config, &[TOPIC]).unwrap()).await.unwrap()
        };
        let (here, elsewhere) = (open().await, open().await);
        let (lost, other) = (TOPIC.partition(0), TOPIC.partition(1));
        for partition in [lost, other] {
            elsewhere.append(partition, vec![Bytes::from("first")]).await.unwrap();
            here.wait(partition, 0).await.unwrap();
            assert_eq!(here.read(partition, 0, Limit::default()).await.unwrap().len(), 1);
        }
        here.lose_sight_of(lost);
        for number in 1..4 {
            elsewhere.append(lost, vec![Bytes::from(format!("news {number}"))]).await.unwrap();
            let brought = tokio::time::timeout(Duration::from_secs(30), here.wait(lost, number));
            brought.await.expect("it is brought").unwrap();
            let read = here.read(lost, number, Limit::default()).await.unwrap();
            assert_eq!(read[0].bytes, format!("news {number}"));
        }
    }
}
