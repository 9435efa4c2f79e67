//! Every rule is shown code that breaks it and code that comes close without breaking it.

use super::rules::ALL;
use super::source::{Source, std_modules};
use super::{Fault, Tree, faults};

/// Lines at which `rule` finds fault with one file.
#[track_caller]
fn check(rule: &str, path: &str, text: &str, expected: &[usize]) {
    assert!(ALL.iter().any(|r| r.name == rule), "no rule is called {rule}");
    let tree = if path.ends_with(".rs") {
        Tree { rust: vec![Source::new(path, text)], other: vec![] }
    } else {
        Tree { rust: vec![], other: vec![(path.to_owned(), text.to_owned())] }
    };
    let mut lines: Vec<usize> = found(&tree, rule).iter().map(|fault| fault.line).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines, expected, "{rule} on {path}:\n{text}");
}

fn found(tree: &Tree, rule: &str) -> Vec<Fault> {
    faults(tree).into_iter().filter(|fault| fault.rule == rule).collect()
}

#[test]
fn forbidden_imports_in_core_are_found() {
    for line in [
        "use std::vec::Vec;",
        "extern crate std;",
        "use hashbrown::HashMap;",
        "fn now() -> Instant {}",
        "async fn run() {}",
        "let share: f64 = x;",
        "let share = 0.5;",
        "let many = 1e9;",
        "println!(\"x\");",
        "use tracing::info;",
        "unsafe { x() }",
    ] {
        check("core-words", "core/src/raft/log.rs", &format!("//! m\n{line}\n"), &[2]);
    }
}

#[test]
fn core_may_talk_about_what_it_may_not_use() {
    for line in [
        "use core::fmt;",
        "// std::time is not here",
        "/* async /* f64 */ Instant */",
        "const TEXT: &str = \"std:: HashMap 1.5\";",
        "const RAW: &str = r#\"f64 \" std\"#;",
        "let x = pair.0.1 + 0x1e3 + 1.max(2);",
        "for i in 0..5 {}",
        "let standard = my_std + InstantLike;",
        "fn f<'a>(x: &'a str) -> char { 'x' }",
    ] {
        check("core-words", "core/src/raft/log.rs", &format!("//! m\n{line}\n"), &[]);
    }
}

#[test]
fn tests_in_core_may_use_std() {
    let text = "//! m\nfn a() {}\n#[cfg(test)]\nmod tests {\n    use std::fmt;\n    fn x() { 1.5; }\n}\nuse std::io;\n";
    check("core-words", "core/src/raft/log.rs", text, &[8]);
    check("core-words", "core/src/raft/log/tests.rs", "//! m\nuse std::fmt;\n", &[]);
    check("core-words", "core/src/raft/log_tests.rs", "//! m\nuse std::fmt;\n", &[]);
    check("core-words", "core/src/a.rs", "#[cfg(test)]\nmod tests;\nuse std::io;\n", &[3]);
    check("core-words", "core/src/a.rs", "#[cfg(test)]\n#[path = \"x.rs\"]\nmod t;\nuse std::io;\n", &[4]);
}

#[test]
fn the_driver_has_no_runtime_and_no_system() {
    let path = "driver/src/node.rs";
    check("driver-words", path, "use tokio::spawn;", &[1]);
    check("driver-words", path, "tonic::Status::ok()", &[1]);
    check("driver-words", path, "futures::select! {}", &[1]);
    check("driver-words", path, "\nuse std::fs;\n", &[2]);
    check("driver-words", path, "let x = std::env::var(name);", &[1]);
    check("driver-words", path, "use std::{collections::BTreeMap, time::Duration};", &[1]);
    check("driver-words", path, "use std::{\n    fmt,\n    net,\n};", &[1]);
    check("driver-words", path, "use std::{self as s};", &[1]);
    check("driver-words", path, "use std::{collections::{self, BTreeMap}, sync::Arc};\n// tokio\n", &[]);
    check("driver-words", path, "use std::sync::Arc; let select = 1; let env = 2;", &[]);
}

#[test]
fn use_groups_are_taken_apart() {
    let names: Vec<String> = std_modules("use std::{io::{self, Read}, fs, env::var as v}; std::mem::take(x)")
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["io", "fs", "env", "mem"]);
}

#[test]
fn the_simulator_does_not_name_tokio() {
    check("sim-words", "runtime-sim/src/net.rs", "use tokio::net;", &[1]);
    check("sim-words", "simtests/src/lib.rs", "use tonic::Status;", &[1]);
    check("sim-words", "simtests/src/lib.rs", "use madsim::task;", &[]);
}

#[test]
fn runtime_tokio_does_not_know_effects() {
    check("effect", "runtime-tokio/src/disk.rs", "match effect { Effect::Persist => {} }", &[1]);
    check("effect", "runtime-tokio/src/disk.rs", "// carries out Effects\n", &[1]);
    check("effect", "runtime-tokio/src/disk.rs", "// SideEffect, effect\n", &[]);
    check("effect", "driver/src/perform.rs", "match effect { Effect::Persist => {} }", &[]);
}

#[test]
fn arrows_in_core_point_down() {
    check("core-arrows", "core/src/raft/leader.rs", "use crate::store::Tree;", &[1]);
    check("core-arrows", "core/src/store.rs", "use crate::raft::Entry;", &[1]);
    check("core-arrows", "core/src/watch/hub.rs", "crate::replica::Replica", &[1]);
    check("core-arrows", "core/src/replica/boot.rs", "use crate::raft::Raft;", &[]);
    check("core-arrows", "core/src/raft/leader.rs", "use crate::stored::Tree;", &[]);
}

#[test]
fn unfinished_work_is_found() {
    check("unfinished", "src/run.rs", "fn a() { todo!() }", &[1]);
    check("unfinished", "src/run.rs", "unimplemented!(\"x\")", &[1]);
    check("unfinished", "src/run.rs", "dbg!(x);", &[1]);
    check("unfinished", "core/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}", &[2]);
    check("unfinished", "src/run.rs", "// todo!() is not allowed\nlet x = \"todo!\";", &[]);
}

#[test]
fn a_dropped_result_needs_a_reason() {
    let path = "driver/src/node.rs";
    check("dropped", path, "//! m\nlet _ = send();\n", &[2]);
    check("dropped", path, "//! m\n\nlet _ = send(\"// no\");\n", &[3]);
    check("dropped", path, "//! m\n/// Doc.\nlet _ = send();\n", &[3]);
    check("dropped", path, "//! m\n// the receiver is gone\nlet _ = send();\n", &[]);
    check("dropped", path, "//! m\nlet _ = send(); // the receiver is gone\n", &[]);
    check("dropped", path, "//! m\n\nlet _guard = lock();\n", &[]);
    check("dropped", "proto/src/generated/a.rs", "let _ = send();\n", &[]);
}

#[test]
fn long_files_are_found() {
    let long = "//! m\n".repeat(601);
    check("length", "core/src/a.rs", &long, &[0]);
    check("length", "core/src/a.rs", &"//! m\n".repeat(600), &[]);
    check("length", "core/src/a/tests.rs", &long, &[]);
    check("length", "proto/src/generated/a.rs", &long, &[]);
}

#[test]
fn a_file_begins_with_its_reason() {
    check("first-line", "core/src/a.rs", "use core::fmt;\n", &[1]);
    check("first-line", "core/src/a.rs", "//! Why.\n", &[]);
    check("first-line", "core/src/a/tests.rs", "use super::*;\n", &[]);
}

#[test]
fn every_crate_takes_the_lints() {
    check("lints", "core/Cargo.toml", "[package]\n", &[0]);
    check("lints", "core/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n", &[]);
}

#[test]
fn paths_of_one_machine_are_found() {
    check("machine", "README.md", "see\n/work/x\n", &[2]);
    check("machine", ".ci/run", "cd /home/me\n", &[1]);
    check("machine", "README.md", "<<<<<<< HEAD\n", &[1]);
    check("machine", "README.md", "homework/x, /var/lib/etcd\n", &[]);
}

#[test]
fn a_crate_must_make_its_promises() {
    let good = "//! m\n#![no_std]\n#![forbid(unsafe_code)]\n";
    let promises = |text: &str| {
        let tree = Tree { rust: vec![Source::new("core/src/lib.rs", text)], other: vec![] };
        found(&tree, "promise").into_iter().filter(|fault| fault.path == "core/src/lib.rs").count()
    };
    assert_eq!(promises(good), 0);
    assert_eq!(promises("//! m\n#![no_std]\n"), 1);
    assert_eq!(promises("//! m\n"), 2);
}

#[test]
fn a_call_without_a_row_is_found() {
    let proto = "service KV {\n  rpc Range(A) returns (B);\n  rpc Put (A) returns (B);\n}\n";
    let other = [("docs/api.md", "| `KV/Range` | yes |\n"), ("proto/proto/kv.proto", proto)];
    let other = other.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
    let lines: Vec<usize> =
        found(&Tree { rust: vec![], other }, "calls").iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [3]);
}
