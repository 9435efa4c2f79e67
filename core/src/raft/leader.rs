//! Leading: append, feed the others, count who holds what.
use super::confirm::Confirm;
use super::handover::Handover;
use super::membership::{leaves_joint, widened};
use super::progress::Progress;
use super::{Raft, Role, install, message};
use crate::{MemberId, Moment, Note, Plant, Refusal};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use bytes::Bytes;
use detcd_proto::raftpb::{ConfChange, ConfChangeV2, Entry, EntryType, Message, MessageType};
use prost::Message as _;

#[derive(Debug)]
pub struct Leader {
    /// Everybody else in the membership.
    pub progress: BTreeMap<MemberId, Progress>,
    /// The first entry of this term. Once it is committed, so is everything before it.
    pub first_index: u64,
    /// No membership change may be proposed before this is applied.
    pending_conf_index: u64,
    /// Only with a planted bug: the change under way is never forgotten.
    pub is_stuck_pending: bool,
    heartbeat_due: Moment,
    quorum_check_due: Moment,
    pub confirm: Confirm,
    pub handover: Option<Handover>,
}

impl Leader {
    pub fn deadline(&self) -> Moment {
        let due = self.heartbeat_due.min(self.quorum_check_due);
        self.handover.as_ref().map_or(due, |handover| due.min(handover.deadline))
    }

    pub fn check(&self, last_index: u64) {
        for progress in self.progress.values() {
            assert!(progress.matched < progress.next, "sent again what is held");
            assert!(progress.matched <= last_index, "holds what this leader does not");
            assert!(progress.next <= last_index + 1, "sent what this leader does not hold");
        }
    }
}

impl Raft {
    pub(super) fn become_leader(&mut self, now: Moment) {
        assert!(matches!(self.role, Role::Candidate(_)), "only a candidate is elected");
        // After a crash it must not win the same term again, with another log.
        assert!(self.durability.ballot_is_durable(self.ballot), "only a durable ballot makes a leader");
        let last = self.log.last_index();
        let others = self.membership.all().into_iter().filter(|member| *member != self.id);
        let first_index = last + 1;
        self.role = Role::Leader(Box::new(Leader {
            progress: others.map(|member| (member, Progress::new(last, false))).collect(),
            first_index,
            // Not before an entry of this term is committed: two leaders in turn could otherwise each change one
            // member and end with quorums that do not meet.
            pending_conf_index: if self.settings.plants.has(Plant::ConfchangeBeforeNoop) {
                0
            } else {
                first_index
            },
            is_stuck_pending: false,
            heartbeat_due: now + self.settings.heartbeat_interval,
            quorum_check_due: now + self.settings.election_timeout,
            confirm: Confirm::default(),
            handover: None,
        }));
        self.notes.push(Note::BecameLeader { term: self.ballot.term });
        self.set_leader(Some(self.id));
        self.append_own(Entry::default());
    }

    fn append_own(&mut self, mut entry: Entry) -> u64 {
        entry.term = self.ballot.term;
        entry.index = self.log.last_index() + 1;
        let index = entry.index;
        self.log.append(entry);
        index
    }

    /// A proposal has reached the leader.
    pub(super) fn propose_here(&mut self, _now: Moment, entry: Entry) -> Result<(), Refusal> {
        let Role::Leader(leader) = &self.role else { return Err(Refusal::NoLeader) };
        let leaks = self.settings.plants.has(Plant::UncommittedSizeLeak);
        let committed = if leaks { leader.first_index } else { self.commit };
        let waiting = self.log.cost_between(committed, self.log.last_index());
        let bytes = entry.data.as_ref().map_or(0, |data| data.len() as u64);
        let too_much = waiting > 0 && bytes > 0 && waiting + bytes > self.settings.max_uncommitted_bytes;
        if leader.handover.is_some() || too_much || !self.membership.contains(self.id) {
            return Err(Refusal::ProposalDropped);
        }
        let data = || entry.data.clone().unwrap_or_default();
        let change = match EntryType::try_from(entry.r#type) {
            Ok(EntryType::EntryNormal) => {
                self.append_own(entry);
                return Ok(());
            }
            Ok(EntryType::EntryConfChange) => ConfChange::decode(data()).map(|change| widened(&change)),
            Ok(EntryType::EntryConfChangeV2) => ConfChangeV2::decode(data()),
            Err(_) => return Err(Refusal::ProposalDropped),
        };
        let change = change.map_err(|_| Refusal::ProposalDropped)?;
        if self.may_change_membership(&change) {
            self.append_conf_change(entry);
        } else {
            // As in etcd: the place in the log is taken, by an entry that changes nothing.
            self.append_own(Entry::default());
        }
        Ok(())
    }

    fn may_change_membership(&self, change: &ConfChangeV2) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let applied = self.handed - u64::from(self.conf_change_open);
        applied >= leader.pending_conf_index
            && !leader.is_stuck_pending
            && leaves_joint(change) == self.membership.is_joint()
            && self.membership.changed(change).is_ok()
    }

    fn append_conf_change(&mut self, entry: Entry) {
        let index = self.append_own(entry);
        if let Role::Leader(leader) = &mut self.role {
            leader.pending_conf_index = index;
        }
    }

    /// A joint configuration that is to be left by itself, and is applied, is left.
    fn leave_joint_when_due(&mut self) {
        let leave = ConfChangeV2::default();
        let Role::Leader(leader) = &self.role else { return };
        if self.membership.auto_leave && leader.handover.is_none() && self.may_change_membership(&leave) {
            let kind = EntryType::EntryConfChangeV2 as i32;
            self.append_conf_change(Entry { r#type: kind, ..Entry::default() });
        }
    }

    pub(super) fn membership_changed(&mut self, now: Moment) {
        let (last, plants) = (self.log.last_index(), self.settings.plants);
        let votes = self.may_campaign();
        match &mut self.role {
            Role::Leader(leader) => {
                let (membership, id) = (&self.membership, self.id);
                leader.progress.retain(|member, _| membership.contains(*member));
                for member in membership.all().into_iter().filter(|member| *member != id) {
                    // A new member had no chance to be heard yet: the next quorum check must not miss it.
                    let active = !plants.has(Plant::RecentActiveUnset);
                    leader.progress.entry(member).or_insert_with(|| Progress::new(last, active));
                }
                let lost_heir =
                    leader.handover.as_ref().is_some_and(|handover| !membership.is_voter(handover.to));
                if lost_heir && !plants.has(Plant::TransferNeverAborts) {
                    self.abort_transfer();
                }
            }
            Role::PreCandidate(_) | Role::Candidate(_) if !votes => {
                self.become_follower(now, self.ballot.term, None);
            }
            _ => {}
        }
    }

    pub(super) fn tick_leader(&mut self, now: Moment) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.quorum_check_due <= now {
            leader.quorum_check_due = now + self.settings.election_timeout;
            let progress = &leader.progress;
            let active = |member| progress.get(&member).is_some_and(|peer| peer.active);
            let patience = self.settings.election_timeout.times(2);
            let is_stuck = self.durability.writing_since().is_some_and(|since| now - since >= patience);
            let others_suffice = self.membership.has_quorum(active);
            let hears_quorum = self.membership.has_quorum(|member| member == self.id || active(member));
            if !hears_quorum && !self.settings.plants.has(Plant::NoCheckQuorumAsym) {
                self.notes.push(Note::QuorumLost { term: self.ballot.term });
                return self.become_follower(now, self.ballot.term, None);
            }
            if is_stuck && others_suffice {
                // Its heartbeats would keep everybody waiting for a disk that does not answer.
                self.notes.push(Note::DiskStuck { term: self.ballot.term });
                return self.retire(now);
            }
            if !self.may_campaign() {
                return self.retire(now);
            }
            let Role::Leader(leader) = &mut self.role else { return };
            for peer in leader.progress.values_mut() {
                peer.begin_check();
            }
        }
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.handover.as_ref().is_some_and(|handover| handover.deadline <= now) {
            self.abort_transfer();
        }
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.heartbeat_due <= now {
            leader.heartbeat_due = now + self.settings.heartbeat_interval;
            // A lost confirmation is asked for again.
            let context =
                leader.confirm.open_round().map(|round| message::round_context(self.ballot.term, round));
            let everybody: Vec<MemberId> = leader.progress.keys().copied().collect();
            self.send_heartbeats(&everybody, context);
        }
    }

    /// Another must lead: this member votes no longer, and has spread the news of that until this check of its quorum;
    /// or its disk is stuck.
    fn retire(&mut self, now: Moment) {
        if let Some(heir) = self.best_heir() {
            self.send(message::to(MessageType::MsgTimeoutNow, heir));
        }
        self.become_follower(now, self.ballot.term, None);
    }

    pub(super) fn send_heartbeats(&mut self, to: &[MemberId], context: Option<Bytes>) {
        for member in to {
            let Role::Leader(leader) = &self.role else { return };
            let Some(progress) = leader.progress.get(member) else { continue };
            let known =
                if self.settings.plants.has(Plant::CommitNotClamped) { u64::MAX } else { progress.acked };
            let commit = self.commit.min(known);
            let context = context.clone();
            self.send(Message { commit, context, ..message::to(MessageType::MsgHeartbeat, *member) });
        }
    }

    pub(super) fn take_append_answer(&mut self, now: Moment, from: MemberId, m: &Message) {
        let (base, last, plants) = (self.log.base_index(), self.log.last_index(), self.settings.plants);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&from) else { return };
        progress.active = true;
        if m.reject && !plants.has(Plant::NackAsAck) {
            // A hint without a term lies below that member's base.
            let try_at = if m.log_term > 0 {
                self.log.last_possible_match(m.reject_hint, m.log_term).0
            } else {
                m.reject_hint
            };
            progress.rejected(m.index, try_at);
        } else if m.index > last {
            self.refuse(from, "it acknowledges what this leader never sent");
        } else {
            progress.acknowledged(m.index, base);
            self.hand_over_when_ready(now);
        }
    }

    pub(super) fn take_heartbeat_answer(&mut self, from: MemberId, m: &Message) {
        let (last, plants) = (self.log.last_index(), self.settings.plants);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&from) else { return };
        progress.active |= !plants.has(Plant::RecentActiveUnset);
        progress.answered_heartbeat(last, plants);
        let round = m.context.as_ref().and_then(|context| message::round_of(context, self.ballot.term));
        if let Some(round) = round.filter(|round| leader.confirm.was_opened(*round)) {
            progress.confirmed_round = progress.confirmed_round.max(round);
        }
    }

    pub(super) fn settle_leader(&mut self, _now: Moment) {
        self.advance_commit();
        self.settle_reads();
        self.leave_joint_when_due();
        self.replicate();
    }

    /// Commits what a quorum holds durable, this member's disk counted like any other. Only an entry of this term is
    /// committed by counting; it takes all before it along. Raft 5.4.2.
    fn advance_commit(&mut self) {
        let plants = self.settings.plants;
        let Role::Leader(leader) = &self.role else { return };
        let own = if self.skips_its_disk() { self.log.last_index() } else { self.durability.durable() };
        let reached = if plants.has(Plant::CommitWithoutMajority) {
            own
        } else {
            self.membership.reached(|member| {
                if member == self.id {
                    own
                } else {
                    leader.progress.get(&member).map_or(0, |peer| peer.matched)
                }
            })
        };
        let is_of_this_term = self.log.term(reached) == Some(self.ballot.term);
        if reached > self.commit && (is_of_this_term || plants.has(Plant::CommitOldTerm)) {
            self.commit = reached;
        }
    }

    /// Sends each member what it lacks: one message for everything that came in since the last turn, more only if
    /// the size limit splits it.
    fn replicate(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (term, from) = (self.ballot.term, self.id.0);
        for (member, progress) in &mut leader.progress {
            let next = loop {
                match progress.feed(*member, &self.log, self.commit, self.settings.limits) {
                    // A leader's ballot is durable: nothing it says has to wait.
                    Ok(Some(m)) => self.outbox.push(Message { from, term, ..m }),
                    Ok(None) => break None,
                    Err(next) => break Some(next),
                }
            };
            let Some(next) = next else { continue };
            let newest = self.newest_snapshot.as_ref();
            match newest.filter(|newest| install::serves(newest, *member, self.log.base_index())) {
                // To a member that is silent it would be sent in vain.
                Some(newest) if progress.active || progress.was_active => {
                    progress.snapshot_begun(newest.index);
                    self.notes.push(Note::SnapshotSending { peer: *member, next, index: newest.index });
                    let m = install::message(*member, newest);
                    self.outbox.push(Message { from, term, ..m });
                }
                _ => {
                    if progress.snapshot_missing() {
                        self.notes.push(Note::SnapshotNeeded { peer: *member, next });
                    }
                }
            }
        }
    }
}
