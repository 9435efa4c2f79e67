//! Bugs on purpose: the simulator is on trial too, and must find each of these from random seeds.
//!
//! A switch is compiled in only with the feature `plants`, which nothing that ships turns on. Without it
//! [`Plants::has`] is constantly false and the compiler removes the branch.

macro_rules! plants {
    ($($(#[$doc:meta])* $plant:ident = $name:literal,)*) => {
        /// One planted bug. Most are bugs that a real system had, under the number that the museum gives them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Plant {
            $($(#[$doc])* $plant,)*
        }

        impl Plant {
            pub const ALL: [Plant; [$($name),*].len()] = [$(Plant::$plant,)*];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Plant::$plant => $name,)*
                }
            }
        }
    };
}

plants! {
    /// C01: the vote leaves before it is on disk, and is not written at all.
    VoteNoSync = "vote_no_sync",
    /// C02: a follower acknowledges entries its disk has not taken yet.
    AckBeforeSync = "ack_before_sync",
    /// C03: a member that votes alone commits, and answers, before its disk has the entry.
    SingleVoterReplyFirst = "single_voter_reply_first",
    /// C04: a leader commits an entry of an earlier term by counting copies (Raft, figure 8).
    CommitOldTerm = "commit_old_term",
    /// C05: a vote is given whatever the candidate's log holds.
    NoUptodateCheck = "no_uptodate_check",
    /// C06: a follower cuts its log behind every append, even a late or repeated one.
    TruncateAlways = "truncate_always",
    /// C07: a follower takes the leader's commit index beyond what is known to match. It is the leader that limits it
    /// here, in heartbeats.
    CommitNotClamped = "commit_not_clamped",
    /// C08: a follower acknowledges the end of its own log instead of what matches the leader's.
    AckBeyondMatch = "ack_beyond_match",
    /// C09: a leader takes the rejection of an append for the acknowledgement of what goes before it.
    NackAsAck = "nack_as_ack",
    /// C10: a voter that answers twice counts twice: its second answer stands for somebody who is silent.
    DupVotes = "dup_votes",
    /// C12: a new leader takes changes of the members before an entry of its own term is committed.
    ConfchangeBeforeNoop = "confchange_before_noop",
    /// C14: a member votes only if it knows that it is a voter; one that was promoted may not have heard of it.
    LearnerRefusesVote = "learner_refuses_vote",
    /// C17: a change of the members that was refused when it was applied counts as under way for ever.
    PendingConfStuck = "pending_conf_stuck",
    /// C19: a handover to a member that is gone, or votes no longer, blocks proposals for ever.
    TransferNeverAborts = "transfer_never_aborts",
    /// C20: a new leader answers reads before an entry of its term is committed.
    ReadIndexBeforeTermCommit = "readindex_before_term_commit",
    /// C21: a round of reads that waits for its quorum takes in later questions, with a newer index and under its old
    /// number, so a late confirmation counts for them too. The analogue of a retry that keeps its request context.
    ReadIndexCtxReuse = "readindex_ctx_reuse",
    /// C22: an answer to a read that the leader before gave counts after the leader has changed. Alone that would be safe
    /// here, because a question is asked after its reads arrived and has a number of its own; so the question that is
    /// kept takes in the reads that arrived since, as the loop that served reads did.
    ReadVsLeaderChange = "read_vs_leader_change",
    /// C23: a leader answers reads by itself for as long as it believes that it leads, as etcd does when its reads are
    /// lease-based.
    LeaseReadNoDriftBound = "lease_read_no_drift_bound",
    /// C24: a granted pre-vote carries the voter's own term instead of the one it was asked about, and a pre-vote of an
    /// earlier term is not answered. One who was cut off is then heard by nobody, and hears nothing of the term.
    PrevoteLocalTerm = "prevote_local_term",
    /// C25: a leader that hears nobody keeps the lead.
    NoCheckQuorumAsym = "no_checkquorum_asym",
    /// C26: a new member counts as silent before it can be heard, and the answer to a heartbeat does not count as
    /// hearing somebody: a leader that works steps down.
    RecentActiveUnset = "recent_active_unset",
    /// C27: a lost probe leaves its follower paused for ever.
    ProbeNeverResumes = "probe_never_resumes",
    /// C28: a leader probes below the beginning of its log with term 0, and a follower takes that for a match and commits
    /// what it was told to.
    CompactedTermZero = "compacted_term_zero",
    /// C29: what does not fit into one batch of entries to apply is skipped.
    PaginationLosesCommits = "pagination_loses_commits",
    /// C30: the count of bytes that wait for a quorum only grows, until every proposal is dropped. There is no counter
    /// here that could drift: what is committed is not taken off.
    UncommittedSizeLeak = "uncommitted_size_leak",
    /// C31: a write that ends after its entries were replaced vouches for their replacements. A position stands here
    /// for the index and term that were confused.
    AsyncAppendAba = "async_append_aba",
    /// C32: recovery leaves a torn record where it is; what is appended behind it is out of sight.
    WalTailNotZeroed = "wal_tail_not_zeroed",
    /// C33: a new segment of the log is renamed into place, and its folder is not synced.
    RenameNoDirsync = "rename_no_dirsync",
    /// C34: the log says that a checkpoint is there before it is on disk.
    SnapWalOrder = "snap_wal_order",
    /// C35: a sync that failed is tried again as if the pages were still dirty.
    FsyncErrorRetry = "fsync_error_retry",
    /// C36: a checkpoint says that it holds one entry more than it does: the index is saved apart from the data.
    ConsistentIndexOutsideTxn = "consistent_index_outside_txn",
    /// C38: entries that change no key do not move the index that a checkpoint says, so a member that starts there carries
    /// them out a second time.
    ReadonlyEntryKeepsIndex = "readonly_entry_keeps_index",
    /// C39: after a jump of the state the member goes on counting from where it was.
    SnapshotIndexOverwritten = "snapshot_index_overwritten",
    /// C42: a member whose log ends before its own commit index votes and acknowledges as before.
    LostTailStillVotes = "lost_tail_still_votes",
    /// C43: a record of the log that does not match its checksum is read as valid.
    CrcNotChained = "crc_not_chained",
    /// C44: who reads the keys back takes the highest revision of a pair that is left for the newest, though later ones were
    /// deleted and compacted.
    RevisionFallsAfterCompactCrash = "revision_falls_after_compact_crash",
    /// C45: a compaction drops the tombstone whose revision is the compaction's own.
    TombstoneAtCompactRev = "tombstone_at_compact_rev",
    /// C46: a key of which only the tombstone is left is not there for who reads the keys back, so watchers do not hear of
    /// its end.
    LoneTombstoneNotRestored = "lone_tombstone_not_restored",
    /// C47: a lagging watcher whose next revision was compacted goes on behind the gap.
    SlowWatcherSkipsCompacted = "slow_watcher_skips_compacted",
    /// C48: after a jump of the state a watcher is served from where it began, not from where it was.
    RestoreWatchMinRev = "restore_watch_min_rev",
    /// C49: a watch that begins at a future revision hears of earlier ones.
    FutureRevWatch = "future_rev_watch",
    /// C50: a progress reply goes ahead of events that wait to be sent.
    ProgressOvertakesEvents = "progress_overtakes_events",
    /// C51: a transaction that puts and deletes one key shows one of the changes twice.
    DupOrGhostEvent = "dup_or_ghost_event",
    /// C52: the events of one revision come in two replies without a mark.
    SplitRevision = "split_revision",
    /// C53: a transaction that reads a compacted revision is refused by how far this member has removed it.
    TxnRangeAtCompactedRev = "txn_range_at_compacted_rev",
    /// C54: who reads the leases back at boot orders ids as unsigned numbers and goes up to the highest signed one:
    /// those below zero are lost, on this member alone.
    LeaseIdOrder = "lease_id_order",
    /// C55: a leader that was deposed goes on to count, and to revoke leases by way of the new one.
    OldLeaderRevokes = "old_leader_revokes",
    /// C56: a renewal is granted without asking a quorum, and for a lease that has expired and is being revoked.
    KeepaliveLies = "keepalive_lies",
    /// C57: a new leader gives every lease its whole time again, whatever was noted of what it had left.
    TtlResetOnLeaderChange = "ttl_reset_on_leader_change",
    /// C58: a lease whose revocation did not come through is never revoked again.
    ExpiredNotRevoked = "expired_not_revoked",
    /// C59: a lease is counted from when its grant is proposed, so a renewal that meets the grant on its way brings the
    /// leader down.
    GrantKeepaliveRace = "grant_keepalive_race",
    /// C60: a key that was put under another lease still goes with the first.
    ReattachWrongDelete = "reattach_wrong_delete",
    /// C61: who waited for a lock gets it without a look whether its own key is still there.
    LockWithoutLeaseCheck = "lock_without_lease_check",
    /// C62: the promotion of a learner is forgotten when the log is read back.
    PromotionNotPersisted = "promotion_not_persisted",
    /// C63: a learner is promoted whether or not it ever started and caught up.
    PromoteUnstarted = "promote_unstarted",
    /// C65: a learner whose URLs are changed is listed as a voter.
    MemberupdatePromotes = "memberupdate_promotes",
    /// C64: a message that is addressed to another member is taken.
    AcceptForeignMemberMsg = "accept_foreign_member_msg",
    /// C66: what a member reads back of users and roles at boot raises the revision once more than it did for the others,
    /// so members disagree on who must say again who they are.
    AuthNotReplayedEqually = "auth_not_replayed_equally",
    /// Our own: a leader counts its own entry as durable before its disk says so.
    LeaderAckBeforeSync = "leader_ack_before_sync",
    /// Our own: a leader commits what it alone holds.
    CommitWithoutMajority = "commit_without_majority",
    /// Our own: a follower keeps entries that conflict with the leader's.
    ConflictingTailKept = "conflicting_tail_kept",
    /// Our own: the files of a checkpoint are renamed into place, and their folder is not synced before the
    /// log says that it is there.
    SnapRenameNoDirsync = "snap_rename_no_dirsync",
    /// Our own: a checkpoint that does not match its checksums is read as valid.
    ImageSumsIgnored = "image_sums_ignored",
    /// Our own: with the first checkpoint the log before it is forgotten, though there is no other to fall back to.
    ForgetsTooMuch = "forgets_too_much",
    /// Our own: a linearizable read is answered from local state without asking a quorum.
    ReadWithoutReadIndex = "read_without_read_index",
}

/// Which planted bugs a member runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plants {
    #[cfg(feature = "plants")]
    only: Option<Plant>,
}

impl Plants {
    pub const NONE: Plants = Plants {
        #[cfg(feature = "plants")]
        only: None,
    };

    #[cfg(feature = "plants")]
    pub const fn only(plant: Plant) -> Plants {
        Plants { only: Some(plant) }
    }

    #[cfg(feature = "plants")]
    pub fn has(self, plant: Plant) -> bool {
        self.only == Some(plant)
    }

    #[cfg(not(feature = "plants"))]
    #[inline(always)]
    pub const fn has(self, _plant: Plant) -> bool {
        false
    }
}
