//! What the log of a new cluster begins with.
use super::member_json::{self, Described};
use crate::Member;
use alloc::vec::Vec;
use detcd_proto::{Message, raftpb};

/// One entry per member, so that the log of a cluster says from its first entry on who is in it.
pub fn founding_entries(members: &[Member]) -> Vec<raftpb::Entry> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|member| member.id);
    let entry = |(place, member): (usize, &Member)| {
        let described =
            Described { member: Member { client_urls: Vec::new(), ..member.clone() }, is_promote: false };
        let change = raftpb::ConfChange {
            id: 0,
            r#type: raftpb::ConfChangeType::ConfChangeAddNode.into(),
            node_id: member.id.0,
            context: Some(member_json::encode(&described).into()),
        };
        raftpb::Entry {
            r#type: raftpb::EntryType::EntryConfChange.into(),
            term: 1,
            index: place as u64 + 1,
            data: Some(change.encode_to_vec().into()),
        }
    };
    members.into_iter().enumerate().map(entry).collect()
}
