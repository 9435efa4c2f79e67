//! What can be proposed and changes the keyspace: each command checks against the state, then writes.
//!
//! A command takes the parts it changes, never the whole state, and answers with the response, of whose header only
//! the revision is filled in, and the changes for watchers. It runs when its entry is applied, on every member alike:
//! whatever it decides may depend on its arguments alone. What can be refused without any state is in [`check`].
pub mod check;
pub mod compact;
pub mod delete;
mod overlap;
pub mod put;
pub mod txn;

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod txn_tests;
