//! Clients that write all the time, and what became of what they wrote.
use super::Member;
use detcd_proto::etcdserverpb as pb;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const WRITERS: usize = 8;

/// What was acknowledged: key, value, and when.
#[derive(Default)]
pub struct Acked(Mutex<BTreeMap<String, (String, Instant)>>);

impl Acked {
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.0.lock().unwrap().values().map(|(_, at)| *at).filter(|at| *at > moment).min()
    }
}

/// Clients that write until told to stop, each key once, and go to the next member when one does not answer.
pub struct Load {
    pub acked: Arc<Acked>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    pub fn start(members: &[Member], round: &str) -> Load {
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

    pub async fn until_acked(&self, count: usize) {
        let begin = Instant::now();
        while self.acked.count() < count {
            assert!(begin.elapsed() < Duration::from_secs(120), "only {} writes", self.acked.count());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn end(self) -> Arc<Acked> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.acked
    }
}

pub fn get(key: &str, serializable: bool) -> pb::RangeRequest {
    pb::RangeRequest { key: key.to_string().into(), serializable, ..Default::default() }
}

/// Every acknowledged write is there, asked at each member.
pub async fn check(members: &[Member], acked: &Acked) {
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

/// Starts those that do not run, and waits until all are healthy.
pub fn start(members: &mut [Member]) {
    for member in members.iter_mut().filter(|member| !member.is_running()) {
        member.start();
    }
    for member in members {
        member.wait_healthy();
    }
}
