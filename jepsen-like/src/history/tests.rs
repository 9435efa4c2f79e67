use super::{History, Outcome, PutResponse, RangeRequest, Refusal, Request, Response, TxnRequest, text};

#[test]
fn bytes_become_text_and_come_back() {
    for byte in 0..=u8::MAX {
        let bytes = [b'a', byte, b'\\', byte];
        let text = text::escape(&bytes);
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text}");
        assert_eq!(text::unescape(&text).as_deref(), Some(&bytes[..]));
    }
    assert_eq!(text::escape(b"a\\b\x00\xff"), "a\\\\b\\x00\\xff");
}

#[test]
fn only_what_escape_writes_is_read() {
    for wrong in ["\\", "\\x0", "\\xZZ", "\\xAB", "\\n", "ü", "\n"] {
        assert_eq!(text::unescape(wrong), None, "{wrong:?}");
    }
}

#[test]
fn an_unanswered_call_is_of_unknown_fate() {
    let mut history = History::new();
    let id = history.call(1, 5, Request::put("a", "1"));
    assert!(matches!(history.ops()[id].outcome, Outcome::Unknown(_)) && history.ops()[id].ret.is_none());
    history.ret(id, 6, Outcome::Ok(Response::Put(PutResponse { revision: 2, prev_kv: None })));
    assert_eq!(history.ops()[id].ret, Some(6));
    assert_eq!(history.ops()[id].response().map(Response::revision), Some(2));
}

#[test]
#[should_panic(expected = "answered twice")]
fn an_answer_comes_once() {
    let mut history = History::new();
    let id = history.call(1, 5, Request::put("a", "1"));
    history.ret(id, 6, Outcome::Failed(Refusal::Compacted));
    history.ret(id, 7, Outcome::Failed(Refusal::Compacted));
}

#[test]
#[should_panic(expected = "answered before it was called")]
fn an_answer_comes_after_its_call() {
    let mut history = History::new();
    let id = history.call(1, 5, Request::put("a", "1"));
    history.ret(id, 4, Outcome::Failed(Refusal::Compacted));
}

#[test]
fn errors_leave_the_fate_open_unless_they_are_known_not_to() {
    let failed = |text: &str| match Outcome::from_error(text) {
        Outcome::Failed(refusal) => Some(refusal),
        Outcome::Ok(_) | Outcome::Unknown(_) => None,
    };
    let compacted =
        "rpc error: code = OutOfRange desc = etcdserver: mvcc: required revision has been compacted";
    assert_eq!(failed(compacted), Some(Refusal::Compacted));
    assert_eq!(
        failed("etcdserver: mvcc: required revision is a future revision"),
        Some(Refusal::FutureRevision)
    );
    assert_eq!(failed("etcdserver: key not found"), Some(Refusal::KeyNotFound));
    assert_eq!(failed("etcdserver: requested lease not found"), Some(Refusal::LeaseNotFound));
    assert!(matches!(failed("etcdserver: too many requests"), Some(Refusal::Other(_))));
    for open in [
        "etcdserver: request timed out",
        "etcdserver: request timed out, possibly due to previous leader failure",
        "etcdserver: leader changed",
        "etcdserver: no leader",
        "etcdserver: server stopped",
        // A put that was performed can get this.
        "etcdserver: mvcc: database space exceeded",
        "connection reset by peer",
    ] {
        assert_eq!(failed(open), None, "{open}");
    }
}

#[test]
fn what_may_be_answered_from_old_state() {
    let old =
        || Request::Range(RangeRequest { key: "a".into(), serializable: true, ..RangeRequest::default() });
    let txn = |success, failure| Request::Txn(TxnRequest { compares: Vec::new(), success, failure });
    assert!(old().is_serializable() && !Request::get("a").is_serializable());
    assert!(txn(vec![old()], vec![old()]).is_serializable());
    assert!(txn(vec![], vec![]).is_serializable());
    assert!(!txn(vec![old()], vec![Request::get("a")]).is_serializable());
    assert!(!txn(vec![old()], vec![Request::delete("a")]).is_serializable());
    assert!(!txn(vec![txn(vec![], vec![])], vec![]).is_serializable());
    assert!(txn(vec![], vec![txn(vec![], vec![Request::delete("a")])]).can_write());
    assert!(!txn(vec![old()], vec![Request::get("a")]).can_write());
}
