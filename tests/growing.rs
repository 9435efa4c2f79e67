//! Real members: one grows to three, one of them is replaced, and in the end one is left, while clients write.
#![allow(clippy::unwrap_used)]

mod support;

use detcd_proto::etcdserverpb as pb;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Folder, Member, cluster, free_ports};

type Acked = Arc<Mutex<Vec<(String, String)>>>;

/// Writes each key once, by whoever is in the list, until told to stop.
async fn write(members: Arc<Mutex<Vec<String>>>, acked: Acked, stop: Arc<AtomicBool>, writer: usize) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let (key, value) = (format!("k/{writer}/{number}"), format!("v{number}"));
        let address = {
            let members = members.lock().unwrap();
            members[(writer + number) % members.len()].clone()
        };
        let put =
            pb::PutRequest { key: key.clone().into(), value: value.clone().into(), ..Default::default() };
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut kv =
            detcd_runtime_tokio::generated::etcdserverpb::kv_client::KvClient::new(channel.connect_lazy());
        if let Ok(Ok(_)) = tokio::time::timeout(Duration::from_millis(500), kv.put(put)).await {
            acked.lock().unwrap().push((key, value));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs etcdctl until it does what it is asked to; some refusals pass.
fn insist(member: &Member, args: &[&str]) -> String {
    let begin = Instant::now();
    loop {
        let output = member.etcdctl(args);
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.success() {
            return said;
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(begin.elapsed() < Duration::from_secs(60), "{args:?}: {why}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The id in `Member <id> added to cluster …`.
fn id_in(said: &str) -> String {
    said.trim_start_matches("Member").split_whitespace().next().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_is_renewed_and_shrinks_and_loses_nothing() {
    let folder = Folder::new("growing");
    let mut members = cluster(&folder, 1);
    members[0].start();
    members[0].wait_healthy();
    let listed = Arc::new(Mutex::new(vec![members[0].client.clone()]));
    let (acked, stop) = (Acked::default(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..4)
        .map(|writer| tokio::spawn(write(listed.clone(), acked.clone(), stop.clone(), writer)))
        .collect();
    let list = |member: &Member| String::from_utf8(member.etcdctl(&["member", "list"]).stdout).unwrap();
    let mut ids = vec![list(&members[0]).split(',').next().unwrap().to_string()];

    // Two more: one as a voter, one as a learner that is promoted, by way of a member that does not lead.
    for (name, learner) in [("n1", false), ("n2", true)] {
        let peer = free_ports(1)[0];
        let urls = format!("--peer-urls=http://127.0.0.1:{peer}");
        let mut args = vec!["member", "add", name, &urls];
        args.extend(learner.then_some("--learner"));
        let said = insist(&members[0], &args);
        let id = id_in(&said);
        assert!(said.contains(if learner { "added as learner to cluster" } else { "added to cluster" }));
        let mut joining = Member::joining(&folder, name, peer, &said);
        joining.start();
        if learner {
            let said = insist(&members[1], &["member", "promote", &id]);
            assert!(said.starts_with(&format!("Member {id:>16} promoted in cluster")), "{said}");
        }
        joining.wait_healthy();
        listed.lock().unwrap().push(joining.client.clone());
        ids.push(id);
        members.push(joining);
    }
    let all = list(&members[2]);
    assert_eq!(all.lines().filter(|line| line.ends_with(", false")).count(), 3, "{all}");

    // The third is replaced by a fourth, in one command that waits for it.
    let peer = free_ports(1)[0];
    let url = format!("http://127.0.0.1:{peer}");
    let said = insist(&members[0], &["member", "add", "n3", &format!("--peer-urls={url}"), "--learner"]);
    let new = id_in(&said);
    let mut joining = Member::joining(&folder, "n3", peer, &said);
    joining.start();
    let done = insist(&members[0], &["member", "replace", &ids[2], &url, "--name=n3"]);
    assert!(done.ends_with(&format!("Member {:>16} replaced by {new:>16}\n", ids[2])), "{done}");
    assert!(members[2].wait_ended().success(), "a member that was removed ends by itself");
    let log = members[2].log_text();
    assert!(log.contains("the member has been permanently removed from the cluster"), "{log}");
    assert!(log.contains("data-dir used by this member must be removed"), "{log}");
    joining.wait_healthy();
    listed.lock().unwrap()[2] = joining.client.clone();
    members[2] = joining;
    ids[2] = new;
    // The first ones go, whoever leads among them; the last one stays.
    for gone in 0..2 {
        listed.lock().unwrap().remove(0);
        let last = &members[2];
        insist(last, &["member", "remove", &ids[gone]]);
        assert!(members[gone].wait_ended().success());
        members[2].wait_healthy();
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let acked = acked.lock().unwrap().clone();
    assert!(acked.len() > 100, "{} writes", acked.len());
    let everything = pb::RangeRequest { key: "k/".into(), range_end: "k0".into(), ..Default::default() };
    let found = members[2].kv().range(everything).await.unwrap().into_inner();
    let found: std::collections::BTreeMap<_, _> =
        found.kvs.into_iter().map(|kv| (kv.key.to_vec(), kv.value.to_vec())).collect();
    for (key, value) in &acked {
        assert_eq!(found.get(key.as_bytes()).map(Vec::as_slice), Some(value.as_bytes()), "{key}");
    }
    let last = list(&members[2]);
    assert_eq!(last.lines().count(), 1, "{last}");
    members[2].terminate();

    // With another address for its log it would wait for nobody; forced, it goes on alone too.
    members[2].flag("--force-new-cluster");
    members[2].start();
    members[2].wait_healthy();
    members[2].terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_with_a_wrong_list_is_refused_and_the_others_are_forgotten_by_force() {
    let folder = Folder::new("joining");
    let mut members = cluster(&folder, 3);
    members.iter_mut().for_each(Member::start);
    members.iter_mut().for_each(Member::wait_healthy);
    assert!(members[1].etcdctl(&["put", "k", "v"]).status.success());

    // Nobody has added it.
    let elsewhere = Folder::new("joining-stranger");
    let mut stranger = cluster(&elsewhere, 1).remove(0);
    let peers: Vec<String> = String::from_utf8(members[0].etcdctl(&["member", "list"]).stdout)
        .unwrap()
        .lines()
        .map(|line| line.split(", ").skip(2).take(2).collect::<Vec<_>>().join("="))
        .collect();
    stranger.flag("--initial-cluster-state=existing");
    let own = free_ports(1)[0];
    stranger.flag(&format!("--initial-advertise-peer-urls=http://127.0.0.1:{own}"));
    stranger.flag("--name=stranger");
    stranger.flag(&format!("--initial-cluster={},stranger=http://127.0.0.1:{own}", peers.join(",")));
    stranger.start();
    assert_eq!(stranger.wait_ended().code(), Some(1));
    let log = stranger.log_text();
    assert!(log.contains("error validating peerURLs {ClusterID:"), "{log}");
    assert!(log.contains("member count is unequal"), "{log}");

    // A member whose disk was wiped may not begin as if it were new.
    members[0].terminate();
    std::fs::remove_dir_all(folder.path().join("m0.etcd")).unwrap();
    members[0].start();
    assert_eq!(members[0].wait_ended().code(), Some(1));
    assert!(members[0].log_text().contains("has already been bootstrapped"), "{}", members[0].log_text());

    // Two of three are lost for good.
    members[2].kill();
    members[1].kill();
    members[1].flag("--force-new-cluster");
    members[1].start();
    members[1].wait_healthy();
    let list = String::from_utf8(members[1].etcdctl(&["member", "list"]).stdout).unwrap();
    assert_eq!(list.lines().count(), 1, "{list}");
    assert_eq!(members[1].etcdctl(&["get", "k", "--print-value-only"]).stdout, b"v\n");
    assert!(members[1].etcdctl(&["put", "k", "w"]).status.success());
    members[1].terminate();
}
