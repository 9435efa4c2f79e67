//! HashKV.
use super::header;
use crate::{Refusal, View, store};
use detcd_proto::etcdserverpb::HashKvResponse;

/// The hash of the keyspace up to a revision, in the making. Source: contract-semantics 13.6.
#[derive(Debug)]
pub struct Hashing {
    revision: i64,
    hashing: store::Hashing,
}

impl Hashing {
    /// 0 is the newest revision. [`Refusal::Compacted`] or [`Refusal::FutureRev`].
    pub fn new(view: &View, revision: i64) -> Result<Hashing, Refusal> {
        let hashing = store::Hashing::new(view.keyspace.clone(), revision)?;
        Ok(Hashing { revision: view.keyspace.revision(), hashing })
    }

    /// Looks at no more than `budget` changes; the answer once there are no more.
    pub fn step(&mut self, budget: usize) -> Option<HashKvResponse> {
        let hash = self.hashing.step(budget)?;
        Some(HashKvResponse {
            header: header(self.revision),
            hash: hash.hash,
            compact_revision: hash.compact_revision,
            hash_revision: hash.hash_revision,
        })
    }
}
