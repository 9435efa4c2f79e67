//! Files that real members of etcd wrote, and what those members said of them.
use super::{
    Inspector, Stand, adopt, refound, snap,
    testing::{image, load, walk},
};
use crate::MemberId;
use alloc::{format, string::String, vec::Vec};
use detcd_proto::{
    Message as _,
    etcdserverpb::{InternalRaftRequest, PutRequest, Request},
    raftpb::Entry,
};

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

/// What the real tools said of these snapshots.
#[test]
fn a_file_is_summed_up_as_the_real_tools_do() {
    for (at, hash) in [(1, 1_251_084_272), (2, 1_455_914_707), (3, 1_954_211_406)] {
        let Fixture { version, snapshot, .. } = FIXTURES[at];
        let walked = walk(Inspector::new(snapshot.len() as u64), snapshot).expect("a sound file");
        let found = walked.finish().expect("a sound file");
        assert_eq!(found.hash, hash, "{version}");
        assert_eq!((found.revision, found.loaded.view.keyspace.len()), (56, 33), "{version}");
        assert_eq!(found.size, snapshot.len() as u64 - 32, "{version}");
        assert!(!found.has_strangers, "{version}");
    }
}

/// A new cluster from an old one's snapshot: its log, and revisions nobody has seen.
#[test]
fn a_cluster_is_founded_with_the_state_of_another() {
    use crate::{Member, Plants, wal};
    let loaded = load(FIXTURES[2].snapshot).expect("a sound file");
    let hash = loaded.view.keyspace.hash_kv(0);
    let member = |id: u64| Member {
        id: MemberId(id),
        name: format!("m{id}"),
        peer_urls: Vec::from([format!("http://m{id}:2380")]),
        client_urls: Vec::new(),
        is_learner: false,
    };
    for skip in [None, Some(1000)] {
        let members = Vec::from([member(9), member(4)]);
        let founding = refound(loaded.clone(), members, MemberId(9), skip).expect("there is room");
        let file = image(&founding.view, &founding.stand);
        let again = load(&file).expect("our own file");
        assert_eq!((again.stand.index, again.stand.term), (2, 1));
        assert_eq!(again.stand.conf_state.voters, [4, 9]);
        assert!(again.view.members.iter().map(|member| member.id.0).eq([4, 9]));
        let keyspace = &again.view.keyspace;
        match skip {
            None => assert_eq!(keyspace.hash_kv(0), hash),
            Some(_) => {
                assert_eq!((keyspace.revision(), keyspace.compact_revision()), (1056, 1056));
                assert_eq!(keyspace.hash_kv(56), Err(crate::Refusal::Compacted));
                assert_eq!(keyspace.len(), 34, "the pairs, and what takes the revision");
            }
        }
        let mut reader = wal::Reader::new(Plants::NONE);
        reader.segment(founding.segment.0, &founding.segment.1, true).expect("a sound segment");
        let log = reader.finish().expect("a whole log");
        assert_eq!((log.hard_state.vote, log.hard_state.commit, log.last_index()), (4, 2, 2));
        let start = wal::Start { index: 2, term: 1 };
        assert_eq!(log.starts().last(), Some(start));
        assert_eq!(log.check(start), Ok(()));
        assert_eq!(snap::parse_name(&founding.snap.0), Some((1, 2)));
        let snap = snap::decode(&founding.snap.1).expect("our own file");
        assert_eq!(snap.metadata.conf_state, founding.stand.conf_state);
    }
    assert!(refound(loaded, Vec::from([member(4)]), MemberId(4), Some(i64::MAX)).is_none());
}

/// What a stopped member left is enough to go on with: its state, its place in the log, itself.
#[test]
fn a_real_members_directory_is_adopted() {
    use crate::{Plants, wal};
    let logs: [&[u8]; 4] = [
        include_bytes!("../../tests/data/wal/3.4.23.wal"),
        include_bytes!("../../tests/data/wal/3.5.1.wal"),
        include_bytes!("../../tests/data/wal/3.7.1.wal"),
        include_bytes!("../../tests/data/wal/3.7.1-snapcount20.wal"),
    ];
    for (Fixture { version, db, .. }, log) in FIXTURES.into_iter().zip(logs) {
        let line = expected(version);
        let (hash, id): (u32, u64) = (line[7].parse().expect("a number"), line[1].parse().expect("a number"));
        let mut reader = wal::Reader::new(Plants::NONE);
        reader.segment(wal::SegmentName::default(), log, true).expect("a sound segment");
        let log = reader.finish().expect("a whole log");
        let small =
            snap::decode(include_bytes!("../../tests/data/bolt/3.7.1-snapcount20.snap")).expect("a file");
        let small = (version == "3.7.1-snapcount20").then_some(small);
        let founding = adopt(load(db).expect("a sound file"), &log, small.as_ref())
            .unwrap_or_else(|why| panic!("{version}: {why}"));
        let view = &founding.view;
        assert_eq!(view.keyspace.hash_kv(0).expect("the newest").hash, hash, "{version}");
        let member = view.members.first().expect("one member");
        assert_eq!((member.id.0, member.name.as_str(), member.client_urls.len()), (id, "m1", 1), "{version}");
        let Stand { index, term, conf_state } = &founding.stand;
        assert_eq!((*index, *term), (log.hard_state.commit, 2), "{version}");
        assert_eq!(conf_state.voters, [id], "{version}");
        let mut reader = wal::Reader::new(Plants::NONE);
        reader.segment(founding.segment.0, &founding.segment.1, true).expect("a sound segment");
        let new = reader.finish().expect("a whole log");
        assert_eq!(new.metadata, log.metadata, "{version}");
        let start = wal::Start { index: *index, term: *term };
        assert_eq!((new.starts().last(), new.check(start)), (Some(start), Ok(())), "{version}");

        // A backend that is behind its log is brought up to it.
        let mut early = load(db).expect("a sound file");
        let mut cut = log.clone();
        let beyond = log.hard_state.commit + 1;
        let put = PutRequest { key: "more".into(), value: "v".into(), ..Default::default() };
        let request = InternalRaftRequest { put: Some(put), ..Default::default() };
        let entry = |data: Vec<u8>| Entry { index: beyond, term: 2, r#type: 0, data: Some(data.into()) };
        if early.stand.index == log.last_index() {
            cut.entries.push(entry(request.encode_to_vec()));
            cut.hard_state.commit = beyond;
            let on = adopt(early.clone(), &cut, small.as_ref()).expect("one entry more");
            assert_eq!(on.view.keyspace.revision(), view.keyspace.revision() + 1, "{version}");
            assert_eq!(on.stand.index, beyond);
            let older = Request { method: "PUT".into(), path: "/1/a".into(), ..Request::default() };
            cut.entries.pop();
            cut.entries.push(entry(older.encode_to_vec()));
            let why = adopt(early.clone(), &cut, small.as_ref()).err().expect("nobody carries that out");
            assert!(why.contains("of etcd's API before version 3"), "{why}");
        }
        cut.entries.drain(..cut.entries.len() - 1);
        early.stand.index = 3;
        assert!(adopt(early, &cut, None).is_err(), "entries are missing");
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
