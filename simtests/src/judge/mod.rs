//! Judges of a whole run, after everything has healed.
mod chronicle;
mod converged;
mod hearing;
mod leases;
mod linear;
mod locks;
mod permits;
pub mod queues;
mod rebuilt;
mod roster;
mod watches;
mod work;

pub use chronicle::{Chronicle, Made, READER};
pub use converged::{Reach, acknowledged, converge, equal_state, is_settled};
pub use hearing::hear_out;
pub use leases::{Answered, Leases, read_clocks, run_out, unheard_until};
pub use linear::{Linear, impossible, linearizable};
pub use locks::{Granted, Turns, fenced, guarded_writes};
pub use permits::{Asked, KEYS as PERMIT_KEYS, Permits};
pub use queues::Queues;
pub use rebuilt::Rebuilt;
pub use roster::{Listed, Roster};
pub use watches::{Stream, Watched};
pub use work::{Expected, Work};
