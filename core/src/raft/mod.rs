//! Raft, pure: messages and moments in, messages and writes out. Entries are bytes that nobody here looks into,
//! except for changes of the membership.
//!
//! The protocol is that of the Raft paper and Ongaro's thesis with etcd's refinements (PreVote, CheckQuorum, term-aware
//! rejection, learners, joint configurations), and the messages are etcd's, so a real member could be among the peers.
//! There are no ticks: every timer is a [`Moment`].
//!
//! One turn: [`Raft::step`] every message and [`Raft::persisted`], [`Raft::propose`] and the rest; [`Raft::tick`];
//! [`Raft::settle`] once, which batches what came in; then the `take_*`. What `take_messages` gives may leave at once:
//! whatever must wait for the disk waits in here (`durability`).
mod ballot;
mod candidate;
mod confirm;
mod durability;
mod follower;
mod handover;
mod install;
mod leader;
mod log;
pub(crate) mod membership;
mod message;
mod progress;
mod quorum;
mod status;
#[cfg(test)]
mod tests;

pub use ballot::Ballot;
pub use durability::Write;
pub use progress::Mode;
pub use status::{PeerStatus, RoleKind, Status};

use crate::{MemberId, Moment, Note, Plant, Plants, Refusal, Rng, Span};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use candidate::Candidate;
use detcd_proto::raftpb::{self, ConfState, Entry, EntryType, Message, MessageType, SnapshotMetadata};
use durability::Durability;
use follower::Follower;
use leader::Leader;
use log::Log;
use membership::Membership;
use progress::Progress;

/// What a member starts from: its durable past, and how it is to behave.
#[derive(Debug)]
pub struct Setup {
    pub id: MemberId,
    /// The membership at `applied`; empty in a new cluster, whose first entries make it.
    pub conf_state: ConfState,
    /// As recovered; default if there was none.
    pub hard_state: raftpb::HardState,
    /// The recovered log, from index `base.0 + 1` on, without gaps.
    pub entries: Vec<Entry>,
    /// Index and term of the last entry before `entries`; (0, 0) if the log is whole.
    pub base: (u64, u64),
    /// What the state already contains; nothing up to here is handed out again.
    pub applied: u64,
    pub heartbeat_interval: Span,
    /// At least this long without a leader, and less than twice as long, before a campaign.
    pub election_timeout: Span,
    pub pre_vote: bool,
    /// Most bytes of entries in one message, exceeded only by a single entry.
    pub max_message_bytes: usize,
    /// Most append messages under way to one member.
    pub max_inflight_messages: usize,
    /// A leader with this many bytes of entries waiting for a quorum takes no more.
    pub max_uncommitted_bytes: u64,
    pub plants: Plants,
    pub rng: Rng,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    heartbeat_interval: Span,
    election_timeout: Span,
    pre_vote: bool,
    limits: progress::Limits,
    max_uncommitted_bytes: u64,
    plants: Plants,
}

#[derive(Debug)]
enum Role {
    Follower(Follower),
    PreCandidate(Candidate),
    Candidate(Candidate),
    Leader(Box<Leader>),
}

#[derive(Debug)]
pub struct Raft {
    id: MemberId,
    settings: Settings,
    rng: Rng,
    ballot: Ballot,
    log: Log,
    /// Known to be committed.
    commit: u64,
    /// Was known to be committed before the disk lost it, or 0. Until the log is whole again up to here, this member
    /// must not vote: with its vote, a majority could be found that has forgotten what a majority had.
    lost: u64,
    /// Handed out to be applied.
    handed: u64,
    /// The last entry handed out changes the membership, and `apply_conf_change` has not been called for it.
    conf_change_open: bool,
    durability: Durability,
    membership: Membership,
    role: Role,
    leader: Option<MemberId>,
    /// When the election timer was last started.
    heard: Moment,
    election_due: Moment,
    /// When `settle` was last called.
    settled: Moment,
    /// Something happened outside of a turn's inputs that the next `settle` must look at.
    unsettled: bool,
    /// What can be sent to those who lack what this log no longer has.
    newest_snapshot: Option<SnapshotMetadata>,
    /// A snapshot that this member was sent and wants.
    offer: Option<SnapshotMetadata>,
    outbox: Vec<Message>,
    reads: Vec<(u64, u64)>,
    notes: Vec<Note>,
}

impl Raft {
    pub fn new(setup: Setup, now: Moment) -> Raft {
        let log = Log::new(setup.base, setup.entries);
        let hard_state = setup.hard_state;
        let recovered = Ballot { term: hard_state.term, vote: some_member(hard_state.vote) };
        let commit = hard_state.commit.min(log.last_index()).max(setup.base.0).max(setup.applied);
        let mut raft = Raft {
            id: setup.id,
            settings: Settings {
                heartbeat_interval: setup.heartbeat_interval,
                election_timeout: setup.election_timeout,
                pre_vote: setup.pre_vote,
                limits: progress::Limits {
                    message_bytes: setup.max_message_bytes as u64,
                    inflight_messages: setup.max_inflight_messages.max(1),
                    plants: setup.plants,
                },
                max_uncommitted_bytes: setup.max_uncommitted_bytes,
                plants: setup.plants,
            },
            rng: setup.rng,
            ballot: recovered,
            durability: Durability::recovered(setup.plants, log.last_index(), recovered, hard_state.commit),
            commit,
            lost: 0,
            handed: setup.applied,
            conf_change_open: false,
            membership: Membership::of(&setup.conf_state),
            role: Role::Follower(Follower::default()),
            leader: None,
            heard: now,
            election_due: now,
            settled: now,
            unsettled: false,
            newest_snapshot: None,
            offer: None,
            outbox: Vec::new(),
            reads: Vec::new(),
            notes: Vec::new(),
            log,
        };
        raft.miss_tail(hard_state.commit);
        assert!(setup.applied <= raft.log.last_index(), "the state is ahead of the log");
        if raft.log.last_term() > recovered.term {
            // A torn write kept entries of a new term and lost the term behind them; nothing was promised in it.
            raft.ballot = Ballot { term: raft.log.last_term(), vote: None };
        }
        raft.commit = raft.commit.max(raft.log.proven_commit());
        raft.restart_election_timer(now);
        raft
    }

    /// When the next timer ends, or zero if `settle` has something to do now.
    pub fn deadline(&self) -> Moment {
        if self.unsettled {
            return Moment(0);
        }
        match &self.role {
            Role::Leader(leader) => leader.deadline(),
            Role::Follower(_) if self.may_lead_alone() => Moment(0),
            _ if self.may_campaign() => self.election_due,
            _ => Moment(u64::MAX),
        }
    }

    /// Fires the timers that are due.
    pub fn tick(&mut self, now: Moment) {
        if self.is_leader() {
            self.tick_leader(now);
        } else if self.may_campaign() && (self.election_due <= now || self.may_lead_alone()) {
            self.campaign_by_timer(now);
        }
    }

    /// Takes a message from `from`.
    pub fn step(&mut self, now: Moment, from: MemberId, m: Message) {
        if m.to != self.id.0 && !self.settings.plants.has(Plant::AcceptForeignMemberMsg) {
            return self.refuse(from, "it is addressed to another member");
        }
        let Ok(kind) = MessageType::try_from(m.r#type) else {
            return self.refuse(from, "its type is unknown");
        };
        if !message::is_for_peers(kind) {
            return self.refuse(from, "its type is not for peers");
        }
        match kind {
            // These have no term: they may come by way of others.
            MessageType::MsgProp => return self.take_forwarded(now, from, m),
            MessageType::MsgReadIndex => return self.take_question(from, m),
            _ => {}
        }
        if m.from != from.0 {
            return self.refuse(from, "it names another sender");
        }
        if from == self.id {
            return self.refuse(from, "it claims to come from this member");
        }
        if m.term == 0 || m.term > message::TERM_MAX {
            return self.refuse(from, "its term is none that anybody lives in");
        }
        if m.reject && matches!(kind, MessageType::MsgVoteResp | MessageType::MsgPreVoteResp) {
            self.take_commit_hint(&m);
        }
        if self.passes_term(now, from, &m, kind) {
            self.step_in_term(now, from, m, kind);
        }
    }

    /// Settles which term this member is in before the message is looked at; false if it is to be ignored.
    fn passes_term(&mut self, now: Moment, from: MemberId, m: &Message, kind: MessageType) -> bool {
        use MessageType as T;
        if m.term == self.ballot.term {
            return true;
        }
        if m.term < self.ballot.term {
            match kind {
                // A leader of the past, or one whose voters went ahead of it: let it know the term, so that it steps
                // down and this member, perhaps stuck with a higher term, is heard again.
                T::MsgHeartbeat | T::MsgApp => self.send(message::to(T::MsgAppResp, from)),
                // A candidate of the past must catch up, or its campaigns stay behind ours for ever. Raft 5.1.
                T::MsgVote => self.refuse_candidate(from, T::MsgVoteResp),
                T::MsgPreVote if !self.settings.plants.has(Plant::PrevoteLocalTerm) => {
                    self.refuse_candidate(from, T::MsgPreVoteResp);
                }
                _ => {}
            }
            return false;
        }
        match kind {
            T::MsgVote | T::MsgPreVote
                if !message::is_transfer_campaign(m) && self.has_working_leader(now) =>
            {
                false
            }
            // Neither a question about the future nor the consent to it moves anybody there.
            T::MsgPreVote => true,
            T::MsgPreVoteResp if !m.reject => true,
            T::MsgApp | T::MsgHeartbeat | T::MsgSnap => {
                self.become_follower(now, m.term, Some(from));
                true
            }
            T::MsgVote if !self.is_leader() => {
                // Only a vote that is given puts one's own campaign off (Raft 5.2). Else a candidate whose log is behind,
                // and whose clock runs first, could keep those who can win from ever standing.
                let (heard, due) = (self.heard, self.election_due);
                self.become_follower(now, m.term, None);
                (self.heard, self.election_due) = (heard, due);
                true
            }
            _ => {
                self.become_follower(now, m.term, None);
                true
            }
        }
    }

    fn step_in_term(&mut self, now: Moment, from: MemberId, m: Message, kind: MessageType) {
        use MessageType as T;
        match kind {
            T::MsgVote | T::MsgPreVote => self.answer_candidate(now, &m, kind),
            T::MsgVoteResp | T::MsgPreVoteResp => self.take_vote(now, from, &m, kind),
            T::MsgApp if self.follows(now, from) => self.take_append(from, m),
            T::MsgHeartbeat if self.follows(now, from) => self.take_heartbeat(from, m),
            T::MsgSnap if self.follows(now, from) => self.take_snapshot(from, m),
            T::MsgApp | T::MsgHeartbeat | T::MsgSnap => {
                self.refuse(from, "it claims to lead the term this member leads");
            }
            T::MsgAppResp => self.take_append_answer(now, from, &m),
            T::MsgHeartbeatResp => self.take_heartbeat_answer(from, &m),
            T::MsgReadIndexResp => self.take_read_answer(&m),
            T::MsgTransferLeader => self.take_transfer_wish(now, from),
            T::MsgTimeoutNow => self.take_timeout_now(now),
            // Handled before the terms are compared.
            T::MsgProp
            | T::MsgReadIndex
            | T::MsgHup
            | T::MsgBeat
            | T::MsgUnreachable
            | T::MsgSnapStatus
            | T::MsgCheckQuorum
            | T::MsgStorageAppend
            | T::MsgStorageAppendResp
            | T::MsgStorageApply
            | T::MsgStorageApplyResp
            | T::MsgForgetLeader => {}
        }
    }

    /// Puts an entry into the log, here or at the leader. An `Ok` promises nothing: the entry may still be lost, and
    /// a membership change that must not happen now becomes an empty entry, as in etcd.
    ///
    /// Refusals: `NoLeader` if there is nobody to turn to, `ProposalDropped` while leadership is being handed over or
    /// when too much waits for a quorum.
    pub fn propose(&mut self, now: Moment, kind: EntryType, data: Bytes) -> Result<(), Refusal> {
        let data = (!data.is_empty()).then_some(data);
        let entry = Entry { r#type: kind as i32, data, ..Entry::default() };
        match &mut self.role {
            Role::Leader(_) => self.propose_here(now, entry),
            Role::Follower(follower) if self.leader.is_some() => {
                follower.forward.push(entry);
                Ok(())
            }
            _ => Err(Refusal::NoLeader),
        }
    }

    /// Asks for an index such that whoever has applied it sees everything acknowledged before now. The answer comes
    /// by `take_reads` with the same `ctx`, or never: ask again with another `ctx`, one that this member has not used
    /// even before a restart, or a late answer to an old question would pass for an answer to the new one.
    pub fn read_index(&mut self, _now: Moment, ctx: u64) -> Result<(), Refusal> {
        if self.settings.plants.has(Plant::ReadWithoutReadIndex) {
            self.reads.push((ctx, self.commit));
            return Ok(());
        }
        self.ask_read_index(ctx)
    }

    /// Hands leadership to `to`, or to the voter best prepared. The answer names the heir; whether it works shows in
    /// `status` or in a note. Refusals: `NotLeader`; `BadLeaderTransferee` for anybody who is no other voter.
    pub fn transfer(&mut self, now: Moment, to: Option<MemberId>) -> Result<MemberId, Refusal> {
        self.start_transfer(now, to)
    }

    /// To be called for every membership change that `take_committed` handed out, before the next entry is applied;
    /// for one that the application refuses, with member id 0 in its place, or not at all.
    pub fn apply_conf_change(&mut self, now: Moment, change: &raftpb::ConfChangeV2) -> ConfState {
        self.conf_change_open = false;
        match self.membership.changed(change) {
            Ok(next) => self.change_membership(now, next),
            Err(reason) => self.refuse(self.id, reason),
        }
        if let Role::Leader(leader) = &mut self.role
            && self.settings.plants.has(Plant::PendingConfStuck)
        {
            leader.is_stuck_pending |= change.changes.iter().any(|single| single.node_id == 0);
        }
        self.membership.conf_state()
    }

    /// The same for a change in the older form.
    pub fn apply_conf_change_v1(&mut self, now: Moment, change: &raftpb::ConfChange) -> ConfState {
        self.apply_conf_change(now, &membership::widened(change))
    }

    fn change_membership(&mut self, now: Moment, next: Membership) {
        if next != self.membership {
            self.membership = next;
            self.notes.push(Note::MembershipChanged {
                voters: self.membership.voters.clone(),
                voters_outgoing: self.membership.voters_outgoing.clone(),
                learners: self.membership.learners.clone(),
            });
            self.durability.owe_commit();
            self.membership_changed(now);
        }
        self.unsettled = true;
    }

    /// The link to this member broke; what was on its way is probably lost.
    pub fn unreachable(&mut self, peer: MemberId) {
        if let Role::Leader(leader) = &mut self.role
            && let Some(progress) = leader.progress.get_mut(&peer)
        {
            progress.lost();
        }
    }

    /// Once per turn, after all inputs: moves the commit point, answers reads, feeds the other members.
    pub fn settle(&mut self, now: Moment) {
        self.unsettled = false;
        self.settled = now;
        match &self.role {
            Role::Leader(_) => self.settle_leader(now),
            Role::Follower(_) => self.settle_follower(),
            Role::PreCandidate(_) | Role::Candidate(_) => {}
        }
        self.invariants();
    }

    /// What may leave now, in order.
    pub fn take_messages(&mut self) -> Vec<(MemberId, Message)> {
        self.outbox.drain(..).map(|m| (MemberId(m.to), m)).collect()
    }

    /// The next write, if none is under way and there is something to write.
    pub fn take_write(&mut self) -> Option<Write> {
        self.next_write(false)
    }

    /// The same, but a commit index that the disk does not know is something to write too.
    pub fn take_write_of_commit(&mut self) -> Option<Write> {
        self.next_write(true)
    }

    fn next_write(&mut self, tells_commit: bool) -> Option<Write> {
        // Never a commit index that this very write does not carry the log for, unless the log has lost it: another
        // boot must know of that too.
        let last_index = self.durability.restoring().unwrap_or(self.log.last_index());
        let commit = self.commit.min(last_index).max(self.lost);
        self.durability.take_write(self.settled, &self.log, self.ballot, commit, tells_commit)
    }

    /// Lets go of the entries up to `upto`, as far as they are applied and on disk: a checkpoint holds what they made.
    /// A member that still needs them needs the checkpoint; what follows on one that is under way to a member stays.
    /// Answers the first index that is left.
    pub fn forget(&mut self, upto: u64) -> u64 {
        let upto = upto.min(self.snapshot_pending().unwrap_or(u64::MAX));
        self.log.forget_upto(upto.min(self.handed).min(self.durability.durable()));
        self.first_index()
    }

    /// The first entry that this member can send to others.
    pub fn first_index(&self) -> u64 {
        self.log.base_index() + 1
    }

    /// The membership that the entries handed out so far have made.
    pub fn conf_state(&self) -> ConfState {
        self.membership.conf_state()
    }

    /// The write with this number survives power loss.
    pub fn persisted(&mut self, now: Moment, number: u64) {
        self.durability.persisted(number);
        if self.durability.ballot_is_durable(self.ballot) {
            let released = self.durability.release();
            self.outbox.extend(released);
            self.count_own_vote(now);
        }
    }

    /// The next committed entries to apply, about `max_bytes` of them (at least one), in order and each once. Only
    /// what is durable here is handed out, so the state is never ahead of this member's own disk. A batch ends
    /// behind a membership change; ask again until nothing comes.
    pub fn take_committed(&mut self, max_bytes: usize) -> Vec<Entry> {
        self.conf_change_open = false;
        let ready = self.ready_to_apply();
        let upto = self.log.conf_change_after(self.handed).map_or(ready, |change| change.min(ready));
        let entries = self.log.slice(self.handed + 1, upto, max_bytes as u64);
        if let Some(last) = entries.last() {
            let skips = self.settings.plants.has(Plant::PaginationLosesCommits);
            self.handed = if skips { upto } else { last.index };
            self.conf_change_open = last.r#type != EntryType::EntryNormal as i32;
        }
        entries
    }

    fn ready_to_apply(&self) -> u64 {
        if self.skips_its_disk() && self.is_leader() {
            return self.commit;
        }
        self.commit.min(self.durability.durable())
    }

    /// Only with a planted bug: the leader's own log counts before it is on disk.
    fn skips_its_disk(&self) -> bool {
        let plants = self.settings.plants;
        plants.has(Plant::LeaderAckBeforeSync)
            || (plants.has(Plant::SingleVoterReplyFirst) && self.membership.is_sole_voter(self.id))
    }

    /// Answers to `read_index`: the context, and the index to apply before reading.
    pub fn take_reads(&mut self) -> Vec<(u64, u64)> {
        core::mem::take(&mut self.reads)
    }

    pub fn take_notes(&mut self) -> Vec<Note> {
        core::mem::take(&mut self.notes)
    }

    pub fn id(&self) -> MemberId {
        self.id
    }
    pub fn term(&self) -> u64 {
        self.ballot.term
    }
    pub fn leader(&self) -> Option<MemberId> {
        self.leader
    }
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }
    pub fn commit(&self) -> u64 {
        self.commit
    }
    pub fn last_index(&self) -> u64 {
        self.log.last_index()
    }

    /// Index and term of the last entry before those that are held.
    pub fn base(&self) -> (u64, u64) {
        let index = self.log.base_index();
        (index, self.log.term(index).expect("the term of the base is known"))
    }

    /// The term of the entry at `index`, if this member holds it; for those who judge logs from outside.
    pub fn entry_term(&self, index: u64) -> Option<u64> {
        self.log.term(index)
    }

    /// What must hold after every turn; cheap enough to stay on.
    pub fn invariants(&self) {
        let last = self.log.last_index();
        assert!(self.commit <= last, "committed beyond the log");
        assert!(self.handed <= self.commit, "handed out before it was committed");
        assert!(self.log.base_index() <= self.commit, "the base is not committed");
        assert!(self.log.last_term() <= self.ballot.term, "an entry from a term to come");
        self.durability.check(&self.log);
        if let Role::Leader(leader) = &self.role {
            assert_eq!(self.leader, Some(self.id), "a leader knows who leads");
            leader.check(last);
        } else {
            assert_ne!(self.leader, Some(self.id), "only a leader leads");
        }
    }

    /// Fills in the sender and, where etcd has one, the term; keeps the message back while the ballot is not durable.
    fn send(&mut self, mut m: Message) {
        m.from = self.id.0;
        let termless = [MessageType::MsgProp as i32, MessageType::MsgReadIndex as i32].contains(&m.r#type);
        if m.term == 0 && !termless {
            m.term = self.ballot.term;
        }
        if self.durability.ballot_is_durable(self.ballot) {
            self.outbox.push(m);
        } else {
            self.durability.hold(m);
        }
    }

    fn set_leader(&mut self, leader: Option<MemberId>) {
        if self.leader != leader {
            self.leader = leader;
            self.notes.push(Note::LeaderChanged { leader, term: self.ballot.term });
        }
    }

    fn restart_election_timer(&mut self, now: Moment) {
        self.heard = now;
        self.election_due =
            now + self.rng.span(self.settings.election_timeout, self.settings.election_timeout);
    }

    fn may_campaign(&self) -> bool {
        self.membership.is_voter(self.id) && self.lost == 0
    }

    /// Alone among voters, and the log holds no committed change that says otherwise: no need to wait for anybody.
    fn may_lead_alone(&self) -> bool {
        matches!(self.role, Role::Follower(_))
            && self.leader.is_none()
            && self.membership.is_sole_voter(self.id)
            && self.lost == 0
            && !self.has_unapplied_conf_change()
            && self.durability.ballot_is_durable(self.ballot)
    }

    /// A committed membership change is not applied yet: this member does not know whom to ask for votes.
    fn has_unapplied_conf_change(&self) -> bool {
        self.conf_change_open
            || self.is_restoring()
            || self.log.conf_change_after(self.handed).is_some_and(|change| change <= self.commit)
    }
}

fn some_member(id: u64) -> Option<MemberId> {
    (id != 0).then_some(MemberId(id))
}
