//! A server that knows how to put a key and get it, and can be told to lie.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use detcd_proto::etcdserverpb as pb;
use detcd_proto::mvccpb::KeyValue;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tonic::codegen::http;
use tonic::{Request, Response, Status, body::Body};

use super::super::plan::path;
use super::super::server::Server;
use super::super::wire::Raw;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    /// The second put of a key does not count.
    Version,
    /// Another text for a missing key.
    Text,
    NotBuilt,
}

#[derive(Default)]
struct Store {
    revision: i64,
    pairs: BTreeMap<Bytes, KeyValue>,
}

#[derive(Clone)]
struct Fake {
    store: Arc<Mutex<Store>>,
    lie: Lie,
}

/// Starts one on a free port of loopback. It ends with the test's runtime.
pub async fn serve(lie: Lie) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let store = Arc::new(Mutex::new(Store { revision: 1, ..Store::default() }));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let fake = Fake { store: store.clone(), lie };
            let answer = service_fn(move |request: http::Request<Incoming>| {
                let call = Call { fake: fake.clone(), path: request.uri().path().to_owned() };
                async move {
                    Ok::<_, Infallible>(
                        tonic::server::Grpc::new(Raw).unary(call, request.map(Body::new)).await,
                    )
                }
            });
            let connection =
                http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer);
            tokio::spawn(connection);
        }
    });
    Server::found(&address).await.unwrap()
}

struct Call {
    fake: Fake,
    path: String,
}

impl tonic::server::UnaryService<Bytes> for Call {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        std::future::ready(self.fake.answer(&self.path, request.into_inner()).map(Response::new))
    }
}

impl Fake {
    fn answer(&self, method: &str, bytes: Bytes) -> Result<Bytes, Status> {
        let store = &mut *self.store.lock().unwrap();
        let bad = |error: prost::DecodeError| Status::internal(error.to_string());
        match method {
            _ if self.lie == Lie::NotBuilt => Err(Status::unimplemented("unimplemented: KV/Range")),
            path::PUT => {
                let request = pb::PutRequest::decode(bytes).map_err(bad)?;
                if request.key.is_empty() {
                    let text =
                        if self.lie == Lie::Text { "no key" } else { "etcdserver: key is not provided" };
                    return Err(Status::invalid_argument(text));
                }
                store.revision += 1;
                let pair = store.pairs.entry(request.key.clone()).or_insert_with(|| KeyValue {
                    key: request.key,
                    create_revision: store.revision,
                    ..KeyValue::default()
                });
                if self.lie != Lie::Version || pair.version != 1 {
                    pair.version += 1;
                }
                pair.mod_revision = store.revision;
                pair.value = request.value;
                let answer = pb::PutResponse { header: store.header(), prev_kv: None };
                Ok(answer.encode_to_vec().into())
            }
            path::RANGE => {
                let request = pb::RangeRequest::decode(bytes).map_err(bad)?;
                let found = store.pairs.get(&request.key).filter(|_| request.range_end.is_empty());
                let kvs: Vec<KeyValue> = found.cloned().into_iter().collect();
                let count = kvs.len() as i64;
                let answer = pb::RangeResponse { header: store.header(), kvs, more: false, count };
                Ok(answer.encode_to_vec().into())
            }
            _ => Err(Status::unimplemented(format!("nobody knows {method}"))),
        }
    }
}

impl Store {
    fn header(&self) -> Option<pb::ResponseHeader> {
        Some(pb::ResponseHeader { cluster_id: 1, member_id: 2, revision: self.revision, raft_term: 2 })
    }
}
