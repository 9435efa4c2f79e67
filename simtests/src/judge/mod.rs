//! Judges of a whole run, after everything has healed.
mod chronicle;
mod converged;
mod leases;
mod linear;
mod watches;

pub use chronicle::{Chronicle, READER};
pub use converged::{Reach, acknowledged, converge, equal_state, is_settled};
pub use leases::{Leases, read_clocks};
pub use linear::{Linear, impossible, linearizable};
pub use watches::{Stream, Watched};
