//! A clock per member: its own origin, its own speed. Members must not agree about time, and here they do not.
use detcd_core::{Moment, Span};
use serde::{Deserialize, Serialize};

/// Turns the world's time (nanoseconds since the run began) into a member's and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What the member's clock showed when the run began.
    pub origin_ns: u64,
    /// Parts per million by which it runs too fast; negative: too slow. Above -1,000,000.
    pub drift_ppm: i64,
    /// Wall clock minus the world's, in nanoseconds.
    pub wall_offset_ns: u64,
}

impl Clock {
    pub const TRUE: Clock = Clock { origin_ns: 0, drift_ppm: 0, wall_offset_ns: 0 };
}

/// A clock that runs: as it began, and as somebody has set it since. It never runs backwards; only the wall clock,
/// by which nobody may reckon, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timepiece {
    /// What it showed at this time of the world; from then on it runs evenly.
    set_at_ns: u64,
    shown_ns: u64,
    drift_ppm: i64,
    /// Since when it stands still.
    frozen_at_ns: Option<u64>,
    jumped_ns: u64,
    wall_offset_ns: i64,
}

impl Timepiece {
    pub fn new(clock: Clock) -> Timepiece {
        Timepiece {
            set_at_ns: 0,
            shown_ns: clock.origin_ns,
            drift_ppm: clock.drift_ppm,
            frozen_at_ns: None,
            jumped_ns: 0,
            wall_offset_ns: i64::try_from(clock.wall_offset_ns).unwrap_or(i64::MAX),
        }
    }

    fn speed(&self) -> u128 {
        if self.frozen_at_ns.is_some() { 0 } else { (1_000_000 + self.drift_ppm) as u128 }
    }

    /// From here on it runs on from what it shows now.
    fn set(&mut self, now: u64) {
        self.shown_ns = self.read(now).0;
        self.set_at_ns = now;
    }

    /// Jumps forward, as after a machine was suspended.
    pub fn step(&mut self, now: u64, by_ns: u64) {
        self.set(now);
        self.shown_ns += by_ns;
        self.jumped_ns += by_ns;
    }

    /// Stands still from now on.
    pub fn freeze(&mut self, now: u64) {
        self.set(now);
        self.frozen_at_ns.get_or_insert(now);
    }

    /// Runs again: from where it stands, or from where it would be.
    pub fn thaw(&mut self, now: u64, catches_up: bool) {
        let Some(since) = self.frozen_at_ns.take() else { return };
        self.set_at_ns = now;
        if catches_up {
            let missed = (u128::from(now - since) * self.speed() / 1_000_000) as u64;
            self.shown_ns += missed;
            self.jumped_ns += missed;
        }
    }

    /// By how much it has jumped so far, also when it caught up after it had stood still.
    pub fn jumped(&self) -> Span {
        Span(self.jumped_ns)
    }

    /// The wall clock jumps, either way.
    pub fn step_wall(&mut self, by_ns: i64) {
        self.wall_offset_ns = self.wall_offset_ns.saturating_add(by_ns);
    }

    /// The wall clock, counted from the time at which wall clocks stand when a run begins; never before it.
    pub fn wall_ns(&self, world_ns: u64) -> u64 {
        world_ns.saturating_add_signed(self.wall_offset_ns)
    }

    pub fn read(&self, world_ns: u64) -> Moment {
        let passed = u128::from(world_ns.saturating_sub(self.set_at_ns));
        Moment(self.shown_ns + (passed * self.speed() / 1_000_000) as u64)
    }

    /// The first moment of the world at which this clock shows `at` or more, if nobody sets it until then.
    pub fn world_ns(&self, at: Moment) -> u64 {
        let member = u128::from(at.0.saturating_sub(self.shown_ns));
        if member == 0 {
            return self.set_at_ns;
        }
        if self.speed() == 0 {
            return u64::MAX;
        }
        let passed = u64::try_from((member * 1_000_000).div_ceil(self.speed())).unwrap_or(u64::MAX);
        self.set_at_ns.saturating_add(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sleeps_until_a_moment_wakes_no_earlier() {
        for drift_ppm in [-250_000, -333, 0, 7, 1000, 300_001] {
            let clock = Timepiece::new(Clock { origin_ns: 12_345, drift_ppm, wall_offset_ns: 0 });
            for at in [0, 1, 12_345, 12_346, 999_999_937, 3_600_000_000_123] {
                let wake = clock.world_ns(Moment(at));
                assert!(clock.read(wake) >= Moment(at), "drift {drift_ppm}, at {at}");
                assert!(
                    wake == 0 || clock.read(wake - 1) < Moment(at),
                    "drift {drift_ppm}, at {at}: too late"
                );
            }
            assert_eq!(clock.world_ns(Moment(u64::MAX)).max(1_000_000), clock.world_ns(Moment(u64::MAX)));
        }
    }

    #[test]
    fn whatever_is_done_to_it_it_never_runs_backwards() {
        for drift_ppm in [-50_000, 0, 50_000] {
            let mut clock = Timepiece::new(Clock { origin_ns: 99, drift_ppm, wall_offset_ns: 7 });
            let mut shown = clock.read(0);
            for now in 1..400_u64 {
                let now = now * 1_000_003;
                match now % 7 {
                    0 => clock.step(now, 5_000_000),
                    1 => clock.freeze(now),
                    2 => clock.step(now, 1),
                    3 => clock.thaw(now, now % 2 == 0),
                    4 => clock.step_wall(if now % 2 == 0 { -3_600_000_000_000 } else { 86_400_000_000_000 }),
                    _ => {}
                }
                assert!(clock.read(now) >= shown, "at {now}");
                shown = clock.read(now);
                let later = shown + Span::millis(3);
                let wake = clock.world_ns(later);
                assert!(wake == u64::MAX || clock.read(wake) >= later);
                assert!(wake == u64::MAX || clock.read(wake - 1) < later);
            }
        }
    }

    #[test]
    fn a_frozen_clock_goes_on_from_where_it_stands_or_catches_up() {
        let clock = Timepiece::new(Clock { origin_ns: 10, drift_ppm: 500_000, wall_offset_ns: 0 });
        for (catches_up, shown) in [(false, 10 + 150), (true, 10 + 1_500)] {
            let mut clock = clock;
            clock.freeze(100);
            assert_eq!((clock.read(1_000), clock.world_ns(Moment(161))), (Moment(160), u64::MAX));
            clock.thaw(1_000, catches_up);
            assert_eq!(clock.read(1_000), Moment(shown));
            assert_eq!(clock.jumped(), Span(shown - 160));
        }
    }
}
