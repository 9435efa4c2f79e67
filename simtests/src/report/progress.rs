//! The progress of a run of many seeds, on standard error.
use std::{
    fmt,
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A bar that is drawn over itself.
    Bar,
    /// A line now and then.
    Plain,
    None,
}

impl Mode {
    /// A bar where somebody watches, lines where a file does.
    pub fn auto() -> Mode {
        if stderr().is_terminal() { Mode::Bar } else { Mode::Plain }
    }
}

pub struct Progress {
    mode: Mode,
    /// None: without end.
    total: Option<u64>,
    budget: Option<Duration>,
    began: Instant,
    shown: Option<Instant>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub done: u64,
    pub total: Option<u64>,
    pub spent: Duration,
    pub budget: Option<Duration>,
    pub faults: u64,
    pub failed: u64,
}

impl Standing {
    /// The part that is done, from 0 to 1; None if there is no end in sight.
    fn part(&self) -> Option<f64> {
        let seeds = self.total.map(|total| self.done as f64 / total.max(1) as f64);
        let time = self.budget.map(|budget| self.spent.as_secs_f64() / budget.as_secs_f64().max(0.001));
        // Whichever ends first ends the run.
        let part = seeds.into_iter().chain(time).reduce(f64::max)?;
        Some(part.clamp(0.0, 1.0))
    }

    fn left(&self) -> Option<Duration> {
        let part = self.part().filter(|part| *part > 0.0)?;
        Some(self.spent.mul_f64((1.0 - part) / part).min(Duration::from_secs(1 << 30)))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.done)?;
        if let Some(total) = self.total {
            write!(f, "/{total}")?;
        }
        let rate = self.done as f64 / self.spent.as_secs_f64().max(0.001);
        write!(f, " seeds  {rate:.0} seeds/s  {} faults  {} failed", self.faults, self.failed)?;
        if let Some(left) = self.left() {
            let left = left.as_secs();
            let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
            match (hours, minutes) {
                (0, 0) => write!(f, "  {seconds} s left")?,
                (0, _) => write!(f, "  {minutes} m {seconds:02} s left")?,
                _ => write!(f, "  {hours} h {minutes:02} m left")?,
            }
        }
        Ok(())
    }
}

impl Progress {
    pub fn new(mode: Mode, total: Option<u64>, budget: Option<Duration>) -> Progress {
        Progress { mode, total, budget, began: Instant::now(), shown: None }
    }

    /// Shows how far it is, if it is time to.
    pub fn show(&mut self, done: u64, faults: impl FnOnce() -> u64, failed: u64) {
        let pause = match self.mode {
            Mode::Bar => Duration::from_millis(100),
            Mode::Plain => Duration::from_secs(5),
            Mode::None => return,
        };
        let now = Instant::now();
        if self.shown.is_some_and(|shown| now - shown < pause) {
            return;
        }
        self.shown = Some(now);
        let (total, budget, spent) = (self.total, self.budget, now - self.began);
        let standing = Standing { done, total, spent, budget, faults: faults(), failed };
        match (self.mode, standing.part()) {
            (Mode::Bar, Some(part)) => {
                let width = 30;
                let full = (part * f64::from(width)) as usize;
                let bar = format!("{}{}", "=".repeat(full), " ".repeat(width as usize - full));
                eprint!("\r[{bar}] {standing}\x1b[K");
                // A bar that cannot be drawn is no reason to stop.
                stderr().flush().ok();
            }
            (Mode::Bar, None) => {
                eprint!("\r{standing}\x1b[K");
                stderr().flush().ok();
            }
            _ => eprintln!("{standing}"),
        }
    }

    /// Makes room for a line that stays.
    pub fn clear(&mut self) {
        if self.mode == Mode::Bar && self.shown.is_some() {
            eprint!("\r\x1b[K");
            stderr().flush().ok();
        }
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(done: u64, total: Option<u64>, spent: u64, budget: Option<u64>) -> String {
        let (spent, budget) = (Duration::from_secs(spent), budget.map(Duration::from_secs));
        Standing { done, total, spent, budget, faults: 3, failed: 1 }.to_string()
    }

    #[test]
    fn what_is_left_follows_from_what_ends_first() {
        assert_eq!(
            standing(50, Some(100), 10, None),
            "50/100 seeds  5 seeds/s  3 faults  1 failed  10 s left"
        );
        assert_eq!(
            standing(50, None, 10, Some(100)),
            "50 seeds  5 seeds/s  3 faults  1 failed  1 m 30 s left"
        );
        assert_eq!(
            standing(1, Some(1000), 10, Some(20)),
            "1/1000 seeds  0 seeds/s  3 faults  1 failed  10 s left"
        );
        assert_eq!(standing(50, None, 10, None), "50 seeds  5 seeds/s  3 faults  1 failed");
        assert_eq!(standing(0, Some(9), 1, None), "0/9 seeds  0 seeds/s  3 faults  1 failed");
        assert!(standing(1, Some(10_000), 1, None).ends_with("2 h 46 m left"));
    }
}
