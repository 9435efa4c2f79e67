//! The model: the list of everything that ever happened, and the contract read literally.
use super::LEASES;
use crate::{Refusal, store::KeyspaceHash};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use detcd_proto::{
    Message,
    etcdserverpb::{
        Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest,
        RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse, compare::TargetUnion,
        request_op::Request, response_op::Response,
    },
    mvccpb::KeyValue,
};
pub(super) type State = BTreeMap<Vec<u8>, KeyValue>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) main: i64,
    pub(super) sub: i64,
    pub(super) key: Vec<u8>,
    /// The pair, or none if the key was deleted.
    pub(super) pair: Option<KeyValue>,
}

#[derive(Clone)]
pub(super) struct Model {
    /// Everything that ever happened.
    pub(super) changes: Vec<Changed>,
    /// What etcd would still have on its disk after compactions.
    pub(super) stored: Vec<Changed>,
    pub(super) revision: i64,
    pub(super) compacted: i64,
    pub(super) hashes: Vec<KeyspaceHash>,
    /// The number of changes made by the transaction at work.
    pub(super) sub: i64,
}

pub(super) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..Default::default() })
}

pub(super) fn inside(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        _ => key >= start && key < end,
    }
}

impl Model {
    pub(super) fn new() -> Model {
        Model { changes: vec![], stored: vec![], revision: 1, compacted: -1, hashes: vec![], sub: 0 }
    }

    pub(super) fn state(&self, at: i64) -> State {
        let mut state = State::new();
        for change in self.changes.iter().filter(|change| at <= 0 || change.main <= at) {
            match &change.pair {
                Some(pair) => state.insert(change.key.clone(), pair.clone()),
                None => state.remove(&change.key),
            };
        }
        state
    }

    /// What watchers are told was there before: the pair of the revision before, but nothing to a put that begins a
    /// new life of its key, nor where compaction has taken it.
    pub(super) fn prev(&self, change: &Changed) -> Option<KeyValue> {
        let begins = change.pair.as_ref().is_some_and(|pair| pair.create_revision == change.main);
        if begins || change.main <= self.compacted {
            return None;
        }
        self.state(change.main - 1).remove(&change.key)
    }

    pub(super) fn record(&mut self, main: i64, key: &[u8], pair: Option<KeyValue>) {
        let change = Changed { main, sub: self.sub, key: key.to_vec(), pair };
        self.sub += 1;
        self.changes.push(change.clone());
        self.stored.push(change);
    }

    /// The newest changes per key up to a revision: what a compaction there would keep.
    pub(super) fn kept(&self, at: i64) -> Vec<Changed> {
        let mut newest = BTreeMap::new();
        for change in self.stored.iter().filter(|change| change.main <= at) {
            newest.insert(change.key.clone(), change.clone());
        }
        newest.into_values().filter(|change| change.pair.is_some() || change.main == at).collect()
    }

    pub(super) fn hash_of(&self, bound: i64, upto: i64, keep: &[Changed]) -> KeyspaceHash {
        let mut bytes = b"key".to_vec();
        for change in self.stored.iter().filter(|change| change.main <= upto) {
            let is_tombstone = change.pair.is_none();
            if change.main <= bound && !keep.is_empty() && !keep.contains(change)
                || is_tombstone && change.main == bound
            {
                continue;
            }
            bytes.extend(change.main.to_be_bytes());
            bytes.push(b'_');
            bytes.extend(change.sub.to_be_bytes());
            bytes.extend(is_tombstone.then_some(b't'));
            let only_key = || KeyValue { key: change.key.clone().into(), ..Default::default() };
            bytes.extend(change.pair.clone().unwrap_or_else(only_key).encode_to_vec());
        }
        let hash = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&bytes);
        KeyspaceHash { hash, compact_revision: bound, hash_revision: upto }
    }

    pub(super) fn hash(&self, revision: i64) -> Result<KeyspaceHash, Refusal> {
        if let Some(hash) = self.hashes.iter().rev().take(10).find(|hash| hash.hash_revision == revision) {
            return Ok(*hash);
        }
        if revision > 0 && revision < self.compacted {
            return Err(Refusal::Compacted);
        }
        if revision > self.revision {
            return Err(Refusal::FutureRev);
        }
        let upto = if revision == 0 { self.revision } else { revision };
        let keep: Vec<Changed> = self.kept(upto).into_iter().filter(|change| change.pair.is_some()).collect();
        Ok(self.hash_of(self.compacted, upto, &keep))
    }

    pub(super) fn compact(&mut self, revision: i64) -> Result<(), Refusal> {
        if revision <= self.compacted {
            return Err(Refusal::Compacted);
        }
        if revision > self.revision {
            return Err(Refusal::FutureRev);
        }
        let keep = self.kept(revision);
        self.hashes.push(self.hash_of(self.compacted, revision, &keep));
        self.stored.retain(|change| change.main > revision || keep.contains(change));
        self.compacted = revision;
        Ok(())
    }

    pub(super) fn put(&mut self, main: i64, request: &PutRequest) -> PutResponse {
        let prev = self.state(0).remove(&request.key[..]);
        let old = prev.clone().unwrap_or_default();
        let pair = KeyValue {
            key: request.key.clone(),
            value: if request.ignore_value { old.value } else { request.value.clone() },
            lease: if request.ignore_lease { old.lease } else { request.lease },
            version: old.version + 1,
            create_revision: if old.version == 0 { main } else { old.create_revision },
            mod_revision: main,
        };
        self.record(main, &request.key, Some(pair));
        PutResponse { header: header(main), prev_kv: prev.filter(|_| request.prev_kv) }
    }

    pub(super) fn delete(&mut self, main: i64, request: &DeleteRangeRequest) -> DeleteRangeResponse {
        let mut doomed = self.state(0);
        doomed.retain(|key, _| inside(key, &request.key, &request.range_end));
        for key in doomed.keys() {
            self.record(main, key, None);
        }
        DeleteRangeResponse {
            header: header(if self.sub > 0 { main } else { self.revision }),
            deleted: doomed.len() as i64,
            prev_kvs: if request.prev_kv { doomed.into_values().collect() } else { vec![] },
        }
    }

    pub(super) fn range(&self, request: &RangeRequest, current: i64) -> RangeResponse {
        let mut found: Vec<KeyValue> = self.state(request.revision).into_values().collect();
        found.retain(|pair| inside(&pair.key, &request.key, &request.range_end));
        let count = found.len() as i64;
        if request.count_only {
            return RangeResponse { header: header(current), count, ..Default::default() };
        }
        let RangeRequest { max_mod_revision, min_mod_revision, .. } = *request;
        let RangeRequest { max_create_revision, min_create_revision, .. } = *request;
        let filters = [max_mod_revision, min_mod_revision, max_create_revision, min_create_revision];
        let limit = request.limit.max(0) as usize;
        if request.sort_order == 0 && filters == [0; 4] && limit > 0 {
            found.truncate(limit + 1);
        }
        found.retain(|pair| {
            (max_mod_revision == 0 || pair.mod_revision <= max_mod_revision)
                && (min_mod_revision == 0 || pair.mod_revision >= min_mod_revision)
                && (max_create_revision == 0 || pair.create_revision <= max_create_revision)
                && (min_create_revision == 0 || pair.create_revision >= min_create_revision)
        });
        found.sort_by(|a, b| {
            let ordering = match request.sort_target {
                0 => a.key.cmp(&b.key),
                1 => a.version.cmp(&b.version),
                2 => a.create_revision.cmp(&b.create_revision),
                3 => a.mod_revision.cmp(&b.mod_revision),
                _ => a.value.cmp(&b.value),
            };
            if request.sort_order == 2 { ordering.reverse() } else { ordering }
        });
        let more = limit > 0 && found.len() > limit;
        if more {
            found.truncate(limit);
        }
        if request.keys_only {
            found.iter_mut().for_each(|pair| pair.value = Default::default());
        }
        RangeResponse { header: header(current), kvs: found, more, count }
    }

    pub(super) fn holds(&self, guard: &Compare) -> bool {
        let mut pairs: Vec<KeyValue> = self.state(0).into_values().collect();
        pairs.retain(|pair| inside(&pair.key, &guard.key, &guard.range_end));
        if pairs.is_empty() {
            if guard.target == 3 {
                return false;
            }
            pairs.push(KeyValue::default());
        }
        pairs.iter().all(|pair| {
            let ordering = match (guard.target, &guard.target_union) {
                (0, Some(TargetUnion::Version(given))) => pair.version.cmp(given),
                (0, _) => pair.version.cmp(&0),
                (1, Some(TargetUnion::CreateRevision(given))) => pair.create_revision.cmp(given),
                (1, _) => pair.create_revision.cmp(&0),
                (2, Some(TargetUnion::ModRevision(given))) => pair.mod_revision.cmp(given),
                (2, _) => pair.mod_revision.cmp(&0),
                (3, Some(TargetUnion::Value(given))) => pair.value.cmp(given),
                (3, _) => pair.value[..].cmp(&[]),
                (4, Some(TargetUnion::Lease(given))) => pair.lease.cmp(given),
                (4, _) => pair.lease.cmp(&0),
                _ => 0.cmp(&0),
            };
            match guard.result {
                0 => ordering.is_eq(),
                1 => ordering.is_gt(),
                2 => ordering.is_lt(),
                3 => ordering.is_ne(),
                _ => true,
            }
        })
    }

    /// The chosen operations in the order they run, with their depth marked by nested transactions.
    pub(super) fn choose(&self, request: &TxnRequest) -> (bool, Vec<RequestOp>) {
        let succeeded = request.compare.iter().all(|guard| self.holds(guard));
        (succeeded, if succeeded { request.success.clone() } else { request.failure.clone() })
    }

    pub(super) fn check_path(
        &self,
        request: &TxnRequest,
        gone: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), Refusal> {
        for op in self.choose(request).1 {
            match op.request {
                Some(Request::RequestRange(range)) if range.revision > self.revision => {
                    return Err(Refusal::FutureRev);
                }
                Some(Request::RequestRange(range))
                    if range.revision != 0 && range.revision < self.compacted =>
                {
                    return Err(Refusal::Compacted);
                }
                Some(Request::RequestPut(put)) => {
                    let is_there = self.state(0).contains_key(&put.key[..]) && !gone.contains(&put.key[..]);
                    if (put.ignore_value || put.ignore_lease) && !is_there {
                        return Err(Refusal::KeyNotFound);
                    }
                    if put.lease != 0 && !LEASES.contains(&put.lease) {
                        return Err(Refusal::LeaseNotFound);
                    }
                }
                Some(Request::RequestDeleteRange(delete)) => gone.extend(
                    self.state(0).into_keys().filter(|key| inside(key, &delete.key, &delete.range_end)),
                ),
                Some(Request::RequestTxn(nested)) => self.check_path(&nested, gone)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// `before`: the state in which guards are decided.
    pub(super) fn run(&mut self, before: &Model, request: &TxnRequest) -> TxnResponse {
        let main = self.revision + 1;
        let (succeeded, ops) = before.choose(request);
        let mut responses = vec![];
        for op in ops {
            let response = match op.request {
                Some(Request::RequestRange(range)) => {
                    let current = if self.sub > 0 { main } else { self.revision };
                    Response::ResponseRange(self.range(&range, current))
                }
                Some(Request::RequestPut(put)) => Response::ResponsePut(self.put(main, &put)),
                Some(Request::RequestDeleteRange(delete)) => {
                    Response::ResponseDeleteRange(self.delete(main, &delete))
                }
                Some(Request::RequestTxn(nested)) => {
                    let mut response = self.run(before, &nested);
                    response.header = Some(ResponseHeader::default());
                    Response::ResponseTxn(response)
                }
                None => unreachable!("refused before"),
            };
            responses.push(ResponseOp { response: Some(response) });
        }
        let revision = if self.sub > 0 { main } else { self.revision };
        TxnResponse { header: header(revision), succeeded, responses }
    }

    pub(super) fn finish(&mut self) {
        self.revision += i64::from(self.sub > 0);
        self.sub = 0;
    }
}

/// The duplicate-key rule as the contract tells it: puts and delete intervals of a branch, or a conflict.
pub(super) type Written = (BTreeSet<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);
pub(super) fn written(branch: &[RequestOp]) -> Option<Written> {
    let (mut puts, mut deletes): Written = Default::default();
    let conflicts = |deletes: &[(Vec<u8>, Vec<u8>)], key: &[u8]| {
        deletes.iter().any(|(start, end)| end != &[0] && inside(key, start, end))
    };
    for op in branch {
        if let Some(Request::RequestDeleteRange(delete)) = &op.request {
            deletes.push((delete.key.to_vec(), delete.range_end.to_vec()));
        }
    }
    for op in branch {
        if let Some(Request::RequestTxn(nested)) = &op.request {
            let (then_puts, then_deletes) = written(&nested.success)?;
            let (else_puts, else_deletes) = written(&nested.failure)?;
            for key in &then_puts {
                if puts.contains(key) || conflicts(&deletes, key) {
                    return None;
                }
                puts.insert(key.clone());
            }
            for key in else_puts {
                if puts.contains(&key) && !then_puts.contains(&key) || conflicts(&deletes, &key) {
                    return None;
                }
                puts.insert(key);
            }
            deletes.extend(then_deletes);
            deletes.extend(else_deletes);
        }
    }
    for op in branch {
        if let Some(Request::RequestPut(put)) = &op.request {
            if puts.contains(&put.key[..]) || conflicts(&deletes, &put.key) {
                return None;
            }
            puts.insert(put.key.to_vec());
        }
    }
    Some((puts, deletes))
}
