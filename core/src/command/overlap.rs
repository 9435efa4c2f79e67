//! No key may be written twice by one transaction, as far as etcd looks. Source: contract-semantics 7.3.
//!
//! It does not look far enough: an open-ended delete is taken for an empty interval and conflicts with nothing. Such
//! transactions are legal and run in order, so the rule is kept to the letter.
use crate::Refusal;
use alloc::collections::{BTreeMap, BTreeSet};
use detcd_proto::etcdserverpb::{DeleteRangeRequest, RequestOp, request_op::Request};

/// [`Refusal::DuplicateKey`] if a branch puts a key twice, or puts one that it deletes.
pub(super) fn check(branch: &[RequestOp]) -> Result<(), Refusal> {
    Writes::of(branch).map(|_| ())
}

/// What a branch writes.
#[derive(Default)]
struct Writes<'a> {
    puts: BTreeSet<&'a [u8]>,
    deletes: Intervals<'a>,
}

impl<'a> Writes<'a> {
    fn of(branch: &'a [RequestOp]) -> Result<Writes<'a>, Refusal> {
        let mut writes = Writes::default();
        for op in branch {
            if let Some(Request::RequestDeleteRange(delete)) = &op.request {
                writes.deletes.add(delete);
            }
        }
        for op in branch {
            if let Some(Request::RequestTxn(nested)) = &op.request {
                let then = Writes::of(&nested.success)?;
                let otherwise = Writes::of(&nested.failure)?;
                for key in &then.puts {
                    writes.put(key)?;
                }
                // Only one of the two branches runs, so they may put the same key.
                for key in otherwise.puts.difference(&then.puts) {
                    writes.put(key)?;
                }
                writes.deletes.join(then.deletes);
                writes.deletes.join(otherwise.deletes);
            }
        }
        for op in branch {
            if let Some(Request::RequestPut(put)) = &op.request {
                writes.put(&put.key)?;
            }
        }
        Ok(writes)
    }

    fn put(&mut self, key: &'a [u8]) -> Result<(), Refusal> {
        if self.deletes.contains(key) || !self.puts.insert(key) { Err(Refusal::DuplicateKey) } else { Ok(()) }
    }
}

/// A set of keys made of single ones and of intervals, which do not overlap each other.
#[derive(Default)]
struct Intervals<'a> {
    points: BTreeSet<&'a [u8]>,
    /// Start to end, the end not included.
    spans: BTreeMap<&'a [u8], &'a [u8]>,
}

impl<'a> Intervals<'a> {
    fn add(&mut self, delete: &'a DeleteRangeRequest) {
        if delete.range_end.is_empty() {
            self.points.insert(&delete.key);
        } else {
            self.add_span(&delete.key, &delete.range_end);
        }
    }

    /// An end that is not above the start, such as the single zero byte of an open-ended delete, adds nothing.
    fn add_span(&mut self, mut start: &'a [u8], mut end: &'a [u8]) {
        if end <= start {
            return;
        }
        if let Some((before, its_end)) = self.spans.range(..=start).next_back()
            && *its_end >= start
        {
            start = before;
            end = end.max(its_end);
        }
        while let Some((swallowed, its_end)) = self.spans.range(start..=end).next() {
            end = end.max(its_end);
            let swallowed = *swallowed;
            self.spans.remove(swallowed);
        }
        self.spans.insert(start, end);
    }

    fn join(&mut self, other: Intervals<'a>) {
        self.points.extend(other.points);
        for (start, end) in other.spans {
            self.add_span(start, end);
        }
    }

    fn contains(&self, key: &'a [u8]) -> bool {
        let span = || self.spans.range(..=key).next_back();
        self.points.contains(key) || span().is_some_and(|(_, end)| key < *end)
    }
}
