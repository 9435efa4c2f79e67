//! What is worth telling a human, typed. Logs, golden plays and traces print it; nothing decides by it.
use crate::{ClusterId, Member, MemberId};
use alloc::{string::String, vec::Vec};
use core::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A new cluster begins here, or an old log was read back.
    Booted {
        member: MemberId,
        cluster: ClusterId,
        term: u64,
        last_index: u64,
        commit: u64,
    },
    BecameFollower {
        term: u64,
        leader: Option<MemberId>,
    },
    BecamePreCandidate {
        term: u64,
    },
    BecameCandidate {
        term: u64,
    },
    BecameLeader {
        term: u64,
    },
    /// This member hears a leader, or no longer does.
    LeaderChanged {
        leader: Option<MemberId>,
        term: u64,
    },
    /// A leader that does not hear a quorum steps down.
    QuorumLost {
        term: u64,
    },
    /// A leader whose disk has not answered for two election timeouts lets another lead.
    DiskStuck {
        term: u64,
    },
    /// Who votes and who learns, from now on.
    MembershipChanged {
        voters: Vec<MemberId>,
        voters_outgoing: Vec<MemberId>,
        learners: Vec<MemberId>,
    },
    /// A peer needs entries from `next` on that this leader no longer holds.
    SnapshotNeeded {
        peer: MemberId,
        next: u64,
    },
    /// The snapshot of this index is on its way to a peer that needs entries from `next` on.
    SnapshotSending {
        peer: MemberId,
        next: u64,
        index: u64,
    },
    /// A snapshot has taken the place of this member's log, of which `commit` was committed.
    SnapshotRestored {
        index: u64,
        term: u64,
        commit: u64,
    },
    /// A snapshot of the leader's is wanted.
    SnapshotApplying {
        index: u64,
        applied: u64,
    },
    /// The state is what a snapshot of the leader's holds.
    SnapshotApplied {
        index: u64,
        term: u64,
        revision: i64,
    },
    /// What was committed is not in this member's log: its disk lost synced data. It will not vote until it has it again.
    LogTailLost {
        commit: u64,
        last_index: u64,
    },
    /// The leader has sent what was lost, and it is on the disk.
    LogTailFound {
        commit: u64,
    },
    /// The state at this index is to be written down; `newest` is the checkpoint before.
    CheckpointTaken {
        member: MemberId,
        applied: u64,
        newest: u64,
        count: u64,
    },
    /// A checkpoint is on the disk.
    CheckpointSaved {
        index: u64,
    },
    /// The log in memory lets go of everything up to this index.
    LogCompacted {
        index: u64,
    },
    TransferStarted {
        to: MemberId,
    },
    TransferAborted {
        to: MemberId,
    },
    MemberApplied {
        member: MemberId,
        name: String,
    },
    MemberAdded(Member),
    MemberRemoved(MemberId),
    MemberUpdated(Member),
    MemberPromoted(MemberId),
    /// This member is no part of the cluster any more; a peer said so, or its own log.
    Expelled {
        by: Option<MemberId>,
    },
    ClusterVersion {
        version: String,
    },
    AlarmRaised {
        member: MemberId,
        alarm: i32,
    },
    AlarmCleared {
        member: MemberId,
        alarm: i32,
    },
    LeaseExpired {
        lease: i64,
    },
    /// A peer's message was ignored, and why.
    MessageRefused {
        from: MemberId,
        reason: &'static str,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |leader: &Option<MemberId>| leader.unwrap_or_default();
        match self {
            Note::Booted { member, cluster, term, last_index, commit } => write!(
                f,
                "booted member={member} cluster={cluster} term={term} last-index={last_index} commit={commit}"
            ),
            Note::BecameFollower { term, leader } => {
                write!(f, "became follower term={term} leader={}", who(leader))
            }
            Note::BecamePreCandidate { term } => write!(f, "became pre-candidate term={term}"),
            Note::BecameCandidate { term } => write!(f, "became candidate term={term}"),
            Note::BecameLeader { term } => write!(f, "became leader term={term}"),
            Note::LeaderChanged { leader, term } => {
                write!(f, "leader changed leader={} term={term}", who(leader))
            }
            Note::QuorumLost { term } => write!(f, "quorum lost, stepping down term={term}"),
            Note::DiskStuck { term } => write!(f, "disk stuck, stepping down term={term}"),
            Note::MembershipChanged { voters, voters_outgoing, learners } => {
                f.write_str("switched to configuration")?;
                write_ids(f, " voters", voters)?;
                if !voters_outgoing.is_empty() {
                    write_ids(f, " outgoing", voters_outgoing)?;
                }
                if learners.is_empty() { Ok(()) } else { write_ids(f, " learners", learners) }
            }
            Note::SnapshotNeeded { peer, next } => write!(f, "snapshot needed peer={peer} next={next}"),
            Note::SnapshotSending { peer, next, index } => {
                write!(f, "sending snapshot peer={peer} next={next} index={index}")
            }
            Note::SnapshotRestored { index, term, commit } => {
                write!(f, "restored snapshot index={index} term={term} commit={commit}")
            }
            Note::SnapshotApplying { index, applied } => {
                write!(f, "applying snapshot current-applied-index={applied} incoming-snapshot-index={index}")
            }
            Note::SnapshotApplied { index, term, revision } => {
                write!(f, "applied snapshot snapshot-index={index} snapshot-term={term} revision={revision}")
            }
            Note::LogTailLost { commit, last_index } => {
                write!(f, "the log ends before the commit index commit={commit} last-index={last_index}")
            }
            Note::LogTailFound { commit } => write!(f, "the log is whole again up to commit={commit}"),
            Note::CheckpointTaken { member, applied, newest, count } => write!(
                f,
                "triggering snapshot local-member-id={member} local-member-applied-index={applied} \
                 local-member-snapshot-index={newest} local-member-snapshot-count={count}"
            ),
            Note::CheckpointSaved { index } => write!(f, "saved snapshot to disk snapshot-index={index}"),
            Note::LogCompacted { index } => write!(f, "compacted Raft logs compact-index={index}"),
            Note::TransferStarted { to } => write!(f, "leadership transfer started to={to}"),
            Note::TransferAborted { to } => write!(f, "leadership transfer aborted to={to}"),
            Note::MemberApplied { member, name } => write!(f, "member applied id={member} name={name}"),
            Note::MemberAdded(Member { id, peer_urls, is_learner, .. }) => write!(
                f,
                "added member added-peer-id={id} added-peer-peer-urls={peer_urls:?} added-peer-is-learner={is_learner}"
            ),
            Note::MemberRemoved(id) => write!(f, "removed member removed-remote-peer-id={id}"),
            Note::MemberUpdated(Member { id, peer_urls, .. }) => {
                write!(f, "updated member updated-remote-peer-id={id} updated-remote-peer-urls={peer_urls:?}")
            }
            Note::MemberPromoted(id) => write!(f, "promote member promoted-member-id={id}"),
            Note::Expelled { by: Some(by) } => {
                write!(f, "this member was removed from the cluster, says {by}")
            }
            Note::Expelled { by: None } => f.write_str("this member was removed from the cluster"),
            Note::ClusterVersion { version } => write!(f, "cluster version {version}"),
            Note::AlarmRaised { member, alarm } => write!(f, "alarm raised member={member} alarm={alarm}"),
            Note::AlarmCleared { member, alarm } => write!(f, "alarm cleared member={member} alarm={alarm}"),
            Note::LeaseExpired { lease } => write!(f, "lease expired id={lease:x}"),
            Note::MessageRefused { from, reason } => write!(f, "message refused from={from} reason={reason}"),
        }
    }
}

fn write_ids(f: &mut fmt::Formatter<'_>, name: &str, ids: &[MemberId]) -> fmt::Result {
    write!(f, "{name}=(")?;
    for (at, id) in ids.iter().enumerate() {
        write!(f, "{}{id}", if at > 0 { " " } else { "" })?;
    }
    f.write_str(")")
}
