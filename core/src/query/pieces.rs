//! A range in pieces, so that neither memory nor the caller's thread has to hold all of it at once.
//!
//! All pieces come from one frozen state: what is written or compacted meanwhile does not show. Put behind each other
//! they are what [`range`](super::range) answers.
use super::{header, range};
use crate::{
    KeyRange, Refusal, View,
    store::{Keyspace, Record},
};
use alloc::vec::Vec;
use bytes::Bytes;
use detcd_proto::{
    Message,
    etcdserverpb::{RangeRequest, RangeResponse},
};

/// The pieces of one range that are still to come.
#[derive(Debug)]
pub struct Pieces {
    keyspace: Keyspace,
    request: RangeRequest,
    /// What is left of the interval; nothing once the last piece was given.
    rest: Option<KeyRange>,
    /// How many pairs are still wanted.
    wanted: usize,
    given: usize,
    /// Most pairs of the next piece. Grows while pieces are small.
    pairs_max: usize,
    /// A piece that has grown to so many bytes of pairs ends.
    bytes: usize,
}

/// Whether a range can be given in pieces: nothing has to be looked at before the first pair is known.
/// [`Refusal::StreamSorted`] or [`Refusal::StreamFiltered`] if not.
pub fn divisible(request: &RangeRequest) -> Result<(), Refusal> {
    if !range::Order::of(request).is_natural() {
        Err(Refusal::StreamSorted)
    } else if range::has_filters(request) {
        Err(Refusal::StreamFiltered)
    } else {
        Ok(())
    }
}

impl Pieces {
    /// Of a range that is [`divisible`]: pieces of about `bytes` bytes, the first of at most `pairs_max` pairs.
    /// [`Refusal::FutureRev`] or [`Refusal::Compacted`] as for every range.
    pub fn new(
        view: &View,
        request: RangeRequest,
        pairs_max: usize,
        bytes: usize,
    ) -> Result<Pieces, Refusal> {
        view.keyspace.readable(request.revision)?;
        let rest = Some(KeyRange::new(request.key.clone(), request.range_end.clone()));
        let wanted = range::limit(&request).unwrap_or(usize::MAX);
        // No piece is empty but the last.
        let (pairs_max, bytes) = (pairs_max.max(1), bytes.max(1));
        Ok(Pieces { keyspace: view.keyspace.clone(), request, rest, wanted, given: 0, pairs_max, bytes })
    }

    /// Whether the last piece was given.
    pub fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// The next piece. Only the last one has a header, of which the revision is filled in, the count, and whether
    /// there is more than was asked for.
    pub fn next_piece(&mut self) -> Option<RangeResponse> {
        let rest = self.rest.take()?;
        if self.request.count_only {
            return Some(range::range_in(&self.keyspace, &self.request));
        }
        let most = self.pairs_max.min(self.wanted);
        let pair = if self.request.keys_only { Record::to_kv_without_value } else { Record::to_kv };
        let mut kvs = Vec::new();
        let mut bytes = 0;
        let mut records = self.keyspace.range(&rest, self.request.revision).peekable();
        while kvs.len() < most && bytes < self.bytes {
            let Some(record) = records.next() else { break };
            let kv = pair(record);
            bytes += kv.encoded_len();
            kvs.push(kv);
        }
        let behind = records.next().map(|record| Bytes::copy_from_slice(record.key()));
        self.given += kvs.len();
        self.wanted -= kvs.len();
        if bytes < self.bytes / 2 {
            self.pairs_max = self.pairs_max.saturating_mul(2);
        }
        let rest = behind.map(|start| KeyRange { start, end: rest.end });
        match rest {
            Some(rest) if self.wanted > 0 => {
                self.rest = Some(rest);
                Some(RangeResponse { kvs, ..RangeResponse::default() })
            }
            rest => {
                let more = rest.is_some();
                let cut = rest.map_or(0, |rest| self.keyspace.count(&rest, self.request.revision));
                let count = (self.given + cut) as i64;
                Some(RangeResponse { header: header(self.keyspace.revision()), kvs, more, count })
            }
        }
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
