//! The logs of real members, applied again, must give the keyspace those members had.
use super::{compact, delete, put, txn};
use crate::{
    Plants, lease,
    store::Store,
    wal::{Reader, SegmentName},
};
use detcd_proto::{Message, etcdserverpb::InternalRaftRequest};

struct Member {
    store: Store,
    leases: lease::Table,
}

impl Member {
    fn apply(&mut self, request: InternalRaftRequest) {
        let Member { store, leases } = self;
        if let Some(put) = request.put {
            put::apply(store, leases, &put).expect("a real member took it");
        } else if let Some(delete) = request.delete_range {
            delete::apply(store, leases, &delete);
        } else if let Some(txn) = request.txn {
            txn::apply(store, leases, &txn).expect("a real member took it");
        } else if let Some(compaction) = request.compaction {
            compact::apply(store, &compaction).expect("a real member took it");
        } else if let Some(grant) = request.lease_grant {
            assert!(leases.grant(grant.id, grant.ttl));
        }
    }
}

fn replay(content: &[u8]) -> Member {
    let mut reader = Reader::new(Plants::NONE);
    reader.segment(SegmentName { seq: 0, first_index: 0 }, content, true).expect("the log is sound");
    let mut member = Member { store: Store::new(Plants::NONE), leases: lease::Table::new() };
    for entry in reader.finish().expect("the log is whole").entries {
        if entry.r#type != 0 {
            continue;
        }
        let Some(data) = entry.data else { continue };
        // The proposals of older members about themselves are no such requests.
        if let Ok(request) = InternalRaftRequest::decode(data) {
            member.apply(request);
        }
    }
    member
}

/// Everything in there: puts, deletes of one key and of many, a transaction, a compaction, leases.
#[test]
fn hash_kv_equals_what_the_real_member_answered() {
    let expected = include_str!("../../tests/data/wal/expected.txt");
    let logs: [(&str, &[u8]); 4] = [
        ("3.4.23", include_bytes!("../../tests/data/wal/3.4.23.wal")),
        ("3.5.1", include_bytes!("../../tests/data/wal/3.5.1.wal")),
        ("3.7.1", include_bytes!("../../tests/data/wal/3.7.1.wal")),
        ("3.7.1-snapcount20", include_bytes!("../../tests/data/wal/3.7.1-snapcount20.wal")),
    ];
    for (version, log) in logs {
        let line = expected.lines().find(|line| line.split(' ').next() == Some(version));
        let mut numbers = line.expect("a line per log").split(' ').rev();
        let mut number = || numbers.next().expect("three numbers at the end").parse().expect("a number");
        let (hash, bound, revision): (i64, i64, i64) = (number(), number(), number());

        let mut member = replay(log);
        loop {
            let keyspace = member.store.keyspace();
            assert_eq!(keyspace.revision(), revision, "{version}");
            let answer = keyspace.hash_kv(0).expect("the newest state can be read");
            assert_eq!(i64::from(answer.hash), hash, "{version}");
            assert_eq!((answer.compact_revision, answer.hash_revision), (bound, revision), "{version}");
            assert_eq!(keyspace.len(), 33, "{version}");
            if !member.store.is_compacting() {
                break;
            }
            member.store.compact_step(7);
        }
        let attached: alloc::vec::Vec<_> =
            member.leases.iter().flat_map(|(_, lease)| lease.keys()).map(|key| &key[..]).collect();
        assert_eq!(attached, [&b"/leased/a"[..], b"/leased/b"], "{version}");
    }
}
