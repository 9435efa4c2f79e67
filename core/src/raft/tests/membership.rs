use crate::raft::membership::{Membership, leaves_joint};
use alloc::{format, string::String, vec::Vec};
use detcd_proto::raftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState};

/// `v4` adds a voter, `l4` a learner, `r4` removes, `u4` updates.
fn change(transition: ConfChangeTransition, words: &str) -> ConfChangeV2 {
    let changes = words.split_whitespace().map(|word| {
        let (kind, id) = word.split_at(1);
        let kind = match kind {
            "v" => ConfChangeType::ConfChangeAddNode,
            "l" => ConfChangeType::ConfChangeAddLearnerNode,
            "r" => ConfChangeType::ConfChangeRemoveNode,
            _ => ConfChangeType::ConfChangeUpdateNode,
        };
        ConfChangeSingle { r#type: kind as i32, node_id: id.parse().unwrap() }
    });
    ConfChangeV2 { transition: transition as i32, changes: changes.collect(), context: None }
}

fn show(membership: &Membership) -> String {
    let ids = |ids: &[crate::MemberId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    let Membership { voters, voters_outgoing, learners, learners_next, auto_leave } = membership;
    format!(
        "{:?} {:?} {:?} {:?} {auto_leave}",
        ids(voters),
        ids(voters_outgoing),
        ids(learners),
        ids(learners_next)
    )
}

fn after(voters: &[u64], learners: &[u64], changes: &[ConfChangeV2]) -> Result<String, &'static str> {
    let state = ConfState { voters: voters.to_vec(), learners: learners.to_vec(), ..ConfState::default() };
    let membership = changes.iter().try_fold(Membership::of(&state), |now, change| now.changed(change))?;
    // What is stored is what is loaded, joint half and all.
    assert_eq!(Membership::of(&membership.conf_state()), membership);
    Ok(show(&membership))
}

use ConfChangeTransition::{Auto, JointExplicit, JointImplicit};

#[test]
fn one_change_takes_effect_at_once() {
    assert_eq!(after(&[1, 2], &[], &[change(Auto, "v3")]).unwrap(), "[1, 2, 3] [] [] [] false");
    assert_eq!(after(&[1, 2], &[3], &[change(Auto, "v3")]).unwrap(), "[1, 2, 3] [] [] [] false");
    assert_eq!(after(&[1, 2], &[], &[change(Auto, "l2")]).unwrap(), "[1] [] [2] [] false");
    assert_eq!(after(&[1, 2], &[3], &[change(Auto, "r3")]).unwrap(), "[1, 2] [] [] [] false");
    assert_eq!(after(&[1, 2], &[3], &[change(Auto, "u2")]).unwrap(), "[1, 2] [] [3] [] false");
}

#[test]
fn the_same_change_twice_is_harmless() {
    let twice = [change(Auto, "v3"), change(Auto, "v3")];
    assert_eq!(after(&[1, 2], &[], &twice).unwrap(), "[1, 2, 3] [] [] [] false");
}

#[test]
fn several_changes_go_by_way_of_a_joint_configuration() {
    let joint = change(Auto, "v4 v5 r1 l2");
    assert_eq!(
        after(&[1, 2, 3], &[], core::slice::from_ref(&joint)).unwrap(),
        "[3, 4, 5] [1, 2, 3] [] [2] true"
    );
    assert_eq!(
        after(&[1, 2, 3], &[], &[joint, ConfChangeV2::default()]).unwrap(),
        "[3, 4, 5] [] [2] [] false"
    );
}

#[test]
fn the_transition_says_who_leaves_the_joint_configuration() {
    assert_eq!(after(&[1], &[], &[change(JointImplicit, "v2")]).unwrap(), "[1, 2] [1] [] [] true");
    assert_eq!(after(&[1], &[], &[change(JointExplicit, "v2")]).unwrap(), "[1, 2] [1] [] [] false");
}

#[test]
fn what_cannot_be_is_refused() {
    assert!(after(&[1], &[], &[change(Auto, "r1")]).is_err());
    assert!(after(&[1], &[], &[ConfChangeV2::default()]).is_err());
    assert!(after(&[1], &[], &[change(JointExplicit, "v2"), change(Auto, "v3")]).is_err());
    assert!(after(&[], &[], &[change(JointExplicit, "v2")]).is_err());
}

#[test]
fn a_change_of_member_zero_was_refused_by_the_application() {
    assert_eq!(after(&[1, 2], &[], &[change(Auto, "v0")]).unwrap(), "[1, 2] [] [] [] false");
    assert!(!leaves_joint(&change(Auto, "v0")));
}
