//! The judges. Each reads a history and nothing else.

pub mod etcd;
pub mod wgl;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{History, OpId};

/// What a judge found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Some correct execution explains the whole history.
    Ok { stats: Stats },
    /// No correct execution explains the history.
    Illegal(Violation),
    /// The budget ran out before either was shown.
    Unknown(String),
}

impl Verdict {
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok { .. })
    }

    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Illegal(violation) => Some(violation),
            Self::Ok { .. } | Self::Unknown(_) => None,
        }
    }
}

/// The first thing in a history that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub kind: ViolationKind,
    /// For people: what is impossible and why in the first line, the operations involved and their neighbours below.
    pub text: String,
    /// The operations the text speaks of; the impossible one first.
    pub ops: Vec<OpId>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}

/// Stable names for fingerprints: the same bug should keep the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// An answer that no etcd can give to this request, whatever its state.
    Malformed,
    /// Two writes claim the same revision.
    DuplicateRevision,
    /// The store reached a revision that no write of the history can have made.
    UnexplainedRevision,
    /// An operation shows an older state than one that had finished before it started, or a state from the future.
    RealTimeOrder,
    /// A read's contents differ from the store at the revision it names.
    ReadMismatch,
    /// What a write says about the state it met differs from the store at its revision.
    WriteMismatch,
    /// Compaction refused what it had to allow, or the reverse.
    Compaction,
    /// A request was refused for a reason that cannot have been there.
    Refusal,
    /// No order of the operations satisfies the model (the general checker's finding).
    NotLinearizable,
}

impl ViolationKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::DuplicateRevision => "duplicate-revision",
            Self::UnexplainedRevision => "unexplained-revision",
            Self::RealTimeOrder => "real-time-order",
            Self::ReadMismatch => "read-mismatch",
            Self::WriteMismatch => "write-mismatch",
            Self::Compaction => "compaction",
            Self::Refusal => "refusal",
            Self::NotLinearizable => "not-linearizable",
        }
    }
}

/// How much a judge had to judge, so that a caller can tell a clean run from an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All operations of the history.
    pub ops: u64,
    /// Answered operations whose answer was compared with the model.
    pub checked: u64,
    /// Answered reads among them, transactions that changed nothing included.
    pub reads: u64,
    /// Answered writes among them that took a revision.
    pub writes: u64,
    /// Refused operations.
    pub refused: u64,
    /// Operations of unknown fate that could have written.
    pub unknown_fate: u64,
    /// Those of them that must have taken effect.
    pub unknown_placed: u64,
    /// Revisions filled by expired leases.
    pub expiries: u64,
    /// The newest revision that any answer shows.
    pub revision_max: i64,
    /// Distinct keys.
    pub keys: u64,
    /// States of the model that were visited: one per revision, more when a search was needed.
    pub states: u64,
    /// Times the search took a choice back.
    pub backtracks: u64,
}

/// A verdict with the figures, whatever the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub verdict: Verdict,
    pub stats: Stats,
}

/// Runs every judge that a history of client operations has.
pub fn check_all(history: &History, options: &etcd::Options) -> Report {
    etcd::report(history, options)
}
