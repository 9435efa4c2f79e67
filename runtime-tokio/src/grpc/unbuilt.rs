//! Services of which nothing is there yet; they say so.
use super::{Api, status, stream::Never};
use crate::generated::{v3electionpb::election_server::Election, v3lockpb::lock_server::Lock};
use detcd_core::Refusal;
use detcd_proto::{
    v3electionpb::{
        CampaignRequest, CampaignResponse, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse,
        ResignRequest, ResignResponse,
    },
    v3lockpb::{LockRequest, LockResponse, UnlockRequest, UnlockResponse},
};
use tonic::{Request, Response, Status};

macro_rules! unbuilt {
    ($service:ident: $($method:ident($request:ident) -> $response:ident = $name:literal;)* $({ $($more:tt)* })?) => {
        #[tonic::async_trait]
        impl $service for Api {
            $(async fn $method(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                Err(status(Refusal::NotBuilt($name)))
            })*
            $($($more)*)?
        }
    };
}

unbuilt! { Lock:
    lock(LockRequest) -> LockResponse = "Lock/Lock";
    unlock(UnlockRequest) -> UnlockResponse = "Lock/Unlock";
}

unbuilt! { Election:
    campaign(CampaignRequest) -> CampaignResponse = "Election/Campaign";
    proclaim(ProclaimRequest) -> ProclaimResponse = "Election/Proclaim";
    leader(LeaderRequest) -> LeaderResponse = "Election/Leader";
    resign(ResignRequest) -> ResignResponse = "Election/Resign";
    {
        type ObserveStream = Never<LeaderResponse>;

        async fn observe(
            &self,
            _: Request<LeaderRequest>,
        ) -> Result<Response<Self::ObserveStream>, Status> {
            Err(status(Refusal::NotBuilt("Election/Observe")))
        }
    }
}
