//! A hundred thousand operations are judged in a moment: no search, hardly a state more than revisions.

use crate::{
    check::etcd::{Options, report},
    history::{
        Compare, CompareResult, CompareTarget, History, KeyValue, Outcome, PutResponse, RangeResponse,
        Request, Response, TxnRequest, TxnResponse,
    },
};

const KEYS: usize = 50;

/// Sixteen clients on fifty keys: gets, puts, compare-and-set, ranges; one write in ten loses its answer, and half of
/// those took effect.
fn history(ops: usize) -> History {
    let mut history = History::new();
    let mut store: Vec<Option<KeyValue>> = vec![None; KEYS];
    let mut revision = 1;
    let mut seed = 1_u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    let name = |key: usize| format!("key{key:02}").into_bytes();
    for n in 0..ops {
        let now = 1_000 * n as u64 + 100_000;
        let (call, ret) = (now - below(16_000) as u64, now + below(16_000) as u64);
        let key = below(KEYS);
        let old = store[key].clone();
        let found = |revision, kvs: Vec<KeyValue>| {
            Response::Range(RangeResponse { revision, count: kvs.len() as i64, kvs, more: false })
        };
        let (request, is_write) = match below(20) {
            0..=8 => (Request::get(name(key)), false),
            9 => {
                let mut all = crate::history::RangeRequest::default();
                (all.key, all.range_end) = (vec![0], vec![0]);
                (Request::Range(all), false)
            }
            10..=14 => (Request::put(name(key), format!("value {n}")), true),
            _ => {
                let expected = old.as_ref().map_or(0, |kv| kv.mod_revision);
                let compare = Compare {
                    key: name(key),
                    range_end: Vec::new(),
                    target: CompareTarget::ModRevision(expected),
                    result: CompareResult::Equal,
                };
                let success = vec![Request::put(name(key), format!("value {n}"))];
                let failure = vec![Request::get(name(key))];
                (Request::Txn(TxnRequest { compares: vec![compare], success, failure }), true)
            }
        };
        let id = history.call((n % 16) as u32, call, request.clone());
        let is_lost = is_write && below(10) == 0;
        if is_lost && below(2) == 0 {
            continue;
        }
        let response = if is_write {
            revision += 1;
            let version = old.as_ref().map_or(1, |kv| kv.version + 1);
            let create_revision = old.as_ref().map_or(revision, |kv| kv.create_revision);
            let value = format!("value {n}").into_bytes();
            store[key] = Some(KeyValue {
                key: name(key),
                value,
                create_revision,
                mod_revision: revision,
                version,
                lease: 0,
            });
            let put = Response::Put(PutResponse { revision, prev_kv: None });
            match request {
                Request::Txn(_) => {
                    Response::Txn(TxnResponse { revision, succeeded: true, responses: vec![put] })
                }
                _ => put,
            }
        } else if matches!(&request, Request::Range(range) if range.range_end.is_empty()) {
            found(revision, old.into_iter().collect())
        } else {
            found(revision, store.iter().flatten().cloned().collect())
        };
        if !is_lost {
            history.ret(id, ret, Outcome::Ok(response));
        }
    }
    history
}

#[test]
fn a_hundred_thousand_operations() {
    let history = history(100_000);
    let found = report(&history, &Options::default());
    assert!(found.verdict.is_ok(), "{:?}", found.verdict);
    assert!(found.stats.unknown_placed > 1_000 && found.stats.writes > 30_000, "{:?}", found.stats);
    let revisions = found.stats.revision_max as u64;
    assert!(found.stats.states < revisions * 11 / 10, "one state per revision, nearly: {:?}", found.stats);
}
