//! The keyspace with its history: every change that compaction has left, by key and by revision.
//!
//! [`Store`] is the one writer; [`Keyspace`] is an immutable state of it that costs two pointers to take. Every change
//! of a key is one [`Record`], one allocation that the history, the log of changes, watchers and responses share. The
//! store knows nothing of Raft, of leases' lifetimes or of requests: who calls it has checked.
mod compact;
mod hash;
mod keyspace;
mod record;
mod restore;
pub mod tree;
mod write;

pub use hash::{Hashing, KeyspaceHash};
pub use keyspace::Keyspace;
pub use record::Record;
pub use restore::{REVISION_MAX, Restoring, parse_revision, revision_key};
pub use write::{Store, Write};

/// One change of one key, as watchers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub record: Record,
    /// The pair as it was before the revision of this change; `None` if there was none.
    pub prev: Option<Record>,
}

impl Change {
    pub fn is_delete(&self) -> bool {
        self.record.is_tombstone()
    }
}
