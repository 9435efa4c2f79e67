//! `etcdctl` and `etcdutl`: the command line to a cluster and to its files.
//!
//! The measure is etcd's own tool: the same words in, the same bytes out, the same exit codes. `cli` reads the
//! arguments, a file per command turns them into requests, `client` carries those to a member, `print` shows the
//! answer. Commands never write to standard output themselves.

mod alarm;
mod auth;
mod cli;
pub mod client;
mod compaction;
mod defrag;
mod del;
mod downgrade;
mod elect;
mod endpoint;
mod exit;
mod get;
mod globals;
pub(crate) mod go;
mod lease;
mod lock;
mod member;
mod move_leader;
mod password;
mod print;
mod put;
mod range;
mod role;
mod session;
mod snapshot;
mod txn;
mod unbuilt;
mod user;
pub mod utl;
mod version;
mod watch;

pub use cli::etcdctl;
