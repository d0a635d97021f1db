//! Who rules a partition and how far it has come, as the log tells it: of any process, on any machine.

use std::sync::Arc;

use domain::{Epoch, Peer, Timestamp, workspace};
use log::{Limit, Log, Tail};
use wire::{Announce, Header, Judgement, Point, Reader};

use crate::{
    Error, Points,
    standing::{intake, log_of},
};

/// A partition as its log tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Who leads; nobody ever did if none.
    pub leader: Option<Announce>,
    /// The last decision that counts.
    pub last: Option<LastDecision>,
    pub behind: Behind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastDecision {
    pub seq: u64,
    pub decided_at: Timestamp,
    /// One past the last input that it covers.
    pub intake_through: u64,
}

/// Inputs that no decision covers yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behind {
    /// At most so many: positions may have gaps.
    pub records: u64,
    /// When the log took the first of them.
    pub since: Option<Timestamp>,
}

impl Rule {
    /// Reads the end of a partition's log, from a known point on: all of it where there is no index of them.
    pub async fn of(log: &Arc<dyn Log>, points: &Points, peer: Peer) -> Result<Rule, Error> {
        let failed = |operation| move |source| Error::Log { peer, operation, source };
        let end = log.end(log_of(peer)).await.map_err(failed("find the end of the log"))?;
        let mut found = Found { log, peer, end, leader: None, last: None, ruling: None };
        let mut from = points.before(&**log, peer, end).await;
        found.read(from).await?;
        while found.last.is_none() && from.position > 0 {
            from = points.before(&**log, peer, from.position - 1).await;
            found.read(from).await?;
        }
        if found.leader.is_none()
            && let Some(epoch) = found.ruling
        {
            found.read(points.before_epoch(&**log, peer, epoch).await).await?;
        }
        let Found { leader, last, .. } = found;
        let through = last.map_or(0, |last| last.intake_through);
        let behind = behind(&**log, peer, through).await.map_err(failed("read the intake"))?;
        Ok(Rule { leader, last, behind })
    }
}

struct Found<'a> {
    log: &'a Arc<dyn Log>,
    peer: Peer,
    end: u64,
    leader: Option<Announce>,
    last: Option<LastDecision>,
    /// At the end.
    ruling: Option<Epoch>,
}

impl Found<'_> {
    /// Reads from a point on: to the end, or until nothing is missing any more.
    async fn read(&mut self, from: Point) -> Result<(), Error> {
        let peer = self.peer;
        let (is_known, ruling) = (self.last.is_some(), self.ruling);
        let mut tail = Tail::new(self.log.clone(), log_of(peer), from.position);
        // Who counts is told by headers alone, which are the same for every aggregate.
        let mut reader = Reader::<workspace::Decider>::new(from);
        while tail.next_position() < self.end {
            let records = tail.ready().await;
            let records = records.map_err(|source| Error::Log { peer, operation: "read the log", source })?;
            if records.is_empty() {
                break;
            }
            for record in records {
                let position = record.position;
                let judged = reader.judge(position, &record.bytes);
                match judged.map_err(|source| Error::Unreadable { peer, position, source })? {
                    Judgement::Accepted(Header::Announce(announce)) => {
                        let is_wanted = is_known && ruling == Some(announce.epoch);
                        self.leader = Some(announce);
                        if is_wanted {
                            return Ok(());
                        }
                    }
                    Judgement::Accepted(Header::Decision { seq, intake_through, decided_at, .. }) => {
                        if !is_known {
                            self.last = Some(LastDecision { seq, decided_at, intake_through });
                        }
                    }
                    Judgement::Ignored(_) => {}
                }
            }
        }
        self.ruling = reader.point().epoch;
        Ok(())
    }
}

async fn behind(log: &dyn Log, peer: Peer, through: u64) -> Result<Behind, log::Error> {
    let first = log.start(intake(peer)).await?.max(through);
    let records = log.end(intake(peer)).await?.saturating_sub(first);
    if records == 0 {
        return Ok(Behind::default());
    }
    let oldest = log.read(intake(peer), first, Limit { records: 1, bytes: 0 }).await?;
    Ok(Behind { records, since: oldest.first().map(|oldest| Timestamp(oldest.appended_at)) })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{Kind, desk};
    use log::{MemoryLog, Topic};
    use wire::Decision;

    use super::*;
    use crate::Snapshots;

    const PEER: Peer = Peer { kind: Kind::Desk, partition: 0 };

    /// A log that grows by announcements and decisions of nothing.
    struct Growing {
        log: Arc<dyn Log>,
        epoch: Option<Epoch>,
        seq: u64,
    }

    impl Growing {
        fn new() -> Self {
            let topics = [(Topic(PEER.kind.intake_topic()), 1), (Topic(PEER.kind.log_topic()), 1)];
            Growing { log: Arc::new(MemoryLog::new(&topics)), epoch: None, seq: 0 }
        }

        async fn put(&self, record: Bytes) {
            self.log.append(log_of(PEER), vec![record]).await.unwrap();
        }

        fn announcement(&self, name: &str, epoch: u8, follows: Option<Epoch>) -> Announce {
            let (leader, at) = (name.to_owned(), Timestamp(i64::from(epoch)));
            Announce { epoch: Epoch([epoch; 16]), follows, leader, version: 2, at }
        }

        async fn lead(&mut self, name: &str, epoch: u8) {
            let announce = self.announcement(name, epoch, self.epoch);
            self.put(wire::encode_announce(&announce)).await;
            (self.epoch, self.seq) = (Some(announce.epoch), 0);
        }

        async fn decide(&mut self, intake_through: u64) {
            self.seq += 1;
            let (epoch, seq) = (self.epoch.unwrap(), self.seq);
            let decided_at = Timestamp(seq as i64);
            let decision =
                Decision::<desk::Decider> { epoch, seq, intake_through, decided_at, steps: vec![] };
            self.put(wire::encode_decision(&decision)).await;
        }
    }

    #[tokio::test]
    async fn the_log_tells_who_leads_and_what_waits() {
        let dir = tempfile::tempdir().unwrap();
        let points = Points::new(Snapshots::new(dir.path())).with_spacing(10);
        let mut growing = Growing::new();
        let log = growing.log.clone();
        let rule = async || Rule::of(&log, &points, PEER).await.unwrap();
        let nobody = Rule { leader: None, last: None, behind: Behind::default() };
        assert_eq!(rule().await, nobody);

        log.append(intake(PEER), vec![Bytes::from_static(b"input"); 5]).await.unwrap();
        assert_eq!(rule().await.behind.records, 5, "whom nobody leads waits, too");

        growing.lead("ann", 1).await;
        for _ in 0..35 {
            growing.decide(2).await;
        }
        // Of one who was late, and decided nevertheless.
        growing.put(wire::encode_announce(&growing.announcement("late", 9, None))).await;
        for with_index in [false, true] {
            if with_index {
                points.extend(log.clone(), PEER).await.unwrap();
                let start = points.before(&*log, PEER, 36).await;
                assert!(start.position > 20, "the announcement is far before where the reading begins");
            }
            let Rule { leader, last, behind } = rule().await;
            assert_eq!(leader.map(|leader| leader.leader).as_deref(), Some("ann"), "{with_index}");
            let expected = LastDecision { seq: 35, decided_at: Timestamp(35), intake_through: 2 };
            assert_eq!((last, behind.records), (Some(expected), 3), "{with_index}");
        }

        // A point right behind an accession: the last decision is before it.
        for name in ["bob", "cid", "dee", "eve", "fay", "gus", "hal", "ida", "joe", "kim", "lea"] {
            growing.lead(name, name.as_bytes()[0]).await;
        }
        points.extend(log.clone(), PEER).await.unwrap();
        let Rule { leader, last, .. } = rule().await;
        assert_eq!(leader.map(|leader| leader.leader).as_deref(), Some("lea"));
        assert_eq!(last.map(|last| last.seq), Some(35));
        growing.decide(5).await;
        assert_eq!(rule().await.behind, Behind::default());
    }
}
