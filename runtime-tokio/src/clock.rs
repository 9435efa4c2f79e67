//! This machine's clocks: one that never goes back, for everything that is decided, and the wall clock, for people.
use detcd_core::Moment;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose moments count from now.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub fn instant(&self, at: Moment) -> Instant {
        // A moment too far for the platform's clock is as good as never.
        const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
        self.origin.checked_add(Duration::from_nanos(at.0)).unwrap_or_else(|| Instant::now() + FAR)
    }
}

/// Nanoseconds since 1970.
pub fn wall_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// `2006-01-02T15:04:05.000000Z` with this many digits behind the point (1 to 9), in UTC.
pub fn rfc3339(wall_nanos: u64, digits: usize) -> String {
    let (secs, nanos) = (wall_nanos / 1_000_000_000, wall_nanos % 1_000_000_000);
    let (days, second) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = civil(days);
    let fraction = format!("{nanos:09}");
    let fraction = fraction.get(..digits.clamp(1, 9)).unwrap_or(&fraction);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a number of days since 1970-01-01, counted in 400-year eras that begin in March, so that
/// the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_are_printed_as_calendars_have_them() {
        let second = 1_000_000_000;
        assert_eq!(rfc3339(0, 6), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(951_827_696 * second + 123_456_789, 6), "2000-02-29T12:34:56.123456Z");
        assert_eq!(rfc3339(1_709_164_800 * second, 9), "2024-02-29T00:00:00.000000000Z");
        assert_eq!(rfc3339(4_102_444_799 * second + 1_000, 6), "2099-12-31T23:59:59.000001Z");
    }

    #[test]
    fn a_moment_beyond_the_clock_is_far_and_no_panic() {
        let clock = Clock::start();
        assert!(clock.instant(Moment(u64::MAX)) > Instant::now() + Duration::from_secs(3600));
        assert!(clock.now() <= clock.now());
    }
}
