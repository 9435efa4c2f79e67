//! What clients ask, in etcd's words. Field meanings and defaults are those of etcd's messages of the same names.

use serde::{Deserialize, Serialize};

use super::text;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Range(RangeRequest),
    Put(PutRequest),
    Delete(DeleteRequest),
    Txn(TxnRequest),
    Compact {
        revision: i64,
    },
    /// `id` 0 lets the server choose; its answer then names the lease.
    LeaseGrant {
        id: i64,
        ttl: i64,
    },
    LeaseRevoke {
        id: i64,
    },
}

impl Request {
    /// A linearizable read of one key.
    pub fn get(key: impl Into<Vec<u8>>) -> Self {
        Self::Range(RangeRequest { key: key.into(), ..RangeRequest::default() })
    }

    pub fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put(PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() })
    }

    /// Deletes one key.
    pub fn delete(key: impl Into<Vec<u8>>) -> Self {
        Self::Delete(DeleteRequest { key: key.into(), ..DeleteRequest::default() })
    }

    /// Whether the request can be answered from a member's own, possibly old state: serializable ranges, and
    /// transactions of nothing but such ranges (the empty one included).
    pub fn is_serializable(&self) -> bool {
        match self {
            Self::Range(range) => range.serializable,
            Self::Txn(txn) => txn
                .success
                .iter()
                .chain(&txn.failure)
                .all(|op| matches!(op, Self::Range(range) if range.serializable)),
            Self::Put(_)
            | Self::Delete(_)
            | Self::Compact { .. }
            | Self::LeaseGrant { .. }
            | Self::LeaseRevoke { .. } => false,
        }
    }

    /// Whether the request can take a new revision.
    pub fn can_write(&self) -> bool {
        match self {
            Self::Put(_) | Self::Delete(_) | Self::LeaseRevoke { .. } => true,
            Self::Txn(txn) => txn.success.iter().chain(&txn.failure).any(Self::can_write),
            Self::Range(_) | Self::Compact { .. } | Self::LeaseGrant { .. } => false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct RangeRequest {
    #[serde(with = "text")]
    pub key: Vec<u8>,
    #[serde(with = "text", skip_serializing_if = "Vec::is_empty")]
    pub range_end: Vec<u8>,
    /// 0 or less: the newest.
    #[serde(skip_serializing_if = "is_default")]
    pub revision: i64,
    /// 0 or less: no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub limit: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub serializable: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub keys_only: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub count_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct PutRequest {
    #[serde(with = "text")]
    pub key: Vec<u8>,
    #[serde(with = "text")]
    pub value: Vec<u8>,
    #[serde(skip_serializing_if = "is_default")]
    pub lease: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub prev_kv: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_value: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_lease: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteRequest {
    #[serde(with = "text")]
    pub key: Vec<u8>,
    #[serde(with = "text", skip_serializing_if = "Vec::is_empty")]
    pub range_end: Vec<u8>,
    #[serde(skip_serializing_if = "is_default")]
    pub prev_kv: bool,
}

/// A transaction. Its branches hold [`Request::Range`], [`Request::Put`], [`Request::Delete`] and [`Request::Txn`];
/// etcd has no message for the others here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct TxnRequest {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compares: Vec<Compare>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<Request>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<Request>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Compare {
    #[serde(with = "text")]
    pub key: Vec<u8>,
    /// Not empty: every key of the interval must satisfy the comparison.
    #[serde(default, with = "text", skip_serializing_if = "Vec::is_empty")]
    pub range_end: Vec<u8>,
    pub target: CompareTarget,
    pub result: CompareResult,
}

/// What is compared, with the right-hand side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareTarget {
    Version(i64),
    CreateRevision(i64),
    ModRevision(i64),
    Value(#[serde(with = "text")] Vec<u8>),
    Lease(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareResult {
    Equal,
    Greater,
    Less,
    NotEqual,
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
