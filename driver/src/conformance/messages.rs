//! Messages between members.
//!
//! A message may be lost, repeated, or overtaken by another, and is never altered: whatever arrives is equal to the last
//! field to something that was sent to the member where it arrives, be it empty or many times larger than the largest
//! request. Sent often enough, every message arrives. A forwarded proposal (`MsgProp`) is never repeated, for it would be
//! proposed twice.
use super::links::{Heard, Stand, introduce};
use crate::{Net as _, Runtime};
use bytes::Bytes;
use detcd_core::Span;
use detcd_proto::raftpb::{self, Entry, Message, MessageType};

/// The largest value, in bytes: well above a default request limit of 1.5 MiB and any batch of them.
const LARGE: usize = 6 * 1024 * 1024;
/// Entries in the longest message.
const MANY: u64 = 5_000;
/// Forwarded proposals, each sent once.
const PROPOSALS: u64 = 40;
/// How often what has not arrived is sent again.
const AGAIN: Span = Span::millis(500);
const ROUNDS: usize = 60;

/// Needs at least two members that have no peers yet.
pub async fn messages<R: Runtime>(group: &[Stand<R>]) {
    let heard = introduce(group).await;
    for (from, to) in [(0, 1), (1, 0), (group.len() - 1, 0)] {
        if from != to {
            arrive_unchanged(&group[from], &group[to], &heard[to]).await;
        }
    }
    proposals_come_once(&group[0], &group[1], &heard[1]).await;
}

async fn arrive_unchanged<R: Runtime>(sender: &Stand<R>, receiver: &Stand<R>, heard: &Heard) {
    let wanted = samples(sender.member.id.0, receiver.member.id.0);
    let already = heard.messages().len();
    for _ in 0..ROUNDS {
        let arrived: Vec<Message> = heard.messages().split_off(already);
        for message in arrived.iter().filter(|message| message.from == sender.member.id.0) {
            assert!(wanted.contains(message), "a message was altered: {}", brief(message));
        }
        let missing: Vec<&Message> = wanted.iter().filter(|message| !arrived.contains(message)).collect();
        if missing.is_empty() {
            return;
        }
        missing.into_iter().for_each(|message| sender.rt.net().send(message.clone()));
        sender.rt.sleep_until(sender.rt.now() + AGAIN).await;
    }
    let arrived = heard.messages();
    let missing: Vec<String> =
        wanted.iter().filter(|message| !arrived.contains(message)).map(brief).collect();
    panic!("never arrived: {}", missing.join("; "));
}

/// A message without its contents, which may be very long.
fn brief(message: &Message) -> String {
    let bytes: usize = message.entries.iter().filter_map(|entry| Some(entry.data.as_ref()?.len())).sum();
    let entries = message.entries.len();
    let head = Message { entries: Vec::new(), snapshot: None, ..message.clone() };
    format!("{entries} entries of {bytes} bytes in {head:?}")
}

/// Every shape that members send, and some that they might.
fn samples(from: u64, to: u64) -> Vec<Message> {
    let make = |kind: MessageType, rest: Message| Message { r#type: kind.into(), from, to, ..rest };
    let entry = |term, index, data: Option<Bytes>| Entry { r#type: 0, term, index, data };
    let pattern = |len: usize| Bytes::from_iter((0..len).map(|i| (i % 253) as u8));
    let mut samples = Vec::new();

    // Nothing but what every message has, of every kind.
    for number in 0..64 {
        if let Ok(kind) = MessageType::try_from(number)
            && kind != MessageType::MsgProp
        {
            samples.push(make(kind, Message { commit: 77, ..Message::default() }));
        }
    }
    // Absent, empty and extreme fields are three different things.
    for context in [None, Some(Bytes::new()), Some(Bytes::from_static(&[0, 255, 10]))] {
        samples.push(make(MessageType::MsgVote, Message { term: 1, context, ..Message::default() }));
    }
    let extreme = u64::MAX;
    samples.push(make(
        MessageType::MsgAppResp,
        Message {
            term: extreme,
            log_term: extreme,
            index: extreme,
            commit: extreme,
            vote: extreme,
            reject: true,
            reject_hint: extreme,
            ..Message::default()
        },
    ));
    // Appends that go on where the last one ended: a transport may leave out what the receiver can work out.
    for index in (10..100).step_by(3) {
        let data = [None, Some(Bytes::new()), Some(pattern(100))];
        let entries = data.into_iter().zip(index + 1..).map(|(data, index)| entry(5, index, data)).collect();
        let append = Message { term: 5, log_term: 5, index, commit: index, entries, ..Message::default() };
        // Some of them with something that nobody could work out.
        let append = match index % 5 {
            0 => Message { context: Some(Bytes::from_static(b"with a context")), ..append },
            1 => Message { vote: 3, ..append },
            2 => Message { reject: true, reject_hint: 1, ..append },
            _ => append,
        };
        samples.push(make(MessageType::MsgApp, append));
    }
    // Large in one piece, and in very many.
    let large = |kind| {
        let entries = vec![entry(6, 101, Some(pattern(LARGE)))];
        make(kind, Message { term: 6, log_term: 5, index: 100, entries, ..Message::default() })
    };
    samples.extend([large(MessageType::MsgApp), large(MessageType::MsgReadIndexResp)]);
    let entries = (1..=MANY).map(|index| entry(7, index, Some(pattern((index % 90) as usize)))).collect();
    samples.push(make(MessageType::MsgApp, Message { term: 7, entries, ..Message::default() }));
    let metadata = raftpb::SnapshotMetadata {
        conf_state: raftpb::ConfState { voters: vec![1, 2, u64::MAX], ..raftpb::ConfState::default() },
        index: 900,
        term: 7,
    };
    for data in [None, Some(Bytes::new()), Some(pattern(LARGE / 2))] {
        let snapshot = Some(raftpb::Snapshot { data, metadata: metadata.clone() });
        samples.push(make(MessageType::MsgSnap, Message { term: 8, snapshot, ..Message::default() }));
    }
    let responses = vec![make(MessageType::MsgAppResp, Message { index: 3, ..Message::default() })];
    samples.push(make(MessageType::MsgStorageAppend, Message { responses, ..Message::default() }));
    samples
}

async fn proposals_come_once<R: Runtime>(sender: &Stand<R>, receiver: &Stand<R>, heard: &Heard) {
    let (from, to) = (sender.member.id.0, receiver.member.id.0);
    for index in 0..PROPOSALS {
        let entries =
            vec![Entry { data: Some(Bytes::from(index.to_be_bytes().to_vec())), ..Entry::default() }];
        let kind = MessageType::MsgProp.into();
        sender.rt.net().send(Message { r#type: kind, from, to, index, entries, ..Message::default() });
    }
    sender.rt.sleep_until(sender.rt.now() + Span::secs(1)).await;
    let mut arrived: Vec<u64> = heard
        .messages()
        .into_iter()
        .filter(|message| message.r#type() == MessageType::MsgProp)
        .map(|message| message.index)
        .collect();
    let all = arrived.len();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), all, "a forwarded proposal was repeated");
    assert!(all > 0, "all of {PROPOSALS} forwarded proposals were lost");
}
