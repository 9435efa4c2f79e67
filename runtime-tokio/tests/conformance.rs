//! The driver's suite for runtimes, on ordinary files in a temporary folder and sockets of the loopback.
#![allow(clippy::unwrap_used)]

use detcd_core::{ClusterId, Member, MemberId};
use detcd_driver::{
    CallFailed, PeerAnswer, PeerCall,
    conformance::{self, Stand},
};
use detcd_runtime_tokio::{
    Tokio,
    disk::DataDir,
    net::{Identity, Net, PeerFront, serve},
    stop::{Stop, stop},
    threads::Reactors,
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// A data directory of its own for one member, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Folder(std::env::temp_dir().join(format!("detcd-conformance-{}-{number}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[derive(Clone)]
struct Front;

impl PeerFront for Front {
    fn members(&self) -> Vec<Member> {
        Vec::new()
    }

    async fn call(&self, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        conformance::answer(call)
    }
}

/// Members that listen and know nobody yet.
struct Group {
    stands: Vec<Stand<Tokio>>,
    stops: Vec<Stop>,
    _folders: Vec<Folder>,
}

async fn group(size: u64) -> Group {
    let reactors = Arc::new(Reactors::start(2).unwrap());
    let mut group = Group { stands: Vec::new(), stops: Vec::new(), _folders: Vec::new() };
    for id in 1..=size {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let member = Member {
            id: MemberId(id),
            name: format!("m{id}"),
            peer_urls: vec![url.clone()],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let identity =
            Identity { member: member.id, cluster: ClusterId(0xc0f), peer_urls: member.peer_urls.clone() };
        let net = Net::new(identity, Duration::from_secs(2), reactors.first().clone());
        let (stop, stopping) = stop();
        tokio::spawn(serve(listener, net.clone(), Front, stopping));
        let folder = Folder::new();
        let rt = Tokio::new(DataDir::open(&folder.0).unwrap(), net, reactors.clone());
        group.stands.push(Stand { member, rt });
        group.stops.push(stop);
        group._folders.push(folder);
    }
    group
}

fn perform(suite: impl AsyncFn(&Group), size: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let group = group(size).await;
        suite(&group).await;
        for (stand, stop) in group.stands.iter().zip(&group.stops) {
            stop.cut();
            detcd_driver::Net::set_peers(detcd_driver::Runtime::net(&stand.rt), &[], &[]);
        }
    });
    runtime.shutdown_background();
}

#[test]
fn files() {
    perform(async |group| conformance::files(&group.stands[0].rt).await, 1);
}

#[test]
fn names() {
    perform(async |group| conformance::names(&group.stands[0].rt).await, 1);
}

#[test]
fn clock() {
    perform(async |group| conformance::clock(&group.stands[0].rt).await, 1);
}

#[test]
fn secrets() {
    perform(async |group| conformance::secrets(&group.stands[0].rt).await, 1);
}

#[test]
fn tasks() {
    perform(async |group| conformance::tasks(&group.stands[0].rt).await, 1);
}

#[test]
fn links_and_calls() {
    let suite = async |group: &Group| {
        conformance::links(&group.stands).await;
        conformance::calls(&group.stands).await;
        group.stops[1].cut();
        detcd_driver::Net::set_peers(detcd_driver::Runtime::net(&group.stands[1].rt), &[], &[]);
        // The listener's task ends when it next runs.
        tokio::time::sleep(Duration::from_millis(50)).await;
        conformance::unreachable(&group.stands).await;
    };
    perform(suite, 3);
}

#[test]
fn messages() {
    perform(async |group| conformance::messages(&group.stands).await, 3);
}

#[test]
fn streams() {
    perform(async |group| conformance::streams(&group.stands).await, 3);
}
