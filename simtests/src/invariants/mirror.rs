//! What a member's log says, read from the bytes on their way to its disk.
use bytes::Bytes;
use detcd_core::{
    Plants,
    wal::{Reader, Replayed, SegmentName, unbroken},
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
    /// A checkpoint at this index is there.
    Checkpoint {
        index: u64,
        term: u64,
    },
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

    /// Whether this checkpoint is another member's: the log does not lead to it.
    pub fn conflicts(&self, index: u64, term: u64) -> bool {
        self.at(index).is_none_or(|mark| mark.term != term)
    }

    /// Appends as the log's reader would: an entry replaces what stands at its index and behind.
    pub fn take(&mut self, record: &Record) {
        match record {
            Record::Entry { index, mark, .. } => {
                self.entries.truncate(index.saturating_sub(1) as usize);
                self.entries.push(*mark);
            }
            Record::State(state) => self.state = *state,
            Record::Checkpoint { .. } => {}
        }
    }

    /// The log that survives power loss now. What it has forgotten is taken from `before`, what this member was known to
    /// have, and what it never had from `ledger`, from index 1. None if it is damaged.
    pub fn durable(disk: &Platter, before: &Log, ledger: &[Mark]) -> Option<Log> {
        let Some(read) = read(disk.durable(FOLDER))? else { return Some(Log::default()) };
        let newest = read.starts().map(|start| start.index).max().unwrap_or(0);
        // Behind a checkpoint of the leader's, the member's own run ends before it begins anew.
        let run = if read.last_index() < newest { &[][..] } else { &read.entries };
        let first = run.first().map_or(newest + 1, |first| first.index);
        // What a checkpoint holds is committed.
        let known = |index: u64| {
            let agreed = ledger.get(usize::try_from(index - 1).ok()?).copied();
            agreed.or_else(|| before.at(index))
        };
        let mut entries = (1..first).map(known).collect::<Option<Vec<Mark>>>()?;
        entries.extend(run.iter().map(mark));
        Some(Log { entries, state: read.hard_state })
    }
}

/// Reads a log from its files, names and contents, as a member would. None if it is damaged; nothing in it if it is not
/// there.
pub fn read<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Option<Option<Replayed>> {
    let mut segments: Vec<(SegmentName, &[u8])> = files
        .filter_map(|(name, bytes)| Some((SegmentName::parse(name.rsplit('/').next()?)?, bytes)))
        .collect();
    segments.sort_by_key(|(name, _)| *name);
    let names: Vec<SegmentName> = segments.iter().map(|(name, _)| *name).collect();
    let kept = unbroken(&names);
    let Some(&last) = kept.last() else { return Some(None) };
    let mut reader = Reader::new(Plants::NONE);
    for (name, bytes) in segments.into_iter().filter(|(name, _)| kept.contains(name)) {
        reader.segment(name, bytes, name == last).ok()?;
    }
    Some(Some(reader.finish().ok()?))
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

/// The entries, states and marks in what a member appends to its log.
pub fn records(bytes: &[u8]) -> Vec<Record> {
    let record = |record: walpb::Record| {
        let data = record.data.unwrap_or_default();
        match record.r#type {
            2 => {
                let entry = raftpb::Entry::decode(data).ok()?;
                let is_change = entry.r#type == raftpb::EntryType::EntryConfChange as i32;
                let (index, mark) = (entry.index, mark(&entry));
                Some(Record::Entry { index, mark, change: entry.data.filter(|_| is_change) })
            }
            3 => raftpb::HardState::decode(data).ok().map(Record::State),
            5 => {
                let walpb::Snapshot { index, term, .. } = walpb::Snapshot::decode(data).ok()?;
                (index > 0).then_some(Record::Checkpoint { index, term })
            }
            _ => None,
        }
    };
    frames(bytes).filter_map(record).collect()
}

/// The entries alone, with what they hold.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = raftpb::Entry> + '_ {
    let entries = frames(bytes).filter(|record| record.r#type == 2);
    entries.filter_map(|record| raftpb::Entry::decode(record.data.unwrap_or_default()).ok())
}

/// Whole frames of etcd's format (contract-semantics 17.4). Anything else is left out.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = walpb::Record> + '_ {
    std::iter::from_fn(move || {
        let (word, rest) = bytes.split_first_chunk::<8>()?;
        let word = u64::from_le_bytes(*word);
        let length = (word & ((1 << 56) - 1)) as usize;
        let padding = if word >> 63 == 1 { (word >> 56 & 7) as usize } else { 0 };
        let body = rest.get(..length)?;
        bytes = rest.get(length + padding..).unwrap_or_default();
        walpb::Record::decode(body).ok()
    })
}
