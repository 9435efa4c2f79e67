//! Checkpoints on their way between members, and a state that jumps to one. Source: contract-semantics 16.3.
//!
//! One that arrives is a draft on the disk, and Raft says whether it is wanted. The world then reads it and makes it
//! durable under its names; Raft puts it in the place of the log; the log's next write says so. Only then does the state
//! follow: what this member shows is never ahead of what its disk would bring back.
use super::{Replica, Restored};
use crate::{
    Effect, Effects, MemberId, Moment, Note, Plant, auth::TokenChange, input::Shipment, state::State,
};
use alloc::{boxed::Box, vec::Vec};
use detcd_proto::raftpb::{Message, SnapshotMetadata};

/// What becomes of the checkpoint that arrived last.
#[derive(Debug, Default)]
pub struct Install {
    stage: Stage,
    /// What the world must know of drafts.
    words: Vec<Effect>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The world reads it and makes it durable.
    Staging { draft: u64, from: MemberId, snapshot: Box<SnapshotMetadata> },
    /// It is in the place of the log; the disk is to say so.
    Restoring(Box<Restored>),
}

impl Install {
    /// The log has begun anew, and the state has not followed yet.
    pub fn is_restoring(&self) -> bool {
        matches!(self.stage, Stage::Restoring(_))
    }
}

impl Replica {
    /// A peer's snapshot, whole and on the disk as this draft.
    pub(super) fn checkpoint_arrived(&mut self, now: Moment, from: MemberId, message: Message, draft: u64) {
        if self.is_founding {
            return self.install.words.push(Effect::DropCheckpoint { draft });
        }
        self.raft.step(now, from, message);
        let offer = self.raft.take_offer();
        // Of two in quick succession the second must wait: the leader sends it again if it is still needed.
        let is_free = matches!(self.install.stage, Stage::Idle);
        match offer.filter(|_| is_free) {
            Some(snapshot) => {
                self.notes.push(Note::SnapshotApplying { index: snapshot.index, applied: self.applied });
                self.install
                    .words
                    .push(Effect::StageCheckpoint { draft, snapshot: Box::new(snapshot.clone()) });
                self.install.stage = Stage::Staging { draft, from, snapshot: Box::new(snapshot) };
            }
            None => self.install.words.push(Effect::DropCheckpoint { draft }),
        }
    }

    /// What was to be staged is durable under its names, or of no use.
    pub(super) fn checkpoint_staged(&mut self, now: Moment, draft: u64, restored: Option<Box<Restored>>) {
        let stage = core::mem::take(&mut self.install.stage);
        let Stage::Staging { draft: asked, from, snapshot } = stage else {
            panic!("only a checkpoint that was wanted can be staged")
        };
        assert_eq!(draft, asked, "the checkpoint that was wanted is staged");
        let Some(restored) = restored else { return };
        assert_eq!(restored.stand.index, snapshot.index, "what was staged is what was wanted");
        if restored.view.keyspace.revision() < self.state.store.keyspace().revision() {
            let reason = "it sends a snapshot that takes back what was seen";
            return self.notes.push(Note::MessageRefused { from, reason });
        }
        if self.raft.restore(now, &snapshot) {
            self.install.stage = Stage::Restoring(restored);
        }
    }

    /// What became of a checkpoint that was sent.
    pub(super) fn checkpoint_sent(&mut self, to: MemberId, index: u64, shipment: Shipment) {
        if shipment == Shipment::Unreadable {
            self.raft.lost_snapshot(index);
        }
        self.raft.snapshot_sent(to, index, shipment == Shipment::Complete);
    }

    /// The state follows the log, once the disk knows of it.
    pub(super) fn jump(&mut self, effects: &mut Effects) {
        self.install.words.drain(..).for_each(|word| effects.push(word));
        let Some(index) = self.raft.take_restored() else { return };
        let Stage::Restoring(restored) = core::mem::take(&mut self.install.stage) else {
            panic!("the log begins anew behind what was staged")
        };
        let Restored { view, stand, bytes } = *restored;
        assert_eq!(stand.index, index, "the state and the log begin at the same place");
        assert!(index > self.applied, "a jump leads forward");
        let tally = self.state.tally;
        self.state = State::from_view(&self.config, view);
        self.state.tally = tally;
        let revision = self.state.store.keyspace().revision();
        if !self.config.plants.has(Plant::SnapshotIndexOverwritten) {
            self.applied = index;
        }
        self.applied_term = stand.term;
        // Whoever watches is served from the view.
        self.changes.clear();
        (self.is_dirty, self.has_jumped) = (true, true);
        self.checkpoints.restored(index, bytes, self.persist.written());
        effects.push(self.peers());
        if self.state.members.is_removed(self.config.me.id) {
            self.expelled(None);
        }
        // Which of them would have been dropped on the way nobody knows.
        effects.push(Effect::Tokens(TokenChange::AllDropped));
        effects.note(Note::SnapshotApplied { index, term: stand.term, revision });
    }
}
