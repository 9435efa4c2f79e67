//! What the .proto files cannot say: which optional fields are always written, and how fields are called in Rust.

/// Every .proto file, below `proto/proto`.
pub const SOURCES: &[&str] = &[
    "authpb/auth.proto",
    "etcdserverpb/etcdserver.proto",
    "etcdserverpb/raft_internal.proto",
    "etcdserverpb/rpc.proto",
    "grpc/health/v1/health.proto",
    "leasepb/lease.proto",
    "membershippb/membership.proto",
    "mvccpb/kv.proto",
    "raftpb/raft.proto",
    "snappb/snap.proto",
    "v3electionpb/v3election.proto",
    "v3lockpb/v3lock.proto",
    "walpb/record.proto",
];

/// Protobuf package and the Rust module that holds it, here and in `runtime-tokio`'s services.
pub const PACKAGES: &[(&str, &str)] = &[
    ("authpb", "authpb"),
    ("etcdserverpb", "etcdserverpb"),
    ("grpc.health.v1", "healthpb"),
    ("leasepb", "leasepb"),
    ("membershippb", "membershippb"),
    ("mvccpb", "mvccpb"),
    ("raftpb", "raftpb"),
    ("snappb", "snappb"),
    ("v3electionpb", "v3electionpb"),
    ("v3lockpb", "v3lockpb"),
    ("walpb", "walpb"),
];

/// Packages of the client API, which a running member must be able to read about.
pub const DESCRIBED: &[&str] =
    &["authpb", "etcdserverpb", "grpc.health.v1", "mvccpb", "v3electionpb", "v3lockpb"];

/// proto2 fields that etcd declares optional and nevertheless writes always, even when zero (they are not pointers
/// in its generated Go). Generating them as required gives plain Rust fields that are always encoded; a decoder
/// still takes an absent one as zero.
pub const ALWAYS_WRITTEN: &[&str] = &[
    "etcdserverpb.Request.ID",
    "etcdserverpb.Request.Method",
    "etcdserverpb.Request.Path",
    "etcdserverpb.Request.Val",
    "etcdserverpb.Request.Dir",
    "etcdserverpb.Request.PrevValue",
    "etcdserverpb.Request.PrevIndex",
    "etcdserverpb.Request.Expiration",
    "etcdserverpb.Request.Wait",
    "etcdserverpb.Request.Since",
    "etcdserverpb.Request.Recursive",
    "etcdserverpb.Request.Sorted",
    "etcdserverpb.Request.Quorum",
    "etcdserverpb.Request.Time",
    "etcdserverpb.Request.Stream",
    "etcdserverpb.Metadata.NodeID",
    "etcdserverpb.Metadata.ClusterID",
    "raftpb.Entry.Type",
    "raftpb.Entry.Term",
    "raftpb.Entry.Index",
    "raftpb.SnapshotMetadata.conf_state",
    "raftpb.SnapshotMetadata.index",
    "raftpb.SnapshotMetadata.term",
    "raftpb.Snapshot.metadata",
    "raftpb.Message.type",
    "raftpb.Message.to",
    "raftpb.Message.from",
    "raftpb.Message.term",
    "raftpb.Message.logTerm",
    "raftpb.Message.index",
    "raftpb.Message.commit",
    "raftpb.Message.reject",
    "raftpb.Message.rejectHint",
    "raftpb.Message.vote",
    "raftpb.HardState.term",
    "raftpb.HardState.vote",
    "raftpb.HardState.commit",
    "raftpb.ConfState.auto_leave",
    "raftpb.ConfChange.id",
    "raftpb.ConfChange.type",
    "raftpb.ConfChange.node_id",
    "raftpb.ConfChangeSingle.type",
    "raftpb.ConfChangeSingle.node_id",
    "raftpb.ConfChangeV2.transition",
    "walpb.Record.type",
    "walpb.Record.crc",
    "walpb.Snapshot.index",
    "walpb.Snapshot.term",
    "snappb.snapshot.crc",
];

/// Names that snake-casing would make unreadable (`peer_ur_ls`). JSON keeps the names of the .proto files.
pub const RUST_NAMES: &[(&str, &str)] = &[("peerURLs", "peer_urls"), ("clientURLs", "client_urls")];

/// The rare arms of a Raft entry: boxed, so that the frequent ones (put, txn) travel in a small struct.
pub const BOXED: &[&str] = &[
    ".etcdserverpb.InternalRaftRequest.v2",
    ".etcdserverpb.InternalRaftRequest.auth_enable",
    ".etcdserverpb.InternalRaftRequest.auth_disable",
    ".etcdserverpb.InternalRaftRequest.authenticate",
    ".etcdserverpb.InternalRaftRequest.auth_status",
    ".etcdserverpb.InternalRaftRequest.auth_user_add",
    ".etcdserverpb.InternalRaftRequest.auth_user_delete",
    ".etcdserverpb.InternalRaftRequest.auth_user_get",
    ".etcdserverpb.InternalRaftRequest.auth_user_change_password",
    ".etcdserverpb.InternalRaftRequest.auth_user_grant_role",
    ".etcdserverpb.InternalRaftRequest.auth_user_revoke_role",
    ".etcdserverpb.InternalRaftRequest.auth_user_list",
    ".etcdserverpb.InternalRaftRequest.auth_role_list",
    ".etcdserverpb.InternalRaftRequest.auth_role_add",
    ".etcdserverpb.InternalRaftRequest.auth_role_delete",
    ".etcdserverpb.InternalRaftRequest.auth_role_get",
    ".etcdserverpb.InternalRaftRequest.auth_role_grant_permission",
    ".etcdserverpb.InternalRaftRequest.auth_role_revoke_permission",
    ".etcdserverpb.InternalRaftRequest.cluster_version_set",
    ".etcdserverpb.InternalRaftRequest.cluster_member_attr_set",
    ".etcdserverpb.InternalRaftRequest.downgrade_info_set",
    ".etcdserverpb.InternalRaftRequest.downgrade_version_test",
];
