//! The bytes on the wire and on disk are etcd's to the byte: each expected string below was written by hand from
//! etcd's encoding rules, not taken from this encoder.

use std::fmt::Debug;

use detcd_proto::etcdserverpb::{self as pb, compare, request_op};
use detcd_proto::raftpb::{self, EntryType, MessageType};
use detcd_proto::{Message, authpb, healthpb, leasepb, mvccpb, snappb, walpb};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits"))
        .collect()
}

/// `message` encodes to exactly `expected`, and these bytes decode to `message` again.
#[track_caller]
fn check<M: Message + Default + PartialEq + Debug>(message: M, expected: &str) {
    let expected = hex(expected);
    assert_eq!(message.encode_to_vec(), expected);
    assert_eq!(message.encoded_len(), expected.len());
    assert_eq!(M::decode(expected.as_slice()).expect("decodes"), message);
}

/// `bytes` is not what we would write, but must be read as `message`.
#[track_caller]
fn reads<M: Message + Default + PartialEq + Debug>(bytes: &str, message: M) {
    assert_eq!(M::decode(hex(bytes).as_slice()).expect("decodes"), message);
}

// proto2: scalars are always written, even when zero.

#[test]
fn entry() {
    check(raftpb::Entry::default(), "08 00 10 00 18 00");
    let kind = EntryType::EntryConfChange as i32;
    check(
        raftpb::Entry { r#type: kind, term: 2, index: 300, data: Some("foo".into()) },
        "08 01 10 02 18 ac 02 22 03 66 6f 6f",
    );
    // Set but empty is not the same as absent.
    check(raftpb::Entry { data: Some("".into()), ..Default::default() }, "08 00 10 00 18 00 22 00");
}

#[test]
fn hard_state() {
    check(raftpb::HardState::default(), "08 00 10 00 18 00");
    check(raftpb::HardState { term: 1, vote: 2, commit: 3 }, "08 01 10 02 18 03");
    let vote = 0xcbf2_9ce4_8422_2325;
    check(raftpb::HardState { term: 0, vote, commit: 0 }, "08 00 10 a5 c6 88 a1 c8 9c a7 f9 cb 01 18 00");
}

#[test]
fn conf_state_repeats_its_voters_unpacked() {
    check(raftpb::ConfState::default(), "28 00");
    check(
        raftpb::ConfState {
            voters: vec![1, 2, 300],
            learners: vec![4],
            voters_outgoing: vec![5, 6],
            learners_next: vec![7],
            auto_leave: true,
        },
        "08 01 08 02 08 ac 02 10 04 18 05 18 06 20 07 28 01",
    );
    reads("0a 03 01 02 03 28 00", raftpb::ConfState { voters: vec![1, 2, 3], ..Default::default() });
}

#[test]
fn conf_change() {
    check(raftpb::ConfChange::default(), "08 00 10 00 18 00");
    check(
        raftpb::ConfChange {
            id: 9,
            r#type: raftpb::ConfChangeType::ConfChangeAddLearnerNode as i32,
            node_id: 5,
            context: Some("{}".into()),
        },
        "08 09 10 03 18 05 22 02 7b 7d",
    );
}

#[test]
fn conf_change_v2() {
    check(raftpb::ConfChangeV2::default(), "08 00");
    let change = raftpb::ConfChangeSingle { r#type: 1, node_id: 2 };
    check(
        raftpb::ConfChangeV2 { transition: 2, changes: vec![change, Default::default()], context: None },
        "08 02 12 04 08 01 10 02 12 04 08 00 10 00",
    );
}

#[test]
fn message() {
    check(raftpb::Message::default(), "08 00 10 00 18 00 20 00 28 00 30 00 40 00 50 00 58 00 68 00");
    check(
        raftpb::Message {
            r#type: MessageType::MsgApp as i32,
            to: 2,
            from: 1,
            term: 3,
            log_term: 4,
            index: 5,
            entries: vec![raftpb::Entry { term: 3, index: 6, ..Default::default() }],
            commit: 7,
            snapshot: Some(raftpb::Snapshot::default()),
            reject: true,
            reject_hint: 8,
            context: Some("x".into()),
            vote: 9,
            responses: vec![],
        },
        "08 03 10 02 18 01 20 03 28 04 30 05 3a 06 08 00 10 03 18 06 40 07 \
         4a 0a 12 08 0a 02 28 00 10 00 18 00 50 01 58 08 62 01 78 68 09",
    );
    let inner = raftpb::Message::default();
    check(
        raftpb::Message { responses: vec![inner], ..Default::default() },
        "08 00 10 00 18 00 20 00 28 00 30 00 40 00 50 00 58 00 68 00 \
         72 14 08 00 10 00 18 00 20 00 28 00 30 00 40 00 50 00 58 00 68 00",
    );
}

#[test]
fn message_of_a_3_5_member() {
    // No vote, and always a snapshot, empty unless it is a MsgSnap.
    reads(
        "08 08 10 02 18 01 20 03 28 00 30 00 40 07 4a 0a 12 08 0a 02 28 00 10 00 18 00 50 00 58 00",
        raftpb::Message {
            r#type: MessageType::MsgHeartbeat as i32,
            to: 2,
            from: 1,
            term: 3,
            commit: 7,
            snapshot: Some(raftpb::Snapshot::default()),
            ..Default::default()
        },
    );
}

#[test]
fn raft_snapshot_writes_its_empty_parts() {
    check(raftpb::SnapshotMetadata::default(), "0a 02 28 00 10 00 18 00");
    check(raftpb::Snapshot::default(), "12 08 0a 02 28 00 10 00 18 00");
    check(
        raftpb::Snapshot {
            data: Some("d".into()),
            metadata: raftpb::SnapshotMetadata {
                conf_state: raftpb::ConfState { voters: vec![1], ..Default::default() },
                index: 2,
                term: 3,
            },
        },
        "0a 01 64 12 0a 0a 04 08 01 28 00 10 02 18 03",
    );
}

#[test]
fn wal_record_and_snapshot() {
    check(walpb::Record::default(), "08 00 10 00");
    check(
        walpb::Record { r#type: 4, crc: 0xffff_ffff, data: Some("".into()) },
        "08 04 10 ff ff ff ff 0f 1a 00",
    );
    check(walpb::Record { r#type: 2, crc: 1, data: Some("ab".into()) }, "08 02 10 01 1a 02 61 62");
    check(walpb::Snapshot::default(), "08 00 10 00");
    check(
        walpb::Snapshot { index: 1, term: 2, conf_state: Some(raftpb::ConfState::default()) },
        "08 01 10 02 1a 02 28 00",
    );
}

#[test]
fn metadata_and_snapshot_file() {
    check(pb::Metadata::default(), "08 00 10 00");
    check(pb::Metadata { node_id: 1, cluster_id: 300 }, "08 01 10 ac 02");
    check(snappb::Snapshot::default(), "08 00");
    check(snappb::Snapshot { crc: 5, data: Some("x".into()) }, "08 05 12 01 78");
}

#[test]
fn old_v2_request() {
    check(
        pb::Request::default(),
        "08 00 12 00 1a 00 22 00 28 00 32 00 38 00 48 00 50 00 58 00 60 00 68 00 70 00 78 00 80 01 00",
    );
    check(
        pb::Request {
            id: 1,
            method: "PUT".into(),
            path: "/0/version".into(),
            val: "3.5.0".into(),
            prev_exist: Some(false),
            refresh: Some(true),
            ..Default::default()
        },
        "08 01 12 03 50 55 54 1a 0a 2f 30 2f 76 65 72 73 69 6f 6e 22 05 33 2e 35 2e 30 28 00 32 00 38 00 \
         40 00 48 00 50 00 58 00 60 00 68 00 70 00 78 00 80 01 00 88 01 01",
    );
}

#[test]
fn absent_proto2_scalars_read_as_zero() {
    reads("", raftpb::Message::default());
    reads("18 07", raftpb::Entry { index: 7, ..Default::default() });
    reads("", raftpb::Snapshot::default());
}

// proto3: zero fields are left out, messages and oneof members are not.

#[test]
fn proto3_leaves_out_zeroes() {
    check(pb::PutRequest::default(), "");
    check(pb::RangeRequest { serializable: true, ..Default::default() }, "38 01");
    check(
        pb::PutRequest { key: "k".into(), value: "v".into(), lease: 1, prev_kv: true, ..Default::default() },
        "0a 01 6b 12 01 76 18 01 20 01",
    );
}

#[test]
fn empty_sub_messages_are_written_when_present() {
    let info = pb::DowngradeInfo::default();
    check(pb::StatusResponse { downgrade_info: Some(info), ..Default::default() }, "6a 00");
    check(pb::StatusResponse { header: Some(pb::ResponseHeader::default()), ..Default::default() }, "0a 00");
}

#[test]
fn oneof_members_are_written_when_zero() {
    use compare::TargetUnion::{CreateRevision, Lease, ModRevision, Value, Version};
    let compare = |target| pb::Compare { target_union: Some(target), ..Default::default() };
    check(compare(Version(0)), "20 00");
    check(compare(CreateRevision(0)), "28 00");
    check(compare(ModRevision(0)), "30 00");
    check(compare(Value("".into())), "3a 00");
    check(compare(Lease(0)), "40 00");
    check(pb::Compare::default(), "");
    let put = request_op::Request::RequestPut(pb::PutRequest::default());
    check(pb::RequestOp { request: Some(put) }, "12 00");
}

#[test]
fn compare_range_end_has_number_64() {
    check(
        pb::Compare {
            result: compare::CompareResult::NotEqual as i32,
            target: compare::CompareTarget::Mod as i32,
            key: "a".into(),
            range_end: "b".into(),
            target_union: Some(compare::TargetUnion::ModRevision(5)),
        },
        "08 03 10 02 1a 01 61 30 05 82 04 01 62",
    );
}

#[test]
fn watch_filters_are_packed_and_read_both_ways() {
    let filters = vec![0, 1];
    let request = pb::WatchCreateRequest { key: "k".into(), filters, ..Default::default() };
    check(request.clone(), "0a 01 6b 2a 02 00 01");
    reads("0a 01 6b 28 00 28 01", request);
}

#[test]
fn negative_numbers_take_ten_bytes() {
    check(pb::WatchResponse { watch_id: -1, ..Default::default() }, "10 ff ff ff ff ff ff ff ff ff 01");
    check(
        pb::LeaseTimeToLiveResponse { ttl: -1, granted_ttl: i64::MIN, ..Default::default() },
        "18 ff ff ff ff ff ff ff ff ff 01 20 80 80 80 80 80 80 80 80 80 01",
    );
    check(walpb::Record { r#type: -2, ..Default::default() }, "08 fe ff ff ff ff ff ff ff ff 01 10 00");
}

#[test]
fn watch_events_have_number_11() {
    let kv = mvccpb::KeyValue {
        key: "k".into(),
        create_revision: 2,
        mod_revision: 3,
        version: 2,
        value: "v".into(),
        lease: 0,
    };
    check(
        pb::WatchResponse {
            events: vec![mvccpb::Event { kv: Some(kv), ..Default::default() }],
            ..Default::default()
        },
        "5a 0e 12 0c 0a 01 6b 10 02 18 03 20 02 2a 01 76",
    );
}

#[test]
fn raft_entry_payload_writes_its_header_after_the_small_arms() {
    check(
        pb::InternalRaftRequest {
            header: Some(pb::RequestHeader { id: 7, username: "u".into(), auth_revision: 3 }),
            put: Some(pb::PutRequest { key: "a".into(), ..Default::default() }),
            ..Default::default()
        },
        "22 03 0a 01 61 a2 06 07 08 07 12 01 75 18 03",
    );
    // Arm 1000 stands after the header, and is present although empty.
    check(
        pb::InternalRaftRequest {
            header: Some(pb::RequestHeader { id: 1, ..Default::default() }),
            auth_enable: Some(Box::default()),
            ..Default::default()
        },
        "a2 06 02 08 01 c2 3e 00",
    );
    check(
        pb::InternalRaftRequest {
            downgrade_version_test: Some(Box::new(pb::DowngradeVersionTestRequest { ver: "3.7.0".into() })),
            ..Default::default()
        },
        "e2 ea 04 07 0a 05 33 2e 37 2e 30",
    );
}

#[test]
fn names_with_capitals_keep_their_numbers() {
    check(
        pb::Member {
            id: 1,
            name: "m".into(),
            peer_urls: vec!["p".into()],
            client_urls: vec!["c".into(), "".into()],
            is_learner: true,
        },
        "08 01 12 01 6d 1a 01 70 22 01 63 22 00 28 01",
    );
    check(leasepb::Lease { id: 1, ttl: 2, remaining_ttl: 3 }, "08 01 10 02 18 03");
    check(pb::MoveLeaderRequest { target_id: 4 }, "08 04");
}

#[test]
fn stored_user() {
    check(
        authpb::User {
            name: "root".into(),
            password: "".into(),
            roles: vec!["root".into()],
            options: Some(authpb::UserAddOptions { no_password: true }),
        },
        "0a 04 72 6f 6f 74 1a 04 72 6f 6f 74 22 02 08 01",
    );
}

#[test]
fn nested_transaction() {
    let range = request_op::Request::RequestRange(pb::RangeRequest { key: "a".into(), ..Default::default() });
    let inner =
        pb::TxnRequest { failure: vec![pb::RequestOp { request: Some(range) }], ..Default::default() };
    let op = pb::RequestOp { request: Some(request_op::Request::RequestTxn(inner)) };
    check(pb::TxnRequest { success: vec![op], ..Default::default() }, "12 09 22 07 1a 05 0a 03 0a 01 61");
}

#[test]
fn range_stream_piece() {
    let piece = pb::RangeResponse { count: 1, ..Default::default() };
    check(pb::RangeStreamResponse { range_response: Some(piece) }, "0a 02 20 01");
}

#[test]
fn health() {
    use healthpb::health_check_response::ServingStatus;
    check(healthpb::HealthCheckResponse { status: ServingStatus::Serving as i32 }, "08 01");
    let status = healthpb::HealthCheckResponse { status: ServingStatus::NotServing as i32 };
    check(
        healthpb::HealthListResponse { statuses: [("a".to_owned(), status)].into() },
        "0a 07 0a 01 61 12 02 08 02",
    );
}

#[test]
fn unknown_fields_are_skipped() {
    reads("0a 01 6b fa 7f 03 01 02 03", pb::PutRequest { key: "k".into(), ..Default::default() });
}

#[test]
fn broken_bytes_are_an_error() {
    assert!(pb::PutRequest::decode(hex("0a 05 6b").as_slice()).is_err());
    assert!(raftpb::Entry::decode(hex("08").as_slice()).is_err());
}

#[test]
fn a_raft_entry_payload_stays_small() {
    // Rare arms are boxed; a new unboxed one would be moved around with every put.
    let size = size_of::<pb::InternalRaftRequest>();
    assert!(size <= 900, "{size} bytes");
}
