//! HashKV: one number for everything up to a revision, equal to the one a real etcd member computes.
//! Source: contract-semantics 13.6.
use super::{Keyspace, Record, compact::Job, record::ByRevision};
use crate::{KeyRange, Refusal};
use alloc::vec::Vec;
use crc::{CRC_32_ISCSI, Crc, Table};

/// What HashKV answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyspaceHash {
    pub hash: u32,
    /// The compaction bound the hash was taken with, -1 before the first compaction.
    pub compact_revision: i64,
    pub hash_revision: i64,
}

/// So many compactions are remembered with the hash of what they covered.
pub(super) const REMEMBERED: usize = 10;

static CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A CRC-32C that can be put down and taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(u32);

impl Sum {
    /// Over the name of the bucket, which every such hash begins with.
    pub fn of_bucket() -> Sum {
        Sum(CASTAGNOLI.checksum(b"key"))
    }

    /// Over one more change as etcd stores it.
    pub fn feed(&mut self, record: &Record, scratch: &mut Vec<u8>) {
        scratch.clear();
        record.stored_key(scratch);
        record.stored_value(scratch);
        // The algorithm starts from the reflection of its initial value and ends with an inversion.
        let mut digest = CASTAGNOLI.digest_with_initial((!self.0).reverse_bits());
        digest.update(scratch);
        self.0 = digest.finalize();
    }

    pub fn value(self) -> u32 {
        self.0
    }
}

impl Keyspace {
    /// The hash of everything up to this revision; 0 means the newest. Walks the whole log: not for the core's loop.
    ///
    /// The bound of one of the last ten compactions gives the hash of what that compaction covered, what it removed
    /// included, whether the removal is finished or not.
    pub fn hash_kv(&self, revision: i64) -> Result<KeyspaceHash, Refusal> {
        if let Some(hash) = self.compaction_hash(revision) {
            return Ok(hash);
        }
        if revision > 0 && revision < self.compacted {
            return Err(Refusal::Compacted);
        }
        if revision > self.revision {
            return Err(Refusal::FutureRev);
        }
        let hash_revision = if revision == 0 { self.revision } else { revision };
        let bound = self.compacted;
        let nothing_lives = hash_revision < 0 || self.count(&KeyRange::all(), hash_revision) == 0;
        let mut sum = Sum::of_bucket();
        let mut scratch = Vec::new();
        let upto = self
            .log
            .range(|_: &ByRevision| false, |change: &ByRevision| change.0.mod_revision() <= hash_revision);
        for (ByRevision(record), ()) in upto {
            let fed = if record.mod_revision() > bound {
                true
            } else if nothing_lives {
                // etcd feeds whatever its scan has left by now; what the bound leaves in the end is the same everywhere.
                self.survives(record, bound) && !record.is_tombstone()
            } else {
                self.lives_at(record, hash_revision)
            };
            if fed {
                sum.feed(record, &mut scratch);
            }
        }
        Ok(KeyspaceHash { hash: sum.value(), compact_revision: bound, hash_revision })
    }

    /// Whether a compaction's hash has this record in it, which is not above the compaction's bound.
    pub(super) fn is_hashed_by(&self, job: &Job, record: &Record) -> bool {
        record.mod_revision() > job.previous || self.lives_at(record, job.bound)
    }

    /// The record is the pair of its key at this revision.
    fn lives_at(&self, record: &Record, at: i64) -> bool {
        !record.is_tombstone()
            && self.version_at(record.key(), at).is_some_and(|newest| newest.revision() == record.revision())
    }

    fn compaction_hash(&self, bound: i64) -> Option<KeyspaceHash> {
        let compactions = &*self.compactions;
        let pending = compactions.pending.iter().rev().take(REMEMBERED);
        let room = REMEMBERED - pending.len();
        if let Some(job) = pending.into_iter().find(|job| job.bound == bound) {
            return Some(self.finished_hash(job));
        }
        compactions.hashes.iter().rev().take(room).find(|hash| hash.hash_revision == bound).copied()
    }

    /// The hash a compaction that is still at work will have in the end.
    fn finished_hash(&self, job: &Job) -> KeyspaceHash {
        let mut sum = job.sum;
        let mut scratch = Vec::new();
        for (ByRevision(record), ()) in
            self.log.range(|change: &ByRevision| change.0.revision() < job.next, job.covers())
        {
            if self.is_hashed_by(job, record) {
                sum.feed(record, &mut scratch);
            }
        }
        job.hash(sum)
    }
}
