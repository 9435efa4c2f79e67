//! The Maintenance service.
use super::{Api, status, stream::Never};
use crate::generated::etcdserverpb::maintenance_server::Maintenance;
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, DefragmentRequest, DefragmentResponse, DowngradeRequest, DowngradeResponse,
    HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderRequest, MoveLeaderResponse,
    SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Maintenance for Api {
    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let node = self.asked_by(&request);
        node.alarm(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        self.asked_by(&request).status().await.map(Response::new).map_err(status)
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        let node = self.asked_by(&request);
        node.hash_kv(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn defragment(
        &self,
        request: Request<DefragmentRequest>,
    ) -> Result<Response<DefragmentResponse>, Status> {
        self.asked_by(&request).defragment().await.map(Response::new).map_err(status)
    }

    async fn hash(&self, _: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        Err(status(Refusal::NotBuilt("Maintenance/Hash")))
    }

    type SnapshotStream = Never<SnapshotResponse>;

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        Err(status(Refusal::NotBuilt("Maintenance/Snapshot")))
    }

    async fn move_leader(
        &self,
        request: Request<MoveLeaderRequest>,
    ) -> Result<Response<MoveLeaderResponse>, Status> {
        self.asked_by(&request).move_leader(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn downgrade(
        &self,
        request: Request<DowngradeRequest>,
    ) -> Result<Response<DowngradeResponse>, Status> {
        self.asked_by(&request).downgrade(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
