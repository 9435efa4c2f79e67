//! Programs that must end in time, with all they say in a file.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

const LOOK_EVERY: Duration = Duration::from_millis(50);

pub enum Ended {
    With(ExitStatus),
    /// It was killed when its time was over.
    Late(Duration),
}

impl Ended {
    pub fn well(&self) -> bool {
        matches!(self, Ended::With(status) if status.success())
    }

    /// How it ended, to stand behind "it".
    pub fn tell(&self) -> String {
        match self {
            Ended::With(status) => format!("ended with {status}"),
            Ended::Late(max) => format!("was stopped after {} s", max.as_secs()),
        }
    }
}

/// Runs `command` for at most `max`; standard output and error go to `log`.
pub fn run(command: &mut Command, log: &Path, max: Duration) -> Result<Ended, Failure> {
    let file = File::create(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| Failure::new(format!("{program}: {error}")))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::With(status));
        }
        if start.elapsed() > max {
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Late(max));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Runs a build step; a failure is told in one line, with the end of what it said.
pub fn step(command: &mut Command, log: &Path, max: Duration) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = run(command, log, max)?;
    if ended.well() {
        return Ok(());
    }
    Err(Failure::new(format!("{program} {}: {}", ended.tell(), last_words(log))))
}

/// The last line of a log that says something, and where to read the rest.
pub fn last_words(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    format!("{} (all of it: {})", line.trim(), log.display())
}
