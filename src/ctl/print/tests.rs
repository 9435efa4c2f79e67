use detcd_proto::mvccpb::{Event, KeyValue};

use super::*;

fn header() -> Option<pb::ResponseHeader> {
    Some(pb::ResponseHeader {
        cluster_id: 14_841_639_068_965_178_418,
        member_id: 10_276_657_743_932_975_437,
        revision: 2,
        raft_term: 2,
    })
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned().into(),
        create_revision: 2,
        mod_revision: 2,
        version: 1,
        value: value.to_owned().into(),
        lease: 0,
    }
}

fn show(format: Format, hex: bool, reply: Reply<'_>) -> String {
    let text = Printer { format, hex, value_only: false }.render(reply).unwrap();
    assert!(text.err.is_empty());
    String::from_utf8(text.out).unwrap()
}

fn range() -> pb::RangeResponse {
    pb::RangeResponse { header: header(), kvs: vec![pair("foo", "bar")], more: false, count: 1 }
}

#[test]
fn a_read_in_every_format() {
    let response = range();
    let reply = Reply::Get(&response);
    assert_eq!(show(Format::Simple, false, reply), "foo\nbar\n");
    assert_eq!(show(Format::Simple, true, reply), "\\x66\\x6f\\x6f\n\\x62\\x61\\x72\n");
    assert_eq!(
        show(Format::Json, false, reply),
        "{\"header\":{\"cluster_id\":14841639068965178418,\"member_id\":10276657743932975437,\"revision\":2,\
         \"raft_term\":2},\"kvs\":[{\"key\":\"Zm9v\",\"create_revision\":2,\"mod_revision\":2,\"version\":1,\
         \"value\":\"YmFy\"}],\"count\":1}\n"
    );
    assert_eq!(
        show(Format::Fields, false, reply),
        "\"ClusterID\" : 14841639068965178418\n\"MemberID\" : 10276657743932975437\n\"Revision\" : 2\n\
         \"RaftTerm\" : 2\n\"Key\" : \"foo\"\n\"CreateRevision\" : 2\n\"ModRevision\" : 2\n\"Version\" : 1\n\
         \"Value\" : \"bar\"\n\"Lease\" : 0\n\"More\" : false\n\"Count\" : 1\n"
    );
    let value_only = Printer { format: Format::Simple, hex: false, value_only: true };
    assert_eq!(value_only.render(reply).unwrap().out, b"bar\n");
    let table = Printer { format: Format::Table, hex: false, value_only: false };
    assert_eq!(table.render(reply), Err(Unsupported("table not supported as output format")));
}

#[test]
fn writes_and_deletes() {
    let put = pb::PutResponse { header: header(), prev_kv: Some(pair("foo", "old")) };
    assert_eq!(show(Format::Simple, false, Reply::Put(&put)), "OK\nfoo\nold\n");
    let none = pb::PutResponse { header: None, prev_kv: None };
    assert_eq!(show(Format::Json, false, Reply::Put(&none)), "{}\n");
    let del = pb::DeleteRangeResponse { header: None, deleted: 1, prev_kvs: vec![pair("foo", "")] };
    assert_eq!(show(Format::Simple, false, Reply::Del(&del)), "1\nfoo\n\n");
    assert_eq!(
        show(Format::Json, false, Reply::Del(&del)),
        "{\"deleted\":1,\"prev_kvs\":[{\"key\":\"Zm9v\",\"create_revision\":2,\"mod_revision\":2,\"version\":1}]}\n"
    );
}

#[test]
fn a_transaction() {
    use pb::response_op::Response;
    let op = |response| pb::ResponseOp { response: Some(response) };
    let put = pb::PutResponse {
        header: Some(pb::ResponseHeader { revision: 3, ..Default::default() }),
        prev_kv: None,
    };
    let response = pb::TxnResponse {
        header: header(),
        succeeded: true,
        responses: vec![op(Response::ResponsePut(put)), op(Response::ResponseRange(range()))],
    };
    let reply = Reply::Txn(&response);
    assert_eq!(show(Format::Simple, false, reply), "SUCCESS\n\nOK\n\nfoo\nbar\n");
    let json = show(Format::Json, false, reply);
    assert!(
        json.contains("\"responses\":[{\"Response\":{\"response_put\":{\"header\":{\"revision\":3}}}},"),
        "{json}"
    );
}

#[test]
fn watch_events() {
    let deleted = KeyValue { key: "foo".into(), mod_revision: 3, ..KeyValue::default() };
    let reply = WatchReply {
        header: header().unwrap(),
        events: Some(vec![
            Event { r#type: 0, kv: Some(pair("foo", "bar")), prev_kv: None },
            Event { r#type: 1, kv: Some(deleted), prev_kv: Some(pair("foo", "bar")) },
        ]),
        ..WatchReply::default()
    };
    assert_eq!(show(Format::Simple, false, Reply::Watch(&reply)), "PUT\nfoo\nbar\nDELETE\nfoo\nbar\nfoo\n\n");
    let json = show(Format::Json, false, Reply::Watch(&reply));
    assert!(json.contains("\"Events\":[{\"kv\":{\"key\":\"Zm9v\""), "{json}");
    assert!(
        json.contains("{\"type\":1,\"kv\":{\"key\":\"Zm9v\",\"mod_revision\":3},\"prev_kv\":{"),
        "{json}"
    );
    assert!(json.ends_with("\"CompactRevision\":0,\"Canceled\":false,\"Created\":false}\n"), "{json}");
    let failed = WatchReply { canceled: true, ..WatchReply::default() };
    assert_eq!(
        show(Format::Json, false, Reply::Watch(&failed)),
        "{\"Header\":{},\"Events\":null,\"CompactRevision\":0,\"Canceled\":true,\"Created\":false}\n"
    );
}

#[test]
fn leases() {
    const ID: i64 = 0x694d_5765_fc71_500b;
    let grant = pb::LeaseGrantResponse { header: header(), id: ID, ttl: 60, error: String::new() };
    assert_eq!(
        show(Format::Simple, false, Reply::Grant(&grant)),
        "lease 694d5765fc71500b granted with TTL(60s)\n"
    );
    assert_eq!(
        show(Format::Json, false, Reply::Grant(&grant)),
        "{\"cluster_id\":14841639068965178418,\"member_id\":10276657743932975437,\"revision\":2,\"raft_term\":2,\
         \"ID\":7587817042727751691,\"TTL\":60,\"Error\":\"\"}\n"
    );
    let left = |granted_ttl, ttl, keys: &[&'static str]| pb::LeaseTimeToLiveResponse {
        header: None,
        id: ID,
        ttl,
        granted_ttl,
        keys: keys.iter().map(|key| (*key).into()).collect(),
    };
    let simple = |response, with_keys| {
        show(Format::Simple, false, Reply::TimeToLive { response: &response, with_keys })
    };
    assert_eq!(
        simple(left(60, 55, &["a", "b"]), true),
        "lease 694d5765fc71500b granted with TTL(60s), remaining(55s), attached keys([a b])\n"
    );
    assert_eq!(
        simple(left(60, 55, &[]), true),
        "lease 694d5765fc71500b granted with TTL(60s), remaining(55s), attached keys([])\n"
    );
    assert_eq!(simple(left(0, -1, &[]), true), "lease 694d5765fc71500b already expired\n");
    let json = |keys: &[&'static str]| {
        show(Format::Json, false, Reply::TimeToLive { response: &left(60, 55, keys), with_keys: true })
    };
    assert!(json(&[]).ends_with("\"ttl\":55,\"granted-ttl\":60,\"keys\":null}\n"));
    assert!(json(&["a"]).ends_with("\"keys\":[\"YQ==\"]}\n"));
    let list = pb::LeaseLeasesResponse { header: None, leases: vec![pb::LeaseStatus { id: 1 }] };
    assert_eq!(show(Format::Simple, false, Reply::Leases(&list)), "found 1 leases\n0000000000000001\n");
    assert_eq!(show(Format::Json, false, Reply::Leases(&list)), "{\"leases\":[{\"id\":1}]}\n");
    let none = pb::LeaseLeasesResponse::default();
    assert_eq!(show(Format::Json, false, Reply::Leases(&none)), "{\"leases\":[]}\n");
}

fn members() -> pb::MemberListResponse {
    let member = |id, name: &str, url: &str| pb::Member {
        id,
        name: name.to_owned(),
        peer_urls: vec![format!("http://{url}:2380")],
        client_urls: if name.is_empty() { vec![] } else { vec![format!("http://{url}:2379")] },
        is_learner: name.is_empty(),
    };
    pb::MemberListResponse { header: header(), members: vec![member(10, "m1", "h1"), member(11, "", "h2")] }
}

#[test]
fn members_in_every_format() {
    let response = members();
    let reply = Reply::MemberList(&response);
    assert_eq!(
        show(Format::Simple, false, reply),
        "a, started, m1, http://h1:2380, http://h1:2379, false\nb, unstarted, , http://h2:2380, , true\n"
    );
    assert_eq!(
        show(Format::Table, false, reply),
        "\
+----+-----------+------+----------------+----------------+------------+
| ID |  STATUS   | NAME |   PEER ADDRS   |  CLIENT ADDRS  | IS LEARNER |
+----+-----------+------+----------------+----------------+------------+
|  a |   started |   m1 | http://h1:2380 | http://h1:2379 |      false |
|  b | unstarted |      | http://h2:2380 |                |       true |
+----+-----------+------+----------------+----------------+------------+
"
    );
    let hex = show(Format::Json, true, reply);
    assert!(hex.contains("{\"ID\":\"a\",\"name\":\"m1\",\"peerURLs\":[\"http://h1:2380\"],"), "{hex}");
    assert!(hex.starts_with("{\"header\":{\"cluster_id\":\"cdf818194e3a8c32\",\"member_id\":"), "{hex}");
    assert!(show(Format::Fields, false, reply).ends_with("\"IsLearner\" : true\n\n"));
}

#[test]
fn changes_of_the_members_in_every_format() {
    let list = members();
    let added = pb::MemberAddResponse {
        header: header(),
        member: list.members.last().cloned(),
        members: list.members.clone(),
    };
    let reply = Reply::MemberAdd(&added);
    assert_eq!(
        show(Format::Simple, false, reply),
        "Member                b added as learner to cluster cdf818194e3a8c32\n"
    );
    let json = show(Format::Json, false, reply);
    let learner = "{\"ID\":11,\"peerURLs\":[\"http://h2:2380\"],\"isLearner\":true}";
    assert!(json.contains(&format!(",\"member\":{learner},\"members\":[")), "{json}");
    for (change, text) in [
        (MemberChange::Removed, "removed from"),
        (MemberChange::Updated, "updated in"),
        (MemberChange::Promoted, "promoted in"),
    ] {
        let reply = Reply::MemberChange { change, id: 11, response: &list };
        let line = format!("Member                b {text} cluster cdf818194e3a8c32\n");
        assert_eq!(show(Format::Simple, false, reply), line);
    }
    let reply = Reply::MemberChange { change: MemberChange::Removed, id: 11, response: &list };
    for reply in [reply, Reply::MemberAdd(&added)] {
        for (format, what) in [(Format::Fields, "fields"), (Format::Table, "table")] {
            let refused = Printer { format, hex: false, value_only: false }.render(reply).unwrap_err();
            assert_eq!(refused.0, format!("{what} not supported as output format"));
        }
    }
    assert!(show(Format::Json, true, reply).starts_with("{\"header\":{\"cluster_id\":14841639068965178418,"));
}

#[test]
fn health_goes_to_two_places() {
    let took = Some(Duration::from_nanos(1_234_567));
    let list = [
        Health { endpoint: "h1:1".to_owned(), took, error: String::new() },
        Health { endpoint: "h2:1".to_owned(), took, error: "context deadline exceeded".to_owned() },
    ];
    let reply = Reply::Health(&list);
    let text = Printer { format: Format::Simple, hex: false, value_only: false }.render(reply).unwrap();
    assert_eq!(text.out, b"h1:1 is healthy: successfully committed proposal: took = 1.234567ms\n");
    assert_eq!(text.err, b"h2:1 is unhealthy: failed to commit proposal: context deadline exceeded\n");
    assert_eq!(
        show(Format::Json, false, reply),
        "[{\"endpoint\":\"h1:1\",\"health\":true,\"took\":\"1.234567ms\"},{\"endpoint\":\"h2:1\",\"health\":false,\
         \"took\":\"1.234567ms\",\"error\":\"context deadline exceeded\"}]\n"
    );
    assert_eq!(show(Format::Json, false, Reply::Health(&[])), "null\n");
}

#[test]
fn status_of_a_member() {
    let status = pb::StatusResponse {
        header: header(),
        version: "3.7.1".to_owned(),
        db_size: 28_672,
        leader: 10_276_657_743_932_975_437,
        raft_index: 68,
        raft_term: 2,
        raft_applied_index: 68,
        errors: vec![],
        db_size_in_use: 20_480,
        is_learner: false,
        storage_version: "3.7.0".to_owned(),
        db_size_quota: 2_147_483_648,
        downgrade_info: Some(pb::DowngradeInfo::default()),
    };
    let list = [("h:1".to_owned(), status)];
    assert_eq!(
        show(Format::Simple, false, Reply::Status(&list)),
        "h:1, 8e9e05c52164694d, 3.7.1, 3.7.0, 29 kB, 20 kB, 29%, 2.1 GB, true, false, 2, 68, 68, , , false\n"
    );
    let json = show(Format::Json, false, Reply::Status(&list));
    assert!(
        json.ends_with(
            "\"version\":\"3.7.1\",\"dbSize\":28672,\"leader\":10276657743932975437,\"raftIndex\":68,\"raftTerm\":2,\
             \"raftAppliedIndex\":68,\"dbSizeInUse\":20480,\"storageVersion\":\"3.7.0\",\"dbSizeQuota\":2147483648,\
             \"downgradeInfo\":{}}}]\n"
        ),
        "{json}"
    );
    let empty = [("h:1".to_owned(), pb::StatusResponse::default())];
    assert!(show(Format::Simple, false, Reply::Status(&empty)).contains(", 0%, "));
}

#[test]
fn alarms() {
    let alarm = pb::AlarmMember { member_id: 5, alarm: 1 };
    let response = pb::AlarmResponse { header: None, alarms: vec![alarm] };
    assert_eq!(show(Format::Simple, false, Reply::Alarm(&response)), "memberID:5 alarm:NOSPACE \n");
    assert_eq!(
        show(Format::Json, false, Reply::Alarm(&response)),
        "{\"alarms\":[{\"memberID\":5,\"alarm\":1}]}\n"
    );
    assert!(show(Format::Fields, false, Reply::Alarm(&response)).ends_with("\"AlarmType\" : NOSPACE\n\n"));
}

#[test]
fn the_lead_and_the_version_before() {
    let response = pb::MoveLeaderResponse::default();
    let reply = Reply::MoveLeader { leader: 0xab, target: 0xcd, response: &response };
    assert_eq!(show(Format::Simple, false, reply), "Leadership transferred from ab to cd\n");
    assert_eq!(show(Format::Json, false, reply), "{}\n");
    assert_eq!(show(Format::Protobuf, false, reply), "");
    let response = pb::DowngradeResponse { header: None, version: "3.7".to_owned() };
    let downgrade = Reply::Downgrade { action: "validate", response: &response };
    assert_eq!(show(Format::Simple, false, downgrade), "Downgrade validate success, cluster version 3.7\n");
    assert_eq!(show(Format::Json, false, downgrade), "{\"version\":\"3.7\"}\n");
    for (format, why) in [
        (Format::Fields, "fields not supported as output format"),
        (Format::Table, "table not supported as output format"),
    ] {
        for reply in [reply, downgrade] {
            let printer = Printer { format, hex: false, value_only: false };
            assert_eq!(printer.render(reply), Err(Unsupported(why)));
        }
    }
}

#[test]
fn json_strings_are_safe_inside_html() {
    let list =
        [Health { endpoint: "<a&b>\"\\\n\u{1}\u{2028}é".to_owned(), took: None, error: String::new() }];
    let json = show(Format::Json, false, Reply::Health(&list));
    assert!(json.contains("\"endpoint\":\"\\u003ca\\u0026b\\u003e\\\"\\\\\\n\\u0001\\u2028é\""), "{json}");
}

#[test]
fn sizes_for_people() {
    let check = |bytes, text: &str| assert_eq!(rows::human_size(bytes), text);
    check(0, "0 B");
    check(9, "9 B");
    check(10, "10 B");
    check(999, "999 B");
    check(1_000, "1.0 kB");
    check(9_949, "9.9 kB");
    check(20_480, "20 kB");
    check(2_147_483_648, "2.1 GB");
    check(8_589_934_592, "8.6 GB");
}

#[test]
fn long_cells_break_at_words() {
    let error = "rpc error: code = Unavailable desc = something long went wrong here";
    let list = [Health { endpoint: "h:1".to_owned(), took: None, error: error.to_owned() }];
    assert_eq!(
        show(Format::Table, false, Reply::Health(&list)),
        "\
+----------+--------+------+--------------------------------+
| ENDPOINT | HEALTH | TOOK |             ERROR              |
+----------+--------+------+--------------------------------+
|      h:1 |  false |      |  rpc error: code = Unavailable |
|          |        |      |     desc = something long went |
|          |        |      |                     wrong here |
+----------+--------+------+--------------------------------+
"
    );
}
