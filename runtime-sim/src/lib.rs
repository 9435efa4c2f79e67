//! The simulated world: the driver's ports over madsim's tasks and time, and over disks, links and clocks of our own.
//!
//! madsim supplies what it is good at: a deterministic executor, nodes whose tasks can be killed and paused, and
//! simulated time. Everything that can hurt a member lives in here and outside the node, so that it survives the
//! node's death: the disk forgets what was not synced, the links lose, repeat, delay and cut, the clocks disagree.
//! Every choice is drawn from one generator per concern, all split from the seed, and every event goes into the
//! transcript, so two runs of one seed can be compared to the byte.
//!
//! Not in here: what to break and when (that is a story's plan), and who judges.
#![forbid(unsafe_code)]

#[cfg(not(madsim))]
compile_error!(
    "the simulator needs `--cfg madsim`, which .cargo/config.toml sets: an exported RUSTFLAGS, even an empty one, \
     removes it. Unset RUSTFLAGS; without the cfg nothing here is deterministic"
);

pub mod agenda;
pub mod chance;
pub mod clock;
pub mod disk;
mod engine;
pub mod event;
pub mod fuse;
pub mod links;
mod mishaps;
mod net;
mod runtime;
mod seat;
mod streams;
pub mod tape;
mod task;
pub mod transcript;
pub mod world;

pub use chance::{Concern, Dice, Latency};
pub use engine::{perform, perform_queued};
pub use event::{Event, Happening, Observer};
pub use net::SimNet;
pub use runtime::Sim;
pub use tape::Tape;
pub use task::{Answer, Asked, answer, note_panics};
pub use transcript::{Digest, Keep, Recorded, Transcript};
pub use world::{Setup, Slot, Stage, Trouble, World};
