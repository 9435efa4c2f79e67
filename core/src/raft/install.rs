//! The place of snapshots: what happens when a member needs entries that the leader no longer holds.
//!
//! No leader of ours drops entries yet, so none sends a snapshot; a member that needs one is left alone
//! ([`Mode::Snapshot`](super::Mode)) and reported once. A snapshot that a foreign leader sends is declined the way etcd
//! declines one that it does not need: with how far this member is.
use super::Raft;
use crate::MemberId;

impl Raft {
    pub(super) fn take_snapshot(&mut self, from: MemberId) {
        self.refuse(from, "snapshots cannot be installed yet");
        self.match_up_to(self.commit, self.commit);
    }
}
