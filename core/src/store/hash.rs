//! HashKV: one number for everything up to a revision, equal to the one a real etcd member computes.
//! Source: contract-semantics 13.6.
use super::{Keyspace, Record, compact::Job, record::ByRevision};
use crate::{KeyRange, Refusal, crc32c};
use alloc::vec::Vec;

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

/// A CRC-32C that can be put down and taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(u32);

impl Sum {
    /// Over the name of the bucket, which every such hash begins with.
    pub fn of_bucket() -> Sum {
        Sum(crc32c::of(b"key"))
    }

    /// Over one more change as etcd stores it.
    pub fn feed(&mut self, record: &Record, scratch: &mut Vec<u8>) {
        scratch.clear();
        record.stored_key(scratch);
        record.stored_value(scratch);
        self.0 = crc32c::chain(self.0, scratch);
    }

    pub fn value(self) -> u32 {
        self.0
    }
}

/// A hash in the making. It walks the log of one frozen state, as far at a time as its owner likes.
#[derive(Debug)]
pub struct Hashing {
    keyspace: Keyspace,
    rule: Rule,
    /// Changes above this main revision are not looked at.
    upto: i64,
    /// Every change before this revision was looked at.
    next: (i64, i64),
    sum: Sum,
    compact_revision: i64,
    hash_revision: i64,
    scratch: Vec<u8>,
}

/// Which changes are in the hash.
#[derive(Debug)]
enum Rule {
    /// It is known; nothing is looked at.
    Known,
    /// What this compaction covered, what it removes included.
    Compaction { previous: i64, bound: i64 },
    /// What is above the bound, and below it whatever is the pair of its key.
    Pairs { bound: i64, at: i64 },
    /// No pair is there. etcd feeds whatever its scan has left by now; what the bound leaves in the end is the same
    /// everywhere.
    Survivors { bound: i64 },
}

impl Hashing {
    /// Of everything up to this revision; 0 means the newest. [`Refusal::Compacted`] or [`Refusal::FutureRev`] if that
    /// cannot be read.
    ///
    /// The bound of one of the last ten compactions gives the hash of what that compaction covered, what it removed
    /// included, whether the removal is finished or not.
    pub fn new(keyspace: Keyspace, revision: i64) -> Result<Hashing, Refusal> {
        let start = (i64::MIN, i64::MIN);
        let compactions = keyspace.compactions.clone();
        let pending = compactions.pending.iter().rev().take(REMEMBERED);
        let room = REMEMBERED - pending.len();
        if let Some(job) = pending.into_iter().find(|job| job.bound == revision && job.is_whole) {
            let rule = Rule::Compaction { previous: job.previous, bound: job.bound };
            return Ok(Hashing::of(keyspace, rule, job.bound, job.next, job.hash(job.sum)));
        }
        let finished = compactions.hashes.iter().rev().take(room);
        if let Some(hash) = finished.into_iter().find(|hash| hash.hash_revision == revision) {
            return Ok(Hashing::of(keyspace, Rule::Known, revision, start, *hash));
        }
        if revision > 0 && revision < keyspace.compacted {
            return Err(Refusal::Compacted);
        }
        if revision > keyspace.revision {
            return Err(Refusal::FutureRev);
        }
        let at = if revision == 0 { keyspace.revision } else { revision };
        let bound = keyspace.compacted;
        let nothing_lives = at < 0 || keyspace.count(&KeyRange::all(), at) == 0;
        let rule = if nothing_lives { Rule::Survivors { bound } } else { Rule::Pairs { bound, at } };
        let begun =
            KeyspaceHash { hash: Sum::of_bucket().value(), compact_revision: bound, hash_revision: at };
        Ok(Hashing::of(keyspace, rule, at, start, begun))
    }

    fn of(keyspace: Keyspace, rule: Rule, upto: i64, next: (i64, i64), begun: KeyspaceHash) -> Hashing {
        let KeyspaceHash { hash, compact_revision, hash_revision } = begun;
        let (sum, scratch) = (Sum(hash), Vec::new());
        Hashing { keyspace, rule, upto, next, sum, compact_revision, hash_revision, scratch }
    }

    /// Looks at no more than `budget` changes; the hash once there are no more.
    pub fn step(&mut self, budget: usize) -> Option<KeyspaceHash> {
        let Hashing { keyspace, rule, upto, next, sum, scratch, .. } = self;
        if !matches!(rule, Rule::Known) {
            let rest = keyspace.log.range(
                |change: &ByRevision| change.0.revision() < *next,
                |change: &ByRevision| change.0.mod_revision() <= *upto,
            );
            let is_last = rest.len() <= budget;
            let mut seen = *next;
            for (ByRevision(record), ()) in rest.take(budget) {
                if rule.takes(keyspace, record) {
                    sum.feed(record, scratch);
                }
                let (main, sub) = record.revision();
                seen = (main, sub + 1);
            }
            *next = seen;
            if !is_last {
                return None;
            }
        }
        let Hashing { compact_revision, hash_revision, .. } = *self;
        Some(KeyspaceHash { hash: self.sum.value(), compact_revision, hash_revision })
    }
}

impl Rule {
    fn takes(&self, keyspace: &Keyspace, record: &Record) -> bool {
        match *self {
            Rule::Known => false,
            Rule::Compaction { previous, bound } => {
                record.mod_revision() > previous || keyspace.lives_at(record, bound)
            }
            Rule::Pairs { bound, at } => record.mod_revision() > bound || keyspace.lives_at(record, at),
            Rule::Survivors { bound } => {
                record.mod_revision() > bound || keyspace.survives(record, bound) && !record.is_tombstone()
            }
        }
    }
}

impl Keyspace {
    /// [`Hashing`] from its beginning to its end. Walks the whole log: not for the core's loop.
    pub fn hash_kv(&self, revision: i64) -> Result<KeyspaceHash, Refusal> {
        let hash = Hashing::new(self.clone(), revision)?.step(usize::MAX);
        Ok(hash.expect("there are no more changes than that"))
    }

    /// Whether a compaction's hash has this record in it, which is not above the compaction's bound.
    pub(super) fn is_hashed_by(&self, job: &Job, record: &Record) -> bool {
        Rule::Compaction { previous: job.previous, bound: job.bound }.takes(self, record)
    }

    /// The record is the pair of its key at this revision.
    fn lives_at(&self, record: &Record, at: i64) -> bool {
        !record.is_tombstone()
            && self.version_at(record.key(), at).is_some_and(|newest| newest.revision() == record.revision())
    }
}
