//! The KV service.
use super::{Api, status, stream::Never};
use crate::generated::etcdserverpb::kv_server::Kv;
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RangeStreamResponse, TxnRequest, TxnResponse,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Kv for Api {
    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let node = self.asked_by(&request);
        node.range(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type RangeStreamStream = Never<RangeStreamResponse>;

    async fn range_stream(
        &self,
        _: Request<RangeRequest>,
    ) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(status(Refusal::NotBuilt("KV/RangeStream")))
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
