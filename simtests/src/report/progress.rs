//! The progress of a run of many seeds, on standard error.
use std::{
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
    total: u64,
    began: Instant,
    shown: Option<Instant>,
}

impl Progress {
    pub fn new(mode: Mode, total: u64) -> Progress {
        Progress { mode, total, began: Instant::now(), shown: None }
    }

    /// Shows how far it is, if it is time to.
    pub fn show(&mut self, done: u64, faults: u64, failed: u64) {
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
        let rate = done as f64 / (now - self.began).as_secs_f64().max(0.001);
        let figures =
            format!("{done}/{} seeds  {rate:.0} seeds/s  {faults} faults  {failed} failed", self.total);
        match self.mode {
            Mode::Bar => {
                let width = 30;
                let full = (done * width / self.total.max(1)) as usize;
                let bar = format!("{}{}", "=".repeat(full), " ".repeat(width as usize - full));
                eprint!("\r[{bar}] {figures}\x1b[K");
                // A bar that cannot be drawn is no reason to stop.
                stderr().flush().ok();
            }
            _ => eprintln!("{figures}"),
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
