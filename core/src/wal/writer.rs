//! Turns entries and hard states into ready-made bytes, and decides when a segment is full.
use super::{
    Replayed, SegmentName,
    frame::{self, Kind},
};
use alloc::vec::Vec;
use bytes::Bytes;
use detcd_proto::{Message, etcdserverpb::Metadata, raftpb, walpb};

/// The writing end of the log. Everything saved between two `take`s becomes one write to the disk.
#[derive(Debug)]
pub struct Writer {
    metadata: Vec<u8>,
    state: raftpb::HardState,
    last_index: u64,
    segment: SegmentName,
    segment_bytes_max: u64,
    /// How long the segment will be once everything taken so far is written.
    offset: u64,
    crc: u32,
    buffer: Vec<u8>,
    /// Taken so far, in all segments.
    written: u64,
    /// Something was saved that is not taken yet; a segment's head alone is not worth a write.
    dirty: bool,
    scratch: Vec<u8>,
}

impl Writer {
    /// A new log: the first segment with its head, still to be taken and written.
    pub fn create(metadata: &Metadata, segment_bytes_max: u64) -> Writer {
        let mut writer = Writer {
            metadata: metadata.encode_to_vec(),
            state: raftpb::HardState::default(),
            last_index: 0,
            segment: SegmentName::default(),
            segment_bytes_max,
            offset: 0,
            crc: 0,
            buffer: Vec::new(),
            written: 0,
            dirty: false,
            scratch: Vec::new(),
        };
        writer.head();
        writer.mark(&walpb::Snapshot::default());
        writer
    }

    /// Goes on behind what was read back. The torn tail, if any, must be cut from the file before.
    pub fn resume(log: &Replayed, segment_bytes_max: u64) -> Writer {
        Writer {
            metadata: log.metadata.encode_to_vec(),
            state: log.hard_state,
            last_index: log.starts().map(|start| start.index).fold(log.last_index(), u64::max),
            segment: log.tail.segment,
            segment_bytes_max,
            offset: log.tail.good_bytes,
            crc: log.tail.crc,
            buffer: Vec::new(),
            written: 0,
            dirty: false,
            scratch: Vec::new(),
        }
    }

    /// Entries first, then the hard state if it changed, as etcd orders them.
    pub fn save(&mut self, entries: &[raftpb::Entry], state: Option<&raftpb::HardState>) {
        self.dirty |= !entries.is_empty() || state.is_some();
        for entry in entries {
            self.message(Kind::Entry, entry);
            self.last_index = entry.index;
        }
        if let Some(state) = state {
            self.message(Kind::State, state);
            self.state = *state;
        }
    }

    /// Marks that a checkpoint is on disk. What was saved before this must say that its index is committed, or the mark
    /// counts for nothing.
    pub fn mark(&mut self, checkpoint: &walpb::Snapshot) {
        self.message(Kind::Snapshot, checkpoint);
        // One that came from another member may be ahead of all entries here.
        self.last_index = self.last_index.max(checkpoint.index);
        self.dirty = true;
    }

    /// Marks that a checkpoint of another member takes the place of this log: with a hard state that says that its index
    /// is committed, what the log had behind that index is gone.
    pub fn restore(&mut self, checkpoint: &walpb::Snapshot) {
        self.mark(checkpoint);
        self.last_index = checkpoint.index;
    }

    /// How many bytes were saved since this writer began, heads of segments included.
    pub fn written(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// The bytes saved since the last call and the segment they go to; nothing if nothing was saved.
    pub fn take(&mut self) -> Option<(SegmentName, Bytes)> {
        if !self.dirty {
            return None;
        }
        self.dirty = false;
        let segment = self.segment;
        let bytes = Bytes::from(core::mem::take(&mut self.buffer));
        self.offset += bytes.len() as u64;
        self.written += bytes.len() as u64;
        if self.offset >= self.segment_bytes_max {
            self.cut();
        }
        Some((segment, bytes))
    }

    /// Starts the next segment. Its head waits in the buffer and is written together with the next save: until then
    /// there is nothing in it that the log would miss.
    fn cut(&mut self) {
        self.segment = SegmentName { seq: self.segment.seq + 1, first_index: self.last_index + 1 };
        self.offset = 0;
        let state = self.state;
        self.head();
        self.message(Kind::State, &state);
    }

    fn head(&mut self) {
        frame::encode(Kind::Crc, self.crc, None, &mut self.buffer);
        self.crc = frame::chain(self.crc, &self.metadata);
        frame::encode(Kind::Metadata, self.crc, Some(&self.metadata), &mut self.buffer);
    }

    fn message(&mut self, kind: Kind, message: &impl Message) {
        self.scratch.clear();
        message.encode(&mut self.scratch).expect("a Vec grows as needed");
        self.crc = frame::chain(self.crc, &self.scratch);
        frame::encode(kind, self.crc, Some(&self.scratch), &mut self.buffer);
    }
}
