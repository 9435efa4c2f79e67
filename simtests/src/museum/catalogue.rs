//! What hangs in the museum: bugs that real systems had, each with the place where it was seen, and those that cannot be
//! planted before the feature they live in is built.
use crate::profile::Profile;
use detcd_core::Plant;

/// One bug that can be planted.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    pub plant: Plant,
    /// Its number; `own` for one that no other system is known to have had.
    pub number: &'static str,
    pub what: &'static str,
    pub seen_in: &'static str,
}

/// A bug whose feature is not built.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub number: &'static str,
    pub name: &'static str,
    pub what: &'static str,
    pub waits_for: &'static str,
}

const fn exhibit(plant: Plant, number: &'static str, what: &'static str, seen_in: &'static str) -> Exhibit {
    Exhibit { plant, number, what, seen_in }
}

pub const EXHIBITS: &[Exhibit] = &[
    exhibit(Plant::VoteNoSync, "C01", "a vote leaves before it is on disk", "what Raft asks of its storage"),
    exhibit(
        Plant::AckBeforeSync,
        "C02",
        "a follower acknowledges what its disk does not have",
        "what Raft asks of its storage",
    ),
    exhibit(
        Plant::SingleVoterReplyFirst,
        "C03",
        "a lone member answers before its disk has the entry",
        "etcd #14370",
    ),
    exhibit(
        Plant::CommitOldTerm,
        "C04",
        "entries of an earlier term are committed by counting copies",
        "Raft, figure 8; CCF",
    ),
    exhibit(
        Plant::NoUptodateCheck,
        "C05",
        "a vote is given without a look at the candidate's log",
        "Raft 5.4.1",
    ),
    exhibit(
        Plant::TruncateAlways,
        "C06",
        "every append cuts the log behind it, a late one too",
        "CCF, early AppendEntries",
    ),
    exhibit(
        Plant::CommitNotClamped,
        "C07",
        "a heartbeat's commit index is taken beyond what matches",
        "Raft, figure 2",
    ),
    exhibit(
        Plant::AckBeyondMatch,
        "C08",
        "an acknowledgement names the end of the log, not what matches",
        "CCF",
    ),
    exhibit(Plant::NackAsAck, "C09", "a rejection counts as progress", "CCF"),
    exhibit(Plant::DupVotes, "C10", "a repeated vote counts twice", "duplicated messages"),
    exhibit(
        Plant::ConfchangeBeforeNoop,
        "C12",
        "a change is accepted before the leader has committed in its term",
        "Ongaro on raft-dev, 2015; copycat #23",
    ),
    exhibit(
        Plant::LearnerRefusesVote,
        "C14",
        "a promoted learner that has not heard of it does not vote",
        "raft abb533c",
    ),
    exhibit(
        Plant::PendingConfStuck,
        "C17",
        "a change that was refused when applied blocks every later one",
        "raft 141a265",
    ),
    exhibit(
        Plant::TransferNeverAborts,
        "C19",
        "a handover to a member that is gone never ends",
        "etcd #11417",
    ),
    exhibit(
        Plant::ReadIndexBeforeTermCommit,
        "C20",
        "a new leader answers reads before it has committed anything",
        "etcd #12680",
    ),
    exhibit(
        Plant::ReadIndexCtxReuse,
        "C21",
        "a late confirmation of an old read counts for a newer index",
        "etcd #20418, raft #397",
    ),
    exhibit(
        Plant::ReadVsLeaderChange,
        "C22",
        "the answer of a leader that was deposed is used after the change",
        "etcd #21375",
    ),
    exhibit(
        Plant::LeaseReadNoDriftBound,
        "C23",
        "a deposed leader answers reads by its own clock",
        "Jepsen on etcd 0.4.1",
    ),
    exhibit(
        Plant::PrevoteLocalTerm,
        "C24",
        "consent to a pre-vote carries the voter's own term",
        "raft d4471b2, etcd #8525",
    ),
    exhibit(
        Plant::NoCheckQuorumAsym,
        "C25",
        "a leader that hears nobody keeps the lead",
        "an outage of 2020 by a switch that failed one way",
    ),
    exhibit(
        Plant::RecentActiveUnset,
        "C26",
        "members that were heard count as silent, and leaders that work step down",
        "raft a3afec7, 7b8cdf3",
    ),
    exhibit(
        Plant::ProbeNeverResumes,
        "C27",
        "one lost probe silences a follower for ever",
        "raft 335903b, 49bac48",
    ),
    exhibit(
        Plant::CompactedTermZero,
        "C28",
        "a probe below what the log holds carries term 0",
        "etcd 76f1249",
    ),
    exhibit(
        Plant::PaginationLosesCommits,
        "C29",
        "committed entries that do not fit into one batch are skipped",
        "raft 8ecce32",
    ),
    exhibit(Plant::UncommittedSizeLeak, "C30", "the count of uncommitted bytes only grows", "raft a370b6f"),
    exhibit(
        Plant::AsyncAppendAba,
        "C31",
        "a late write vouches for entries that replaced what it wrote",
        "raft's play of an ABA",
    ),
    exhibit(
        Plant::WalTailNotZeroed,
        "C32",
        "a torn record stays, and what is appended behind it is lost (nearest kin: etcd's tail that was not zeroed)",
        "etcd #5250",
    ),
    exhibit(Plant::RenameNoDirsync, "C33", "a new segment's name is not synced", "etcd #6368"),
    exhibit(
        Plant::SnapWalOrder,
        "C34",
        "the marker of a checkpoint is durable before the checkpoint",
        "etcd #7628, #11888",
    ),
    exhibit(Plant::FsyncErrorRetry, "C35", "a failed sync is tried again", "fsyncgate, 2018"),
    exhibit(
        Plant::ConsistentIndexOutsideTxn,
        "C36",
        "the applied index is saved apart from the data",
        "etcd #13766",
    ),
    exhibit(
        Plant::ReadonlyEntryKeepsIndex,
        "C38",
        "some entries do not move the applied index",
        "etcd #11651 and kin",
    ),
    exhibit(
        Plant::SnapshotIndexOverwritten,
        "C39",
        "after a jump of the state the member counts on from where it was",
        "etcd #13933",
    ),
    exhibit(
        Plant::LostTailStillVotes,
        "C42",
        "a member that lost synced entries votes as before",
        "etcd #13509 and kin",
    ),
    exhibit(
        Plant::CrcNotChained,
        "C43",
        "damage in the middle of the log is read as valid",
        "misdirected writes",
    ),
    exhibit(
        Plant::RevisionFallsAfterCompactCrash,
        "C44",
        "the revision falls when keys are read back after a compaction",
        "etcd #17780",
    ),
    exhibit(
        Plant::TombstoneAtCompactRev,
        "C45",
        "compaction drops the tombstone at its own revision",
        "etcd #18089",
    ),
    exhibit(
        Plant::LoneTombstoneNotRestored,
        "C46",
        "a key of which only a tombstone is left is forgotten at boot",
        "etcd #19179",
    ),
    exhibit(
        Plant::SlowWatcherSkipsCompacted,
        "C47",
        "a slow watcher jumps over what was compacted",
        "etcd #17529",
    ),
    exhibit(
        Plant::RestoreWatchMinRev,
        "C48",
        "after a jump of the state a watcher hears again what it heard",
        "etcd #9086, #15271",
    ),
    exhibit(
        Plant::FutureRevWatch,
        "C49",
        "a watch from a future revision hears earlier events",
        "etcd #9775, #20221",
    ),
    exhibit(Plant::ProgressOvertakesEvents, "C50", "a progress reply overtakes events", "etcd #15220"),
    exhibit(
        Plant::DupOrGhostEvent,
        "C51",
        "one change of a transaction is shown twice",
        "etcd #17247, #17228",
    ),
    exhibit(
        Plant::SplitRevision,
        "C52",
        "one revision comes in two replies without a mark",
        "etcd's watch guarantees",
    ),
    exhibit(
        Plant::TxnRangeAtCompactedRev,
        "C53",
        "a transaction's read of the past depends on how far this member has compacted",
        "etcd #18667, #21432",
    ),
    exhibit(
        Plant::LeaseIdOrder,
        "C54",
        "negative lease ids are lost when leases are read back",
        "etcd #12535, #13676",
    ),
    exhibit(Plant::OldLeaderRevokes, "C55", "a deposed leader still revokes leases", "etcd #12528, #15247"),
    exhibit(
        Plant::KeepaliveLies,
        "C56",
        "a renewal succeeds for a lease that is going",
        "etcd #15247, #20615",
    ),
    exhibit(Plant::TtlResetOnLeaderChange, "C57", "a lease begins anew with every leader", "etcd #13508"),
    exhibit(
        Plant::ExpiredNotRevoked,
        "C58",
        "a lease whose revocation was lost lives for ever",
        "etcd #10686, #14087",
    ),
    exhibit(Plant::GrantKeepaliveRace, "C59", "a renewal meets a grant that is not applied", "etcd #13932"),
    exhibit(
        Plant::ReattachWrongDelete,
        "C60",
        "a key that moved to another lease goes with the first",
        "leases",
    ),
    exhibit(
        Plant::LockWithoutLeaseCheck,
        "C61",
        "a lock is granted without a look at its lease",
        "Jepsen on etcd 3.4.3",
    ),
    exhibit(
        Plant::PromotionNotPersisted,
        "C62",
        "a promotion is forgotten when the log is read back",
        "etcd #19563, #20387, #20995",
    ),
    exhibit(Plant::PromoteUnstarted, "C63", "a learner that never ran is promoted", "etcd #15096"),
    exhibit(Plant::AcceptForeignMemberMsg, "C64", "a message to another member is taken", "etcd #17813"),
    exhibit(
        Plant::MemberupdatePromotes,
        "C65",
        "an update of addresses makes a learner a voter",
        "etcd #21736",
    ),
    exhibit(
        Plant::AuthNotReplayedEqually,
        "C66",
        "a member that reads its log back has another auth revision than the others",
        "etcd #11651, #14571",
    ),
    exhibit(
        Plant::SnapRenameNoDirsync,
        "own",
        "the files of a checkpoint are renamed and their folder is not synced",
        "",
    ),
    exhibit(Plant::ImageSumsIgnored, "own", "a checkpoint is not held against its checksums", ""),
    exhibit(Plant::ForgetsTooMuch, "own", "the log is forgotten with one checkpoint only", ""),
    exhibit(Plant::LeaderAckBeforeSync, "own", "a leader counts its own entry before its disk has it", ""),
    exhibit(Plant::CommitWithoutMajority, "own", "a leader commits what it alone holds", ""),
    exhibit(Plant::ConflictingTailKept, "own", "a follower keeps entries that conflict", ""),
    exhibit(Plant::ReadWithoutReadIndex, "own", "a linearizable read asks nobody", ""),
];

const fn waiting(
    number: &'static str,
    name: &'static str,
    what: &'static str,
    waits_for: &'static str,
) -> Waiting {
    Waiting { number, name, what, waits_for }
}

const JOINT: &str = "a request that leads to a joint configuration";
const DOOR: &str = "members that listen to who was removed; ours refuse it at the door";
const SLOW_APPLY: &str = "a disk on which two changes outlast an election";
const REWRITING: &str = "a defragmentation that rewrites a file";

const HASTE: &str = "leaders that send a second checkpoint before the first is answered; ours wait";

pub const WAITING: &[Waiting] = &[
    waiting("C11", "joint_union_quorum", "a joint configuration counts one majority of the union", JOINT),
    waiting(
        "C13",
        "campaign_with_unapplied_conf",
        "a member campaigns that has not applied a change",
        SLOW_APPLY,
    ),
    waiting("C15", "restore_drops_joint", "the joint half is lost on the way through a checkpoint", JOINT),
    waiting("C16", "auto_leave_repeats", "a joint configuration is left more than once", JOINT),
    waiting("C18", "leader_removes_self_stays", "a leader that was removed keeps the lead", DOOR),
    waiting("C37", "defrag_skips_index_hook", "defragmentation does not carry the applied index", REWRITING),
    waiting("C40", "apply_snapshot_vs_defrag", "a checkpoint arrives during defragmentation", REWRITING),
    waiting("C41", "two_snapshots_quick", "a second checkpoint arrives while the first is taken in", HASTE),
];

impl Exhibit {
    /// The profile in whose stories it can show.
    pub fn profile(&self) -> Profile {
        match self.plant {
            Plant::AuthNotReplayedEqually | Plant::ReadonlyEntryKeepsIndex => Profile::Auth,
            Plant::ConfchangeBeforeNoop
            | Plant::LearnerRefusesVote
            | Plant::PendingConfStuck
            | Plant::PromotionNotPersisted
            | Plant::PromoteUnstarted
            | Plant::MemberupdatePromotes => Profile::Members,
            _ => Profile::Swarm,
        }
    }
}

/// The exhibit of a plant.
pub fn of(plant: Plant) -> Option<&'static Exhibit> {
    EXHIBITS.iter().find(|exhibit| exhibit.plant == plant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plant_hangs_here_once() {
        for plant in Plant::ALL {
            let times = EXHIBITS.iter().filter(|exhibit| exhibit.plant == plant).count();
            assert_eq!(times, 1, "{}", plant.name());
        }
    }

    #[test]
    fn no_number_is_given_twice_and_none_is_left_out() {
        let numbers =
            EXHIBITS.iter().map(|exhibit| exhibit.number).chain(WAITING.iter().map(|row| row.number));
        let mut numbers: Vec<&str> = numbers.filter(|&number| number != "own").collect();
        numbers.sort_unstable();
        let all: Vec<String> = (1..=66).map(|number| format!("C{number:02}")).collect();
        assert_eq!(numbers, all);
    }
}
