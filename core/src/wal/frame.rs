//! One record in its frame, and the checksum that chains records together.
#![deny(clippy::indexing_slicing)]
pub use crate::crc32c::chain;
use detcd_proto::{Message, walpb};

/// Sectors are written whole or not at all; a record with a sector of zeros in it was being written when power failed.
const SECTOR: usize = 512;
/// The length word before each record.
pub const WORD: usize = 8;
/// No record comes near this; a longer one is damage, not data to allocate for.
const RECORD_BYTES_MAX: usize = 512 << 20;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Metadata = 1,
    Entry = 2,
    State = 3,
    Crc = 4,
    Snapshot = 5,
}

impl Kind {
    pub fn of(number: i64) -> Option<Kind> {
        [Kind::Metadata, Kind::Entry, Kind::State, Kind::Crc, Kind::Snapshot]
            .into_iter()
            .find(|kind| *kind as i64 == number)
    }
}

/// Appends one frame: length word with the padding's size in its top byte, record, zeros up to eight bytes.
pub fn encode(kind: Kind, crc: u32, data: Option<&[u8]>, out: &mut alloc::vec::Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; WORD]);
    let mut varint = |tag: u8, mut value: u64| {
        out.push(tag);
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    };
    varint(0x08, kind as u64);
    varint(0x10, u64::from(crc));
    if let Some(data) = data {
        varint(0x1a, data.len() as u64);
        out.extend_from_slice(data);
    }
    let length = out.len() - start - WORD;
    let padding = length.wrapping_neg() % WORD;
    out.resize(out.len() + padding, 0);
    let mark = if padding == 0 { 0 } else { 0x80 | padding as u64 };
    let word = length as u64 | (mark << 56);
    out.get_mut(start..start + WORD).expect("reserved above").copy_from_slice(&word.to_le_bytes());
}

/// What stands at an offset of a segment.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// A record, where the next frame begins, and whether a sector of the record is all zeros.
    Record { record: walpb::Record, next: usize, zero_sector: bool },
    /// Nothing was ever written here: the end of the file, or a zero length word of a preallocated one.
    End,
    /// The frame says it is longer than the file, or its record cannot be decoded.
    Broken { zero_sector: bool },
}

pub fn decode(segment: &[u8], at: usize) -> Frame {
    let rest = segment.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Frame::End;
    }
    let Some(word) = rest.first_chunk::<WORD>() else {
        return Frame::Broken { zero_sector: true };
    };
    let word = u64::from_le_bytes(*word);
    if word == 0 {
        return Frame::End;
    }
    let length = usize::try_from(word & ((1 << 56) - 1)).unwrap_or(usize::MAX);
    let mark = word >> 56;
    let padding = if mark & 0x80 == 0 { 0 } else { (mark & 7) as usize };
    if length > RECORD_BYTES_MAX || length < padding.min(1) {
        return Frame::Broken { zero_sector: false };
    }
    // A frame that runs past the file was being written.
    let Some(body) = rest.get(WORD..WORD + length + padding) else {
        return Frame::Broken { zero_sector: true };
    };
    let zero_sector = has_zero_sector(segment, at, at + WORD + body.len());
    match body.get(..length).map(walpb::Record::decode) {
        Some(Ok(record)) => Frame::Record { record, next: at + WORD + length + padding, zero_sector },
        _ => Frame::Broken { zero_sector },
    }
}

/// Whether a sector that holds a part of the frame is all zeros, whatever else stands in it: a record's last bytes may
/// be zeros and begin a sector, and what was written behind them shows that this sector was written. The sector of the
/// length word was, too.
fn has_zero_sector(segment: &[u8], at: usize, end: usize) -> bool {
    let sectors = segment.chunks(SECTOR).take(end.div_ceil(SECTOR)).skip(at / SECTOR + 1);
    sectors.into_iter().any(|sector| sector.iter().all(|byte| *byte == 0))
}
