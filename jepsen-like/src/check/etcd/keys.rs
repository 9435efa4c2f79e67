//! Every key of a history, in order, by number: intervals become ranges of numbers and lookups become indexing.

use std::{collections::BTreeSet, ops::Range};

use super::Options;
use crate::history::{History, KeyValue, Request, Response};

/// Keys by number, as a set: what a conflict is about, what a write can touch.
pub(super) type KeySet = BTreeSet<usize>;

pub(super) struct Keys<'h>(Vec<&'h [u8]>);

impl<'h> Keys<'h> {
    pub fn of(history: &'h History, options: &'h Options) -> Self {
        let mut keys = Vec::new();
        collect_kvs(&options.initial, &mut keys);
        keys.extend(options.changed.values().flatten().map(Vec::as_slice));
        for op in history.ops() {
            collect_request(&op.request, &mut keys);
            if let Some(response) = op.response() {
                collect_response(response, &mut keys);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// # Panics
    /// When `key` is not of the history.
    pub fn id(&self, key: &[u8]) -> usize {
        self.0.binary_search(&key).expect("every key of the history has a number")
    }

    pub fn name(&self, id: usize) -> &'h [u8] {
        self.0[id]
    }

    /// The keys that etcd's interval rules give for `key` and `range_end`.
    pub fn interval(&self, key: &[u8], range_end: &[u8]) -> Range<usize> {
        let from = self.0.partition_point(|&k| k < key);
        let to = match range_end {
            [] => self.0.partition_point(|&k| k <= key),
            [0] => self.0.len(),
            end => self.0.partition_point(|&k| k < end),
        };
        from..to.max(from)
    }
}

fn collect_kvs<'h>(kvs: &'h [KeyValue], keys: &mut Vec<&'h [u8]>) {
    keys.extend(kvs.iter().map(|kv| kv.key.as_slice()));
}

fn collect_request<'h>(request: &'h Request, keys: &mut Vec<&'h [u8]>) {
    match request {
        Request::Range(range) => keys.push(&range.key),
        Request::Put(put) => keys.push(&put.key),
        Request::Delete(delete) => keys.push(&delete.key),
        Request::Txn(txn) => {
            keys.extend(txn.compares.iter().map(|compare| compare.key.as_slice()));
            txn.success.iter().chain(&txn.failure).for_each(|op| collect_request(op, keys));
        }
        Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. } => {}
    }
}

fn collect_response<'h>(response: &'h Response, keys: &mut Vec<&'h [u8]>) {
    match response {
        Response::Range(range) => collect_kvs(&range.kvs, keys),
        Response::Put(put) => keys.extend(put.prev_kv.iter().map(|kv| kv.key.as_slice())),
        Response::Delete(delete) => collect_kvs(&delete.prev_kvs, keys),
        Response::Txn(txn) => txn.responses.iter().for_each(|inner| collect_response(inner, keys)),
        Response::Compact { .. } | Response::LeaseGrant { .. } | Response::LeaseRevoke { .. } => {}
    }
}
