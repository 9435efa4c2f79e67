//! Random requests over few keys, so that they meet.
use super::LEASES;
use alloc::{vec, vec::Vec};
use detcd_proto::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, compare::TargetUnion,
    request_op::Request,
};
use proptest::{collection::vec as many, prelude::*, sample::select};
pub(super) fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => many(select(&b"abc"[..]), 1..3),
        1 => Just(vec![0]),
        1 => Just(vec![0xff, 0xff]),
        1 => many(select(&b"a\x00\xff"[..]), 1..4),
    ]
}

pub(super) fn end() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => Just(vec![]), 1 => Just(vec![0]), 3 => key()]
}

pub(super) fn revision() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0), 8 => 1..40i64, 1 => -3..0i64]
}

/// True in this many of a hundred cases.
fn sometimes(percent: u32) -> impl Strategy<Value = bool> {
    prop_oneof![percent => Just(true), 100 - percent => Just(false)]
}

pub(super) fn range() -> impl Strategy<Value = RangeRequest> {
    let filter = || prop_oneof![6 => Just(0), 1 => 1..30i64, 1 => Just(-1)];
    let interval = (key(), end(), prop_oneof![2 => Just(0), 1 => 1..6i64, 1 => Just(-2)], revision());
    let order = (0..3i32, 0..5i32, any::<bool>(), sometimes(15));
    let plain = sometimes(30);
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

pub(super) fn a_put() -> impl Strategy<Value = PutRequest> {
    let lease = prop_oneof![5 => Just(0), 2 => select(&LEASES[..]), 1 => Just(99)];
    let flags = (any::<bool>(), sometimes(10), sometimes(10));
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

pub(super) fn a_delete() -> impl Strategy<Value = DeleteRangeRequest> {
    (key(), end(), any::<bool>()).prop_map(|(key, end, prev_kv)| DeleteRangeRequest {
        key: key.into(),
        range_end: end.into(),
        prev_kv,
    })
}

pub(super) fn guard() -> impl Strategy<Value = Compare> {
    let given = prop_oneof![
        (0..3i64).prop_map(TargetUnion::Version),
        (0..30i64).prop_map(TargetUnion::CreateRevision),
        (0..30i64).prop_map(TargetUnion::ModRevision),
        many(select(&b"xy"[..]), 0..2).prop_map(|value| TargetUnion::Value(value.into())),
        select(&LEASES[..]).prop_map(TargetUnion::Lease),
    ];
    (
        key(),
        prop_oneof![2 => Just(vec![]), 1 => end()],
        prop_oneof![9 => given.prop_map(Some), 1 => Just(None)],
        0..5i32,
        0..50i32,
    )
        .prop_map(|(key, end, target_union, result, stray)| {
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
        })
}

pub(super) fn a_txn() -> impl Strategy<Value = TxnRequest> {
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
pub(super) enum Op {
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

pub(super) fn op() -> impl Strategy<Value = Op> {
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
