//! A member that goes on with what a real etcd's member left: its backend file, its log, its last small snapshot file.
//!
//! The backend holds what was applied up to its consistent index, the log what came later, and what members up to 3.5
//! told to the older store alone. Everything committed is applied here, so that the new log begins with what is not.
use super::{Founding, Loaded, Stand, snap};
use crate::{
    ClusterId, Config, Member, MemberId, Refusal,
    raft::membership::{Membership, widened},
    state::{Event, State, older_publish},
    wal,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use detcd_proto::{
    Message,
    etcdserverpb::Request,
    membershippb::Attributes,
    raftpb::{self, ConfChange, ConfChangeV2, Entry, EntryType, HardState},
    walpb,
};

/// What the member has on its disk before its first start with us; or why that cannot be.
pub fn adopt(
    loaded: Loaded,
    log: &wal::Replayed,
    snapshot: Option<&raftpb::Snapshot>,
) -> Result<Founding, String> {
    let metadata = log.metadata;
    let held = loaded.stand.index;
    let commit = log.hard_state.commit.max(held);
    let first = log.entries.first().map_or(held + 1, |entry| entry.index);
    if first > held + 1 {
        return Err(format!("the log begins at entry {first}, and the backend holds entries up to {held}"));
    }
    if log.last_index() < commit && commit > held {
        return Err(format!("the log ends at entry {}, and entry {commit} is committed", log.last_index()));
    }
    let known = |entry: &&Entry| entry.index <= held;
    let mut stand = stand_of(&loaded, log, snapshot)?;

    let document = snapshot.and_then(|snapshot| snap::read_document(snapshot.data.as_deref()?));
    let mut state = State::from_view(&nobody(metadata.node_id, metadata.cluster_id), loaded.view);
    for Member { id, name, client_urls, .. } in document.into_iter().flat_map(|document| document.members) {
        if state.members.get(id).is_some_and(|member| member.client_urls.is_empty()) {
            state.members.publish(id, Attributes { name, client_urls });
        }
    }
    for entry in log.entries.iter().filter(known) {
        let request = entry.data.clone().and_then(|data| Request::decode(data).ok());
        if let Some(told) = request.as_ref().and_then(older_publish)
            && entry.r#type == EntryType::EntryNormal as i32
        {
            state.members.publish(MemberId(told.member_id), told.member_attributes.unwrap_or_default());
        }
    }

    let mut changes = Vec::new();
    let mut membership = Membership::of(&stand.conf_state);
    for entry in log.entries.iter().filter(|entry| entry.index > held && entry.index <= commit) {
        let applied = state.apply(entry, &mut changes);
        if let Err(Refusal::NotBuilt(what)) = applied.outcome {
            return Err(format!("entry {} of the log cannot be carried out: {what}", entry.index));
        }
        if let Event::Membership(change) = applied.event {
            membership = membership.changed(&widened(&change)).map_err(|why| why.to_string())?;
        }
        (stand.index, stand.term) = (entry.index, entry.term);
    }
    stand.conf_state = membership.conf_state();
    if !membership.contains(MemberId(metadata.node_id)) {
        return Err(format!("member {:x} is not in its own cluster", metadata.node_id));
    }

    let view = state.view();
    let Stand { index, term, .. } = stand;
    let mut writer = wal::Writer::create(&metadata, u64::MAX);
    let hard_state = HardState { term: log.hard_state.term.max(term), commit: index, ..log.hard_state };
    writer.save(&[], Some(&hard_state));
    writer.mark(&walpb::Snapshot { index, term, conf_state: Some(stand.conf_state.clone()) });
    let rest: Vec<Entry> = log.entries.iter().filter(|entry| entry.index > index).cloned().collect();
    writer.save(&rest, Some(&hard_state));
    let segment = writer.take().ok_or("nothing was written")?;
    let snap = (snap::file_name(term, index), snap::encode(&snap::message(&view, &stand)));
    Ok(Founding { view, stand, segment, snap })
}

/// Where the backend stands: what it does not say itself is in the log or in the small file.
fn stand_of(
    loaded: &Loaded,
    log: &wal::Replayed,
    snapshot: Option<&raftpb::Snapshot>,
) -> Result<Stand, String> {
    let mut stand = loaded.stand.clone();
    let metadata =
        snapshot.map(|snapshot| &snapshot.metadata).filter(|metadata| metadata.index <= stand.index);
    if stand.term == 0 {
        let entry = log.entries.iter().find(|entry| entry.index == stand.index);
        let of_snapshot = metadata.filter(|metadata| metadata.index == stand.index);
        stand.term = entry
            .map(|entry| entry.term)
            .or(of_snapshot.map(|metadata| metadata.term))
            .ok_or("missing term information")?;
    }
    let (begun, from) = metadata.map_or((Membership::default(), 0), |metadata| {
        (Membership::of(&metadata.conf_state), metadata.index)
    });
    // What a restored backend says of the members is of the cluster that it was taken from.
    let is_told = log.entries.first().map_or(from > 0, |first| first.index <= from + 1);
    if is_told {
        let mut membership = begun;
        for entry in log.entries.iter().filter(|entry| entry.index > from && entry.index <= stand.index) {
            let data = entry.data.clone().unwrap_or_default();
            let change = match EntryType::try_from(entry.r#type) {
                Ok(EntryType::EntryConfChange) => {
                    ConfChange::decode(data).ok().map(|change| widened(&change))
                }
                Ok(EntryType::EntryConfChangeV2) => ConfChangeV2::decode(data).ok(),
                Ok(EntryType::EntryNormal) | Err(_) => continue,
            };
            let change = change.ok_or_else(|| format!("entry {} of the log cannot be read", entry.index))?;
            // One that was refused changed nothing then either.
            membership = membership.changed(&change).unwrap_or(membership);
        }
        stand.conf_state = membership.conf_state();
    } else if stand.conf_state.voters.is_empty() {
        return Err("neither backend, log nor snapshot say who the members were".to_string());
    }
    Ok(stand)
}

/// A configuration whose limits keep nothing out that a member has taken once.
fn nobody(node: u64, cluster: u64) -> Config {
    let me = Member {
        id: MemberId(node),
        name: String::new(),
        peer_urls: Vec::new(),
        client_urls: Vec::new(),
        is_learner: false,
    };
    Config { quota_backend_bytes: -1, ..Config::new(me, ClusterId(cluster), Vec::new()) }
}
