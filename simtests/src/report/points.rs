//! Where operations took effect, as far as revisions tell: every change has a revision of its own and every answer
//! names one, so the order of effects is known and only their times are to be found.
use crate::judge::READER;
use detcd_jepsen_like::history::{
    History, KeyValue, OpId, Operation, Outcome, PutRequest, Request, Response,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The moment of an effect: the earliest that keeps the order of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    pub revision: i64,
    pub at: u64,
}

/// A point for each operation that can have one. An operation whose answer came before everything that its revision
/// presupposes had been called gets none: it cannot be placed. Nor does the one that a judge found `impossible`, so that
/// it does not push others off their places. `times` are those of the history's clock, from 1.
pub fn points(history: &History, times: &[u64], impossible: Option<OpId>) -> Vec<Option<Point>> {
    let ops = history.ops();
    let time = |clock: u64| times.get((clock as usize).wrapping_sub(1)).copied().unwrap_or(0);
    let witnessed = witnessed(ops);
    let mut order: Vec<(i64, bool, u64, usize)> = ops
        .iter()
        .enumerate()
        .filter(|&(id, _)| Some(id) != impossible)
        .filter_map(|(id, op)| {
            let (revision, writes) = place(op, &witnessed)?;
            Some((revision, !writes, op.call, id))
        })
        .collect();
    order.sort_unstable();
    let mut points = vec![None; ops.len()];
    let (mut clock, mut at) = (0, 0);
    for (revision, _, call, id) in order {
        let earliest = clock.max(call);
        // The outcome of an operation of unknown fate may come after its answer.
        let latest = if ops[id].is_decided() { ops[id].ret.unwrap_or(u64::MAX) } else { u64::MAX };
        if earliest <= latest {
            clock = earliest;
            at = at.max(time(earliest));
            points[id] = Some(Point { revision, at });
        }
    }
    points
}

/// The revision at which it took effect and whether it made it. None: it has no place in the order, or nobody knows.
fn place(op: &Operation, witnessed: &BTreeMap<(&[u8], &[u8]), i64>) -> Option<(i64, bool)> {
    if op.client == READER || op.request.is_serializable() {
        return None;
    }
    match (&op.request, &op.outcome) {
        (Request::Range(range), _) if range.revision > 0 => None,
        (Request::Put(put), Outcome::Unknown(_)) => {
            witnessed.get(&(&put.key[..], &put.value[..])).map(|&revision| (revision, true))
        }
        (_, Outcome::Ok(response)) => Some((response.revision(), changed(response))),
        (_, Outcome::Failed(_) | Outcome::Unknown(_)) => None,
    }
}

fn changed(response: &Response) -> bool {
    match response {
        Response::Put(_) => true,
        Response::Delete(delete) => delete.deleted > 0,
        Response::Txn(txn) => txn.responses.iter().any(changed),
        // Whether it took a key along is not in the answer; it comes before what was read at its revision.
        Response::LeaseRevoke { .. } => true,
        Response::Range(_) | Response::Compact { .. } | Response::LeaseGrant { .. } => false,
    }
}

/// The revision of each pair that somebody saw and only one put without an answer can have written.
fn witnessed(ops: &[Operation]) -> BTreeMap<(&[u8], &[u8]), i64> {
    let mut writers: BTreeMap<(&[u8], &[u8]), usize> = BTreeMap::new();
    for op in ops {
        puts(&op.request, &mut |put| *writers.entry((&put.key, &put.value)).or_default() += 1);
    }
    let mut seen = BTreeMap::new();
    for response in ops.iter().filter_map(Operation::response) {
        pairs(response, &mut |kv| {
            let pair = (&kv.key[..], &kv.value[..]);
            if writers.get(&pair) == Some(&1) {
                seen.insert(pair, kv.mod_revision);
            }
        });
    }
    seen
}

fn puts<'a>(request: &'a Request, found: &mut impl FnMut(&'a PutRequest)) {
    match request {
        Request::Put(put) => found(put),
        Request::Txn(txn) => {
            for op in txn.success.iter().chain(&txn.failure) {
                if let Request::Put(put) = op {
                    found(put);
                }
            }
        }
        Request::Range(_)
        | Request::Delete(_)
        | Request::Compact { .. }
        | Request::LeaseGrant { .. }
        | Request::LeaseRevoke { .. } => {}
    }
}

fn pairs<'a>(response: &'a Response, found: &mut impl FnMut(&'a KeyValue)) {
    match response {
        Response::Range(range) => range.kvs.iter().for_each(found),
        Response::Put(put) => put.prev_kv.iter().for_each(found),
        Response::Delete(delete) => delete.prev_kvs.iter().for_each(found),
        Response::Txn(txn) => {
            for response in &txn.responses {
                if let Response::Range(range) = response {
                    range.kvs.iter().for_each(&mut *found);
                }
            }
        }
        Response::Compact { .. } | Response::LeaseGrant { .. } | Response::LeaseRevoke { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use detcd_jepsen_like::history::{PutResponse, RangeResponse};

    fn put(revision: i64) -> Outcome {
        Outcome::Ok(Response::Put(PutResponse { revision, prev_kv: None }))
    }

    fn read(revision: i64) -> Outcome {
        Outcome::Ok(Response::Range(RangeResponse { revision, ..RangeResponse::default() }))
    }

    fn found(history: &History, impossible: Option<OpId>) -> Vec<Option<(i64, u64)>> {
        let times: Vec<u64> = (1..=100).map(|clock| clock * 10).collect();
        points(history, &times, impossible).into_iter().map(|p| p.map(|p| (p.revision, p.at))).collect()
    }

    #[test]
    fn points_follow_the_revisions_and_stay_inside_their_operations() {
        let mut history = History::new();
        let late = history.call(1, 1, Request::put("a", "2"));
        let early = history.call(2, 3, Request::put("a", "1"));
        history.ret(early, 5, put(2));
        history.ret(late, 6, put(3));
        let get = history.call(2, 7, Request::get("a"));
        history.ret(get, 8, read(3));
        assert_eq!(found(&history, None), [Some((3, 30)), Some((2, 30)), Some((3, 70))]);
    }

    #[test]
    fn a_read_of_the_past_has_no_point() {
        let mut history = History::new();
        let first = history.call(1, 1, Request::put("a", "1"));
        history.ret(first, 2, put(2));
        let second = history.call(1, 3, Request::put("a", "2"));
        history.ret(second, 4, put(3));
        let future = history.call(2, 5, Request::get("a"));
        history.ret(future, 6, read(2));
        // Either of the two could be blamed; a judge says which.
        assert_eq!(found(&history, None), [Some((2, 10)), None, Some((2, 50))]);
        assert_eq!(found(&history, Some(future)), [Some((2, 10)), Some((3, 30)), None]);
    }

    #[test]
    fn a_write_of_unknown_fate_is_placed_where_somebody_saw_it() {
        let mut history = History::new();
        let lost = history.call(1, 1, Request::put("a", "1"));
        history.ret(lost, 2, Outcome::Unknown("lost".into()));
        let never = history.call(1, 3, Request::put("a", "never"));
        history.ret(never, 4, Outcome::Unknown("lost".into()));
        let kv = KeyValue { key: "a".into(), value: "1".into(), mod_revision: 2, ..KeyValue::default() };
        let get = history.call(2, 7, Request::get("a"));
        let seen = RangeResponse { revision: 2, kvs: vec![kv], more: false, count: 1 };
        history.ret(get, 8, Outcome::Ok(Response::Range(seen)));
        assert_eq!(found(&history, None), [Some((2, 10)), None, Some((2, 70))]);
    }
}
