//! Who may be a member: the changes that somebody wants, what is checked before they are proposed, and how they get
//! into the log. What the log then makes of them is `state::members`' to say. Source: contract-semantics 12.
use super::{Replica, changes::Changes};
use crate::{
    Effect, Effects, Member, MemberChange, MemberId, Moment, Note, Plant, Refusal, Span, Ticket,
    state::member_json::{self, Described},
};
use alloc::{string::String, vec::Vec};
use bytes::Bytes;
use detcd_proto::{
    Message,
    raftpb::{ConfChange, ConfChangeType, EntryType},
};

/// A link that has stood so long counts.
const HEALTHY_AFTER: Span = Span::secs(5);

/// What a replica knows of changes of the members beyond what the log says.
#[derive(Debug, Default)]
pub struct Reform {
    pub changes: Changes,
    /// When a leader that promotes learners by itself looks at them again.
    promote_due: Moment,
    /// This member was removed, and by whose word if the log has not said so yet.
    removed: Option<Option<MemberId>>,
    /// The driver knows.
    is_told: bool,
}

impl Replica {
    pub(super) fn change_members(&mut self, now: Moment, ticket: Ticket, change: MemberChange) {
        let change = match self.permitted(now, change) {
            Ok(change) => change,
            Err(refusal) => return self.reply(ticket, Err(refusal)),
        };
        if let Err(refusal) = self.propose_change(now, Some(ticket), change) {
            self.reply(ticket, Err(refusal));
        }
    }

    /// A change that may be proposed, in the form the log has it in.
    fn permitted(&self, now: Moment, change: MemberChange) -> Result<ConfChange, Refusal> {
        use ConfChangeType::{
            ConfChangeAddLearnerNode, ConfChangeAddNode, ConfChangeRemoveNode, ConfChangeUpdateNode,
        };
        let described = |id, peer_urls, is_learner, is_promote| {
            let member = Member { peer_urls, is_learner, ..Member::unnamed(id) };
            Some(member_json::encode(&Described { member, is_promote }).into())
        };
        let (kind, id, context) = match change {
            MemberChange::Add { id, peer_urls, is_learner } => {
                self.may_add(now, is_learner)?;
                let kind = if is_learner { ConfChangeAddLearnerNode } else { ConfChangeAddNode };
                (kind, id, described(id, peer_urls, is_learner, false))
            }
            MemberChange::Remove(id) => {
                self.may_remove(now, id)?;
                (ConfChangeRemoveNode, id, None)
            }
            MemberChange::Update { id, peer_urls } => {
                (ConfChangeUpdateNode, id, described(id, peer_urls, false, false))
            }
            MemberChange::Promote(id) => {
                self.may_promote(id)?;
                (ConfChangeAddNode, id, described(id, Vec::new(), false, true))
            }
        };
        Ok(ConfChange { id: 0, r#type: kind.into(), node_id: id.0, context })
    }

    fn propose_change(
        &mut self,
        now: Moment,
        ticket: Option<Ticket>,
        change: ConfChange,
    ) -> Result<(), Refusal> {
        let id = self.request_ids.next();
        let data = Bytes::from(ConfChange { id, ..change }.encode_to_vec());
        match self.hand_over(now, EntryType::EntryConfChange, data.clone()) {
            Ok(()) => {}
            Err(Refusal::NoLeader) if ticket.is_some() => self.reform.changes.keep(id, data),
            Err(refusal) => return Err(refusal),
        }
        if let Some(displaced) = ticket.and_then(|ticket| self.reform.changes.wait(id, ticket)) {
            self.reply(displaced, Err(Refusal::Timeout));
        }
        Ok(())
    }

    /// Sends the changes that were kept, now that somebody leads.
    pub(super) fn send_kept_changes(&mut self, now: Moment) {
        while let Some((id, data)) = self.reform.changes.next_unsent() {
            match self.hand_over(now, EntryType::EntryConfChange, data.clone()) {
                Ok(()) => {}
                Err(Refusal::NoLeader) => return self.reform.changes.put_back(id, data),
                Err(refusal) => {
                    if let Some(ticket) = self.reform.changes.resolve(id) {
                        self.reply(ticket, Err(refusal));
                    }
                }
            }
        }
    }

    fn may_add(&self, now: Moment, is_learner: bool) -> Result<(), Refusal> {
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
        // Asked here and not when it is applied: what a flag of this member says must not decide what the log means.
        let learners = self.state.members.iter().filter(|member| member.is_learner).count();
        if is_learner && learners >= self.config.max_learners {
            return Err(Refusal::TooManyLearners);
        }
        Ok(())
    }

    fn may_remove(&self, now: Moment, id: MemberId) -> Result<(), Refusal> {
        let victim = self.state.members.get(id);
        if !self.config.strict_reconfig_check || victim.is_some_and(|victim| victim.is_learner) {
            return Ok(());
        }
        let others = || self.voters().filter(|member| member.id != id);
        if others().filter(is_started).count() < quorum(others().count()) {
            return Err(Refusal::MemberNotEnoughStarted);
        }
        // One that is down is part of no quorum.
        let is_up = id == self.config.me.id || self.linked.contains_key(&id);
        if is_up && self.connected(now).saturating_sub(1) < quorum(self.voters().count().saturating_sub(1)) {
            return Err(Refusal::Unhealthy);
        }
        Ok(())
    }

    /// Only a leader knows how far a learner is. Nine tenths of what it has itself are enough.
    fn may_promote(&self, id: MemberId) -> Result<(), Refusal> {
        if !self.raft.is_leader() {
            return Err(Refusal::NotLeader);
        }
        if self.config.plants.has(Plant::PromoteUnstarted) {
            return Ok(());
        }
        let raft = self.raft.status();
        let peer = raft.peers.iter().find(|peer| peer.id == id);
        let matched =
            if id == self.config.me.id { Some(raft.durable) } else { peer.map(|peer| peer.matched) };
        let matched = matched.ok_or(Refusal::MemberNotFound)?;
        if matched.saturating_mul(10) < raft.durable.saturating_mul(9) {
            return Err(Refusal::LearnerNotReady);
        }
        let (voters, started) = (self.voters().count(), self.voters().filter(is_started).count());
        if self.config.strict_reconfig_check && started + 1 < quorum(voters + 1) {
            return Err(Refusal::MemberNotEnoughStarted);
        }
        Ok(())
    }

    fn voters(&self) -> impl Iterator<Item = &Member> {
        self.state.members.iter().filter(|member| !member.is_learner)
    }

    /// The voters with which a link has stood for a while, this member among them.
    fn connected(&self, now: Moment) -> usize {
        let stands = |id: MemberId| self.linked.get(&id).is_some_and(|since| *since + HEALTHY_AFTER < now);
        self.voters().filter(|voter| voter.id == self.config.me.id || stands(voter.id)).count()
    }

    // ---- learners that are promoted by themselves

    /// The learners that would be voters if they had caught up.
    fn candidates(&self) -> impl Iterator<Item = &Member> {
        let wanted = self.config.promote_learners && self.raft.is_leader();
        self.state.members.iter().filter(move |member| wanted && member.is_learner && is_started(member))
    }

    pub(super) fn promotion_due(&self) -> Option<Moment> {
        self.candidates().next().map(|_| self.reform.promote_due)
    }

    pub(super) fn promote_learners(&mut self, now: Moment) {
        if self.promotion_due().is_none_or(|due| now < due) {
            return;
        }
        self.reform.promote_due = now + self.config.election_timeout;
        let ready =
            self.candidates().find(|member| self.may_promote(member.id).is_ok()).map(|member| member.id);
        if let Some(id) = ready
            && let Ok(change) = self.permitted(now, MemberChange::Promote(id))
        {
            // What does not come through is due again soon.
            self.propose_change(now, None, change).ok();
        }
    }

    // ---- a member that is one no more

    pub(super) fn expelled(&mut self, by: Option<MemberId>) {
        self.reform.removed.get_or_insert(by);
    }

    /// A leader goes on to lead until the others know that it is gone, and hands over then.
    pub(super) fn leave_if_expelled(&mut self, effects: &mut Effects) {
        let Some(by) = self.reform.removed.filter(|_| !self.reform.is_told && !self.raft.is_leader()) else {
            return;
        };
        self.reform.is_told = true;
        effects.note(Note::Expelled { by });
        effects.push(Effect::Expelled);
    }

    /// Who the peers are, now that that has changed.
    pub(super) fn peers(&self) -> Effect {
        let members = &self.state.members;
        Effect::Peers {
            peers: members.others(self.config.me.id),
            removed: members.removed().iter().copied().collect(),
        }
    }

    /// The log has changed who is a member.
    pub(super) fn tell_change(&mut self, change: &ConfChange, effects: &mut Effects) {
        let id = MemberId(change.node_id);
        if id.0 == 0 {
            return;
        }
        let member = self.state.members.get(id).cloned();
        let is_promotion = |member: &Member| {
            let described = member_json::decode(change.context.as_deref().unwrap_or_default());
            !member.is_learner && described.is_some_and(|described| described.is_promote)
        };
        match member {
            None => {
                self.linked.remove(&id);
                if id == self.config.me.id {
                    self.expelled(None);
                }
                effects.note(Note::MemberRemoved(id));
            }
            Some(member) if change.r#type == ConfChangeType::ConfChangeUpdateNode as i32 => {
                effects.note(Note::MemberUpdated(member));
            }
            Some(member) if is_promotion(&member) => effects.note(Note::MemberPromoted(id)),
            Some(member) => effects.note(Note::MemberAdded(member)),
        }
    }
}

fn is_started(member: &&Member) -> bool {
    !member.name.is_empty()
}

fn quorum(members: usize) -> usize {
    members / 2 + 1
}

impl Member {
    /// One of which nothing is known yet.
    pub(super) fn unnamed(id: MemberId) -> Member {
        Member { id, name: String::new(), peer_urls: Vec::new(), client_urls: Vec::new(), is_learner: false }
    }
}
