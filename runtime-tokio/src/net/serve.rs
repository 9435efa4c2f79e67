//! What peers ask of us: their streams, their posts, and etcd's other paths on the peer URLs.
use super::{
    Net,
    frame::{Encoder, MESSAGE_BYTES_MAX, Stream},
    headers::{RAFT_TO, introduced},
    members,
    post::{FROM_REMOVED, NOT_LEARNER, NOT_READY, VersionJson},
    probe::LinkMeters,
    stream,
};
use crate::{
    Tokio, clock,
    http::answer::{self, Answer, json, text},
    stop::Stopping,
};
use bytes::{Bytes, BytesMut};
use detcd_core::{Member, MemberId};
use detcd_driver::{Arrival, CallFailed, Level, Node, PeerAnswer, PeerCall};
use detcd_proto::{Message as _, etcdserverpb as pb, leasepb, raftpb};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
    time::{Instant, Sleep},
};

/// A stream says that it lives this often; the reader gives up after three.
const ALIVE_EVERY: Duration = Duration::from_millis(5_000 / 3);
/// About as many bytes are put into one write.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest body of a question that is no Raft message, in bytes.
const QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Who answers what is no Raft message: the driver.
pub trait PeerFront: Clone + Send + Sync + 'static {
    /// The members as this one knows them, ascending by id.
    fn members(&self) -> Vec<Member>;
    fn call(&self, call: PeerCall) -> impl Future<Output = Result<PeerAnswer, CallFailed>> + Send;
}

/// Serves peers until told to stop; then every connection is cut.
pub async fn serve(listener: TcpListener, net: Net, front: impl PeerFront, mut stopping: Stopping) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cut() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or the caller is gone already: neither ends the listener.
                net.log(Level::Warn, format_args!("cannot accept a peer: {error}"));
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let (net, front, mut stopping) = (net.clone(), front.clone(), stopping.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true).ok();
            let cut = Arc::new(Notify::new());
            let service = service_fn(|request| {
                let (net, front, cut) = (net.clone(), front.clone(), cut.clone());
                async move { Ok::<_, Infallible>(answer(net, front, cut, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A peer that went away is told of by its links.
                _ = connection => {}
                () = cut.notified() => {}
                () = stopping.cut() => {}
            }
        });
    }
}

impl PeerFront for Node<Tokio> {
    fn members(&self) -> Vec<Member> {
        self.latest().view.members.to_vec()
    }

    async fn call(&self, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
        self.peer(call).await
    }
}

type PeerBody = Either<Full<Bytes>, Outflow>;

async fn answer(
    net: Net,
    front: impl PeerFront,
    cut: Arc<Notify>,
    request: Request<Incoming>,
) -> Response<PeerBody> {
    let path = request.uri().path().to_string();
    let answer = match path.as_str() {
        "/raft" => post_message(&net, request).await,
        stream::PATH => stream::take(&net, request).await,
        "/raft/probing" => {
            let now = clock::rfc3339(clock::wall_nanos(), 9);
            json(format!("{{\"OK\":true,\"Now\":\"{now}\"}}\n"))
        }
        "/members" => get(&request).unwrap_or_else(|| json(members::write(front.members()))),
        "/version" => version(&front, &request).await,
        "/leases" | "/leases/internal" => lease(&front, request).await,
        _ => match (path.strip_prefix("/raft/stream/"), path.strip_prefix("/members/promote/")) {
            (_, Some(id)) => promote(&front, id, &request).await,
            (Some(rest), None) => match stream(&net, rest, &request) {
                Ok((peer, kind)) => return outflow(&net, peer, kind, cut),
                Err(refusal) => *refusal,
            },
            (None, None) => answer::not_found(),
        },
    };
    let mut answer = answer.map(Either::Left);
    net.identity().answer_headers(answer.headers_mut());
    answer
}

/// Some refusal if this is no GET.
fn get(request: &Request<Incoming>) -> Option<Answer> {
    (request.method() != Method::GET).then(|| answer::method_not_allowed("GET"))
}

/// Whose stream is asked for, if the asker may have it.
fn stream(net: &Net, rest: &str, request: &Request<Incoming>) -> Result<(MemberId, Stream), Box<Answer>> {
    if let Some(refusal) = get(request) {
        return Err(Box::new(refusal));
    }
    let refuse = |status, why| Err(Box::new(text(status, why)));
    if let Some(why) = net.identity().mismatch(request.headers()) {
        return refuse(StatusCode::PRECONDITION_FAILED, why);
    }
    let not_found = |why| refuse(StatusCode::NOT_FOUND, why);
    let Some((kind, from)) = rest.split_once('/') else { return not_found("invalid path") };
    let kind = match kind {
        "msgapp" => Stream::Append,
        "message" => Stream::Message,
        _ => return not_found("invalid path"),
    };
    let Ok(from) = u64::from_str_radix(from, 16) else { return not_found("invalid from") };
    if net.is_removed(MemberId(from)) {
        return Err(Box::new(answer::empty(StatusCode::GONE)));
    }
    if let Some((id, urls)) = introduced(request.headers())
        && id.0 == from
    {
        net.meet(id, &urls);
    }
    if net.peer(MemberId(from)).is_none() {
        return not_found("error sender not found");
    }
    if request.headers().get(RAFT_TO) != Some(&super::headers::hex(net.member().0)) {
        return refuse(StatusCode::PRECONDITION_FAILED, "to field mismatch");
    }
    Ok((MemberId(from), kind))
}

fn outflow(net: &Net, peer: MemberId, stream: Stream, cut: Arc<Notify>) -> Response<PeerBody> {
    let Some(peer) = net.peer(peer) else {
        return text(StatusCode::NOT_FOUND, "error sender not found").map(Either::Left);
    };
    let messages = peer.attach(stream, cut);
    let body = Outflow {
        messages,
        meters: peer.meters.clone(),
        encoder: Encoder::new(stream),
        waiting: Vec::new(),
        bytes: BytesMut::new(),
        alive: Box::pin(tokio::time::sleep(ALIVE_EVERY)),
    };
    let mut answer = Response::new(Either::Right(body));
    net.identity().answer_headers(answer.headers_mut());
    answer
}

/// Our messages to the peer that dialled, as one endless body.
pub struct Outflow {
    messages: mpsc::Receiver<raftpb::Message>,
    meters: Arc<LinkMeters>,
    encoder: Encoder,
    waiting: Vec<raftpb::Message>,
    bytes: BytesMut,
    alive: Pin<Box<Sleep>>,
}

impl Body for Outflow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        // Everything that waits goes into one write.
        while this.bytes.len() < CHUNK_BYTES {
            match this.messages.poll_recv_many(context, &mut this.waiting, 64) {
                Poll::Ready(0) if this.bytes.is_empty() => return Poll::Ready(None),
                Poll::Ready(0) | Poll::Pending => break,
                Poll::Ready(_) => {
                    for message in this.waiting.drain(..) {
                        this.encoder.message(&message, &mut this.bytes);
                    }
                }
            }
        }
        if this.bytes.is_empty() && this.alive.as_mut().poll(context).is_ready() {
            this.alive.as_mut().reset(Instant::now() + ALIVE_EVERY);
            this.encoder.alive(&mut this.bytes);
            // Registers the timer that was just set.
            if this.alive.as_mut().poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        if this.bytes.is_empty() {
            return Poll::Pending;
        }
        this.meters.sent_bytes.add(this.bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(this.bytes.split().freeze()))))
    }
}

async fn post_message(net: &Net, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return answer::method_not_allowed("POST");
    }
    if let Some(why) = net.identity().mismatch(request.headers()) {
        return text(StatusCode::PRECONDITION_FAILED, why);
    }
    let sender = introduced(request.headers());
    let limit = usize::try_from(MESSAGE_BYTES_MAX).unwrap_or(usize::MAX);
    let Ok(body) = Limited::new(request.into_body(), limit).collect().await else {
        return text(StatusCode::BAD_REQUEST, "error reading raft message");
    };
    let body = body.to_bytes();
    let bytes = body.len() as u64;
    let Ok(message) = raftpb::Message::decode(body) else {
        return text(StatusCode::BAD_REQUEST, "error unmarshalling raft message");
    };
    if let Some(peer) = net.peer(MemberId(message.from)) {
        peer.meters.received_bytes.add(bytes);
    }
    if net.is_removed(MemberId(message.from)) {
        let mut refusal = json(format!("{{\"message\":\"{FROM_REMOVED}\"}}"));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        return refusal;
    }
    if message.to != net.member().0 {
        let mut refusal = json("{\"message\":\"cannot process message to mismatch member\"}".to_string());
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        return refusal;
    }
    if let Some((id, urls)) = sender {
        net.meet(id, &urls);
    }
    net.arrive_in_turn(Arrival::Message(message)).await;
    answer::empty(StatusCode::NO_CONTENT)
}

async fn promote(front: &impl PeerFront, id: &str, request: &Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return answer::method_not_allowed("POST");
    }
    let Ok(number) = id.parse() else {
        return text(StatusCode::NOT_FOUND, &format!("member {id} not found in cluster"));
    };
    let token = request.headers().get(header::AUTHORIZATION).and_then(|token| token.to_str().ok());
    let call = PeerCall::Promote { id: MemberId(number), token: token.map(str::to_string) };
    match front.call(call).await {
        Ok(PeerAnswer::Promoted(list)) => json(members::write(list)),
        Err(CallFailed::NotFound) => text(StatusCode::NOT_FOUND, "membership: ID not found"),
        Err(CallFailed::NotLearner) => text(StatusCode::PRECONDITION_FAILED, NOT_LEARNER),
        Err(CallFailed::NotReady) => text(StatusCode::PRECONDITION_FAILED, NOT_READY),
        Err(CallFailed::TimedOut) => text(StatusCode::REQUEST_TIMEOUT, "etcdserver: request timed out"),
        Ok(_) | Err(CallFailed::Refused | CallFailed::Unreachable) => {
            let mut refusal = json("{\"message\":\"Internal Server Error\"}".to_string());
            *refusal.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            refusal
        }
    }
}

async fn version(front: &impl PeerFront, request: &Request<Incoming>) -> Answer {
    if let Some(refusal) = get(request) {
        return refusal;
    }
    match front.call(PeerCall::Version).await {
        Ok(PeerAnswer::Version(said)) => json(answer::to_json(&VersionJson {
            server: said.server,
            cluster: said.cluster,
            storage: said.storage,
        })),
        _ => text(StatusCode::INTERNAL_SERVER_ERROR, "version is not known"),
    }
}

async fn lease(front: &impl PeerFront, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return answer::method_not_allowed("POST");
    }
    let renewal = request.uri().path() == "/leases";
    let Ok(body) = Limited::new(request.into_body(), QUESTION_BYTES_MAX).collect().await else {
        return text(StatusCode::BAD_REQUEST, "error reading body");
    };
    let body = body.to_bytes();
    let call = if renewal {
        pb::LeaseKeepAliveRequest::decode(body).map(PeerCall::KeepAlive)
    } else {
        leasepb::LeaseInternalRequest::decode(body).map(PeerCall::TimeToLive)
    };
    let Ok(call) = call else { return text(StatusCode::BAD_REQUEST, "error unmarshalling request") };
    let bytes = match front.call(call).await {
        Ok(PeerAnswer::KeepAlive(answer)) => answer.encode_to_vec(),
        Ok(PeerAnswer::TimeToLive(answer)) => answer.encode_to_vec(),
        Err(CallFailed::NotFound) => return text(StatusCode::NOT_FOUND, "lease not found"),
        Err(CallFailed::TimedOut) => {
            let why = "waiting for node to catch up its applied index has timed out";
            return text(StatusCode::REQUEST_TIMEOUT, why);
        }
        Ok(PeerAnswer::Version(_) | PeerAnswer::Promoted(_))
        | Err(
            CallFailed::Refused | CallFailed::Unreachable | CallFailed::NotLearner | CallFailed::NotReady,
        ) => {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "not a primary lessor");
        }
    };
    let mut answer = Response::new(Full::from(bytes));
    let protobuf = HeaderValue::from_static("application/protobuf");
    answer.headers_mut().insert(header::CONTENT_TYPE, protobuf);
    answer
}
