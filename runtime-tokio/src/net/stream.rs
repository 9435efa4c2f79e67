//! Snapshots between members: `POST /raft/snapshot`, whose body is the length of a message (eight bytes, big-endian), the
//! message, and the bytes of the database. Source: contract-semantics 18.
use super::{
    Cut, Net,
    client::{Trouble, dial},
    dial::SILENCE_MAX,
    peer::Peer,
};
use crate::http::answer::{self, Answer, json, text};
use bytes::{Buf as _, Bytes, BytesMut};
use detcd_core::MemberId;
use detcd_driver::{
    Inbound, Level, StreamFailed,
    pipe::{Broken, PipeIn, PipeOut, pipe, verdict},
};
use detcd_proto::{Message as _, raftpb};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::time::timeout;

pub const PATH: &str = "/raft/snapshot";
/// Pieces that wait for the driver; a piece is what one read of the socket brings.
const PIECES_MAX: usize = 4;
/// Longest message in front, in bytes; the databases behind have no such bound.
const HEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Streams that wait for the driver.
pub const WAITING_MAX: usize = 8;
/// Longest refusal that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// Takes a snapshot from a peer. The answer waits until it is in its place.
pub async fn take(net: &Net, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return answer::method_not_allowed("POST");
    }
    if let Some(why) = net.identity().mismatch(request.headers()) {
        return text(StatusCode::PRECONDITION_FAILED, why);
    }
    let mut body = Pieces { body: request.into_body(), read: BytesMut::new() };
    let message = match head(&mut body).await {
        Ok(message) => message,
        Err(why) => {
            net.log(Level::Warn, format_args!("failed to decode Raft message error={why}"));
            return text(StatusCode::BAD_REQUEST, &format!("failed to decode raft message ({why})"));
        }
    };
    if message.r#type != i32::from(raftpb::MessageType::MsgSnap) {
        return text(StatusCode::BAD_REQUEST, "wrong raft message type");
    }
    if message.to != net.member().0 {
        let mut refusal = json("{\"message\":\"cannot process message to mismatch member\"}".to_string());
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        return refusal;
    }
    let peer = net.peer(MemberId(message.from));
    let (tell, driver_body) = pipe(PIECES_MAX);
    let (said, awaited) = verdict();
    if !net.begin_inbound(Inbound { message, body: driver_body, verdict: said }) {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "too many snapshots wait to be received");
    }
    let word = match pass_on(&mut body, tell, peer.as_deref()).await {
        Ok(()) => awaited.wait().await,
        Err(Stopped::ByPeer(why)) => Err(format!("failed to save KV snapshot ({why})")),
        // It has a reason.
        Err(Stopped::ByDriver) => awaited.wait().await,
    };
    match word {
        Ok(()) => answer::empty(StatusCode::NO_CONTENT),
        Err(why) => text(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

enum Stopped {
    ByPeer(String),
    ByDriver,
}

/// The body of a request as a stream of bytes.
struct Pieces {
    body: Incoming,
    /// Read and not taken yet.
    read: BytesMut,
}

impl Pieces {
    /// Some bytes; None at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        if !self.read.is_empty() {
            return Ok(Some(self.read.split().freeze()));
        }
        loop {
            match timeout(SILENCE_MAX, self.body.frame()).await {
                Err(_) => return Err("i/o timeout".to_string()),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err("unexpected EOF".to_string()),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    async fn exactly(&mut self, len: usize) -> Result<Bytes, String> {
        while self.read.len() < len {
            let before = std::mem::take(&mut self.read);
            let more = self.next().await?;
            self.read = before;
            match more {
                Some(more) => self.read.extend_from_slice(&more),
                None if self.read.is_empty() => return Err("EOF".to_string()),
                None => return Err("unexpected EOF".to_string()),
            }
        }
        Ok(self.read.split_to(len).freeze())
    }
}

/// The message in front.
async fn head(body: &mut Pieces) -> Result<raftpb::Message, String> {
    let length = body.exactly(8).await?.get_u64();
    let length = usize::try_from(length.min(HEAD_BYTES_MAX + 1)).unwrap_or(usize::MAX);
    if length as u64 > HEAD_BYTES_MAX {
        return Err("rafthttp: error limit exceeded".to_string());
    }
    let bytes = body.exactly(length).await?;
    raftpb::Message::decode(bytes).map_err(|error| error.to_string())
}

async fn pass_on(body: &mut Pieces, tell: PipeIn, peer: Option<&Peer>) -> Result<(), Stopped> {
    while let Some(piece) = body.next().await.map_err(Stopped::ByPeer)? {
        if let Some(peer) = peer {
            peer.meters.received_bytes.add(piece.len() as u64);
        }
        tell.push(piece).await.map_err(|Broken| Stopped::ByDriver)?;
    }
    tell.end();
    Ok(())
}

/// What is sent: the message, then what the driver brings.
struct Upload {
    head: Option<Bytes>,
    body: PipeOut,
    peer: Arc<Peer>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = match self.head.take() {
            Some(head) => Poll::Ready(Ok(Some(head))),
            None => self.body.poll_pull(cx),
        };
        piece.map(|piece| match piece {
            Ok(Some(piece)) => {
                self.peer.meters.sent_bytes.add(piece.len() as u64);
                Some(Ok(Frame::data(piece)))
            }
            Ok(None) => None,
            // The connection is closed in the middle of the body, and the peer knows that it is not whole.
            Err(Broken) => Some(Err(io::ErrorKind::BrokenPipe.into())),
        })
    }
}

/// Sends a snapshot on a connection of its own, which ends with this.
pub async fn send(
    net: Net,
    peer: Arc<Peer>,
    message: raftpb::Message,
    body: PipeOut,
) -> Result<(), StreamFailed> {
    let url = peer.url().ok_or(StreamFailed::Broken)?;
    let (stream, host) = dial(&url, net.dial_patience()).await.map_err(|trouble| {
        net.log(Level::Warn, format_args!("cannot dial peer {} at {url}: {trouble}", peer.id));
        peer.try_another_url(&url);
        StreamFailed::Broken
    })?;
    let mut head = BytesMut::new();
    let encoded = message.encode_to_vec();
    head.extend_from_slice(&(encoded.len() as u64).to_be_bytes());
    head.extend_from_slice(&encoded);
    let mut request = Request::new(Upload { head: Some(head.freeze()), body, peer: peer.clone() });
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(PATH);
    *request.headers_mut() = net.identity().headers();
    request.headers_mut().insert(header::HOST, host);
    let stream_of_bytes = HeaderValue::from_static("application/octet-stream");
    request.headers_mut().insert(header::CONTENT_TYPE, stream_of_bytes);

    let told = |error: hyper::Error| {
        let trouble = Trouble::from(error);
        net.log(Level::Warn, format_args!("a snapshot to peer {} at {url} broke: {trouble}", peer.id));
        StreamFailed::Broken
    };
    let (mut requests, carrier) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    // Its end is seen by whoever waits for the answer.
    let _ends_with_this = Cut(tokio::spawn(async move { carrier.await.ok() }).abort_handle());
    let answer = requests.send_request(request).await.map_err(told)?;
    let status = answer.status();
    if status == StatusCode::NO_CONTENT {
        return Ok(());
    }
    let said = timeout(SILENCE_MAX, Limited::new(answer.into_body(), REFUSAL_BYTES_MAX).collect()).await;
    let said = match said {
        Ok(Ok(said)) => String::from_utf8_lossy(&said.to_bytes()).trim_end().to_string(),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    // With this one the peer has its say; the others are the protocol's.
    let is_word = status == StatusCode::INTERNAL_SERVER_ERROR;
    Err(StreamFailed::Refused(if is_word { said } else { format!("{status}: {said}") }))
}
