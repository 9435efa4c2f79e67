//! What a replica's operators, tests and judges may know of its Raft.
use super::{Mode, Raft, Role};
use crate::MemberId;
use alloc::vec::Vec;
use detcd_proto::raftpb::ConfState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub id: MemberId,
    pub role: RoleKind,
    pub term: u64,
    pub vote: Option<MemberId>,
    pub leader: Option<MemberId>,
    pub commit: u64,
    /// Handed out to be applied.
    pub applied: u64,
    /// This member's log is durable up to here.
    pub durable: u64,
    pub last_index: u64,
    pub last_term: u64,
    pub conf_state: ConfState,
    /// To whom leadership is being handed.
    pub transferee: Option<MemberId>,
    /// A leader's view of everybody else, ascending by id.
    pub peers: Vec<PeerStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    pub id: MemberId,
    pub matched: u64,
    pub next: u64,
    pub mode: Mode,
    /// Appends under way.
    pub inflight: usize,
    /// Was heard since the last quorum check.
    pub active: bool,
}

impl Raft {
    pub fn role(&self) -> RoleKind {
        match self.role {
            Role::Follower(_) => RoleKind::Follower,
            Role::PreCandidate(_) => RoleKind::PreCandidate,
            Role::Candidate(_) => RoleKind::Candidate,
            Role::Leader(_) => RoleKind::Leader,
        }
    }

    pub fn status(&self) -> Status {
        let (mut peers, mut transferee) = (Vec::new(), None);
        if let Role::Leader(leader) = &self.role {
            transferee = leader.handover.as_ref().map(|handover| handover.to);
            peers.extend(leader.progress.iter().map(|(id, progress)| PeerStatus {
                id: *id,
                matched: progress.matched,
                next: progress.next,
                mode: progress.mode,
                inflight: progress.inflight(),
                active: progress.active,
            }));
        }
        Status {
            id: self.id,
            role: self.role(),
            term: self.ballot.term,
            vote: self.ballot.vote,
            leader: self.leader,
            commit: self.commit,
            applied: self.handed,
            durable: self.durability.durable(),
            last_index: self.log.last_index(),
            last_term: self.log.last_term(),
            conf_state: self.membership.conf_state(),
            transferee,
            peers,
        }
    }
}
