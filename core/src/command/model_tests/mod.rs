//! Random requests against a model that knows nothing but the list of all changes and the contract.
mod model;
mod requests;

use super::{check, compact, delete, put, txn};
use crate::{Plants, Refusal, View, lease, query, store::Store};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use detcd_proto::etcdserverpb::{CompactionRequest, RangeRequest};
use model::{Changed, Model, header, written};
use proptest::{collection::vec as many, prelude::*};
use requests::{Op, op};

const MAX_OPS: usize = 12;
const LEASES: [i64; 3] = [-7, 1, 2];
struct Pair {
    store: Store,
    leases: lease::Table,
    model: Model,
}

fn view_of(store: &Store, leases: &lease::Table) -> View {
    View {
        keyspace: store.keyspace().clone(),
        leases: leases.clone(),
        auth: Default::default(),
        members: Default::default(),
        removed: Default::default(),
        alarms: Default::default(),
        cluster_version: None,
        downgrade: None,
    }
}

fn same_range(view: &View, model: &Model, request: &RangeRequest) {
    let expected = if request.revision > model.revision {
        Err(Refusal::FutureRev)
    } else if request.revision > 0 && request.revision < model.compacted {
        Err(Refusal::Compacted)
    } else {
        Ok(model.range(request, model.revision))
    };
    assert_eq!(query::range(view, request), expected, "{request:?}");
}

fn same_changes(view: &View, model: &Model, from: i64) {
    let keyspace = &view.keyspace;
    let expected: Vec<&Changed> =
        model.stored.iter().filter(|change| change.main >= from.max(model.compacted)).collect();
    let got: Vec<_> = keyspace.changes(from).collect();
    assert_eq!(got.len(), expected.len(), "changes from {from}: {got:?}");
    for (record, change) in got.into_iter().zip(expected) {
        assert_eq!(record.revision(), (change.main, change.sub));
        assert_eq!(record.key(), change.key);
        assert_eq!(record.is_tombstone(), change.pair.is_none());
        if let Some(pair) = &change.pair {
            assert_eq!(&record.to_kv(), pair);
        }
        assert_eq!(keyspace.prev(record).map(|prev| prev.to_kv()), model.prev(change), "before {record:?}");
    }
}

fn same_everywhere(view: &View, model: &Model) {
    let keyspace = &view.keyspace;
    assert_eq!(keyspace.revision(), model.revision);
    assert_eq!(keyspace.compact_revision(), model.compacted);
    assert_eq!(keyspace.len(), model.state(0).len());
    for revision in (0..=model.revision + 1).chain([-1]) {
        for end in [&[0][..], b"b"] {
            let all = RangeRequest {
                key: vec![0].into(),
                range_end: end.to_vec().into(),
                revision,
                ..Default::default()
            };
            same_range(view, model, &all);
            same_range(view, model, &RangeRequest { count_only: true, ..all.clone() });
            same_range(view, model, &RangeRequest { limit: 2, ..all });
        }
        assert_eq!(keyspace.hash_kv(revision), model.hash(revision), "hash at {revision}");
    }
    same_changes(view, model, 0);
    let mut attached: BTreeMap<i64, Vec<Vec<u8>>> = LEASES.iter().map(|id| (*id, vec![])).collect();
    for (key, pair) in model.state(0) {
        if pair.lease != 0 {
            attached.get_mut(&pair.lease).expect("only known leases").push(key);
        }
    }
    let got = view.leases.iter().map(|(id, lease)| (*id, lease.keys().map(|key| key.to_vec()).collect()));
    assert_eq!(got.collect::<BTreeMap<_, Vec<_>>>(), attached);
}

impl Pair {
    fn new() -> Pair {
        let mut leases = lease::Table::new();
        LEASES.iter().for_each(|id| assert!(leases.grant(*id, 10)));
        Pair { store: Store::new(Plants::NONE), leases, model: Model::new() }
    }

    fn same_told(&self, changes: &[crate::store::Change], before: usize) {
        let made = &self.model.changes[before..];
        assert_eq!(changes.len(), made.len());
        for (change, made) in changes.iter().zip(made) {
            assert_eq!(change.record.revision(), (made.main, made.sub));
            assert_eq!(change.record.key(), made.key);
            assert_eq!(change.is_delete(), made.pair.is_none());
            assert_eq!(change.prev.as_ref().map(|prev| prev.to_kv()), self.model.prev(made));
        }
    }

    fn play(&mut self, op: Op, kept: &mut Vec<(View, Model)>) {
        let before = self.model.changes.len();
        let Pair { store, leases, model } = self;
        let changes = match op {
            Op::Put(request) => {
                let is_there = model.state(0).contains_key(&request.key[..]);
                let expected = if request.lease != 0 && !LEASES.contains(&request.lease) {
                    Err(Refusal::LeaseNotFound)
                } else if (request.ignore_value || request.ignore_lease) && !is_there {
                    Err(Refusal::KeyNotFound)
                } else {
                    Ok(model.put(model.revision + 1, &request))
                };
                let got = put::apply(store, leases, &request);
                assert_eq!(
                    got.as_ref().map(|(response, _)| response.clone()).map_err(Clone::clone),
                    expected
                );
                got.map_or(vec![], |(_, changes)| changes)
            }
            Op::Delete(request) => {
                let (response, changes) = delete::apply(store, leases, &request);
                assert_eq!(response, model.delete(model.revision + 1, &request));
                changes
            }
            Op::Txn(request) => {
                let legal = written(&request.success).and(written(&request.failure)).is_some();
                match check::txn(&request, MAX_OPS) {
                    Ok(()) => assert!(legal),
                    Err(Refusal::DuplicateKey) => return assert!(!legal),
                    Err(other) => panic!("{other} for {request:?}"),
                }
                let expected = model.check_path(&request, &mut BTreeSet::new()).map(|()| {
                    let before = model.clone();
                    model.run(&before, &request)
                });
                if check::is_read_only(&request) {
                    assert_eq!(query::txn(&view_of(store, leases), &request), expected);
                }
                let got = txn::apply(store, leases, &request);
                assert_eq!(
                    got.as_ref().map(|(response, _)| response.clone()).map_err(Clone::clone),
                    expected
                );
                got.map_or(vec![], |(_, changes)| changes)
            }
            Op::Range(request) => return same_range(&view_of(store, leases), model, &request),
            Op::Compact(_) | Op::CompactRecent(_) => {
                let revision = if let Op::CompactRecent(back) = op { model.revision - back } else { -2 };
                let revision = if let Op::Compact(revision) = op { revision } else { revision };
                let request = CompactionRequest { revision, physical: false };
                let got = compact::apply(store, &request);
                assert_eq!(
                    got.map(|response| response.header),
                    model.compact(revision).map(|()| header(model.revision))
                );
                return;
            }
            Op::CompactStep(budget) => {
                store.compact_step(budget);
                return;
            }
            Op::Hash(revision) => {
                return assert_eq!(store.keyspace().hash_kv(revision), model.hash(revision));
            }
            Op::Changes(from) => return same_changes(&view_of(store, leases), model, from),
            Op::Keep => return kept.push((view_of(store, leases), model.clone())),
        };
        self.same_told(&changes, before);
        self.model.finish();
        assert_eq!(self.store.keyspace().revision(), self.model.revision);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn everything_a_client_can_see_is_what_the_contract_says(ops in many(op(), 1..60)) {
        let mut pair = Pair::new();
        let mut kept = vec![];
        for op in ops {
            pair.play(op, &mut kept);
        }
        same_everywhere(&view_of(&pair.store, &pair.leases), &pair.model);
        while !pair.store.compact_step(3) {}
        prop_assert_eq!(pair.store.compacted_physically(), pair.model.compacted);
        same_everywhere(&view_of(&pair.store, &pair.leases), &pair.model);
        let stored = pair.store.keyspace().changes(i64::MIN).count();
        prop_assert!(stored <= pair.model.stored.len());
        // Whatever was written, compacted and removed since: a view is what it was.
        for (view, model) in &kept {
            same_everywhere(view, model);
        }
    }
}
