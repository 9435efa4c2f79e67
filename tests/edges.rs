//! What clients seldom ask for, of real processes on loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use detcd_proto::etcdserverpb::{self as pb, downgrade_request::DowngradeAction};
use detcd_runtime_tokio::generated::etcdserverpb::{
    cluster_client::ClusterClient, maintenance_client::MaintenanceClient,
};
use support::{Folder, Member, cluster};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;

fn range(key: &'static str, range_end: &'static str) -> pb::RangeRequest {
    pb::RangeRequest { key: key.into(), range_end: range_end.into(), ..Default::default() }
}

#[tokio::test]
async fn a_streamed_range_is_the_range_in_pieces() {
    let folder = Folder::new("streamed-range");
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    let mut kv = member.kv();
    for number in 0..100 {
        let value = vec![b'v'; if number == 50 { 1 << 20 } else { 10 }];
        let key = format!("k{number:02}");
        kv.put(pb::PutRequest { key: key.into(), value: value.into(), ..Default::default() }).await.unwrap();
    }
    for limit in [0, 60] {
        let request = pb::RangeRequest { limit, ..range("k", "l") };
        let whole = kv.range(request.clone()).await.unwrap().into_inner();
        let mut stream = kv.range_stream(request).await.unwrap().into_inner();
        let mut pieces = Vec::new();
        while let Some(piece) = stream.message().await.unwrap() {
            pieces.push(piece.range_response.unwrap());
        }
        let last = pieces.pop().unwrap();
        assert!(pieces.len() >= 2, "{} pieces", pieces.len());
        assert!(pieces.iter().all(|piece| piece.header.is_none() && piece.count == 0 && !piece.more));
        let kvs: Vec<_> = pieces.into_iter().flat_map(|piece| piece.kvs).chain(last.kvs).collect();
        assert_eq!(pb::RangeResponse { kvs, ..last }, whole);
    }
    for (request, code, text) in [
        (range("", ""), Code::InvalidArgument, "etcdserver: key is not provided"),
        (
            pb::RangeRequest { sort_order: 2, ..range("k", "l") },
            Code::Unimplemented,
            "RangeStream does not support custom sort orders",
        ),
        (
            pb::RangeRequest { max_mod_revision: 9, ..range("k", "l") },
            Code::Unimplemented,
            "RangeStream does not support revision filters",
        ),
        (
            pb::RangeRequest { revision: 1000, ..range("k", "l") },
            Code::OutOfRange,
            "etcdserver: mvcc: required revision is a future revision",
        ),
    ] {
        let status = kv.range_stream(request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, text));
    }
}

#[tokio::test]
async fn the_lead_moves_where_it_may() {
    let folder = Folder::new("move-leader");
    let mut members = cluster(&folder, 3);
    for member in &mut members {
        member.start();
    }
    for member in &mut members {
        member.wait_healthy();
    }
    let status = members[0].status().await.unwrap();
    let mut ids = Vec::new();
    for member in &members {
        ids.push(member.status().await.unwrap().header.unwrap().member_id);
    }
    let old = ids.iter().position(|id| *id == status.leader).unwrap();
    let heir = (old + 1) % 3;
    let ask = |at: usize, target_id: u64| {
        let mut client = MaintenanceClient::new(members[at].channel());
        async move { client.move_leader(pb::MoveLeaderRequest { target_id }).await }
    };
    let refused = ask(heir, ids[heir]).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "etcdserver: not leader"));
    let refused = ask(old, 7).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::FailedPrecondition, "etcdserver: bad leader transferee")
    );
    assert_eq!(ask(old, ids[old]).await.unwrap().into_inner(), pb::MoveLeaderResponse::default());
    assert_eq!(ask(old, ids[heir]).await.unwrap().into_inner(), pb::MoveLeaderResponse::default());
    assert_eq!(members[heir].status().await.unwrap().leader, ids[heir]);
    let mut client = MaintenanceClient::new(members[old].channel());
    let answer = client.defragment(pb::DefragmentRequest {}).await.unwrap().into_inner();
    assert_eq!(answer, pb::DefragmentResponse::default());
}

#[tokio::test]
async fn changes_of_the_members_are_checked_as_etcd_checks_them() {
    let folder = Folder::new("member-checks");
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    let mut client = ClusterClient::new(member.channel());
    let list = client.member_list(pb::MemberListRequest { linearizable: true }).await.unwrap().into_inner();
    assert_eq!(list.header.unwrap().revision, 0);
    let me = list.members[0].clone();

    let add = |urls: &[&str]| pb::MemberAddRequest {
        peer_urls: urls.iter().map(ToString::to_string).collect(),
        is_learner: false,
    };
    for bad in [&[][..], &["127.0.0.1:1"], &["http://127.0.0.1:1/"], &["http://127.0.0.1:1", "http://a"]] {
        let refused = client.member_add(add(bad)).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, "etcdserver: given member URLs are invalid"),
            "{bad:?}"
        );
    }
    let refused = client.member_add(add(&[&format!(" {}", me.peer_urls[0])])).await.unwrap_err();
    let exists = "etcdserver: Peer URLs already exists";
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, exists));
    let refused = client.member_remove(pb::MemberRemoveRequest { id: me.id }).await.unwrap_err();
    let few = "etcdserver: re-configuration failed due to not enough started members";
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, few));
    let (gone, found) = (pb::MemberRemoveRequest { id: 7 }, "etcdserver: member not found");
    let refused = client.member_remove(gone).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, found));
    let refused = client.member_promote(pb::MemberPromoteRequest { id: me.id }).await.unwrap_err();
    let voter = "etcdserver: can only promote a learner member";
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, voter));
}

/// Waits until the member's storage has this version.
async fn storage_is(member: &Member, version: &str) {
    while member.status().await.unwrap().storage_version != version {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_cluster_is_prepared_for_the_version_before_and_comes_back() {
    let folder = Folder::new("downgrade");
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    let mut client = MaintenanceClient::new(member.channel());
    let request = |action: DowngradeAction, version: &str| pb::DowngradeRequest {
        action: action.into(),
        version: version.to_string(),
    };
    storage_is(&member, "3.7.0").await;
    use DowngradeAction::{Cancel, Enable, Validate};
    for (action, version, code, text) in [
        (Validate, "x", Code::InvalidArgument, "etcdserver: wrong downgrade target version format"),
        (Enable, "", Code::InvalidArgument, "etcdserver: wrong downgrade target version format"),
        (Validate, "3.5", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
        (Enable, "3.7", Code::InvalidArgument, "etcdserver: invalid downgrade target version"),
    ] {
        let refused = client.downgrade(request(action, version)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (code, text), "{version}");
    }
    let unknown = pb::DowngradeRequest { action: 9, version: String::new() };
    let refused = client.downgrade(unknown).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "etcdserver: unknown method"));

    for (action, version) in [(Cancel, ""), (Validate, "3.6"), (Enable, "3.6.2")] {
        let answer = client.downgrade(request(action, version)).await.unwrap().into_inner();
        assert_eq!(answer.version, "3.7", "{action:?}");
        assert!(answer.header.unwrap().revision == 1);
    }
    let info = member.status().await.unwrap().downgrade_info.unwrap();
    assert_eq!((info.enabled, info.target_version.as_str()), (true, "3.6.0"));
    storage_is(&member, "3.6.0").await;
    let refused = client.downgrade(request(Validate, "3.5")).await.unwrap_err();
    let running = "etcdserver: cluster has a downgrade job in progress";
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, running));
    // What was agreed on is in the log.
    member.kill();
    member.start();
    member.wait_healthy();
    assert_eq!(member.status().await.unwrap().downgrade_info, Some(info));
    client.downgrade(request(Cancel, "")).await.unwrap();
    assert_eq!(member.status().await.unwrap().downgrade_info, Some(pb::DowngradeInfo::default()));
    storage_is(&member, "3.7.0").await;
}

#[tokio::test]
async fn a_connection_that_only_pings_is_ended() {
    let folder = Folder::new("pings");
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    let mut connection = tokio::net::TcpStream::connect(&member.client).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for _ in 0..4 {
        bytes.extend(b"\0\0\x08\x06\0\0\0\0\0pingpong");
    }
    connection.write_all(&bytes).await.unwrap();
    let mut heard = Vec::new();
    connection.read_to_end(&mut heard).await.unwrap();
    // No stream was opened; the code is ENHANCE_YOUR_CALM.
    assert!(heard.ends_with(b"\0\0\x16\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo_many_pings"), "{heard:?}");
}
