use super::{Etcd, Keyspace, calls};
use crate::{
    check::wgl,
    history::{
        Compare, CompareResult, CompareTarget, DeleteRequest, History, KeyValue, Outcome, PutRequest,
        RangeRequest, RangeResponse, Refusal, Request, Response, TxnRequest, TxnResponse,
    },
};

fn does(store: &mut Keyspace, request: Request) -> Response {
    match store.execute(&request) {
        Outcome::Ok(response) => response,
        outcome => panic!("{request:?}: {outcome:?}"),
    }
}

fn refuses(store: &mut Keyspace, request: Request) -> Refusal {
    let before = store.clone();
    match store.execute(&request) {
        Outcome::Failed(refusal) => {
            assert_eq!(*store, before, "a refusal changes nothing");
            refusal
        }
        outcome => panic!("{request:?}: {outcome:?}"),
    }
}

fn range(store: &mut Keyspace, request: RangeRequest) -> RangeResponse {
    match does(store, Request::Range(request)) {
        Response::Range(response) => response,
        response => panic!("{response:?}"),
    }
}

fn all() -> RangeRequest {
    RangeRequest { key: vec![0], range_end: vec![0], ..RangeRequest::default() }
}

fn delete(key: &str, range_end: &[u8]) -> Request {
    Request::Delete(DeleteRequest { key: key.into(), range_end: range_end.into(), prev_kv: true })
}

fn names(kvs: &[KeyValue]) -> String {
    kvs.iter().map(|kv| String::from_utf8_lossy(&kv.key).into_owned()).collect::<Vec<_>>().join(" ")
}

/// a to d, revisions 2 to 5.
fn four_keys() -> Keyspace {
    let mut store = Keyspace::new();
    for key in ["a", "b", "c", "d"] {
        does(&mut store, Request::put(key, key));
    }
    store
}

#[test]
fn revisions_and_versions() {
    let mut store = Keyspace::new();
    assert_eq!(store.revision(), 1);
    assert_eq!(does(&mut store, Request::delete("a")).revision(), 1);
    does(&mut store, Request::put("a", "1"));
    does(&mut store, Request::put("a", "2"));
    let kv = &store.contents()[&b"a"[..]];
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 3, 2));
    assert_eq!(does(&mut store, Request::delete("a")).revision(), 4);
    does(&mut store, Request::put("a", "3"));
    let kv = &store.contents()[&b"a"[..]];
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 5, 1));
}

#[test]
fn intervals() {
    let mut store = four_keys();
    let mut shown = |key: &str, range_end: &[u8]| {
        names(&range(&mut store, RangeRequest { key: key.into(), range_end: range_end.into(), ..all() }).kvs)
    };
    assert_eq!(shown("b", b""), "b");
    assert_eq!(shown("b", b"d"), "b c");
    assert_eq!(shown("b", b"\0"), "b c d");
    assert_eq!(shown("\0", b"\0"), "a b c d");
    assert_eq!(shown("c", b"b"), "");
}

#[test]
fn limits_and_counts() {
    let mut store = four_keys();
    let cut = range(&mut store, RangeRequest { limit: 2, ..all() });
    assert_eq!((names(&cut.kvs).as_str(), cut.more, cut.count), ("a b", true, 4));
    let whole = range(&mut store, RangeRequest { limit: 4, ..all() });
    assert_eq!((whole.kvs.len(), whole.more, whole.count), (4, false, 4));
    let counted = range(&mut store, RangeRequest { limit: 2, count_only: true, ..all() });
    assert_eq!((counted.kvs.len(), counted.more, counted.count), (0, false, 4));
    let keys = range(&mut store, RangeRequest { keys_only: true, ..all() });
    assert!(keys.kvs.iter().all(|kv| kv.value.is_empty() && kv.version == 1));
}

#[test]
fn the_past_until_it_is_compacted() {
    let mut store = four_keys();
    does(&mut store, delete("a", b"c"));
    let at = |revision| RangeRequest { revision, ..all() };
    assert_eq!(names(&range(&mut store, at(3)).kvs), "a b");
    assert_eq!(range(&mut store, at(3)).revision, 6);
    assert_eq!(refuses(&mut store, Request::Range(at(7))), Refusal::FutureRevision);
    assert_eq!(refuses(&mut store, Request::Compact { revision: 7 }), Refusal::FutureRevision);
    does(&mut store, Request::Compact { revision: 5 });
    assert_eq!(names(&range(&mut store, at(5)).kvs), "a b c d");
    assert_eq!(refuses(&mut store, Request::Range(at(4))), Refusal::Compacted);
    assert_eq!(refuses(&mut store, Request::Compact { revision: 5 }), Refusal::Compacted);
    // Less than nothing is the newest.
    assert_eq!(names(&range(&mut store, at(-3)).kvs), "c d");
}

#[test]
fn what_is_deleted_is_told() {
    let mut store = four_keys();
    let Response::Delete(told) = does(&mut store, delete("b", b"d")) else { panic!() };
    assert_eq!((told.revision, told.deleted, names(&told.prev_kvs).as_str()), (6, 2, "b c"));
}

fn put_keeping(key: &str, value: bool, lease: bool) -> PutRequest {
    PutRequest {
        key: key.into(),
        value: if value { Vec::new() } else { "new".into() },
        ignore_value: value,
        ignore_lease: lease,
        prev_kv: true,
        ..PutRequest::default()
    }
}

#[test]
fn puts_that_keep_something() {
    let mut store = Keyspace::new();
    assert_eq!(refuses(&mut store, Request::Put(put_keeping("a", true, false))), Refusal::KeyNotFound);
    does(&mut store, Request::LeaseGrant { id: 7, ttl: 5 });
    let leased = PutRequest { key: "a".into(), value: "old".into(), lease: 7, ..PutRequest::default() };
    assert_eq!(
        refuses(&mut store, Request::Put(PutRequest { lease: 8, ..leased.clone() })),
        Refusal::LeaseNotFound
    );
    does(&mut store, Request::Put(leased));
    does(&mut store, Request::Put(put_keeping("a", false, true)));
    let now = |store: &Keyspace| {
        let kv = &store.contents()[&b"a"[..]];
        (String::from_utf8_lossy(&kv.value).into_owned(), kv.lease, kv.version)
    };
    assert_eq!(now(&store), ("new".into(), 7, 2));
    does(&mut store, Request::Put(put_keeping("a", true, false)));
    assert_eq!(now(&store), ("new".into(), 0, 3));
}

#[test]
fn a_lease_ends() {
    let mut store = Keyspace::new();
    does(&mut store, Request::LeaseGrant { id: 7, ttl: 5 });
    for key in ["a", "b"] {
        does(&mut store, Request::Put(PutRequest { key: key.into(), lease: 7, ..PutRequest::default() }));
    }
    does(&mut store, Request::put("b", "free"));
    assert_eq!(does(&mut store, Request::LeaseRevoke { id: 7 }), Response::LeaseRevoke { revision: 5 });
    assert_eq!(names(&range(&mut store, all()).kvs), "b");
    assert_eq!(refuses(&mut store, Request::LeaseRevoke { id: 7 }), Refusal::LeaseNotFound);
}

fn compare(key: &str, range_end: &[u8], target: CompareTarget, result: CompareResult) -> Compare {
    Compare { key: key.into(), range_end: range_end.into(), target, result }
}

fn holds(store: &mut Keyspace, compare: Compare) -> bool {
    let txn = TxnRequest { compares: vec![compare], ..TxnRequest::default() };
    match does(store, Request::Txn(txn)) {
        Response::Txn(told) => told.succeeded,
        response => panic!("{response:?}"),
    }
}

#[test]
fn comparisons() {
    use {CompareResult::*, CompareTarget::*};
    let mut store = four_keys();
    let mut check = |key, end: &[u8], target, result| holds(&mut store, compare(key, end, target, result));
    assert!(check("a", b"", Version(1), Equal) && !check("a", b"", Version(1), NotEqual));
    assert!(check("b", b"", CreateRevision(3), Equal) && check("b", b"", ModRevision(2), Greater));
    assert!(check("b", b"", Value("c".into()), Less) && check("b", b"", Lease(0), Equal));
    // All of an interval have to agree.
    assert!(check("a", b"d", ModRevision(5), Less) && !check("a", b"e", ModRevision(5), Less));
    // What is not there counts as 0, and has no value to compare.
    assert!(check("x", b"", Version(0), Equal) && check("x", b"", CreateRevision(1), Less));
    assert!(!check("x", b"", Value("".into()), Equal) && !check("x", b"", Value("".into()), NotEqual));
}

fn txn(success: Vec<Request>) -> Request {
    Request::Txn(TxnRequest { success, ..TxnRequest::default() })
}

fn answers(store: &mut Keyspace, request: Request) -> TxnResponse {
    match does(store, request) {
        Response::Txn(told) => told,
        response => panic!("{response:?}"),
    }
}

#[test]
fn a_transaction_is_one_revision_and_sees_itself() {
    let mut store = four_keys();
    let old = RangeRequest { revision: 5, ..all() };
    let inner = TxnRequest {
        compares: vec![compare("x", b"", CompareTarget::Version(0), CompareResult::Equal)],
        success: vec![Request::put("y", "2")],
        failure: Vec::new(),
    };
    let told = answers(
        &mut store,
        txn(vec![
            Request::Range(all()),
            delete("z", b""),
            Request::put("x", "1"),
            Request::Txn(inner),
            Request::Range(all()),
            Request::Range(old),
        ]),
    );
    let revisions: Vec<_> = told.responses.iter().map(Response::revision).collect();
    assert_eq!((told.revision, revisions), (6, vec![5, 5, 6, 0, 6, 6]));
    let Response::Range(new) = &told.responses[4] else { panic!() };
    let Response::Range(old) = &told.responses[5] else { panic!() };
    // The inner comparison saw the state before the whole.
    assert_eq!((names(&new.kvs).as_str(), names(&old.kvs).as_str()), ("a b c d x y", "a b c d"));
    assert_eq!(answers(&mut store, txn(vec![Request::get("a")])).revision, 6);
    assert_eq!(answers(&mut store, txn(vec![delete("z", b"")])).revision, 6);
}

#[test]
fn a_transaction_is_refused_as_a_whole() {
    let mut store = four_keys();
    let keeping = |key| Request::Put(put_keeping(key, true, false));
    assert_eq!(refuses(&mut store, txn(vec![Request::put("x", "1"), keeping("x")])), Refusal::KeyNotFound);
    let leased = PutRequest { key: "a".into(), lease: 7, ..PutRequest::default() };
    assert_eq!(
        refuses(&mut store, txn(vec![Request::put("x", "1"), Request::Put(leased)])),
        Refusal::LeaseNotFound
    );
    let future = RangeRequest { revision: 6, ..all() };
    assert_eq!(
        refuses(&mut store, txn(vec![Request::put("x", "1"), Request::Range(future)])),
        Refusal::FutureRevision
    );
    let past = RangeRequest { revision: -1, ..all() };
    assert_eq!(answers(&mut store, txn(vec![Request::Range(past.clone())])).responses.len(), 1);
    does(&mut store, Request::Compact { revision: 2 });
    assert_eq!(refuses(&mut store, txn(vec![Request::Range(past)])), Refusal::Compacted);
}

#[test]
fn the_general_checker_runs_on_it() {
    let mut history = History::new();
    let mut store = Keyspace::new();
    for (n, request) in
        [Request::put("a", "1"), Request::get("a"), Request::delete("a")].into_iter().enumerate()
    {
        let id = history.call(1, 10 * n as u64, request.clone());
        history.ret(id, 10 * n as u64 + 5, store.execute(&request));
    }
    history.call(2, 0, Request::put("b", "never seen"));
    assert!(wgl::check(&Etcd, &calls(&history), 1_000).is_ok());
    let late = history.call(3, 100, Request::get("a"));
    history.ret(
        late,
        101,
        Outcome::Ok(Response::Range(RangeResponse { revision: 2, ..RangeResponse::default() })),
    );
    assert!(wgl::check(&Etcd, &calls(&history), 1_000).violation().is_some());
}
