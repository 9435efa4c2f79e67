//! Messages, entries and states in one line each. Positions read `index/term`.
use detcd_core::raft::{Mode, Status, Write};
use detcd_proto::Message as _;
use detcd_proto::raftpb::{
    ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType, HardState, Message, MessageType,
    SnapshotMetadata,
};

pub fn entry(entry: &Entry) -> String {
    let data = entry.data.clone().unwrap_or_default();
    let what = if entry.r#type == EntryType::EntryNormal as i32 {
        format!("{:?}", String::from_utf8_lossy(&data))
    } else {
        change(&ConfChangeV2::decode(data).expect("a change of the membership"))
    };
    if entry.index == 0 { what } else { format!("{}/{} {what}", entry.index, entry.term) }
}

pub fn change(change: &ConfChangeV2) -> String {
    let words = change.changes.iter().map(|single| {
        let kind = match ConfChangeType::try_from(single.r#type).expect("a kind of change") {
            ConfChangeType::ConfChangeAddNode => 'v',
            ConfChangeType::ConfChangeAddLearnerNode => 'l',
            ConfChangeType::ConfChangeRemoveNode => 'r',
            ConfChangeType::ConfChangeUpdateNode => 'u',
        };
        format!("{kind}{}", single.node_id)
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "change(leave)".to_string() } else { format!("change({})", words.join(" ")) }
}

fn entries(list: &[Entry]) -> String {
    list.iter().map(|one| format!(" [{}]", entry(one))).collect()
}

pub fn message(m: &Message) -> String {
    use MessageType as T;
    let kind = T::try_from(m.r#type).expect("a type");
    let context = m.context.clone().unwrap_or_default();
    let round = || match <[u8; 16]>::try_from(&context[..]) {
        Ok(round) => {
            let (term, round) = round.split_at(8);
            let number = |half: &[u8]| u64::from_be_bytes(half.try_into().expect("eight bytes"));
            format!(" round={}.{}", number(term), number(round))
        }
        Err(_) => String::new(),
    };
    let ctx = || {
        let data = m.entries[0].data.clone().unwrap_or_default();
        u64::from_be_bytes(data[..].try_into().expect("eight bytes"))
    };
    let rest = match kind {
        T::MsgVote | T::MsgPreVote => {
            format!("log={}/{} {}", m.index, m.log_term, String::from_utf8_lossy(&context))
        }
        T::MsgVoteResp | T::MsgPreVoteResp => {
            if m.reject {
                format!("no commit={}/{}", m.commit, m.log_term)
            } else {
                "yes".to_string()
            }
        }
        T::MsgApp => {
            format!("prev={}/{} commit={}{}", m.index, m.log_term, m.commit, entries(&m.entries))
        }
        T::MsgAppResp if m.reject => {
            format!("reject={} hint={}/{}", m.index, m.reject_hint, m.log_term)
        }
        T::MsgAppResp => format!("index={}", m.index),
        T::MsgHeartbeat => format!("commit={}{}", m.commit, round()),
        T::MsgHeartbeatResp => round().trim_start().to_string(),
        T::MsgReadIndex => format!("ctx={}", ctx()),
        T::MsgReadIndexResp => format!("ctx={} index={}", ctx(), m.index),
        T::MsgSnap => {
            m.snapshot.as_ref().map(|snapshot| self::snapshot(&snapshot.metadata)).unwrap_or_default()
        }
        T::MsgProp => entries(&m.entries).trim_start().to_string(),
        _ => String::new(),
    };
    let term = if m.term == 0 { String::new() } else { format!(" t{}", m.term) };
    format!("{} -> {} {kind:?}{term} {rest}", m.from, m.to).trim_end().to_string()
}

pub fn write(write: &Write) -> String {
    let state = write.hard_state.as_ref().map(hard_state).unwrap_or_default();
    let restored = write.restored.as_ref().map(|one| format!(" {}", snapshot(one))).unwrap_or_default();
    format!("writes #{}{restored}{}{state}", write.number, entries(&write.entries))
}

pub fn snapshot(snapshot: &SnapshotMetadata) -> String {
    format!("snapshot {}/{} {}", snapshot.index, snapshot.term, conf_state(&snapshot.conf_state))
}

fn hard_state(state: &HardState) -> String {
    format!(" term={} vote={} commit={}", state.term, state.vote, state.commit)
}

pub fn conf_state(state: &ConfState) -> String {
    let mut out = format!("voters={:?}", state.voters);
    let rest = [
        ("outgoing", &state.voters_outgoing),
        ("learners", &state.learners),
        ("learners_next", &state.learners_next),
    ];
    for (name, list) in rest {
        if !list.is_empty() {
            out.push_str(&format!(" {name}={list:?}"));
        }
    }
    if state.auto_leave {
        out.push_str(" auto_leave");
    }
    out
}

pub fn status(status: &Status, terms: &[u64]) -> String {
    let some = |member: Option<detcd_core::MemberId>| member.unwrap_or_default().0;
    let mut out = format!(
        "{}: {:?} term={} vote={} leader={} commit={} applied={} durable={} terms={terms:?} {}\n",
        status.id,
        status.role,
        status.term,
        some(status.vote),
        some(status.leader),
        status.commit,
        status.applied,
        status.durable,
        conf_state(&status.conf_state)
    );
    if let Some(heir) = status.transferee {
        out.push_str(&format!("   hands over to {heir}\n"));
    }
    for peer in &status.peers {
        let mode = match peer.mode {
            Mode::Probe { waiting: true } => "probe waiting".to_string(),
            Mode::Probe { waiting: false } => "probe".to_string(),
            Mode::Replicate => format!("replicate inflight={}", peer.inflight),
            Mode::Snapshot { pending } => format!("snapshot {pending}"),
        };
        let silent = if peer.active { "" } else { " silent" };
        out.push_str(&format!(
            "   {}: {mode} matched={} next={}{silent}\n",
            peer.id, peer.matched, peer.next
        ));
    }
    out
}
