//! The driver carries effects out and brings their results back as inputs. Written once, against [`Runtime`]: the
//! loop that is simulated is the loop that ships.
//!
//! Every task here has one mailbox and one await. `turn` calls the core, `perform` starts what it decided,
//! `log_writer`, `checkpoint_writer` and `peers` bring back what the world did, `gate` and `board` are the two sides of the counter that
//! clients stand at, and `front` is what they can ask for there.
#![forbid(unsafe_code)]

mod board;
mod checkpoint_courier;
mod checkpoint_files;
mod checkpoint_writer;
#[cfg(feature = "conformance")]
pub mod conformance;
mod credentials;
mod fanout;
mod front;
mod gate;
mod log_writer;
mod mailbox;
pub mod meters;
mod node;
mod outbox;
mod peers;
mod perform;
pub mod pipe;
mod recovery;
pub mod runtime;
mod seat;
mod shutdown;
mod telemetry;
mod turn;
mod versions;

pub use credentials::{Authentication, Caller, Signer, Tokens};
pub use front::{
    election::Observation,
    health::Probe,
    kv::RangePieces,
    watch::{WatchReplies, WatchRequests},
};
pub use node::{Loads, Node, seat, seat_with, start, start_with};
pub use recovery::owner;
pub use runtime::{
    Arrival, CallFailed, Disk, Fault, File, Inbound, Level, Net, PeerAnswer, PeerCall, Runtime, StreamFailed,
    Versions,
};
pub use seat::Seat;
