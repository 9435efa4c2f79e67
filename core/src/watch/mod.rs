//! The second pure machine: it hears editions and owns the watchers. The replica knows none of them.
//!
//! A watcher is either *synced*, and hears each new edition through the index, or *lagging*: then it reads the past
//! from the latest View in bounded slices until it has caught up, or is cancelled because compaction passed it. A
//! stream that does not take what it is offered makes its own watchers lag and nobody else wait. Progress notices
//! come from here, where it is known what was delivered, so they cannot overtake events.
//! Source: contract-semantics 9.
mod catch_up;
mod fragment;
mod hub;
mod index;
mod watcher;

pub use fragment::split;
pub use hub::{Census, Hub, HubConfig, HubInput, Sink, StreamEnd, StreamId, key_of};

#[cfg(test)]
mod tests;
