//! A call of our own gRPC services from inside, by bare frames: whatever serves the gRPC port serves this too, with
//! the same checks and limits.
use crate::grpc::Services;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Version, header};
use hyper::body::Body as _;
use prost_reflect::MethodDescriptor;
use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tonic::{Code, Status, body::Body};

/// A flag byte and four bytes of length.
const HEAD_BYTES: usize = 5;

/// One message as it goes over the wire, not compressed.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + message.len());
    frame.put_u8(0);
    // Nothing near 4 GiB comes as far as here: the gateway bounds what it reads.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

/// Calls a method with a body of frames.
pub async fn call<B>(
    services: &Services,
    method: &MethodDescriptor,
    metadata: HeaderMap,
    body: B,
    deadline: Option<Instant>,
) -> Result<Replies, Status>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut request = Request::new(body);
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = path.parse().expect("names of services and methods are plain ASCII");
    *request.headers_mut() = metadata;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    let call = services.call(request);
    let response = match deadline {
        Some(deadline) => timeout_at(deadline, call).await.map_err(|_| too_late())?,
        None => call.await,
    };
    let (head, body) = response.into_parts();
    refused(&head.headers)?;
    let deadline = deadline.map(|deadline| Box::pin(sleep_until(deadline)));
    Ok(Replies { body, waiting: BytesMut::new(), deadline, ended: false })
}

fn too_late() -> Status {
    Status::deadline_exceeded("context deadline exceeded")
}

/// What headers or trailers say about the end of the call, if they say that it went wrong.
fn refused(headers: &HeaderMap) -> Result<(), Status> {
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(()),
    }
}

/// The messages that come back.
pub struct Replies {
    body: Body,
    waiting: BytesMut,
    deadline: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Replies {
    /// The next message, not decoded; None when the call has ended well. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = self.poll_more(context);
        self.ended = matches!(next, Poll::Ready(None | Some(Err(_))));
        next
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(too_late())));
        }
        loop {
            if let Some(message) = self.whole() {
                return Poll::Ready(Some(Ok(message)));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(frame)) => frame,
            };
            if let Some(trailers) = frame.trailers_ref() {
                return Poll::Ready(refused(trailers).err().map(Err));
            }
            if let Ok(data) = frame.into_data() {
                self.waiting.extend_from_slice(&data);
            }
        }
    }

    /// Our services never compress, so the flag is zero.
    fn whole(&mut self) -> Option<Bytes> {
        let (_, mut rest) = self.waiting.split_first()?;
        let length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        if rest.len() < length {
            return None;
        }
        self.waiting.advance(HEAD_BYTES);
        Some(self.waiting.split_to(length).freeze())
    }
}
