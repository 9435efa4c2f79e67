//! gRPC's own health service: only the server as a whole, under the empty name. Source: contract-api 4.6.
use super::{
    Api,
    stream::{Fed, WAITING_MAX, fed},
};
use crate::generated::healthpb::health_server::Health;
use detcd_proto::healthpb::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus,
};
use tonic::{Request, Response, Status};

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Api {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "" => Ok(Response::new(answer(ServingStatus::Serving))),
            _ => Err(Status::not_found("unknown service")),
        }
    }

    type WatchStream = Fed<HealthCheckResponse>;

    /// Says it once: the state never changes while the server serves. The stream stays open.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (feeder, answers) = fed(WAITING_MAX);
        let cut = self.cut(&request);
        let status = match request.into_inner().service.as_str() {
            "" => ServingStatus::Serving,
            _ => ServingStatus::ServiceUnknown,
        };
        tokio::spawn(async move {
            feeder.send(Ok(answer(status))).await.ok();
            tokio::select! {
                why = cut => { feeder.send(Err(why)).await.ok(); }
                () = feeder.closed() => {}
            }
        });
        Ok(Response::new(answers))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let statuses = [(String::new(), answer(ServingStatus::Serving))];
        Ok(Response::new(HealthListResponse { statuses: statuses.into_iter().collect() }))
    }
}
