//! The Watch service.
use super::{Api, admission, status};
use crate::generated::etcdserverpb::watch_server::Watch;
use detcd_driver::{WatchReplies, WatchRequests};
use detcd_proto::etcdserverpb::{WatchRequest, WatchResponse};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::task::AbortHandle;
use tonic::{Request, Response, Status, Streaming, codegen::tokio_stream::Stream};

#[tonic::async_trait]
impl Watch for Api {
    type WatchStream = Replies;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let headers = request.metadata().clone().into_headers();
        let (requests, replies) = self.node.watch(admission::wants_leader(&headers)).map_err(status)?;
        let pump = tokio::spawn(pass_on(request.into_inner(), requests)).abort_handle();
        Ok(Response::new(Replies { replies, pump, ended: false }))
    }
}

/// A caller who asks nothing more still hears what was asked for.
async fn pass_on(mut caller: Streaming<WatchRequest>, requests: WatchRequests) {
    while let Ok(Some(request)) = caller.message().await {
        if requests.send(request).await.is_err() {
            return;
        }
    }
}

/// The replies of one stream; the stream ends when this is dropped.
pub struct Replies {
    replies: WatchReplies,
    pump: AbortHandle,
    ended: bool,
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Stream for Replies {
    type Item = Result<WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // A new future for each poll: what waits is in the stream's outbox, never in the future.
        let next = pin!(self.replies.next()).poll(context);
        next.map(|reply| {
            self.ended = reply.is_err();
            Some(reply.map_err(status))
        })
    }
}
