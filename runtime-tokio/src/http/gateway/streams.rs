//! The two directions of a streaming call: JSON objects to frames, frames to lines of JSON. Source: contract-api 7.5.
use super::{
    ErrorJson, RequestBody,
    call::{Replies, frame},
    json::{self, Objects},
};
use crate::runtime;
use bytes::Bytes;
use detcd_driver::Level;
use hyper::body::{Body, Frame};
use prost_reflect::MessageDescriptor;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tonic::Status;

/// A request's body as frames, each as soon as its object is complete. What cannot be read is told in the log and ends
/// the caller's half, as etcd has it: the caller gets no line for it.
pub struct Requests<B> {
    body: B,
    message: MessageDescriptor,
    json_max: usize,
    objects: Objects,
    ended: bool,
}

impl<B: RequestBody> Requests<B> {
    pub fn new(body: B, message: MessageDescriptor, json_max: usize) -> Requests<B> {
        Requests { body, message, json_max, objects: Objects::default(), ended: false }
    }

    fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self.objects.next(self.json_max) {
            Ok(None) => Ok(None),
            Ok(Some(object)) => json::to_wire(&self.message, &object).map(|message| Some(frame(&message))),
            Err(json::NoObject) => Err("neither an object nor the end".to_string()),
        }
    }
}

impl<B: RequestBody> Body for Requests<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        while !self.ended {
            match self.next() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(Frame::data(frame)))),
                Ok(None) => {}
                Err(why) => {
                    runtime::log(Level::Warn, format_args!("Failed to decode request: {why}"));
                    self.ended = true;
                    break;
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.objects.push(data);
                    }
                }
            }
        }
        Poll::Ready(None)
    }
}

/// Replies as lines; an error is the last one.
pub struct Lines {
    message: MessageDescriptor,
    first: Option<Bytes>,
    replies: Replies,
    ended: bool,
}

impl Lines {
    pub fn new(message: MessageDescriptor, first: Bytes, replies: Replies) -> Lines {
        Lines { message, first: Some(first), replies, ended: false }
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let reply = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => ready!(self.replies.poll_next(context)),
        };
        let Some(reply) = reply else { return Poll::Ready(None) };
        let line = reply.and_then(|reply| result_line(&self.message, reply)).unwrap_or_else(|status| {
            self.ended = true;
            error_line(&status)
        });
        Poll::Ready(Some(Ok(Frame::data(line))))
    }
}

fn result_line(message: &MessageDescriptor, reply: Bytes) -> Result<Bytes, Status> {
    let json = json::from_wire(message, reply).map_err(Status::internal)?;
    Ok([&br#"{"result":"#[..], &json::escape_markup(json), b"}\n"].concat().into())
}

pub fn error_line(status: &Status) -> Bytes {
    let json = super::super::answer::to_json(&ErrorJson::new(status)).into_bytes();
    [&br#"{"error":"#[..], &json::escape_markup(json), b"}\n"].concat().into()
}
