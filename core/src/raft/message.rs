//! Making and reading messages; their shapes and meanings are etcd's (`raftpb.Message`).
//!
//! | message | from → to | carries |
//! |---|---|---|
//! | MsgPreVote, MsgVote | candidate → voters | `index`, `log_term`: the end of its log; `context`: "CampaignTransfer" if the old leader asked for it |
//! | MsgPreVoteResp, MsgVoteResp | voter → candidate | `reject`; then `commit`, `log_term`: what the voter knows to be committed |
//! | MsgApp | leader → anyone | `index`, `log_term`: what goes before; `entries`; `commit` |
//! | MsgAppResp | member → leader | `index`: durable up to here; or `reject`, `index` refused, `reject_hint` and `log_term`: where to try |
//! | MsgHeartbeat, its Resp | leader ↔ anyone | `commit`, at most what that member is known to hold; `context`: the read round, echoed |
//! | MsgProp | member → leader | `entries` to append; term 0 |
//! | MsgReadIndex, its Resp | member ↔ leader | `entries[0].data`: whose question; `index`: the answer; the question has term 0 |
//! | MsgTransferLeader | member → leader | `from`: who wants to lead |
//! | MsgTimeoutNow | leader → its heir | campaign at once |
//! | MsgSnap | leader → anyone | `snapshot.metadata`: where it stands, who was in the cluster; what it holds travels beside it |
use crate::MemberId;
use bytes::Bytes;
use detcd_proto::raftpb::{Entry, Message, MessageType};

/// Beyond this no term is believed: there must always be a next one to campaign for.
pub const TERM_MAX: u64 = u64::MAX / 2;

/// Marks a campaign that the old leader asked for: voters answer it although their leader works.
pub const CAMPAIGN_TRANSFER: &[u8] = b"CampaignTransfer";

pub fn to(kind: MessageType, to: MemberId) -> Message {
    Message { r#type: kind as i32, to: to.0, ..Message::default() }
}

/// The others are what a member of etcd says to itself.
pub fn is_for_peers(kind: MessageType) -> bool {
    use MessageType as T;
    match kind {
        T::MsgProp
        | T::MsgApp
        | T::MsgAppResp
        | T::MsgVote
        | T::MsgVoteResp
        | T::MsgSnap
        | T::MsgHeartbeat
        | T::MsgHeartbeatResp
        | T::MsgTransferLeader
        | T::MsgTimeoutNow
        | T::MsgReadIndex
        | T::MsgReadIndexResp
        | T::MsgPreVote
        | T::MsgPreVoteResp => true,
        T::MsgHup
        | T::MsgBeat
        | T::MsgUnreachable
        | T::MsgSnapStatus
        | T::MsgCheckQuorum
        | T::MsgStorageAppend
        | T::MsgStorageAppendResp
        | T::MsgStorageApply
        | T::MsgStorageApplyResp
        | T::MsgForgetLeader => false,
    }
}

pub fn is_transfer_campaign(m: &Message) -> bool {
    m.context.as_ref().is_some_and(|context| context[..] == *CAMPAIGN_TRANSFER)
}

/// The name of a read round: nobody else ever makes the same, since a term has one leader and it counts its rounds.
pub fn round_context(term: u64, round: u64) -> Bytes {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&term.to_be_bytes());
    name[8..].copy_from_slice(&round.to_be_bytes());
    Bytes::copy_from_slice(&name)
}

/// The round of `term` that this context names, if it does.
pub fn round_of(context: &[u8], term: u64) -> Option<u64> {
    let name: &[u8; 16] = context.try_into().ok()?;
    let (theirs, round) = name.split_at(8);
    (theirs == term.to_be_bytes())
        .then(|| u64::from_be_bytes(round.try_into().expect("half of sixteen bytes")))
}

/// A question for the read index, or its answer, in etcd's shape.
pub fn read_entry(context: Bytes) -> alloc::vec::Vec<Entry> {
    alloc::vec![Entry { data: Some(context), ..Entry::default() }]
}

pub fn read_context(m: &Message) -> Option<Bytes> {
    m.entries.first().and_then(|entry| entry.data.clone())
}
