//! Compaction: the logical step. Removing records follows in slices, see [`Store::compact_step`].
//! Source: contract-semantics 8.
use crate::{Refusal, query::header, store::Store};
use detcd_proto::etcdserverpb::{CompactionRequest, CompactionResponse};

/// [`Refusal::Compacted`] or [`Refusal::FutureRev`]. A caller that was asked to wait for the removal (`physical`)
/// waits until [`Store::compacted_physically`] has reached the revision.
pub fn apply(store: &mut Store, request: &CompactionRequest) -> Result<CompactionResponse, Refusal> {
    store.compact(request.revision)?;
    Ok(CompactionResponse { header: header(store.keyspace().revision()) })
}
