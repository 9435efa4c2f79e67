use crate::raft::log::Log;
use alloc::{vec, vec::Vec};
use bytes::Bytes;
use detcd_proto::raftpb::{Entry, EntryType};

fn entry(index: u64, term: u64, bytes: usize) -> Entry {
    Entry { index, term, data: Some(Bytes::from(vec![0; bytes])), ..Entry::default() }
}

fn conf_change(index: u64, term: u64) -> Entry {
    Entry { r#type: EntryType::EntryConfChange as i32, ..entry(index, term, 0) }
}

/// Entries `base.0 + 1..` with these terms.
fn log(base: (u64, u64), terms: &[u64]) -> Log {
    Log::new(base, terms.iter().zip(base.0 + 1..).map(|(term, index)| entry(index, *term, 10)).collect())
}

fn indexes(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.index).collect()
}

#[test]
fn knows_terms_only_from_its_base_to_its_end() {
    let log = log((3, 2), &[2, 4]);
    let terms: Vec<_> = (2..7).map(|index| log.term(index)).collect();
    assert_eq!(terms, [None, Some(2), Some(2), Some(4), None]);
    assert_eq!((log.last_index(), log.last_term()), (5, 4));
}

#[test]
fn a_later_term_beats_a_longer_log() {
    let log = log((0, 0), &[1, 1, 3]);
    assert!(log.is_behind_or_equal(1, 4));
    assert!(log.is_behind_or_equal(3, 3));
    assert!(!log.is_behind_or_equal(2, 3));
    assert!(!log.is_behind_or_equal(9, 2));
}

#[test]
fn a_slice_keeps_to_its_size_but_is_never_empty_without_need() {
    let log = log((0, 0), &[1; 5]);
    let one = log.cost_between(0, 1);
    assert_eq!(indexes(&log.slice(2, 9, u64::MAX)), [2, 3, 4, 5]);
    assert_eq!(indexes(&log.slice(2, 9, 2 * one)), [2, 3]);
    assert_eq!(indexes(&log.slice(2, 9, 3 * one - 1)), [2, 3]);
    assert_eq!(indexes(&log.slice(2, 9, 0)), [2]);
    assert_eq!(indexes(&log.slice(6, 9, 100)), [0u64; 0]);
}

#[test]
fn the_cost_of_a_stretch_survives_truncation() {
    let mut log = log((4, 1), &[1, 1, 1]);
    let whole = log.cost_between(4, 7);
    log.truncate(5);
    assert_eq!(log.cost_between(4, 7), 0, "beyond the end there is nothing to count");
    log.append(entry(6, 2, 10));
    log.append(entry(7, 2, 10));
    assert_eq!(log.cost_between(4, 7), whole);
}

/// The example in the discussion of etcd's rejection hints: a follower with a long uncommitted tail of an old term.
#[test]
fn the_last_possible_match_skips_whole_terms() {
    let log = log((0, 0), &[1, 3, 3, 3, 5, 5, 5, 5, 5]);
    assert_eq!(log.last_possible_match(9, 5), (9, 5));
    assert_eq!(log.last_possible_match(9, 4), (4, 3));
    assert_eq!(log.last_possible_match(3, 4), (3, 3));
    assert_eq!(log.last_possible_match(9, 2), (1, 1));
    assert_eq!(log.last_possible_match(9, 0), (0, 0));
    assert_eq!(log.last_possible_match(20, 9), (9, 5));
}

#[test]
fn below_the_base_no_term_is_claimed() {
    let log = log((5, 3), &[3, 4]);
    assert_eq!(log.last_possible_match(7, 3), (6, 3));
    assert_eq!(log.last_possible_match(4, 3), (4, 0));
    assert_eq!(log.last_possible_match(7, 2), (4, 0));
}

#[test]
fn a_second_membership_change_proves_the_first_committed() {
    let mut log = Log::new((0, 0), vec![entry(1, 1, 0), conf_change(2, 1), entry(3, 1, 0)]);
    assert_eq!(log.proven_commit(), 0);
    log.append(conf_change(4, 1));
    assert_eq!(log.proven_commit(), 2);
    assert_eq!(log.conf_change_after(0), Some(2));
    assert_eq!(log.conf_change_after(2), Some(4));
    log.truncate(3);
    assert_eq!(log.conf_change_after(2), None);
    assert_eq!(log.proven_commit(), 0);
}

#[test]
#[should_panic(expected = "an entry must follow on the last one")]
fn a_gap_is_a_bug() {
    log((0, 0), &[1, 1]).append(entry(4, 1, 0));
}

#[test]
fn what_is_forgotten_leaves_a_base() {
    let mut log = log((2, 1), &[1, 2, 2, 3]);
    let rest = log.cost_between(4, 6);
    log.forget_upto(4);
    assert_eq!((log.base_index(), log.last_index(), log.last_term()), (4, 6, 3));
    assert_eq!([3, 4, 5].map(|index| log.term(index)), [None, Some(2), Some(2)]);
    assert_eq!(indexes(&log.slice(4, 9, u64::MAX)), [0u64; 0], "what is gone is not handed out");
    let one = log.cost_between(4, 5);
    assert_eq!(indexes(&log.slice(5, 9, one)), [5]);
    assert_eq!((log.cost_between(4, 6), log.cost_between(0, 6)), (rest, rest));
    log.forget_upto(3);
    assert_eq!(log.base_index(), 4, "what is forgotten stays forgotten");
    log.forget_upto(6);
    assert_eq!((log.last_index(), log.last_term(), log.term(6)), (6, 3, Some(3)));
    log.append(entry(7, 3, 10));
    assert_eq!((log.cost_between(6, 7), indexes(&log.slice(7, 9, 1))), (one, vec![7]));
}

#[test]
fn changes_of_the_membership_are_forgotten_with_their_entries() {
    let mut log = Log::new((0, 0), vec![conf_change(1, 1), entry(2, 1, 0), conf_change(3, 1)]);
    assert_eq!(log.proven_commit(), 1);
    log.forget_upto(2);
    assert_eq!((log.proven_commit(), log.conf_change_after(2)), (0, Some(3)));
}

#[test]
#[should_panic(expected = "only what is there can be forgotten")]
fn what_is_to_come_cannot_be_forgotten() {
    log((0, 0), &[1, 1]).forget_upto(3);
}
