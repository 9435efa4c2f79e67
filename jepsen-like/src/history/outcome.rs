//! How a call ended, as far as its client can know.

use serde::{Deserialize, Serialize};

use super::Response;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok(Response),
    /// Certainly without effect: refused before it was proposed, or refused when it was applied.
    Failed(Refusal),
    /// Timeout, lost connection, lost leader: it may have taken effect, may still, or never will. The text is for
    /// people.
    Unknown(String),
}

impl Outcome {
    /// What an error means for the fate of a request. Only errors that etcd gives before it proposes, or at apply
    /// without changing anything, say that nothing happened; whatever is not known to be one of them leaves the fate
    /// open. So does "database space exceeded", which a put that *was* performed can get.
    pub fn from_error(text: &str) -> Self {
        match Refusal::from_text(text) {
            Refusal::Other(text) => {
                if WITHOUT_EFFECT.iter().any(|known| text.contains(known)) {
                    Self::Failed(Refusal::Other(text))
                } else {
                    Self::Unknown(text)
                }
            }
            named => Self::Failed(named),
        }
    }
}

/// Error texts of etcd's table that are only ever given to a request that did nothing.
const WITHOUT_EFFECT: &[&str] = &[
    "etcdserver: key is not provided",
    "etcdserver: value is provided",
    "etcdserver: lease is provided",
    "etcdserver: too many operations in txn request",
    "etcdserver: duplicate key given in txn request",
    "etcdserver: invalid client api version",
    "etcdserver: invalid sort option",
    "etcdserver: lease already exists",
    "etcdserver: too large lease TTL",
    "etcdserver: request is too large",
    "etcdserver: too many requests",
    "etcdserver: user name is empty",
    "etcdserver: permission denied",
    "etcdserver: invalid auth token",
    "etcdserver: revision of auth store is old",
    "etcdserver: rpc not supported for learner",
    "etcdserver: not capable",
];

/// Why a request was refused. The named reasons tell something about the store and are checked; the rest is text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The revision asked for is below the compacted one (or, for a compaction, not above it).
    Compacted,
    /// The revision asked for is above the current one.
    FutureRevision,
    /// `ignore_value` or `ignore_lease` on a key that is not there.
    KeyNotFound,
    LeaseNotFound,
    Other(String),
}

impl Refusal {
    /// Recognises etcd's error texts, with or without what a client library puts around them.
    pub fn from_text(text: &str) -> Self {
        if text.contains("etcdserver: mvcc: required revision has been compacted") {
            Self::Compacted
        } else if text.contains("etcdserver: mvcc: required revision is a future revision") {
            Self::FutureRevision
        } else if text.contains("etcdserver: key not found") {
            Self::KeyNotFound
        } else if text.contains("etcdserver: requested lease not found") {
            Self::LeaseNotFound
        } else {
            Self::Other(text.to_owned())
        }
    }
}
