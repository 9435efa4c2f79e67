//! Stories: whole clusters of real members in a simulated world, with clients, trouble and judges, from a seed.
//!
//! A seed is drawn into a [`plan::Plan`], the plan is played ([`story::run`]), and what came of it is an
//! [`story::Outcome`]: a verdict, and a digest of everything that happened. `etcdsim` is the command line of it.

pub mod cli;
pub mod client;
mod closing;
pub mod cluster;
pub mod corpus;
pub mod invariants;
pub mod judge;
pub mod museum;
pub mod nemesis;
pub mod plan;
pub mod probes;
pub mod profile;
mod reform;
pub mod report;
pub mod shrink;
pub mod story;
pub mod token;
pub mod workload;
