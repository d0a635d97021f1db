//! A partition's state as bytes, for snapshots and digests. Unlike records it is no contract for ever: another
//! version is rebuilt from the log.

use std::io::{self, BufWriter, Write};

use domain::Partition;

use crate::{Codec, Error};

/// Grows with every change of what a state is made of. Digests compare only between equal versions.
pub const STATE_VERSION: u16 = 11;

/// The version (two bytes, big endian), then the state. Equal states give equal bytes.
pub fn encode_state<A: Codec>(partition: &Partition<A>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_state(partition, &mut bytes).expect("a list takes everything, and a state can be encoded");
    bytes
}

/// Writes the same bytes as they come, since a state is large and need not be in memory a second time. Yields their
/// digest.
pub fn write_state<A: Codec>(partition: &Partition<A>, into: impl Write) -> io::Result<[u8; 32]> {
    let hashed = Hashed { into, hasher: blake3::Hasher::new(), failed: None };
    let mut buffered = BufWriter::with_capacity(64 << 10, hashed);
    buffered.write_all(&STATE_VERSION.to_be_bytes())?;
    let written = postcard::to_io(partition, &mut buffered).map(drop);
    let flushed = buffered.flush();
    let hashed = buffered.get_mut();
    match (hashed.failed.take(), written) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(io::Error::other(error)),
        (None, Ok(())) => flushed.map(|()| *hashed.hasher.finalize().as_bytes()),
    }
}

struct Hashed<W> {
    into: W,
    hasher: blake3::Hasher,
    /// What postcard does not say: why a write failed.
    failed: Option<io::Error>,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.into.write(bytes) {
            Ok(written) => {
                self.hasher.update(&bytes[..written]);
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// The digest of the encoded state.
pub fn digest_of_state<A: Codec>(partition: &Partition<A>) -> [u8; 32] {
    write_state(partition, io::sink()).expect("nothing is written, and a state can be encoded")
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

/// The same of what is read to its end, of which only a little is in memory at a time.
pub fn digest_of(bytes: impl io::Read) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(bytes)?;
    Ok(*hasher.finalize().as_bytes())
}
