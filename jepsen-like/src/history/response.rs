//! What clients are told, in etcd's words. `revision` is always that of the response header.

use serde::{Deserialize, Serialize};

use super::{request::is_default, text};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Range(RangeResponse),
    Put(PutResponse),
    Delete(DeleteResponse),
    Txn(TxnResponse),
    Compact { revision: i64 },
    LeaseGrant { revision: i64, id: i64, ttl: i64 },
    LeaseRevoke { revision: i64 },
}

impl Response {
    /// The header's revision.
    pub fn revision(&self) -> i64 {
        match self {
            Self::Range(range) => range.revision,
            Self::Put(put) => put.revision,
            Self::Delete(delete) => delete.revision,
            Self::Txn(txn) => txn.revision,
            Self::Compact { revision }
            | Self::LeaseGrant { revision, .. }
            | Self::LeaseRevoke { revision } => *revision,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyValue {
    #[serde(with = "text")]
    pub key: Vec<u8>,
    #[serde(with = "text")]
    pub value: Vec<u8>,
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub lease: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RangeResponse {
    pub revision: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kvs: Vec<KeyValue>,
    #[serde(skip_serializing_if = "is_default")]
    pub more: bool,
    /// Keys of the whole interval, whatever the limit.
    pub count: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PutResponse {
    pub revision: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_kv: Option<KeyValue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteResponse {
    pub revision: i64,
    pub deleted: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prev_kvs: Vec<KeyValue>,
}

/// `responses` answer the operations of the branch that ran. Their own header revisions count as evidence unless they
/// are 0, which stands for a header that was not there or not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TxnResponse {
    pub revision: i64,
    pub succeeded: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<Response>,
}
