//! The mapping between JSON and the wire, in both directions, and the cutting of request streams.
use super::*;
use crate::grpc::api;
use detcd_proto::etcdserverpb as pb;

fn request(service: &str, method: &str, json: &str) -> Result<Bytes, String> {
    to_wire(&api::method(service, method).unwrap().input(), json.as_bytes())
}

fn range(json: &str) -> pb::RangeRequest {
    pb::RangeRequest::decode(request("etcdserverpb.KV", "Range", json).unwrap()).unwrap()
}

fn response(service: &str, method: &str, message: &impl prost::Message) -> String {
    let output = api::method(service, method).unwrap().output();
    String::from_utf8(from_wire(&output, message.encode_to_vec().into()).unwrap()).unwrap()
}

#[test]
fn both_spellings_of_a_name_and_every_form_of_a_value_are_taken() {
    let wished = pb::RangeRequest {
        key: b"foo"[..].into(),
        range_end: vec![0xfb, 0xff, 0xbf].into(),
        limit: 7,
        sort_order: pb::range_request::SortOrder::Descend.into(),
        serializable: true,
        ..Default::default()
    };
    for json in [
        r#"{"key":"Zm9v","range_end":"+/+/","limit":"7","sort_order":"DESCEND","serializable":true}"#,
        r#"{"key":"Zm9v","rangeEnd":"-_-_","limit":7,"sortOrder":2,"serializable":true}"#,
        r#" {"serializable":true,"revision":null,"limit":7.0,"key":"Zm9v","nobody":{"knows":[1]},
            "rangeEnd":"+/+/","sort_order":"DESCEND"} trailing"#,
    ] {
        assert_eq!(range(json), wished, "{json}");
    }
    assert_eq!(range("{}"), pb::RangeRequest::default());
    // One without the padding.
    assert_eq!(range(r#"{"key":"Zm8"}"#).key, b"fo"[..]);
}

#[test]
fn names_keep_their_capitals() {
    let wire = request("etcdserverpb.Lease", "LeaseGrant", r#"{"TTL":"60","ID":-9007199254740993}"#).unwrap();
    let grant = pb::LeaseGrantRequest::decode(wire).unwrap();
    assert_eq!(grant, pb::LeaseGrantRequest { ttl: 60, id: -9007199254740993 });
    let wire =
        request("etcdserverpb.Cluster", "MemberAdd", r#"{"peerURLs":["http://a:1"],"isLearner":true}"#);
    let add = pb::MemberAddRequest::decode(wire.unwrap()).unwrap();
    assert_eq!((add.peer_urls, add.is_learner), (vec!["http://a:1".to_string()], true));
    let answer = pb::LeaseTimeToLiveResponse { id: 7, ttl: -1, granted_ttl: 60, ..Default::default() };
    assert_eq!(
        response("etcdserverpb.Lease", "LeaseTimeToLive", &answer),
        r#"{"ID":"7","TTL":"-1","grantedTTL":"60"}"#
    );
}

#[test]
fn one_of_several_stands_without_a_wrapper_and_also_when_zero() {
    let json = r#"{"compare":[{"key":"Zm9v","target":"CREATE","create_revision":"0","result":"EQUAL"}],
        "success":[{"request_put":{"key":"Zm9v","value":""}}],"failure":[{"requestRange":{"key":"Zm9v"}}]}"#;
    let txn = pb::TxnRequest::decode(request("etcdserverpb.KV", "Txn", json).unwrap()).unwrap();
    assert_eq!(txn.compare.first().unwrap().target_union, Some(pb::compare::TargetUnion::CreateRevision(0)));
    assert!(matches!(txn.success.first().unwrap().request, Some(pb::request_op::Request::RequestPut(_))));
    assert!(matches!(txn.failure.first().unwrap().request, Some(pb::request_op::Request::RequestRange(_))));
    let two = r#"{"compare":[{"version":1,"lease":2}]}"#;
    assert!(request("etcdserverpb.KV", "Txn", two).unwrap_err().starts_with("proto: "));
}

#[test]
fn what_is_no_message_is_refused() {
    for json in [
        "",
        "nothing",
        "[]",
        "null",
        "7",
        r#"{"key":"Zm9v""#,
        r#"{"key":"%"}"#,
        r#"{"key":7}"#,
        r#"{"limit":"x"}"#,
        r#"{"limit":1.5}"#,
        r#"{"limit":"9223372036854775808"}"#,
        r#"{"serializable":"true"}"#,
        &format!("{{\"nobody\":{}", "[".repeat(100_000)),
    ] {
        let why = request("etcdserverpb.KV", "Range", json).expect_err(json);
        assert!(why.starts_with("proto: "), "{why}");
    }
}

#[test]
fn answers_leave_out_what_is_zero_and_keep_the_order_of_the_declaration() {
    let header = pb::ResponseHeader { cluster_id: u64::MAX, member_id: 1, revision: 2, raft_term: 0 };
    let pair = detcd_proto::mvccpb::KeyValue {
        key: b"foo"[..].into(),
        create_revision: 2,
        mod_revision: 2,
        version: 1,
        value: b"bar"[..].into(),
        lease: 0,
    };
    let answer = pb::RangeResponse { header: Some(header), kvs: vec![pair], more: false, count: 1 };
    assert_eq!(
        response("etcdserverpb.KV", "Range", &answer),
        r#"{"header":{"cluster_id":"18446744073709551615","member_id":"1","revision":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}],"count":"1"}"#
    );
    assert_eq!(response("etcdserverpb.KV", "Range", &pb::RangeResponse::default()), "{}");
    let hash = pb::HashKvResponse { hash: u32::MAX, ..Default::default() };
    assert_eq!(response("etcdserverpb.Maintenance", "HashKV", &hash), r#"{"hash":4294967295}"#);
    let alarm = pb::AlarmMember { member_id: 3, alarm: pb::AlarmType::Nospace.into() };
    let alarms = pb::AlarmResponse { header: None, alarms: vec![alarm] };
    assert_eq!(
        response("etcdserverpb.Maintenance", "Alarm", &alarms),
        r#"{"alarms":[{"memberID":"3","alarm":"NOSPACE"}]}"#
    );
}

#[test]
fn markup_is_escaped() {
    assert_eq!(escape_markup(br#"{"a":"b"}"#.to_vec()), br#"{"a":"b"}"#);
    let escaped = escape_markup("{\"a\":\"<>&\u{2028}\u{2029}\u{20ac}\"}".as_bytes().to_vec());
    assert_eq!(
        String::from_utf8(escaped).unwrap(),
        "{\"a\":\"\\u003c\\u003e\\u0026\\u2028\\u2029\u{20ac}\"}"
    );
}

#[test]
fn objects_are_found_in_any_pieces() {
    let stream = "{\"a\":\"}{\\\"\\\\\"}\n {\"b\":[{},{\"c\":1}]}{}  ";
    for piece in 1..stream.len() {
        let (mut objects, mut found) = (Objects::default(), Vec::new());
        for part in stream.as_bytes().chunks(piece) {
            objects.push(part);
            while let Some(object) = objects.next(100).unwrap() {
                found.push(String::from_utf8(object).unwrap());
            }
        }
        assert_eq!(found, ["{\"a\":\"}{\\\"\\\\\"}", "{\"b\":[{},{\"c\":1}]}", "{}"], "pieces of {piece}");
    }
}

#[test]
fn what_is_no_object_ends_the_stream_of_objects() {
    let mut objects = Objects::default();
    objects.push(b"{} 7");
    assert_eq!(objects.next(100), Ok(Some(b"{}".to_vec())));
    assert_eq!(objects.next(100), Err(NoObject));
    let mut objects = Objects::default();
    objects.push(b"{\"key\":\"aaaaaaaaaaaaaaaaaaaa");
    assert_eq!(objects.next(20), Err(NoObject));
}
