//! Judges of a whole run, after everything has healed.
mod chronicle;
mod converged;
mod linear;

pub use chronicle::Chronicle;
pub use converged::{Reach, acknowledged, converge, equal_state};
pub use linear::{Linear, linearizable};
