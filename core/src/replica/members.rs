//! Whether the members may be changed as somebody wants. Source: contract-semantics 12.
//!
//! What is checked is what etcd checks before it proposes, and what it would find when the change is applied. Carrying
//! a change out is not built.
use super::Replica;
use crate::{Member, MemberChange, MemberId, Moment, Refusal, Span, state::shares_url};
use alloc::string::String;

/// A link that has stood so long counts.
const HEALTHY_AFTER: Span = Span::secs(5);

impl Replica {
    pub(super) fn change_members(&self, now: Moment, change: &MemberChange) -> Refusal {
        let (checked, what) = match change {
            MemberChange::Add { peer_urls, is_learner } => {
                (self.may_add(now, peer_urls, *is_learner), "Cluster/MemberAdd")
            }
            MemberChange::Remove(id) => (self.may_remove(now, *id), "Cluster/MemberRemove"),
            MemberChange::Update { id, peer_urls } => {
                (self.may_update(*id, peer_urls), "Cluster/MemberUpdate")
            }
            MemberChange::Promote(id) => (self.may_promote(*id), "Cluster/MemberPromote"),
        };
        checked.err().unwrap_or(Refusal::NotBuilt(what))
    }

    fn may_add(&self, now: Moment, peer_urls: &[String], is_learner: bool) -> Result<(), Refusal> {
        let voters = self.voters().count();
        if self.config.strict_reconfig_check {
            let started = self.voters().filter(is_started).count();
            let alone = voters == 1 && started == 1;
            if !is_learner && !alone && started < quorum(voters + 1) {
                return Err(Refusal::MemberNotEnoughStarted);
            }
            if voters != 1 && self.connected(now) < quorum(voters + 1) {
                return Err(Refusal::Unhealthy);
            }
        }
        let members = self.state.members.shared();
        if members.iter().any(|member| shares_url(member, peer_urls)) {
            return Err(Refusal::PeerURLExist);
        }
        let learners = members.len() - voters;
        if is_learner && learners >= self.config.max_learners {
            Err(Refusal::TooManyLearners)
        } else {
            Ok(())
        }
    }

    fn may_remove(&self, now: Moment, id: MemberId) -> Result<(), Refusal> {
        let victim = self.state.members.get(id);
        if self.config.strict_reconfig_check && victim.is_none_or(|victim| !victim.is_learner) {
            let others = || self.voters().filter(|member| member.id != id);
            if others().filter(is_started).count() < quorum(others().count()) {
                return Err(Refusal::MemberNotEnoughStarted);
            }
            // One that is down is part of no quorum.
            let is_up = id == self.config.me.id || self.linked.contains_key(&id);
            if is_up
                && self.connected(now).saturating_sub(1) < quorum(self.voters().count().saturating_sub(1))
            {
                return Err(Refusal::Unhealthy);
            }
        }
        victim.map(|_| ()).ok_or(Refusal::MemberNotFound)
    }

    fn may_update(&self, id: MemberId, peer_urls: &[String]) -> Result<(), Refusal> {
        self.state.members.get(id).ok_or(Refusal::MemberNotFound)?;
        let members = self.state.members.shared();
        if members.iter().any(|member| member.id != id && shares_url(member, peer_urls)) {
            Err(Refusal::PeerURLExist)
        } else {
            Ok(())
        }
    }

    /// Only a leader knows how far a learner is; the others look at what they know.
    fn may_promote(&self, id: MemberId) -> Result<(), Refusal> {
        let member = self.state.members.get(id).ok_or(Refusal::MemberNotFound)?;
        let raft = self.raft.status();
        let peer = raft.peers.iter().find(|peer| peer.id == id);
        // Nine tenths of what the leader has are enough.
        if peer.is_some_and(|peer| peer.matched.saturating_mul(10) < raft.last_index.saturating_mul(9)) {
            return Err(Refusal::LearnerNotReady);
        }
        let (voters, started) = (self.voters().count(), self.voters().filter(is_started).count());
        if self.config.strict_reconfig_check && self.raft.is_leader() && started + 1 < quorum(voters + 1) {
            return Err(Refusal::MemberNotEnoughStarted);
        }
        if member.is_learner { Ok(()) } else { Err(Refusal::MemberNotLearner) }
    }

    fn voters(&self) -> impl Iterator<Item = &Member> {
        self.state.members.iter().filter(|member| !member.is_learner)
    }

    /// The voters with which a link has stood for a while, this member among them.
    fn connected(&self, now: Moment) -> usize {
        let stands = |id: MemberId| self.linked.get(&id).is_some_and(|since| *since + HEALTHY_AFTER < now);
        self.voters().filter(|voter| voter.id == self.config.me.id || stands(voter.id)).count()
    }
}

fn is_started(member: &&Member) -> bool {
    !member.name.is_empty()
}

fn quorum(members: usize) -> usize {
    members / 2 + 1
}
