//! The Watch service.
use super::{Api, admission, status};
use crate::{Tokio, generated::etcdserverpb::watch_server::Watch};
use detcd_driver::{WatchReplies, WatchRequests};
use detcd_proto::etcdserverpb::{WatchRequest, WatchResponse};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{sync::oneshot, task::AbortHandle};
use tonic::{Request, Response, Status, Streaming, codegen::tokio_stream::Stream};

#[tonic::async_trait]
impl Watch for Api {
    type WatchStream = Replies;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let headers = request.metadata().clone().into_headers();
        let (requests, replies) = self
            .node
            .asked_by(admission::caller(&headers))
            .watch(admission::wants_leader(&headers))
            .map_err(status)?;
        let (tell, broken) = oneshot::channel();
        let caller = request.into_inner();
        let pump = tokio::spawn(async move {
            if let Err(why) = pass_on(caller, requests).await {
                // Whoever reads no replies any more needs no reason.
                tell.send(why).ok();
            }
        });
        Ok(Response::new(Replies { replies, broken: Some(broken), pump: pump.abort_handle(), ended: false }))
    }
}

/// Ok when the caller asks nothing more; what was asked for is still heard. After a request that cannot be read or
/// taken the stream ends: the caller would wait for its answer.
async fn pass_on(mut caller: Streaming<WatchRequest>, requests: WatchRequests<Tokio>) -> Result<(), Status> {
    while let Some(request) = caller.message().await? {
        requests.send(request).await.map_err(status)?;
    }
    Ok(())
}

/// The replies of one stream; the stream ends when this is dropped.
pub struct Replies {
    replies: WatchReplies,
    /// Why the caller's half broke, if it does; None once it ended well.
    broken: Option<oneshot::Receiver<Status>>,
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
        if let Some(broken) = &mut self.broken
            && let Poll::Ready(told) = Pin::new(broken).poll(context)
        {
            self.broken = None;
            if let Ok(why) = told {
                self.ended = true;
                return Poll::Ready(Some(Err(why)));
            }
        }
        // A new future for each poll: what waits is in the stream's outbox, never in the future.
        let next = pin!(self.replies.next()).poll(context);
        next.map(|reply| {
            self.ended = reply.is_err();
            Some(reply.map_err(status))
        })
    }
}
