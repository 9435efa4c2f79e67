//! Chance, one generator per concern: a new consumer of one concern does not shift what another one draws.
use crate::tape;
use detcd_core::Rng;
use serde::{Deserialize, Serialize};
use std::{fmt, panic::Location};

/// What a generator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// The order in which ready tasks run.
    Schedule = 1,
    Links,
    Disk,
    Clocks,
    /// The seeds that members ask for at boot.
    Entropy,
    /// What the clients do.
    Workload,
    /// What is broken, when and how.
    Faults,
    /// The shape of the run: cluster size, settings, mixes.
    Plan,
}

/// A generator with the questions a simulator asks. How each is answered is fixed here, so a recorded seed keeps its
/// meaning as long as the questions stay the same. Every answer goes through one choice, which a [`tape`] can keep or
/// give; the place that asks is its label.
#[derive(Debug)]
pub struct Dice {
    rng: Rng,
    /// Its reel on the tape of this thread, if one is in use.
    reel: Option<usize>,
}

impl Dice {
    pub fn new(seed: u64, concern: Concern) -> Dice {
        Dice::split(seed, concern, 0)
    }

    /// One of several generators of the same concern, for instance one per client.
    pub fn split(seed: u64, concern: Concern, number: u64) -> Dice {
        let rng = Rng::from_seed(mix(seed ^ mix((concern as u64) << 32 ^ number)));
        Dice { rng, reel: tape::reel(concern as u8, number, seed) }
    }

    #[track_caller]
    pub fn u64(&mut self) -> u64 {
        let rng = &mut self.rng;
        match self.reel {
            None => rng.u64(),
            Some(reel) => tape::choose(reel, 0, Location::caller(), || rng.u64()),
        }
    }

    /// A number in `0..n`; 0 when `n` is 0.
    #[track_caller]
    pub fn below(&mut self, n: u64) -> u64 {
        let rng = &mut self.rng;
        match self.reel {
            // One of none or one is no choice, but draws all the same: a bound that changes must not shift what follows.
            None => rng.below(n),
            Some(reel) => tape::choose(reel, n.max(1), Location::caller(), || rng.below(n)),
        }
    }

    /// An index in `0..n`.
    #[track_caller]
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// A number in `low..=high`.
    #[track_caller]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True `n` times in a thousand.
    #[track_caller]
    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    #[track_caller]
    pub fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// # Panics
    /// When there is nothing to pick from.
    #[track_caller]
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// The index of one of the weights, each as likely as it is heavy; 0 if all are zero.
    #[track_caller]
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (i, &weight) in weights.iter().enumerate() {
            if at < weight {
                return i;
            }
            at -= weight;
        }
        0
    }

    /// The same in another order.
    pub fn shuffled<T>(&mut self, mut all: Vec<T>) -> Vec<T> {
        for i in (1..all.len()).rev() {
            all.swap(i, self.index(i + 1));
        }
        all
    }

    /// A subset of `0..n` with `k` members, ascending.
    #[track_caller]
    pub fn subset(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        while all.len() > k {
            all.remove(self.index(all.len()));
        }
        all
    }
}

/// How long something takes, in nanoseconds: evenly spread above a floor, and now and then from a long tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    pub floor_ns: u64,
    pub spread_ns: u64,
    pub tail_permille: u64,
    pub tail_ns: u64,
}

impl Latency {
    pub const fn new(floor_us: u64, spread_us: u64, tail_permille: u64, tail_us: u64) -> Latency {
        Latency {
            floor_ns: floor_us * 1000,
            spread_ns: spread_us * 1000,
            tail_permille,
            tail_ns: tail_us * 1000,
        }
    }

    #[track_caller]
    pub fn draw(&self, dice: &mut Dice) -> u64 {
        let body = self.floor_ns + dice.below(self.spread_ns);
        if dice.permille(self.tail_permille) {
            // The square of an even draw: most of the tail is short, some of it is very long.
            let part = dice.below(1 << 16);
            body + (self.tail_ns >> 16).saturating_mul(part).saturating_mul(part) / (1 << 16)
        } else {
            body
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ns: u64| ns as f64 / 1e6;
        write!(f, "{} to {} ms", ms(self.floor_ns), ms(self.floor_ns + self.spread_ns))?;
        if self.tail_permille > 0 {
            write!(f, " ({} in 1000 up to {} ms more)", self.tail_permille, ms(self.tail_ns))?;
        }
        Ok(())
    }
}

/// Spreads a number over all bits (the finaliser of splitmix64).
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concerns_of_one_seed_draw_different_numbers() {
        let mut links = Dice::new(7, Concern::Links);
        let mut disk = Dice::new(7, Concern::Disk);
        let mut again = Dice::new(7, Concern::Links);
        let first: Vec<u64> = (0..8).map(|_| links.u64()).collect();
        assert_ne!(first, (0..8).map(|_| disk.u64()).collect::<Vec<_>>());
        assert_eq!(first, (0..8).map(|_| again.u64()).collect::<Vec<_>>());
    }

    #[test]
    fn questions_stay_within_their_bounds() {
        let mut dice = Dice::new(1, Concern::Plan);
        let tail = Latency::new(100, 50, 500, 10_000);
        let mut longest = 0;
        for _ in 0..10_000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!(dice.weighted(&[0, 5, 0]) == 1);
            let ns = tail.draw(&mut dice);
            assert!((100_000..100_000 + 50_000 + 10_000_000).contains(&ns));
            longest = longest.max(ns);
        }
        assert!(longest > 5_000_000, "the tail is never reached");
        let some = dice.subset(5, 2);
        assert!(some.len() == 2 && some[0] < some[1] && some[1] < 5);
    }
}
