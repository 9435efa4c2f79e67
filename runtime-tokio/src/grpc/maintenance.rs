//! The Maintenance service.
use super::{
    Api, status,
    stream::{Fed, in_pieces},
};
use crate::generated::etcdserverpb::maintenance_server::Maintenance;
use detcd_proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, DefragmentRequest, DefragmentResponse, DowngradeRequest, DowngradeResponse,
    HashKvRequest, HashKvResponse, HashRequest, HashResponse, MoveLeaderRequest, MoveLeaderResponse,
    SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
};
use tonic::{Request, Response, Status};

/// Pieces of a snapshot that are written and not taken.
const PIECES_WAITING_MAX: usize = 4;

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

    async fn hash(&self, request: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        self.asked_by(&request).hash().await.map(Response::new).map_err(status)
    }

    type SnapshotStream = Fed<SnapshotResponse>;

    /// Writes no further ahead than a few pieces of what the caller has taken.
    async fn snapshot(
        &self,
        request: Request<SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let cut = self.cut(&request);
        let mut pieces = self.asked_by(&request).snapshot().await.map_err(status)?;
        Ok(Response::new(in_pieces(PIECES_WAITING_MAX, move || pieces.next_piece(), cut)))
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
