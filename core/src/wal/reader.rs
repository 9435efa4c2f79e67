//! Reads segments back: every record that was ever synced, and nothing torn.
#![deny(clippy::indexing_slicing)]
use super::{
    SegmentName,
    frame::{self, Frame, Kind},
};
use crate::{Plant, Plants};
use alloc::{string::String, vec::Vec};
use core::fmt;
use detcd_proto::{Message, etcdserverpb::Metadata, raftpb, walpb};

/// What a log says, and where to go on writing.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    pub metadata: Metadata,
    /// All zero if none was written.
    pub hard_state: raftpb::HardState,
    /// The newest run of indices without a gap. It begins at 1 in a log of which nothing was forgotten.
    pub entries: Vec<raftpb::Entry>,
    /// Where the run before it ended, if there was one: a member that got a checkpoint from its leader goes on behind
    /// that.
    pub gap: Option<Gap>,
    /// Marks of checkpoints, in the order written; the first log has one at 0.
    pub snapshots: Vec<walpb::Snapshot>,
    pub tail: Tail,
}

/// An entry does not follow on the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub have: u64,
    pub found: u64,
}

/// A place in the log: the last entry that a checkpoint holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub index: u64,
    pub term: u64,
}

impl Replayed {
    /// The last index that the log speaks of; 0 if it speaks of none.
    pub fn last_index(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.index)
    }

    /// Where a member can start, if it has the checkpoint: the marks whose index is committed, oldest first. What a mark
    /// says beyond that was being written when power failed.
    pub fn starts(&self) -> impl DoubleEndedIterator<Item = Start> + '_ {
        let commit = self.hard_state.commit;
        let marks = self.snapshots.iter().filter(move |mark| mark.index <= commit);
        marks.map(|mark| Start { index: mark.index, term: mark.term })
    }

    /// Whether the log goes on behind a checkpoint at `start`: the mark is there, and of the entries behind it none is
    /// missing.
    pub fn check(&self, start: Start) -> Result<(), Damage> {
        let damage = |why| Err(Damage { segment: self.tail.segment, offset: self.tail.good_bytes, why });
        let mut marks = self.snapshots.iter().filter(|mark| mark.index == start.index).peekable();
        if marks.peek().is_none() {
            return damage(Why::SnapshotMissing);
        }
        let held = self.entries.first().and_then(|first| start.index.checked_sub(first.index));
        let held = held.and_then(|place| self.entries.get(usize::try_from(place).ok()?));
        if marks.any(|mark| mark.term != start.term) || held.is_some_and(|held| held.term != start.term) {
            return damage(Why::SnapshotMismatch);
        }
        match (self.entries.first(), self.gap) {
            (Some(first), gap) if first.index > start.index.saturating_add(1) => {
                let have = gap.map_or(start.index, |gap| gap.have.max(start.index));
                damage(Why::Gap { have, found: first.index })
            }
            _ => Ok(()),
        }
    }
}

/// Of the segments, ascending, those that nobody needs who starts behind the entry at `index`: a later one holds that
/// entry too, and so the mark that was set behind it.
pub fn needless(names: &[SegmentName], index: u64) -> &[SegmentName] {
    let kept = names.iter().rposition(|name| name.first_index <= index).unwrap_or(0);
    names.get(..kept).unwrap_or_default()
}

/// The segments that follow on each other up to the last one. What lies before a missing one was on its way to be
/// forgotten when power failed.
pub fn unbroken(names: &[SegmentName]) -> &[SegmentName] {
    let broken = |pair: &[SegmentName]| matches!(pair, [one, next] if next.seq != one.seq + 1);
    let begin = names.windows(2).rposition(broken).map_or(0, |before| before + 1);
    names.get(begin..).unwrap_or_default()
}

/// The end of the last segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    pub segment: SegmentName,
    /// Bytes up to here are whole records; what lies behind must be cut before anything is appended.
    pub good_bytes: u64,
    /// Bytes behind `good_bytes`, zeros of a preallocated file included.
    pub extra_bytes: u64,
    /// Behind the good bytes a record begins that was not written to its end.
    pub torn: bool,
    /// The running checksum at `good_bytes`.
    pub crc: u32,
}

/// A log that cannot be trusted: more is wrong with it than a torn tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: SegmentName,
    /// Where in the segment the first bad frame begins, in bytes.
    pub offset: u64,
    pub why: Why,
}

/// In etcd's words where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    Crc,
    /// A frame that cannot be read, with good log behind it or in a place that was synced.
    Frame,
    UnknownRecord(i64),
    Decode(String),
    MetadataConflict,
    MetadataMissing,
    SnapshotMissing,
    SnapshotMismatch,
    /// Entries do not follow on each other.
    Gap {
        have: u64,
        found: u64,
    },
    /// Segment files do not follow on each other.
    SegmentMissing {
        expected_seq: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Crc => f.write_str("wal: crc mismatch"),
            Why::Frame => f.write_str("wal: unreadable record"),
            Why::UnknownRecord(kind) => write!(f, "unexpected block type {kind}"),
            Why::Decode(error) => write!(f, "wal: undecodable record: {error}"),
            Why::MetadataConflict => f.write_str("wal: conflicting metadata found"),
            Why::MetadataMissing => f.write_str("wal: metadata not found"),
            Why::SnapshotMissing => f.write_str("wal: snapshot not found"),
            Why::SnapshotMismatch => f.write_str("wal: snapshot mismatch"),
            Why::Gap { have, found } => {
                write!(f, "wal: slice bounds out of range, entry {found} follows entry {have}")
            }
            Why::SegmentMissing { expected_seq } => {
                write!(f, "wal: file not found, segment {expected_seq:016x} is missing")
            }
        }?;
        write!(f, " (segment {}, byte {})", self.segment, self.offset)
    }
}

impl core::error::Error for Damage {}

/// Whose log this is, from the beginning of any of its segments; None if that cannot be read. Nothing is promised
/// about the rest of the log.
pub fn owner(beginning: &[u8]) -> Option<Metadata> {
    let mut at = 0;
    while let Frame::Record { record, next, .. } = frame::decode(beginning, at) {
        if Kind::of(record.r#type) == Some(Kind::Metadata) {
            return Metadata::decode(record.data.unwrap_or_default()).ok();
        }
        at = next;
    }
    None
}

/// Feed it the segments in order, then `finish`.
#[derive(Debug, Default)]
pub struct Reader {
    metadata: Option<Metadata>,
    hard_state: raftpb::HardState,
    entries: Vec<raftpb::Entry>,
    gap: Option<Gap>,
    snapshots: Vec<walpb::Snapshot>,
    tail: Option<Tail>,
    crc: u32,
    plants: Plants,
}

impl Reader {
    pub fn new(plants: Plants) -> Reader {
        Reader { plants, ..Reader::default() }
    }

    /// Reads one whole segment file. Only the last one may end in a torn record.
    pub fn segment(&mut self, name: SegmentName, bytes: &[u8], is_last: bool) -> Result<(), Damage> {
        if let Some(tail) = self.tail
            && name.seq != tail.segment.seq + 1
        {
            let why = Why::SegmentMissing { expected_seq: tail.segment.seq + 1 };
            return Err(Damage { segment: name, offset: 0, why });
        }
        let mut at = 0;
        let mut torn = false;
        loop {
            let damage = |why| Damage { segment: name, offset: at as u64, why };
            match frame::decode(bytes, at) {
                Frame::End => break,
                Frame::Broken { zero_sector } if zero_sector && is_last => {
                    torn = true;
                    break;
                }
                Frame::Broken { .. } => return Err(damage(Why::Frame)),
                Frame::Record { record, next, zero_sector } => match self.record(record) {
                    Ok(()) => at = next,
                    Err(Why::Crc) if zero_sector && is_last => {
                        torn = true;
                        break;
                    }
                    Err(why) => return Err(damage(why)),
                },
            }
        }
        if at == 0 {
            // A segment gets its name after its head is synced, so an empty one is no torn tail.
            return Err(Damage { segment: name, offset: 0, why: Why::Frame });
        }
        self.tail = Some(Tail {
            segment: name,
            good_bytes: at as u64,
            extra_bytes: (bytes.len() - at) as u64,
            torn,
            crc: self.crc,
        });
        Ok(())
    }

    /// What the segments said. Whether one can start with it, [`Replayed::check`] tells.
    pub fn finish(self) -> Result<Replayed, Damage> {
        let tail = self.tail.unwrap_or_default();
        let damage = |why| Damage { segment: tail.segment, offset: tail.good_bytes, why };
        let metadata = self.metadata.ok_or_else(|| damage(Why::MetadataMissing))?;
        Ok(Replayed {
            metadata,
            hard_state: self.hard_state,
            entries: self.entries,
            gap: self.gap,
            snapshots: self.snapshots,
            tail,
        })
    }

    fn record(&mut self, record: walpb::Record) -> Result<(), Why> {
        let kind = Kind::of(record.r#type).ok_or(Why::UnknownRecord(record.r#type))?;
        if kind == Kind::Crc {
            if self.crc != 0 && self.crc != record.crc {
                return Err(Why::Crc);
            }
            self.crc = record.crc;
            return Ok(());
        }
        let data = record.data.unwrap_or_default();
        let crc = frame::chain(self.crc, &data);
        if crc != record.crc && !self.plants.has(Plant::CrcNotChained) {
            return Err(Why::Crc);
        }
        self.crc = record.crc;
        let decode = |error: prost::DecodeError| Why::Decode(alloc::format!("{error}"));
        // Decoded from a slice, so that each entry owns its bytes and does not keep the whole segment in memory.
        match kind {
            Kind::Metadata => self.metadata(Metadata::decode(&data[..]).map_err(decode)?),
            Kind::Entry => self.entry(raftpb::Entry::decode(&data[..]).map_err(decode)?),
            Kind::State => {
                self.hard_state = raftpb::HardState::decode(&data[..]).map_err(decode)?;
                Ok(())
            }
            Kind::Snapshot => {
                self.mark(walpb::Snapshot::decode(&data[..]).map_err(decode)?);
                Ok(())
            }
            Kind::Crc => Ok(()),
        }
    }

    fn metadata(&mut self, found: Metadata) -> Result<(), Why> {
        match &self.metadata {
            Some(known) if *known != found => Err(Why::MetadataConflict),
            _ => {
                self.metadata = Some(found);
                Ok(())
            }
        }
    }

    /// What a checkpoint stands for is committed. If the entry at its index is another here, or must have been because the
    /// one behind it is older, then this is a checkpoint of the leader's, and nothing from there on was ever committed.
    fn mark(&mut self, mark: walpb::Snapshot) {
        if let Some(first) = self.entries.first() {
            let conflicts = if mark.index.checked_add(1) == Some(first.index) {
                first.term < mark.term
            } else {
                let place = mark.index.checked_sub(first.index).and_then(|place| usize::try_from(place).ok());
                let held = place.and_then(|place| self.entries.get(place));
                held.is_some_and(|held| held.term != mark.term)
            };
            if conflicts {
                self.entries.truncate(mark.index.saturating_sub(first.index) as usize);
            }
        }
        self.snapshots.push(mark);
    }

    /// An entry at an index already read replaces it and everything behind it: the leader changed, and so did the log.
    fn entry(&mut self, entry: raftpb::Entry) -> Result<(), Why> {
        if let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) {
            let (first, have) = (first.index, last.index);
            if entry.index > have.saturating_add(1) {
                // Allowed behind the mark of a checkpoint that holds what is missing.
                let found = entry.index;
                if !self.snapshots.iter().any(|mark| mark.index.checked_add(1) == Some(found)) {
                    return Err(Why::Gap { have, found });
                }
                self.gap = Some(Gap { have, found });
                self.entries.clear();
            } else {
                // Below the run all is replaced.
                self.entries.truncate(entry.index.saturating_sub(first) as usize);
            }
        }
        self.entries.push(entry);
        Ok(())
    }
}
