//! The log in memory: everything after a base, in order, without gaps.
use alloc::{collections::VecDeque, vec::Vec};
use detcd_proto::raftpb::{Entry, EntryType};

/// What an entry costs in a message beyond its payload, in bytes; a round upper bound of its encoding.
const ENTRY_OVERHEAD_BYTES: u64 = 32;

#[derive(Debug)]
pub struct Log {
    base_index: u64,
    base_term: u64,
    /// The cost of all that ever was in this log and lies at or below its base.
    base_cost: u64,
    slots: VecDeque<Slot>,
    /// The indexes of the entries that change the membership, ascending.
    conf_changes: VecDeque<u64>,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    /// The cost of this entry and all before it that ever were in this log: a difference of two gives the cost of a
    /// stretch, so no counter has to be kept in step.
    cost_upto: u64,
}

impl Log {
    /// Panics if `entries` do not follow on `base` without a gap: recovery hands in a checked log.
    pub fn new(base: (u64, u64), entries: Vec<Entry>) -> Log {
        let mut log = Log {
            base_index: base.0,
            base_term: base.1,
            base_cost: 0,
            slots: VecDeque::with_capacity(entries.len()),
            conf_changes: VecDeque::new(),
        };
        for entry in entries {
            log.append(entry);
        }
        log
    }

    pub fn base_index(&self) -> u64 {
        self.base_index
    }

    pub fn last_index(&self) -> u64 {
        self.base_index + self.slots.len() as u64
    }

    pub fn last_term(&self) -> u64 {
        self.slots.back().map_or(self.base_term, |slot| slot.entry.term)
    }

    /// The term of the entry at `index`; `None` below the base and beyond the end, where this log cannot know.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.base_index {
            return Some(self.base_term);
        }
        self.slot(index).map(|slot| slot.entry.term)
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        let offset = index.checked_sub(self.base_index + 1)?;
        self.slots.get(usize::try_from(offset).ok()?)
    }

    /// Whether a log that ends with (`index`, `term`) is at least as up to date as this one. Raft 5.4.1.
    pub fn is_behind_or_equal(&self, index: u64, term: u64) -> bool {
        (term, index) >= (self.last_term(), self.last_index())
    }

    pub fn append(&mut self, entry: Entry) {
        assert_eq!(entry.index, self.last_index() + 1, "an entry must follow on the last one");
        if entry.r#type != EntryType::EntryNormal as i32 {
            self.conf_changes.push_back(entry.index);
        }
        let before = self.slots.back().map_or(self.base_cost, |slot| slot.cost_upto);
        let cost_upto = before + cost(&entry);
        self.slots.push_back(Slot { entry, cost_upto });
    }

    /// Drops everything after `last_kept`.
    pub fn truncate(&mut self, last_kept: u64) {
        assert!(last_kept >= self.base_index, "what lies below the base is committed");
        self.slots.truncate((last_kept - self.base_index) as usize);
        while self.conf_changes.back().is_some_and(|index| *index > last_kept) {
            self.conf_changes.pop_back();
        }
    }

    /// Drops everything up to `upto`, which becomes the base; nothing if it is the base or lies below.
    pub fn forget_upto(&mut self, upto: u64) {
        let Some(slot) = self.slot(upto) else {
            assert!(upto <= self.base_index, "only what is there can be forgotten");
            return;
        };
        let (term, cost) = (slot.entry.term, slot.cost_upto);
        self.slots.drain(..(upto - self.base_index) as usize);
        (self.base_index, self.base_term, self.base_cost) = (upto, term, cost);
        while self.conf_changes.front().is_some_and(|index| *index <= upto) {
            self.conf_changes.pop_front();
        }
    }

    /// Where a log whose term at `index` is `term` and this one may first agree: the last index not after `index`
    /// whose term here is not after `term`, and that term (0 if it lies below the base). Both sides of a rejection
    /// use it, so that one exchange skips a whole term.
    pub fn last_possible_match(&self, index: u64, term: u64) -> (u64, u64) {
        let index = index.min(self.last_index());
        if index < self.base_index {
            return (index, 0);
        }
        let held = (index - self.base_index) as usize;
        // Terms never fall along a log, so the wanted place is where they first exceed `term`.
        let fitting = partition_point(held, |offset| self.slots[offset].entry.term <= term);
        if fitting == 0 && self.base_term > term {
            return (self.base_index.saturating_sub(1), 0);
        }
        let found = self.base_index + fitting as u64;
        (found, self.term(found).unwrap_or(0))
    }

    /// Entries `from..=upto`, as many as cost at most `max_bytes`, but at least one if there is any. Payloads are
    /// shared, not copied.
    pub fn slice(&self, from: u64, upto: u64, max_bytes: u64) -> Vec<Entry> {
        let upto = upto.min(self.last_index());
        if from > upto || from <= self.base_index {
            return Vec::new();
        }
        let before = self.cost_upto(from - 1);
        let start = (from - self.base_index - 1) as usize;
        let len = (upto - from + 1) as usize;
        let fitting =
            partition_point(len, |offset| self.slots[start + offset].cost_upto - before <= max_bytes);
        self.slots.range(start..start + fitting.max(1)).map(|slot| slot.entry.clone()).collect()
    }

    /// What entries `after+1..=upto` cost, in bytes.
    pub fn cost_between(&self, after: u64, upto: u64) -> u64 {
        self.cost_upto(upto).saturating_sub(self.cost_upto(after))
    }

    fn cost_upto(&self, index: u64) -> u64 {
        if index <= self.base_index {
            return self.base_cost;
        }
        self.slot(index).map_or(0, |slot| slot.cost_upto)
    }

    /// The first membership change after `index`.
    pub fn conf_change_after(&self, index: u64) -> Option<u64> {
        let at = self.conf_changes.partition_point(|change| *change <= index);
        self.conf_changes.get(at).copied()
    }

    /// A membership change that must be committed because a later one stands in the log: no leader proposes one
    /// before it has applied the one before.
    pub fn proven_commit(&self) -> u64 {
        self.conf_changes.iter().rev().nth(1).copied().unwrap_or(0)
    }
}

fn cost(entry: &Entry) -> u64 {
    entry.data.as_ref().map_or(0, |data| data.len() as u64) + ENTRY_OVERHEAD_BYTES
}

/// How many of `0..len` satisfy `holds`, which must hold for a prefix.
fn partition_point(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
