use crate::{MemberId, raft::membership::Membership, raft::quorum::Verdict};
use alloc::vec::Vec;

fn membership(voters: &[u64], outgoing: &[u64]) -> Membership {
    let ids = |ids: &[u64]| ids.iter().map(|id| MemberId(*id)).collect::<Vec<_>>();
    Membership { voters: ids(voters), voters_outgoing: ids(outgoing), ..Membership::default() }
}

/// Member `i` has reached `values[i - 1]`.
fn reached(voters: &[u64], outgoing: &[u64], values: &[u64]) -> u64 {
    membership(voters, outgoing).reached(|member| values[member.0 as usize - 1])
}

/// `y`, `n` or anything else for each member in turn.
fn tally(voters: &[u64], outgoing: &[u64], votes: &str) -> Verdict {
    let votes = votes.as_bytes();
    membership(voters, outgoing).tally(|member| match votes[member.0 as usize - 1] {
        b'y' => Some(true),
        b'n' => Some(false),
        _ => None,
    })
}

#[test]
fn a_majority_has_reached_the_middle_value() {
    assert_eq!(reached(&[1], &[], &[7]), 7);
    assert_eq!(reached(&[1, 2], &[], &[7, 5]), 5);
    assert_eq!(reached(&[1, 2, 3], &[], &[7, 5, 0]), 5);
    assert_eq!(reached(&[1, 2, 3, 4], &[], &[9, 8, 7, 6]), 7);
    assert_eq!(reached(&[1, 2, 3, 4, 5], &[], &[1, 9, 9, 3, 0]), 3);
    assert_eq!(reached(&[], &[], &[]), 0);
}

#[test]
fn two_halves_must_both_have_reached_it() {
    assert_eq!(reached(&[1, 2, 3], &[3, 4, 5], &[9, 9, 9, 2, 1]), 2);
    assert_eq!(reached(&[1, 2, 3], &[3, 4, 5], &[1, 2, 3, 9, 9]), 2);
    // A majority of the union alone is not enough.
    assert_eq!(reached(&[1], &[2, 3, 4], &[0, 9, 9, 9]), 0);
}

#[test]
fn an_election_is_open_until_a_majority_decides() {
    assert_eq!(tally(&[1, 2, 3], &[], "y--"), Verdict::Open);
    assert_eq!(tally(&[1, 2, 3], &[], "yny"), Verdict::Won);
    assert_eq!(tally(&[1, 2, 3], &[], "ynn"), Verdict::Lost);
    assert_eq!(tally(&[1, 2, 3, 4], &[], "yy--"), Verdict::Open);
    assert_eq!(tally(&[1, 2, 3, 4], &[], "yynn"), Verdict::Lost);
    assert_eq!(tally(&[], &[], ""), Verdict::Lost, "nobody can elect");
}

#[test]
fn both_halves_must_elect() {
    assert_eq!(tally(&[1, 2, 3], &[3, 4, 5], "yy---"), Verdict::Open);
    assert_eq!(tally(&[1, 2, 3], &[3, 4, 5], "yynnn"), Verdict::Lost);
    assert_eq!(tally(&[1, 2, 3], &[3, 4, 5], "y-yy-"), Verdict::Won);
}
