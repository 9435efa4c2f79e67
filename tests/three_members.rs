//! Three real members on loopback, killed without warning while clients write.
//!
//! Nothing here judges a time: how long writes stood still after the leader's death is printed
//! (`cargo test --release --test three_members -- --nocapture`).
#![allow(clippy::unwrap_used)]

mod support;

use detcd_proto::etcdserverpb as pb;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Folder, Member, cluster};

const WRITERS: usize = 8;

/// What was acknowledged: key, value, and when.
#[derive(Default)]
struct Acked(Mutex<BTreeMap<String, (String, Instant)>>);

impl Acked {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.0.lock().unwrap().values().map(|(_, at)| *at).filter(|at| *at > moment).min()
    }
}

/// Clients that write until told to stop, each key once, and go to the next member when one does not answer.
struct Load {
    acked: Arc<Acked>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(members: &[Member], round: &str) -> Load {
        let (acked, stop) = (Arc::new(Acked::default()), Arc::new(AtomicBool::new(false)));
        let task = |writer: usize| {
            let mut clients: Vec<_> = members.iter().map(Member::kv).collect();
            let (acked, stop, round) = (acked.clone(), stop.clone(), round.to_string());
            tokio::spawn(async move {
                let mut at = writer;
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (key, value) = (format!("{round}/{writer}/{number}"), format!("v{number}"));
                    let put = pb::PutRequest {
                        key: key.clone().into(),
                        value: value.clone().into(),
                        ..Default::default()
                    };
                    let member = at % clients.len();
                    let answer =
                        tokio::time::timeout(Duration::from_millis(500), clients[member].put(put)).await;
                    if let Ok(Ok(_)) = answer {
                        acked.0.lock().unwrap().insert(key, (value, Instant::now()));
                    } else {
                        at += 1;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            })
        };
        let tasks = (0..WRITERS).map(task).collect();
        Load { acked, stop, tasks }
    }

    async fn until_acked(&self, count: usize) {
        let begin = Instant::now();
        while self.acked.count() < count {
            assert!(begin.elapsed() < Duration::from_secs(120), "only {} writes", self.acked.count());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn end(self) -> Arc<Acked> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.acked
    }
}

fn get(key: &str, serializable: bool) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_string().into(), serializable, ..Default::default() }
}

/// Every acknowledged write is there, asked at each member.
async fn check(members: &[Member], acked: &Acked) {
    let expected = acked.0.lock().unwrap().clone();
    for (at, member) in members.iter().enumerate() {
        let mut kv = member.kv();
        // One linearizable read: from then on this member's own state has everything.
        kv.range(get("any", false)).await.unwrap();
        for (key, (value, _)) in &expected {
            let reply = kv.range(get(key, true)).await.unwrap().into_inner();
            let found = reply.kvs.first().map(|kv| &kv.value[..]);
            assert_eq!(found, Some(value.as_bytes()), "member {at}, key {key}");
        }
    }
}

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

fn start(members: &mut [Member]) {
    for member in members.iter_mut().filter(|member| !member.is_running()) {
        member.start();
    }
    for member in members {
        member.wait_healthy();
    }
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
