//! The client port: HTTP/2 is gRPC, HTTP/1 is the JSON gateway and pages; told apart by the first bytes.
//! Source: contract-semantics 20.
mod access;
pub mod answer;
mod gateway;
mod metrics;
mod pages;
mod pings;

pub use access::Access;
pub use metrics::Metrics;

use crate::{grpc::Services, runtime, stop::Stopping, threads::Reactors};
use answer::Answer;
use detcd_driver::Level;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use pings::Policed;
use std::{convert::Infallible, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tonic::body::Body;

/// Bytes that one connection may have on their way to us; HTTP/2's own 64 KiB would cost an answer for every few puts.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const STREAM_WINDOW: u32 = 1024 * 1024;

/// What one connection may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub concurrent_streams: u32,
    /// The least time between two pings of a client with calls.
    pub client_pings_min: Duration,
    /// How often a client is asked whether it is still there, and how long it may take to answer.
    pub ping_every: Duration,
    pub ping_patience: Duration,
}

/// etcd's. Source: contract-api 2.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            concurrent_streams: u32::MAX,
            client_pings_min: Duration::from_secs(5),
            ping_every: Duration::from_secs(2 * 60 * 60),
            ping_patience: Duration::from_secs(20),
        }
    }
}

/// What a listener serves. Cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Parts>);

struct Parts {
    services: Services,
    access: Access,
    metrics: Arc<Metrics>,
    kind: Kind,
}

/// For whom a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// gRPC and pages, and the JSON gateway if `gateway`.
    Clients { gateway: bool },
    /// `/metrics` and the pages about health, without gRPC and without asking who asks.
    Metrics,
}

impl Site {
    pub fn new(services: Services, access: Access, metrics: Arc<Metrics>, kind: Kind) -> Site {
        Site(Arc::new(Parts { services, access, metrics, kind }))
    }
}

/// Serves clients until the stop. Ends when every connection has ended.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    reactors: Arc<Reactors>,
    stopping: Stopping,
    limits: Limits,
) {
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let mut draining = stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = draining.drained() => break,
        };
        // What a socket refuses here, its caller will notice.
        let stream = accepted.and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            stream.into_std()
        });
        match stream {
            Ok(stream) => {
                let (site, stopping, alive) = (site.clone(), stopping.clone(), alive.clone());
                reactors.pick().spawn(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        carry(stream, site, stopping, limits).await;
                    }
                    drop(alive);
                });
            }
            Err(error) => {
                runtime::log(Level::Warn, format_args!("cannot accept a client: {error}"));
                // Out of descriptors, perhaps: they come back when connections end.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    drop(listener);
    drop(alive);
    // Nothing is ever sent: this ends when the last connection has dropped its end.
    all_gone.recv().await;
}

async fn carry(stream: TcpStream, site: Site, mut stopping: Stopping, limits: Limits) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if site.0.kind == Kind::Metrics {
        builder = builder.http1_only();
    }
    builder.http1().timer(TokioTimer::new()).title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_streams(limits.concurrent_streams)
        .keep_alive_interval(limits.ping_every)
        .keep_alive_timeout(limits.ping_patience);
    let caller = stream.peer_addr().ok().map(|address| address.ip());
    let stream = Policed::new(stream, limits.client_pings_min);
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(answer(&site, caller, request).await) }
    });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let mut cutting = stopping.clone();
    tokio::select! {
        // A client that went away needs no answer.
        _ = connection.as_mut() => return,
        () = stopping.drained() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection => {}
        () = cutting.cut() => {}
    }
}

async fn answer(site: &Site, caller: Option<IpAddr>, request: Request<Incoming>) -> Response<Body> {
    let Parts { services, access, metrics, kind } = &*site.0;
    let Kind::Clients { gateway } = *kind else {
        return pages::for_metrics(services.node(), metrics, &request).await.map(Body::new);
    };
    if request.version() == Version::HTTP_2 {
        return services.call(request).await;
    }
    if let Some(host) = access.stranger(request.headers()) {
        return misdirected(&host).map(Body::new);
    }
    let asked = request.headers().clone();
    let uri = request.uri().clone();
    let mut answer = match gateway::path(uri.path()) {
        // A browser that asks whether it may.
        _ if request.method() == Method::OPTIONS => answer::empty(StatusCode::OK).map(Body::new),
        Some(path) if gateway && gateway::socket::is_wanted(request.headers()) => {
            gateway::socket::open(services, caller, path, request)
        }
        Some(path) if gateway => gateway::answer(services, caller, &path, request).await,
        _ => pages::for_clients(services.node(), metrics, &request).await.map(Body::new),
    };
    access.tell(&asked, answer.headers_mut());
    answer
}

/// To whom asks by a name that is not on the list.
fn misdirected(host: &str) -> Answer {
    runtime::log(Level::Warn, format_args!("rejecting HTTP request from untrusted host {host:?}"));
    let lines = [
        format!("This member does not go by the host name {host:?}, by which it was asked.\n"),
        format!("Add it to the names that are taken (etcd --host-whitelist {host:?}), or ask by TLS."),
        "The list keeps a web page from asking by a name of its own (CVE-2018-5702).".to_string(),
    ];
    answer::text(StatusCode::MISDIRECTED_REQUEST, &lines.join("\n"))
}
