use super::*;
use crate::state::member_json::{Described, encode};
use alloc::{string::ToString, vec};
use raftpb::ConfChangeType as Kind;

fn change(kind: Kind, id: u64, url: &str, is_promote: bool) -> raftpb::ConfChange {
    let member = Member {
        id: MemberId(id),
        name: String::new(),
        peer_urls: if is_promote { vec![] } else { vec![url.to_string()] },
        client_urls: vec![],
        is_learner: kind == Kind::ConfChangeAddLearnerNode,
    };
    let context =
        (kind != Kind::ConfChangeRemoveNode).then(|| encode(&Described { member, is_promote }).into());
    raftpb::ConfChange { id: 0, r#type: kind.into(), node_id: id, context }
}

#[test]
fn members_are_added_promoted_moved_and_removed_for_good() {
    use Kind::*;
    let mut members = Members::default();
    let mut act = |kind, id, url, promote| members.change(&change(kind, id, url, promote));
    assert_eq!(act(ConfChangeAddNode, 2, "b", false), Ok(()));
    assert_eq!(act(ConfChangeAddLearnerNode, 1, "a", false), Ok(()));
    assert_eq!(act(ConfChangeAddNode, 2, "c", false), Err(Refusal::MemberExist));
    assert_eq!(act(ConfChangeAddNode, 2, "a", false), Err(Refusal::MemberExist));
    assert_eq!(act(ConfChangeAddNode, 3, "b", false), Err(Refusal::PeerURLExist));
    assert_eq!(act(ConfChangeUpdateNode, 9, "a", false), Err(Refusal::MemberNotFound));
    assert_eq!(act(ConfChangeAddNode, 2, "", true), Err(Refusal::MemberNotLearner));
    assert_eq!(act(ConfChangeAddNode, 9, "", true), Err(Refusal::MemberNotFound));
    assert_eq!(act(ConfChangeUpdateNode, 2, "a", false), Err(Refusal::PeerURLExist));
    assert_eq!(act(ConfChangeUpdateNode, 2, "d", false), Ok(()));
    assert_eq!(act(ConfChangeAddNode, 1, "", true), Ok(()));
    assert_eq!(act(ConfChangeRemoveNode, 2, "", false), Ok(()));
    assert_eq!(act(ConfChangeRemoveNode, 2, "", false), Err(Refusal::MemberNotFound));
    assert_eq!(act(ConfChangeAddNode, 2, "z", false), Err(Refusal::MemberNotFound), "never again");

    assert_eq!(members.voters(), 1);
    let attributes = Attributes { name: "one".to_string(), client_urls: vec!["c".to_string()] };
    assert!(members.publish(MemberId(2), attributes.clone()).is_none());
    assert_eq!(members.publish(MemberId(1), attributes).expect("a member").peer_urls, ["a"]);
    assert_eq!(members.get(MemberId(1)).expect("a member").name, "one");
}

#[test]
fn a_change_about_nobody_is_refused() {
    let mut members = Members::default();
    let mut nobody = change(Kind::ConfChangeAddNode, 1, "a", false);
    nobody.node_id = 2;
    assert_eq!(members.change(&nobody), Err(Refusal::MemberNotFound));
    nobody.context = None;
    assert_eq!(members.change(&nobody), Err(Refusal::MemberNotFound));
}
