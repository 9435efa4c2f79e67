//! jepsen-like: histories of what clients of an etcd saw, and the judges of such histories.
//!
//! Nothing here knows how the etcd under test is built, only etcd's own vocabulary, so the same judge serves the
//! simulator and a real cluster. No clock, no threads, no randomness: the same history always gets the same verdict.

pub mod check;
pub mod history;
pub mod model;
