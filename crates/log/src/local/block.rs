//! What one row of the file holds: the neighbouring records of one partition that one commit wrote.
//!
//! A row for each record would cost SQLite several times as much, on the way in and on the way out. A block's
//! bytes are those of its records, one after the other, and then the length of each as four bytes,
//! little-endian.

use bytes::Bytes;

use crate::{Partition, Record};

/// A block is closed when it has this many bytes: whoever keeps one of its records keeps all of it in memory.
const FULL: usize = 32 << 10;

/// Where a partition's checksums start from, so that no block passes for one of another partition.
pub(super) fn seed(partition: Partition) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(partition.topic.0.as_bytes()), &partition.number.to_le_bytes())
}

/// CRC32C over a partition and where it starts or ends.
pub(super) fn bound_checksum(seed: u32, position: u64) -> u32 {
    crc32c::crc32c_append(seed, &position.to_le_bytes())
}

/// What a row says of its block.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// The position of the first record.
    pub(super) first: u64,
    /// How many records there are.
    pub(super) records: u32,
    pub(super) appended_at: i64,
}

impl Head {
    /// CRC32C over the partition and all that the row holds.
    pub(super) fn checksum(self, seed: u32, bytes: &[u8]) -> u32 {
        let mut head = [0; 20];
        head[..8].copy_from_slice(&self.first.to_le_bytes());
        head[8..12].copy_from_slice(&self.records.to_le_bytes());
        head[12..].copy_from_slice(&self.appended_at.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c_append(seed, &head), bytes)
    }

    pub(super) fn end(self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// The records of a block whose checksum is right, or nothing if the lengths do not add up even so.
    pub(super) fn open(self, bytes: &[u8]) -> Option<impl Iterator<Item = Record>> {
        let body = bytes.len().checked_sub(self.records as usize * 4)?;
        let (body, lengths) = bytes.split_at(body);
        let lengths =
            lengths.chunks_exact(4).map(|le| u32::from_le_bytes([le[0], le[1], le[2], le[3]]) as usize);
        if lengths.clone().sum::<usize>() != body.len() {
            return None;
        }
        let mut left = Bytes::copy_from_slice(body);
        let appended_at = self.appended_at;
        let record = move |(position, length)| Record { position, appended_at, bytes: left.split_to(length) };
        Some((self.first..).zip(lengths).map(record))
    }
}

/// A block being filled. Its memory is used again for the next one.
#[derive(Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    lengths: Vec<u8>,
}

impl Block {
    /// Fills the block from the records that are left; true if there was any.
    pub(super) fn fill<'r>(&mut self, records: &mut impl Iterator<Item = &'r Bytes>) -> bool {
        self.bytes.clear();
        self.lengths.clear();
        while self.bytes.len() < FULL
            && let Some(record) = records.next()
        {
            self.bytes.extend_from_slice(record);
            // SQLite holds no row of 4 GiB, so no length is cut short.
            self.lengths.extend_from_slice(&(record.len() as u32).to_le_bytes());
        }
        !self.lengths.is_empty()
    }

    pub(super) fn records(&self) -> u32 {
        (self.lengths.len() / 4) as u32
    }

    /// The finished bytes; to be called once for each filling.
    pub(super) fn seal(&mut self) -> &[u8] {
        self.bytes.append(&mut self.lengths);
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(records: &[Bytes]) -> (Vec<(Head, Bytes)>, u64) {
        let mut block = Block::default();
        let mut blocks = Vec::new();
        let mut first = 5;
        let mut left = records.iter();
        while block.fill(&mut left) {
            let head = Head { first, records: block.records(), appended_at: 17 };
            blocks.push((head, Bytes::copy_from_slice(block.seal())));
            first = head.end();
        }
        (blocks, first)
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let sizes = [0, 1, 500, 0, 40_000, 3, 20_000, 20_000, 1];
        let records: Vec<Bytes> = sizes.iter().map(|&size| Bytes::from(vec![size as u8; size])).collect();
        let (blocks, end) = pack(&records);
        assert_eq!(end, 5 + records.len() as u64);
        assert_eq!(blocks.iter().map(|(head, _)| head.records).collect::<Vec<_>>(), [5, 3, 1]);
        let found = blocks.iter().flat_map(|(head, bytes)| head.open(bytes).expect("a sound block"));
        for (found, (position, bytes)) in found.zip((5..).zip(records)) {
            assert_eq!(found, Record { position, appended_at: 17, bytes });
        }
    }

    #[test]
    fn lengths_that_do_not_add_up_open_nothing() {
        let (blocks, _) = pack(&[Bytes::from_static(b"one"), Bytes::from_static(b"three")]);
        let (head, bytes) = &blocks[0];
        assert!(head.open(&bytes[1..]).is_none());
        assert!(head.open(&bytes[..7]).is_none());
        assert!(Head { records: 1, ..*head }.open(bytes).is_none());
        assert!(Head { records: u32::MAX, ..*head }.open(bytes).is_none());
    }

    #[test]
    fn a_checksum_covers_place_time_and_content() {
        let head = Head { first: 7, records: 2, appended_at: 9 };
        let here = seed(crate::Topic("a").partition(0));
        let sums = [
            head.checksum(here, b"xy"),
            head.checksum(here, b"xz"),
            head.checksum(seed(crate::Topic("a").partition(1)), b"xy"),
            head.checksum(seed(crate::Topic("b").partition(0)), b"xy"),
            Head { first: 8, ..head }.checksum(here, b"xy"),
            Head { records: 3, ..head }.checksum(here, b"xy"),
            Head { appended_at: 10, ..head }.checksum(here, b"xy"),
        ];
        let distinct: std::collections::HashSet<u32> = sums.into_iter().collect();
        assert_eq!(distinct.len(), sums.len());
    }
}
