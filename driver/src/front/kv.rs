//! Range, whole and streamed, Put, DeleteRange, Txn, Compact. Source: contract-semantics 4 to 8.
use super::{answer, breathe};
use crate::{Node, Runtime};
use detcd_core::{
    Edition, Refusal,
    auth::Principal,
    command::check,
    query::{self, Pieces},
    quota,
    state::Tally,
};
use detcd_proto::etcdserverpb::{
    AlarmRequest, AlarmType, CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse,
    InternalRaftRequest, PutRequest, PutResponse, RangeRequest, RangeResponse, RangeStreamResponse,
    TxnRequest, TxnResponse, alarm_request::AlarmAction,
};
use std::sync::Arc;

/// Pairs in the first piece of a stream; more in the next ones while they are small.
const PIECE_PAIRS: usize = 10;
/// So much of a large range is read before others on the same thread have their turn.
const SLICE_PAIRS: usize = 1024;
const SLICE_BYTES: usize = 1 << 20;

/// What is still to come of a streamed range.
pub struct RangePieces<R: Runtime> {
    node: Node<R>,
    edition: Arc<Edition>,
    pieces: Pieces,
}

impl<R: Runtime> RangePieces<R> {
    /// The next piece; the last one has the header, the count, and whether there is more.
    pub fn next_piece(&mut self) -> Option<RangeStreamResponse> {
        let mut piece = self.pieces.next_piece()?;
        if piece.header.is_some() {
            self.node.stamp(&self.edition, &mut piece.header);
        }
        Some(RangeStreamResponse { range_response: Some(piece) })
    }
}

/// The range can be long, and can be read in slices.
fn is_large(request: &RangeRequest) -> bool {
    let is_short = request.range_end.is_empty() || (1..=SLICE_PAIRS as i64).contains(&request.limit);
    !is_short && !request.count_only && query::divisible(request).is_ok()
}

/// Reads slice by slice; the same as all at once.
async fn gather(mut slices: Pieces) -> RangeResponse {
    let mut whole = RangeResponse::default();
    while let Some(slice) = slices.next_piece() {
        let mut kvs = std::mem::take(&mut whole.kvs);
        kvs.extend(slice.kvs);
        whole = RangeResponse { kvs, ..slice };
        if !slices.is_done() {
            breathe().await;
        }
    }
    whole
}

impl<R: Runtime> Node<R> {
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Refusal> {
        if !request.serializable {
            self.admit()?;
        }
        check::range(&request)?;
        let (who, edition) = self.settled(request.serializable).await?;
        edition.view.auth.permit_range(&who, &request)?;
        let begun = self.0.rt.now();
        let response = if is_large(&request) {
            match Pieces::new(&edition.view, request, SLICE_PAIRS, SLICE_BYTES) {
                Ok(pieces) => Ok(gather(pieces).await),
                Err(refusal) => Err(refusal),
            }
        } else {
            query::range(&edition.view, &request)
        };
        self.0.meters.ranges.add(1);
        self.0.meters.range.of(response.is_ok()).observe(self.0.rt.now() - begun);
        let mut response = response?;
        self.stamp(&edition, &mut response.header);
        Ok(response)
    }

    /// A range in pieces of about the size of the largest request, all from one state.
    pub async fn range_stream(&self, request: RangeRequest) -> Result<RangePieces<R>, Refusal> {
        self.admit()?;
        check::range(&request)?;
        query::divisible(&request)?;
        let (who, edition) = self.settled(request.serializable).await?;
        edition.view.auth.permit_range(&who, &request)?;
        let pieces = Pieces::new(&edition.view, request, PIECE_PAIRS, self.config().max_request_bytes)?;
        Ok(RangePieces { node: self.clone(), edition, pieces })
    }

    pub async fn put(&self, request: PutRequest) -> Result<PutResponse, Refusal> {
        self.admit()?;
        self.fits(quota::put_cost(&request)).await?;
        check::put(&request)?;
        answer!(self.propose(InternalRaftRequest { put: Some(request), ..Default::default() }).await, Put)
    }

    pub async fn delete_range(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse, Refusal> {
        self.admit()?;
        check::delete_range(&request)?;
        let request = InternalRaftRequest { delete_range: Some(request), ..Default::default() };
        answer!(self.propose(request).await, DeleteRange)
    }

    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Refusal> {
        self.admit()?;
        self.fits(quota::txn_cost(&request)).await?;
        check::txn(&request, self.config().max_txn_ops)?;
        if check::is_read_only(&request) {
            let (who, edition) = self.settled(check::is_serializable(&request)).await?;
            edition.view.auth.permit_txn(&who, &edition.view.leases, &request)?;
            let mut response = query::txn(&edition.view, &request)?;
            let mut tally = Tally::default();
            tally.txn(&request, &response);
            self.0.meters.ranges.add(tally.ranges);
            self.0.meters.txns.add(u64::from(tally.ranges > 1));
            self.stamp(&edition, &mut response.header);
            return Ok(response);
        }
        answer!(self.propose(InternalRaftRequest { txn: Some(request), ..Default::default() }).await, Txn)
    }

    pub async fn compact(&self, request: CompactionRequest) -> Result<CompactionResponse, Refusal> {
        self.admit()?;
        self.require_admin().await?;
        let request = InternalRaftRequest { compaction: Some(request), ..Default::default() };
        answer!(self.propose(request).await, Compaction)
    }

    /// Who asks, and the state to answer a read from: the board's, after a quorum confirmed that it is new enough if that
    /// is wanted.
    async fn settled(&self, serializable: bool) -> Result<(Principal, Arc<Edition>), Refusal> {
        if !serializable {
            self.read_point().await?;
        }
        self.principal().await
    }

    /// Raises the alarm if there is no space for something of this cost. Source: contract-semantics 13.3.
    pub(crate) async fn fits(&self, cost: i64) -> Result<(), Refusal> {
        let used = self.latest().view.keyspace.bytes_total();
        if quota::available(used, cost, self.config().quota_backend_bytes) {
            return Ok(());
        }
        let alarm = AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id: self.config().me.id.0,
            alarm: AlarmType::Nospace.into(),
        };
        // The caller is told about the space whatever became of the alarm.
        self.propose_as_nobody(InternalRaftRequest { alarm: Some(alarm), ..Default::default() }).await.ok();
        Err(Refusal::NoSpace)
    }
}
