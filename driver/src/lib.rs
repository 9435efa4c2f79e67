//! The driver carries effects out and brings their results back as inputs. Written once, against [`Runtime`]: the
//! loop that is simulated is the loop that ships.
#![forbid(unsafe_code)]

pub mod runtime;

pub use runtime::{
    Arrival, CallFailed, Disk, Fault, File, Level, Net, PeerAnswer, PeerCall, Runtime, Versions,
};
