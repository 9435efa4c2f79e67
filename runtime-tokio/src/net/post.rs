//! Requests to a peer: messages for which no stream stands, and its other paths.
use super::{
    Net,
    client::{Connection, Trouble},
    dial::SILENCE_MAX,
    members,
    peer::Peer,
};
use bytes::Bytes;
use detcd_driver::{Arrival, CallFailed, Level, PeerAnswer, PeerCall, Versions};
use detcd_proto::{Message as _, etcdserverpb as pb, leasepb, raftpb::Message};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc},
    task::AbortHandle,
};

/// Requests on their way to one peer at once; etcd's number.
const WORKERS: usize = 4;
/// How long a promotion may take; etcd's limit for requests.
const PROMOTION_PATIENCE: Duration = Duration::from_secs(7);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

const PROTOBUF: [(HeaderName, HeaderValue); 1] =
    [(header::CONTENT_TYPE, HeaderValue::from_static("application/protobuf"))];

/// Why a message is not taken from a member that was removed.
pub const FROM_REMOVED: &str = "cannot process message from removed member";
/// Why a member is not promoted; etcd's words.
pub const NOT_LEARNER: &str = "membership: can only promote a learner member";
pub const NOT_READY: &str = "etcdserver: can only promote a learner member which is in sync with leader";

/// What `GET /version` says, in etcd's names.
#[derive(Debug, Serialize, Deserialize)]
pub struct VersionJson {
    #[serde(rename = "etcdserver")]
    pub server: String,
    #[serde(rename = "etcdcluster")]
    pub cluster: String,
    #[serde(default)]
    pub storage: String,
}

pub fn workers(net: &Net, peer: &Arc<Peer>, posts: mpsc::Receiver<Message>) -> Vec<AbortHandle> {
    let posts = Arc::new(Mutex::new(posts));
    (0..WORKERS).map(|_| net.spawn(post_messages(net.clone(), peer.clone(), posts.clone()))).collect()
}

async fn post_messages(net: Net, peer: Arc<Peer>, posts: Arc<Mutex<mpsc::Receiver<Message>>>) {
    let mut kept = None;
    loop {
        let Some(message) = posts.lock().await.recv().await else { return };
        if post(&net, &peer, &mut kept, message).await.is_none() {
            peer.dropped(&net);
        }
    }
}

/// None if the message may not have arrived.
async fn post(net: &Net, peer: &Peer, kept: &mut Option<Connection>, message: Message) -> Option<()> {
    let url = peer.url()?;
    let usable = match kept.as_mut() {
        Some(connection) => connection.is_usable().await,
        None => false,
    };
    let mut connection = match kept.take().filter(|_| usable) {
        Some(connection) => connection,
        None => match Connection::open(&url, net.dial_patience()).await {
            Ok(connection) => connection,
            Err(_) => {
                peer.try_another_url(&url);
                return None;
            }
        },
    };
    let body = Bytes::from(message.encode_to_vec());
    let bytes = body.len() as u64;
    let answer =
        connection.ask(net.identity(), Method::POST, "/raft", &PROTOBUF, body, SILENCE_MAX).await.ok()?;
    let status = answer.status();
    // The connection can be used again once the answer is read.
    let text = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
    let text = tokio::time::timeout(SILENCE_MAX, text).await.ok()?.ok()?.to_bytes();
    if status != StatusCode::NO_CONTENT {
        let text = String::from_utf8_lossy(&text);
        if status == StatusCode::FORBIDDEN && text.contains(FROM_REMOVED) {
            net.arrive(Arrival::Expelled(peer.id));
        }
        net.log(
            Level::Warn,
            format_args!("peer {} refused a message: {status}: {}", peer.id, text.trim_end()),
        );
        return None;
    }
    *kept = Some(connection);
    peer.meters.sent_bytes.add(bytes);
    Some(())
}

/// One question to a peer, on a connection of its own.
pub async fn call(net: &Net, peer: &Peer, call: PeerCall) -> Result<PeerAnswer, CallFailed> {
    let url = peer.url().ok_or(CallFailed::Unreachable)?;
    let lost = |_: Trouble| CallFailed::Unreachable;
    // A change of the members waits until it is applied; whoever asks for one gives up by itself.
    let patience = if matches!(call, PeerCall::Promote { .. }) { PROMOTION_PATIENCE } else { SILENCE_MAX };
    let mut connection = Connection::open(&url, net.dial_patience()).await.map_err(|_| {
        peer.try_another_url(&url);
        CallFailed::Unreachable
    })?;
    let promotion;
    let (method, path, body) = match &call {
        PeerCall::KeepAlive(request) => (Method::POST, "/leases", request.encode_to_vec()),
        PeerCall::TimeToLive(request) => (Method::POST, "/leases/internal", request.encode_to_vec()),
        PeerCall::Version => (Method::GET, "/version", Vec::new()),
        PeerCall::Promote { id, .. } => {
            promotion = format!("/members/promote/{}", id.0);
            (Method::POST, promotion.as_str(), Vec::new())
        }
    };
    let token = match &call {
        PeerCall::Promote { token, .. } => {
            token.as_ref().and_then(|token| HeaderValue::try_from(token.as_str()).ok())
        }
        _ => None,
    };
    let token = token.map(|token| [(header::AUTHORIZATION, token)]);
    let extra: &[_] = match &call {
        PeerCall::KeepAlive(_) | PeerCall::TimeToLive(_) => &PROTOBUF,
        PeerCall::Version => &[],
        PeerCall::Promote { .. } => token.as_ref().map_or(&[], |token| &token[..]),
    };
    let answer = connection
        .ask(net.identity(), method, path, extra, Bytes::from(body), patience)
        .await
        .map_err(lost)?;
    let status = answer.status();
    match status {
        StatusCode::OK | StatusCode::PRECONDITION_FAILED => {}
        StatusCode::NOT_FOUND => return Err(CallFailed::NotFound),
        StatusCode::REQUEST_TIMEOUT => return Err(CallFailed::TimedOut),
        _ => return Err(CallFailed::Refused),
    }
    let body =
        tokio::time::timeout(SILENCE_MAX, Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect())
            .await
            .map_err(|_| CallFailed::Unreachable)?
            .map_err(|_| CallFailed::Unreachable)?
            .to_bytes();
    if status == StatusCode::PRECONDITION_FAILED {
        let text = String::from_utf8_lossy(&body);
        return Err(match &call {
            PeerCall::Promote { .. } if text.contains(NOT_READY) => CallFailed::NotReady,
            PeerCall::Promote { .. } if text.contains(NOT_LEARNER) => CallFailed::NotLearner,
            _ => CallFailed::Refused,
        });
    }
    match call {
        PeerCall::Promote { .. } => members::read(&body).map(PeerAnswer::Promoted),
        PeerCall::KeepAlive(_) => pb::LeaseKeepAliveResponse::decode(body).map(PeerAnswer::KeepAlive).ok(),
        PeerCall::TimeToLive(_) => {
            leasepb::LeaseInternalResponse::decode(body).map(PeerAnswer::TimeToLive).ok()
        }
        PeerCall::Version => serde_json::from_slice::<VersionJson>(&body).ok().map(|said| {
            PeerAnswer::Version(Versions {
                server: said.server,
                cluster: said.cluster,
                storage: said.storage,
            })
        }),
    }
    .ok_or(CallFailed::Refused)
}
