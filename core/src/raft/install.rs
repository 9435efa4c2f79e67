//! Snapshots: what happens when a member needs entries that the leader no longer holds. Raft 7.
//!
//! Raft sees of a snapshot where it stands and who was in the cluster there. What it contains travels beside the
//! message, and whoever runs this moves it:
//!
//! 1. The leader's message leaves by `take_messages`; what became of it is told by [`Raft::snapshot_sent`].
//! 2. The follower takes the message once everything that belongs to it has arrived. A snapshot that is wanted shows in
//!    [`Raft::take_offer`]: it is to be read and made durable.
//! 3. [`Raft::restore`] then puts it in the place of the log. The next write says so; until it is on the disk, this member
//!    acknowledges no more than its old log held.
//! 4. [`Raft::take_restored`] says that the state is to be replaced: nothing that follows is handed out before.
use super::membership::Membership;
use super::{Log, Progress, Raft, Role, message};
use crate::{MemberId, Moment, Note};
use alloc::vec::Vec;
use detcd_proto::raftpb::{Message, MessageType, Snapshot, SnapshotMetadata};

/// No log grows so long; behind what lies there, indexes could not be counted.
const INDEX_MAX: u64 = u64::MAX / 2;

pub fn message(to: MemberId, newest: &SnapshotMetadata) -> Message {
    let snapshot = Snapshot { data: None, metadata: newest.clone() };
    Message { snapshot: Some(snapshot), ..message::to(MessageType::MsgSnap, to) }
}

/// Whether a member can go on from this snapshot, and with the entries behind `base` after it. One that joined later would
/// find itself to be a stranger.
pub fn serves(snapshot: &SnapshotMetadata, member: MemberId, base: u64) -> bool {
    snapshot.index >= base && Membership::of(&snapshot.conf_state).contains(member)
}

impl Raft {
    /// The newest snapshot that can be sent from now on.
    pub fn has_snapshot(&mut self, newest: SnapshotMetadata) {
        if self.newest_snapshot.as_ref().is_none_or(|known| known.index < newest.index) {
            self.newest_snapshot = Some(newest);
        }
    }

    /// This snapshot can no longer be sent.
    pub fn lost_snapshot(&mut self, index: u64) {
        self.newest_snapshot.take_if(|newest| newest.index == index);
    }

    /// Somebody needs a snapshot of what is applied now: there is none from which it could go on.
    pub fn lacks_snapshot(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        leader.progress.values().any(|progress| progress.lacking && (progress.active || progress.was_active))
    }

    /// A snapshot for `peer` is there (`complete`), or did not get there.
    pub fn snapshot_sent(&mut self, peer: MemberId, index: u64, complete: bool) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(progress) = leader.progress.get_mut(&peer)
        {
            progress.snapshot_sent(index, complete);
        }
    }

    /// The lowest snapshot that is on its way to somebody.
    pub(super) fn snapshot_pending(&self) -> Option<u64> {
        let Role::Leader(leader) = &self.role else { return None };
        leader.progress.values().filter_map(Progress::pending).min()
    }

    pub(super) fn take_snapshot(&mut self, from: MemberId, m: Message) {
        let Some(Snapshot { metadata, .. }) = m.snapshot else {
            return self.refuse(from, "it sends a snapshot that says nothing of itself");
        };
        if metadata.term == 0 || metadata.term > m.term || metadata.index > INDEX_MAX {
            return self.refuse(from, "it sends a snapshot from a term or of an index that cannot be");
        }
        if self.needs(&metadata) {
            if let Err(reason) = self.may_restore(&metadata) {
                return self.refuse(from, reason);
            }
            self.offer = Some(metadata);
        } else {
            self.match_up_to(self.commit, self.commit);
        }
    }

    /// Whether this member lacks what the snapshot holds. If its log only does not know yet that all of that is
    /// committed, it does from here on.
    fn needs(&mut self, metadata: &SnapshotMetadata) -> bool {
        if metadata.index > self.commit && self.log.term(metadata.index) == Some(metadata.term) {
            self.commit_to(metadata.index);
        }
        metadata.index > self.commit
    }

    fn may_restore(&self, metadata: &SnapshotMetadata) -> Result<(), &'static str> {
        let membership = Membership::of(&metadata.conf_state);
        if membership.voters.is_empty() {
            return Err("it sends a snapshot of a cluster in which nobody votes");
        }
        if !membership.contains(self.id) {
            return Err("it sends a snapshot of a cluster without this member");
        }
        let known = self.log.term(self.commit).unwrap_or(0);
        if metadata.term < known {
            return Err("it sends a snapshot that goes back behind what is committed");
        }
        Ok(())
    }

    /// The snapshot that this member was sent and wants. There is one at most: the last.
    pub fn take_offer(&mut self) -> Option<SnapshotMetadata> {
        self.offer.take()
    }

    /// A snapshot that was offered is durable; the log is to begin behind it. False if it is not needed any more, or not
    /// trusted: the log has grown beyond it meanwhile.
    pub fn restore(&mut self, now: Moment, metadata: &SnapshotMetadata) -> bool {
        let is_old = metadata.term > self.ballot.term || !self.needs(metadata);
        // Whoever leads holds everything that is committed: what it lacks never was.
        if is_old || self.is_leader() || self.may_restore(metadata).is_err() {
            // The leader waits to hear how far this member is.
            self.match_up_to(self.commit, self.commit);
            return false;
        }
        // A candidate asked for votes with another log.
        if !matches!(self.role, Role::Follower(_)) {
            self.become_follower(now, self.ballot.term, None);
        }
        let (kept, index) = (self.commit, metadata.index);
        self.log = Log::new((index, metadata.term), Vec::new());
        self.commit = index;
        self.conf_change_open = false;
        self.durability.restored(kept, metadata.clone());
        self.notes.push(Note::SnapshotRestored { index, term: metadata.term, commit: kept });
        self.change_membership(now, Membership::of(&metadata.conf_state));
        self.has_snapshot(metadata.clone());
        // What is committed is in every log that can lead.
        self.match_up_to(index, index);
        true
    }

    /// The snapshot in whose place the log begins is durable as such: the state is to be replaced by what it holds, up
    /// to this index.
    pub fn take_restored(&mut self) -> Option<u64> {
        let base = self.log.base_index();
        if self.handed >= base || self.durability.durable() < base {
            return None;
        }
        self.handed = base;
        Some(base)
    }

    /// The state has to be replaced before anything more is applied to it.
    pub(super) fn is_restoring(&self) -> bool {
        self.handed < self.log.base_index()
    }
}
