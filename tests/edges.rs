//! What clients seldom ask for, of real processes on loopback.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use detcd_proto::etcdserverpb as pb;
use detcd_runtime_tokio::generated::etcdserverpb::maintenance_client::MaintenanceClient;
use support::{Folder, cluster};
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
