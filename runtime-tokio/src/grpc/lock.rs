//! The Lock service.
use super::{Api, status};
use crate::generated::v3lockpb::lock_server::Lock;
use detcd_proto::v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Lock for Api {
    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        let (node, cut) = (self.asked_by(&request), self.cut(&request));
        tokio::select! {
            locked = node.lock(request.into_inner()) => locked.map(Response::new).map_err(status),
            why = cut => Err(why),
        }
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        self.asked_by(&request).unlock(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
