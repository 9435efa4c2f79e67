//! The KV service.
use super::{
    Api, status,
    stream::{Fed, in_pieces},
};
use crate::generated::etcdserverpb::kv_server::Kv;
use detcd_proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RangeStreamResponse, TxnRequest, TxnResponse,
};
use tonic::{Request, Response, Status};

/// Pieces of a range that are read and not taken.
const PIECES_WAITING_MAX: usize = 1;

#[tonic::async_trait]
impl Kv for Api {
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let node = self.asked_by(&request);
        node.range(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type RangeStreamStream = Fed<RangeStreamResponse>;

    /// Reads no further ahead than a few pieces of what the caller has taken.
    async fn range_stream(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<Self::RangeStreamStream>, Status> {
        let cut = self.cut(&request);
        let mut pieces = self.asked_by(&request).range_stream(request.into_inner()).await.map_err(status)?;
        Ok(Response::new(in_pieces(PIECES_WAITING_MAX, move || pieces.next_piece(), cut)))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let node = self.asked_by(&request);
        node.put(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        let node = self.asked_by(&request);
        node.delete_range(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let node = self.asked_by(&request);
        node.txn(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn compact(
        &self,
        request: Request<CompactionRequest>,
    ) -> Result<Response<CompactionResponse>, Status> {
        let node = self.asked_by(&request);
        node.compact(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
