//! The end of every turn: what the inputs came to leaves as few large effects.
use super::{Replica, persist::Purpose};
use crate::{Edition, Effect, Effects, Moment, Plant, raft::Write};
use alloc::{boxed::Box, sync::Arc};
use detcd_proto::etcdserverpb::ResponseHeader;

/// Records a compaction looks at in one turn: about as long as a small batch of puts takes, so that nobody waits for it.
const COMPACT_BUDGET: usize = 128;

impl Replica {
    pub(super) fn settle(&mut self, now: Moment, effects: &mut Effects) {
        if !self.is_founding {
            self.notice_leader(now);
            self.send_kept(now);
            self.send_kept_changes(now);
            self.ask(now);
            self.raft.settle(now);
            self.jump(effects);
            self.apply_committed(now, effects);
            // A renewal that waited for an entry asks only now.
            self.ask(now);
            self.notice_leader(now);
            self.notice_failed_transfer();
            self.hear_answers();
            self.answer_reads(now);
            self.compact_on();
            self.forget(effects);
            self.take_checkpoint(now, effects);
            self.write(effects);
            self.leave_if_expelled(effects);
            for (to, message) in self.raft.take_messages() {
                let is_snapshot = message.snapshot.is_some();
                let message = Box::new(message);
                effects.push(if is_snapshot {
                    Effect::SendCheckpoint { to, message }
                } else {
                    Effect::Send { to, message }
                });
            }
            for note in self.raft.take_notes().into_iter().chain(self.notes.drain(..)) {
                effects.note(note);
            }
            self.check();
        }
        self.publish_edition(effects);
        for (ticket, outcome) in self.replies.drain(..) {
            effects.reply(ticket, outcome);
        }
    }

    fn write(&mut self, effects: &mut Effects) {
        if !self.persist.is_idle() {
            return;
        }
        // Between a log that has begun anew and the mark that says so, nothing comes.
        let mark = if self.install.is_restoring() { None } else { self.checkpoints.mark() };
        // A mark counts only if the log says that its index is committed.
        let write = if mark.is_some() { self.raft.take_write_of_commit() } else { self.raft.take_write() };
        if write.is_none() && mark.is_none() {
            return;
        }
        let purpose =
            Purpose::Running { raft: write.as_ref().map(|write| write.number), mark: mark.is_some() };
        let Write { restored, entries, hard_state, .. } = write.unwrap_or_default();
        if let Some(restored) = restored {
            self.persist.restore(restored);
        }
        self.persist.start(purpose, &entries, hard_state.as_ref(), mark.as_ref(), effects);
    }

    /// Reacts if somebody leads now who did not lead at the last look. The same member in another term is somebody
    /// else: there may have been a third between.
    pub(super) fn notice_leader(&mut self, now: Moment) {
        let leader = self.raft.leader().map(|leader| (leader, self.raft.term()));
        if leader == self.leader {
            return;
        }
        self.leader = leader;
        self.is_dirty = true;
        self.demote_leases();
        let Some((leader, _)) = leader else { return };
        if leader == self.config.me.id {
            self.elected = Some(now);
        }
        if self.config.plants.has(Plant::ReadVsLeaderChange) {
            self.reads.join();
        } else {
            self.abandon_reads();
        }
        self.transferred(leader);
    }

    fn publish_edition(&mut self, effects: &mut Effects) {
        let standing = self.standing();
        let is_news = self.edition.as_ref().is_none_or(|edition| edition.standing != standing);
        if !is_news && !self.is_dirty && self.changes.is_empty() {
            return;
        }
        self.is_dirty = false;
        let is_jump = core::mem::take(&mut self.has_jumped);
        let mut changes = core::mem::take(&mut self.changes);
        if is_jump {
            // They would be heard without what came before them.
            changes.clear();
        }
        let edition = Arc::new(Edition {
            view: self.view(),
            changes,
            is_jump,
            standing,
            stand: self.stand(),
            tally: self.state.tally,
        });
        self.edition = Some(edition.clone());
        effects.push(Effect::Publish(edition));
    }

    /// Removes a slice of what compactions have made unreadable.
    fn compact_on(&mut self) {
        if self.state.store.is_compacting() {
            // Nobody can read what a slice removes. Publishing each would only make the next one copy what it touches.
            let records = self.state.store.keyspace().records();
            self.is_dirty |= self.state.store.compact_step(COMPACT_BUDGET);
            self.state.tally.compacted_records += (records - self.state.store.keyspace().records()) as u64;
        }
        let done = self.state.store.compacted_physically();
        let mut at = 0;
        while let Some((bound, ..)) = self.compactions.get(at) {
            if *bound <= done {
                let (_, ticket, outcome) = self.compactions.remove(at);
                self.reply(ticket, outcome);
            } else {
                at += 1;
            }
        }
    }

    /// The stamp of an answer made here and now.
    pub(super) fn header(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.config.cluster_id.0,
            member_id: self.config.me.id.0,
            revision,
            raft_term: self.raft.term(),
        }
    }

    fn check(&self) {
        self.raft.invariants();
        assert!(self.applied <= self.raft.commit(), "applied before it was committed");
        assert!(self.changes.is_empty() || self.is_dirty, "changes are shown in the turn that made them");
    }
}
