//! Secrets and nonces, straight from the operating system.

use crate::Error;

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::unavailable("draw random bytes"))?;
    Ok(bytes)
}
