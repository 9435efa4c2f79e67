//! gRPC on the client port: tonic's generated services over the driver's front, about ten lines per RPC.
//!
//! [`Services`] finds the service by its path (no router in between: this is on the way of every request) after the
//! checks that etcd makes for every call. Source: contract-api 1 and 2, contract-semantics 1.
mod admission;
mod auth;
mod cluster;
mod health;
mod kv;
mod lease;
mod limit;
mod maintenance;
mod stream;
mod unbuilt;
mod watch;

use crate::{
    Tokio,
    generated::{
        etcdserverpb::{
            auth_server::AuthServer, cluster_server::ClusterServer, kv_server::KvServer,
            lease_server::LeaseServer, maintenance_server::MaintenanceServer, watch_server::WatchServer,
        },
        healthpb::health_server::HealthServer,
        v3electionpb::election_server::ElectionServer,
        v3lockpb::lock_server::LockServer,
    },
    stop::Stopping,
};
use detcd_core::Refusal;
use detcd_driver::Node;
use http::{Request, Response};
use limit::Limited;
use std::sync::Arc;
use tonic::{Code, Status, body::Body, codegen::Service as _};

/// What a request may be longer than the largest request that is proposed, in bytes; etcd's allowance.
const OVERHEAD_BYTES: usize = 512 * 1024;

/// What every service answers from.
pub struct Api {
    node: Node<Tokio>,
    stopping: Stopping,
}

impl Api {
    /// The member, asked by whoever makes this call.
    fn asked_by<T>(&self, request: &tonic::Request<T>) -> Node<Tokio> {
        self.node.asked_by(admission::caller(request.metadata().as_ref()))
    }
}

/// Every gRPC service of the client port.
#[derive(Clone)]
pub struct Services {
    api: Arc<Api>,
    request_bytes_max: usize,
}

impl Services {
    pub fn new(node: Node<Tokio>, stopping: Stopping) -> Services {
        let request_bytes_max = node.config().max_request_bytes.saturating_add(OVERHEAD_BYTES);
        Services { api: Arc::new(Api { node, stopping }), request_bytes_max }
    }

    pub fn node(&self) -> &Node<Tokio> {
        &self.api.node
    }

    pub async fn call<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if let Err(refusal) = admission::admit(&self.api.node, request.headers()) {
            return status(refusal).into_http();
        }
        let request = request.map(|body| Limited::new(body, self.request_bytes_max));
        let uri = request.uri().clone();
        let path = uri.path();
        let (service, method) =
            path.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or_default();
        macro_rules! serve {
            ($server:ident) => {{
                let mut server = $server::from_arc(self.api.clone()).max_decoding_message_size(usize::MAX);
                let Ok(response) = server.call(request).await;
                explained(response, service, method)
            }};
        }
        match service {
            "etcdserverpb.KV" => serve!(KvServer),
            "etcdserverpb.Watch" => serve!(WatchServer),
            "etcdserverpb.Lease" => serve!(LeaseServer),
            "etcdserverpb.Cluster" => serve!(ClusterServer),
            "etcdserverpb.Maintenance" => serve!(MaintenanceServer),
            "etcdserverpb.Auth" => serve!(AuthServer),
            "v3lockpb.Lock" => serve!(LockServer),
            "v3electionpb.Election" => serve!(ElectionServer),
            "grpc.health.v1.Health" => serve!(HealthServer),
            unknown => Status::unimplemented(format!("unknown service {unknown}")).into_http(),
        }
    }
}

/// The generated services say nothing about a method that they do not have; Go's do.
fn explained(response: Response<Body>, service: &str, method: &str) -> Response<Body> {
    let headers = response.headers();
    let bare = headers.get(Status::GRPC_STATUS).is_some_and(|code| code == "12")
        && headers.get(Status::GRPC_MESSAGE).is_none();
    if !bare {
        return response;
    }
    Status::unimplemented(format!("unknown method {method} for service {service}")).into_http()
}

/// A refusal as it goes over the wire.
pub fn status(refusal: Refusal) -> Status {
    Status::new(Code::from_i32(refusal.code() as i32), refusal.message())
}
