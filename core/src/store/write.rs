//! The one writer.
use super::{Change, Keyspace, Record, record::Meta};
use crate::{KeyRange, Plants};
use alloc::vec::Vec;

/// The keyspace and the right to change it.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub(super) keyspace: Keyspace,
    pub(super) scratch: Vec<u8>,
    pub(crate) plants: Plants,
}

impl Store {
    pub fn new(plants: Plants) -> Store {
        Store { plants, ..Store::default() }
    }

    pub fn from_keyspace(keyspace: Keyspace, plants: Plants) -> Store {
        Store { keyspace, ..Store::new(plants) }
    }

    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// Begins the changes of one applied request, which take one revision together if there are any.
    pub fn begin(&mut self) -> Write<'_> {
        let main = self.keyspace.revision + 1;
        Write { store: self, main, changes: Vec::new() }
    }
}

/// The changes of one revision while they are made. Each is in the keyspace at once, so there is no way back: check
/// before you write.
pub struct Write<'a> {
    store: &'a mut Store,
    main: i64,
    changes: Vec<Change>,
}

impl Write<'_> {
    /// The state with the changes made so far.
    pub fn keyspace(&self) -> &Keyspace {
        &self.store.keyspace
    }

    /// The revision before the first change of this write, and the new one after it.
    pub fn revision(&self) -> i64 {
        self.store.keyspace.revision
    }

    /// The revision the changes take, whether there are any yet or not.
    pub fn next_revision(&self) -> i64 {
        self.main
    }

    /// Puts a pair; the one that was there before, if any.
    pub fn put(&mut self, key: &[u8], value: &[u8], lease: i64) -> Option<Record> {
        let prev = self.keyspace().get(key, 0).cloned();
        let (create_revision, version) =
            prev.as_ref().map_or((self.main, 1), |prev| (prev.create_revision(), prev.version() + 1));
        let meta = Meta { create_revision, version, lease, ..self.next_place() };
        self.record(meta, key, value, prev.clone());
        prev
    }

    /// Deletes a pair; the one that was there, if any.
    pub fn delete(&mut self, key: &[u8]) -> Option<Record> {
        let prev = self.keyspace().get(key, 0).cloned()?;
        self.record(self.next_place(), key, &[], Some(prev.clone()));
        Some(prev)
    }

    /// Deletes every pair in the interval, in key order; what was there.
    pub fn delete_range(&mut self, range: &KeyRange) -> Vec<Record> {
        let doomed: Vec<Record> = self.keyspace().range(range, 0).cloned().collect();
        for record in &doomed {
            self.record(self.next_place(), record.key(), &[], Some(record.clone()));
        }
        doomed
    }

    /// The changes in order; none if the revision did not move.
    pub fn finish(self) -> Vec<Change> {
        self.changes
    }

    fn next_place(&self) -> Meta {
        Meta { main: self.main, sub: self.changes.len() as i64, ..Meta::default() }
    }

    /// `replaced` is the pair that is there now.
    fn record(&mut self, meta: Meta, key: &[u8], value: &[u8], replaced: Option<Record>) {
        let Store { keyspace, scratch, .. } = &mut *self.store;
        let record = Record::new(meta, key, value, scratch);
        keyspace.revision = self.main;
        keyspace.add(record.clone());
        // Watchers are told of the pair before the revision, not of one that this revision made itself.
        let prev = match replaced {
            Some(replaced) if replaced.mod_revision() < self.main => Some(replaced),
            _ if self.changes.is_empty() => None,
            _ => keyspace.prev(&record).cloned(),
        };
        self.changes.push(Change { record, prev });
    }
}
