//! One wrong answer of each kind in a short story, and what the judge says of it.

use crate::{
    check::{
        Verdict, ViolationKind,
        etcd::{Internal, Options, check},
    },
    history::{
        Compare, CompareResult, CompareTarget, DeleteRequest, DeleteResponse, History, KeyValue, OpId,
        Outcome, PutRequest, PutResponse, RangeRequest, RangeResponse, Refusal, Request, Response,
        TxnRequest, TxnResponse,
    },
};

/// A history whose operations follow each other unless they say when they were.
#[derive(Default)]
struct Story {
    history: History,
    now: u64,
}

impl Story {
    fn at(&mut self, call: u64, ret: u64, request: Request, outcome: Outcome) -> OpId {
        let id = self.history.call(0, call, request);
        self.history.ret(id, ret, outcome);
        self.now = self.now.max(ret);
        id
    }

    fn then(&mut self, request: Request, outcome: Outcome) -> OpId {
        let now = self.now;
        self.at(now + 1, now + 2, request, outcome)
    }

    fn lost(&mut self, request: Request) -> OpId {
        self.now += 1;
        self.history.call(0, self.now, request)
    }

    fn put(&mut self, key: &str, value: &str, revision: i64) -> OpId {
        self.then(Request::put(key, value), put_done(revision))
    }

    fn get(&mut self, key: &str, revision: i64, kvs: &[KeyValue]) -> OpId {
        self.then(Request::get(key), found(revision, kvs))
    }

    fn delete(&mut self, key: &str, revision: i64, deleted: i64) -> OpId {
        self.then(Request::delete(key), deleted_some(revision, deleted))
    }

    fn verdict(&self) -> Verdict {
        check(&self.history, &Options::default())
    }

    fn passes(&self) {
        let verdict = self.verdict();
        assert!(verdict.is_ok(), "{verdict:?}");
    }

    /// The judge finds this, at this operation, and says this among other things.
    fn fails(&self, kind: ViolationKind, op: OpId, text: &str) {
        self.fails_with(&Options::default(), kind, op, text);
    }

    fn fails_with(&self, options: &Options, kind: ViolationKind, op: OpId, text: &str) {
        match check(&self.history, options) {
            Verdict::Illegal(violation) => {
                assert_eq!(violation.kind, kind, "{violation}");
                assert_eq!(violation.ops.first(), Some(&op), "{violation}");
                assert!(violation.text.contains(text), "{violation}");
            }
            verdict => panic!("{verdict:?}"),
        }
    }
}

fn kv(key: &str, value: &str, create: i64, modified: i64, version: i64) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: value.into(),
        create_revision: create,
        mod_revision: modified,
        version,
        lease: 0,
    }
}

fn put_done(revision: i64) -> Outcome {
    Outcome::Ok(Response::Put(PutResponse { revision, prev_kv: None }))
}

fn found(revision: i64, kvs: &[KeyValue]) -> Outcome {
    Outcome::Ok(Response::Range(RangeResponse {
        revision,
        kvs: kvs.to_vec(),
        more: false,
        count: kvs.len() as i64,
    }))
}

fn deleted_some(revision: i64, deleted: i64) -> Outcome {
    Outcome::Ok(Response::Delete(DeleteResponse { revision, deleted, prev_kvs: Vec::new() }))
}

fn everything() -> RangeRequest {
    RangeRequest { key: vec![0], range_end: vec![0], ..RangeRequest::default() }
}

fn at_revision(key: &str, revision: i64) -> Request {
    Request::Range(RangeRequest { key: key.into(), revision, ..RangeRequest::default() })
}

fn lagging(key: &str) -> Request {
    Request::Range(RangeRequest { key: key.into(), serializable: true, ..RangeRequest::default() })
}

#[test]
fn an_empty_history_is_fine() {
    Story::default().passes();
}

#[test]
fn a_plain_life_of_a_key() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    story.put("a", "2", 3);
    story.then(Request::Range(everything()), found(3, &[kv("a", "2", 2, 3, 2)]));
    story.delete("a", 4, 1);
    story.delete("a", 4, 0);
    story.get("a", 4, &[]);
    story.put("a", "3", 5);
    story.get("a", 5, &[kv("a", "3", 5, 5, 1)]);
    story.then(at_revision("a", 3), found(5, &[kv("a", "2", 2, 3, 2)]));
    story.passes();
}

#[test]
fn a_lost_acknowledged_write() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    story.put("b", "1", 4);
    let read = story.get("a", 4, &[kv("a", "1", 2, 2, 1)]);
    story.fails(ViolationKind::ReadMismatch, read, "where a=\"2\" (create 2, mod 3, version 2) belongs");
}

#[test]
fn a_revision_given_twice() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    let second = story.put("b", "1", 2);
    story.fails(ViolationKind::DuplicateRevision, second, "both say that they made revision 2");
}

#[test]
fn a_stale_linearizable_read() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    let read = story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    story.fails(ViolationKind::RealTimeOrder, read, "had shown revision 3 before it started");
}

#[test]
fn a_stale_serializable_read_is_fine() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    story.then(lagging("a"), found(2, &[kv("a", "1", 2, 2, 1)]));
    story.then(lagging("a"), found(3, &[kv("a", "2", 2, 3, 2)]));
    story.then(lagging("a"), found(1, &[]));
    story.passes();
}

#[test]
fn a_serializable_read_shows_one_revision_only() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    let read = story.then(lagging("a"), found(3, &[kv("a", "1", 2, 2, 1)]));
    story.fails(ViolationKind::ReadMismatch, read, "where a=\"2\"");
}

#[test]
fn a_read_from_the_future() {
    let mut story = Story::default();
    story.then(lagging("a"), found(2, &[kv("a", "1", 2, 2, 1)]));
    let put = story.put("a", "1", 2);
    story.fails(ViolationKind::RealTimeOrder, put, "had shown revision 2 before it started");
}

#[test]
fn reads_that_go_backward() {
    let mut story = Story::default();
    let put = story.at(1, 100, Request::put("a", "1"), put_done(2));
    story.at(2, 3, Request::get("a"), found(2, &[kv("a", "1", 2, 2, 1)]));
    let read = story.at(4, 5, Request::get("a"), found(1, &[]));
    story.fails(ViolationKind::RealTimeOrder, read, "had shown revision 2");
    assert_ne!(put, read);
}

#[test]
fn concurrent_reads_may_see_either_side() {
    let mut story = Story::default();
    story.at(1, 100, Request::put("a", "1"), put_done(2));
    story.at(2, 30, Request::get("a"), found(2, &[kv("a", "1", 2, 2, 1)]));
    story.at(4, 35, Request::get("a"), found(1, &[]));
    story.passes();
}

#[test]
fn equal_times_are_concurrent() {
    let mut story = Story::default();
    story.at(1, 5, Request::put("a", "1"), put_done(2));
    story.at(5, 6, Request::get("a"), found(1, &[]));
    story.passes();
}

#[test]
fn writes_in_the_wrong_order() {
    let mut story = Story::default();
    story.put("a", "1", 3);
    let second = story.put("a", "2", 2);
    story.fails(ViolationKind::RealTimeOrder, second, "is at revision 2");
}

#[test]
fn a_revision_from_nowhere() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    let put = story.put("a", "2", 4);
    story.fails(ViolationKind::UnexplainedRevision, put, "went past revision 3");
}

#[test]
fn a_value_from_nowhere() {
    let mut story = Story::default();
    story.lost(Request::put("a", "1"));
    let read = story.get("a", 2, &[kv("a", "other", 2, 2, 1)]);
    story.fails(ViolationKind::ReadMismatch, read, "no write of this history can have done that");
}

#[test]
fn a_refused_write_that_took_effect() {
    let mut story = Story::default();
    story.then(
        Request::put("a", "1"),
        Outcome::Failed(Refusal::Other("etcdserver: too many requests".into())),
    );
    let read = story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    story.fails(ViolationKind::ReadMismatch, read, "#0 would have, and it was refused");
}

#[test]
fn a_write_of_unknown_fate_may_have_happened() {
    let mut story = Story::default();
    story.lost(Request::put("a", "1"));
    story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    story.passes();
}

#[test]
fn a_write_of_unknown_fate_may_not_have_happened() {
    let mut story = Story::default();
    story.lost(Request::put("a", "1"));
    story.get("a", 1, &[]);
    story.passes();
}

#[test]
fn a_timed_out_write_may_happen_long_after_its_answer() {
    let mut story = Story::default();
    story.then(Request::put("a", "1"), Outcome::Unknown("etcdserver: request timed out".into()));
    story.get("a", 1, &[]);
    story.put("b", "1", 2);
    story.get("a", 2, &[]);
    story.get("a", 3, &[kv("a", "1", 3, 3, 1)]);
    story.passes();
}

#[test]
fn a_write_of_unknown_fate_happens_once() {
    let mut story = Story::default();
    let lost = story.lost(Request::put("a", "1"));
    story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    let read = story.get("a", 3, &[kv("a", "1", 2, 3, 2)]);
    story.fails(ViolationKind::ReadMismatch, read, "1 were used up before it");
    assert_ne!(lost, read);
}

#[test]
fn a_write_does_not_happen_before_its_call() {
    let mut story = Story::default();
    let read = story.get("a", 2, &[kv("a", "1", 2, 2, 1)]);
    story.lost(Request::put("a", "1"));
    story.fails(ViolationKind::ReadMismatch, read, "no write of this history can have done that");
}

#[test]
fn unknown_writes_are_told_apart_by_what_came_of_them() {
    let mut story = Story::default();
    story.lost(Request::put("a", "1"));
    story.lost(Request::delete("a"));
    story.lost(Request::put("a", "2"));
    // 2, 3 and 4 are theirs, and a first version at 4 needs the delete at 3.
    story.get("a", 4, &[kv("a", "1", 4, 4, 1)]);
    story.passes();
    story.then(at_revision("a", 3), found(4, &[]));
    story.then(at_revision("a", 2), found(4, &[kv("a", "2", 2, 2, 1)]));
    story.passes();
    let read = story.then(at_revision("a", 2), found(4, &[]));
    story.fails(ViolationKind::ReadMismatch, read, "it does not show a=\"2\"");
}

#[test]
fn one_delete_of_unknown_fate_cannot_delete_twice() {
    let mut story = Story::default();
    story.lost(Request::delete("a"));
    story.put("a", "1", 2);
    story.get("a", 3, &[]);
    story.put("a", "2", 4);
    let read = story.get("a", 5, &[]);
    story.fails(ViolationKind::UnexplainedRevision, read, "went past revision 5");
}

#[test]
fn wrong_answers_of_writes() {
    let previous = |value| {
        let mut story = Story::default();
        story.put("a", "1", 2);
        let request =
            PutRequest { key: "a".into(), value: "2".into(), prev_kv: true, ..PutRequest::default() };
        let response = PutResponse { revision: 3, prev_kv: Some(kv("a", value, 2, 2, 1)) };
        story.then(Request::Put(request), Outcome::Ok(Response::Put(response)));
        story
    };
    previous("1").passes();
    previous("0").fails(ViolationKind::WriteMismatch, 1, "as previous pair it shows a=\"0\"");

    let mut story = Story::default();
    story.put("a", "1", 2);
    let interval = DeleteRequest { key: "a".into(), range_end: "z".into(), prev_kv: false };
    let delete = story.then(Request::Delete(interval), deleted_some(3, 2));
    story.fails(ViolationKind::WriteMismatch, delete, "it says that it deleted 2");

    let mut story = Story::default();
    story.put("a", "1", 2);
    let delete = story.delete("a", 2, 0);
    story.fails(ViolationKind::WriteMismatch, delete, "it says that it deleted 0");
}

fn create_if_absent(key: &str, value: &str) -> Request {
    Request::Txn(TxnRequest {
        compares: vec![Compare {
            key: key.into(),
            range_end: Vec::new(),
            target: CompareTarget::CreateRevision(0),
            result: CompareResult::Equal,
        }],
        success: vec![Request::put(key, value)],
        failure: vec![Request::get(key)],
    })
}

fn txn_done(revision: i64, succeeded: bool, inner: Outcome) -> Outcome {
    let Outcome::Ok(inner) = inner else { panic!("a transaction's operations are answered") };
    Outcome::Ok(Response::Txn(TxnResponse { revision, succeeded, responses: vec![inner] }))
}

#[test]
fn a_transaction_that_wins_twice() {
    let mut story = Story::default();
    story.then(create_if_absent("a", "1"), txn_done(2, true, put_done(2)));
    story.then(create_if_absent("a", "2"), txn_done(2, false, found(2, &[kv("a", "1", 2, 2, 1)])));
    story.passes();
    let txn = story.then(create_if_absent("a", "3"), txn_done(3, true, put_done(3)));
    story.fails(
        ViolationKind::WriteMismatch,
        txn,
        "succeeded=true, and its comparisons do not hold at revision 2",
    );
}

#[test]
fn a_transaction_of_unknown_fate_depends_on_what_came_before() {
    let mut story = Story::default();
    story.lost(create_if_absent("a", "1"));
    story.put("a", "2", 2);
    story.get("a", 2, &[kv("a", "2", 2, 2, 1)]);
    story.passes();
    let read = story.get("a", 3, &[kv("a", "1", 2, 3, 2)]);
    story.fails(ViolationKind::ReadMismatch, read, "no write of this history can have done that");
}

#[test]
fn inner_headers_count_unless_they_are_0() {
    let with_header = |inner| {
        let mut story = Story::default();
        story.then(create_if_absent("a", "1"), txn_done(2, true, put_done(inner)));
        story
    };
    with_header(2).passes();
    with_header(0).passes();
    with_header(1).fails(ViolationKind::WriteMismatch, 0, "its put says revision 1");
}

#[test]
fn compaction() {
    let compacted = |revision| Outcome::Ok(Response::Compact { revision });
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    story.put("a", "3", 4);
    story.then(at_revision("a", 2), found(4, &[kv("a", "1", 2, 2, 1)]));
    story.then(Request::Compact { revision: 3 }, compacted(4));
    story.then(at_revision("a", 3), found(4, &[kv("a", "2", 2, 3, 2)]));
    story.then(at_revision("a", 2), Outcome::Failed(Refusal::Compacted));
    story.then(Request::Compact { revision: 3 }, Outcome::Failed(Refusal::Compacted));
    story.then(at_revision("a", 9), Outcome::Failed(Refusal::FutureRevision));
    story.passes();

    let mut answered = Story { history: story.history.clone(), now: story.now };
    let read = answered.then(at_revision("a", 2), found(4, &[kv("a", "1", 2, 2, 1)]));
    answered.fails(ViolationKind::Compaction, read, "everything below 3 was compacted before it started");

    let mut again = Story { history: story.history.clone(), now: story.now };
    let compact = again.then(Request::Compact { revision: 2 }, compacted(4));
    again.fails(ViolationKind::Compaction, compact, "revision 3 was compacted before it started");

    let mut refused = Story { history: story.history.clone(), now: story.now };
    let read = refused.then(at_revision("a", 3), Outcome::Failed(Refusal::Compacted));
    refused.fails(ViolationKind::Compaction, read, "no compaction that far had been asked for");
    let lenient = Options { auto_compaction: true, ..Options::default() };
    assert!(check(&refused.history, &lenient).is_ok());

    let mut future = Story { history: story.history.clone(), now: story.now };
    let read = future.then(at_revision("a", 4), Outcome::Failed(Refusal::FutureRevision));
    future.fails(ViolationKind::Refusal, read, "revision 4 had been seen before it started");
}

#[test]
fn a_compaction_of_unknown_fate_allows_both() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    story.put("a", "2", 3);
    story.lost(Request::Compact { revision: 3 });
    story.then(at_revision("a", 2), found(3, &[kv("a", "1", 2, 2, 1)]));
    story.then(at_revision("a", 2), Outcome::Failed(Refusal::Compacted));
    story.passes();
}

#[test]
fn a_key_that_was_there_is_no_reason() {
    let touch = || Request::Put(PutRequest { key: "a".into(), ignore_value: true, ..PutRequest::default() });
    let mut story = Story::default();
    story.then(touch(), Outcome::Failed(Refusal::KeyNotFound));
    story.put("a", "1", 2);
    story.passes();
    let refused = story.then(touch(), Outcome::Failed(Refusal::KeyNotFound));
    story.fails(ViolationKind::Refusal, refused, "the key was there at every revision from 2 to 2");
}

fn leased_put(key: &str, lease: i64) -> Request {
    Request::Put(PutRequest { key: key.into(), value: "1".into(), lease, ..PutRequest::default() })
}

fn grant(story: &mut Story, lease: i64) {
    story.then(
        Request::LeaseGrant { id: lease, ttl: 5 },
        Outcome::Ok(Response::LeaseGrant { revision: 1, id: lease, ttl: 5 }),
    );
}

#[test]
fn a_lease_takes_its_keys_with_it() {
    let mut story = Story::default();
    grant(&mut story, 7);
    story.then(leased_put("a", 7), put_done(2));
    story.then(leased_put("b", 7), put_done(3));
    let read = story.then(Request::Range(everything()), found(4, &[]));
    // Nobody revoked it, and nothing runs out here.
    story.fails(ViolationKind::UnexplainedRevision, read, "went past revision 4");
    let expiring = Options { lease_expiry: true, ..Options::default() };
    assert!(check(&story.history, &expiring).is_ok());
    let known =
        Options { internal: vec![Internal::LeaseExpired { revision: 4, lease: 7 }], ..Options::default() };
    assert!(check(&story.history, &known).is_ok());
    // All of them, in one revision.
    let read = story.then(at_revision("b", 4), found(4, &[KeyValue { lease: 7, ..kv("b", "1", 3, 3, 1) }]));
    assert!(!check(&story.history, &expiring).is_ok());
    story.fails_with(&known, ViolationKind::ReadMismatch, read, "there is no such key");
}

#[test]
fn a_revoked_lease_takes_its_keys_with_it() {
    let revoked = |revision| Outcome::Ok(Response::LeaseRevoke { revision });
    let mut story = Story::default();
    grant(&mut story, 7);
    story.then(Request::LeaseRevoke { id: 7 }, revoked(1));
    grant(&mut story, 8);
    story.then(leased_put("a", 8), put_done(2));
    story.then(Request::LeaseRevoke { id: 8 }, revoked(3));
    story.get("a", 3, &[]);
    story.passes();

    let mut story = Story::default();
    grant(&mut story, 8);
    story.then(leased_put("a", 8), put_done(2));
    let revoke = story.then(Request::LeaseRevoke { id: 8 }, revoked(2));
    story.fails(ViolationKind::WriteMismatch, revoke, "it revoked lease 8, and its revision still has a");
}

#[test]
fn a_lease_that_was_granted_is_no_reason() {
    let mut story = Story::default();
    grant(&mut story, 7);
    let put = story.then(leased_put("a", 7), Outcome::Failed(Refusal::LeaseNotFound));
    story.fails(ViolationKind::Refusal, put, "granted and never revoked");
}

#[test]
fn answers_that_fit_no_store() {
    let mut story = Story::default();
    let read = story.get("a", 1, &[kv("a", "1", 2, 2, 1)]);
    story.fails(ViolationKind::Malformed, read, "its answer says revision 1");

    let mut story = Story::default();
    let put = story.then(Request::put("a", "1"), found(2, &[]));
    story.fails(ViolationKind::Malformed, put, "another kind of request");

    let mut story = Story::default();
    story.put("a", "1", 2);
    let limited = RangeRequest { limit: 1, ..everything() };
    let cut = RangeResponse { revision: 2, kvs: vec![kv("a", "1", 2, 2, 1)], more: true, count: 1 };
    let read = story.then(Request::Range(limited), Outcome::Ok(Response::Range(cut)));
    story.fails(ViolationKind::ReadMismatch, read, "it says more=true");
}

#[test]
fn a_store_that_was_not_empty() {
    let options = Options { initial_revision: 9, initial: vec![kv("a", "1", 3, 8, 4)], ..Options::default() };
    let mut story = Story::default();
    story.get("a", 9, &[kv("a", "1", 3, 8, 4)]);
    story.put("a", "2", 10);
    story.get("a", 10, &[kv("a", "2", 3, 10, 5)]);
    assert!(check(&story.history, &options).is_ok());
    let read = story.get("b", 8, &[]);
    story.fails_with(&options, ViolationKind::Malformed, read, "the store began at 9");
}

#[test]
fn an_absurd_revision_is_found_at_once() {
    let mut story = Story::default();
    story.put("a", "1", 2);
    let put = story.put("a", "2", i64::MAX);
    story.fails(ViolationKind::UnexplainedRevision, put, "went past revision 3");
}

#[test]
fn gives_up_when_it_costs_too_much() {
    let mut story = Story::default();
    for n in 0..24 {
        story.lost(Request::put("a", format!("{n}")));
    }
    story.get("a", 25, &[kv("a", "0", 2, 25, 24)]);
    story.passes();
    let verdict = check(&story.history, &Options { budget: 3, ..Options::default() });
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
}
