//! Messages on a peer stream, to the byte as etcd writes them. Source: contract-semantics 18.
//!
//! The `msgapp` stream (version 2) has three frames, all numbers big-endian:
//!
//! | first byte | then | meaning |
//! |---|---|---|
//! | 0 | nothing | the link is alive |
//! | 1 | u64 count; for each entry u64 length, `raftpb.Entry`; u64 commit | entries right behind the last ones |
//! | 2 | u64 length, `raftpb.Message` | any append |
//!
//! Frame 1 leaves out what both ends know: the term and index of the entry before. The `message` stream has one
//! frame, u64 length and `raftpb.Message`; a heartbeat from 0 to 0 says that the link is alive.
#![deny(clippy::indexing_slicing)]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use detcd_core::MemberId;
use detcd_proto::{
    Message as _,
    raftpb::{Entry, Message, MessageType},
};
use std::fmt;

/// Longest message or entry that is taken, in bytes; etcd's own limit.
pub const MESSAGE_BYTES_MAX: u64 = 512 * 1024 * 1024;

const ALIVE: u8 = 0;
const ENTRIES: u8 = 1;
const APPEND: u8 = 2;

/// The stream cannot be read on: what came is no frame of this protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damaged {
    FrameKind(u8),
    TooLong(u64),
    Message(prost::DecodeError),
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damaged::FrameKind(kind) => write!(f, "unknown frame kind {kind}"),
            Damaged::TooLong(bytes) => write!(f, "a frame of {bytes} bytes is longer than is taken"),
            Damaged::Message(error) => write!(f, "message that cannot be read: {error}"),
        }
    }
}

impl std::error::Error for Damaged {}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Appends only.
    Append,
    /// Everything else.
    Message,
}

impl Stream {
    pub const fn path(self) -> &'static str {
        match self {
            Stream::Append => "/raft/stream/msgapp",
            Stream::Message => "/raft/stream/message",
        }
    }
}

/// The term and index that both ends of an append stream hold after a frame.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    term: u64,
    index: u64,
}

impl Position {
    fn after(message: &Message) -> Position {
        let index = message.entries.last().map_or(message.index, |entry| entry.index);
        Position { term: message.term, index }
    }
}

/// The writing end of one stream.
#[derive(Debug)]
pub struct Encoder {
    stream: Stream,
    position: Position,
}

impl Encoder {
    pub fn new(stream: Stream) -> Encoder {
        Encoder { stream, position: Position::default() }
    }

    pub fn alive(&mut self, out: &mut BytesMut) {
        match self.stream {
            Stream::Append => out.put_u8(ALIVE),
            Stream::Message => {
                let alive = Message { r#type: MessageType::MsgHeartbeat.into(), ..Message::default() };
                put_message(&alive, out);
            }
        }
    }

    pub fn message(&mut self, message: &Message, out: &mut BytesMut) {
        match self.stream {
            Stream::Append if self.follows(message) => {
                out.put_u8(ENTRIES);
                out.put_u64(message.entries.len() as u64);
                for entry in &message.entries {
                    out.put_u64(entry.encoded_len() as u64);
                    put(entry, out);
                }
                out.put_u64(message.commit);
                // One past for each, as the reader counts.
                self.position.index += message.entries.len() as u64;
            }
            Stream::Append => {
                out.put_u8(APPEND);
                put_message(message, out);
                self.position = Position::after(message);
            }
            Stream::Message => put_message(message, out),
        }
    }

    /// Whether the reader can work out what the short frame leaves out.
    fn follows(&self, message: &Message) -> bool {
        self.position.index == message.index
            && self.position.term == message.log_term
            && message.log_term == message.term
            // The short frame has no place for any of these.
            && message.context.is_none()
            && message.snapshot.is_none()
            && message.vote == 0
            && !message.reject
            && message.reject_hint == 0
            && message.responses.is_empty()
    }
}

fn put_message(message: &Message, out: &mut BytesMut) {
    let bytes = message.encoded_len();
    out.reserve(8 + bytes);
    out.put_u64(bytes as u64);
    put(message, out);
}

fn put(message: &impl prost::Message, out: &mut BytesMut) {
    message.encode(out).expect("a growing buffer has room");
}

/// The reading end of one stream. Feed it bytes as they come and take messages until there is none.
#[derive(Debug)]
pub struct Decoder {
    stream: Stream,
    /// Sender and receiver of what the short frame leaves out.
    from: MemberId,
    to: MemberId,
    position: Position,
    bytes: BytesMut,
    /// Bytes that the frame at the front needs at least; saves looking again too early.
    wanted: u64,
}

impl Decoder {
    pub fn new(stream: Stream, from: MemberId, to: MemberId) -> Decoder {
        Decoder { stream, from, to, position: Position::default(), bytes: BytesMut::new(), wanted: 1 }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; None until more bytes come. Signs of life are taken out.
    ///
    /// After an error the stream is of no use any more.
    #[allow(clippy::should_implement_trait, reason = "an iterator's None would mean the end")]
    pub fn next(&mut self) -> Result<Option<Message>, Damaged> {
        loop {
            if (self.bytes.len() as u64) < self.wanted {
                return Ok(None);
            }
            let mut look = Look { bytes: &self.bytes, at: 0 };
            let frame = match measure(self.stream, &mut look)? {
                Measured::Whole => {
                    self.wanted = 1;
                    let length = usize::try_from(look.at).map_err(|_| Damaged::TooLong(look.at))?;
                    self.bytes.split_to(length).freeze()
                }
                Measured::Short => {
                    self.wanted = look.at;
                    return Ok(None);
                }
            };
            if let Some(message) = self.read(frame)? {
                return Ok(Some(message));
            }
        }
    }

    /// Reads one whole frame; None if it is a sign of life.
    fn read(&mut self, mut frame: Bytes) -> Result<Option<Message>, Damaged> {
        let kind = match self.stream {
            Stream::Append => frame.get_u8(),
            Stream::Message => APPEND,
        };
        match (self.stream, kind) {
            (_, ALIVE) => Ok(None),
            (_, ENTRIES) => self.read_entries(frame).map(Some),
            (Stream::Append, _) => {
                frame.advance(8);
                let message = Message::decode(frame).map_err(Damaged::Message)?;
                self.position = Position::after(&message);
                Ok(Some(message))
            }
            (Stream::Message, _) => {
                frame.advance(8);
                let message = Message::decode(frame).map_err(Damaged::Message)?;
                let alive =
                    message.r#type() == MessageType::MsgHeartbeat && message.from == 0 && message.to == 0;
                Ok((!alive).then_some(message))
            }
        }
    }

    fn read_entries(&mut self, mut frame: Bytes) -> Result<Message, Damaged> {
        let mut message = Message {
            r#type: MessageType::MsgApp.into(),
            from: self.from.0,
            to: self.to.0,
            term: self.position.term,
            log_term: self.position.term,
            index: self.position.index,
            ..Message::default()
        };
        // The frame was measured, so every length in it is covered by bytes.
        let count = frame.get_u64();
        for _ in 0..count {
            let length = usize::try_from(frame.get_u64()).unwrap_or(usize::MAX);
            message.entries.push(Entry::decode(frame.split_to(length)).map_err(Damaged::Message)?);
            self.position.index = self.position.index.wrapping_add(1);
        }
        message.commit = frame.get_u64();
        Ok(message)
    }
}

enum Measured {
    Whole,
    Short,
}

/// Walks over lengths without touching what they cover. `at` is how far the frame reaches as far as is known.
struct Look<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Look<'_> {
    /// Covers `length` more bytes; false if they are not all here yet.
    fn skip(&mut self, length: u64) -> bool {
        self.at = self.at.saturating_add(length);
        self.at <= self.bytes.len() as u64
    }

    fn u64(&mut self) -> Option<u64> {
        let start = usize::try_from(self.at).ok()?;
        if !self.skip(8) {
            return None;
        }
        let eight = self.bytes.get(start..)?.first_chunk::<8>()?;
        Some(u64::from_be_bytes(*eight))
    }

    /// A length and what it covers.
    fn part(&mut self) -> Result<bool, Damaged> {
        let Some(length) = self.u64() else { return Ok(false) };
        if length > MESSAGE_BYTES_MAX || self.at.saturating_add(length) > 2 * MESSAGE_BYTES_MAX {
            return Err(Damaged::TooLong(length));
        }
        Ok(self.skip(length))
    }
}

fn measure(stream: Stream, look: &mut Look<'_>) -> Result<Measured, Damaged> {
    let whole = |whole| if whole { Measured::Whole } else { Measured::Short };
    if stream == Stream::Message {
        return look.part().map(whole);
    }
    let kind = look.bytes.first().copied();
    if !look.skip(1) {
        return Ok(Measured::Short);
    }
    match kind {
        Some(ALIVE) => Ok(Measured::Whole),
        Some(APPEND) => look.part().map(whole),
        Some(ENTRIES) => {
            let Some(count) = look.u64() else { return Ok(Measured::Short) };
            for _ in 0..count {
                // A hostile count ends here: it runs out of bytes.
                if !look.part()? {
                    return Ok(Measured::Short);
                }
            }
            Ok(whole(look.u64().is_some()))
        }
        other => Err(Damaged::FrameKind(other.unwrap_or_default())),
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
