//! Sets of keys, and whether several of them together cover an interval without a gap.
use crate::{KeyRange, key::End};
use alloc::vec::Vec;
use bytes::Bytes;

/// Intervals that neither overlap nor touch, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Interval>);

/// From a key up to and without another; `None`: without end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Interval {
    start: Bytes,
    end: Option<Bytes>,
}

impl Interval {
    fn of(range: &KeyRange) -> Interval {
        let end = match &range.end {
            End::Single => Some(successor(&range.start)),
            End::Open => None,
            End::Before(end) => Some(end.clone()),
        };
        Interval { start: range.start.clone(), end }
    }

    fn goes_beyond(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_none_or(|end| end[..] > *key)
    }
}

/// The first key behind this one.
fn successor(key: &[u8]) -> Bytes {
    key.iter().copied().chain([0]).collect()
}

impl Ranges {
    pub fn of(ranges: impl IntoIterator<Item = KeyRange>) -> Ranges {
        let mut intervals: Vec<Interval> =
            ranges.into_iter().filter(|range| !range.is_empty()).map(|range| Interval::of(&range)).collect();
        intervals.sort_by(|a, b| a.start.cmp(&b.start));
        let mut merged: Vec<Interval> = Vec::new();
        for next in intervals {
            match merged.last_mut() {
                Some(last) if last.end.as_ref().is_none_or(|end| *end >= next.start) => {
                    let reaches_further = match &next.end {
                        Some(end) => !last.goes_beyond(end),
                        None => true,
                    };
                    if reaches_further {
                        last.end = next.end;
                    }
                }
                _ => merged.push(next),
            }
        }
        Ranges(merged)
    }

    /// The interval that contains the key.
    fn around(&self, key: &[u8]) -> Option<&Interval> {
        let behind = self.0.partition_point(|interval| interval.start[..] <= *key);
        let interval = self.0.get(behind.checked_sub(1)?)?;
        interval.goes_beyond(key).then_some(interval)
    }
}

/// Whether every key of the interval is in one of the sets. Of an interval without keys both ends must be inside one of
/// theirs, as etcd has it.
pub fn cover<'a, I: Iterator<Item = &'a Ranges>>(sets: impl Fn() -> I, wanted: &KeyRange) -> bool {
    let (mut reached, end) = match &wanted.end {
        End::Single => return sets().any(|set| set.around(&wanted.start).is_some()),
        End::Open => (&wanted.start, None),
        End::Before(end) => (&wanted.start, Some(end)),
    };
    if wanted.is_empty() {
        let end = end.expect("only an interval with an end can be empty");
        return sets().any(|set| set.around(&wanted.start).is_some_and(|interval| interval.start < *end));
    }
    loop {
        let mut furthest: Option<&Interval> = None;
        for interval in sets().filter_map(|set| set.around(reached)) {
            let Some(end) = &interval.end else { return true };
            if furthest.is_none_or(|furthest| !furthest.goes_beyond(end)) {
                furthest = Some(interval);
            }
        }
        let Some(next) = furthest.and_then(|interval| interval.end.as_ref()) else { return false };
        if end.is_some_and(|end| next >= end) {
            return true;
        }
        reached = next;
    }
}
