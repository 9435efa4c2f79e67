//! Compaction: the bound moves at once, the records below it go in slices.
//!
//! A slice looks at so many records of the log, hashes them and removes those that do not survive. What a client can
//! read depends on the bound alone, never on how far the slices have come, so a member may do them when it likes.
use super::{
    Keyspace, KeyspaceHash, Record, Store,
    hash::{REMEMBERED, Sum},
    record::{At, ByRevision},
};
use crate::{Plant, Refusal};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

/// Compactions at work, oldest first, and the hashes of finished ones, by bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Compactions {
    pub pending: VecDeque<Job>,
    pub hashes: Vec<KeyspaceHash>,
}

/// One compaction at work.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub bound: i64,
    /// The bound of the compaction before, -1 for none.
    pub previous: i64,
    /// Every change before this revision was looked at.
    pub next: (i64, i64),
    /// The hash so far.
    pub sum: Sum,
    /// Nothing of what it covers was removed before it began, so its hash is worth keeping.
    pub is_whole: bool,
}

impl Job {
    /// Holds for the changes this compaction is about.
    pub fn covers(&self) -> impl Fn(&ByRevision) -> bool {
        let bound = self.bound;
        move |change: &ByRevision| change.0.mod_revision() <= bound
    }

    pub fn hash(&self, sum: Sum) -> KeyspaceHash {
        KeyspaceHash { hash: sum.value(), compact_revision: self.previous, hash_revision: self.bound }
    }
}

impl Store {
    /// Makes everything below this revision unreadable from now on. [`Refusal::Compacted`] if it is not above the
    /// last bound, [`Refusal::FutureRev`] if it is above the current revision.
    pub fn compact(&mut self, revision: i64) -> Result<(), Refusal> {
        let keyspace = &mut self.keyspace;
        if revision <= keyspace.compacted {
            return Err(Refusal::Compacted);
        }
        if revision > keyspace.revision {
            return Err(Refusal::FutureRev);
        }
        let job = Job {
            bound: revision,
            previous: keyspace.compacted,
            next: (i64::MIN, i64::MIN),
            sum: Sum::of_bucket(),
            is_whole: true,
        };
        keyspace.compacted = revision;
        Arc::make_mut(&mut keyspace.compactions).pending.push_back(job);
        Ok(())
    }

    /// Whether records are waiting to be removed.
    pub fn is_compacting(&self) -> bool {
        !self.keyspace.compactions.pending.is_empty()
    }

    /// The bound up to which everything that had to go is gone, -1 before the first compaction.
    pub fn compacted_physically(&self) -> i64 {
        self.keyspace.compactions.pending.front().map_or(self.keyspace.compacted, |job| job.previous)
    }

    /// Looks at no more than `budget` records; answers whether nothing is left to do.
    pub fn compact_step(&mut self, budget: usize) -> bool {
        let keyspace = &mut self.keyspace;
        let Some(mut job) = keyspace.compactions.pending.front().cloned() else { return true };
        let rest = keyspace.log.range(|change: &ByRevision| change.0.revision() < job.next, job.covers());
        let is_last = rest.len() <= budget;
        let slice: Vec<Record> = rest.take(budget).map(|(change, ())| change.0.clone()).collect();
        for record in slice {
            if job.is_whole && keyspace.is_hashed_by(&job, &record) {
                job.sum.feed(&record, &mut self.scratch);
            }
            let (main, sub) = record.revision();
            job.next = (main, sub + 1);
            let lost = self.plants.has(Plant::TombstoneAtCompactRev) && record.is_tombstone();
            if lost || !keyspace.survives(&record, job.bound) {
                keyspace.forget(record);
            }
        }
        let compactions = Arc::make_mut(&mut keyspace.compactions);
        if is_last {
            compactions.pending.pop_front();
            if job.is_whole {
                compactions.hashes.push(job.hash(job.sum));
            }
            let forgotten = compactions.hashes.len().saturating_sub(REMEMBERED);
            compactions.hashes.drain(..forgotten);
        } else {
            compactions.pending[0] = job;
        }
        !self.is_compacting()
    }
}

impl Keyspace {
    fn forget(&mut self, record: Record) {
        self.bytes -= record.stored_len();
        let at = At { key: record.key(), revision: record.revision() };
        let from_history = self.history.remove_floor(at);
        let from_log = self.log.remove_floor(|change: &ByRevision| change.0.revision() <= record.revision());
        assert!(
            from_history.is_some_and(|(version, _)| version.0 == record)
                && from_log.is_some_and(|(change, ())| change.0 == record),
            "a record stands in both trees or in none"
        );
    }
}
