//! Segment files: their names and their order. Source: contract-semantics 17.1, 17.4.
use alloc::string::String;
use core::fmt;

/// Names one file of the log: its place in the sequence and the index of the first entry that may be in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    pub seq: u64,
    pub first_index: u64,
}

impl SegmentName {
    /// Reads `%016x-%016x.wal`; anything else is not a segment.
    pub fn parse(file: &str) -> Option<SegmentName> {
        let (seq, index) = file.strip_suffix(".wal")?.split_once('-')?;
        let hex = |part: &str| {
            (part.len() == 16 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                .then(|| u64::from_str_radix(part, 16).ok())
                .flatten()
        };
        Some(SegmentName { seq: hex(seq)?, first_index: hex(index)? })
    }

    pub fn file_name(&self) -> String {
        alloc::format!("{self}")
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}.wal", self.seq, self.first_index)
    }
}
