//! Unit tests of the parts; the whole is tested by `tests/raft_plays.rs` and `tests/raft_sim`.
mod log;
mod membership;
mod progress;
mod quorum;
