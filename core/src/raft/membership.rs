//! Who takes part, and how that changes: one voter at a time, or any number by way of a joint configuration.
//!
//! Raft 6, Ongaro's thesis 4, and etcd's rules for learners: a learner receives the log and counts in no quorum; a
//! voter that becomes a learner stays a voter of the outgoing half until the joint configuration is left.
use crate::MemberId;
use alloc::vec::Vec;
use detcd_proto::raftpb::{
    ConfChange, ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState,
};

/// All lists ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    pub voters: Vec<MemberId>,
    /// The voters before the change under way; empty unless the configuration is joint.
    pub voters_outgoing: Vec<MemberId>,
    pub learners: Vec<MemberId>,
    /// Become learners when the joint configuration is left; until then they vote in the outgoing half.
    pub learners_next: Vec<MemberId>,
    /// The leader leaves the joint configuration by itself as soon as it is applied.
    pub auto_leave: bool,
}

impl Membership {
    pub fn of(state: &ConfState) -> Membership {
        let set = |ids: &[u64]| {
            let mut set: Vec<MemberId> = ids.iter().map(|id| MemberId(*id)).collect();
            set.sort_unstable();
            set.dedup();
            set
        };
        Membership {
            voters: set(&state.voters),
            voters_outgoing: set(&state.voters_outgoing),
            learners: set(&state.learners),
            learners_next: set(&state.learners_next),
            auto_leave: state.auto_leave,
        }
    }

    pub fn conf_state(&self) -> ConfState {
        let ids = |set: &[MemberId]| set.iter().map(|member| member.0).collect();
        ConfState {
            voters: ids(&self.voters),
            learners: ids(&self.learners),
            voters_outgoing: ids(&self.voters_outgoing),
            learners_next: ids(&self.learners_next),
            auto_leave: self.auto_leave,
        }
    }

    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }

    /// Votes in either half.
    pub fn is_voter(&self, member: MemberId) -> bool {
        holds(&self.voters, member) || holds(&self.voters_outgoing, member)
    }

    pub fn contains(&self, member: MemberId) -> bool {
        self.is_voter(member) || holds(&self.learners, member)
    }

    pub fn is_sole_voter(&self, member: MemberId) -> bool {
        !self.is_joint() && self.voters == [member]
    }

    /// Everybody who votes, ascending, each once.
    pub fn all_voters(&self) -> Vec<MemberId> {
        let mut all = self.voters.clone();
        all.extend_from_slice(&self.voters_outgoing);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Everybody who receives the log, ascending, each once.
    pub fn all(&self) -> Vec<MemberId> {
        let mut all = self.all_voters();
        all.extend_from_slice(&self.learners);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What becomes of this membership; an error leaves it as it is, on every member alike. Changes that name member
    /// 0 are skipped, as etcd does with those it refused when it applied them.
    pub fn changed(&self, change: &ConfChangeV2) -> Result<Membership, &'static str> {
        if leaves_joint(change) {
            return self.left_joint();
        }
        if self.is_joint() {
            return Err("a joint configuration must be left before the next change");
        }
        let mut next = self.clone();
        let automatic = change.transition == ConfChangeTransition::Auto as i32;
        let joint = !automatic || change.changes.len() > 1;
        if joint {
            if self.voters.is_empty() {
                return Err("nobody can vote for a joint configuration");
            }
            next.voters_outgoing = self.voters.clone();
            next.auto_leave = change.transition != ConfChangeTransition::JointExplicit as i32;
        }
        for single in &change.changes {
            next.change_one(single)?;
        }
        if next.voters.is_empty() {
            return Err("a change may not remove the last voter");
        }
        Ok(next)
    }

    fn change_one(&mut self, single: &ConfChangeSingle) -> Result<(), &'static str> {
        let member = MemberId(single.node_id);
        if single.node_id == 0 {
            return Ok(());
        }
        match ConfChangeType::try_from(single.r#type) {
            Ok(ConfChangeType::ConfChangeAddNode) => {
                remove(&mut self.learners, member);
                remove(&mut self.learners_next, member);
                insert(&mut self.voters, member);
            }
            Ok(ConfChangeType::ConfChangeAddLearnerNode) => {
                remove(&mut self.voters, member);
                if holds(&self.voters_outgoing, member) {
                    insert(&mut self.learners_next, member);
                } else {
                    insert(&mut self.learners, member);
                }
            }
            Ok(ConfChangeType::ConfChangeRemoveNode) => {
                remove(&mut self.voters, member);
                remove(&mut self.learners, member);
                remove(&mut self.learners_next, member);
            }
            Ok(ConfChangeType::ConfChangeUpdateNode) => {}
            Err(_) => return Err("an unknown kind of membership change"),
        }
        Ok(())
    }

    fn left_joint(&self) -> Result<Membership, &'static str> {
        if !self.is_joint() {
            return Err("there is no joint configuration to leave");
        }
        let mut next = self.clone();
        next.voters_outgoing.clear();
        next.auto_leave = false;
        for member in core::mem::take(&mut next.learners_next) {
            insert(&mut next.learners, member);
        }
        Ok(next)
    }
}

/// A change without any content asks to leave the joint configuration.
pub fn leaves_joint(change: &ConfChangeV2) -> bool {
    change.changes.is_empty() && change.transition == ConfChangeTransition::Auto as i32
}

/// The older form of a change, of one member, in the shape of the newer.
pub fn widened(change: &ConfChange) -> ConfChangeV2 {
    ConfChangeV2 {
        transition: ConfChangeTransition::Auto as i32,
        changes: alloc::vec![ConfChangeSingle { r#type: change.r#type, node_id: change.node_id }],
        context: change.context.clone(),
    }
}

fn holds(set: &[MemberId], member: MemberId) -> bool {
    set.binary_search(&member).is_ok()
}

fn insert(set: &mut Vec<MemberId>, member: MemberId) {
    if let Err(at) = set.binary_search(&member) {
        set.insert(at, member);
    }
}

fn remove(set: &mut Vec<MemberId>, member: MemberId) {
    if let Ok(at) = set.binary_search(&member) {
        set.remove(at);
    }
}
