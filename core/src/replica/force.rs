//! Going on alone, when the others are lost. Source: contract-semantics 19 (`--force-new-cluster`).
//!
//! Everything in the log counts as committed, and changes are appended by decree that leave this member as the only one.
//! etcd drops what is not known to be committed; a member often learns that only with the next write, and what clients
//! were told must not go.
use crate::{
    Config, Member,
    checkpoint::Stand,
    state::{
        Members,
        member_json::{self, Described},
    },
};
use alloc::vec::Vec;
use detcd_proto::{
    Message,
    raftpb::{ConfChange, ConfChangeType, Entry, EntryType, HardState},
};

/// Appends what leaves this member alone, and commits it all; how many were appended. `members`: as they were at `stand`.
pub fn alone(
    config: &Config,
    stand: &Stand,
    mut members: Members,
    state: &mut HardState,
    entries: &mut Vec<Entry>,
) -> usize {
    let behind = entries.iter().filter(|entry| entry.index > stand.index);
    for entry in behind.filter(|entry| entry.r#type == EntryType::EntryConfChange as i32) {
        if let Ok(change) = ConfChange::decode(entry.data.clone().unwrap_or_default()) {
            // Refused here, it was refused then.
            members.change(&change).ok();
        }
    }
    let changes = changes(config, &members);
    let last = entries.last().map_or(state.commit.max(stand.index), |entry| entry.index);
    for (index, change) in (last + 1..).zip(&changes) {
        entries.push(Entry {
            r#type: EntryType::EntryConfChange.into(),
            term: state.term,
            index,
            data: Some(change.encode_to_vec().into()),
        });
    }
    state.commit = last + changes.len() as u64;
    changes.len()
}

/// First this member votes, then nobody else does: at no time is there nobody who votes.
fn changes(config: &Config, members: &Members) -> Vec<ConfChange> {
    let me = &config.me;
    let described = |member: Member, is_promote| {
        let context = member_json::encode(&Described { member, is_promote });
        ConfChange {
            id: 0,
            r#type: ConfChangeType::ConfChangeAddNode.into(),
            node_id: me.id.0,
            context: Some(context.into()),
        }
    };
    let mut changes = Vec::new();
    match members.get(me.id) {
        None => changes.push(described(Member { client_urls: Vec::new(), ..me.clone() }, false)),
        Some(member) if member.is_learner => changes.push(described(
            Member { peer_urls: Vec::new(), is_learner: false, ..Member::unnamed(me.id) },
            true,
        )),
        Some(_) => {}
    }
    let others = members.iter().filter(|member| member.id != me.id);
    changes.extend(others.map(|member| ConfChange {
        id: 0,
        r#type: ConfChangeType::ConfChangeRemoveNode.into(),
        node_id: member.id.0,
        context: None,
    }));
    changes
}
