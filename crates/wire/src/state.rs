//! A partition's state as bytes, for snapshots and digests. Unlike records it is no contract for ever: another
//! version is rebuilt from the log.

use domain::Partition;

use crate::{Codec, Error};

/// Grows with every change of what a state is made of. Digests compare only between equal versions.
pub const STATE_VERSION: u16 = 3;

/// The version (two bytes, big endian), then the state. Equal states give equal bytes.
pub fn encode_state<A: Codec>(partition: &Partition<A>) -> Vec<u8> {
    postcard::to_extend(partition, STATE_VERSION.to_be_bytes().to_vec())
        .expect("a state has only maps, sequences and values of known length")
}

pub fn decode_state<A: Codec>(bytes: &[u8]) -> Result<Partition<A>, Error> {
    let (version, state) = bytes.split_first_chunk().ok_or(Error::StateLength)?;
    let found = u16::from_be_bytes(*version);
    if found != STATE_VERSION {
        return Err(Error::StateVersion { found, known: STATE_VERSION });
    }
    match postcard::take_from_bytes(state) {
        Ok((partition, [])) => Ok(partition),
        Ok(_) => Err(Error::StateLength),
        Err(source) => Err(Error::State { source }),
    }
}

/// The digest of an encoded state (BLAKE3). Live, replayed and standby states have the same one.
pub fn digest(state: &[u8]) -> [u8; 32] {
    *blake3::hash(state).as_bytes()
}
