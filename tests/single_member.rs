//! One real member, driven through our own etcdctl as a newcomer would.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};
use support::{Folder, Member, cluster};

fn one(name: &str) -> (Folder, Member) {
    let folder = Folder::new(name);
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    (folder, member)
}

/// Runs etcdctl and compares all it prints.
fn session(member: &Member, args: &[&str], expected: &str) {
    let output = member.etcdctl(args);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, expected, "etcdctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "etcdctl {args:?}");
}

#[test]
fn the_first_session() {
    let (_folder, member) = one("first-session");
    session(&member, &["put", "foo", "bar"], "OK\n");
    session(&member, &["get", "foo"], "foo\nbar\n");
    session(&member, &["put", "foo2", "bar2"], "OK\n");
    session(&member, &["get", "--prefix", ""], "foo\nbar\nfoo2\nbar2\n");
    session(&member, &["get", "foo", "--print-value-only"], "bar\n");
    session(&member, &["del", "foo"], "1\n");
    session(&member, &["get", "foo"], "");
    session(&member, &["compaction", "2"], "compacted revision 2\n");
    let refused = member.etcdctl(&["get", "foo2", "--rev", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("etcdserver: mvcc: required revision has been compacted"), "{said}");

    let (code, health) = member.http_get("/health").unwrap();
    assert_eq!((code, &health[..]), (200, r#"{"health":"true","reason":""}"#));
    let (code, version) = member.http_get("/version").unwrap();
    assert_eq!(code, 200);
    assert!(version.starts_with(r#"{"etcdserver":"3.7.1","etcdcluster":""#), "{version}");
}

#[test]
fn what_was_written_is_there_after_kill_9_and_after_a_polite_end() {
    let (_folder, mut member) = one("restart");
    session(&member, &["put", "a", "1"], "OK\n");
    member.kill();
    member.start();
    member.wait_healthy();
    session(&member, &["get", "a"], "a\n1\n");
    session(&member, &["put", "b", "2"], "OK\n");
    member.terminate();
    member.start();
    member.wait_healthy();
    session(&member, &["get", "--prefix", ""], "a\n1\nb\n2\n");
}

#[test]
fn a_watch_from_an_old_revision_prints_the_past_and_then_the_present() {
    let (_folder, member) = one("watch");
    session(&member, &["put", "/w/a", "1"], "OK\n");
    let mut watch = Command::new(env!("CARGO_BIN_EXE_etcdctl"))
        .env_clear()
        .args([&format!("--endpoints={}", member.client), "watch", "--prefix", "/w/", "--rev", "2"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let past: Vec<String> = lines.by_ref().take(3).collect();
    assert_eq!(past, ["PUT", "/w/a", "1"]);
    session(&member, &["del", "/w/a"], "1\n");
    let present: Vec<String> = lines.by_ref().take(3).collect();
    assert_eq!(present, ["DELETE", "/w/a", ""]);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn a_lease_keeps_its_keys_until_it_is_revoked_or_runs_out() {
    let (_folder, member) = one("lease");
    let granted = String::from_utf8(member.etcdctl(&["lease", "grant", "2"]).stdout).unwrap();
    let id = granted.split(' ').nth(1).unwrap();
    assert_eq!(granted, format!("lease {id} granted with TTL(2s)\n"));
    session(&member, &["put", "leased", "x", "--lease", id], "OK\n");
    session(&member, &["get", "leased"], "leased\nx\n");
    // It runs out by itself; how soon is the machine's business.
    while !member.etcdctl(&["get", "leased"]).stdout.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let gone = String::from_utf8(member.etcdctl(&["lease", "timetolive", id]).stdout).unwrap();
    assert_eq!(gone, format!("lease {id} already expired\n"));
}

#[test]
fn a_wrong_flag_ends_with_2_and_says_which() {
    let output = Command::new(env!("CARGO_BIN_EXE_etcd")).env_clear().arg("--no-such-flag").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no-such-flag"), "{said}");
}
