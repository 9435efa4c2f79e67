//! Raft alone under random faults: whole clusters of `Raft` over a plain event queue, judged after every turn.
//!
//! The seed is the whole story: it draws the cluster, the rates of the faults and every choice. A failure names it,
//! and `RAFT_SIM_SEED=n` runs that one alone. `RAFT_SIM_SEEDS=n` runs more than the usual few hundred.
mod judge;
mod world;

use detcd_core::Plants;
use std::panic;
use world::{Deeds, Profile, World};

/// Runs one seed to its end and gives what was done in it, or why it failed.
fn run(seed: u64, profile: Profile, plants: Plants) -> Result<Deeds, String> {
    match panic::catch_unwind(move || World::new(seed, profile, plants).run()) {
        Ok(result) => result,
        Err(cause) => {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| text.to_string()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

fn all_clean(profile: Profile, seeds: u64) {
    let seeds = match number("RAFT_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RAFT_SIM_SEEDS").unwrap_or(seeds),
    };
    let mut sum = Deeds::default();
    for seed in seeds.clone() {
        match run(seed, profile, Plants::NONE) {
            Ok(deeds) => sum.add(&deeds),
            Err(why) => panic!("seed {seed} ({profile:?}): {why}\nreplay: RAFT_SIM_SEED={seed}"),
        }
    }
    println!("{profile:?}: {sum:?}");
    if seeds.end - seeds.start >= 100 {
        sum.assert_awake(profile);
    }
}

#[test]
fn fixed_members_keep_every_promise() {
    all_clean(Profile::Fixed, 200);
}

#[test]
fn changing_members_keep_every_promise() {
    all_clean(Profile::Changing, 200);
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [3, 14, 159] {
        let first = run(seed, Profile::Changing, Plants::NONE).unwrap();
        let second = run(seed, Profile::Changing, Plants::NONE).unwrap();
        assert_eq!(first, second, "seed {seed}");
    }
}

/// The judges are on trial too: each planted bug must be found.
#[cfg(feature = "plants")]
mod plants {
    use super::{Profile, run};
    use detcd_core::{Plant, Plants};

    fn is_caught(plant: Plant, seeds: u64) {
        std::panic::set_hook(Box::new(|_| {}));
        let found =
            (0..seeds).find_map(|seed| Some((seed, run(seed, Profile::Fixed, Plants::only(plant)).err()?)));
        let (seed, why) = found.unwrap_or_else(|| panic!("{} was not found in {seeds} seeds", plant.name()));
        println!("{}: seed {seed}: {why}", plant.name());
    }

    #[test]
    fn leader_ack_before_sync_is_caught() {
        is_caught(Plant::LeaderAckBeforeSync, 300);
    }
    #[test]
    fn follower_ack_before_sync_is_caught() {
        is_caught(Plant::AckBeforeSync, 300);
    }
    #[test]
    fn commit_without_majority_is_caught() {
        is_caught(Plant::CommitWithoutMajority, 300);
    }
    #[test]
    fn vote_not_persisted_is_caught() {
        is_caught(Plant::VoteNoSync, 300);
    }
    #[test]
    fn conflicting_tail_kept_is_caught() {
        is_caught(Plant::ConflictingTailKept, 300);
    }
    #[test]
    fn read_without_read_index_is_caught() {
        is_caught(Plant::ReadWithoutReadIndex, 300);
    }
    #[test]
    fn single_voter_reply_first_is_caught() {
        is_caught(Plant::SingleVoterReplyFirst, 300);
    }
    #[test]
    fn no_uptodate_check_is_caught() {
        is_caught(Plant::NoUptodateCheck, 300);
    }
    #[test]
    fn truncate_always_is_caught() {
        is_caught(Plant::TruncateAlways, 300);
    }
    #[test]
    fn commit_not_clamped_is_caught() {
        is_caught(Plant::CommitNotClamped, 300);
    }
    #[test]
    fn ack_beyond_match_is_caught() {
        is_caught(Plant::AckBeyondMatch, 300);
    }
    #[test]
    fn nack_as_ack_is_caught() {
        is_caught(Plant::NackAsAck, 300);
    }
    #[test]
    fn dup_votes_is_caught() {
        is_caught(Plant::DupVotes, 300);
    }
    #[test]
    fn transfer_never_aborts_is_caught() {
        is_caught(Plant::TransferNeverAborts, 300);
    }
    #[test]
    fn readindex_before_term_commit_is_caught() {
        is_caught(Plant::ReadIndexBeforeTermCommit, 300);
    }
    #[test]
    fn lease_read_no_drift_bound_is_caught() {
        is_caught(Plant::LeaseReadNoDriftBound, 300);
    }
    #[test]
    fn prevote_local_term_is_caught() {
        is_caught(Plant::PrevoteLocalTerm, 300);
    }
    #[test]
    fn no_checkquorum_asym_is_caught() {
        is_caught(Plant::NoCheckQuorumAsym, 300);
    }
    #[test]
    fn recent_active_unset_is_caught() {
        is_caught(Plant::RecentActiveUnset, 300);
    }
    #[test]
    fn probe_never_resumes_is_caught() {
        is_caught(Plant::ProbeNeverResumes, 300);
    }
    #[test]
    fn pagination_loses_commits_is_caught() {
        is_caught(Plant::PaginationLosesCommits, 300);
    }
    #[test]
    fn uncommitted_size_leak_is_caught() {
        is_caught(Plant::UncommittedSizeLeak, 300);
    }
    #[test]
    fn async_append_aba_is_caught() {
        is_caught(Plant::AsyncAppendAba, 300);
    }
    #[test]
    fn accept_foreign_member_msg_is_caught() {
        is_caught(Plant::AcceptForeignMemberMsg, 300);
    }
}
