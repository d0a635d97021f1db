//! The sealed form, which describes itself: what stands in records, and what stands in blob files.
//!
//! ```text
//! inline     [1][generation u32 LE][nonce 24][ciphertext][tag 16]
//! reference  [2][generation u32 LE][blob id 16]
//! blob file                        [nonce 24][ciphertext][tag 16]
//! ```
//!
//! XChaCha20-Poly1305 throughout. Everything outside the ciphertext is associated data, together with the
//! tenant, the party and the item, so sealed bytes open only in the place they were sealed for.

use crate::{
    BlobId, Error, Id, Subject,
    cipher::{Cipher, OVERHEAD, Secret},
};

const INLINE: u8 = 1;
const REFERENCE: u8 = 2;

pub(crate) enum Sealed<'a> {
    Inline { generation: u32, body: &'a [u8] },
    Reference { generation: u32, blob: BlobId },
}

impl Sealed<'_> {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Sealed<'_>, Error> {
        let bad = |reason| Error::NotSealed { reason };
        let (format, rest) = bytes.split_first().ok_or(bad("they are empty"))?;
        let (generation, body) = rest.split_first_chunk().ok_or(bad("they are too short"))?;
        let generation = u32::from_le_bytes(*generation);
        match *format {
            INLINE if body.len() < OVERHEAD => Err(bad("they are too short")),
            INLINE => Ok(Sealed::Inline { generation, body }),
            REFERENCE => {
                let id = body.try_into().map_err(|_| bad("a blob's reference has another length"))?;
                Ok(Sealed::Reference { generation, blob: BlobId(id) })
            }
            _ => Err(bad("the first byte names no known format")),
        }
    }

    pub(crate) fn generation(&self) -> u32 {
        match *self {
            Sealed::Inline { generation, .. } | Sealed::Reference { generation, .. } => generation,
        }
    }
}

pub(crate) fn reference(generation: u32, blob: &BlobId) -> Vec<u8> {
    let mut bytes = header(REFERENCE, generation, 16);
    bytes.extend_from_slice(&blob.0);
    bytes
}

/// The blobs to which references may stand anywhere in these bytes: all that do, and others by chance.
pub(crate) fn referred_to(bytes: &[u8]) -> impl Iterator<Item = BlobId> {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == REFERENCE);
    // Behind the format and the generation.
    starts.filter_map(|(at, _)| bytes.get(at + 5..)?.first_chunk().copied().map(BlobId))
}

/// A party's key of one generation.
pub(crate) struct DataKey {
    pub(crate) generation: u32,
    cipher: Cipher,
}

impl DataKey {
    pub(crate) fn new(generation: u32, secret: Secret) -> DataKey {
        DataKey { generation, cipher: Cipher::new(secret) }
    }

    pub(crate) fn seal_inline(
        &self,
        subject: &Subject,
        item: &Id,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = header(INLINE, self.generation, plaintext.len() + OVERHEAD);
        self.cipher.seal(&associated(INLINE, self.generation, subject, item, &[]), plaintext, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn open_inline(&self, subject: &Subject, item: &Id, body: &[u8]) -> Result<Vec<u8>, Error> {
        let associated = associated(INLINE, self.generation, subject, item, &[]);
        self.cipher.open(&associated, body).ok_or(Error::NotAuthentic)
    }

    /// The content of a blob file.
    pub(crate) fn seal_blob(
        &self,
        subject: &Subject,
        item: &Id,
        blob: &BlobId,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(plaintext.len() + OVERHEAD);
        self.cipher.seal(
            &associated(REFERENCE, self.generation, subject, item, &blob.0),
            plaintext,
            &mut bytes,
        )?;
        Ok(bytes)
    }

    pub(crate) fn open_blob(
        &self,
        subject: &Subject,
        item: &Id,
        blob: &BlobId,
        content: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let associated = associated(REFERENCE, self.generation, subject, item, &blob.0);
        self.cipher.open(&associated, content).ok_or(Error::BlobNotAuthentic(*blob))
    }
}

fn header(format: u8, generation: u32, more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + more);
    bytes.push(format);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes
}

/// Only the tenant has no fixed length, so its length is said first.
fn associated(format: u8, generation: u32, subject: &Subject, item: &Id, blob: &[u8]) -> Vec<u8> {
    let tenant = subject.tenant.as_bytes();
    let mut bytes = header(format, generation, 8 + tenant.len() + 48);
    bytes.extend_from_slice(&(tenant.len() as u64).to_le_bytes());
    for part in [tenant, &subject.party, item, blob] {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let blobs = [BlobId([2; 16]), BlobId([0; 16]), BlobId(std::array::from_fn(|i| i as u8))];
        let mut bytes = vec![2, 1, 2];
        for (generation, blob) in (1..).zip(&blobs) {
            bytes.extend(reference(generation, blob));
            bytes.extend([2, 2, 7]);
        }
        let found: Vec<_> = referred_to(&bytes).collect();
        assert!(blobs.iter().all(|blob| found.contains(blob)), "{found:?}");
        assert!(!found.contains(&BlobId([9; 16])));
        let cut = reference(1, &blobs[0]);
        assert_eq!(
            (0..cut.len()).flat_map(|length| referred_to(&cut[..length]).collect::<Vec<_>>()).count(),
            0
        );
    }

    #[test]
    fn bytes_that_were_never_sealed_are_told_apart() {
        for bytes in [&[][..], &[1], &[1, 0, 0, 0], &[1; 44], &[2; 20], &[2; 22], &[3; 60], &[0; 60]] {
            assert!(matches!(Sealed::parse(bytes), Err(Error::NotSealed { .. })), "{bytes:?}");
        }
        assert_eq!(Sealed::parse(&[1; 45]).unwrap().generation(), 0x0101_0101);
        assert_eq!(Sealed::parse(&reference(7, &BlobId([9; 16]))).unwrap().generation(), 7);
    }
}
