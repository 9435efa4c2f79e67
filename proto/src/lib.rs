//! etcd's own vocabulary: every message of its client API, its Raft entries, its peer protocol and its files, with
//! etcd's packages, names and numbers.
//!
//! The types are generated from `proto/proto/*.proto` by `cargo xtask codegen` and committed. There are no services
//! here: they need a runtime, and live in `runtime-tokio`. Nothing else speaks another vocabulary, so there is no
//! translation layer to get wrong.
//!
//! Two encodings meet here. The proto3 packages leave out zero fields. The proto2 ones (`raftpb`, `walpb`, `snappb`
//! and `etcdserverpb::{Metadata, Request}`) write every scalar even when zero, as etcd does; only `Option` fields
//! can be absent. Field names are etcd's in snake case (`memberID` is `member_id`, `peerURLs` is `peer_urls`); JSON
//! names are those of the .proto files.

#![no_std]
#![forbid(unsafe_code)]

pub use prost::Message;

macro_rules! package {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {$(
        $(#[$doc])*
        #[allow(clippy::all)]
        #[rustfmt::skip]
        pub mod $name {
            include!($path);
        }
    )*};
}

package! {
    /// Users, roles, permissions.
    authpb = "generated/authpb.rs";
    /// The client API and the content of Raft entries.
    etcdserverpb = "generated/etcdserverpb.rs";
    /// `grpc.health.v1`.
    healthpb = "generated/grpc.health.v1.rs";
    /// Stored leases.
    leasepb = "generated/leasepb.rs";
    /// Membership changes inside Raft entries.
    membershippb = "generated/membershippb.rs";
    /// Pairs and events.
    mvccpb = "generated/mvccpb.rs";
    /// What members say to each other.
    raftpb = "generated/raftpb.rs";
    /// Snapshot files.
    snappb = "generated/snappb.rs";
    /// The election service.
    v3electionpb = "generated/v3electionpb.rs";
    /// The lock service.
    v3lockpb = "generated/v3lockpb.rs";
    /// Write-ahead log records.
    walpb = "generated/walpb.rs";
}
