//! When leases run out, as the leader counts it.
//!
//! Only a leader has deadlines, and no deadline is ever stored or sent: a new leader starts every lease afresh, with
//! an election timeout on top for the time nobody counted. So a lease may live longer than granted, never shorter.
//! Source: contract-semantics 10.6.
use crate::{Moment, Plant, Plants, Span};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Leases handed out for revocation at once, and how long until the next batch may follow.
const BATCH_MAX: usize = 500;
const BATCH_PAUSE: Span = Span::millis(500);
/// From this many leases on a new leader spreads what would expire together.
const SPREAD_FROM: usize = 1000;
const EXPIRIES_PER_SEC_MAX: u64 = 750;

#[derive(Debug, Default)]
pub struct Deadlines {
    /// When each lease runs out.
    ends: BTreeMap<i64, Moment>,
    /// What to look at next: ends, and for leases being revoked the moment to try again.
    queue: BTreeSet<(Moment, i64)>,
    /// Where in the queue a lease stands.
    queued: BTreeMap<i64, Moment>,
    not_before: Moment,
    plants: Plants,
}

impl Deadlines {
    /// A new leader starts to count, with each lease's remaining seconds and `extra` on top.
    pub fn promote(
        now: Moment,
        leases: impl Iterator<Item = (i64, i64)>,
        extra: Span,
        plants: Plants,
    ) -> Deadlines {
        let mut ends: Vec<(Moment, i64)> =
            leases.map(|(lease, remaining)| (now + secs(remaining) + extra, lease)).collect();
        if ends.len() >= SPREAD_FROM {
            spread(&mut ends);
        }
        let mut deadlines = Deadlines { plants, ..Deadlines::default() };
        for (end, lease) in ends {
            deadlines.set(lease, end);
        }
        deadlines
    }

    /// The lease was granted or renewed for `ttl` seconds from now.
    pub fn renew(&mut self, now: Moment, lease: i64, ttl: i64) {
        self.set(lease, now + secs(ttl));
    }

    /// The lease is revoked.
    pub fn remove(&mut self, lease: i64) {
        self.ends.remove(&lease);
        if let Some(at) = self.queued.remove(&lease) {
            self.queue.remove(&(at, lease));
        }
    }

    /// The lease has run out and waits to be revoked.
    pub fn is_expired(&self, now: Moment, lease: i64) -> bool {
        self.ends.get(&lease).is_some_and(|end| *end <= now)
    }

    /// Whole seconds left, the fraction cut off; below zero if revocation is late. None if the lease is not counted.
    pub fn remaining_secs(&self, now: Moment, lease: i64) -> Option<i64> {
        let end = *self.ends.get(&lease)?;
        let (left, late) = ((end - now).as_secs(), (now - end).as_secs());
        Some(i64::try_from(left).unwrap_or(i64::MAX) - i64::try_from(late).unwrap_or(i64::MAX))
    }

    /// All that are counted, the one that ends first in front.
    pub fn by_end(&self) -> Vec<i64> {
        let mut ends: Vec<(Moment, i64)> = self.ends.iter().map(|(lease, end)| (*end, *lease)).collect();
        ends.sort_unstable();
        ends.into_iter().map(|(_, lease)| lease).collect()
    }

    /// When to call `expired` next.
    pub fn next(&self) -> Option<Moment> {
        self.queue.first().map(|(at, _)| (*at).max(self.not_before))
    }

    /// A batch of leases to revoke now. One that is still there after `retry` comes again.
    pub fn expired(&mut self, now: Moment, retry: Span) -> Vec<i64> {
        let mut batch = Vec::new();
        if now < self.not_before {
            return batch;
        }
        while batch.len() < BATCH_MAX {
            match self.queue.first() {
                Some((at, lease)) if *at <= now => {
                    let lease = *lease;
                    batch.push(lease);
                    let forgets = self.plants.has(Plant::ExpiredNotRevoked);
                    self.enqueue(lease, if forgets { Moment(u64::MAX) } else { now + retry });
                }
                _ => break,
            }
        }
        if batch.len() == BATCH_MAX {
            self.not_before = now + BATCH_PAUSE;
        }
        batch
    }

    /// Its revocation was refused: it comes again soon.
    pub fn refused(&mut self, now: Moment, lease: i64) {
        self.enqueue(lease, now + BATCH_PAUSE);
    }

    fn set(&mut self, lease: i64, end: Moment) {
        self.ends.insert(lease, end);
        self.enqueue(lease, end);
    }

    fn enqueue(&mut self, lease: i64, at: Moment) {
        if let Some(before) = self.queued.insert(lease, at) {
            self.queue.remove(&(before, lease));
        }
        self.queue.insert((at, lease));
    }
}

fn secs(ttl: i64) -> Span {
    Span::secs(u64::try_from(ttl).unwrap_or(0))
}

/// Moves ends back, never forward, so that no second sees more of them than may be revoked in one.
fn spread(ends: &mut [(Moment, i64)]) {
    ends.sort_unstable();
    let gap = Span(Span::secs(1).0 / EXPIRIES_PER_SEC_MAX);
    let mut earliest = Moment::default();
    for (end, _) in ends {
        *end = (*end).max(earliest);
        earliest = *end + gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Span = Span::secs(7);

    fn at(secs: u64) -> Moment {
        Moment::default() + Span::secs(secs)
    }

    #[test]
    fn a_lease_runs_out_at_its_end_and_comes_again_until_it_is_revoked() {
        let mut deadlines = Deadlines::default();
        deadlines.renew(at(0), 5, 10);
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.remaining_secs(at(4), 5), Some(6));
        assert!(deadlines.expired(at(9), RETRY).is_empty() && !deadlines.is_expired(at(9), 5));
        assert_eq!(deadlines.expired(at(10), RETRY), [5]);
        assert!(deadlines.is_expired(at(10), 5));
        assert_eq!(deadlines.remaining_secs(at(13), 5), Some(-3));
        assert!(deadlines.expired(at(16), RETRY).is_empty());
        assert_eq!(deadlines.expired(at(17), RETRY), [5]);
        deadlines.refused(at(17), 5);
        assert_eq!(deadlines.next(), Some(at(17) + Span::millis(500)));
        deadlines.remove(5);
        assert_eq!((deadlines.next(), deadlines.remaining_secs(at(17), 5)), (None, None));
    }

    #[test]
    fn a_renewal_takes_the_old_end_away() {
        let mut deadlines = Deadlines::default();
        deadlines.renew(at(0), 5, 10);
        deadlines.renew(at(8), 5, 10);
        assert!(deadlines.expired(at(17), RETRY).is_empty());
        assert_eq!(deadlines.next(), Some(at(18)));
    }

    #[test]
    fn a_new_leader_gives_every_lease_its_time_and_an_election_on_top() {
        let deadlines =
            Deadlines::promote(at(100), [(1, 30), (2, 5)].into_iter(), Span::secs(1), Plants::NONE);
        assert_eq!(deadlines.next(), Some(at(106)));
        assert_eq!(deadlines.remaining_secs(at(100), 1), Some(31));
    }

    /// What is handed out once is lost with the proposal that was made of it.
    #[cfg(feature = "plants")]
    #[test]
    fn expired_not_revoked_hands_a_lease_out_once() {
        let plants = Plants::only(Plant::ExpiredNotRevoked);
        let mut deadlines = Deadlines::promote(at(0), [(5, 10)].into_iter(), Span::ZERO, plants);
        assert_eq!(deadlines.expired(at(10), RETRY), [5]);
        assert!(deadlines.expired(at(10_000), RETRY).is_empty() && deadlines.is_expired(at(10_000), 5));
    }

    #[test]
    fn a_thousand_that_would_end_together_are_spread_and_come_in_batches() {
        let leases = (1..=2000).map(|lease| (lease, 10));
        let mut deadlines = Deadlines::promote(at(0), leases, Span::ZERO, Plants::NONE);
        assert_eq!(deadlines.expired(at(10) + Span::millis(999), Span::secs(100)).len(), 500);
        assert_eq!(deadlines.next(), Some(at(11) + Span::millis(499)));
        let mut seen = 500;
        for half_second in 23..40 {
            seen += deadlines.expired(at(0) + Span::millis(half_second * 500), Span::secs(100)).len();
        }
        assert_eq!(seen, 2000);
    }
}
