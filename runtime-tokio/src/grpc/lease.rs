//! The Lease service.
use super::{
    Api, status,
    stream::{Fed, Feeder, WAITING_MAX, fed},
};
use crate::{Tokio, generated::etcdserverpb::lease_server::Lease};
use detcd_driver::Node;
use detcd_proto::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
    LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseTimeToLiveRequest,
    LeaseTimeToLiveResponse,
};
use tonic::{Request, Response, Status, Streaming};

#[tonic::async_trait]
impl Lease for Api {
    async fn lease_grant(
        &self,
        request: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        let node = self.asked_by(&request);
        node.lease_grant(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        let node = self.asked_by(&request);
        node.lease_revoke(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type LeaseKeepAliveStream = Fed<LeaseKeepAliveResponse>;

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let (feeder, answers) = fed(WAITING_MAX);
        let (node, cut) = (self.asked_by(&request), self.cut(&request));
        let requests = request.into_inner();
        tokio::spawn(async move {
            let why = tokio::select! {
                why = renew(node, requests, &feeder) => why,
                why = cut => Some(why),
            };
            if let Some(why) = why {
                // A caller who has left needs no reason.
                feeder.send(Err(why)).await.ok();
            }
        });
        Ok(Response::new(answers))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let node = self.asked_by(&request);
        node.lease_time_to_live(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        self.asked_by(&request).lease_leases().await.map(Response::new).map_err(status)
    }
}

/// Renews one after the other until the caller ends the stream, or there is a reason to end it.
async fn renew(
    node: Node<Tokio>,
    mut requests: Streaming<LeaseKeepAliveRequest>,
    answers: &Feeder<LeaseKeepAliveResponse>,
) -> Option<Status> {
    loop {
        let answer = match requests.message().await {
            Ok(Some(request)) => node.lease_keep_alive(request).await.map_err(status),
            Ok(None) => return None,
            Err(broken) => Err(broken),
        };
        match answer {
            Ok(answer) => answers.send(Ok(answer)).await.ok()?,
            Err(why) => return Some(why),
        }
    }
}
