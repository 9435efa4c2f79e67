//! What people see. Of many runs: progress while they last, one line per failure, a summary at the end. Of one run: a
//! [`recording::Recording`], and what is made of it: a page, exports, the first difference to another run.
pub mod derive;
pub mod diff;
pub mod export;
mod failure;
mod fingerprint;
mod junit;
mod never;
pub mod page;
pub mod points;
mod progress;
pub mod recording;
mod summary;
mod text;
mod wanted;

pub use failure::{Failure, How, Kind, Stored, difference};
pub use fingerprint::{fingerprint, shape};
pub use never::{FAULTS, RARE, SEEN, never};
pub use progress::{Mode, Progress, Standing};
pub use summary::{Count, Group, Summary, is_fault};
pub use wanted::Wanted;
