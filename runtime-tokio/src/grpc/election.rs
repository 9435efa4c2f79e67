//! The Election service.
use super::{
    Api, status,
    stream::{Fed, Feeder, WAITING_MAX, fed},
};
use crate::{Tokio, generated::v3electionpb::election_server::Election};
use detcd_driver::Observation;
use detcd_proto::v3electionpb::{
    CampaignRequest, CampaignResponse, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse,
    ResignRequest, ResignResponse,
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl Election for Api {
    async fn campaign(
        &self,
        request: Request<CampaignRequest>,
    ) -> Result<Response<CampaignResponse>, Status> {
        let (node, cut) = (self.asked_by(&request), self.cut(&request));
        tokio::select! {
            elected = node.campaign(request.into_inner()) => elected.map(Response::new).map_err(status),
            why = cut => Err(why),
        }
    }

    async fn proclaim(
        &self,
        request: Request<ProclaimRequest>,
    ) -> Result<Response<ProclaimResponse>, Status> {
        self.asked_by(&request).proclaim(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn leader(&self, request: Request<LeaderRequest>) -> Result<Response<LeaderResponse>, Status> {
        self.asked_by(&request).leader(request.into_inner()).await.map(Response::new).map_err(status)
    }

    type ObserveStream = Fed<LeaderResponse>;

    async fn observe(
        &self,
        request: Request<LeaderRequest>,
    ) -> Result<Response<Self::ObserveStream>, Status> {
        let cut = self.cut(&request);
        let observation = self.asked_by(&request).observe(request.into_inner()).map_err(status)?;
        let (feeder, leaders) = fed(WAITING_MAX);
        tokio::spawn(async move {
            let why = tokio::select! {
                why = tell(observation, &feeder) => why,
                why = cut => Some(why),
                () = feeder.closed() => None,
            };
            if let Some(why) = why {
                // A caller who has left needs no reason.
                feeder.send(Err(why)).await.ok();
            }
        });
        Ok(Response::new(leaders))
    }

    async fn resign(&self, request: Request<ResignRequest>) -> Result<Response<ResignResponse>, Status> {
        self.asked_by(&request).resign(request.into_inner()).await.map(Response::new).map_err(status)
    }
}

/// Tells of every leader until the caller leaves, or there is a reason not to.
async fn tell(mut observation: Observation<Tokio>, leaders: &Feeder<LeaderResponse>) -> Option<Status> {
    loop {
        match observation.next().await {
            Ok(leader) => leaders.send(Ok(leader)).await.ok()?,
            Err(refusal) => return Some(status(refusal)),
        }
    }
}
