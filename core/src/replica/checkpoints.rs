//! When the state is written down as a whole, so that the log before it can go. Source: contract-semantics 16.3.
//!
//! One at a time: a checkpoint is taken (a view is frozen), written and made durable by the world, and then marked in the
//! log. Only the mark makes it count. The newest two are kept, with the log from the older one on: if the newest cannot be
//! read one day, the other and the log make the same state.
use super::Replica;
use crate::{Effect, Effects, Moment, Note, Plant, View, checkpoint::Stand};
use alloc::{boxed::Box, vec::Vec};
use detcd_proto::{raftpb::SnapshotMetadata, walpb};

/// As many are kept.
const KEPT: usize = 2;
/// A checkpoint is due no sooner than when the log since the last has grown to its size divided by this: what is written
/// for checkpoints stays in proportion to what clients write.
const LOG_SHARE: u64 = 4;
/// After a failure the next attempt waits so many election timeouts, twice as many after each further one.
const RETRY_TIMEOUTS: u64 = 5;
const RETRY_DOUBLINGS_MAX: u32 = 6;

#[derive(Debug)]
pub struct Checkpoints {
    stage: Stage,
    /// Indexes of those that are good and marked, ascending.
    kept: Vec<u64>,
    /// How large the newest is, in bytes.
    bytes: u64,
    /// Where the newest was taken, on the scale of [`Persist::written`](super::Persist::written).
    taken_at: u64,
    /// How much of the log behind the newest was there before this start, in bytes.
    read_back: u64,
    /// Attempts that failed since one went well.
    failures: u32,
    /// The next settling lets this go.
    to_forget: Option<Forgettable>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    /// The last attempt failed.
    Resting {
        until: Moment,
    },
    /// The world writes it. `taken_at`: where the log was.
    Writing {
        stand: Stand,
        taken_at: u64,
    },
    /// It is on disk, and the log is to say so.
    Written {
        mark: walpb::Snapshot,
    },
    /// The mark is on its way.
    Marking {
        mark: walpb::Snapshot,
    },
}

/// What nobody needs any more.
#[derive(Clone, Copy, Debug)]
struct Forgettable {
    checkpoints_below: u64,
    log_upto: u64,
}

impl Checkpoints {
    /// `newest`: index and size of the checkpoint that the state was made from, if any; `read_back`: bytes of the log
    /// behind it.
    pub fn new(newest: Option<(u64, u64)>, read_back: u64) -> Checkpoints {
        Checkpoints {
            stage: Stage::Idle,
            kept: newest.iter().map(|(index, _)| *index).collect(),
            bytes: newest.map_or(0, |(_, bytes)| bytes),
            taken_at: 0,
            read_back,
            failures: 0,
            to_forget: None,
        }
    }

    /// The checkpoint that the log is to be told of with its next write.
    pub fn mark(&mut self) -> Option<walpb::Snapshot> {
        let Stage::Written { mark } = &self.stage else { return None };
        let mark = mark.clone();
        self.stage = Stage::Marking { mark: mark.clone() };
        Some(mark)
    }

    /// When the next attempt may begin, if that is a matter of time.
    pub fn due(&self) -> Option<Moment> {
        match self.stage {
            Stage::Resting { until } => Some(until),
            Stage::Idle | Stage::Writing { .. } | Stage::Written { .. } | Stage::Marking { .. } => None,
        }
    }

    /// The state was made from a checkpoint of the leader's, marked already. Neither the log nor an older checkpoint leads
    /// there.
    pub fn restored(&mut self, index: u64, bytes: u64, written: u64) {
        self.kept = Vec::from([index]);
        (self.bytes, self.taken_at, self.read_back, self.failures) = (bytes, written, 0, 0);
        if matches!(self.stage, Stage::Written { .. }) {
            self.stage = Stage::Idle;
        }
        self.to_forget = Some(Forgettable { checkpoints_below: index, log_upto: index });
    }

    /// The newest that is good and marked; 0 if there is none.
    fn newest(&self) -> u64 {
        self.kept.last().copied().unwrap_or(0)
    }
}

impl Replica {
    /// Takes a checkpoint if one is due.
    pub(super) fn take_checkpoint(&mut self, now: Moment, effects: &mut Effects) {
        match self.checkpoints.stage {
            Stage::Idle => {}
            Stage::Resting { until } if until <= now => self.checkpoints.stage = Stage::Idle,
            Stage::Resting { .. } | Stage::Writing { .. } | Stage::Written { .. } | Stage::Marking { .. } => {
                return;
            }
        }
        let newest = self.checkpoints.newest();
        let written = self.persist.written();
        let log_bytes = written - self.checkpoints.taken_at + self.checkpoints.read_back;
        let is_due = self.applied - newest > self.config.snapshot_count
            && log_bytes >= self.checkpoints.bytes / LOG_SHARE;
        // The membership is ahead of the state as long as the state has not followed a snapshot of the leader's.
        let may = self.applied > newest && !self.install.is_restoring();
        if !may || !(is_due || self.raft.lacks_snapshot()) {
            return;
        }
        let stand =
            Stand { index: self.applied, term: self.applied_term, conf_state: self.raft.conf_state() };
        effects.note(Note::CheckpointTaken {
            member: self.config.me.id,
            applied: self.applied,
            newest,
            count: self.config.snapshot_count,
        });
        let (view, stand) = self.frozen(stand, newest);
        effects.push(Effect::WriteCheckpoint { view: Box::new(view), stand: Box::new(stand.clone()) });
        self.checkpoints.stage = Stage::Writing { stand, taken_at: written };
    }

    /// What is written, and where it stands.
    fn frozen(&self, stand: Stand, newest: u64) -> (View, Stand) {
        let plants = self.config.plants;
        let before = self.edition.as_ref().filter(|edition| edition.standing.applied > newest);
        match before {
            Some(before) if plants.has(Plant::ConsistentIndexOutsideTxn) => (before.view.clone(), stand),
            Some(before) if plants.has(Plant::ReadonlyEntryKeepsIndex) && self.changes.is_empty() => {
                let index = before.standing.applied;
                let term = self.raft.entry_term(index).unwrap_or(stand.term);
                (self.view(), Stand { index, term, ..stand })
            }
            _ => (self.view(), stand),
        }
    }

    /// It is on the disk, under its names.
    pub(super) fn checkpoint_done(&mut self, index: u64, bytes: u64) {
        let stage = core::mem::replace(&mut self.checkpoints.stage, Stage::Idle);
        let Stage::Writing { stand: Stand { index: asked, term, conf_state }, taken_at } = stage else {
            panic!("only a checkpoint that was asked for can be done")
        };
        assert_eq!(index, asked, "the checkpoint that was asked for is done");
        if index <= self.checkpoints.newest() {
            // The state has jumped beyond it meanwhile. It goes with the others before that.
            return;
        }
        self.checkpoints.bytes = bytes;
        self.checkpoints.taken_at = taken_at;
        self.checkpoints.read_back = 0;
        self.checkpoints.failures = 0;
        let mark = walpb::Snapshot { index, term, conf_state: Some(conf_state) };
        self.checkpoints.stage = Stage::Written { mark };
        self.notes.push(Note::CheckpointSaved { index });
    }

    /// The disk would not have it, and nothing of it is left. The log is whole, so all is well for now.
    pub(super) fn checkpoint_failed(&mut self, now: Moment, index: u64) {
        assert!(
            matches!(&self.checkpoints.stage, Stage::Writing { stand, .. } if stand.index == index),
            "only a checkpoint that is being written can fail"
        );
        let doublings = self.checkpoints.failures.min(RETRY_DOUBLINGS_MAX);
        let wait = self.config.election_timeout.times(RETRY_TIMEOUTS << doublings);
        self.checkpoints.failures = self.checkpoints.failures.saturating_add(1);
        self.checkpoints.stage = Stage::Resting { until: now + wait };
    }

    /// The mark of the newest checkpoint is on the disk: it counts, and what it replaces can go.
    pub(super) fn checkpoint_marked(&mut self) {
        let stage = core::mem::replace(&mut self.checkpoints.stage, Stage::Idle);
        let Stage::Marking { mark } = stage else { panic!("only a mark on its way can arrive") };
        let walpb::Snapshot { index, term, conf_state } = mark;
        let conf_state = conf_state.unwrap_or_default();
        self.raft.has_snapshot(SnapshotMetadata { conf_state, index, term });
        let kept = &mut self.checkpoints.kept;
        kept.push(index);
        kept.drain(..kept.len().saturating_sub(KEPT));
        let catch_up_from = index.saturating_sub(self.config.snapshot_catchup_entries);
        let before = self.raft.first_index();
        let first = self.raft.forget(catch_up_from);
        if first > before {
            self.notes.push(Note::LogCompacted { index: first - 1 });
        }
        if let [older, _] = kept[..] {
            let log_upto = older.min(catch_up_from);
            self.checkpoints.to_forget = Some(Forgettable { checkpoints_below: older, log_upto });
        } else if self.config.plants.has(Plant::ForgetsTooMuch) {
            self.checkpoints.to_forget = Some(Forgettable { checkpoints_below: index, log_upto: index });
        }
    }

    pub(super) fn forget(&mut self, effects: &mut Effects) {
        if let Some(Forgettable { checkpoints_below, log_upto }) = self.checkpoints.to_forget.take() {
            effects.push(Effect::Forget { checkpoints_below, log_upto });
        }
    }
}
