//! The client port: HTTP/2 is gRPC, HTTP/1 is health and version; told apart by the first bytes.
//! Source: contract-semantics 20.
pub mod answer;
mod pages;
mod pings;

use crate::{grpc::Services, runtime, stop::Stopping, threads::Reactors};
use detcd_driver::Level;
use http::{Request, Response, Version};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use pings::Policed;
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
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

/// Serves clients until the stop. Ends when every connection has ended.
pub async fn serve(
    listener: TcpListener,
    services: Services,
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
                let (services, stopping, alive) = (services.clone(), stopping.clone(), alive.clone());
                reactors.pick().spawn(async move {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        carry(stream, services, stopping, limits).await;
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

async fn carry(stream: TcpStream, services: Services, mut stopping: Stopping, limits: Limits) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_concurrent_streams(limits.concurrent_streams)
        .keep_alive_interval(limits.ping_every)
        .keep_alive_timeout(limits.ping_patience);
    let stream = Policed::new(stream, limits.client_pings_min);
    let service = service_fn(move |request| {
        let services = services.clone();
        async move { Ok::<_, Infallible>(answer(&services, request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
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

async fn answer(services: &Services, request: Request<Incoming>) -> Response<Body> {
    if request.version() == Version::HTTP_2 {
        return services.call(request).await;
    }
    pages::answer(services.node(), &request).await.map(Body::new)
}
