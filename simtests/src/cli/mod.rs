//! The commands of `etcdsim`, one file each.
pub mod explain;
pub mod museum;
pub mod shrink;
mod subject;

pub use subject::Subject;
