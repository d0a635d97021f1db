//! Where a worker's chance comes from: epochs that nobody has had before, and pauses that differ.

use std::{fmt, sync::Arc};

/// Fills a buffer with random bytes, or says that it cannot.
type Fill = dyn Fn(&mut [u8]) -> Result<(), getrandom::Error> + Send + Sync;

/// A source of randomness, which simulations may set. An epoch that is drawn twice would rule twice.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

impl Random {
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Random(Arc::new(move |bytes| {
            fill(bytes);
            Ok(())
        }))
    }

    pub(crate) fn draw<const N: usize>(&self) -> Result<[u8; N], getrandom::Error> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }
}

/// The operating system's.
impl Default for Random {
    fn default() -> Self {
        Random(Arc::new(getrandom::fill))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
