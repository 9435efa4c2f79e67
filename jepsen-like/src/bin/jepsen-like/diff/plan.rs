//! A workload: what is said to both servers, step by step.

use std::fmt;

use bytes::Bytes;
use detcd_proto::Message;

/// Who a call says it is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Metadata besides the token.
    pub metadata: Vec<(&'static str, &'static str)>,
    pub token: Token,
    /// As JSON over HTTP, if the call can be made that way.
    pub gateway: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Token {
    #[default]
    None,
    /// The one that this user got last, under this name in the metadata and behind this prefix. Without any: none.
    User { name: String, key: &'static str, prefix: &'static str },
    /// Words that were never a token.
    Garbage(&'static str),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.metadata {
            write!(f, " [{key}: {value}]")?;
        }
        if self.gateway {
            write!(f, " [gateway]")?;
        }
        match &self.token {
            Token::None => Ok(()),
            Token::User { name, key, prefix } => write!(f, " [{key}: {prefix}(the token of {name})]"),
            Token::Garbage(words) => write!(f, " [token: {words}]"),
        }
    }
}

/// One thing that is done to both servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub caller: Caller,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// One request, one answer.
    Unary { path: &'static str, request: Bytes },
    /// Requests until the half-close, then answers: all of them, or the first `take`.
    Stream { path: &'static str, requests: Vec<Bytes>, take: Option<usize> },
    /// A message on a watch stream that stays open; the first opens it.
    Watch { stream: u8, request: Bytes },
    /// Closes a watch stream.
    Unwatch { stream: u8 },
    /// Writes a key and waits until every watch stream has seen all before it; then compares what they saw.
    Settle,
    /// Begins a call that will have to wait; its place in the queue is `key`.
    Begin { path: &'static str, request: Bytes, key: Bytes },
    /// Waits for the answer to it.
    Finish { path: &'static str },
    /// Waits until a lease has run out.
    Expire { lease: i64 },
}

impl Step {
    pub fn unary(path: &'static str, request: &impl Message) -> Step {
        Step::new(Action::Unary { path, request: encoded(request) })
    }

    pub fn stream(path: &'static str, requests: Vec<Bytes>, take: Option<usize>) -> Step {
        Step::new(Action::Stream { path, requests, take })
    }

    /// One request, a stream of answers.
    pub fn stream_one(path: &'static str, request: &impl Message) -> Step {
        Step::stream(path, vec![encoded(request)], None)
    }

    pub fn settle() -> Step {
        Step::new(Action::Settle)
    }

    pub fn watch(stream: u8, request: &impl Message) -> Step {
        Step::new(Action::Watch { stream, request: encoded(request) })
    }

    pub fn new(action: Action) -> Step {
        Step { caller: Caller::default(), action }
    }

    pub fn by(self, caller: Caller) -> Step {
        Step { caller, ..self }
    }

    /// Whether it waits for nothing but an answer; what is only there to compare is no call.
    pub fn is_call(&self) -> bool {
        !matches!(self.action, Action::Settle | Action::Unwatch { .. } | Action::Begin { .. })
    }

    /// The method that it uses.
    pub fn path(&self) -> &'static str {
        match &self.action {
            Action::Unary { path, .. }
            | Action::Stream { path, .. }
            | Action::Begin { path, .. }
            | Action::Finish { path } => path,
            Action::Watch { .. } | Action::Unwatch { .. } => path::WATCH,
            Action::Settle => path::PUT,
            Action::Expire { .. } => path::LEASE_TIME_TO_LIVE,
        }
    }
}

pub fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The methods that the judge itself knows by name.
pub mod path {
    pub const RANGE: &str = "/etcdserverpb.KV/Range";
    pub const PUT: &str = "/etcdserverpb.KV/Put";
    pub const DELETE_RANGE: &str = "/etcdserverpb.KV/DeleteRange";
    pub const TXN: &str = "/etcdserverpb.KV/Txn";
    pub const COMPACT: &str = "/etcdserverpb.KV/Compact";
    pub const RANGE_STREAM: &str = "/etcdserverpb.KV/RangeStream";
    pub const WATCH: &str = "/etcdserverpb.Watch/Watch";
    pub const LEASE_TIME_TO_LIVE: &str = "/etcdserverpb.Lease/LeaseTimeToLive";
    pub const LEASE_GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
    pub const LEASE_LEASES: &str = "/etcdserverpb.Lease/LeaseLeases";
    pub const STATUS: &str = "/etcdserverpb.Maintenance/Status";
    pub const HASH: &str = "/etcdserverpb.Maintenance/Hash";
    pub const HASH_KV: &str = "/etcdserverpb.Maintenance/HashKV";
    pub const SNAPSHOT: &str = "/etcdserverpb.Maintenance/Snapshot";
    pub const ALARM: &str = "/etcdserverpb.Maintenance/Alarm";
    pub const DOWNGRADE: &str = "/etcdserverpb.Maintenance/Downgrade";
    pub const AUTH_ENABLE: &str = "/etcdserverpb.Auth/AuthEnable";
    pub const AUTH_DISABLE: &str = "/etcdserverpb.Auth/AuthDisable";
    pub const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";
}

/// The gateway's path for a unary method. Source: contract-api 1.
pub fn route(path: &str) -> Option<&'static str> {
    ROUTES.iter().find(|(method, _)| *method == path).map(|(_, route)| *route)
}

const ROUTES: &[(&str, &str)] = &[
    ("/etcdserverpb.KV/Range", "/v3/kv/range"),
    ("/etcdserverpb.KV/Put", "/v3/kv/put"),
    ("/etcdserverpb.KV/DeleteRange", "/v3/kv/deleterange"),
    ("/etcdserverpb.KV/Txn", "/v3/kv/txn"),
    ("/etcdserverpb.KV/Compact", "/v3/kv/compaction"),
    ("/etcdserverpb.Lease/LeaseGrant", "/v3/lease/grant"),
    ("/etcdserverpb.Lease/LeaseRevoke", "/v3/lease/revoke"),
    ("/etcdserverpb.Lease/LeaseTimeToLive", "/v3/lease/timetolive"),
    ("/etcdserverpb.Lease/LeaseLeases", "/v3/lease/leases"),
    ("/etcdserverpb.Cluster/MemberAdd", "/v3/cluster/member/add"),
    ("/etcdserverpb.Cluster/MemberRemove", "/v3/cluster/member/remove"),
    ("/etcdserverpb.Cluster/MemberUpdate", "/v3/cluster/member/update"),
    ("/etcdserverpb.Cluster/MemberList", "/v3/cluster/member/list"),
    ("/etcdserverpb.Cluster/MemberPromote", "/v3/cluster/member/promote"),
    ("/etcdserverpb.Maintenance/Alarm", "/v3/maintenance/alarm"),
    ("/etcdserverpb.Maintenance/Status", "/v3/maintenance/status"),
    ("/etcdserverpb.Maintenance/Defragment", "/v3/maintenance/defragment"),
    ("/etcdserverpb.Maintenance/Hash", "/v3/maintenance/hash"),
    ("/etcdserverpb.Maintenance/HashKV", "/v3/maintenance/hashkv"),
    ("/etcdserverpb.Maintenance/MoveLeader", "/v3/maintenance/transfer-leadership"),
    ("/etcdserverpb.Maintenance/Downgrade", "/v3/maintenance/downgrade"),
    ("/etcdserverpb.Auth/AuthEnable", "/v3/auth/enable"),
    ("/etcdserverpb.Auth/AuthDisable", "/v3/auth/disable"),
    ("/etcdserverpb.Auth/AuthStatus", "/v3/auth/status"),
    ("/etcdserverpb.Auth/Authenticate", "/v3/auth/authenticate"),
    ("/etcdserverpb.Auth/UserAdd", "/v3/auth/user/add"),
    ("/etcdserverpb.Auth/UserGet", "/v3/auth/user/get"),
    ("/etcdserverpb.Auth/UserList", "/v3/auth/user/list"),
    ("/etcdserverpb.Auth/UserDelete", "/v3/auth/user/delete"),
    ("/etcdserverpb.Auth/UserChangePassword", "/v3/auth/user/changepw"),
    ("/etcdserverpb.Auth/UserGrantRole", "/v3/auth/user/grant"),
    ("/etcdserverpb.Auth/UserRevokeRole", "/v3/auth/user/revoke"),
    ("/etcdserverpb.Auth/RoleAdd", "/v3/auth/role/add"),
    ("/etcdserverpb.Auth/RoleGet", "/v3/auth/role/get"),
    ("/etcdserverpb.Auth/RoleList", "/v3/auth/role/list"),
    ("/etcdserverpb.Auth/RoleDelete", "/v3/auth/role/delete"),
    ("/etcdserverpb.Auth/RoleGrantPermission", "/v3/auth/role/grant"),
    ("/etcdserverpb.Auth/RoleRevokePermission", "/v3/auth/role/revoke"),
    ("/v3lockpb.Lock/Lock", "/v3/lock/lock"),
    ("/v3lockpb.Lock/Unlock", "/v3/lock/unlock"),
    ("/v3electionpb.Election/Campaign", "/v3/election/campaign"),
    ("/v3electionpb.Election/Proclaim", "/v3/election/proclaim"),
    ("/v3electionpb.Election/Leader", "/v3/election/leader"),
    ("/v3electionpb.Election/Resign", "/v3/election/resign"),
];

/// The key that [`Action::Settle`] writes.
pub const SETTLE_KEY: &[u8] = b"settle";
