//! What people see of many runs: progress while they last, one line per failure, a summary at the end.
mod failure;
mod fingerprint;
mod junit;
mod never;
mod progress;
mod summary;
mod text;

pub use failure::{Failure, How, Kind, difference};
pub use fingerprint::{fingerprint, shape};
pub use never::{EXPECTED, never};
pub use progress::{Mode, Progress, Standing};
pub use summary::{Count, Group, Summary, is_fault};
