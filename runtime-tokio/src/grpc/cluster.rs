//! The Cluster service.
use super::{Api, status};
use crate::generated::etcdserverpb::cluster_server::Cluster;
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::{
    MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
    MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest,
    MemberUpdateResponse,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Cluster for Api {
    async fn member_list(
        &self,
        request: Request<MemberListRequest>,
    ) -> Result<Response<MemberListResponse>, Status> {
        let node = self.asked_by(&request);
        node.member_list(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn member_add(&self, _: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        Err(status(Refusal::NotBuilt("Cluster/MemberAdd")))
    }

    async fn member_remove(
        &self,
        _: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        Err(status(Refusal::NotBuilt("Cluster/MemberRemove")))
    }

    async fn member_update(
        &self,
        _: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        Err(status(Refusal::NotBuilt("Cluster/MemberUpdate")))
    }

    async fn member_promote(
        &self,
        _: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        Err(status(Refusal::NotBuilt("Cluster/MemberPromote")))
    }
}
