//! The same state at the same place, on every member: what each member has published is compared, change by change,
//! as the run goes on. Also a client of its own: it reads every key that a revision changed, soon after it was made, so
//! that the judge of linearizability has evidence even for writes whose callers never heard of them. Its work grows
//! with the changes, not with what the store holds.
use crate::client::Recorder;
use detcd_core::{Edition, store::Record};
use detcd_jepsen_like::history::{KeyValue, Outcome, RangeRequest, RangeResponse, Request, Response};
use detcd_runtime_sim::{Slot, transcript::Stir};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    sync::{Arc, Mutex, PoisonError},
};

/// The number under which the reader of every revision appears in the history.
pub const READER: u32 = 1_000;

/// What was made at each revision, as far as somebody looked in time.
pub type Made = BTreeMap<i64, Vec<Record>>;

#[derive(Clone, Default)]
pub struct Chronicle(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What changed at each revision, and who showed it first.
    changes: BTreeMap<i64, (u64, Slot)>,
    records: Arc<Made>,
    /// The revision after so many applied entries, and who showed it first.
    applied: BTreeMap<u64, (i64, Slot)>,
    /// Up to which revision each member was looked at, and in which life.
    looked: BTreeMap<Slot, (u64, i64)>,
    /// The newest revision that anybody has shown.
    newest: i64,
    /// The newest revision that deleted something.
    deleted: i64,
    /// Every compaction bound that anybody has shown.
    bounds: BTreeSet<i64>,
    /// How many revisions were shown by a second member, too.
    compared: u64,
}

impl Chronicle {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at what a member has published. Answers what is wrong with it, if anything is.
    pub fn look(&self, member: Slot, life: u64, edition: &Edition, recorder: &Recorder) -> Option<String> {
        self.with(|inner| inner.look(member, life, edition, recorder))
    }

    pub fn records(&self) -> Arc<Made> {
        self.with(|inner| inner.records.clone())
    }

    /// The newest revision that anybody has shown.
    pub fn newest(&self) -> i64 {
        self.with(|inner| inner.newest)
    }

    /// The newest revision that deleted something; 0 if none did.
    pub fn newest_delete(&self) -> i64 {
        self.with(|inner| inner.deleted)
    }

    /// Every compaction bound that anybody has shown.
    pub fn bounds(&self) -> BTreeSet<i64> {
        self.with(|inner| inner.bounds.clone())
    }

    /// The newest compaction bound that anybody has shown; 0 before the first.
    pub fn compacted(&self) -> i64 {
        self.with(|inner| inner.bounds.last().copied().unwrap_or_default())
    }

    /// How many revisions several members have shown.
    pub fn compared(&self) -> u64 {
        self.with(|inner| inner.compared)
    }
}

impl Inner {
    fn look(&mut self, member: Slot, life: u64, edition: &Edition, recorder: &Recorder) -> Option<String> {
        let keyspace = &edition.view.keyspace;
        let (revision, compacted) = (keyspace.revision(), keyspace.compact_revision());
        let applied = edition.standing.applied;
        let &mut (known, first) = self.applied.entry(applied).or_insert((revision, member));
        if known != revision {
            return Some(format!(
                "with {applied} entries applied m{} is at revision {known} and m{} at {revision}",
                first + 1,
                member + 1
            ));
        }
        if compacted > 0 {
            self.bounds.insert(compacted);
        }
        let before = self.looked.insert(member, (life, revision));
        let from = before.filter(|&(known, _)| known == life).map_or(1, |(_, revision)| revision) + 1;
        if from > revision {
            return None;
        }
        let newest = self.newest;
        let records = Arc::make_mut(&mut self.records);
        let mut sums: BTreeMap<i64, Stir> = BTreeMap::new();
        for record in keyspace.changes(from.max(compacted + 1)) {
            let at = record.mod_revision();
            let sum = sums.entry(at).or_default();
            sum.write_i64(record.sub());
            sum.write_i64(record.create_revision());
            sum.write_i64(record.version());
            sum.write_i64(record.lease());
            sum.write(record.key());
            sum.write(record.value());
            if at > newest {
                records.entry(at).or_default().push(record.clone());
                if record.is_tombstone() {
                    self.deleted = at;
                }
            }
        }
        for (at, records) in records.range(newest + 1..) {
            for (i, record) in records.iter().enumerate() {
                // Of two changes of one key the last one is what the revision looks like.
                if records[i + 1..].iter().all(|later| later.key() != record.key()) {
                    recorder.witness(READER, one_at(record, *at), shown(record, revision));
                }
            }
        }
        for (at, sum) in sums {
            let sum = sum.finish();
            let &mut (known, first) = self.changes.entry(at).or_insert((sum, member));
            if known != sum {
                return Some(format!(
                    "m{} and m{} show different changes at revision {at}",
                    first + 1,
                    member + 1
                ));
            }
            self.compared += u64::from(first != member);
        }
        self.newest = newest.max(revision);
        None
    }
}

fn one_at(record: &Record, revision: i64) -> Request {
    let key = record.key().to_vec();
    Request::Range(RangeRequest { key, revision, serializable: true, ..RangeRequest::default() })
}

fn shown(record: &Record, revision: i64) -> Outcome {
    let kvs: Vec<KeyValue> = (!record.is_tombstone())
        .then(|| KeyValue {
            key: record.key().to_vec(),
            value: record.value().to_vec(),
            create_revision: record.create_revision(),
            mod_revision: record.mod_revision(),
            version: record.version(),
            lease: record.lease(),
        })
        .into_iter()
        .collect();
    let count = kvs.len() as i64;
    Outcome::Ok(Response::Range(RangeResponse { revision, kvs, more: false, count }))
}
