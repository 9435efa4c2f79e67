//! HashKV.
use super::header;
use crate::{Refusal, View};
use detcd_proto::etcdserverpb::HashKvResponse;

/// The hash of the keyspace up to a revision, 0 for the newest. Walks everything. Source: contract-semantics 13.6.
pub fn hash_kv(view: &View, revision: i64) -> Result<HashKvResponse, Refusal> {
    let hash = view.keyspace.hash_kv(revision)?;
    Ok(HashKvResponse {
        header: header(view.keyspace.revision()),
        hash: hash.hash,
        compact_revision: hash.compact_revision,
        hash_revision: hash.hash_revision,
    })
}
