//! What an open-ended delete makes possible, being blind to the duplicate-key rule.
use super::{check, compact, txn};
use crate::{Plants, Refusal, lease, store::Store};
use alloc::{format, string::String, vec, vec::Vec};
use detcd_proto::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest, request_op::Request,
};

fn put(key: &'static str, value: &'static str) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..Default::default() }
}

fn from(key: &'static str) -> Request {
    let range_end = b"\0"[..].into();
    Request::RequestDeleteRange(DeleteRangeRequest { key: key.into(), range_end, prev_kv: false })
}

fn all_of(ops: Vec<Request>) -> TxnRequest {
    let success = ops.into_iter().map(|request| RequestOp { request: Some(request) }).collect();
    let request = TxnRequest { success, ..Default::default() };
    check::txn(&request, 128).expect("the rule does not see it");
    request
}

/// A store in which b was put at revision 2.
fn with_b() -> (Store, lease::Table) {
    let (mut store, mut leases) = (Store::new(Plants::NONE), lease::Table::new());
    let request = all_of(vec![Request::RequestPut(put("b", "old"))]);
    txn::apply(&mut store, &mut leases, &request).expect("nothing is against it");
    (store, leases)
}

fn told(changes: impl IntoIterator<Item = impl core::fmt::Debug>) -> Vec<String> {
    changes.into_iter().map(|change| format!("{change:?}")).collect()
}

#[test]
fn one_key_changes_twice_in_one_revision_and_readers_see_the_last() {
    let (mut store, mut leases) = with_b();
    let request = all_of(vec![Request::RequestPut(put("b", "new")), from("a")]);
    let (response, changes) = txn::apply(&mut store, &mut leases, &request).expect("it is legal");
    assert_eq!(response.header.map(|header| header.revision), Some(3));
    let records = changes.iter().map(|change| &change.record);
    assert_eq!(told(records), ["3.0 put b=new created=2 version=2 lease=0", "3.1 delete b"]);
    // Both tell of the pair before the revision.
    assert!(changes.iter().all(|change| change.prev.as_ref().is_some_and(|prev| prev.value() == b"old")));
    assert_eq!(store.keyspace().get(b"b", 0), None);
    assert_eq!(store.keyspace().get(b"b", 2).map(|record| record.value()), Some(&b"old"[..]));

    // A compaction at this revision leaves the tombstone alone, and that before its slices come to it.
    let request = CompactionRequest { revision: 3, physical: false };
    compact::apply(&mut store, &request).expect("it is legal");
    let hashes = |store: &Store| (store.keyspace().hash_kv(0), store.keyspace().hash_kv(3));
    let before = hashes(&store);
    loop {
        assert_eq!(told(store.keyspace().changes(3)), ["3.1 delete b"]);
        let last = store.keyspace().changes(3).next().expect("the tombstone stays");
        assert_eq!(store.keyspace().prev(last), None, "revision 2 is compacted");
        assert_eq!(hashes(&store), before);
        if !store.is_compacting() {
            break;
        }
        store.compact_step(1);
    }
    assert_eq!(told(store.keyspace().changes(0)), ["3.1 delete b"]);
}

#[test]
fn what_a_put_would_keep_may_be_deleted_by_a_step_before_it() {
    let (mut store, mut leases) = with_b();
    for (ignore_value, ignore_lease) in [(true, false), (false, true), (true, true)] {
        let touch = PutRequest { ignore_value, ignore_lease, ..put("b", "") };
        let request = all_of(vec![from("a"), Request::RequestPut(touch.clone())]);
        let refused = txn::apply(&mut store, &mut leases, &request).err();
        assert_eq!(refused, Some(Refusal::KeyNotFound));
        assert_eq!(store.keyspace().revision(), 2, "nothing was written");

        let beyond = all_of(vec![from("c"), Request::RequestPut(touch)]);
        let mut copy = store.clone();
        txn::apply(&mut copy, &mut leases, &beyond).expect("b is still there");
        assert_eq!(copy.keyspace().revision(), 3);
    }
}

#[cfg(feature = "plants")]
mod planted {
    use super::*;
    use crate::Plant;
    use detcd_proto::etcdserverpb::RangeRequest;

    #[test]
    fn a_change_is_shown_twice() {
        let told_of = |plants| {
            let (mut store, mut leases) = (Store::new(plants), lease::Table::new());
            let request = all_of(vec![Request::RequestPut(put("b", "new")), from("a")]);
            let (_, changes) = txn::apply(&mut store, &mut leases, &request).expect("it is legal");
            told(changes.iter().map(|change| &change.record))
        };
        let right = ["2.0 put b=new created=2 version=1 lease=0", "2.1 delete b"];
        assert_eq!(told_of(Plants::NONE), right);
        assert_eq!(told_of(Plants::only(Plant::DupOrGhostEvent)), [right[0], right[1], right[1]]);
    }

    #[test]
    fn an_old_read_in_a_transaction_is_refused_by_what_was_removed() {
        // Bound 3, before the removal and after it.
        let refused = |plants| {
            let (mut store, mut leases) = (Store::new(plants), lease::Table::new());
            for value in ["1", "2"] {
                let request = all_of(vec![Request::RequestPut(put("b", value))]);
                txn::apply(&mut store, &mut leases, &request).expect("it is legal");
            }
            store.compact(3).expect("it is legal");
            let range = RangeRequest { key: "b".into(), revision: 2, ..Default::default() };
            let request = all_of(vec![Request::RequestRange(range), Request::RequestPut(put("c", "1"))]);
            let before = txn::apply(&mut store.clone(), &mut leases, &request).err();
            while !store.compact_step(1) {}
            [before, txn::apply(&mut store, &mut leases, &request).err()]
        };
        assert_eq!(refused(Plants::NONE), [Some(Refusal::Compacted), Some(Refusal::Compacted)]);
        let planted = Plants::only(Plant::TxnRangeAtCompactedRev);
        assert_eq!(refused(planted), [None, Some(Refusal::Compacted)]);
    }

    #[test]
    fn a_compaction_takes_the_tombstone_at_its_revision() {
        let left = |plants| {
            let mut store = Store::new(plants);
            let mut write = store.begin();
            write.put(b"b", b"1", 0);
            write.finish();
            let mut write = store.begin();
            write.delete(b"b");
            write.finish();
            store.compact(3).expect("it is legal");
            while !store.compact_step(1) {}
            told(store.keyspace().changes(3))
        };
        assert_eq!(left(Plants::NONE), ["3.0 delete b"]);
        assert_eq!(left(Plants::only(Plant::TombstoneAtCompactRev)), [""; 0]);
    }
}
