//! The same state at the same place, on every member: what each member has published is compared, change by change,
//! as the run goes on. Also a client of its own: it reads every revision once, soon after it was made, so that the
//! judge of linearizability has evidence even for writes whose callers never heard of them.
use crate::client::Recorder;
use detcd_core::{Edition, KeyRange, store::Record};
use detcd_jepsen_like::history::{KeyValue, Outcome, RangeRequest, RangeResponse, Request, Response};
use detcd_runtime_sim::{Slot, transcript::Stir};
use std::{
    collections::BTreeMap,
    hash::Hasher,
    sync::{Arc, Mutex, PoisonError},
};

/// The number under which the reader of every revision appears in the history.
pub const READER: u32 = 1_000;

#[derive(Clone, Default)]
pub struct Chronicle(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What changed at each revision, and who showed it first.
    changes: BTreeMap<i64, (u64, Slot)>,
    records: BTreeMap<i64, Vec<Record>>,
    /// The revision after so many applied entries, and who showed it first.
    applied: BTreeMap<u64, (i64, Slot)>,
    /// Up to which revision each member was looked at, and in which life.
    looked: BTreeMap<Slot, (u64, i64)>,
    /// Up to here every revision was read.
    read: i64,
}

impl Chronicle {
    /// Looks at what a member has published. Answers what is wrong with it, if anything is.
    pub fn look(&self, member: Slot, life: u64, edition: &Edition, recorder: &Recorder) -> Option<String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keyspace = &edition.view.keyspace;
        let (revision, compacted) = (keyspace.revision(), keyspace.compact_revision());
        let applied = edition.standing.applied;
        let &mut (known, first) = inner.applied.entry(applied).or_insert((revision, member));
        if known != revision {
            return Some(format!(
                "with {applied} entries applied m{} is at revision {known} and m{} at {revision}",
                first + 1,
                member + 1
            ));
        }
        let before = inner.looked.insert(member, (life, revision));
        let from = before.filter(|&(known, _)| known == life).map_or(1, |(_, revision)| revision) + 1;
        if from > revision {
            return None;
        }
        let mut sums: BTreeMap<i64, Stir> = BTreeMap::new();
        let newest = inner.records.last_key_value().map_or(0, |(&revision, _)| revision);
        for record in keyspace.changes(from.max(compacted + 1)) {
            let sum = sums.entry(record.mod_revision()).or_default();
            sum.write_i64(record.sub());
            sum.write_i64(record.create_revision());
            sum.write_i64(record.version());
            sum.write_i64(record.lease());
            sum.write(record.key());
            sum.write(record.value());
            if record.mod_revision() > newest {
                inner.records.entry(record.mod_revision()).or_default().push(record.clone());
            }
        }
        for (revision, sum) in sums {
            let sum = sum.finish();
            let &mut (known, first) = inner.changes.entry(revision).or_insert((sum, member));
            if known != sum {
                return Some(format!(
                    "m{} and m{} show different changes at revision {revision}",
                    first + 1,
                    member + 1
                ));
            }
        }
        for at in inner.read.max(1) + 1..=revision {
            if keyspace.readable(at).is_ok() {
                recorder.witness(READER, everything_at(at), state_at(edition, at));
            }
        }
        inner.read = inner.read.max(revision);
        None
    }

    /// What was made at each revision, as far as somebody looked in time.
    pub fn records(&self) -> BTreeMap<i64, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).records.clone()
    }
}

fn everything_at(revision: i64) -> Request {
    Request::Range(RangeRequest {
        key: vec![0],
        range_end: vec![0],
        revision,
        serializable: true,
        ..RangeRequest::default()
    })
}

fn state_at(edition: &Edition, at: i64) -> Outcome {
    let keyspace = &edition.view.keyspace;
    let kvs: Vec<KeyValue> = keyspace
        .range(&KeyRange::all(), at)
        .map(|record| KeyValue {
            key: record.key().to_vec(),
            value: record.value().to_vec(),
            create_revision: record.create_revision(),
            mod_revision: record.mod_revision(),
            version: record.version(),
            lease: record.lease(),
        })
        .collect();
    let count = kvs.len() as i64;
    Outcome::Ok(Response::Range(RangeResponse { revision: keyspace.revision(), kvs, more: false, count }))
}
