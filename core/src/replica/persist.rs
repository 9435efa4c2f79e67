//! One write on its way to the disk at a time; what comes up meanwhile goes into the next.
use crate::{Effect, Effects, wal};
use detcd_proto::{
    raftpb::{self, SnapshotMetadata},
    walpb,
};

#[derive(Debug)]
pub struct Persist {
    log: wal::Writer,
    /// The write that is under way, and what it was for.
    in_flight: Option<(u64, Purpose)>,
    writes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The first entries of a new cluster: before they are safe, this member does not take part.
    Founding,
    /// Raft's write of this number, if one, and the mark of a checkpoint, if one.
    Running { raft: Option<u64>, mark: bool },
}

impl Persist {
    pub fn new(log: wal::Writer) -> Persist {
        Persist { log, in_flight: None, writes: 0 }
    }

    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none()
    }

    /// The next write begins with a checkpoint that takes the place of the log.
    pub fn restore(&mut self, SnapshotMetadata { conf_state, index, term }: SnapshotMetadata) {
        self.log.restore(&walpb::Snapshot { index, term, conf_state: Some(conf_state) });
    }

    pub fn start(
        &mut self,
        purpose: Purpose,
        entries: &[raftpb::Entry],
        state: Option<&raftpb::HardState>,
        mark: Option<&walpb::Snapshot>,
        effects: &mut Effects,
    ) {
        assert!(self.is_idle(), "one write at a time");
        self.log.save(entries, state);
        if let Some(mark) = mark {
            self.log.mark(mark);
        }
        let (segment, bytes) = self.log.take().expect("a write has something in it");
        self.writes += 1;
        self.in_flight = Some((self.writes, purpose));
        effects.push(Effect::Persist { segment, upto: self.writes, bytes });
    }

    /// How many bytes have been given to the log since this start.
    pub fn written(&self) -> u64 {
        self.log.written()
    }

    pub fn finished(&mut self, upto: u64) -> Purpose {
        let (number, purpose) = self.in_flight.take().expect("only what was started can finish");
        assert_eq!(upto, number, "writes finish in order");
        purpose
    }
}
