//! Files that real members of etcd wrote, and what those members said of them.
use super::{
    snap,
    testing::{image, load},
};
use crate::MemberId;
use alloc::{format, string::String, vec::Vec};

struct Fixture {
    version: &'static str,
    db: &'static [u8],
    snapshot: &'static [u8],
}

const FIXTURES: [Fixture; 4] = [
    Fixture {
        version: "3.4.23",
        db: include_bytes!("../../tests/data/bolt/3.4.23.db"),
        snapshot: include_bytes!("../../tests/data/bolt/3.4.23.snapshot"),
    },
    Fixture {
        version: "3.5.1",
        db: include_bytes!("../../tests/data/bolt/3.5.1.db"),
        snapshot: include_bytes!("../../tests/data/bolt/3.5.1.snapshot"),
    },
    Fixture {
        version: "3.7.1",
        db: include_bytes!("../../tests/data/bolt/3.7.1.db"),
        snapshot: include_bytes!("../../tests/data/bolt/3.7.1.snapshot"),
    },
    Fixture {
        version: "3.7.1-snapcount20",
        db: include_bytes!("../../tests/data/bolt/3.7.1-snapcount20.db"),
        snapshot: include_bytes!("../../tests/data/bolt/3.7.1-snapcount20.snapshot"),
    },
];

/// The line of this version in the table of what the members said.
fn expected(version: &str) -> Vec<&'static str> {
    let table = include_str!("../../tests/data/wal/expected.txt");
    let line = table.lines().find(|line| line.split(' ').next() == Some(version));
    line.expect("a line per member").split(' ').collect()
}

#[test]
fn real_files_say_what_the_real_members_said() {
    for Fixture { version, db, snapshot } in FIXTURES {
        let line = expected(version);
        let number = |at: usize| line[line.len() - at].parse::<i64>().expect("a number");
        let (hash, bound, revision) = (number(1), number(2), number(3));
        let member = MemberId(line[1].parse().expect("a number"));
        for (kind, file) in [("db", db), ("snapshot", snapshot)] {
            let what = format!("{kind} of {version}");
            let loaded = load(file).unwrap_or_else(|damage| panic!("{what}: {damage}"));
            let view = &loaded.view;
            let answer = view.keyspace.hash_kv(0).expect("the newest state can be read");
            assert_eq!(i64::from(answer.hash), hash, "{what}");
            assert_eq!((answer.compact_revision, answer.hash_revision), (bound, revision), "{what}");
            assert_eq!(view.keyspace.len(), 33, "{what}");
            let attached: Vec<&[u8]> =
                view.leases.iter().flat_map(|(_, lease)| lease.keys()).map(|key| &key[..]).collect();
            assert_eq!(attached, [&b"/leased/a"[..], b"/leased/b"], "{what}");
            assert!(view.leases.iter().all(|(_, lease)| lease.ttl == 3600), "{what}");
            let users: Vec<String> =
                view.auth.users().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
            let roles: Vec<String> =
                view.auth.roles().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
            assert_eq!((users.join(" "), roles.join(" ")), ("alice root".into(), "reader root".into()));
            assert!(!view.auth.is_enabled() && view.alarms.is_empty() && view.removed.is_empty());
            let ids: Vec<MemberId> = view.members.iter().map(|member| member.id).collect();
            assert_eq!(ids, [member], "{what}");
            assert_eq!(view.members[0].name, "m1", "{what}");
            // Members of 3.5 tell their client URLs to the older store alone.
            let urls = (view.members[0].client_urls.len(), view.members[0].peer_urls.len());
            assert_eq!(urls, (usize::from(version != "3.5.1"), 1), "{what}");

            let again = load(&image(view, &loaded.stand)).expect("our own file");
            assert_eq!(again.view.keyspace.hash_kv(0), view.keyspace.hash_kv(0), "{what}");
            assert_eq!(again.stand, loaded.stand, "{what}");
            assert_eq!((&again.view.members, &again.view.alarms), (&view.members, &view.alarms));
        }
    }
}

#[test]
fn real_files_say_where_they_stand() {
    let stand = |at: usize| {
        let loaded = load(FIXTURES[at].db).expect("a sound file");
        let stand = loaded.stand;
        let version = loaded.view.cluster_version.as_deref().cloned();
        (stand.index, stand.term, stand.conf_state.voters.len(), version, loaded.storage_version)
    };
    let text = |text: &str| Some(String::from(text));
    // Before 3.5 a backend knows the index alone.
    assert_eq!(stand(0), (69, 0, 0, text("3.4.0"), None));
    assert_eq!(stand(1), (70, 2, 1, text("3.5.0"), None));
    assert_eq!(stand(2), (70, 2, 1, text("3.7.0"), text("3.7.0")));
}

#[test]
fn a_real_small_file_is_read_and_written_alike() {
    let file = include_bytes!("../../tests/data/bolt/3.7.1-snapcount20.snap");
    let snapshot = snap::decode(file).expect("a sound file");
    assert_eq!((snapshot.metadata.term, snapshot.metadata.index), (2, 63));
    assert_eq!(snap::encode(&snapshot), file, "to the byte");
    let said = snap::read_document(snapshot.data.as_deref().expect("a document")).expect("a document");
    let db = load(FIXTURES[3].db).expect("a sound file").view;
    assert_eq!(said.members, **db.members);
    assert_eq!(said.cluster_version.as_ref(), db.cluster_version.as_deref());

    let mut flipped = file.to_vec();
    flipped[100] ^= 1;
    assert_eq!(snap::decode(&flipped), Err(snap::Damage::Crc));
    assert_eq!(snap::decode(b""), Err(snap::Damage::Empty));
    assert_eq!(snap::decode(&[8, 0]), Err(snap::Damage::Empty));
}
