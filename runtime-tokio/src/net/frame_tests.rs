#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use detcd_core::Rng;

const FROM: MemberId = MemberId(0xa);
const TO: MemberId = MemberId(0xb);

fn entry(term: u64, index: u64, data: &'static [u8]) -> Entry {
    Entry { r#type: 0, term, index, data: Some(Bytes::from_static(data)) }
}

fn append(term: u64, log_term: u64, index: u64, entries: Vec<Entry>, commit: u64) -> Message {
    Message {
        r#type: MessageType::MsgApp.into(),
        from: FROM.0,
        to: TO.0,
        term,
        log_term,
        index,
        entries,
        commit,
        ..Message::default()
    }
}

fn written(stream: Stream, messages: &[Message]) -> BytesMut {
    let (mut encoder, mut out) = (Encoder::new(stream), BytesMut::new());
    for message in messages {
        encoder.message(message, &mut out);
    }
    out
}

fn read_all(stream: Stream, bytes: &[u8], piece: usize) -> Result<Vec<Message>, Damaged> {
    let (mut decoder, mut messages) = (Decoder::new(stream, FROM, TO), Vec::new());
    for part in bytes.chunks(piece) {
        decoder.feed(part);
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
    }
    Ok(messages)
}

#[test]
fn the_first_append_is_whole_and_what_follows_it_is_short() {
    let first = append(2, 1, 4, vec![entry(2, 5, b"x")], 4);
    let second = append(2, 2, 5, vec![entry(2, 6, b"yz"), entry(2, 7, b"")], 5);
    let bytes = written(Stream::Append, &[first, second]);
    let message: &[u8] = &[
        0x08, 3, 0x10, 0xb, 0x18, 0xa, 0x20, 2, 0x28, 1, 0x30, 4, // type to from term logTerm index
        0x3a, 9, 0x08, 0, 0x10, 2, 0x18, 5, 0x22, 1, b'x', // entry
        0x40, 4, 0x50, 0, 0x58, 0, 0x68, 0, // commit reject rejectHint vote
    ];
    let mut wanted = vec![2, 0, 0, 0, 0, 0, 0, 0, message.len() as u8];
    wanted.extend_from_slice(message);
    wanted.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 2]);
    wanted.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 10, 0x08, 0, 0x10, 2, 0x18, 6, 0x22, 2, b'y', b'z']);
    wanted.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 8, 0x08, 0, 0x10, 2, 0x18, 7, 0x22, 0]);
    wanted.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!(bytes, wanted);
}

#[test]
fn signs_of_life_are_etcds_and_are_taken_out() {
    let mut out = BytesMut::new();
    Encoder::new(Stream::Append).alive(&mut out);
    assert_eq!(&out[..], [0]);
    assert_eq!(read_all(Stream::Append, &out, 1), Ok(vec![]));

    let mut out = BytesMut::new();
    Encoder::new(Stream::Message).alive(&mut out);
    let zeroes = [8, 8, 16, 0, 24, 0, 32, 0, 40, 0, 48, 0, 64, 0, 80, 0, 88, 0, 104, 0];
    assert_eq!(&out[..8], 20_u64.to_be_bytes());
    assert_eq!(&out[8..], zeroes);
    assert_eq!(read_all(Stream::Message, &out, 3), Ok(vec![]));
}

#[test]
fn a_change_of_term_or_a_gap_is_written_whole() {
    let messages = [
        append(2, 2, 4, vec![entry(2, 5, b"a")], 4),
        append(2, 2, 5, vec![], 5),                   // short, no entries
        append(3, 2, 5, vec![entry(3, 6, b"b")], 5),  // a new term
        append(3, 3, 6, vec![entry(3, 7, b"c")], 6),  // short
        append(3, 3, 9, vec![entry(3, 10, b"d")], 6), // a gap
    ];
    let kinds: Vec<u8> = {
        let (mut encoder, mut kinds) = (Encoder::new(Stream::Append), vec![]);
        for message in &messages {
            let mut out = BytesMut::new();
            encoder.message(message, &mut out);
            kinds.push(out[0]);
        }
        kinds
    };
    assert_eq!(kinds, [2, 1, 2, 1, 2]);
    for piece in [1, 2, 7, 1000] {
        let bytes = written(Stream::Append, &messages);
        assert_eq!(read_all(Stream::Append, &bytes, piece), Ok(messages.to_vec()), "pieces of {piece}");
    }
}

#[test]
fn other_messages_come_through_whole() {
    let messages = [
        Message { r#type: MessageType::MsgHeartbeat.into(), from: 1, to: 2, term: 3, ..Message::default() },
        Message {
            r#type: MessageType::MsgReadIndex.into(),
            context: Some(Bytes::from_static(&[0; 8])),
            entries: vec![entry(0, 0, b"request")],
            ..Message::default()
        },
    ];
    let bytes = written(Stream::Message, &messages);
    for piece in [1, 5, 1000] {
        assert_eq!(read_all(Stream::Message, &bytes, piece), Ok(messages.to_vec()));
    }
}

#[test]
fn hostile_lengths_are_refused_or_waited_for_and_never_believed() {
    assert_eq!(read_all(Stream::Append, &[3], 1), Err(Damaged::FrameKind(3)));
    assert_eq!(read_all(Stream::Append, &[255, 0], 9), Err(Damaged::FrameKind(255)));
    let all = [0xff; 8];
    assert_eq!(read_all(Stream::Message, &all, 8), Err(Damaged::TooLong(u64::MAX)));
    assert_eq!(read_all(Stream::Append, &[&[2], &all[..]].concat(), 9), Err(Damaged::TooLong(u64::MAX)));
    // As many entries as there are numbers: nothing is set aside for them.
    assert_eq!(read_all(Stream::Append, &[&[1], &all[..]].concat(), 9), Ok(vec![]));
    let one_of_many = [&[1], &all[..], &[0; 7], &[2, 8], &[0; 1]].concat();
    assert_eq!(read_all(Stream::Append, &one_of_many, 100), Ok(vec![]));
    let long_entry = [&[1, 0, 0, 0, 0, 0, 0, 0, 1], &all[..]].concat();
    assert_eq!(read_all(Stream::Append, &long_entry, 100), Err(Damaged::TooLong(u64::MAX)));
    // A length that is right and bytes that are no message.
    let rubbish = [0, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff];
    assert!(matches!(read_all(Stream::Message, &rubbish, 100), Err(Damaged::Message(_))));
}

#[test]
fn rubbish_and_flipped_bits_never_panic() {
    let mut rng = Rng::from_seed(1);
    let good = [
        append(2, 2, 4, vec![entry(2, 5, b"a")], 4),
        append(2, 2, 5, vec![entry(2, 6, b"b"), entry(2, 7, b"c")], 5),
    ];
    for stream in [Stream::Append, Stream::Message] {
        let clean = written(stream, &good);
        for _ in 0..20_000 {
            let mut bytes = clean.to_vec();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << rng.below(8);
            }
            bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
            // Any answer will do, as long as there is one.
            read_all(stream, &bytes, 1 + rng.below(40) as usize).ok();
        }
    }
}
