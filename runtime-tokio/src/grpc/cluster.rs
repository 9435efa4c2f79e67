//! The Cluster service.
use super::{Api, status};
use crate::generated::etcdserverpb::cluster_server::Cluster;
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

    async fn member_add(
        &self,
        request: Request<MemberAddRequest>,
    ) -> Result<Response<MemberAddResponse>, Status> {
        self.asked_by(&request).member_add(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        self.asked_by(&request).member_remove(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        self.asked_by(&request).member_update(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        self.asked_by(&request).member_promote(request.into_inner()).await.map(Response::new).map_err(status)
    }
}
