//! Snapshots of a real member: saved, looked at, restored into new clusters; and the directory of a real etcd taken over.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod support;

use std::{fs, path::Path, process::Output};
use support::{Folder, Member, cluster, etcdutl};

/// Standard output of a command that must work.
fn said(output: Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// Exit code and the last line of what a command says that must fail.
fn refused(output: Output) -> (i32, String) {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let err = String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), err.lines().last().unwrap_or_default().to_string())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Hash, revision and bound of the keyspace as the member says them.
fn hash_kv(member: &Member) -> (u64, u64, i64) {
    let answer = json(&said(member.etcdctl(&["endpoint", "hashkv", "-w", "json"])));
    let hash = &answer[0]["HashKV"];
    (
        hash["hash"].as_u64().unwrap(),
        hash["header"]["revision"].as_u64().unwrap(),
        hash["compact_revision"].as_i64().unwrap(),
    )
}

fn whole_hash(member: &Member) -> u64 {
    let (code, body) = member.http_post("/v3/maintenance/hash", "{}");
    assert_eq!(code, 200, "{body}");
    json(&body)["hash"].as_u64().unwrap()
}

fn restart(member: &mut Member) {
    member.terminate();
    member.start();
    member.wait_healthy();
}

/// The words for a restore into this member's data directory.
fn restore<'a>(file: &'a str, member: &'a Member, cluster: &'a str) -> Vec<&'a str> {
    let flags = ["--name", "m0", "--data-dir", member.setting("data-dir"), "--initial-cluster", cluster];
    let peer = ["--initial-advertise-peer-urls", member.setting("initial-advertise-peer-urls")];
    ["snapshot", "restore", file].into_iter().chain(flags).chain(peer).collect()
}

#[test]
fn a_snapshot_is_saved_looked_at_and_restored() {
    let folder = Folder::new("snapshots");
    let file = folder.path().join("saved.db");
    let file = file.to_str().unwrap();
    let mut member = cluster(&folder, 1).remove(0);
    member.start();
    member.wait_healthy();
    for round in 0..40 {
        said(member.etcdctl(&["put", &format!("k{}", round % 9), &format!("value {round}")]));
    }
    said(member.etcdctl(&["del", "k3"]));
    said(member.etcdctl(&["compact", "20"]));
    let before = whole_hash(&member);
    said(member.etcdctl(&["put", "large", &"x".repeat(100_000)]));
    assert_ne!(whole_hash(&member), before, "a write changes it");

    assert_eq!(
        said(member.etcdctl(&["snapshot", "save", file])),
        format!("Snapshot saved at {file}\nServer version 3.7.0\n")
    );
    assert!(!Path::new(&format!("{file}.part")).exists());
    let (hash, revision, bound) = hash_kv(&member);
    let keys = said(member.etcdctl(&["get", "--prefix", ""]));
    let status = json(&said(etcdutl(&["snapshot", "status", file, "-w", "json"])));
    assert_eq!(status["revision"].as_u64(), Some(revision));
    assert_eq!((status["totalKey"].as_u64(), status["version"].as_str()), (Some(9), Some("3.7.0")));
    assert_eq!(said(etcdutl(&["hashkv", file])), format!("{hash}, {revision}, {bound}\n"));
    let (code, why) = refused(etcdutl(&["hashkv", file, "--rev", "5"]));
    assert_eq!((code, why.as_str()), (1, "Error: mvcc: required revision has been compacted"));

    // Only root may take everything away.
    for words in
        [&["user", "add", "root:pw"][..], &["user", "grant-role", "root", "root"], &["auth", "enable"]]
    {
        said(member.etcdctl(words));
    }
    let other = folder.path().join("other.db");
    let other = other.to_str().unwrap();
    let (code, why) = refused(member.etcdctl(&["snapshot", "save", other]));
    assert_eq!((code, why.as_str()), (5, "Error: etcdserver: user name is empty"));
    assert!(!Path::new(other).exists() && !Path::new(&format!("{other}.part")).exists());
    said(member.etcdctl(&["snapshot", "save", other, "--user", "root:pw"]));
    member.terminate();

    // A new cluster with the same revisions, and one whose revisions nobody has seen.
    for keeps in [true, false] {
        let folder = Folder::new(if keeps { "restored-same" } else { "restored-new" });
        let mut member = cluster(&folder, 1).remove(0);
        let initial = format!("m0={}", member.setting("initial-advertise-peer-urls"));
        let mut words = restore(file, &member, &initial);
        if keeps {
            words.push("--keep-revisions");
        }
        said(etcdutl(&words));
        let (code, why) = refused(etcdutl(&words));
        assert_eq!(code, 1);
        assert!(why.ends_with("not empty or could not be read"), "{why}");
        member.start();
        member.wait_healthy();
        assert_eq!(said(member.etcdctl(&["get", "--prefix", ""])), keys);
        let now = hash_kv(&member);
        if keeps {
            assert_eq!(now, (hash, revision, bound));
        } else {
            let skipped = revision + 1_000_000_000;
            assert_eq!((now.1, now.2), (skipped, skipped as i64));
            let (_, why) = refused(member.etcdctl(&["get", "k1", "--rev", &revision.to_string()]));
            assert_eq!(why, "Error: etcdserver: mvcc: required revision has been compacted");
        }
        said(member.etcdctl(&["put", "k1", "after"]));
        let now = hash_kv(&member);
        restart(&mut member);
        assert_eq!(hash_kv(&member), now);
        assert_eq!(said(member.etcdctl(&["get", "k1"])), "k1\nafter\n");
        member.terminate();
        // Nothing to give back in our files, and the restored one loses nothing by it.
        said(etcdutl(&["defrag", "--data-dir", member.setting("data-dir")]));
        member.start();
        member.wait_healthy();
        assert_eq!(hash_kv(&member), now);
        member.terminate();
    }
}

#[test]
fn a_damaged_snapshot_is_refused_in_etcds_words() {
    let folder = Folder::new("damaged");
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/tests/data/bolt");
    let whole = fs::read(fixture.join("3.7.1.snapshot")).unwrap();
    let mut flipped = whole.clone();
    let value = whole.windows(5).position(|bytes| bytes == b"/app/").unwrap();
    flipped[value] ^= 1;
    fs::write(at("flipped"), &flipped).unwrap();
    fs::write(at("bare"), &whole[..whole.len() - 32]).unwrap();
    fs::write(at("whole"), &whole).unwrap();
    let restore = |file: &str, more: &[&str]| {
        let (file, to) = (at(file), at("to"));
        let mut words = vec!["snapshot", "restore", &file, "--data-dir", &to];
        words.extend_from_slice(more);
        refused(etcdutl(&words))
    };
    let (code, why) = restore("flipped", &[]);
    assert_eq!(code, 1);
    assert!(why.starts_with("Error: expected sha256 [") && why.contains("], got ["), "{why}");
    let missing = "Error: snapshot missing hash but --skip-hash-check=false".to_string();
    assert_eq!(restore("bare", &[]), (1, missing));
    let together = "Error: --mark-compacted required if --revision-bump > 0".to_string();
    assert_eq!(restore("whole", &["--bump-revision", "5"]), (128, together));
    let (code, why) = restore("whole", &["--name", "x"]);
    let unknown = "Error: couldn't find local name \"x\" in the initial cluster configuration";
    assert_eq!((code, why.as_str()), (1, unknown));
    assert!(!Path::new(&at("to")).exists(), "nothing was made");
    let (bare, to) = (at("bare"), at("to"));
    said(etcdutl(&["snapshot", "restore", &bare, "--data-dir", &to, "--skip-hash-check"]));

    // A page that leads nowhere.
    let mut torn = whole;
    torn[2 * 4096 + 8] = 0xee;
    torn[3 * 4096 + 8] = 0xee;
    torn[4 * 4096 + 8] = 0xee;
    fs::write(at("torn"), &torn).unwrap();
    let output = etcdutl(&["snapshot", "status", &at("torn")]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.starts_with("Error: snapshot file integrity check failed. 1 errors found.\nbolt: page "),
        "{text}"
    );
}

/// The directories of real members of 3.4, 3.5 and 3.7.
#[test]
fn a_real_members_directory_is_imported() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/tests/data");
    let expected = fs::read_to_string(data.join("wal/expected.txt")).unwrap();
    for line in expected.lines() {
        let [version, id, cluster_id, .., revision, bound, hash] = &line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let folder = Folder::new(&format!("import-{version}"));
        let from = folder.path().join("real.etcd");
        let (snaps, wals) = (from.join("member/snap"), from.join("member/wal"));
        fs::create_dir_all(&snaps).unwrap();
        fs::create_dir_all(&wals).unwrap();
        fs::copy(data.join(format!("bolt/{version}.db")), snaps.join("db")).unwrap();
        let segment = wals.join("0000000000000000-0000000000000000.wal");
        fs::copy(data.join(format!("wal/{version}.wal")), segment).unwrap();
        if *version == "3.7.1-snapcount20" {
            let small = "0000000000000002-000000000000003f.snap";
            fs::copy(data.join("bolt/3.7.1-snapcount20.snap"), snaps.join(small)).unwrap();
        }
        let mut member = cluster(&folder, 1).remove(0);
        let from = from.to_str().unwrap();
        let words = ["import", "--from-data-dir", from, "--data-dir", member.setting("data-dir")];
        said(etcdutl(&words));
        let (_, why) = refused(etcdutl(&words));
        assert!(why.ends_with("not empty or could not be read"), "{why}");
        for _ in 0..2 {
            member.start();
            member.wait_healthy();
            let answer = (hash.parse().unwrap(), revision.parse().unwrap(), bound.parse().unwrap());
            assert_eq!(hash_kv(&member), answer, "{version}");
            let members = json(&said(member.etcdctl(&["member", "list", "-w", "json"])));
            assert_eq!(members["members"][0]["ID"].to_string(), *id, "{version}");
            assert_eq!(members["header"]["cluster_id"].to_string(), *cluster_id, "{version}");
            assert_eq!(said(member.etcdctl(&["user", "list"])), "alice\nroot\n");
            let leases = said(member.etcdctl(&["lease", "list"]));
            let lease = leases.lines().last().unwrap();
            let told = said(member.etcdctl(&["lease", "timetolive", "--keys", lease]));
            assert!(told.contains("attached keys([/leased/a /leased/b])"), "{told}");
            member.terminate();
        }
    }
}
