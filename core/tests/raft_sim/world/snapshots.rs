//! Checkpoints, what they let the log forget, and their way to those who then lack something.
use super::{Event, Node, World};
use detcd_core::raft::Raft;
use detcd_core::{MemberId, Rng, Span};
use detcd_proto::raftpb::{Message, MessageType, SnapshotMetadata};

/// How often, and how much is forgotten. Drawn apart, so that half of all stories go as they would without.
pub struct Habits {
    checkpoint_permille: u64,
    catch_up_max: u64,
}

impl Habits {
    pub fn draw(seed: u64) -> Habits {
        let mut rng = Rng::from_seed(!seed);
        Habits {
            checkpoint_permille: [0, 0, 5, 50][rng.below(4) as usize],
            catch_up_max: [1, 5, 50][rng.below(3) as usize],
        }
    }
}

pub fn is_snapshot(message: &Message) -> bool {
    message.r#type == MessageType::MsgSnap as i32
}

fn index_of(message: &Message) -> u64 {
    message.snapshot.as_ref().map_or(0, |snapshot| snapshot.metadata.index)
}

impl World {
    /// Now and then what was applied is worth a checkpoint.
    pub(super) fn checkpoint(&mut self, member: u64, raft: &Raft) {
        let rate = self.habits.checkpoint_permille;
        let node = &self.nodes[&member];
        if rate == 0 || node.is_busy || node.applied <= node.snapshot.index {
            return;
        }
        if !raft.lacks_snapshot() && self.rng.below(1000) >= rate {
            return;
        }
        let (index, term, life) = (node.applied, node.applied_term, node.life);
        let snapshot = SnapshotMetadata { conf_state: raft.conf_state(), index, term };
        self.node(member).is_busy = true;
        let time = self.tail(self.rates.sync_max.times(4));
        self.after(time, Event::Checkpointed { member, life, snapshot });
    }

    pub(super) fn checkpointed(
        &mut self,
        member: u64,
        life: u64,
        snapshot: SnapshotMetadata,
    ) -> Result<(), String> {
        if !self.lives(member, life) {
            return Ok(());
        }
        let catch_up = self.rng.below(self.habits.catch_up_max + 1);
        let keeps = self.rng.below(10);
        let node = self.node(member);
        node.is_busy = false;
        // The mark in the log counts with the commit index only.
        node.hard_state.commit = node.hard_state.commit.max(snapshot.index);
        node.snapshot = snapshot.clone();
        let mut base = (0, 0);
        self.turn(member, |raft, _| {
            let upto = snapshot.index.saturating_sub(catch_up);
            raft.has_snapshot(snapshot);
            raft.forget(upto);
            base = raft.base();
        })?;
        let node = self.node(member);
        if node.raft.is_some() && base.0 > node.base.0 + keeps {
            // The disk may keep more than the memory.
            node.forget(base.0 - keeps);
            self.deeds.forgotten += 1;
        }
        Ok(())
    }

    /// A snapshot on its way: slower than other messages, and what became of it is known at its origin, if not always
    /// rightly.
    pub(super) fn ship(&mut self, from: u64, to: u64, message: Message) {
        self.deeds.snapshots += 1;
        let is_lost = self.rng.below(1000) < self.rates.loss_permille || self.cuts.contains(&(from, to));
        if is_lost {
            self.report(from, to, &message, false);
            return;
        }
        if self.rng.below(1000) < self.rates.repeat_permille * 4 {
            self.deeds.repeated += 1;
            let delay = self.span(self.rates.delay_max.times(40));
            self.after(delay, Event::Deliver { from, to, message: Box::new(message.clone()) });
        }
        let delay = self.tail(self.rates.delay_max.times(10));
        self.after(delay, Event::Deliver { from, to, message: Box::new(message) });
    }

    pub(super) fn report(&mut self, from: u64, to: u64, message: &Message, arrived: bool) {
        self.deeds.snapshots_lost += u64::from(!arrived);
        let errs = !self.healed && self.rng.below(10) == 0;
        let delay = self.span(Span::millis(50));
        let (index, complete) = (index_of(message), arrived != errs);
        self.after(delay, Event::Shipped { from, to, index, complete });
    }

    pub(super) fn shipped(&mut self, from: u64, to: u64, index: u64, complete: bool) -> Result<(), String> {
        if self.nodes[&from].raft.is_none() {
            return Ok(());
        }
        self.turn(from, |raft, _| raft.snapshot_sent(MemberId(to), index, complete))
    }

    /// What was offered is read and made durable, one at a time.
    pub(super) fn stage(&mut self, member: u64, snapshot: SnapshotMetadata) {
        let node = self.node(member);
        if node.is_busy {
            return;
        }
        node.is_busy = true;
        let life = node.life;
        let time = self.tail(self.rates.sync_max.times(10));
        self.after(time, Event::Staged { member, life, snapshot });
    }

    pub(super) fn staged(
        &mut self,
        member: u64,
        life: u64,
        snapshot: &SnapshotMetadata,
    ) -> Result<(), String> {
        if !self.lives(member, life) {
            return Ok(());
        }
        self.judge.restored(member, snapshot)?;
        self.node(member).is_busy = false;
        self.turn(member, |raft, now| {
            raft.restore(now, snapshot);
        })
    }

    /// The state is replaced.
    pub(super) fn jump(&mut self, member: u64, index: u64) -> Result<(), String> {
        let node = self.node(member);
        let snapshot = &node.snapshot;
        if (snapshot.index, node.base.0) != (index, index) {
            return Err(format!("{member} jumps to {index} before its disk has it"));
        }
        if node.applied >= index {
            return Err(format!("{member} jumps back from {} to {index}", node.applied));
        }
        (node.applied, node.applied_term) = (index, snapshot.term);
        self.deeds.restored += 1;
        Ok(())
    }

    fn lives(&self, member: u64, life: u64) -> bool {
        let node = &self.nodes[&member];
        node.life == life && node.raft.is_some()
    }
}

impl Node {
    fn forget(&mut self, upto: u64) {
        let gone = (upto - self.base.0) as usize;
        self.base = (upto, self.disk[gone - 1].term);
        self.disk.drain(..gone);
    }
}
