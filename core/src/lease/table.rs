//! The replicated half of leases: which exist, what was granted, and which keys hang on them. No time in here.
use crate::{
    Plant, Plants,
    store::tree::{Counted, Iter, Tree},
};
use alloc::vec::Vec;
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
    /// What a new leader counts down from, in seconds.
    pub fn ttl_left(&self) -> i64 {
        if self.remaining_ttl > 0 { self.remaining_ttl } else { self.ttl }
    }

    /// The keys that hang on it, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Bytes> {
        self.keys.iter().map(|(key, ())| key)
    }
}

/// All leases by id, ascending; ids may be negative. Cloning it shares everything.
#[derive(Clone, Debug, Default)]
pub struct Table {
    leases: Tree<i64, Lease>,
    plants: Plants,
}

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    /// An empty one with these bugs in it.
    pub fn with_plants(plants: Plants) -> Table {
        Table { plants, ..Table::default() }
    }

    /// Puts a lease in as it was stored; no key hangs on it yet.
    pub fn restore(&mut self, id: i64, ttl: i64, remaining_ttl: i64) {
        self.leases.insert(id, Lease { ttl, remaining_ttl, keys: Tree::new() });
    }

    /// No lease is granted for less than this, one that was stored neither.
    pub fn raise_ttls(&mut self, ttl_min: i64) {
        let short: Vec<i64> =
            self.iter().filter(|(_, lease)| lease.ttl < ttl_min).map(|(id, _)| *id).collect();
        for id in short {
            self.leases.edit(&id, |lease| lease.ttl = ttl_min);
        }
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

    /// All by the bits of their ids, those below zero behind the others, from a place in this order on.
    pub fn by_bits(&self, from: usize) -> impl Iterator<Item = (&i64, &Lease)> {
        let mut others = self.leases.range(|id: &i64| *id < 0, |_: &i64| true);
        let mut negative = self.leases.range(|_: &i64| false, |id: &i64| *id < 0);
        let from_negative = from.saturating_sub(others.len());
        for (leases, from) in [(&mut others, from), (&mut negative, from_negative)] {
            if from > 0 {
                leases.nth(from - 1);
            }
        }
        others.chain(negative)
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

    /// Only with a planted bug: as if the table were read back from its lowest id to its highest, in an order of
    /// unsigned numbers, where those below zero come behind the highest.
    pub fn forget_negative(&mut self) {
        while let Some((&id, _)) = self.leases.iter().next().filter(|(id, _)| **id < 0) {
            self.leases.remove(&id);
        }
    }

    /// Notes how many seconds a lease had left; 0 means as many as were granted. Whether there is such a lease.
    pub fn checkpoint(&mut self, id: i64, remaining_ttl: i64) -> bool {
        self.leases.edit(&id, |lease| lease.remaining_ttl = remaining_ttl).is_some()
    }

    /// Hangs a key on a lease; whether there is such a lease.
    pub fn attach(&mut self, id: i64, key: &[u8]) -> bool {
        self.leases.edit(&id, |lease| lease.keys.insert(Bytes::copy_from_slice(key), ())).is_some()
    }

    /// A put took the key from one lease to another, or to none. Only one lease may end it: the last it was put under.
    pub fn reattach(&mut self, from: i64, to: i64, key: &[u8]) {
        if from != to && from != 0 && !self.plants.has(Plant::ReattachWrongDelete) {
            self.detach(from, key);
        }
        // The lease of an old version may be gone; its number stays without meaning anything.
        if to != 0 {
            self.attach(to, key);
        }
    }

    /// Takes a key off a lease; whether it hung there.
    pub fn detach(&mut self, id: i64, key: &[u8]) -> bool {
        self.leases.edit(&id, |lease| lease.keys.remove(key).is_some()).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key `k` is put under lease 1, then under lease 2. Which leases would end it?
    fn moved(plants: Plants) -> Vec<i64> {
        let mut table = Table::with_plants(plants);
        table.grant(1, 10);
        table.grant(2, 10);
        table.reattach(0, 1, b"k");
        table.reattach(1, 2, b"k");
        [1, 2]
            .into_iter()
            .filter(|&id| table.revoke(id).is_some_and(|lease| lease.keys().len() > 0))
            .collect()
    }

    #[test]
    fn a_key_hangs_on_the_lease_it_was_last_put_under() {
        assert_eq!(moved(Plants::NONE), [2]);
    }

    #[cfg(feature = "plants")]
    #[test]
    fn reattach_wrong_delete_leaves_the_key_on_both() {
        assert_eq!(moved(Plants::only(Plant::ReattachWrongDelete)), [1, 2]);
    }
}
