//! The replicated half of leases: which exist, what was granted, and which keys hang on them. No time in here.
use crate::store::tree::{Counted, Iter, Tree};
use bytes::Bytes;

/// One lease as the log has it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Granted, in seconds.
    pub ttl: i64,
    /// What was left at the last checkpoint, in seconds; 0 if there was none.
    pub remaining_ttl: i64,
    keys: Tree<Bytes, ()>,
}

impl Counted for Lease {}

impl Lease {
    /// The keys that hang on it, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.keys.iter().map(|(key, ())| key)
    }
}

/// All leases by id, ascending; ids may be negative. Cloning it shares everything.
#[derive(Clone, Debug, Default)]
pub struct Table {
    leases: Tree<i64, Lease>,
}

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    pub fn len(&self) -> usize {
        self.leases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    pub fn exists(&self, id: i64) -> bool {
        self.leases.contains(&id)
    }

    pub fn get(&self, id: i64) -> Option<&Lease> {
        self.leases.get(&id)
    }

    pub fn iter(&self) -> Iter<'_, i64, Lease> {
        self.leases.iter()
    }

    /// Whether there was no such lease yet; if there was it stays as it is.
    pub fn grant(&mut self, id: i64, ttl: i64) -> bool {
        let is_new = !self.exists(id);
        if is_new {
            self.leases.insert(id, Lease { ttl, remaining_ttl: 0, keys: Tree::new() });
        }
        is_new
    }

    /// Takes the lease out, with the keys that hung on it; they are the caller's to delete.
    pub fn revoke(&mut self, id: i64) -> Option<Lease> {
        self.leases.remove(&id).map(|(_, lease)| lease)
    }

    /// Hangs a key on a lease; whether there is such a lease.
    pub fn attach(&mut self, id: i64, key: &[u8]) -> bool {
        self.leases.edit(&id, |lease| lease.keys.insert(Bytes::copy_from_slice(key), ())).is_some()
    }

    /// Takes a key off a lease; whether it hung there.
    pub fn detach(&mut self, id: i64, key: &[u8]) -> bool {
        self.leases.edit(&id, |lease| lease.keys.remove(key).is_some()).unwrap_or(false)
    }
}
