//! Random requests against a model that knows nothing but the list of all changes and the contract.
use super::{check, compact, delete, put, txn};
use crate::{
    Refusal, View, lease, query,
    store::{KeyspaceHash, Store},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use detcd_proto::{
    Message,
    etcdserverpb::{
        CompactionRequest, Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
        RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
        compare::TargetUnion, request_op::Request, response_op::Response,
    },
    mvccpb::KeyValue,
};
use proptest::{collection::vec as many, option::weighted, prelude::*, sample::select};

const MAX_OPS: usize = 12;
const LEASES: [i64; 3] = [-7, 1, 2];

// ---- the model

type State = BTreeMap<Vec<u8>, KeyValue>;

#[derive(Clone, Debug, PartialEq)]
struct Changed {
    main: i64,
    sub: i64,
    key: Vec<u8>,
    /// The pair, or none if the key was deleted.
    pair: Option<KeyValue>,
}

#[derive(Clone)]
struct Model {
    /// Everything that ever happened.
    changes: Vec<Changed>,
    /// What etcd would still have on its disk after compactions.
    stored: Vec<Changed>,
    revision: i64,
    compacted: i64,
    hashes: Vec<KeyspaceHash>,
    /// The number of changes made by the transaction at work.
    sub: i64,
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..Default::default() })
}

fn inside(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        _ => key >= start && key < end,
    }
}

impl Model {
    fn new() -> Model {
        Model { changes: vec![], stored: vec![], revision: 1, compacted: -1, hashes: vec![], sub: 0 }
    }

    fn state(&self, at: i64) -> State {
        let mut state = State::new();
        for change in self.changes.iter().filter(|change| at <= 0 || change.main <= at) {
            match &change.pair {
                Some(pair) => state.insert(change.key.clone(), pair.clone()),
                None => state.remove(&change.key),
            };
        }
        state
    }

    fn record(&mut self, main: i64, key: &[u8], pair: Option<KeyValue>) {
        let change = Changed { main, sub: self.sub, key: key.to_vec(), pair };
        self.sub += 1;
        self.changes.push(change.clone());
        self.stored.push(change);
    }

    /// The newest changes per key up to a revision: what a compaction there would keep.
    fn kept(&self, at: i64) -> Vec<Changed> {
        let mut newest = BTreeMap::new();
        for change in self.stored.iter().filter(|change| change.main <= at) {
            newest.insert(change.key.clone(), change.clone());
        }
        newest.into_values().filter(|change| change.pair.is_some() || change.main == at).collect()
    }

    fn hash_of(&self, bound: i64, upto: i64, keep: &[Changed]) -> KeyspaceHash {
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

    fn hash(&self, revision: i64) -> Result<KeyspaceHash, Refusal> {
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

    fn compact(&mut self, revision: i64) -> Result<(), Refusal> {
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

    fn put(&mut self, main: i64, request: &PutRequest) -> PutResponse {
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

    fn delete(&mut self, main: i64, request: &DeleteRangeRequest) -> DeleteRangeResponse {
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

    fn range(&self, request: &RangeRequest, current: i64) -> RangeResponse {
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

    fn holds(&self, guard: &Compare) -> bool {
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
    fn choose(&self, request: &TxnRequest) -> (bool, Vec<RequestOp>) {
        let succeeded = request.compare.iter().all(|guard| self.holds(guard));
        (succeeded, if succeeded { request.success.clone() } else { request.failure.clone() })
    }

    fn check_path(&self, request: &TxnRequest, gone: &mut BTreeSet<Vec<u8>>) -> Result<(), Refusal> {
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
    fn run(&mut self, before: &Model, request: &TxnRequest) -> TxnResponse {
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

    fn finish(&mut self) {
        self.revision += i64::from(self.sub > 0);
        self.sub = 0;
    }
}

/// The duplicate-key rule as the contract tells it: puts and delete intervals of a branch, or a conflict.
type Written = (BTreeSet<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);
fn written(branch: &[RequestOp]) -> Option<Written> {
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

// ---- requests

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => many(select(&b"abc"[..]), 1..3),
        1 => Just(vec![0]),
        1 => Just(vec![0xff, 0xff]),
        1 => many(select(&b"a\x00\xff"[..]), 1..4),
    ]
}

fn end() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => Just(vec![]), 1 => Just(vec![0]), 3 => key()]
}

fn revision() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 8 => 1..40i64, 1 => -3..0i64]
}

fn range() -> impl Strategy<Value = RangeRequest> {
    let filter = || prop_oneof![6 => Just(0), 1 => 1..30i64, 1 => Just(-1)];
    let interval = (key(), end(), prop_oneof![2 => Just(0), 1 => 1..6i64, 1 => Just(-2)], revision());
    let order = (0..3i32, 0..5i32, any::<bool>(), proptest::bool::weighted(0.15));
    let plain = proptest::bool::weighted(0.3);
    (interval, order, [filter(), filter(), filter(), filter()], plain).prop_map(
        |(interval, order, f, plain)| {
            let (key, end, limit, revision) = interval;
            let (sort_order, sort_target, keys_only, count_only) = order;
            let ends = RangeRequest {
                key: key.into(),
                range_end: end.into(),
                limit,
                revision,
                ..Default::default()
            };
            if plain {
                return ends;
            }
            let [max_mod_revision, min_mod_revision, max_create_revision, min_create_revision] = f;
            RangeRequest {
                sort_order,
                sort_target,
                keys_only,
                count_only,
                max_mod_revision,
                min_mod_revision,
                max_create_revision,
                min_create_revision,
                ..ends
            }
        },
    )
}

fn a_put() -> impl Strategy<Value = PutRequest> {
    let lease = prop_oneof![5 => Just(0), 2 => select(&LEASES[..]), 1 => Just(99)];
    let flags = (any::<bool>(), proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    (key(), many(select(&b"xy"[..]), 0..3), lease, flags).prop_map(|(key, value, lease, flags)| {
        let (prev_kv, ignore_value, ignore_lease) = flags;
        PutRequest {
            key: key.into(),
            value: if ignore_value { Default::default() } else { value.into() },
            lease: if ignore_lease { 0 } else { lease },
            prev_kv,
            ignore_value,
            ignore_lease,
        }
    })
}

fn a_delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (key(), end(), any::<bool>()).prop_map(|(key, end, prev_kv)| DeleteRangeRequest {
        key: key.into(),
        range_end: end.into(),
        prev_kv,
    })
}

fn guard() -> impl Strategy<Value = Compare> {
    let given = prop_oneof![
        (0..3i64).prop_map(TargetUnion::Version),
        (0..30i64).prop_map(TargetUnion::CreateRevision),
        (0..30i64).prop_map(TargetUnion::ModRevision),
        many(select(&b"xy"[..]), 0..2).prop_map(|value| TargetUnion::Value(value.into())),
        select(&LEASES[..]).prop_map(TargetUnion::Lease),
    ];
    (key(), prop_oneof![2 => Just(vec![]), 1 => end()], weighted(0.9, given), 0..5i32, 0..50i32).prop_map(
        |(key, end, target_union, result, stray)| {
            let fitting = match &target_union {
                Some(TargetUnion::Version(_)) => 0,
                Some(TargetUnion::CreateRevision(_)) => 1,
                Some(TargetUnion::ModRevision(_)) => 2,
                Some(TargetUnion::Value(_)) => 3,
                Some(TargetUnion::Lease(_)) => 4,
                None => stray % 5,
            };
            let target = if stray < 6 { stray } else { fitting };
            Compare { key: key.into(), range_end: end.into(), target, result, target_union }
        },
    )
}

fn a_txn() -> impl Strategy<Value = TxnRequest> {
    let simple = || {
        prop_oneof![
            3 => range().prop_map(Request::RequestRange),
            4 => a_put().prop_map(Request::RequestPut),
            1 => a_delete().prop_map(Request::RequestDeleteRange),
        ]
    };
    let of = |op: BoxedStrategy<Request>| {
        let branch = many(op.prop_map(|request| RequestOp { request: Some(request) }), 0..4);
        (many(guard(), 0..3), branch.clone(), branch)
            .prop_map(|(compare, success, failure)| TxnRequest { compare, success, failure })
            .boxed()
    };
    let nested = |inner: BoxedStrategy<TxnRequest>| {
        of(prop_oneof![5 => simple(), 1 => inner.prop_map(Request::RequestTxn)].boxed())
    };
    nested(nested(of(simple().boxed())))
}

#[derive(Clone, Debug)]
enum Op {
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    Range(RangeRequest),
    Compact(i64),
    /// Compact so many revisions before the current one.
    CompactRecent(i64),
    CompactStep(usize),
    Hash(i64),
    Changes(i64),
    Keep,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => a_put().prop_map(Op::Put),
        3 => a_delete().prop_map(Op::Delete),
        6 => a_txn().prop_map(Op::Txn),
        8 => range().prop_map(Op::Range),
        1 => (-2..40i64).prop_map(Op::Compact),
        2 => (0..8i64).prop_map(Op::CompactRecent),
        3 => (0..6usize).prop_map(Op::CompactStep),
        2 => (-1..40i64).prop_map(Op::Hash),
        1 => Just(Op::Hash(0)),
        2 => (0..40i64).prop_map(Op::Changes),
        1 => Just(Op::Keep),
    ]
}

// ---- side by side

struct Pair {
    store: Store,
    leases: lease::Table,
    model: Model,
}

fn view_of(store: &Store, leases: &lease::Table) -> View {
    View {
        keyspace: store.keyspace().clone(),
        leases: leases.clone(),
        members: Default::default(),
        alarms: Default::default(),
        cluster_version: None,
    }
}

fn same_range(view: &View, model: &Model, request: &RangeRequest) {
    let expected = if request.revision > model.revision {
        Err(Refusal::FutureRev)
    } else if request.revision > 0 && request.revision < model.compacted {
        Err(Refusal::Compacted)
    } else {
        Ok(model.range(request, model.revision))
    };
    assert_eq!(query::range(view, request), expected, "{request:?}");
}

fn same_changes(view: &View, model: &Model, from: i64) {
    let keyspace = &view.keyspace;
    let expected: Vec<&Changed> =
        model.stored.iter().filter(|change| change.main >= from.max(model.compacted)).collect();
    let got: Vec<_> = keyspace.changes(from).collect();
    assert_eq!(got.len(), expected.len(), "changes from {from}: {got:?}");
    for (record, change) in got.into_iter().zip(expected) {
        assert_eq!(record.revision(), (change.main, change.sub));
        assert_eq!(record.key(), change.key);
        assert_eq!(record.is_tombstone(), change.pair.is_none());
        if let Some(pair) = &change.pair {
            assert_eq!(&record.to_kv(), pair);
        }
        let prev = if change.main > 1 && change.main > model.compacted {
            model.state(change.main - 1).remove(&change.key)
        } else {
            None
        };
        assert_eq!(keyspace.prev(record).map(|prev| prev.to_kv()), prev, "before {record:?}");
    }
}

fn same_everywhere(view: &View, model: &Model) {
    let keyspace = &view.keyspace;
    assert_eq!(keyspace.revision(), model.revision);
    assert_eq!(keyspace.compact_revision(), model.compacted);
    assert_eq!(keyspace.len(), model.state(0).len());
    for revision in (0..=model.revision + 1).chain([-1]) {
        for end in [&[0][..], b"b"] {
            let all = RangeRequest {
                key: vec![0].into(),
                range_end: end.to_vec().into(),
                revision,
                ..Default::default()
            };
            same_range(view, model, &all);
            same_range(view, model, &RangeRequest { count_only: true, ..all.clone() });
            same_range(view, model, &RangeRequest { limit: 2, ..all });
        }
        assert_eq!(keyspace.hash_kv(revision), model.hash(revision), "hash at {revision}");
    }
    same_changes(view, model, 0);
    let mut attached: BTreeMap<i64, Vec<Vec<u8>>> = LEASES.iter().map(|id| (*id, vec![])).collect();
    for (key, pair) in model.state(0) {
        if pair.lease != 0 {
            attached.get_mut(&pair.lease).expect("only known leases").push(key);
        }
    }
    let got = view.leases.iter().map(|(id, lease)| (*id, lease.keys().map(|key| key.to_vec()).collect()));
    assert_eq!(got.collect::<BTreeMap<_, Vec<_>>>(), attached);
}

impl Pair {
    fn new() -> Pair {
        let mut leases = lease::Table::new();
        LEASES.iter().for_each(|id| assert!(leases.grant(*id, 10)));
        Pair { store: Store::new(), leases, model: Model::new() }
    }

    fn same_told(&self, changes: &[crate::store::Change], before: usize) {
        let made = &self.model.changes[before..];
        assert_eq!(changes.len(), made.len());
        for (change, made) in changes.iter().zip(made) {
            assert_eq!(change.record.revision(), (made.main, made.sub));
            assert_eq!(change.record.key(), made.key);
            assert_eq!(change.is_delete(), made.pair.is_none());
            let prev = if made.main > 2 { self.model.state(made.main - 1).remove(&made.key) } else { None };
            assert_eq!(change.prev.as_ref().map(|prev| prev.to_kv()), prev);
        }
    }

    fn play(&mut self, op: Op, kept: &mut Vec<(View, Model)>) {
        let before = self.model.changes.len();
        let Pair { store, leases, model } = self;
        let changes = match op {
            Op::Put(request) => {
                let is_there = model.state(0).contains_key(&request.key[..]);
                let expected = if request.lease != 0 && !LEASES.contains(&request.lease) {
                    Err(Refusal::LeaseNotFound)
                } else if (request.ignore_value || request.ignore_lease) && !is_there {
                    Err(Refusal::KeyNotFound)
                } else {
                    Ok(model.put(model.revision + 1, &request))
                };
                let got = put::apply(store, leases, &request);
                assert_eq!(
                    got.as_ref().map(|(response, _)| response.clone()).map_err(Clone::clone),
                    expected
                );
                got.map_or(vec![], |(_, changes)| changes)
            }
            Op::Delete(request) => {
                let (response, changes) = delete::apply(store, leases, &request);
                assert_eq!(response, model.delete(model.revision + 1, &request));
                changes
            }
            Op::Txn(request) => {
                let legal = written(&request.success).and(written(&request.failure)).is_some();
                match check::txn(&request, MAX_OPS) {
                    Ok(()) => assert!(legal),
                    Err(Refusal::DuplicateKey) => return assert!(!legal),
                    Err(other) => panic!("{other} for {request:?}"),
                }
                let expected = model.check_path(&request, &mut BTreeSet::new()).map(|()| {
                    let before = model.clone();
                    model.run(&before, &request)
                });
                if check::is_read_only(&request) {
                    assert_eq!(query::txn(&view_of(store, leases), &request), expected);
                }
                let got = txn::apply(store, leases, &request);
                assert_eq!(
                    got.as_ref().map(|(response, _)| response.clone()).map_err(Clone::clone),
                    expected
                );
                got.map_or(vec![], |(_, changes)| changes)
            }
            Op::Range(request) => return same_range(&view_of(store, leases), model, &request),
            Op::Compact(_) | Op::CompactRecent(_) => {
                let revision = if let Op::CompactRecent(back) = op { model.revision - back } else { -2 };
                let revision = if let Op::Compact(revision) = op { revision } else { revision };
                let request = CompactionRequest { revision, physical: false };
                let got = compact::apply(store, &request);
                assert_eq!(
                    got.map(|response| response.header),
                    model.compact(revision).map(|()| header(model.revision))
                );
                return;
            }
            Op::CompactStep(budget) => {
                store.compact_step(budget);
                return;
            }
            Op::Hash(revision) => {
                return assert_eq!(store.keyspace().hash_kv(revision), model.hash(revision));
            }
            Op::Changes(from) => return same_changes(&view_of(store, leases), model, from),
            Op::Keep => return kept.push((view_of(store, leases), model.clone())),
        };
        self.same_told(&changes, before);
        self.model.finish();
        assert_eq!(self.store.keyspace().revision(), self.model.revision);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn everything_a_client_can_see_is_what_the_contract_says(ops in many(op(), 1..60)) {
        let mut pair = Pair::new();
        let mut kept = vec![];
        for op in ops {
            pair.play(op, &mut kept);
        }
        same_everywhere(&view_of(&pair.store, &pair.leases), &pair.model);
        while !pair.store.compact_step(3) {}
        prop_assert_eq!(pair.store.compacted_physically(), pair.model.compacted);
        same_everywhere(&view_of(&pair.store, &pair.leases), &pair.model);
        let stored = pair.store.keyspace().changes(i64::MIN).count();
        prop_assert!(stored <= pair.model.stored.len());
        // Whatever was written, compacted and removed since: a view is what it was.
        for (view, model) in &kept {
            same_everywhere(view, model);
        }
    }
}
