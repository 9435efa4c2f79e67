//! The keyspace made again from the rows that etcd's backend has of it.
use super::{
    Keyspace, Record,
    compact::{Compactions, Job},
    hash::Sum,
    record::{ByRevision, Meta},
};
use crate::{Plant, Plants};
use alloc::{sync::Arc, vec::Vec};
use detcd_proto::{Message, mvccpb::KeyValue};

/// No cluster comes near this revision, and whatever is counted on from it stays far from overflowing.
pub const REVISION_MAX: i64 = 1 << 62;

const MAIN: usize = 8;
const KEY_BYTES: usize = 17;

/// A keyspace in the making: rows in the order of their keys, then what compactions there were.
#[derive(Debug, Default)]
pub struct Restoring {
    keyspace: Keyspace,
    newest: Option<(i64, i64)>,
    scratch: Vec<u8>,
    plants: Plants,
}

/// Reads the key of a row: main and sub-revision, and whether a tombstone stands behind it.
pub fn parse_revision(key: &[u8]) -> Option<((i64, i64), bool)> {
    let (main, rest) = key.split_first_chunk::<MAIN>()?;
    let (sub, mark) = rest.strip_prefix(b"_")?.split_first_chunk::<MAIN>()?;
    let is_tombstone = match mark {
        b"" => false,
        b"t" => true,
        _ => return None,
    };
    Some(((i64::from_be_bytes(*main), i64::from_be_bytes(*sub)), is_tombstone))
}

/// The key of a row that stands for a whole revision.
pub fn revision_key(main: i64) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_BYTES);
    key.extend_from_slice(&main.to_be_bytes());
    key.push(b'_');
    key.extend_from_slice(&0i64.to_be_bytes());
    key
}

impl Restoring {
    pub fn with_plants(plants: Plants) -> Restoring {
        Restoring { plants, ..Restoring::default() }
    }

    /// One more row, behind all before it. What does not come from etcd is refused with a reason.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let (revision, is_tombstone) = parse_revision(key).ok_or("a key that is no revision")?;
        let (main, sub) = revision;
        if !(1..=REVISION_MAX).contains(&main) || !(0..=i64::from(u32::MAX)).contains(&sub) {
            return Err("a revision out of all bounds");
        }
        if self.newest.is_some_and(|newest| newest >= revision) {
            return Err("revisions out of order");
        }
        let pair = KeyValue::decode(value).map_err(|_| "a pair that cannot be read")?;
        let named = !pair.key.is_empty();
        let is_sound = if is_tombstone {
            named
        } else {
            // A restore that skips revisions leaves a row without any pair behind.
            !named && value.is_empty()
                || named && pair.version > 0 && pair.create_revision > 0 && pair.mod_revision == main
        };
        if !is_sound {
            return Err("a pair that does not fit its revision");
        }
        let meta = Meta {
            main,
            sub,
            create_revision: pair.create_revision,
            version: pair.version,
            lease: pair.lease,
        };
        let record = Record::new(meta, &pair.key, &pair.value, &mut self.scratch);
        self.scratch.clear();
        record.stored_value(&mut self.scratch);
        // What is not equal to the byte would give another hash here than on the other members.
        if self.scratch != value || record.is_tombstone() != is_tombstone {
            return Err("a pair in another encoding than etcd's");
        }
        self.newest = Some(revision);
        if !is_tombstone || !self.plants.has(Plant::RevisionFallsAfterCompactCrash) {
            self.keyspace.revision = main;
        }
        let forgets = self.plants.has(Plant::LoneTombstoneNotRestored);
        if !(forgets && is_tombstone && self.keyspace.get(record.key(), main).is_none()) {
            self.keyspace.add(record);
        }
        Ok(())
    }

    /// `scheduled`: up to where a compaction was begun, `finished`: up to where one ended. What is left of it is done
    /// from now on.
    pub fn finish(self, scheduled: Option<i64>, finished: Option<i64>) -> Result<Keyspace, &'static str> {
        let mut keyspace = self.keyspace;
        for bound in [scheduled, finished].into_iter().flatten() {
            if !(0..=REVISION_MAX).contains(&bound) {
                return Err("a compaction out of all bounds");
            }
        }
        let finished = finished.unwrap_or(-1);
        keyspace.compacted = scheduled.unwrap_or(-1).max(finished);
        if !self.plants.has(Plant::RevisionFallsAfterCompactCrash) {
            keyspace.revision = keyspace.revision.max(keyspace.compacted);
        }
        if keyspace.compacted > finished {
            let job = Job {
                bound: keyspace.compacted,
                previous: finished,
                next: (i64::MIN, i64::MIN),
                sum: Sum::of_bucket(),
                is_whole: false,
            };
            keyspace.compactions =
                Arc::new(Compactions { pending: [job].into_iter().collect(), hashes: Vec::new() });
        }
        Ok(keyspace)
    }
}

impl Keyspace {
    /// The changes that the last compaction leaves, in order, from a place in the log on, each with its place. So they
    /// do not depend on how far this member is with removing the others.
    pub fn kept(&self, from: usize) -> impl Iterator<Item = (usize, &Record)> {
        let is_clean = self.compactions.pending.is_empty();
        let mut log = self.log.iter();
        if from > 0 {
            log.nth(from - 1);
        }
        let placed = log.enumerate().map(move |(at, (ByRevision(record), ()))| (from + at, record));
        placed.filter(move |(_, record)| is_clean || self.survives(record, self.compacted))
    }

    /// As it would be after a restart: what compactions covered is not known any more.
    #[cfg(test)]
    pub fn without_hashes(&self) -> Keyspace {
        let mut keyspace = self.clone();
        keyspace.compactions = Arc::default();
        keyspace
    }
}
