//! Three real members on loopback, killed without warning while clients write.
//!
//! Nothing here judges a time: how long writes stood still after the leader's death is printed
//! (`cargo test --release --test three_members -- --nocapture`).
#![allow(clippy::unwrap_used)]

mod support;

use detcd_proto::etcdserverpb as pb;
use std::time::{Duration, Instant};
use support::{
    Folder, Member, cluster,
    load::{Load, check, get, start},
};

async fn leader(members: &[Member]) -> usize {
    for _ in 0..500 {
        for (at, member) in members.iter().enumerate() {
            if let Ok(status) = member.status().await
                && let Some(header) = &status.header
                && header.member_id == status.leader
            {
                return at;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no leader");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_survive_the_death_of_the_leader_and_of_everybody() {
    let folder = Folder::new("three-members");
    let mut members = cluster(&folder, 3);
    start(&mut members);

    // Written at one, read at the others.
    members[0]
        .kv()
        .put(pb::PutRequest { key: "k".into(), value: "v".into(), ..Default::default() })
        .await
        .unwrap();
    for member in &members[1..] {
        let reply = member.kv().range(get("k", false)).await.unwrap().into_inner();
        assert_eq!(&reply.kvs[0].value[..], b"v");
    }

    // The leader dies under load, and the others go on.
    let load = Load::start(&members, "leader");
    load.until_acked(500).await;
    let first = leader(&members).await;
    members[first].kill();
    let killed = Instant::now();
    let before = load.acked.count();
    load.until_acked(before + 500).await;
    let acked = load.end().await;
    let stood_still = acked.first_after(killed).expect("writes went on") - killed;
    println!("the leader died: first write acknowledged after {} ms", stood_still.as_millis());
    start(&mut members);
    check(&members, &acked).await;
    println!("{} writes acknowledged around it, all there on all members", acked.count());

    // Everybody dies under load, and comes back.
    let load = Load::start(&members, "everybody");
    load.until_acked(500).await;
    for member in &mut members {
        member.kill();
    }
    let acked_all = load.end().await;
    start(&mut members);
    check(&members, &acked_all).await;
    check(&members, &acked).await;
    println!("all three died: {} writes acknowledged before, all there on all members", acked_all.count());

    // A polite end is an end by the signal that asked for it, the leader's too.
    for member in &mut members {
        member.terminate();
    }
}
