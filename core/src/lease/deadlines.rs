//! When leases run out, as the leader counts it.
//!
//! Only a leader has deadlines, and no deadline is ever stored or sent. What a long lease has left is noted through the log
//! now and then; a new leader starts from that, or afresh, with an election timeout on top for the time nobody counted. So
//! a lease may live longer than granted, never shorter. Source: contract-semantics 10.6.
use super::schedule::Schedule;
use crate::{Moment, Plant, Plants, Span};
use alloc::{collections::BTreeMap, vec::Vec};
use detcd_proto::etcdserverpb::LeaseCheckpoint;

/// Leases handed out for revocation at once, and how long until the next batch may follow.
const BATCH_MAX: usize = 500;
const BATCH_PAUSE: Span = Span::millis(500);
/// From this many leases on a new leader spreads what would expire together.
const SPREAD_FROM: usize = 1000;
const EXPIRIES_PER_SEC_MAX: u64 = 750;
/// Leases in one checkpoint.
const CHECKPOINT_MAX: usize = 1000;
/// Between two full checkpoints: a million leases take no more than their share of the log.
const CHECKPOINT_PAUSE: Span = Span::millis(1);

#[derive(Debug, Default)]
pub struct Deadlines {
    /// When each lease runs out.
    ends: BTreeMap<i64, Moment>,
    /// What to look at next: ends, and for leases being revoked the moment to try again.
    expiries: Schedule,
    not_before: Moment,
    /// How often a long lease's time is noted, and when which lease's is.
    checkpoint_every: Span,
    checkpoints: Schedule,
    checkpoints_not_before: Moment,
    /// The last request of this leader to note a lease's time, while it is on its way.
    checkpointing: BTreeMap<i64, u64>,
    plants: Plants,
}

impl Deadlines {
    /// A new leader starts to count, with each lease's remaining seconds and `extra` on top. What a lease has left that
    /// has longer than `checkpoint_every` is to be noted as often.
    pub fn promote(
        now: Moment,
        leases: impl Iterator<Item = (i64, i64)>,
        extra: Span,
        checkpoint_every: Span,
        plants: Plants,
    ) -> Deadlines {
        let mut ends: Vec<(Moment, i64)> =
            leases.map(|(lease, remaining)| (now + secs(remaining) + extra, lease)).collect();
        if ends.len() >= SPREAD_FROM {
            spread(&mut ends);
        }
        let mut deadlines = Deadlines { checkpoint_every, plants, ..Deadlines::default() };
        for (end, lease) in ends {
            deadlines.set(now, lease, end);
        }
        deadlines
    }

    /// The lease was granted or renewed for `ttl` seconds from now.
    pub fn renew(&mut self, now: Moment, lease: i64, ttl: i64) {
        self.set(now, lease, now + secs(ttl));
    }

    /// The lease is revoked.
    pub fn remove(&mut self, lease: i64) {
        self.ends.remove(&lease);
        self.expiries.remove(lease);
        self.checkpoints.remove(lease);
        self.checkpointing.remove(&lease);
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

    /// When to call `expired` or `checkpoints` next.
    pub fn next(&self) -> Option<Moment> {
        let expiry = self.expiries.first().map(|(at, _)| at.max(self.not_before));
        let checkpoint = self.checkpoints.first().map(|(at, _)| at.max(self.checkpoints_not_before));
        expiry.into_iter().chain(checkpoint).min()
    }

    /// A batch of leases to revoke now. One that is still there after `retry` comes again.
    pub fn expired(&mut self, now: Moment, retry: Span) -> Vec<i64> {
        let mut batch = Vec::new();
        if now < self.not_before {
            return batch;
        }
        while batch.len() < BATCH_MAX
            && let Some(lease) = self.expiries.due(now)
        {
            batch.push(lease);
            let forgets = self.plants.has(Plant::ExpiredNotRevoked);
            self.expiries.set(lease, if forgets { Moment(u64::MAX) } else { now + retry });
        }
        if batch.len() == BATCH_MAX {
            self.not_before = now + BATCH_PAUSE;
        }
        batch
    }

    /// Its revocation was refused: it comes again soon.
    pub fn refused(&mut self, now: Moment, lease: i64) {
        self.expiries.set(lease, now + BATCH_PAUSE);
    }

    /// A batch of leases whose time is to be noted now: what each has left, rounded up to whole seconds.
    pub fn checkpoints(&mut self, now: Moment) -> Vec<LeaseCheckpoint> {
        let mut batch = Vec::new();
        if now < self.checkpoints_not_before {
            return batch;
        }
        while batch.len() < CHECKPOINT_MAX
            && let Some(id) = self.checkpoints.due(now)
        {
            let left = self.ends.get(&id).map_or(Span::ZERO, |end| *end - now);
            self.schedule_checkpoint(now, id, left);
            if left > Span::ZERO {
                let remaining_ttl =
                    i64::try_from(left.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX);
                batch.push(LeaseCheckpoint { id, remaining_ttl });
            }
        }
        if batch.len() == CHECKPOINT_MAX {
            self.checkpoints_not_before = now + CHECKPOINT_PAUSE;
        }
        batch
    }

    /// This request is on its way, which notes the time of these leases.
    pub fn checkpointing(&mut self, request: u64, leases: &[i64]) {
        self.checkpointing.extend(leases.iter().map(|lease| (*lease, request)));
    }

    /// It has been carried out.
    pub fn checkpointed(&mut self, request: u64, leases: &[i64]) {
        for lease in leases {
            if self.checkpointing.get(lease) == Some(&request) {
                self.checkpointing.remove(lease);
            }
        }
    }

    /// The time of this lease may yet be noted by what is on its way.
    pub fn is_checkpointing(&self, lease: i64) -> bool {
        self.checkpointing.contains_key(&lease)
    }

    fn set(&mut self, now: Moment, lease: i64, end: Moment) {
        self.ends.insert(lease, end);
        self.expiries.set(lease, end);
        self.schedule_checkpoint(now, lease, end - now);
    }

    fn schedule_checkpoint(&mut self, now: Moment, lease: i64, left: Span) {
        if left > self.checkpoint_every {
            self.checkpoints.set(lease, now + self.checkpoint_every);
        } else {
            self.checkpoints.remove(lease);
        }
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
    const NEVER: Span = Span::secs(u64::MAX / 1_000_000_000);

    fn counting(checkpoint_every: Span) -> Deadlines {
        Deadlines::promote(at(0), [].into_iter(), Span::ZERO, checkpoint_every, Plants::NONE)
    }

    fn at(secs: u64) -> Moment {
        Moment::default() + Span::secs(secs)
    }

    #[test]
    fn a_lease_runs_out_at_its_end_and_comes_again_until_it_is_revoked() {
        let mut deadlines = counting(NEVER);
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
        let mut deadlines = counting(NEVER);
        deadlines.renew(at(0), 5, 10);
        deadlines.renew(at(8), 5, 10);
        assert!(deadlines.expired(at(17), RETRY).is_empty());
        assert_eq!(deadlines.next(), Some(at(18)));
    }

    #[test]
    fn a_new_leader_gives_every_lease_its_time_and_an_election_on_top() {
        let deadlines =
            Deadlines::promote(at(100), [(1, 30), (2, 5)].into_iter(), Span::secs(1), NEVER, Plants::NONE);
        assert_eq!(deadlines.next(), Some(at(106)));
        assert_eq!(deadlines.remaining_secs(at(100), 1), Some(31));
    }

    /// What is handed out once is lost with the proposal that was made of it.
    #[cfg(feature = "plants")]
    #[test]
    fn expired_not_revoked_hands_a_lease_out_once() {
        let plants = Plants::only(Plant::ExpiredNotRevoked);
        let mut deadlines = Deadlines::promote(at(0), [(5, 10)].into_iter(), Span::ZERO, NEVER, plants);
        assert_eq!(deadlines.expired(at(10), RETRY), [5]);
        assert!(deadlines.expired(at(10_000), RETRY).is_empty() && deadlines.is_expired(at(10_000), 5));
    }

    #[test]
    fn a_thousand_that_would_end_together_are_spread_and_come_in_batches() {
        let leases = (1..=2000).map(|lease| (lease, 10));
        let mut deadlines = Deadlines::promote(at(0), leases, Span::ZERO, NEVER, Plants::NONE);
        assert_eq!(deadlines.expired(at(10) + Span::millis(999), Span::secs(100)).len(), 500);
        assert_eq!(deadlines.next(), Some(at(11) + Span::millis(499)));
        let mut seen = 500;
        for half_second in 23..40 {
            seen += deadlines.expired(at(0) + Span::millis(half_second * 500), Span::secs(100)).len();
        }
        assert_eq!(seen, 2000);
    }

    #[test]
    fn what_long_leases_have_left_is_noted_again_and_again() {
        let mut deadlines = counting(Span::secs(300));
        deadlines.renew(at(0), 1, 300);
        deadlines.renew(at(0), 2, 1000);
        let noted = |deadlines: &mut Deadlines, now: u64| -> Vec<(i64, i64)> {
            let batch = deadlines.checkpoints(at(now) + Span::millis(500));
            batch.into_iter().map(|checkpoint| (checkpoint.id, checkpoint.remaining_ttl)).collect()
        };
        assert_eq!(deadlines.next(), Some(at(300)));
        assert!(noted(&mut deadlines, 299).is_empty());
        assert_eq!(noted(&mut deadlines, 300), [(2, 700)]);
        assert!(noted(&mut deadlines, 301).is_empty());
        deadlines.renew(at(400), 2, 1000);
        assert!(noted(&mut deadlines, 601).is_empty(), "a renewal begins anew");
        assert_eq!(noted(&mut deadlines, 700), [(2, 700)]);
        assert_eq!(noted(&mut deadlines, 1200), [(2, 200)]);
        assert!(noted(&mut deadlines, 5000).is_empty(), "the rest is not worth noting");
    }

    #[test]
    fn a_checkpoint_is_on_its_way_until_the_last_one_has_come() {
        let mut deadlines = counting(NEVER);
        deadlines.renew(at(0), 1, 10);
        deadlines.checkpointing(7, &[1]);
        deadlines.checkpointing(8, &[1]);
        deadlines.checkpointed(7, &[1]);
        assert!(deadlines.is_checkpointing(1));
        deadlines.checkpointed(8, &[1]);
        assert!(!deadlines.is_checkpointing(1));
    }

    /// Each costs a few steps in ordered maps when it is granted and when it ends, whatever the
    /// others do, and no call hands out more than its share.
    #[test]
    fn many_leases_end_in_batches() {
        let mut deadlines = counting(Span::secs(300));
        for lease in 0..100_000 {
            deadlines.renew(at(0), lease, 200 + lease % 400);
        }
        let (mut now, mut ended, mut noted) = (at(0), 0, 0);
        while let Some(next) = deadlines.next() {
            assert!(next >= now, "nothing is left behind");
            now = next;
            let batch = deadlines.expired(now, RETRY);
            assert!(batch.len() <= BATCH_MAX);
            ended += batch.len();
            batch.into_iter().for_each(|lease| deadlines.remove(lease));
            let batch = deadlines.checkpoints(now);
            assert!(batch.len() <= CHECKPOINT_MAX);
            noted += batch.len();
        }
        assert_eq!(ended, 100_000);
        assert!(noted >= 74_750 && now <= at(601), "{noted} until {now:?}");
    }
}
