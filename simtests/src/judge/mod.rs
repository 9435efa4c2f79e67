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
pub use watches::{Stream, Watched};
pub use work::{Expected, Work};

/// A judge that cannot be called before what it judges is built.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    pub judge: &'static str,
    pub waits_for: &'static str,
}

pub const WAITING: &[Waits] = &[Waits { judge: "membership", waits_for: "changes of the membership" }];

/// One line for the end of a summary: which judges did not look, and why.
pub fn waiting_line() -> String {
    let each: Vec<String> =
        WAITING.iter().map(|waits| format!("{} (for {})", waits.judge, waits.waits_for)).collect();
    format!("judges that wait: {}", each.join(", "))
}
