//! The Lock and Election services of a real member, as a client sees them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use detcd_proto::{
    etcdserverpb as pb,
    v3electionpb::{CampaignRequest, LeaderKey, LeaderRequest, ProclaimRequest, ResignRequest},
    v3lockpb::{LockRequest, UnlockRequest},
};
use detcd_runtime_tokio::generated::{
    etcdserverpb::lease_client::LeaseClient, v3electionpb::election_client::ElectionClient,
    v3lockpb::lock_client::LockClient,
};
use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{Folder, Member, cluster};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.expect("done in time")
}

fn member(folder: &Folder) -> Member {
    let mut member = cluster(folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    member
}

async fn grant(member: &Member, id: i64, ttl: i64) -> i64 {
    let request = pb::LeaseGrantRequest { id, ttl };
    soon(LeaseClient::new(member.channel()).lease_grant(request)).await.unwrap().into_inner().id
}

/// The keys under a prefix that ends with a slash, with their leases, the oldest first.
async fn queue(member: &Member, prefix: &str) -> Vec<(String, i64)> {
    let request = pb::RangeRequest {
        key: prefix.to_string().into(),
        range_end: format!("{}0", prefix.trim_end_matches('/')).into(),
        sort_target: pb::range_request::SortTarget::Create.into(),
        sort_order: pb::range_request::SortOrder::Ascend.into(),
        ..Default::default()
    };
    let found = soon(member.kv().range(request)).await.unwrap().into_inner();
    found.kvs.into_iter().map(|kv| (String::from_utf8(kv.key.to_vec()).unwrap(), kv.lease)).collect()
}

/// Waits until so many stand under the prefix.
async fn queued(member: &Member, prefix: &str, count: usize) {
    soon(async {
        while queue(member, prefix).await.len() != count {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn unknown<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Unknown, "{status}");
    status.message().to_string()
}

#[tokio::test]
async fn a_lock_goes_from_one_to_the_next_in_the_order_of_asking() {
    let folder = Folder::new("locks-order");
    let member = member(&folder);
    let mut locks = LockClient::new(member.channel());
    let lock = |lease: i64| LockRequest { name: "l".into(), lease };
    for lease in [0x10, 0xab, -1] {
        grant(&member, lease, 600).await;
    }
    let first = soon(locks.lock(lock(0x10))).await.unwrap().into_inner();
    assert_eq!(&first.key[..], b"l/10");
    // Whoever has it gets it again, and keeps the place.
    let again = soon(locks.lock(lock(0x10))).await.unwrap().into_inner();
    assert_eq!(again.key, first.key);

    let second = tokio::spawn({
        let mut locks = locks.clone();
        async move { locks.lock(lock(0xab)).await }
    });
    queued(&member, "l/", 2).await;
    let mut gone = tokio::spawn({
        let mut locks = locks.clone();
        async move { locks.lock(lock(-1)).await }
    });
    queued(&member, "l/", 3).await;
    let everybody = [("l/10".to_string(), 0x10), ("l/ab".to_string(), 0xab), ("l/-1".to_string(), -1)];
    assert_eq!(queue(&member, "l/").await, everybody);
    assert!(!second.is_finished());
    // Who goes away while it waits stands in nobody's way.
    gone.abort();
    assert!((&mut gone).await.unwrap_err().is_cancelled());
    queued(&member, "l/", 2).await;

    let unlocked = soon(locks.unlock(UnlockRequest { key: first.key })).await.unwrap().into_inner();
    let second = soon(second).await.unwrap().unwrap().into_inner();
    assert_eq!(&second.key[..], b"l/ab");
    assert!(second.header.unwrap().revision >= unlocked.header.unwrap().revision);

    // A waiter whose lease ends is told so at once, though somebody still stands before it.
    grant(&member, 0xdead, 600).await;
    let lost = tokio::spawn({
        let mut locks = locks.clone();
        async move { locks.lock(lock(0xdead)).await }
    });
    queued(&member, "l/", 2).await;
    let revoke = pb::LeaseRevokeRequest { id: 0xdead };
    soon(LeaseClient::new(member.channel()).lease_revoke(revoke)).await.unwrap();
    assert_eq!(unknown(soon(lost).await.unwrap()), "mutex: session is expired");
    assert_eq!(queue(&member, "l/").await, [("l/ab".to_string(), 0xab)]);
}

#[tokio::test]
async fn odd_requests_are_answered_as_by_etcd() {
    let folder = Folder::new("locks-odd");
    let member = member(&folder);
    let mut locks = LockClient::new(member.channel());
    let unknown_lease = locks.lock(LockRequest { name: "l".into(), lease: 7 }).await;
    assert_eq!(unknown(unknown_lease), "etcdserver: requested lease not found");
    assert_eq!(unknown(locks.unlock(UnlockRequest::default()).await), "etcdserver: key is not provided");
    soon(locks.unlock(UnlockRequest { key: "nobody's".into() })).await.unwrap();
    // Without a lease, and without a name.
    let locked = soon(locks.lock(LockRequest::default())).await.unwrap().into_inner();
    let granted = pb::LeaseTimeToLiveRequest { id: queue(&member, "/").await[0].1, keys: true };
    let lease =
        soon(LeaseClient::new(member.channel()).lease_time_to_live(granted)).await.unwrap().into_inner();
    assert_eq!((lease.granted_ttl, &lease.keys[..]), (60, &[locked.key.clone()][..]));
    assert_eq!(String::from_utf8(locked.key.to_vec()).unwrap(), format!("/{:x}", lease.id));

    let mut elections = ElectionClient::new(member.channel());
    let missing = "\"leader\" field must be provided";
    assert_eq!(unknown(elections.proclaim(ProclaimRequest::default()).await), missing);
    assert_eq!(unknown(elections.resign(ResignRequest::default()).await), missing);
    assert_eq!(unknown(elections.leader(LeaderRequest { name: "e".into() }).await), "election: no leader");
    let stale = LeaderKey { name: "e".into(), key: "e/1".into(), rev: 77, lease: 1 };
    let proclaim = ProclaimRequest { leader: Some(stale.clone()), value: "v".into() };
    assert_eq!(unknown(elections.proclaim(proclaim).await), "election: not leader");
    soon(elections.resign(ResignRequest { leader: Some(stale) })).await.unwrap();
}

#[tokio::test]
async fn an_election_is_won_proclaimed_observed_and_resigned() {
    let folder = Folder::new("elections");
    let member = member(&folder);
    let mut elections = ElectionClient::new(member.channel());
    let name = || LeaderRequest { name: "e".into() };
    let campaign = |lease: i64, value: &str| CampaignRequest {
        name: "e".into(),
        lease,
        value: value.to_string().into(),
    };
    let mut seen = soon(elections.observe(name())).await.unwrap().into_inner();
    for lease in [1, 2] {
        grant(&member, lease, 600).await;
    }
    let first = soon(elections.campaign(campaign(1, "a"))).await.unwrap().into_inner();
    let leader = first.leader.unwrap();
    assert_eq!((&leader.name[..], &leader.key[..], leader.lease), (&b"e"[..], &b"e/1"[..], 1));
    assert_eq!(leader.rev, first.header.unwrap().revision);
    let said = soon(seen.message()).await.unwrap().unwrap();
    assert_eq!((said.header.unwrap().revision, &said.kv.unwrap().value[..]), (leader.rev, &b"a"[..]));

    // Campaigning again with another value says it.
    soon(elections.campaign(campaign(1, "b"))).await.unwrap();
    assert_eq!(&soon(seen.message()).await.unwrap().unwrap().kv.unwrap().value[..], b"b");
    let proclaim = ProclaimRequest { leader: Some(leader.clone()), value: "c".into() };
    soon(elections.proclaim(proclaim)).await.unwrap();
    assert_eq!(&soon(seen.message()).await.unwrap().unwrap().kv.unwrap().value[..], b"c");
    let told = soon(elections.leader(name())).await.unwrap().into_inner();
    assert_eq!(&told.kv.unwrap().value[..], b"c");

    let second = tokio::spawn({
        let (mut elections, request) = (elections.clone(), campaign(2, "d"));
        async move { elections.campaign(request).await }
    });
    queued(&member, "e/", 2).await;
    soon(elections.resign(ResignRequest { leader: Some(leader) })).await.unwrap();
    let second = soon(second).await.unwrap().unwrap().into_inner().leader.unwrap();
    assert_eq!(&second.key[..], b"e/2");
    assert_eq!(&soon(seen.message()).await.unwrap().unwrap().kv.unwrap().value[..], b"d");
}

/// Waits for the process; its exit code and what it said.
fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What the process says first, without the end of the line.
fn first_line(child: &mut Child) -> String {
    // Byte by byte: what comes behind the line is left for later.
    let (mut line, mut byte) = (Vec::new(), [0]);
    while child.stdout.as_mut().unwrap().read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

fn etcdctl(member: &Member, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_etcdctl"))
        .arg(format!("--endpoints={}", member.client))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn etcdctl_holds_locks_and_stands_for_election() {
    let folder = Folder::new("locks-etcdctl");
    let member = member(&folder);
    let mut holder = etcdctl(&member, &["lock", "l"]);
    let held = first_line(&mut holder);
    let waiter =
        etcdctl(&member, &["lock", "l", "--", "sh", "-c", "echo $ETCD_LOCK_KEY $ETCD_LOCK_REV; exit 7"]);
    queued(&member, "l/", 2).await;
    let bored = etcdctl(&member, &["lock", "l"]);
    queued(&member, "l/", 3).await;
    interrupt(&bored);
    assert_eq!(ended(bored), (Some(1), String::new(), "Error: context canceled\n".to_string()));
    queued(&member, "l/", 2).await;
    let keys = queue(&member, "l/").await;
    interrupt(&holder);
    assert_eq!((held, ended(holder)), (keys[0].0.clone(), (Some(0), "\n".to_string(), String::new())));
    let (code, out, err) = ended(waiter);
    assert!(out.starts_with(&format!("{} ", keys[1].0)), "{out}");
    assert_eq!((code, err), (Some(7), "Error: exit status 7\n".to_string()));
    queued(&member, "l/", 0).await;

    let mut leader = etcdctl(&member, &["elect", "e", "me"]);
    let key = first_line(&mut leader);
    assert_eq!(queue(&member, "e/").await[0].0, key);
    interrupt(&leader);
    assert_eq!(ended(leader), (Some(0), "me\n".to_string(), String::new()));
    queued(&member, "e/", 0).await;
    for (args, why) in [
        (vec!["lock"], "lock takes a lock name argument and an optional command to execute"),
        (vec!["elect"], "elect takes one election name argument and an optional proposal argument"),
        (vec!["elect", "e"], "no proposal argument but -l not set"),
        (vec!["elect", "-l", "e", "me"], "proposal given but -l is set"),
    ] {
        assert_eq!(ended(etcdctl(&member, &args)), (Some(128), String::new(), format!("Error: {why}\n")));
    }
}
