//! Real members that write checkpoints all the time, killed without warning while clients write.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use support::{
    Folder, Member, cluster,
    load::{Load, check, start},
};

fn eager(name: &str, count: usize) -> (Folder, Vec<Member>) {
    let folder = Folder::new(name);
    let mut members = cluster(&folder, count);
    for member in &mut members {
        member.flag("--snapshot-count=40");
    }
    start(&mut members);
    (folder, members)
}

fn images(member: &Member) -> Vec<String> {
    member.files("member/snap").into_iter().filter(|name| name.ends_with(".snap.db")).collect()
}

async fn die_under_load(members: &mut [Member], rounds: usize) {
    let mut all = Vec::new();
    for round in 0..rounds {
        let load = Load::start(members, &format!("round{round}"));
        load.until_acked(400).await;
        for member in members.iter_mut() {
            member.kill();
        }
        all.push(load.end().await);
        start(members);
        for acked in &all {
            check(members, acked).await;
        }
    }
    for member in members {
        assert!(member.log_text().contains("recovered store from snapshot"), "{}", member.log_text());
        let files = member.files("member/snap");
        assert!(images(member).len() <= 3, "two that count, and one that is new: {files:?}");
        for image in images(member) {
            assert!(files.contains(&format!("{image}.sums")), "{files:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_member_loses_nothing() {
    let (_folder, mut members) = eager("checkpoints-one", 1);
    die_under_load(&mut members, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_lose_nothing() {
    let (_folder, mut members) = eager("checkpoints-three", 3);
    die_under_load(&mut members, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used() {
    let (folder, mut members) = eager("checkpoints-rot", 1);
    let load = Load::start(&members, "rot");
    load.until_acked(400).await;
    let acked = load.end().await;
    members[0].terminate();
    let newest = images(&members[0]).pop().unwrap();
    let path = folder.path().join("m0.etcd/member/snap").join(&newest);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, bytes).unwrap();
    start(&mut members);
    check(&members, &acked).await;
    let said = members[0].log_text();
    assert!(said.contains("wrong checksum of the block"), "{said}");
    assert!(said.contains("recovered store from snapshot instead"), "{said}");
    assert!(members[0].files("member/snap").contains(&format!("{newest}.broken")));
}
