//! What a member counts and times for those who watch over it. Nothing decides by it. Source: contract-metrics.
use detcd_core::{
    MemberId, Refusal, Span,
    state::{Tally, tally::OPERATIONS},
};
use std::{
    collections::BTreeMap,
    iter,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// Goes up; where it says so, down as well.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Never below what was added before.
    pub fn sub(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Times in buckets, each bound twice the one before.
#[derive(Debug)]
pub struct Histogram {
    first: Span,
    /// One for each bound, and one for what is longer than all.
    buckets: Vec<AtomicU64>,
    nanos: AtomicU64,
}

impl Histogram {
    pub fn new(first: Span, bounds: usize) -> Histogram {
        let buckets = iter::repeat_with(AtomicU64::default).take(bounds + 1).collect();
        Histogram { first, buckets, nanos: AtomicU64::default() }
    }

    pub fn observe(&self, time: Span) {
        self.observe_many(time, 1);
    }

    /// The same time, so many times.
    pub fn observe_many(&self, time: Span, times: u64) {
        let last = self.buckets.len() - 1;
        let at = (0..last).position(|at| time.0 <= self.bound(at).0).unwrap_or(last);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(times, Ordering::Relaxed);
        }
        self.nanos.fetch_add(time.0.saturating_mul(times), Ordering::Relaxed);
    }

    fn bound(&self, at: usize) -> Span {
        Span(self.first.0.saturating_mul(1 << at.min(63)))
    }

    /// Upper bound in seconds and number in each bucket; the last one has no bound.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let last = self.buckets.len() - 1;
        let count = |(at, bucket): (usize, &AtomicU64)| {
            let bound = if at == last { f64::INFINITY } else { seconds(self.bound(at).0) };
            (bound, bucket.load(Ordering::Relaxed))
        };
        self.buckets.iter().enumerate().map(count).collect()
    }

    pub fn sum_seconds(&self) -> f64 {
        seconds(self.nanos.load(Ordering::Relaxed))
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// One for what failed, one for what went well.
#[derive(Debug)]
pub struct ByOutcome {
    pub failed: Histogram,
    pub succeeded: Histogram,
}

impl ByOutcome {
    fn new(first: Span, bounds: usize) -> ByOutcome {
        ByOutcome { failed: Histogram::new(first, bounds), succeeded: Histogram::new(first, bounds) }
    }

    pub fn of(&self, is_ok: bool) -> &Histogram {
        if is_ok { &self.succeeded } else { &self.failed }
    }
}

/// Whither snapshots go, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    To,
    From,
}

/// Snapshots between this member and one other, in one direction.
#[derive(Debug)]
pub struct SnapshotMeters {
    pub succeeded: Count,
    pub failed: Count,
    /// On their way; goes down as well.
    pub inflight: Count,
    /// Of those that arrived.
    pub durations: Histogram,
}

/// Everything that the driver counts. What the core counts is in [`Tally`].
#[derive(Debug)]
pub struct Meters {
    pub wal_fsync: Histogram,
    pub wal_write: Histogram,
    pub wal_bytes: Count,
    /// An image, from the first byte to its name.
    pub snap_db_save: Histogram,
    pub snap_db_fsync: Histogram,
    /// The small file beside an image, from the first byte to a name that is safe.
    pub snap_save: Histogram,
    pub snap_marshalling: Histogram,
    pub snap_fsync: Histogram,
    /// Snapshots that are read and put in their place; goes down as well.
    pub snapshots_applying: Count,
    snapshots: Mutex<BTreeMap<(Direction, MemberId), Arc<SnapshotMeters>>>,
    /// Somebody leads who did not before.
    pub leader_changes: Count,
    /// Heartbeats of this leader that were due long before.
    pub late_heartbeats: Count,
    /// Goes down as well.
    pub proposals_pending: Count,
    pub proposals_failed: Count,
    pub reads_failed: Count,
    pub reads_slow: Count,
    /// Reads that changed nothing: [`Tally`] has the others.
    pub ranges: Count,
    /// Transactions of more than one read.
    pub txns: Count,
    pub range: ByOutcome,
    /// By place in [`OPERATIONS`]: the time of a turn, in equal shares for the entries that it applied.
    pub apply: Vec<ByOutcome>,
    pub applies_slow: Count,
    /// By place in [`OPERATIONS`]: from the proposal to the answer.
    pub requests: Vec<ByOutcome>,
    pub leases_renewed: Count,
    pub hash_kv: Histogram,
    pub hash: Histogram,
    /// A whole file sent to a client.
    pub snapshot: Histogram,
    pub health_good: Count,
    pub health_bad: Count,
    /// The next three go down as well.
    pub watch_streams: Count,
    pub watchers: Count,
    pub watchers_slow: Count,
    /// Waiting to be read by their clients; goes down as well.
    pub events_pending: Count,
    pub events: Count,
}

/// From here on an entry took long to apply; etcd's `--warning-apply-duration`.
const SLOW_APPLY: Span = Span::millis(100);

impl Default for Meters {
    fn default() -> Meters {
        let of_disk = || Histogram::new(Span::millis(1), 14);
        let of_work = || ByOutcome::new(Span(100_000), 20);
        let of_requests = || ByOutcome::new(Span::millis(1), 14);
        Meters {
            wal_fsync: of_disk(),
            wal_write: of_disk(),
            wal_bytes: Count::default(),
            snap_db_save: Histogram::new(Span::millis(100), 10),
            snap_db_fsync: of_disk(),
            snap_save: of_disk(),
            snap_marshalling: of_disk(),
            snap_fsync: of_disk(),
            snapshots_applying: Count::default(),
            snapshots: Mutex::default(),
            leader_changes: Count::default(),
            late_heartbeats: Count::default(),
            proposals_pending: Count::default(),
            proposals_failed: Count::default(),
            reads_failed: Count::default(),
            reads_slow: Count::default(),
            ranges: Count::default(),
            txns: Count::default(),
            range: of_work(),
            apply: OPERATIONS.iter().map(|_| of_work()).collect(),
            applies_slow: Count::default(),
            requests: OPERATIONS.iter().map(|_| of_requests()).collect(),
            leases_renewed: Count::default(),
            hash_kv: Histogram::new(Span::millis(10), 15),
            hash: Histogram::new(Span::millis(10), 15),
            snapshot: Histogram::new(Span::millis(10), 17),
            health_good: Count::default(),
            health_bad: Count::default(),
            watch_streams: Count::default(),
            watchers: Count::default(),
            watchers_slow: Count::default(),
            events_pending: Count::default(),
            events: Count::default(),
        }
    }
}

impl Meters {
    /// A turn took so long and applied what lies between the two tallies.
    pub fn applied(&self, before: &Tally, after: &Tally, took: Span) {
        let counts = |tally: &Tally| tally.applied.iter().flatten().sum::<u64>();
        let entries = counts(after).saturating_sub(counts(before));
        let Some(share) = took.0.checked_div(entries).map(Span) else { return };
        for ((meter, before), after) in self.apply.iter().zip(&before.applied).zip(&after.applied) {
            for ((is_ok, before), after) in [false, true].iter().zip(before).zip(after) {
                let times = after.saturating_sub(*before);
                if times > 0 {
                    meter.of(*is_ok).observe_many(share, times);
                }
            }
        }
        if share > SLOW_APPLY {
            self.applies_slow.add(entries);
        }
    }

    /// Those of one member, made when they are first asked for.
    pub fn snapshots(&self, direction: Direction, peer: MemberId) -> Arc<SnapshotMeters> {
        let mut all = self.snapshots.lock().expect("nothing panics while it holds this lock");
        let fresh = || SnapshotMeters {
            succeeded: Count::default(),
            failed: Count::default(),
            inflight: Count::default(),
            durations: Histogram::new(Span::millis(100), 10),
        };
        all.entry((direction, peer)).or_insert_with(|| Arc::new(fresh())).clone()
    }

    /// Those of one direction that were ever asked for, ascending by member.
    pub fn all_snapshots(&self, direction: Direction) -> Vec<(MemberId, Arc<SnapshotMeters>)> {
        let all = self.snapshots.lock().expect("nothing panics while it holds this lock");
        let wanted = all.iter().filter(|((of, _), _)| *of == direction);
        wanted.map(|((_, peer), meters)| (*peer, meters.clone())).collect()
    }

    /// Counts a proposal as waiting for as long as what is answered lives: its caller may go away.
    pub fn proposal(&self) -> Pending<'_> {
        self.proposals_pending.add(1);
        Pending(&self.proposals_pending)
    }

    /// A proposal was answered; `operation` is its kind.
    pub fn answered(&self, operation: Option<usize>, outcome: Result<(), &Refusal>, took: Span) {
        if let Some(meter) = operation.and_then(|operation| self.requests.get(operation)) {
            meter.of(outcome.is_ok()).observe(took);
        }
        if let Err(refusal) = outcome
            && (is_timeout(refusal) || matches!(refusal, Refusal::ProposalDropped | Refusal::Stopped))
        {
            self.proposals_failed.add(1);
        }
    }

    /// A read could not be confirmed.
    pub fn read_failed(&self, refusal: &Refusal) {
        if is_timeout(refusal) {
            self.reads_slow.add(1);
        }
        self.reads_failed.add(1);
    }
}

pub struct Pending<'a>(&'a Count);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

fn is_timeout(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Timeout | Refusal::TimeoutDueToLeaderFail | Refusal::TimeoutDueToConnectionLost
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_first_bucket_that_it_fits() {
        let histogram = Histogram::new(Span::millis(1), 3);
        for millis in [0, 1, 2, 5] {
            histogram.observe(Span::millis(millis));
        }
        let counts = histogram.buckets();
        assert_eq!(counts, [(0.001, 2), (0.002, 1), (0.004, 0), (f64::INFINITY, 1)]);
        assert!((histogram.sum_seconds() - 0.008).abs() < 1e-9);
    }

    #[test]
    fn a_turn_is_shared_among_what_it_applied() {
        let meters = Meters::default();
        let before = Tally::default();
        let mut after = before;
        after.applied[0] = [1, 3];
        meters.applied(&before, &after, Span::millis(8));
        assert!((meters.apply[0].succeeded.sum_seconds() - 0.006).abs() < 1e-9);
        assert!((meters.apply[0].failed.sum_seconds() - 0.002).abs() < 1e-9);
        meters.applied(&after, &after, Span::millis(8));
        assert_eq!(meters.apply[1].succeeded.buckets().iter().map(|(_, count)| count).sum::<u64>(), 0);
        assert_eq!(meters.applies_slow.get(), 0);
    }
}
