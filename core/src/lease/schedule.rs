//! One moment for each lease, and which comes first.
use crate::Moment;
use alloc::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Schedule {
    queue: BTreeSet<(Moment, i64)>,
    /// Where in the queue a lease stands.
    queued: BTreeMap<i64, Moment>,
}

impl Schedule {
    /// In place of the moment it had, if it had one.
    pub fn set(&mut self, lease: i64, at: Moment) {
        if let Some(before) = self.queued.insert(lease, at) {
            self.queue.remove(&(before, lease));
        }
        self.queue.insert((at, lease));
    }

    pub fn remove(&mut self, lease: i64) {
        if let Some(at) = self.queued.remove(&lease) {
            self.queue.remove(&(at, lease));
        }
    }

    pub fn first(&self) -> Option<(Moment, i64)> {
        self.queue.first().copied()
    }

    /// The lease that comes first, if its moment has come. It stays until it is given another.
    pub fn due(&self, now: Moment) -> Option<i64> {
        self.first().filter(|(at, _)| *at <= now).map(|(_, lease)| lease)
    }
}
