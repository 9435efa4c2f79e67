//! Long streams to a peer.
//!
//! - The message comes ahead, the bytes in order, each once, cut as the runtime likes. An end is an end; everything else is
//!   a break, at both sides: the writer is gone, the reader is gone, the link does not carry.
//! - The peer's word is carried back unchanged: taken, or why not. A peer that goes away without a word has not taken it.
//! - To a stranger, or to oneself, nothing is streamed.
//! - Any single stream may break; messages go on beside it.
use super::{LOOK_EVERY, PATIENCE, Stand, links::introduce};
use crate::{
    Inbound, Net as _, Runtime, StreamFailed,
    pipe::{Broken, pipe},
};
use bytes::{Bytes, BytesMut};
use detcd_core::MemberId;
use detcd_proto::raftpb::{self, MessageType, Snapshot, SnapshotMetadata};
use std::sync::{Arc, Mutex, PoisonError};

/// What the reading side does with a stream that is marked so.
const TAKE: u64 = 1;
const REFUSE: u64 = 2;
const GO_AWAY: u64 = 3;
const BREAK_OFF: u64 = 4;

const PIECES: usize = 40;

/// A stream that was read to its end or its break.
#[derive(Debug)]
struct Read {
    message: raftpb::Message,
    bytes: Bytes,
    end: Result<(), Broken>,
}

/// Needs at least two members that have no peers yet.
pub async fn streams<R: Runtime>(group: &[Stand<R>]) {
    introduce(group).await;
    let [one, two, ..] = group else { panic!("streams need two members") };
    let read = Arc::new(Mutex::new(Vec::new()));
    let (reading, ear) = (read.clone(), two.rt.clone());
    two.rt.spawn("conformance", async move {
        loop {
            let inbound = ear.net().next_stream().await;
            // Of one that breaks off nothing may ever come, not even the break: the next is read meanwhile.
            let reading = reading.clone();
            ear.spawn("conformance", async move {
                if let Some(read) = take(inbound).await {
                    reading.lock().unwrap_or_else(PoisonError::into_inner).push(read);
                }
            });
        }
    });
    let pieces: Vec<Bytes> = (0..PIECES).map(|at| Bytes::from(vec![at as u8; 1 + at * 997])).collect();
    let whole: Vec<u8> = pieces.concat();

    assert_eq!(insist(one, two.member.id, TAKE, &pieces).await, Ok(()));
    let refused = StreamFailed::Refused("it is full: \u{e4}".to_string());
    assert_eq!(insist(one, two.member.id, REFUSE, &pieces).await, Err(refused));
    let gone = insist(one, two.member.id, GO_AWAY, &pieces).await;
    assert!(gone.is_err(), "a peer that went away has taken nothing");
    assert_eq!(send(one, two.member.id, BREAK_OFF, &pieces).await, Err(StreamFailed::Broken));
    assert_eq!(insist(one, two.member.id, TAKE, &[]).await, Ok(()), "a stream may be empty");
    for stranger in [MemberId(0), MemberId(0xdead), one.member.id] {
        assert_eq!(send(one, stranger, TAKE, &pieces).await, Err(StreamFailed::Broken), "no peer");
    }
    let read = read.lock().unwrap_or_else(PoisonError::into_inner);
    for Read { message, bytes, end } in read.iter() {
        let sent = head(one.member.id, two.member.id, message.term);
        assert_eq!(*message, sent, "the message comes ahead unchanged");
        assert!(whole.starts_with(bytes), "bytes come in order");
        if end.is_ok() {
            assert!(*bytes == whole || bytes.is_empty(), "a stream that ends is whole");
            assert_ne!(message.term, BREAK_OFF, "a stream whose writer went away does not end");
        }
    }
    for term in [TAKE, REFUSE] {
        let is_whole = |read: &&Read| read.message.term == term && read.end.is_ok() && read.bytes == whole;
        assert!(read.iter().any(|read| is_whole(&read)), "what was pushed has arrived");
    }
}

async fn take(inbound: Inbound) -> Option<Read> {
    let Inbound { message, mut body, verdict } = inbound;
    let mut bytes = BytesMut::new();
    let end = loop {
        match body.pull().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => break Ok(()),
            Err(Broken) => break Err(Broken),
        }
        if message.term == GO_AWAY && bytes.len() > 1000 {
            return None;
        }
    };
    let said = if message.term == REFUSE { Err("it is full: \u{e4}".to_string()) } else { Ok(()) };
    verdict.tell(said).await;
    Some(Read { message, bytes: bytes.freeze(), end })
}

fn head(from: MemberId, to: MemberId, mark: u64) -> raftpb::Message {
    let metadata = SnapshotMetadata { index: mark * 7, term: mark, ..SnapshotMetadata::default() };
    let snapshot = Snapshot { data: Some(Bytes::from(vec![0, 255, 10])), metadata };
    raftpb::Message {
        r#type: MessageType::MsgSnap.into(),
        from: from.0,
        to: to.0,
        term: mark,
        snapshot: Some(snapshot),
        ..raftpb::Message::default()
    }
}

async fn send<R: Runtime>(
    from: &Stand<R>,
    to: MemberId,
    mark: u64,
    pieces: &[Bytes],
) -> Result<(), StreamFailed> {
    let (tell, body) = pipe(2);
    let pieces = pieces.to_vec();
    let breaks = mark == BREAK_OFF;
    from.rt.spawn("conformance", async move {
        for piece in pieces.iter().take(if breaks { PIECES / 2 } else { PIECES }) {
            if tell.push(piece.clone()).await.is_err() {
                return;
            }
        }
        if !breaks {
            tell.end();
        }
    });
    from.rt.net().stream_to(head(from.member.id, to, mark), body).await
}

/// Sends until the peer has had its say: any single stream may break.
async fn insist<R: Runtime>(
    from: &Stand<R>,
    to: MemberId,
    mark: u64,
    pieces: &[Bytes],
) -> Result<(), StreamFailed> {
    let deadline = from.rt.now() + PATIENCE;
    loop {
        let said = send(from, to, mark, pieces).await;
        if said != Err(StreamFailed::Broken) || mark == GO_AWAY || from.rt.now() >= deadline {
            return said;
        }
        from.rt.sleep_until(from.rt.now() + LOOK_EVERY).await;
    }
}
