//! gRPC on the client port: tonic's generated services over the driver's front, about ten lines per RPC.
//!
//! [`Services`] finds the service by its path (no router in between: this is on the way of every request) after the
//! checks that etcd makes for every call. Source: contract-api 1 and 2, contract-semantics 1.
mod admission;
pub mod api;
mod auth;
mod cluster;
mod election;
mod health;
mod kv;
mod lease;
mod limit;
mod lock;
mod maintenance;
pub mod measure;
mod stream;
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
use measure::Calls;
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
    calls: Arc<Calls>,
}

impl Services {
    /// With `extensive`, how long calls take is measured as well.
    pub fn new(node: Node<Tokio>, stopping: Stopping, extensive: bool) -> Services {
        let request_bytes_max = node.config().max_request_bytes.saturating_add(OVERHEAD_BYTES);
        Services {
            api: Arc::new(Api { node, stopping }),
            request_bytes_max,
            calls: Arc::new(Calls::new(extensive)),
        }
    }

    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    pub fn node(&self) -> &Node<Tokio> {
        &self.api.node
    }

    /// The longest request that is taken, in bytes on the wire.
    pub fn request_bytes_max(&self) -> usize {
        self.request_bytes_max
    }

    pub async fn call<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let version = request.headers().get(admission::CLIENT_API_VERSION);
        self.calls.asked(
            request.uri().path(),
            version.and_then(|version| std::str::from_utf8(version.as_bytes()).ok()),
        );
        let uri = request.uri().clone();
        let path = uri.path();
        let Some((service, method)) = path.strip_prefix('/').unwrap_or(path).rsplit_once('/') else {
            return Status::unimplemented(format!("malformed method name: {path:?}")).into_http();
        };
        macro_rules! serve {
            ($server:ident) => {{
                if let Err(refusal) = admission::admit(&self.api.node, path, request.headers()) {
                    return status(refusal).into_http();
                }
                let call = self.calls.begin(path);
                let request = request.map(|body| Limited::new(body, self.request_bytes_max, call.clone()));
                let mut server = $server::from_arc(self.api.clone()).max_decoding_message_size(usize::MAX);
                let Ok(response) = server.call(request).await;
                let response = explained(response, service, method);
                match call {
                    Some(call) => call.watch(response),
                    None => response,
                }
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
