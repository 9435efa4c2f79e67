use super::{ReadError, read, write};
use crate::history::{
    Compare, CompareResult, CompareTarget, DeleteRequest, DeleteResponse, History, KeyValue, Operation,
    Outcome, PutRequest, PutResponse, RangeRequest, RangeResponse, Refusal, Request, Response, TxnRequest,
    TxnResponse,
};

/// One of everything.
fn rich() -> History {
    let kv = KeyValue {
        key: b"k\\ \x00\xff\"".to_vec(),
        value: "ü\n".into(),
        create_revision: 2,
        mod_revision: 3,
        version: 2,
        lease: -7,
    };
    let range = RangeRequest {
        key: vec![0],
        range_end: vec![0],
        revision: 3,
        limit: 5,
        serializable: true,
        keys_only: true,
        count_only: true,
    };
    let put = PutRequest {
        key: kv.key.clone(),
        value: kv.value.clone(),
        lease: -7,
        prev_kv: true,
        ignore_value: true,
        ignore_lease: true,
    };
    let delete = DeleteRequest { key: b"a".to_vec(), range_end: b"b".to_vec(), prev_kv: true };
    let targets = [
        CompareTarget::Version(1),
        CompareTarget::CreateRevision(2),
        CompareTarget::ModRevision(3),
        CompareTarget::Value(vec![1, 2]),
        CompareTarget::Lease(4),
    ];
    let results = [
        CompareResult::Equal,
        CompareResult::Greater,
        CompareResult::Less,
        CompareResult::NotEqual,
        CompareResult::Equal,
    ];
    let compares = targets.into_iter().zip(results).map(|(target, result)| Compare {
        key: b"c".to_vec(),
        range_end: Vec::new(),
        target,
        result,
    });
    let txn = TxnRequest {
        compares: compares.collect(),
        success: vec![Request::Put(put.clone())],
        failure: vec![Request::Txn(TxnRequest::default())],
    };
    let response = TxnResponse {
        revision: 9,
        succeeded: true,
        responses: vec![Response::Put(PutResponse { revision: 9, prev_kv: Some(kv.clone()) })],
    };
    let found = RangeResponse { revision: 9, kvs: vec![kv.clone()], more: true, count: 2 };
    let deleted = DeleteResponse { revision: 9, deleted: 1, prev_kvs: vec![kv] };
    let ok = Outcome::Ok;
    let failed = Outcome::Failed;
    let pairs = [
        (Request::Range(range), ok(Response::Range(found))),
        (Request::Put(put), failed(Refusal::KeyNotFound)),
        (Request::Delete(delete), ok(Response::Delete(deleted))),
        (Request::Txn(txn), ok(Response::Txn(response))),
        (Request::Compact { revision: 4 }, ok(Response::Compact { revision: 9 })),
        (Request::Compact { revision: 4 }, failed(Refusal::Compacted)),
        (Request::get("a"), failed(Refusal::FutureRevision)),
        (Request::LeaseGrant { id: 0, ttl: 5 }, ok(Response::LeaseGrant { revision: 9, id: 4, ttl: 5 })),
        (Request::LeaseRevoke { id: 4 }, ok(Response::LeaseRevoke { revision: 9 })),
        (Request::LeaseRevoke { id: 4 }, failed(Refusal::LeaseNotFound)),
        (Request::put("a", ""), failed(Refusal::Other("etcdserver: too many requests".into()))),
        (Request::delete("a"), Outcome::Unknown("etcdserver: request timed out".into())),
    ];
    let op = |(n, (request, outcome))| Operation { client: n, call: 10, ret: Some(20), request, outcome };
    let mut history: History = (0..).zip(pairs).map(op).collect();
    history.call(1, 5, Request::get("never answered"));
    history
}

#[test]
fn everything_comes_back() {
    let mut file = Vec::new();
    write(&rich(), &mut file).unwrap();
    assert_eq!(read(file.as_slice()).unwrap(), rich());
    assert_eq!(file.iter().filter(|&&byte| byte == b'\n').count(), rich().len());
    assert!(file.is_ascii(), "bytes are escaped");
}

fn fails_at(text: &str, at: usize, because: &str) {
    match read(text.as_bytes()) {
        Err(ReadError::Line { line, why }) => assert!(line == at && why.contains(because), "{line}: {why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn says_which_line_is_wrong() {
    let good = r#"{"client":1,"call":1,"ret":2,"request":{"put":{"key":"a","value":"1"}},"outcome":{"failed":"compacted"}}"#;
    assert_eq!(read(format!("{good}\n\n{good}").as_bytes()).unwrap().len(), 2);
    fails_at(&format!("{good}\nnonsense\n"), 2, "expected");
    fails_at(&good.replace(r#""ret":2"#, r#""ret":0"#), 1, "answered before it is called");
    fails_at(&good.replace(r#""ret":2"#, r#""ret":null"#), 1, "no time when that was known");
    fails_at(&good.replace(r#""key":"a""#, r#""key":"\\q""#), 1, "not an escaped byte string");
}
