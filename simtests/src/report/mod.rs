//! What people see of many runs: progress while they last, one line per failure, a summary at the end.
mod never;
mod progress;
mod summary;

pub use never::{FAULTS, RARE, SEEN, never};
pub use progress::{Mode, Progress};
pub use summary::{Summary, failure_line};
