//! A clock per member: its own origin, its own speed. Members must not agree about time, and here they do not.
use detcd_core::Moment;
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

    pub fn read(&self, world_ns: u64) -> Moment {
        let speed = (1_000_000 + self.drift_ppm) as u128;
        Moment(self.origin_ns + (u128::from(world_ns) * speed / 1_000_000) as u64)
    }

    /// The first moment of the world at which this clock shows `at` or more.
    pub fn world_ns(&self, at: Moment) -> u64 {
        let speed = (1_000_000 + self.drift_ppm) as u128;
        let member = u128::from(at.0.saturating_sub(self.origin_ns));
        u64::try_from((member * 1_000_000).div_ceil(speed)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sleeps_until_a_moment_wakes_no_earlier() {
        for drift_ppm in [-250_000, -333, 0, 7, 1000, 300_001] {
            let clock = Clock { origin_ns: 12_345, drift_ppm, wall_offset_ns: 0 };
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
}
