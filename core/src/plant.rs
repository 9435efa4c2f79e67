//! Bugs on purpose: the simulator is on trial too, and must find each of these from random seeds.
//!
//! A switch is compiled in only with the feature `plants`, which nothing that ships turns on. Without it
//! [`Plants::has`] is constantly false and the compiler removes the branch.

/// One planted bug. What it breaks and what must catch it stands beside it; the numbers are the museum's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// The leader counts its own entry as durable before its disk says so (C03): durability.
    LeaderAckBeforeSync,
    /// A follower acknowledges entries its disk has not taken yet (C02): leader completeness, durability.
    FollowerAckBeforeSync,
    /// The leader commits what it alone holds: state machine safety.
    CommitWithoutMajority,
    /// The vote leaves before it is on disk and is not written at all (C01): election safety.
    VoteNotPersisted,
    /// Recovery leaves a torn record where it is; what is appended behind it is out of sight: durability.
    TornTailNotCut,
    /// A follower keeps entries that conflict with the leader's: log matching, state machine safety.
    ConflictingTailKept,
    /// A linearizable read is answered from local state without asking a quorum: linearizability.
    ReadWithoutReadIndex,
}

impl Plant {
    pub const ALL: [Plant; 7] = [
        Plant::LeaderAckBeforeSync,
        Plant::FollowerAckBeforeSync,
        Plant::CommitWithoutMajority,
        Plant::VoteNotPersisted,
        Plant::TornTailNotCut,
        Plant::ConflictingTailKept,
        Plant::ReadWithoutReadIndex,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Plant::LeaderAckBeforeSync => "leader_ack_before_sync",
            Plant::FollowerAckBeforeSync => "follower_ack_before_sync",
            Plant::CommitWithoutMajority => "commit_without_majority",
            Plant::VoteNotPersisted => "vote_not_persisted",
            Plant::TornTailNotCut => "torn_tail_not_cut",
            Plant::ConflictingTailKept => "conflicting_tail_kept",
            Plant::ReadWithoutReadIndex => "read_without_read_index",
        }
    }
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
