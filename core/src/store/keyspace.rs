//! An immutable state of the keyspace, and everything that can be asked of it.
use super::{
    compact::Compactions,
    record::{At, ByKey, ByRevision, Record},
    tree::{Counted, Iter, Probe, Tree},
};
use crate::{Refusal, key::End, key::KeyRange};
use alloc::sync::Arc;
use core::fmt;

/// The keys with their history, frozen. Cloning it shares everything.
///
/// Revisions: `at` is a main revision; 0 or less means the newest state. Asking for a revision that compaction has
/// passed, or that is not there yet, is refused by [`Keyspace::readable`] and by nobody else; below the compaction
/// bound the other functions answer from whatever is left.
#[derive(Clone)]
pub struct Keyspace {
    /// Every version of every key. Those that count are the pairs of the newest state.
    pub(super) history: Tree<ByKey, Version>,
    /// The same records by revision.
    pub(super) log: Tree<ByRevision, ()>,
    pub(super) revision: i64,
    pub(super) compacted: i64,
    pub(super) bytes: u64,
    pub(super) compactions: Arc<Compactions>,
}

/// Whether a version is the one clients see in the newest state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Live,
    /// Superseded, or a tombstone.
    Past,
}

impl Counted for Version {
    fn counts(&self) -> bool {
        *self == Version::Live
    }
}

impl Default for Keyspace {
    fn default() -> Self {
        Keyspace {
            history: Tree::new(),
            log: Tree::new(),
            revision: 1,
            compacted: -1,
            bytes: 0,
            compactions: Arc::default(),
        }
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace")
            .field("revision", &self.revision)
            .field("compacted", &self.compacted)
            .field("keys", &self.len())
            .field("records", &self.log.len())
            .finish()
    }
}

/// Reading a long run of versions of one key one by one is dearer than looking for its end.
const RUN_MAX: usize = 16;

impl Keyspace {
    /// The revision of the newest change; 1 if there never was one.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The bound of the last compaction, -1 before the first.
    pub fn compact_revision(&self) -> i64 {
        self.compacted
    }

    /// How many pairs the newest state has.
    pub fn len(&self) -> usize {
        self.history.counted()
    }

    /// How many changes are kept, of the past too.
    pub fn records(&self) -> usize {
        self.log.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An estimate, in bytes, of what the keyspace would take in etcd's backend file. It shrinks while compaction
    /// removes records, so it is this member's own affair and nothing that is replicated may depend on it.
    pub fn bytes_total(&self) -> u64 {
        self.bytes
    }

    /// Whether a client may read at this revision: [`Refusal::FutureRev`] or [`Refusal::Compacted`] if not.
    pub fn readable(&self, at: i64) -> Result<(), Refusal> {
        if at > self.revision {
            Err(Refusal::FutureRev)
        } else if at > 0 && at < self.compacted {
            Err(Refusal::Compacted)
        } else {
            Ok(())
        }
    }

    /// The pair of this key.
    pub fn get(&self, key: &[u8], at: i64) -> Option<&Record> {
        let at = if self.is_newest(at) { i64::MAX } else { at };
        self.version_at(key, at).filter(|record| !record.is_tombstone())
    }

    /// The pairs in an interval, ascending by key.
    pub fn range(&self, range: &KeyRange, at: i64) -> Pairs<'_> {
        Pairs(if range.is_single() {
            Inner::One(self.get(&range.start, at))
        } else if self.is_newest(at) {
            Inner::Newest(self.history.range_counted(before(range), within(range)))
        } else {
            Inner::Past(Past {
                keyspace: self,
                versions: self.history.range(before(range), within(range)),
                peeked: None,
                at,
            })
        })
    }

    /// The pairs of the newest state in an interval, descending by key.
    pub fn range_backwards(&self, range: &KeyRange) -> impl Iterator<Item = &Record> {
        self.history.range_counted(before(range), within(range)).rev().map(|(version, _)| &version.0)
    }

    /// How many pairs [`Keyspace::range`] would give. In the newest state, and in one that few changes have been made
    /// to since, this does not look at the pairs.
    pub fn count(&self, range: &KeyRange, at: i64) -> usize {
        if range.is_single() {
            return usize::from(self.get(&range.start, at).is_some());
        }
        let newest = self.history.count_range(before(range), within(range));
        if self.is_newest(at) {
            return newest;
        }
        let later =
            self.log.range(|change: &ByRevision| change.0.mod_revision() <= at, |_: &ByRevision| true);
        let versions = self.history.range(before(range), within(range)).len();
        if later.len() >= versions {
            return self.range(range, at).count();
        }
        // Take back what happened to each key since, once per key: at its first change after `at`.
        let (mut gone, mut added) = (0, 0);
        for (ByRevision(change), ()) in later.filter(|(change, ())| range.contains(change.0.key())) {
            let key = change.key();
            let (main, sub) = change.revision();
            let earlier = self.version_upto(key, (main, sub - 1));
            if earlier.is_some_and(|earlier| earlier.mod_revision() > at) {
                continue;
            }
            gone += usize::from(earlier.is_some_and(|earlier| !earlier.is_tombstone()));
            added += usize::from(self.get(key, 0).is_some());
        }
        newest + gone - added
    }

    /// Every change from this revision on, in order. Starts at the compaction bound if `from` is below it: the caller
    /// has compared with [`Keyspace::compact_revision`].
    pub fn changes(&self, from: i64) -> impl Iterator<Item = &Record> {
        let from = from.max(self.compacted);
        let changes =
            self.log.range(|change: &ByRevision| change.0.mod_revision() < from, |_: &ByRevision| true);
        // Of two changes of one key at the bound itself the earlier may or may not be removed yet.
        let visible = |record: &&Record| {
            record.mod_revision() != self.compacted || self.survives(record, self.compacted)
        };
        changes.map(|(change, ())| &change.0).filter(visible)
    }

    /// The pair as it was before the revision of this change, if there was one and compaction has left it. A put that
    /// begins a new life of its key has none, even where the same revision ended the old one. Source:
    /// contract-semantics 9.4.
    pub fn prev(&self, record: &Record) -> Option<&Record> {
        let before = record.mod_revision() - 1;
        let begins = !record.is_tombstone() && record.create_revision() == record.mod_revision();
        if begins || before < self.compacted {
            return None;
        }
        self.version_at(record.key(), before).filter(|record| !record.is_tombstone())
    }

    /// The newest version of a key, tombstones included, with a main revision up to this.
    pub(super) fn version_at(&self, key: &[u8], main: i64) -> Option<&Record> {
        self.version_upto(key, (main, i64::MAX))
    }

    fn version_upto(&self, key: &[u8], revision: (i64, i64)) -> Option<&Record> {
        let (ByKey(record), _) = self.history.floor(At { key, revision })?;
        (record.key() == key).then_some(record)
    }

    /// Whether a compaction at `bound` leaves this record: it is newer, or it is what its key is at the bound; a
    /// tombstone only if it stands at the bound itself. Source: contract-semantics 8.
    pub(super) fn survives(&self, record: &Record, bound: i64) -> bool {
        record.mod_revision() > bound
            || (!record.is_tombstone() || record.mod_revision() == bound)
                && self.version_at(record.key(), bound).is_some_and(|at| at.revision() == record.revision())
    }

    /// Takes in one more change, behind all others.
    pub(super) fn add(&mut self, record: Record) {
        let version = if record.is_tombstone() { Version::Past } else { Version::Live };
        self.bytes += record.stored_len();
        self.history.insert_after(ByKey(record.clone()), version, |before, version| {
            if before.0.key() == record.key() {
                *version = Version::Past;
            }
        });
        self.log.insert(ByRevision(record), ());
    }

    /// Reading at this revision is reading the newest state.
    pub fn is_newest(&self, at: i64) -> bool {
        at <= 0 || at >= self.revision
    }
}

/// The cut before the versions of the first key of an interval.
fn before(range: &KeyRange) -> impl Probe<ByKey> {
    At { key: &range.start, revision: (i64::MIN, i64::MIN) }
}

/// The cut behind the versions of the last key of an interval.
fn within(range: &KeyRange) -> impl Probe<ByKey> {
    match &range.end {
        End::Single => Upto(Some(At { key: &range.start, revision: (i64::MAX, i64::MAX) })),
        End::Before(end) => Upto(Some(At { key: end, revision: (i64::MIN, i64::MIN) })),
        End::Open => Upto(None),
    }
}

/// A cut, or the end of everything.
struct Upto<'a>(Option<At<'a>>);

impl Probe<ByKey> for Upto<'_> {
    fn is_behind(&self, version: &ByKey) -> bool {
        self.0.is_none_or(|at| at.is_behind(version))
    }
    fn bytes(&self) -> Option<&[u8]> {
        self.0.as_ref().and_then(Probe::bytes)
    }
}

/// The pairs of an interval in one state, ascending by key.
pub struct Pairs<'a>(Inner<'a>);

enum Inner<'a> {
    One(Option<&'a Record>),
    Newest(Iter<'a, ByKey, Version>),
    Past(Past<'a>),
}

impl<'a> Iterator for Pairs<'a> {
    type Item = &'a Record;

    fn next(&mut self) -> Option<&'a Record> {
        match &mut self.0 {
            Inner::One(record) => record.take(),
            Inner::Newest(versions) => versions.next().map(|(version, _)| &version.0),
            Inner::Past(past) => past.next(),
        }
    }
}

struct Past<'a> {
    keyspace: &'a Keyspace,
    versions: Iter<'a, ByKey, Version>,
    /// The first version of the next key, if it was met already.
    peeked: Option<&'a Record>,
    at: i64,
}

impl<'a> Past<'a> {
    fn next(&mut self) -> Option<&'a Record> {
        loop {
            let first = self.peeked.take().or_else(|| self.next_version())?;
            let found = self.newest_of_run(first).filter(|record| !record.is_tombstone());
            if found.is_some() {
                return found;
            }
        }
    }

    fn next_version(&mut self) -> Option<&'a Record> {
        self.versions.next().map(|(version, _)| &version.0)
    }

    /// What the key of this version was at the revision; leaves the walk at the next key.
    fn newest_of_run(&mut self, first: &'a Record) -> Option<&'a Record> {
        let key = first.key();
        let mut found = None;
        let mut version = Some(first);
        for _ in 0..RUN_MAX {
            match version {
                Some(record) if record.key() == key => {
                    if record.mod_revision() <= self.at {
                        found = Some(record);
                    }
                }
                next_key => {
                    self.peeked = next_key;
                    return found;
                }
            }
            version = self.next_version();
        }
        self.versions.skip_to(At { key, revision: (i64::MAX, i64::MAX) });
        self.peeked = version.filter(|record| record.key() != key);
        if self.peeked.is_some() {
            // The run ended exactly here, and the skip above did not move.
            return found;
        }
        self.keyspace.version_at(key, self.at)
    }
}
