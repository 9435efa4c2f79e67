//! A member that was away while the others forgot what it lacks comes back by a snapshot, and a watcher there hears all
//! that is left to be heard.
#![allow(clippy::unwrap_used)]

mod support;

use detcd_proto::etcdserverpb as pb;
use detcd_runtime_tokio::generated::etcdserverpb::maintenance_client::MaintenanceClient;
use std::time::{Duration, Instant};
use support::{Folder, Member, cluster};

const PATIENCE: Duration = Duration::from_secs(60);

async fn put(member: &Member, from: usize, count: usize) {
    let mut kv = member.kv();
    for number in from..from + count {
        let put = pb::PutRequest {
            key: format!("k{}", number % 50).into(),
            value: vec![b'v'; 200 + number % 7].into(),
            ..Default::default()
        };
        kv.put(put).await.unwrap();
    }
}

async fn hash_kv(member: &Member) -> (u32, i64) {
    let mut maintenance = MaintenanceClient::new(member.channel());
    let reply = maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    (reply.hash, reply.hash_revision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_for_long_catches_up_by_a_snapshot() {
    let folder = Folder::new("catch-up");
    let mut members = cluster(&folder, 3);
    for member in &mut members {
        for flag in ["--snapshot-count=40", "--snapshot-catchup-entries=10"] {
            member.flag(flag);
        }
        member.start();
    }
    members.iter_mut().for_each(Member::wait_healthy);
    put(&members[0], 0, 30).await;
    members[2].kill();
    put(&members[0], 30, 400).await;
    members[2].start();
    members[2].wait_healthy();
    let begun = Instant::now();
    loop {
        let (one, two) = (hash_kv(&members[0]).await, hash_kv(&members[2]).await);
        if one == two {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{one:?} and {two:?}; its log: {}", members[2].log_text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = members[2].log_text();
    for line in ["receiving database snapshot", "received and saved database snapshot", "applied snapshot"] {
        assert!(log.contains(line), "no {line:?} in {log}");
    }
    let (_, metrics) = members[2].http_get("/metrics").unwrap();
    let received = metrics.lines().find(|line| line.starts_with("etcd_network_snapshot_receive_success{"));
    assert!(received.is_some_and(|line| line.ends_with(" 1")), "{received:?}");

    // What it got is on its disk, and it takes part.
    members[2].kill();
    members[2].start();
    members[2].wait_healthy();
    put(&members[2], 430, 20).await;
    let begun = Instant::now();
    while hash_kv(&members[0]).await != hash_kv(&members[2]).await {
        assert!(begun.elapsed() < PATIENCE, "not equal after a restart");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
