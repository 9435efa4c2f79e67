//! Reads, writes, transactions and compactions.

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use pb::compare::TargetUnion;
use pb::request_op::Request as Op;

use super::Dice;
use crate::diff::plan::{Step, path};
use crate::diff::symbol::now;

/// How deep transactions lie in each other at most.
const DEPTH_MAX: u32 = 3;

pub fn step(dice: &mut Dice, leases: &[i64]) -> Vec<Step> {
    match dice.weighted(&[30, 34, 12, 18, 1, 3, 1, 1]) {
        0 => vec![Step::unary(path::RANGE, &range(dice, Place::Alone))],
        1 => vec![Step::unary(path::PUT, &put(dice, leases))],
        2 => vec![Step::unary(path::DELETE_RANGE, &delete(dice))],
        3 => vec![Step::unary(path::TXN, &txn(dice, leases, 0))],
        4 => vec![Step::unary(path::TXN, &crowd(dice))],
        5 => compact(dice),
        6 => vec![Step::unary(path::PUT, &huge(dice))],
        _ => {
            let request = range(dice, Place::Alone);
            vec![Step::unary(path::RANGE, &request), Step::stream_one(path::RANGE_STREAM, &request)]
        }
    }
}

/// Where a range stands. Inside a transaction its answer is compared as it is, so the order must be certain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    Txn,
}

fn range(dice: &mut Dice, place: Place) -> pb::RangeRequest {
    let (key, range_end) = dice.interval();
    let mut request = pb::RangeRequest { key, range_end, revision: dice.revision(), ..Default::default() };
    request.serializable = dice.percent(30);
    if dice.percent(40) {
        request.limit = dice.pick(&[1, 2, 3, 5, 100, -1, i64::MIN, i64::MAX]);
    }
    if dice.percent(40) {
        // An unknown target is never asked for: etcd 3.5 and older end over it.
        // Nor for an unknown order in a transaction, which they carry out.
        if place == Place::Alone {
            request.sort_order = dice.number_of(3);
            request.sort_target = dice.below(5) as i32;
        } else {
            request.sort_order = dice.below(3) as i32;
        }
    }
    request.keys_only = dice.percent(15);
    request.count_only = dice.percent(10);
    if dice.percent(25) {
        request.min_mod_revision = dice.bound();
        request.max_mod_revision = dice.bound();
        request.min_create_revision = dice.bound();
        request.max_create_revision = dice.bound();
    }
    request
}

fn put(dice: &mut Dice, leases: &[i64]) -> pb::PutRequest {
    let mut request = pb::PutRequest { key: dice.key(), value: dice.value(), ..Default::default() };
    request.prev_kv = dice.percent(25);
    if dice.percent(8) {
        request.ignore_value = true;
        if dice.percent(80) {
            request.value = Bytes::new();
        }
    }
    if dice.percent(15) {
        request.lease = if leases.is_empty() || dice.percent(10) {
            dice.pick(&[404, -404, i64::MAX])
        } else {
            dice.pick(leases)
        };
    }
    if dice.percent(8) {
        request.ignore_lease = true;
        if dice.percent(80) {
            request.lease = 0;
        }
    }
    request
}

/// Around the largest request that a server takes.
fn huge(dice: &mut Dice) -> pb::PutRequest {
    let length = dice.pick(&[1_500_000, 1_572_800, 1_572_864, 1_600_000, 2_097_100, 2_097_152, 2_100_000]);
    pb::PutRequest {
        key: Bytes::from_static(b"huge"),
        value: vec![b'h'; length].into(),
        ..Default::default()
    }
}

fn delete(dice: &mut Dice) -> pb::DeleteRangeRequest {
    let (key, range_end) = dice.interval();
    pb::DeleteRangeRequest { key, range_end, prev_kv: dice.percent(40) }
}

fn txn(dice: &mut Dice, leases: &[i64], depth: u32) -> pb::TxnRequest {
    let mut txn = pb::TxnRequest::default();
    for _ in 0..dice.below(4) {
        txn.compare.push(compare(dice));
    }
    // A transaction that only reads takes another way through a server.
    let reads_only = dice.percent(20);
    for _ in 0..dice.below(5) {
        txn.success.push(op(dice, leases, depth, reads_only));
    }
    for _ in 0..dice.below(4) {
        txn.failure.push(op(dice, leases, depth, reads_only));
    }
    if depth == 0 && deletes_open_ended(&txn) {
        // What such a delete takes away, a later put must not need: etcd ends over it.
        keep_no_promises(&mut txn);
    }
    txn
}

fn op(dice: &mut Dice, leases: &[i64], depth: u32, reads_only: bool) -> pb::RequestOp {
    let request = if reads_only {
        Some(Op::RequestRange(range(dice, Place::Txn)))
    } else {
        match dice.below(100) {
            0..=34 => Some(Op::RequestRange(range(dice, Place::Txn))),
            35..=64 => Some(Op::RequestPut(put(dice, leases))),
            65..=84 => Some(Op::RequestDeleteRange(delete(dice))),
            85..=98 if depth < DEPTH_MAX => Some(Op::RequestTxn(txn(dice, leases, depth + 1))),
            99 => None,
            _ => Some(Op::RequestPut(put(dice, leases))),
        }
    };
    pb::RequestOp { request }
}

fn compare(dice: &mut Dice) -> pb::Compare {
    let (key, range_end) = dice.interval();
    let target = dice.number_of(5);
    let arm = if dice.percent(90) { target } else { dice.below(6) as i32 };
    let target_union = match arm {
        0 => Some(TargetUnion::Version(dice.within(-1, 4))),
        1 => Some(TargetUnion::CreateRevision(dice.pick(&[0, -1, 5, now(0), now(-3), now(-9)]))),
        2 => Some(TargetUnion::ModRevision(dice.pick(&[0, -1, 5, now(0), now(-1), now(-2), now(-5)]))),
        3 => Some(TargetUnion::Value(dice.value())),
        4 => Some(TargetUnion::Lease(dice.pick(&[0, 1, 2, 3, -7]))),
        _ => None,
    };
    pb::Compare { result: dice.number_of(4), target, key, range_end, target_union }
}

fn deletes_open_ended(txn: &pb::TxnRequest) -> bool {
    ops(txn).any(|op| match &op.request {
        Some(Op::RequestDeleteRange(delete)) => delete.range_end == b"\0"[..],
        Some(Op::RequestTxn(txn)) => deletes_open_ended(txn),
        _ => false,
    })
}

fn keep_no_promises(txn: &mut pb::TxnRequest) {
    for op in txn.success.iter_mut().chain(&mut txn.failure) {
        match &mut op.request {
            Some(Op::RequestPut(put)) => (put.ignore_value, put.ignore_lease) = (false, false),
            Some(Op::RequestTxn(txn)) => keep_no_promises(txn),
            _ => {}
        }
    }
}

fn ops(txn: &pb::TxnRequest) -> impl Iterator<Item = &pb::RequestOp> {
    txn.success.iter().chain(&txn.failure)
}

/// Around the number of operations that a transaction may have.
fn crowd(dice: &mut Dice) -> pb::TxnRequest {
    let count = dice.pick(&[126, 127, 128, 129, 200]);
    let read = pb::RangeRequest { key: Bytes::from_static(b"a"), ..Default::default() };
    let read = pb::RequestOp { request: Some(Op::RequestRange(read)) };
    let inner = vec![read.clone(); dice.pick(&[0, 1, 2, 3])];
    let inner = pb::TxnRequest { success: inner, ..Default::default() };
    let mut success = vec![read; count - 1];
    success.push(pb::RequestOp { request: Some(Op::RequestTxn(inner)) });
    let txn = pb::TxnRequest { success, ..Default::default() };
    match dice.below(3) {
        0 => txn,
        1 => pb::TxnRequest { failure: txn.success, ..Default::default() },
        _ => pb::TxnRequest { compare: vec![compare(dice); count], ..Default::default() },
    }
}

/// Watchers are let catch up first: one that is still behind would be cancelled or not, as time has it.
fn compact(dice: &mut Dice) -> Vec<Step> {
    let revision = match dice.below(10) {
        // The newest revision is then the one that the settling wrote.
        0..=5 => now(0),
        6 => now(-dice.within(1, 10)),
        7 => now(dice.within(1, 3)),
        _ => dice.pick(&[0, -1, 1, i64::MAX, crate::diff::symbol::compacted(0)]),
    };
    let request = pb::CompactionRequest { revision, physical: dice.percent(60) };
    let hash = pb::HashKvRequest::default();
    vec![Step::settle(), Step::unary(path::HASH_KV, &hash), Step::unary(path::COMPACT, &request)]
}
