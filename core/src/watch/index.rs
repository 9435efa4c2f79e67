//! Which watchers a key concerns, without asking each of them.
use super::hub::WatcherId;
use crate::{KeyRange, key::End};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use bytes::Bytes;

type Watchers = BTreeSet<WatcherId>;

/// Keys and prefixes, which is nearly all that clients watch, cost a look-up each; other intervals are walked.
#[derive(Debug, Default)]
pub struct Index {
    keys: BTreeMap<Bytes, Watchers>,
    prefixes: BTreeMap<Bytes, Watchers>,
    /// How many distinct prefixes have which length: only these lengths of a key need a look-up.
    prefix_lengths: BTreeMap<usize, usize>,
    intervals: BTreeMap<(Bytes, Option<Bytes>), Watchers>,
}

enum Shape {
    Key(Bytes),
    Prefix(Bytes),
    /// From the start to the end, or without end.
    Interval(Bytes, Option<Bytes>),
}

impl Shape {
    fn of(range: &KeyRange) -> Shape {
        let start = range.start.clone();
        match &range.end {
            End::Single => Shape::Key(start),
            End::Open => Shape::Interval(start, None),
            End::Before(end) if is_prefix(&start, end) => Shape::Prefix(start),
            End::Before(end) => Shape::Interval(start, Some(end.clone())),
        }
    }
}

/// `end` is the start with its last byte incremented.
fn is_prefix(start: &[u8], end: &[u8]) -> bool {
    match (start.split_last(), end.split_last()) {
        (Some((a, head)), Some((b, end_head))) => *a < 0xff && *b == a + 1 && head == end_head,
        _ => false,
    }
}

impl Index {
    pub fn insert(&mut self, range: &KeyRange, watcher: WatcherId) {
        match Shape::of(range) {
            Shape::Key(key) => {
                self.keys.entry(key).or_default().insert(watcher);
            }
            Shape::Prefix(prefix) => {
                let length = prefix.len();
                let watchers = self.prefixes.entry(prefix).or_default();
                if watchers.is_empty() {
                    *self.prefix_lengths.entry(length).or_default() += 1;
                }
                watchers.insert(watcher);
            }
            Shape::Interval(start, end) => {
                self.intervals.entry((start, end)).or_default().insert(watcher);
            }
        }
    }

    pub fn remove(&mut self, range: &KeyRange, watcher: WatcherId) {
        match Shape::of(range) {
            Shape::Key(key) => {
                take(&mut self.keys, &key, watcher);
            }
            Shape::Prefix(prefix) => {
                if take(&mut self.prefixes, &prefix, watcher) {
                    let length = prefix.len();
                    let count = self.prefix_lengths.get_mut(&length).expect("counted at insert");
                    *count -= 1;
                    if *count == 0 {
                        self.prefix_lengths.remove(&length);
                    }
                }
            }
            Shape::Interval(start, end) => {
                take(&mut self.intervals, &(start, end), watcher);
            }
        }
    }

    /// Every watcher whose range contains the key, appended to `into`.
    pub fn concerned(&self, key: &[u8], into: &mut Vec<WatcherId>) {
        into.extend(self.keys.get(key).into_iter().flatten());
        for length in self.prefix_lengths.keys().take_while(|length| **length <= key.len()) {
            into.extend(self.prefixes.get(&key[..*length]).into_iter().flatten());
        }
        for ((start, end), watchers) in &self.intervals {
            if key < &start[..] {
                break;
            }
            if end.as_ref().is_none_or(|end| key < &end[..]) {
                into.extend(watchers);
            }
        }
    }
}

/// Removes the watcher; tells whether it was the last one there.
fn take<K: Ord>(map: &mut BTreeMap<K, Watchers>, at: &K, watcher: WatcherId) -> bool {
    let Some(watchers) = map.get_mut(at) else { return false };
    watchers.remove(&watcher);
    let empty = watchers.is_empty();
    if empty {
        map.remove(at);
    }
    empty
}
