//! Checksums of an image, block by block, kept in a small file beside it. bbolt's pages carry none.
//!
//! | bytes, integers little-endian | what |
//! |---|---|
//! | 8 | `detcdsum` |
//! | 4 | version, 1 |
//! | 4 | block size in bytes |
//! | 8 | length of the image in bytes |
//! | 4 each | CRC-32C of each block; the last may be shorter |
//! | 4 | CRC-32C of everything before |
#![deny(clippy::indexing_slicing)]
use crate::crc32c;
use alloc::vec::Vec;

const MAGIC: &[u8; 8] = b"detcdsum";
const VERSION: u32 = 1;
const HEAD: usize = 24;

/// The sums of a whole image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    len: u64,
    blocks: Vec<u32>,
}

impl Sums {
    /// Of each block but the last, in bytes.
    pub const BLOCK: usize = 1 << 20;

    /// Of the image, in bytes.
    pub fn image_len(&self) -> u64 {
        self.len
    }

    /// How many blocks the image has.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Where a block stands: offset and length.
    pub fn place(&self, block: usize) -> (u64, usize) {
        let offset = block as u64 * Self::BLOCK as u64;
        let left = self.len.saturating_sub(offset).min(Self::BLOCK as u64);
        (offset, usize::try_from(left).expect("a block fits into memory"))
    }

    /// Whether these are the bytes that were written there.
    pub fn is_sound(&self, block: usize, bytes: &[u8]) -> bool {
        bytes.len() == self.place(block).1 && self.blocks.get(block) == Some(&crc32c::of(bytes))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + 4 * self.blocks.len() + 4);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(Self::BLOCK as u32).to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        for sum in &self.blocks {
            out.extend_from_slice(&sum.to_le_bytes());
        }
        out.extend_from_slice(&crc32c::of(&out).to_le_bytes());
        out
    }

    /// Nothing if it is damaged or of another shape.
    pub fn decode(file: &[u8]) -> Option<Sums> {
        let (summed, sum) = file.split_last_chunk::<4>()?;
        let (head, blocks) = summed.split_first_chunk::<HEAD>()?;
        let rest = head.strip_prefix(MAGIC)?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (block, len) = rest.split_first_chunk::<4>()?;
        let len = u64::from_le_bytes(len.try_into().ok()?);
        let (chunks, []) = blocks.as_chunks::<4>() else { return None };
        let is_sound = u32::from_le_bytes(*sum) == crc32c::of(summed)
            && u32::from_le_bytes(*version) == VERSION
            && u32::from_le_bytes(*block) as usize == Self::BLOCK
            && chunks.len() as u64 == len.div_ceil(Self::BLOCK as u64);
        is_sound.then(|| Sums { len, blocks: chunks.iter().map(|sum| u32::from_le_bytes(*sum)).collect() })
    }
}

/// Sums in the making: feed it the image in order, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Summing {
    len: u64,
    blocks: Vec<u32>,
    /// Of the block that is not full yet, and how much of it there is.
    sum: u32,
    filled: usize,
}

impl Summing {
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        while let Some((piece, rest)) = bytes.split_at_checked((Sums::BLOCK - self.filled).min(bytes.len()))
            && !piece.is_empty()
        {
            self.sum = crc32c::chain(self.sum, piece);
            self.filled += piece.len();
            if self.filled == Sums::BLOCK {
                self.blocks.push(core::mem::take(&mut self.sum));
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    pub fn finish(mut self) -> Sums {
        if self.filled > 0 {
            self.blocks.push(self.sum);
        }
        Sums { len: self.len, blocks: self.blocks }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_summed_however_they_are_fed() {
        let bytes: Vec<u8> = (0..2 * Sums::BLOCK + 5).map(|at| (at % 251) as u8).collect();
        let mut whole = Summing::default();
        whole.feed(&bytes);
        let sums = whole.finish();
        let mut pieces = Summing::default();
        bytes.chunks(4096 * 100 + 1).for_each(|piece| pieces.feed(piece));
        assert_eq!(pieces.finish(), sums);
        assert_eq!((sums.blocks(), sums.image_len()), (3, bytes.len() as u64));
        for block in 0..3 {
            let (offset, len) = sums.place(block);
            let at = offset as usize;
            assert!(sums.is_sound(block, &bytes[at..at + len]));
            let mut flipped = bytes[at..at + len].to_vec();
            flipped[len / 2] ^= 1;
            assert!(!sums.is_sound(block, &flipped) && !sums.is_sound(block, &bytes[at..at + len - 1]));
        }
        let empty = Summing::default().finish();
        for sums in [sums, empty] {
            let mut file = sums.encode();
            assert_eq!(Sums::decode(&file), Some(sums));
            for at in 0..file.len() {
                file[at] ^= 4;
                assert_eq!(Sums::decode(&file), None, "byte {at}");
                file[at] ^= 4;
            }
            assert_eq!(Sums::decode(&file[..file.len() - 1]), None);
        }
        assert_eq!(Sums::decode(&[0; 100]), None);
    }
}
