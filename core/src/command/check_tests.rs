use super::check::*;
use crate::Refusal;
use alloc::{vec, vec::Vec};
use detcd_proto::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, request_op::Request,
};

fn get(key: &'static str) -> Request {
    Request::RequestRange(RangeRequest { key: key.into(), ..Default::default() })
}

fn puts(key: &'static str) -> Request {
    Request::RequestPut(PutRequest { key: key.into(), ..Default::default() })
}

fn del(key: &'static str, end: &'static str) -> Request {
    Request::RequestDeleteRange(DeleteRangeRequest {
        key: key.into(),
        range_end: end.into(),
        ..Default::default()
    })
}

fn nested(success: Vec<Request>, failure: Vec<Request>) -> Request {
    Request::RequestTxn(both(success, failure))
}

fn both(success: Vec<Request>, failure: Vec<Request>) -> TxnRequest {
    let ops = |branch: Vec<Request>| {
        branch.into_iter().map(|request| RequestOp { request: Some(request) }).collect()
    };
    TxnRequest { compare: vec![], success: ops(success), failure: ops(failure) }
}

fn refused(request: &TxnRequest) -> Option<Refusal> {
    txn(request, 128).err()
}

#[test]
fn an_empty_key_comes_before_everything_else() {
    let bad_order = RangeRequest { sort_order: 9, ..Default::default() };
    assert_eq!(range(&bad_order), Err(Refusal::EmptyKey));
    assert_eq!(range(&RangeRequest { key: "k".into(), ..bad_order }), Err(Refusal::InvalidSortOption));
    let bad_target = RangeRequest { key: "k".into(), sort_target: -1, ..Default::default() };
    assert_eq!(range(&bad_target), Err(Refusal::InvalidSortOption));

    let touch = PutRequest {
        value: "v".into(),
        lease: 1,
        ignore_value: true,
        ignore_lease: true,
        ..Default::default()
    };
    assert_eq!(put(&touch), Err(Refusal::EmptyKey));
    let touch = PutRequest { key: "k".into(), ..touch };
    assert_eq!(put(&touch), Err(Refusal::ValueProvided));
    let touch = PutRequest { value: Default::default(), ..touch };
    assert_eq!(put(&touch), Err(Refusal::LeaseProvided));
    assert_eq!(put(&PutRequest { lease: 0, ..touch }), Ok(()));
    assert_eq!(delete_range(&DeleteRangeRequest::default()), Err(Refusal::EmptyKey));
}

#[test]
fn the_longest_list_counts_and_a_nested_transaction_has_what_is_left() {
    let many = |n| both((0..n).map(|_| get("k")).collect(), vec![get("k")]);
    assert_eq!(txn(&many(128), 128), Ok(()));
    assert_eq!(txn(&many(129), 128), Err(Refusal::TooManyOps));
    let within = |inner| both(vec![nested(vec![], (0..inner).map(|_| get("k")).collect())], vec![]);
    assert_eq!(txn(&within(2), 3), Ok(()));
    assert_eq!(txn(&within(3), 3), Err(Refusal::TooManyOps));
    // All are used up on the top level: a nested one must be empty.
    let full = |inner: Vec<Request>| both(vec![nested(inner, vec![]), get("k"), get("k")], vec![]);
    assert_eq!(txn(&full(vec![]), 3), Ok(()));
    assert_eq!(txn(&full(vec![get("k")]), 3), Err(Refusal::TooManyOps));
}

#[test]
fn guards_come_before_operations_and_success_before_failure() {
    let guard = Compare::default();
    let bad_put = || {
        Request::RequestPut(PutRequest {
            key: "k".into(),
            ignore_value: true,
            value: "v".into(),
            ..Default::default()
        })
    };
    let mut request = both(vec![get("")], vec![bad_put()]);
    request.success[0].request = None;
    assert_eq!(refused(&request), Some(Refusal::KeyNotFound));
    request.compare.push(guard);
    assert_eq!(refused(&request), Some(Refusal::EmptyKey));
    assert_eq!(refused(&both(vec![bad_put()], vec![get("")])), Some(Refusal::ValueProvided));
    assert_eq!(refused(&both(vec![get("")], vec![bad_put()])), Some(Refusal::EmptyKey));
    // Shapes are looked at everywhere before overlaps are anywhere.
    assert_eq!(refused(&both(vec![puts("a"), puts("a")], vec![get("")])), Some(Refusal::EmptyKey));
}

#[test]
fn no_key_is_written_twice_as_far_as_etcd_looks() {
    let duplicate = |branch: Vec<Request>| {
        let in_success = refused(&both(branch.clone(), vec![]));
        assert_eq!(in_success, refused(&both(vec![], branch)));
        assert!(matches!(in_success, None | Some(Refusal::DuplicateKey)));
        in_success.is_some()
    };
    assert!(duplicate(vec![puts("a"), puts("a")]));
    assert!(duplicate(vec![puts("a"), del("a", "")]));
    assert!(duplicate(vec![del("a", "c"), puts("b")]));
    assert!(!duplicate(vec![del("a", "c"), puts("c")]));
    assert!(!duplicate(vec![del("a", "c"), del("b", "d"), get("b")]));
    // Intervals that touch or overlap are one; what is between two others is not.
    assert!(!duplicate(vec![del("a", "c"), del("e", "f"), del("b", "f"), puts("f")]));
    assert!(duplicate(vec![del("a", "c"), del("e", "g"), del("b", "f"), puts("d")]));
    assert!(duplicate(vec![del("e", "g"), del("a", "c"), del("c", "e"), puts("f")]));
    // Inverted intervals, among them every open-ended one, conflict with nothing.
    assert!(!duplicate(vec![del("c", "a"), puts("b")]));
    assert!(!duplicate(vec![puts("b"), del("a", "\0")]));
    // Then and else exclude each other; two children do not.
    assert!(!duplicate(vec![nested(vec![puts("a")], vec![puts("a")])]));
    assert!(duplicate(vec![nested(vec![puts("a")], vec![]), nested(vec![], vec![puts("a")])]));
    assert!(duplicate(vec![nested(vec![puts("a")], vec![puts("a")]), puts("a")]));
    // A delete of the parent or of an earlier child conflicts, one of a later child does not.
    assert!(duplicate(vec![nested(vec![puts("a")], vec![]), del("a", "")]));
    assert!(duplicate(vec![nested(vec![del("a", "")], vec![]), nested(vec![puts("a")], vec![])]));
    assert!(!duplicate(vec![nested(vec![puts("a")], vec![]), nested(vec![del("a", "")], vec![])]));
    assert!(!duplicate(vec![nested(vec![puts("a")], vec![del("a", "")])]));
    assert!(duplicate(vec![puts("a"), nested(vec![], vec![del("a", "b")])]));
}

#[test]
fn only_plain_ranges_are_read_only() {
    let serializable = || Request::RequestRange(RangeRequest { serializable: true, ..Default::default() });
    let cases = [
        (both(vec![], vec![]), true, true),
        (both(vec![get("a")], vec![serializable()]), true, false),
        (both(vec![serializable()], vec![serializable()]), true, true),
        (both(vec![get("a")], vec![puts("a")]), false, false),
        (both(vec![nested(vec![], vec![])], vec![]), false, true),
    ];
    for (request, read_only, local) in cases {
        assert_eq!(is_read_only(&request), read_only, "{request:?}");
        assert_eq!(is_serializable(&request), local, "{request:?}");
    }
}
