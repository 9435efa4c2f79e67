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
    pub const AUTH_ENABLE: &str = "/etcdserverpb.Auth/AuthEnable";
    pub const AUTH_DISABLE: &str = "/etcdserverpb.Auth/AuthDisable";
    pub const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";
}

/// The key that [`Action::Settle`] writes.
pub const SETTLE_KEY: &[u8] = b"settle";
