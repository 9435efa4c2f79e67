//! Splits a response that is too large for one message, for watchers that asked for it.
use crate::{Plant, Plants};
use alloc::{vec, vec::Vec};
use detcd_proto::{Message, etcdserverpb::WatchResponse};

/// The pieces, each below `bytes_max` where one event allows it; all but the last say that more follows. A response
/// that fits, or has a single event, stays whole. Source: contract-semantics 9.5.
pub fn split(response: WatchResponse, bytes_max: usize, plants: Plants) -> Vec<WatchResponse> {
    if response.events.len() < 2 || response.encoded_len() < bytes_max {
        return vec![response];
    }
    let mut whole = response;
    let events = core::mem::take(&mut whole.events);
    let empty = whole.encoded_len();
    let mut pieces = Vec::new();
    let mut piece = whole.clone();
    let mut bytes = empty;
    for event in events {
        let size = event.encoded_len();
        // Tag and length of the element.
        let size = 1 + prost::length_delimiter_len(size) + size;
        if !piece.events.is_empty() && bytes + size >= bytes_max {
            piece.fragment = !plants.has(Plant::SplitRevision);
            pieces.push(core::mem::replace(&mut piece, whole.clone()));
            bytes = empty;
        }
        bytes += size;
        piece.events.push(event);
    }
    pieces.push(piece);
    pieces
}
