//! What a member's log says, read from the bytes on their way to its disk.
use bytes::Bytes;
use detcd_core::{
    Plants,
    wal::{Reader, SegmentName},
};
use detcd_proto::{Message as _, raftpb, walpb};
use detcd_runtime_sim::{disk::Platter, transcript::Stir};
use std::{fmt, ops::Range};

/// Where members keep their log.
pub const FOLDER: &str = "member/wal";

/// An entry: its term, and a sum of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub term: u64,
    sum: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an entry of term {} with the sum {:016x}", self.term, self.sum)
    }
}

#[derive(Clone, Debug)]
pub enum Record {
    /// `change`: what it changes of the members, undecoded.
    Entry {
        index: u64,
        mark: Mark,
        change: Option<Bytes>,
    },
    State(raftpb::HardState),
}

/// A log: entries from index 1, and the last hard state.
#[derive(Clone, Debug, Default)]
pub struct Log {
    pub entries: Vec<Mark>,
    pub state: raftpb::HardState,
}

impl Log {
    pub fn at(&self, index: u64) -> Option<Mark> {
        self.entries.get(usize::try_from(index.checked_sub(1)?).ok()?).copied()
    }

    pub fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Appends as the log's reader would: an entry replaces what stands at its index and behind.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Entry { index, mark, .. } => {
                self.entries.truncate(index.saturating_sub(1) as usize);
                self.entries.push(*mark);
            }
            Record::State(state) => self.state = *state,
        }
    }

    /// Reads the log that survives power loss now. None if it is damaged.
    pub fn durable(disk: &Platter) -> Option<Log> {
        let segments: Vec<(SegmentName, &[u8])> = disk
            .durable(FOLDER)
            .filter_map(|(name, bytes)| Some((SegmentName::parse(name.rsplit('/').next()?)?, bytes)))
            .collect();
        let Some(&(last, _)) = segments.last() else { return Some(Log::default()) };
        let mut reader = Reader::new(Plants::NONE);
        for (name, bytes) in segments {
            reader.segment(name, bytes, name == last).ok()?;
        }
        let read = reader.finish().ok()?;
        Some(Log { entries: read.entries.iter().map(mark).collect(), state: read.hard_state })
    }
}

fn mark(entry: &raftpb::Entry) -> Mark {
    let sum = Stir::of(entry.data.as_deref().unwrap_or_default()).wrapping_add(entry.r#type as u64);
    Mark { term: entry.term, sum }
}

/// Where in a segment the data of its entries lie, and where its last record begins.
pub fn entry_data(bytes: &[u8]) -> (Vec<Range<usize>>, usize) {
    let (mut at, mut last, mut entries) = (0, 0, Vec::new());
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let length = (word & ((1 << 56) - 1)) as usize;
        let padding = if word >> 63 == 1 { (word >> 56 & 7) as usize } else { 0 };
        let Some(body) = bytes.get(at + 8..at + 8 + length).filter(|body| !body.is_empty()) else { break };
        let Ok(record) = walpb::Record::decode(body) else { break };
        if record.r#type == 2 {
            // The data are a record's last field.
            let end = at + 8 + length;
            entries.push(end - record.data.unwrap_or_default().len()..end);
        }
        last = at;
        at += 8 + length + padding;
    }
    (entries, last)
}

/// The entries and states in what a member appends to its log: whole frames of etcd's format (contract-semantics
/// 17.4). Anything else is left out.
pub fn records(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let length = (word & ((1 << 56) - 1)) as usize;
        let padding = if word >> 63 == 1 { (word >> 56 & 7) as usize } else { 0 };
        let Some(body) = rest.get(..length) else { break };
        bytes = rest.get(length + padding..).unwrap_or_default();
        let Ok(record) = walpb::Record::decode(body) else { break };
        let data = record.data.unwrap_or_default();
        match record.r#type {
            2 => {
                if let Ok(entry) = raftpb::Entry::decode(data) {
                    let is_change = entry.r#type == raftpb::EntryType::EntryConfChange as i32;
                    let (index, mark) = (entry.index, mark(&entry));
                    records.push(Record::Entry { index, mark, change: entry.data.filter(|_| is_change) });
                }
            }
            3 => records.extend(raftpb::HardState::decode(data).ok().map(Record::State)),
            _ => {}
        }
    }
    records
}
