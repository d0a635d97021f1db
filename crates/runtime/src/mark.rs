//! A mark of a record, by which a place in a log is known again: what was made of one log must not be taken for another's,
//! however alike their lengths.

use domain::Peer;
use log::{Limit, Log};

use crate::standing::log_of;

pub(crate) const MARK: usize = 8;

/// The first bytes of a record's digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mark(pub(crate) [u8; MARK]);

impl Mark {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let digest = wire::digest(bytes);
        Mark(std::array::from_fn(|i| digest[i]))
    }

    /// Of the decision or announcement just before `position`; none if the log has no record there. At the beginning all
    /// logs are alike.
    pub async fn before(log: &dyn Log, peer: Peer, position: u64) -> Result<Option<Self>, log::Error> {
        let Some(last) = position.checked_sub(1) else { return Ok(Some(Mark::default())) };
        let records = log.read(log_of(peer), last, Limit { records: 1, bytes: 0 }).await?;
        Ok(records.first().filter(|record| record.position == last).map(|record| Mark::of(&record.bytes)))
    }
}
