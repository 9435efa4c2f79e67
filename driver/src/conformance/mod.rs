//! What every runtime has to do, as a suite that each of them runs: a simulation proves something about production only
//! as far as both keep the same contract.
//!
//! Each file states the contract of one group of ports and holds a runtime to it. A broken promise is a panic whose text
//! names it. Nothing in here knows which runtime it runs on; waiting is polling by the runtime's own clock, so the suite
//! takes real time on a real machine and simulated time in a simulated world.
//!
//! Not in here: what survives a power loss (only a simulated machine can lose power on request), and `halt`, which ends
//! the process.
mod clock;
mod files;
mod links;
mod messages;
mod names;
mod secrets;
mod streams;
mod tasks;

pub use clock::clock;
pub use files::files;
pub use links::{Stand, answer, calls, links, unreachable};
pub use messages::messages;
pub use names::names;
pub use secrets::secrets;
pub use streams::streams;
pub use tasks::tasks;

use crate::Runtime;
use detcd_core::Span;

/// How long the suite waits for what has to happen, by the runtime's own clock.
const PATIENCE: Span = Span::secs(30);
/// How often it looks.
const LOOK_EVERY: Span = Span::millis(5);

/// Waits until this holds; panics with `what` if it does not in time.
async fn until<R: Runtime>(rt: &R, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = rt.now() + PATIENCE;
    while !holds() {
        assert!(rt.now() < deadline, "waited in vain: {what}");
        rt.sleep_until(rt.now() + LOOK_EVERY).await;
    }
}
