//! A new cluster that begins with the state of an old one. Source: contract-cli 12.
use super::{Loaded, Stand, View, snap};
use crate::{ClusterId, Member, MemberId, state::founding_entries, wal};
use alloc::{string::String, sync::Arc, vec::Vec};
use bytes::Bytes;
use detcd_proto::{
    etcdserverpb::Metadata,
    raftpb::{ConfState, HardState},
    walpb,
};

/// The term that a new cluster begins with.
const TERM: u64 = 1;

/// What a member of the new cluster has on its disk before its first start, besides the image.
pub struct Founding {
    pub view: View,
    pub stand: Stand,
    /// Name and bytes of the only segment of the log.
    pub segment: (wal::SegmentName, Bytes),
    /// Name and bytes of the small file beside the image.
    pub snap: (String, Vec<u8>),
}

/// `members`: of the new cluster, this one (`me`) among them. `skip`: so many revisions are passed over, and what lies
/// before is compacted, so that nobody who saw later revisions of the old cluster takes them for those of the new one.
/// Nothing if there are no such revisions.
pub fn refound(
    loaded: Loaded,
    mut members: Vec<Member>,
    me: MemberId,
    skip: Option<i64>,
) -> Option<Founding> {
    members.sort_by_key(|member| member.id);
    let ids: Vec<u64> = members.iter().map(|member| member.id.0).collect();
    let cluster = ClusterId::of_members(members.iter().map(|member| member.id));
    let entries = founding_entries(&members);
    let index = entries.len() as u64;
    let conf_state = ConfState { voters: ids.clone(), ..ConfState::default() };
    let mut view = loaded.view;
    if let Some(skip) = skip {
        view.keyspace = view.keyspace.skipped(skip)?;
    }
    view.members = Arc::new(members);
    view.removed = Arc::default();
    let stand = Stand { index, term: TERM, conf_state };
    let snap = (snap::file_name(TERM, index), snap::encode(&snap::message(&view, &stand)));

    let metadata = Metadata { node_id: me.0, cluster_id: cluster.0 };
    let mut log = wal::Writer::create(&metadata, u64::MAX);
    let vote = ids.first().copied().unwrap_or_default();
    log.save(&entries, Some(&HardState { term: TERM, vote, commit: index }));
    log.mark(&walpb::Snapshot { index, term: TERM, conf_state: Some(stand.conf_state.clone()) });
    let segment = log.take().expect("just written");
    Some(Founding { view, stand, segment, snap })
}
