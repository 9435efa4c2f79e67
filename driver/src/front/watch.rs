//! One client's watch stream: requests in, replies out, both in order.
use crate::{Node, Runtime, board::Board, fanout::Line, outbox::Next};
use detcd_core::{ClusterId, MemberId, Plants, Refusal, watch};
use detcd_proto::etcdserverpb::{
    WatchCreateRequest, WatchRequest, WatchResponse, watch_request::RequestUnion,
};
use std::collections::VecDeque;

/// The client's half that asks. Dropping it does not end the stream.
pub struct WatchRequests<R: Runtime> {
    line: Line,
    node: Node<R>,
}

/// The client's half that hears. Dropping it ends the stream.
pub struct WatchReplies {
    line: Line,
    board: Board,
    cluster: ClusterId,
    member: MemberId,
    /// A reply this large is split, for watchers that asked for it.
    bytes_max: usize,
    plants: Plants,
    pieces: VecDeque<WatchResponse>,
}

/// What a message may be longer than the largest request. Source: contract-api 2.
const OVERHEAD_BYTES: usize = 512 * 1024;

impl<R: Runtime> Node<R> {
    /// Opens a watch stream; with `require_leader` it ends when no leader is known for too long.
    pub fn watch(&self, require_leader: bool) -> Result<(WatchRequests<R>, WatchReplies), Refusal> {
        self.admit()?;
        if require_leader {
            self.require_leader()?;
        }
        let line = self.0.fanout.open(require_leader)?;
        let config = &self.0.config;
        let replies = WatchReplies {
            line: line.clone(),
            board: self.0.board.clone(),
            cluster: config.cluster_id,
            member: config.me.id,
            bytes_max: config.watch_fragment_bytes.unwrap_or(config.max_request_bytes + OVERHEAD_BYTES),
            plants: config.plants,
            pieces: VecDeque::new(),
        };
        Ok((WatchRequests { line, node: self.clone() }, replies))
    }
}

impl<R: Runtime> WatchRequests<R> {
    /// Passes a request on, once so many earlier ones are answered and read that its answer has a place.
    pub async fn send(&self, request: WatchRequest) -> Result<(), Refusal> {
        self.line.outbox.admit().await;
        let refused = match &request.request_union {
            Some(RequestUnion::CreateRequest(request)) => self.refused(request).await,
            Some(RequestUnion::CancelRequest(_) | RequestUnion::ProgressRequest(_)) | None => None,
        };
        match refused {
            Some(why) => self.line.refuse(why),
            None => self.line.request(request),
        }
    }

    /// Why the caller may not watch this; asked here once, and never again while the watcher lives. A revision below
    /// zero is refused for itself, whoever asks.
    async fn refused(&self, request: &WatchCreateRequest) -> Option<Refusal> {
        if request.start_revision < 0 {
            return None;
        }
        let permitted = self.node.principal().await.and_then(|(who, edition)| {
            edition.view.auth.permit_read(&who, &watch::key_of(request), &request.range_end)
        });
        match permitted {
            Ok(()) => None,
            Err(why @ (Refusal::InvalidAuthToken | Refusal::AuthOldRevision | Refusal::UserEmpty)) => {
                Some(why)
            }
            Err(_) => Some(Refusal::PermissionDenied),
        }
    }
}

impl WatchReplies {
    /// How many replies wait to be read, the pieces of the last one not counted.
    pub fn waiting(&self) -> usize {
        self.line.outbox.len()
    }

    /// The next reply, header filled in; the refusal is the last thing a stream says.
    pub async fn next(&mut self) -> Result<WatchResponse, Refusal> {
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(piece);
        }
        let (reply, room) = match self.line.outbox.next().await {
            Next::Reply { reply, room } => (reply, room),
            Next::End(why) => return Err(why),
        };
        if room {
            self.line.room();
        }
        let mut response = reply.response;
        let header = response.header.get_or_insert_default();
        header.cluster_id = self.cluster.0;
        header.member_id = self.member.0;
        header.raft_term = self.board.latest().standing.term;
        if !reply.fragment {
            return Ok(response);
        }
        self.pieces.extend(watch::split(response, self.bytes_max, self.plants));
        Ok(self.pieces.pop_front().expect("a split reply has at least one piece"))
    }
}

impl Drop for WatchReplies {
    fn drop(&mut self) {
        self.line.close();
    }
}
