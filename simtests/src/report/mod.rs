//! What people see. Of many runs: progress while they last, one line per failure, a summary at the end. Of one run: a
//! [`recording::Recording`], and what is made of it: a page, exports, the first difference to another run.
pub mod derive;
pub mod diff;
pub mod duration;
pub mod export;
mod never;
pub mod page;
pub mod points;
mod progress;
pub mod recording;
mod summary;
mod wanted;

pub use never::{EXPECTED, never};
pub use progress::{Mode, Progress};
pub use summary::{Summary, failure_line, replay_command};
pub use wanted::Wanted;
